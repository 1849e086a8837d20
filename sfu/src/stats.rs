//! Figures of sessions and streams, as the API, the health panel and `/metrics` show them.
//!
//! Snapshots are made on request by the shard that owns the session; [`Totals`] are atomics that
//! every shard adds to, so that reading them costs the packet path nothing.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use serde::Serialize;

use crate::event::Role;

/// What a stream's publisher sends and how many watch it.
#[derive(Debug, Clone, Default, Serialize)]
pub struct StreamStats {
    /// The publisher, unless it is away (reconnect window).
    pub publisher: Option<PublisherStats>,
    /// Video layers, largest picture first.
    pub layers: Vec<LayerStats>,
    /// The audio track.
    pub audio: Option<AudioStats>,
    /// Connected viewers on this node.
    pub viewers: u32,
    /// Packets that found no room in the queue of the stream's tap.
    pub tap_lost: u64,
}

/// The connection of a publisher.
#[derive(Debug, Clone, Serialize)]
pub struct PublisherStats {
    /// Its session.
    pub session: String,
    /// `udp` or `tcp`; `none` for one that is no peer, and whose media is handed over.
    pub transport: &'static str,
    /// Whether DTLS is up.
    pub connected: bool,
    /// Round trip time in milliseconds.
    pub rtt_ms: Option<f64>,
    /// Share of packets lost on the way in over the last second, 0 to 1.
    pub loss: Option<f64>,
    /// Milliseconds since DTLS came up.
    pub connected_ms: u64,
    /// Milliseconds since the last media packet.
    pub media_age_ms: Option<u64>,
    /// Longest time without media in the last ten seconds, in milliseconds.
    pub longest_gap_ms: Option<u64>,
    /// Access units of one that is no peer which found no room here. With one of the picture, all up
    /// to the next key frame are lost.
    pub dropped: u64,
    /// Milliseconds since it went on after the last of them.
    pub dropped_age_ms: Option<u64>,
    /// Whether a key frame request was ever followed by a key frame; unknown before the first.
    pub answers_pli: Option<bool>,
}

/// One simulcast encoding as it arrives.
#[derive(Debug, Clone, Default, Serialize)]
pub struct LayerStats {
    /// RTP stream id (RFC 8851); none without simulcast.
    pub rid: Option<String>,
    /// Codec name as in SDP.
    pub codec: String,
    /// Profile and level in words, such as `High, level 4.1`, once the bit stream told.
    pub profile: Option<String>,
    /// Width in pixels, from the bit stream.
    pub width: Option<u32>,
    /// Height in pixels, from the bit stream.
    pub height: Option<u32>,
    /// Frames a second over the last second.
    pub fps: f64,
    /// Bit/s over the last second.
    pub bitrate: u64,
    /// How even that was in the last ten seconds; unknown at first.
    pub lately: Option<Lately>,
    /// Milliseconds between the last two key frames.
    pub keyframe_interval_ms: Option<u64>,
    /// Packets received.
    pub packets: u64,
    /// Packets that never came, retransmission included.
    pub lost: u64,
    /// NACKs sent to the publisher.
    pub nacks: u64,
    /// Key frame requests sent to the publisher.
    pub plis: u64,
    /// Whether packets came within the last second.
    pub active: bool,
    /// Whether pictures come in another order than they are shown in. Told only where they do.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub b_frames: bool,
    /// Whether no viewer gets it, for that reason.
    #[serde(skip)]
    pub withheld: bool,
    /// Whether the server makes it of what the publisher sends. Told only where it does.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub made: bool,
}

/// The least and the most of the last ten seconds, in steps of two.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Lately {
    /// Bit/s.
    pub least_bitrate: u64,
    /// Bit/s.
    pub most_bitrate: u64,
    /// Frames a second.
    pub least_fps: f64,
    /// Frames a second.
    pub most_fps: f64,
}

/// The audio track as it arrives.
#[derive(Debug, Clone, Default, Serialize)]
pub struct AudioStats {
    /// Codec name as in SDP.
    pub codec: String,
    /// Bit/s over the last second.
    pub bitrate: u64,
    /// The most bit/s of the last ten seconds, in steps of two; unknown at first.
    pub peak_bitrate: Option<u64>,
    /// Packets received.
    pub packets: u64,
    /// Packets that never came.
    pub lost: u64,
    /// Whether packets came within the last second.
    pub active: bool,
}

