//! What a connection is told at its start.

use std::time::Duration;

/// Name, time-outs and bounds of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The only application that is here: `live` in `rtmp://host/live`.
    pub app: String,
    /// From the first byte to the end of the handshake.
    pub handshake_timeout: Duration,
    /// From the end of the handshake to the request to publish.
    pub publish_timeout: Duration,
    /// Longest time without a whole message while publishing, and longest wait for a peer that does
    /// not read what it is answered.
    pub idle_timeout: Duration,
    /// Bits a second that a connection may send on average. What ten seconds of it hold may come at
    /// once, as behind a hole in the network.
    pub bitrate: u64,
    /// What a peer may make us hold.
    pub limits: Limits,
}

/// Bounds on what a peer sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Smallest `Set Chunk Size`: smaller ones cost more to read than they carry.
    pub least_chunk_size: u32,
    /// Largest `Set Chunk Size`.
    pub most_chunk_size: u32,
    /// Chunk streams of a connection.
    pub chunk_streams: usize,
    /// Length of a video message.
    pub video_bytes: usize,
    /// Length of an audio message.
    pub audio_bytes: usize,
    /// Length of a command or data message.
    pub command_bytes: usize,
    /// Bytes of all messages of a connection that are not complete.
    pub buffered_bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            app: "live".to_owned(),
            handshake_timeout: Duration::from_secs(5),
            publish_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(10),
            bitrate: 20_000_000,
            limits: Limits::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            least_chunk_size: 128,
            most_chunk_size: 65_536,
            chunk_streams: 16,
            video_bytes: 4 * 1024 * 1024,
            audio_bytes: 256 * 1024,
            command_bytes: 64 * 1024,
            buffered_bytes: 8 * 1024 * 1024,
        }
    }
}
