//! [`LayerTotals`]: what came in and went out, by rank of layers.
//!
//! Shards look at sessions at each sweep and add what is new, so that the packet path counts nothing
//! for it; what a session did after its last sweep is left out.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use crate::packet::{Layout, Origin};

/// Media of all layers of one rank, or of all sound, since start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct LayerTotals {
    /// What publishers sent, relayed streams among them.
    pub received: MediaTotals,
    /// What viewers were sent.
    pub sent: MediaTotals,
}

/// One way of media.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct MediaTotals {
    /// Bytes of payload, retransmissions not among them.
    pub bytes: u64,
    /// Packets, retransmissions not among them.
    pub packets: u64,
    /// Packets lost: received, those that did not come within a second, whatever was asked for
    /// again; sent, those that viewers tell they missed, before anything is sent again.
    pub lost: u64,
}

/// Layers beyond are counted with the last of these.
pub const RANKS: usize = 4;

/// The live form: layers from the largest on, and sound behind them.
#[derive(Debug, Default)]
pub(crate) struct LayerCounters([Counted; RANKS + 1]);

#[derive(Debug, Default)]
struct Counted {
    received: Media,
    sent: Media,
}

#[derive(Debug, Default)]
struct Media {
    bytes: AtomicU64,
    packets: AtomicU64,
    lost: AtomicU64,
}

/// Whose media.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rank {
    /// Larger layers of the same publisher.
    Layer(usize),
    Sound,
}

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    In,
    Out,
}

impl Rank {
    /// Of a layer among those that its publisher has at the moment.
    pub(crate) fn of(layout: &Layout, layer: usize) -> Self {
        let area = layout.layers.get(layer).map_or(0, |format| format.area());
        let there = layout.layers.iter().enumerate();
        let there = there.filter(|(_, format)| format.origin != Origin::Withdrawn);
        let is_before = |other: usize, other_area: u64| (other_area, layer) > (area, other);
        Self::Layer(
            there
                .filter(|(other, format)| is_before(*other, format.area()))
                .count(),
        )
    }
}

impl LayerCounters {
    pub(crate) fn add(&self, way: Way, rank: Rank, new: MediaTotals) {
        if new == MediaTotals::default() {
            return;
        }
        let at = match rank {
            Rank::Layer(rank) => rank.min(RANKS - 1),
            Rank::Sound => RANKS,
        };
        let Some(counted) = self.0.get(at) else {
            return;
        };
        let media = match way {
            Way::In => &counted.received,
            Way::Out => &counted.sent,
        };
        media.bytes.fetch_add(new.bytes, Ordering::Relaxed);
        media.packets.fetch_add(new.packets, Ordering::Relaxed);
        media.lost.fetch_add(new.lost, Ordering::Relaxed);
    }

    /// The largest layer first; sound is last.
    pub(crate) fn snapshot(&self) -> [LayerTotals; RANKS + 1] {
        self.0.each_ref().map(|counted| LayerTotals {
            received: counted.received.snapshot(),
            sent: counted.sent.snapshot(),
        })
    }
}

impl Media {
    fn snapshot(&self) -> MediaTotals {
        MediaTotals {
            bytes: self.bytes.load(Ordering::Relaxed),
            packets: self.packets.load(Ordering::Relaxed),
            lost: self.lost.load(Ordering::Relaxed),
        }
    }
}