/// One session, from the server's side.
#[derive(Debug, Clone, Serialize)]
pub struct SessionStats {
    /// Publisher, viewer or relay.
    pub role: Role,
    /// `udp` or `tcp`.
    pub transport: &'static str,
    /// Whether DTLS is up.
    pub connected: bool,
    /// Milliseconds since DTLS came up.
    pub connected_ms: u64,
    /// Round trip time in milliseconds.
    pub rtt_ms: Option<f64>,
    /// Share of packets lost, 0 to 1, as the peer reports it (viewer, relay) or as seen here
    /// (publisher).
    pub loss: Option<f64>,
    /// Media bit/s over the last second.
    pub bitrate: u64,
    /// Bandwidth estimate towards a viewer in bit/s.
    pub estimate: Option<u64>,
    /// RID of the layer being forwarded.
    pub layer: Option<String>,
    /// Width of the layer being forwarded.
    pub width: Option<u32>,
    /// Height of the layer being forwarded.
    pub height: Option<u32>,
    /// Codec of the video track.
    pub codec: Option<String>,
    /// Whether the viewer chose the layer itself.
    pub pinned: bool,
    /// Media packets forwarded or received.
    pub packets: u64,
    /// NACKs from a viewer.
    pub nacks: u64,
    /// Key frame requests from a viewer.
    pub plis: u64,
}

/// Counters and gauges of the whole SFU.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Totals {
    /// Sessions that publish, connected or not.
    pub publishers: i64,
    /// Sessions that watch, connected or not.
    pub viewers: i64,
    /// Sessions by which other nodes get streams from here, connected or not.
    pub relays: i64,
    /// Streams known, also those whose publisher is away.
    pub streams: i64,
    /// Sessions that reached DTLS since start.
    pub sessions_connected: u64,
    /// Sessions that ended since start.
    pub sessions_closed: u64,
    /// Sessions that ended because of an error or a panic inside them.
    pub sessions_failed: u64,
    /// Datagrams received.
    pub datagrams_in: u64,
    /// Datagrams that belonged to no session and were dropped without an answer.
    pub datagrams_dropped: u64,
    /// Datagrams handed to the shard that owns their session.
    pub datagrams_strayed: u64,
    /// Datagrams sent.
    pub datagrams_out: u64,
    /// Datagrams that were dropped because too many waited to be sent.
    pub datagrams_unsent: u64,
    /// Bytes received, in datagrams and frames of TCP, without the headers of IP, UDP and TCP.
    pub bytes_in: u64,
    /// Bytes sent, likewise.
    pub bytes_out: u64,
    /// Send system calls; several datagrams go into one where the kernel can split them.
    pub send_calls: u64,
    /// Receive system calls; several datagrams come with one where they wait.
    pub receive_calls: u64,
    /// Times that a media thread waited for something to do, a system call each.
    pub waits: u64,
    /// Media packets received from publishers.
    pub packets_in: u64,
    /// Media packets forwarded to viewers.
    pub packets_forwarded: u64,
    /// Media packets that were sent to viewers once more because they missed them.
    pub packets_resent: u64,
    /// Key frame requests sent to publishers.
    pub keyframe_requests: u64,
    /// Layer switches of viewers.
    pub layer_switches: u64,
    /// Joins served from a GOP cache.
    pub joins_from_cache: u64,
    /// Panics that were caught; each is a bug.
    pub panics: u64,
    /// Slices of media that a shard could not take because its queue was full.
    pub slices_dropped: u64,
    /// Packets that found no room in the queue of a tap.
    pub tap_lost: u64,
}

macro_rules! counters {
    ($($name:ident: $atomic:ident),* $(,)?) => {
        /// The live form of [`Totals`].
        #[derive(Debug, Default)]
        pub(crate) struct Counters { $(pub(crate) $name: $atomic),* }

        impl Counters {
            pub(crate) fn snapshot(&self) -> Totals {
                Totals { $($name: self.$name.load(Ordering::Relaxed)),* }
            }
        }
    };
}

counters! {
    publishers: AtomicI64, viewers: AtomicI64, relays: AtomicI64, streams: AtomicI64,
    sessions_connected: AtomicU64, sessions_closed: AtomicU64, sessions_failed: AtomicU64,
    datagrams_in: AtomicU64, datagrams_dropped: AtomicU64, datagrams_strayed: AtomicU64,
    datagrams_out: AtomicU64, datagrams_unsent: AtomicU64, bytes_in: AtomicU64,
    bytes_out: AtomicU64, send_calls: AtomicU64,
    receive_calls: AtomicU64, waits: AtomicU64,
    packets_in: AtomicU64, packets_forwarded: AtomicU64, packets_resent: AtomicU64, keyframe_requests: AtomicU64,
    layer_switches: AtomicU64, joins_from_cache: AtomicU64, panics: AtomicU64, slices_dropped: AtomicU64,
    tap_lost: AtomicU64,
}

/// Adds one to a counter.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Adds `n` to a counter.
pub(crate) fn count_by(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Ordering::Relaxed);
}

/// Moves a gauge.
pub(crate) fn gauge(gauge: &AtomicI64, by: i64) {
    gauge.fetch_add(by, Ordering::Relaxed);
}
