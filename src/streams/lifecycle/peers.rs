//! What peers do with data channels, handed on to chat.

use std::collections::HashSet;
use std::net::IpAddr;

use bytes::Bytes;
use sfu::SessionId;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::super::{CHAT_LABELS, PeerData};
use crate::channels::ChannelId;

/// The line to chat. Chat that does not read must not hold up who watches: what finds no room is lost, but for
/// the end of a session.
pub(super) struct Peers {
    line: mpsc::Sender<PeerData>,
    /// Sessions that have a data channel, whose end must be told.
    open: HashSet<SessionId>,
}

impl Peers {
    pub(super) fn new(line: mpsc::Sender<PeerData>) -> Self {
        Self {
            line,
            open: HashSet::new(),
        }
    }

    pub(super) fn opened(
        &mut self,
        session: SessionId,
        channel: ChannelId,
        address: IpAddr,
        label: String,
        is_preview: bool,
    ) {
        self.open.insert(session);
        self.tell(PeerData::Opened {
            session,
            channel,
            address,
            label,
            is_preview,
        });
    }

    pub(super) fn came(&self, session: SessionId, label: &str, payload: Bytes) {
        if CHAT_LABELS.contains(&label) {
            self.tell(PeerData::Came { session, payload });
        }
    }

    pub(super) fn closed(&mut self, session: SessionId) {
        if !self.open.remove(&session) {
            return;
        }
        // An end must not be lost, or chat would keep the session for ever: it may wait, beside us.
        if let Err(TrySendError::Full(ended)) = self.line.try_send(PeerData::Closed { session }) {
            let line = self.line.clone();
            tokio::spawn(async move {
                // Chat is gone only when the server stops.
                let _ = line.send(ended).await;
            });
        }
    }

    fn tell(&self, data: PeerData) {
        if self.line.try_send(data).is_err() {
            metrics::counter!("tallylight_chat_data_lost_total").increment(1);
        }
    }
}
