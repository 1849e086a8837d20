//! [`Stats`]: what a server has done by now, for who watches over it.

use std::sync::atomic::{AtomicU64, Ordering};

/// Numbers since the server's start, but for those that say "now".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Allocations now.
    pub allocations: u64,
    /// Allocations that were made.
    pub allocations_made: u64,
    /// Connections by TCP and TLS now.
    pub connections: u64,
    /// Requests for a peer that is not the SFU (403).
    pub refused_peers: u64,
    /// Requests with credentials that are wrong, expired, ended or another's (401, 441). A first
    /// request, which has none, is not among them.
    pub refused_credentials: u64,
    /// Allocations above a limit, or without a free port (486, 508).
    pub refused_quota: u64,
    /// Requests without credentials that were not answered at all, because their network had asked
    /// too often or the answer would have been too long.
    pub refused_rate: u64,
    /// Connections above a limit.
    pub refused_connections: u64,
    /// Datagrams to the SFU.
    pub packets_to_peers: u64,
    /// Their payload.
    pub bytes_to_peers: u64,
    /// Datagrams to clients.
    pub packets_to_clients: u64,
    /// Their payload.
    pub bytes_to_clients: u64,
    /// Datagrams above an allocation's bitrate, in both directions.
    pub dropped_rate: u64,
    /// Datagrams to who is no peer, or without permission; from others than peers as well.
    pub dropped_peers: u64,
    /// Datagrams that a socket or a slow client did not take, or that were too long.
    pub dropped_full: u64,
    /// What broke the state machine, and was caught: each is a bug of ours.
    pub panics: u64,
}

/// [`Stats`], counted from all sides.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) allocations_made: Counter,
    pub(crate) refused_peers: Counter,
    pub(crate) refused_credentials: Counter,
    pub(crate) refused_quota: Counter,
    pub(crate) refused_rate: Counter,
    pub(crate) refused_connections: Counter,
    pub(crate) to_peers: Flow,
    pub(crate) to_clients: Flow,
    pub(crate) dropped_rate: Counter,
    pub(crate) dropped_peers: Counter,
    pub(crate) dropped_full: Counter,
    pub(crate) panics: Counter,
}

#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

/// Datagrams in one direction.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    packets: Counter,
    bytes: Counter,
}

impl Counter {
    pub(crate) fn count(&self) {
        self.add(1);
    }

    fn add(&self, number: u64) {
        self.0.fetch_add(number, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Flow {
    pub(crate) fn count(&self, bytes: usize) {
        self.packets.count();
        self.bytes.add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }
}

impl Counters {
    pub(crate) fn read(&self, allocations: usize, connections: usize) -> Stats {
        Stats {
            allocations: u64::try_from(allocations).unwrap_or(u64::MAX),
            allocations_made: self.allocations_made.get(),
            connections: u64::try_from(connections).unwrap_or(u64::MAX),
            refused_peers: self.refused_peers.get(),
            refused_credentials: self.refused_credentials.get(),
            refused_quota: self.refused_quota.get(),
            refused_rate: self.refused_rate.get(),
            refused_connections: self.refused_connections.get(),
            packets_to_peers: self.to_peers.packets.get(),
            bytes_to_peers: self.to_peers.bytes.get(),
            packets_to_clients: self.to_clients.packets.get(),
            bytes_to_clients: self.to_clients.bytes.get(),
            dropped_rate: self.dropped_rate.get(),
            dropped_peers: self.dropped_peers.get(),
            dropped_full: self.dropped_full.get(),
            panics: self.panics.get(),
        }
    }
}
