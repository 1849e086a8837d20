//! `tallylight bench`: how many viewers and publishers a server holds, and what each costs it; what a chat bears.
//!
//! A command for people, as those of the program's `main.rs`: it prints, and its errors are causes
//! for one line.

mod advice;
mod audience;
mod capacity;
mod chat;
mod crowd;
mod encoders;
mod holding;
mod joins;
mod limit;
mod stop;
mod table;
mod turn;
mod webrtc;

use std::fmt;
use std::io::{self, Write as _};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

/// What is measured.
#[derive(Debug, Subcommand)]
pub enum Benchmark {
    /// One publisher over WHIP, many viewers over WHEP.
    Webrtc(Webrtc),
    /// More and more viewers over WHEP, until it is too many; answers how many the server holds.
    Capacity(Capacity),
    /// Viewers over WHEP through the server's TURN, and the same without it; answers what TURN costs.
    Turn(Turn),
    /// Viewers over WHEP who come and go; answers whether the server is afterwards as it was before.
    Joins(Joins),
    /// Many viewers over low-latency HLS, then many joins.
    Hls(Hls),
    /// Many publishers over RTMP, and nobody who watches.
    Rtmp(Rtmp),
    /// Many who read a chat, and some who write.
    Chat(Chat),
    /// Write what runs printed with --json into a document, as `make bench` does.
    #[command(hide = true)]
    Table(Table),
}

/// A server of WHIP and WHEP, and what tells of it.
#[derive(Debug, Args)]
pub struct Target {
    /// Where to publish.
    #[arg(long, value_name = "URL")]
    whip: String,
    /// Where to watch.
    #[arg(long, value_name = "URL")]
    whep: String,
    /// Stream key, sent as bearer token with the publisher's offer.
    #[arg(long, env = "TALLYLIGHT_BENCH_KEY", hide_env_values = true)]
    key: Option<String>,
    /// Process id of the server, for its CPU time and memory; several are summed.
    #[arg(long, value_name = "PID")]
    server_pid: Vec<u32>,
    /// The server's metrics page, for its system calls.
    #[arg(long, value_name = "URL")]
    metrics: Option<String>,
    /// Simulcast layers to publish.
    #[arg(long, default_value_t = 1, value_parser = layers)]
    layers: usize,
    /// Let viewers take datagrams one by one, as on a network, instead of in the pieces in which
    /// they were sent.
    #[arg(long)]
    one_by_one: bool,
    /// Seconds after which a viewer without a picture counts as one who has none.
    #[arg(long, default_value_t = 15, value_name = "SECONDS", value_parser = clap::value_parser!(u16).range(1..=120))]
    join_within: u16,
    /// Threads that viewers are dealt out to [default: half of the cores].
    #[arg(long, default_value_t = half_of_the_cores(), hide_default_value = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    client_threads: u16,
}

/// One publisher over WHIP, and viewers over WHEP.
#[derive(Debug, Args)]
pub struct Webrtc {
    #[command(flatten)]
    target: Target,
    /// How many watch.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=5_000))]
    viewers: u16,
    /// How many join in a second.
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    ramp: u16,
    /// Seconds that are measured, after all have joined.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=3_600))]
    duration: u16,
    /// Whose WebRTC the clients are.
    #[arg(long, value_enum, default_value_t = Stack::Str0m)]
    stack: Stack,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// More and more viewers, until it is too many.
#[derive(Debug, Args)]
pub struct Capacity {
    #[command(flatten)]
    target: Target,
    /// How many are tried at most.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u16).range(1..=5_000))]
    most: u16,
    /// How many more each step has.
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    step: u16,
    /// How many join in a second.
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    ramp: u16,
    /// Seconds that each step is measured, after all have joined.
    #[arg(long, default_value_t = 4, value_name = "SECONDS", value_parser = clap::value_parser!(u16).range(1..=600))]
    step_duration: u16,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Viewers through TURN, and the same without it.
#[derive(Debug, Args)]
pub struct Turn {
    #[command(flatten)]
    target: Target,
    /// How many watch; the server lets an address have 128 allocations.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=120))]
    viewers: u16,
    /// How many join in a second.
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u16).range(1..=100))]
    ramp: u16,
    /// Seconds that are measured, of each way and round, after all have joined.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=600))]
    duration: u16,
    /// How often all ways are measured, by turns.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=20))]
    rounds: u16,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Viewers who come and go.
