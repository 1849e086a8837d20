//! Clients that load a WHIP, WHEP, HLS and RTMP server and cross-check it.
//!
//! [`Driver`] is a thread that runs many light str0m clients over sockets of their own: a
//! [`Publisher`] sends encoded video in a loop, a [`Viewer`] counts what comes, and [`Sent`]
//! remembers when each frame left, so that a viewer can say how long it was on its way. [`foreign`]
//! holds the same two on webrtc-rs, an implementation that shares no code with the server.
//!
//! [`rtmp`] holds publishers by RTMP, [`hls`] an audience, [`chat`] people who chat. [`bench`] is the command that loads a
//! server with all of them.
//!
//! Clients talk to no address but the endpoint that they are given and the media address that it
//! answers with; those that come through TURN, to the TURN server that it names.

pub mod bench;
pub mod chat;
pub mod clip;
pub mod clock;
pub mod flv;
pub mod foreign;
pub mod h264;
pub mod hls;
pub mod http;
pub mod process;
pub mod report;
pub mod rtmp;
pub mod sdp;
pub mod signalling;
pub mod source;

mod counts;
mod driver;
mod join;
mod latency;
mod link;
mod peer;
mod publisher;
mod relay;
mod sent;
mod viewer;

pub use counts::{Milestones, ViewerReport};
pub use driver::{Driver, DriverError, PeerId, Tally};
pub use join::{JoinError, Leave, Publishing, Route, Watching, publish, watch};
pub use latency::Latencies;
pub use peer::{Peer, Prepared};
pub use publisher::{PublishReport, Publisher, PublisherSpec};
pub use relay::TurnServer;
pub use sent::{Sent, SentFrame};
pub use viewer::{Viewer, ViewerSpec};
