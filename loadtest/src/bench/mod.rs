//! `tallylight bench`: how many viewers and publishers a server holds, and what each costs it.
//!
//! A command for people, as those of the program's `main.rs`: it prints, and its errors are causes
//! for one line.

mod audience;
mod crowd;
mod encoders;
mod webrtc;

use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// What is measured.
#[derive(Debug, Subcommand)]
pub enum Benchmark {
    /// One publisher over WHIP, many viewers over WHEP.
    Webrtc(Webrtc),
    /// Many viewers over low-latency HLS, then many joins.
    Hls(Hls),
    /// Many publishers over RTMP, and nobody who watches.
    Rtmp(Rtmp),
}

/// One publisher over WHIP, and viewers over WHEP.
#[derive(Debug, Args)]
pub struct Webrtc {
    /// Where to publish.
    #[arg(long, value_name = "URL")]
    whip: String,
    /// Where to watch.
    #[arg(long, value_name = "URL")]
    whep: String,
    /// Stream key, sent as bearer token with the publisher's offer.
    #[arg(long, env = "TALLYLIGHT_BENCH_KEY", hide_env_values = true)]
    key: Option<String>,
    /// How many watch.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=5_000))]
    viewers: u16,
    /// How many join in a second.
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    ramp: u16,
    /// Seconds that are measured, after all have joined.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=3_600))]
    duration: u16,
    /// Process id of the server, for its CPU time and memory.
    #[arg(long, value_name = "PID")]
    server_pid: Option<u32>,
    /// The server's metrics page, for its system calls.
    #[arg(long, value_name = "URL")]
    metrics: Option<String>,
    /// Simulcast layers to publish.
    #[arg(long, default_value_t = 1, value_parser = layers)]
    layers: usize,
    /// Whose WebRTC the clients are.
    #[arg(long, value_enum, default_value_t = Stack::Str0m)]
    stack: Stack,
    /// Let viewers take datagrams one by one, as on a network, instead of in the pieces in which
    /// they were sent.
    #[arg(long)]
    one_by_one: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Viewers over low-latency HLS.
#[derive(Debug, Args)]
pub struct Hls {
    /// The multivariant playlist.
    #[arg(long, value_name = "URL")]
    url: String,
    /// Where to publish a clip; without it, the stream must be live already.
    #[arg(long, value_name = "URL")]
    whip: Option<String>,
    /// Stream key, sent as bearer token with the publisher's offer.
    #[arg(long, env = "TALLYLIGHT_BENCH_KEY", hide_env_values = true)]
    key: Option<String>,
    /// Simulcast layers to publish.
    #[arg(long, default_value_t = 1, value_parser = layers)]
    layers: usize,
    /// How many read the best rendition.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u16).range(1..=20_000))]
    viewers: u16,
    /// How many join in a second.
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u16).range(1..=5_000))]
    ramp: u16,
    /// Seconds that are measured, after all have joined.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=3_600))]
    duration: u16,
    /// Joins afterwards, each on a connection of its own.
    #[arg(long, default_value_t = 0)]
    joins: u16,
    /// Seconds that they are spread over.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=600))]
    join_seconds: u16,
    /// Process id of the server, for its CPU time and memory.
    #[arg(long, value_name = "PID")]
    server_pid: Option<u32>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Publishers over RTMP.
#[derive(Debug, Args)]
pub struct Rtmp {
    /// Where to publish, such as rtmp://127.0.0.1:1935/live.
    #[arg(long, value_name = "URL")]
    url: String,
    /// File with a stream key a line, each of a channel of its own.
    #[arg(long, value_name = "FILE")]
    keys: PathBuf,
    /// How many publish.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    publishers: u16,
    /// How many begin in a second.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=100))]
    ramp: u16,
    /// Leave the sound out, and so what the server spends on making Opus of it.
    #[arg(long)]
    no_audio: bool,
    /// Seconds that are measured, after all have begun.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=3_600))]
    duration: u16,
    /// Process id of the server, for its CPU time and that of its children.
    #[arg(long, value_name = "PID")]
    server_pid: Option<u32>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Stack {
    /// Light clients: the server's cost is what one sees.
    Str0m,
    /// An implementation that shares no code with Tallylight; dear to run.
    WebrtcRs,
}

fn layers(text: &str) -> Result<usize, String> {
    match text {
        "1" => Ok(1),
        "3" => Ok(3),
        _ => Err("there are clips of 1 and of 3 layers".to_owned()),
    }
}

impl Benchmark {
    /// Runs it and prints what it found; progress goes to standard error.
    ///
    /// # Errors
    /// When the server cannot be reached, refuses or shows too little; the causes make one line.
    pub async fn run(&self) -> anyhow::Result<()> {
        match self {
            Self::Webrtc(options) => webrtc::run(options).await,
            Self::Hls(options) => audience::run(options).await,
            Self::Rtmp(options) => encoders::run(options).await,
        }
    }
}

/// Tells how far we are; a terminal that went away does not stop the run.
fn progress(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}