#[derive(Debug, Args)]
pub struct Joins {
    /// Where to watch.
    #[arg(long, value_name = "URL")]
    whep: String,
    /// Where to publish a clip; without it, the stream must be live already.
    #[arg(long, value_name = "URL")]
    whip: Option<String>,
    /// Stream key, sent as bearer token with the publisher's offer.
    #[arg(long, env = "TALLYLIGHT_BENCH_KEY", hide_env_values = true)]
    key: Option<String>,
    /// Process id of the server, for its memory, files and threads; several are summed.
    #[arg(long, value_name = "PID")]
    server_pid: Vec<u32>,
    /// The server's metrics page, for its sessions and tasks.
    #[arg(long, value_name = "URL")]
    metrics: Option<String>,
    /// How many come in all.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u16).range(10..=60_000))]
    joins: u16,
    /// Rounds that they come in; after each the server is to be as it was after the first.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(2..=10))]
    rounds: u16,
    /// How many are there at once.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..=2_000))]
    at_once: u16,
    /// How long each looks at the picture, in milliseconds.
    #[arg(long, default_value_t = 500, value_name = "MS", value_parser = clap::value_parser!(u16).range(0..=60_000))]
    stay_ms: u16,
    /// Let every third come over ICE-TCP instead of UDP.
    #[arg(long)]
    tcp: bool,
    /// Seconds after which a viewer without a picture counts as failed.
    #[arg(long, default_value_t = 15, value_name = "SECONDS", value_parser = clap::value_parser!(u16).range(1..=120))]
    join_within: u16,
    /// Threads that viewers are dealt out to [default: half of the cores].
    #[arg(long, default_value_t = half_of_the_cores(), hide_default_value = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    client_threads: u16,
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
    /// Process id of the server, for its CPU time and memory; several are summed.
    #[arg(long, value_name = "PID")]
    server_pid: Vec<u32>,
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
    /// Process id of the server, for its CPU time and that of its children; several are summed.
    #[arg(long, value_name = "PID")]
    server_pid: Vec<u32>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// People in a chat.
#[derive(Debug, Args)]
pub struct Chat {
    /// The server, such as http://127.0.0.1:8080.
    #[arg(long, value_name = "URL")]
    server: String,
    /// Handle of the channel whose chat it is.
    #[arg(long, value_name = "HANDLE")]
    channel: String,
    /// File with a personal token a line, of those who write; each of another account, with the
    /// scopes chat:read and chat:write. An account may say 5 messages in 5 s, a moderator 20.
    #[arg(long, value_name = "FILE")]
    tokens_file: Option<PathBuf>,
    /// How many read by WebSocket.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u16).range(1..=20_000))]
    sockets: u16,
    /// How many watch, and read by data channel; only with a stream key.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u16).range(0..=5_000))]
    data_channels: u16,
    /// Stream key, by which a small stream is published for those who read by data channel.
    #[arg(long, env = "TALLYLIGHT_BENCH_KEY", hide_env_values = true)]
    key: Option<String>,
    /// How many come in a second.
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u16).range(1..=5_000))]
    ramp: u16,
    /// Messages a second that are said, by all writers together.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=2_000))]
    rate: u16,
    /// Seconds that are measured, after all have come.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=3_600))]
    seconds: u16,
    /// Reactions a second, by all together who may write. Where the channel lets guests write, those
    /// who read by WebSocket are guests then.
    #[arg(long, default_value_t = 0, value_name = "RATE")]
    react: u16,
    /// So many more connections that say as much as they can while the rest is measured.
    #[arg(long, default_value_t = 0, value_name = "BOTS", value_parser = clap::value_parser!(u16).range(0..=5_000))]
    flood: u16,
    /// Process id of the server, for its CPU time and memory; several are summed.
    #[arg(long, visible_alias = "pid", value_name = "PID")]
    server_pid: Vec<u32>,
    /// Threads that those who watch are dealt out to [default: half of the cores].
    #[arg(long, default_value_t = half_of_the_cores(), hide_default_value = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    client_threads: u16,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// The table of a document.
#[derive(Debug, Args)]
pub struct Table {
    /// The document, which has a place for it between two comments.
    #[arg(long, value_name = "FILE")]
    into: PathBuf,
    /// The day of the runs.
    #[arg(long)]
    date: String,
    /// What was measured.
    #[arg(long)]
    commit: String,
    /// More to put below the table.
    #[arg(long, value_name = "FILE")]
    appendix: Vec<PathBuf>,
    /// What runs wrote, each with the name of its server.
    #[arg(required = true, value_name = "NAME=FILE")]
    runs: Vec<String>,
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
            Self::Capacity(options) => capacity::run(options).await,
            Self::Turn(options) => turn::run(options).await,
            Self::Joins(options) => joins::run(options).await,
            Self::Hls(options) => audience::run(options).await,
            Self::Rtmp(options) => encoders::run(options).await,
            Self::Chat(options) => chat::run(options).await,
            Self::Table(options) => table::run(options),
        }
    }
}

/// Viewers share the machine with the server more often than not.
fn half_of_the_cores() -> u16 {
    (cores() / 2).clamp(1, 64)
}

fn cores() -> u16 {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    u16::try_from(cores).unwrap_or(u16::MAX)
}

/// Prints what was found, for people or as JSON.
fn print<T: Serialize + fmt::Display>(report: &T, json: bool) -> anyhow::Result<()> {
    let text = match json {
        true => serde_json::to_string_pretty(report)?,
        false => report.to_string(),
    };
    match writeln!(io::stdout(), "{text}") {
        // A reader that went away is no failure.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result.context("cannot write to standard output"),
    }
}

/// Tells how far we are; a terminal that went away does not stop the run.
fn progress(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}
