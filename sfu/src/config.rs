//! What the SFU is told at start. The caller reads files and environment; this is plain data.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

/// Addresses, threads and bounds of one SFU.
#[derive(Debug, Clone)]
pub struct Config {
    /// Address that the media sockets are bound to.
    pub bind: IpAddr,
    /// Port of UDP and ICE-TCP alike; 0 picks a free one.
    pub port: u16,
    /// Addresses that candidates carry. Empty: those of this host's interfaces.
    pub public_ips: Vec<IpAddr>,
    /// Addresses that TURN relays of this machine send from. Who comes from there is as far away as any.
    pub relays: Arc<[IpAddr]>,
    /// Shard threads. 0: one fewer than there are cores, and at least one.
    pub shards: usize,
    /// Whether ICE-TCP (RFC 6544, passive) is offered beside UDP.
    pub tcp: bool,
    /// A publisher that sends no media for this long is silent. Viewers are to know of it within 2 s.
    pub silence: Duration,
    /// While a stream is tapped, key frames of all its layers are asked for when the last is this
    /// old, so that segments can be cut on time. At least half a second.
    pub tap_keyframe_interval: Duration,
    /// Bounds on what strangers can make the SFU hold.
    pub limits: Limits,
}

/// Bounds on what strangers can make the SFU hold.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Sessions in all, connected or not.
    pub sessions: usize,
    /// Sessions that have an answer but no DTLS yet.
    pub half_open: usize,
    /// A session without DTLS after this long is removed.
    pub handshake: Duration,
    /// A session that sends nothing at all for this long is removed.
    pub inactivity: Duration,
    /// Longest SDP or SDP fragment, in bytes.
    pub sdp_bytes: usize,
    /// Age of the oldest packet in a layer's GOP cache.
    pub gop_age: Duration,
    /// Payload bytes in a layer's GOP cache.
    pub gop_bytes: usize,
    /// Shortest time between two key frame requests to a publisher for one layer.
    pub keyframe_request_interval: Duration,
    /// Largest data channel message, in bytes.
    pub message_bytes: usize,
    /// Data channels of one session.
    pub channels: usize,
    /// Simulcast layers of one publisher.
    pub layers: usize,
    /// Bit/s of a publisher that is a peer, sound and all layers together. One that sends half as much again
    /// over ten seconds is removed.
    pub publisher_bitrate: Option<u64>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            bind: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            port: 8189,
            public_ips: Vec::new(),
            relays: Arc::default(),
            shards: 0,
            tcp: true,
            silence: Duration::from_millis(1_800),
            tap_keyframe_interval: Duration::from_secs(2),
            limits: Limits::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sessions: 20_000,
            half_open: 1_000,
            handshake: Duration::from_secs(10),
            inactivity: Duration::from_secs(20),
            sdp_bytes: 64 * 1024,
            gop_age: Duration::from_secs(12),
            gop_bytes: 8 * 1024 * 1024,
            keyframe_request_interval: Duration::from_millis(500),
            message_bytes: 16 * 1024,
            channels: 4,
            layers: 4,
            publisher_bitrate: None,
        }
    }
}
