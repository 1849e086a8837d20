//! Packets of one source in the order of their numbers, after a short wait for those that were sent
//! again. Pure: what time it is tells the newest arrival.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::packet::Packet;

/// What comes next of a source.
#[derive(Debug)]
pub(super) enum Ordered {
    /// It follows the one before, unless a hole was told between them.
    Packet(Arc<Packet>),
    /// Packets are missing for good.
    Hole,
}

/// Waits for what is missing, but not for long.
#[derive(Debug, Default)]
pub(super) struct Reorder {
    /// Number of the packet that is to come.
    next: Option<u64>,
    waiting: BTreeMap<u64, Arc<Packet>>,
}

/// How long a packet may be missing: a retransmission or two.
const PATIENCE: Duration = Duration::from_millis(250);
/// Packets that may wait for one that is missing: a quarter of a second of 20 Mbit/s.
const MOST_WAITING: usize = 512;
/// Further back than any retransmission reaches, in packets.
const FAR_BEHIND: u64 = 4_096;

impl Reorder {
    /// Takes a packet. One that is known already, or was given up, is dropped.
    pub(super) fn push(&mut self, packet: &Arc<Packet>) {
        if self.is_far_behind(packet.seq) {
            *self = Self::default();
        }
        if self.next.is_none_or(|next| packet.seq >= next) {
            self.waiting
                .entry(packet.seq)
                .or_insert_with(|| Arc::clone(packet));
        }
    }

    /// Nothing so old is sent again: the source has begun its numbers anew.
    fn is_far_behind(&self, seq: u64) -> bool {
        let far = seq.saturating_add(FAR_BEHIND);
        self.next.is_some_and(|next| next > far)
    }

    /// The next packet, when it is there or what lies before it is not waited for any more. Before
    /// the very first there is a hole.
    pub(super) fn pop(&mut self, now: Instant) -> Option<Ordered> {
        self.take(|waiting| {
            let noticed = waiting.values().map(|p| p.arrival).min();
            let is_late = noticed.is_some_and(|at| now.saturating_duration_since(at) > PATIENCE);
            is_late || waiting.len() > MOST_WAITING
        })
    }

    /// The next packet, whatever is missing before it.
    pub(super) fn pop_at_end(&mut self) -> Option<Ordered> {
        self.take(|_| true)
    }

    fn take(
        &mut self,
        gives_up: impl FnOnce(&BTreeMap<u64, Arc<Packet>>) -> bool,
    ) -> Option<Ordered> {
        let first = self.waiting.first_entry()?;
        let seq = *first.key();
        if self.next == Some(seq) {
            self.next = seq.checked_add(1);
            return Some(Ordered::Packet(first.remove()));
        }
        if self.next.is_some() && !gives_up(&self.waiting) {
            return None;
        }
        self.next = Some(seq);
        Some(Ordered::Hole)
    }
}
