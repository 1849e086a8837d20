//! [`Attempts`]: what went wrong when somebody tried to publish, for the channel's owner.

use std::collections::HashMap;

use jiff::Timestamp;
use sfu::CloseReason;

use super::super::Attempt;
use crate::channels::ChannelId;

/// The last failed attempt of each channel.
#[derive(Debug, Default)]
pub(super) struct Attempts(HashMap<ChannelId, Attempt>);

/// Attempts remembered, one a channel.
const MOST: usize = 1_000;

impl Attempts {
    pub(super) fn of(&self, channel: ChannelId) -> Option<Attempt> {
        self.0.get(&channel).cloned()
    }

    pub(super) fn note(&mut self, at: Timestamp, channel: ChannelId, detail: String) {
        if self.0.len() >= MOST && !self.0.contains_key(&channel) {
            let oldest = self.0.iter().min_by_key(|(_, attempt)| attempt.at);
            if let Some(oldest) = oldest.map(|(channel, _)| *channel) {
                self.0.remove(&oldest);
            }
        }
        self.0.insert(channel, Attempt { at, detail });
    }

    /// It came about after all.
    pub(super) fn forget(&mut self, channel: ChannelId) {
        self.0.remove(&channel);
    }
}

/// What a publisher's owner should know of an end that nobody asked for.
pub(super) fn failure_in_words(reason: &CloseReason, connected: bool, port: u16) -> Option<String> {
    match reason {
        CloseReason::HandshakeTimeout => Some(format!(
            "no media connection came about; is UDP port {port} open in every firewall between \
             the encoder and this server?"
        )),
        CloseReason::Inactive => {
            Some("the connection fell silent; the encoder or its network went away".to_owned())
        }
        CloseReason::TooMuch => Some(
            "it sent far more than this server takes from one publisher; set a lower bit rate in the encoder, or \
             ask the operator (limits.publisher_kbits)"
                .to_owned(),
        ),
        CloseReason::Failed(cause) => Some(format!("the connection failed: {cause}")),
        CloseReason::RemoteClosed if !connected => {
            Some("the encoder gave up before the connection was there".to_owned())
        }
        _ => None,
    }
}
