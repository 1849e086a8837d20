//! [`Whole`]: an access unit that was handed over, on its way through a tap.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{AccessUnit, Track};
use crate::packet::Layout;

/// An access unit of a publisher that is no peer.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) epoch: u32,
    pub(crate) layout: Arc<Layout>,
    pub(crate) track: Track,
    /// Counts the units of its track: one is missing where a number is.
    pub(crate) number: u64,
    pub(crate) decoded: Instant,
    pub(crate) captured: Instant,
    pub(crate) keyframe: bool,
    pub(crate) size: Option<(u16, u16)>,
    pub(crate) bytes: Bytes,
}

/// Lets units of the present publisher through that a decoder can decode.
#[derive(Debug, Default)]
pub(super) struct WholeGates {
    /// The newest unit of each track, and whether it went through.
    newest: BTreeMap<Track, (u64, bool)>,
}

impl WholeGates {
    /// Whether a unit goes through.
    pub(super) fn pass(&mut self, whole: &Whole) -> bool {
        let before = self.newest.get(&whole.track);
        let follows =
            before.is_some_and(|(number, is_open)| *is_open && number + 1 == whole.number);
        let is_open = whole.keyframe || follows;
        self.newest.insert(whole.track, (whole.number, is_open));
        is_open
    }

    /// Another publisher.
    pub(super) fn begin_anew(&mut self) {
        self.newest.clear();
    }
}

impl Whole {
    /// As the listener gets it, decoded at `floor` or later.
    pub(super) fn unit(&self, zero: Instant, floor: Duration) -> AccessUnit {
        let dts = self.decoded.saturating_duration_since(zero).max(floor);
        let pts = self.captured.saturating_duration_since(zero).max(dts);
        AccessUnit {
            track: self.track,
            dts,
            pts,
            keyframe: self.keyframe,
            size: self.size,
            bytes: self.bytes.clone(),
        }
    }
}
