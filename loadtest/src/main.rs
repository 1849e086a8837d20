//! `tallylight-bench`: how many viewers a server holds, and what each costs it.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::{Args, Parser, Subcommand, ValueEnum};
use loadtest::process::{Process, Usage, allow_files};
use loadtest::report::{Calls, Cost, Joins, Report, ServerCost, Spread, float};
use loadtest::signalling::{self, Endpoint};
use loadtest::source::{Source, VideoCodec};
use loadtest::{Driver, PublisherSpec, Publishing, Sent, ViewerReport, ViewerSpec, clock, foreign};
use str0m::net::Protocol;
use tokio::time::{Instant, interval, sleep_until, timeout};

/// Loads a WHIP and WHEP server and says what a viewer costs it.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// One publisher over WHIP, many viewers over WHEP.
    Webrtc(Webrtc),
}

#[derive(Debug, Args)]
struct Webrtc {
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

/// Media must flow within this time of the publisher's offer.
const LIVE_WITHIN: Duration = Duration::from_secs(10);
/// Viewers must have their picture within this time of the last offer.
const JOINED_WITHIN: Duration = Duration::from_secs(15);
/// After the joins, caches and estimates settle.
const SETTLE: Duration = Duration::from_secs(2);
/// Files that we have open beside one socket a viewer.
const OTHER_FILES: u64 = 64;

fn layers(text: &str) -> Result<usize, String> {
    match text {
        "1" => Ok(1),
        "3" => Ok(3),
        _ => Err("there are clips of 1 and of 3 layers".to_owned()),
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let Command::Webrtc(options) = cli.command;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(run(&options)),
        Err(error) => Err(error).context("cannot start threads"),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(
                io::stderr(),
                "tallylight-bench: {}",
                format!("{error:#}").replace('\n', " ")
            );
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Webrtc) -> anyhow::Result<()> {
    allow_files(u64::from(options.viewers) * 2 + OTHER_FILES)?;
    let server = options.server_pid.map(Process);
    // A wrong id should show before a minute of load.
    server.map(Process::usage).transpose()?;
    metrics(options).await?;
    let whip = Endpoint::new(&options.whip, options.key.as_deref())?;
    let whep = Endpoint::new(&options.whep, None)?;
    let source = Source::clip(options.layers)?;
    let run = Run {
        options,
        server,
        whip,
        whep,
        source,
        sent: Sent::default(),
    };
    let report = match options.stack {
        Stack::Str0m => run.with_str0m().await?,
        Stack::WebrtcRs => run.with_webrtc_rs().await?,
    };
    let text = if options.json {
        serde_json::to_string_pretty(&report)?
    } else {
        report.to_string()
    };
    writeln!(io::stdout(), "{text}").context("cannot write to standard output")?;
    if report.joined < report.viewers {
        bail!(
            "{} of {} viewers were never shown a picture",
            report.viewers - report.joined,
            report.viewers
        );
    }
    Ok(())
}

async fn metrics(options: &Webrtc) -> anyhow::Result<Option<String>> {
    match &options.metrics {
        Some(url) => Ok(Some(signalling::get(url).await?)),
        None => Ok(None),
    }
}

/// One run of the benchmark.
struct Run<'a> {
    options: &'a Webrtc,
    server: Option<Process>,
    whip: Endpoint,
    whep: Endpoint,
    source: Source,
    sent: Sent,
}

/// A look at everything that is compared with a later one.
struct Look {
    at: Instant,
    server: Option<Usage>,
    client: Usage,
    metrics: Option<String>,
}

impl Run<'_> {
    async fn with_str0m(&self) -> anyhow::Result<Report> {
        let (publishers, viewers) = (Driver::start("publisher")?, Driver::start("viewers")?);
        let spec = PublisherSpec::browser(self.source.clone());
        let published = loadtest::publish(&publishers, &self.whip, &spec, &self.sent);
        let publishing = published.await.context("cannot publish")?;
        progress("publishing");
        self.until_live(&publishing).await?;
        let before = self.server.map(Process::usage).transpose()?;
        let mut pause = interval(self.between_joins());
        let mut watching = Vec::new();
        for number in 1..=self.options.viewers {
            pause.tick().await;
            let spec = ViewerSpec::default();
            let joined = loadtest::watch(&viewers, &self.whep, &spec, Protocol::Udp, &self.sent);
            watching.push(
                joined
                    .await
                    .with_context(|| format!("cannot watch (viewer {number})"))?,
            );
            self.tell_of_join(number);
        }
        let all_see = async {
            let mut pause = interval(Duration::from_millis(100));
            while !viewers.view_reports().await?.iter().all(sees) {
                pause.tick().await;
            }
            anyhow::Ok(())
        };
        // Those who see nothing are counted below.
        if let Ok(result) = timeout(JOINED_WITHIN, all_see).await {
            result?;
        }
        sleep_until(Instant::now() + SETTLE).await;
        let from = self.look().await?;
        viewers.start_window().await?;
        progress("measuring");
        sleep_until(from.at + Duration::from_secs(self.options.duration.into())).await;
        let to = self.look().await?;
        let reports = viewers.view_reports().await?;
        let published = publishing.report().await?;
        for session in watching
            .iter()
            .map(|w| &w.session)
            .chain([&publishing.session])
        {
            // Politeness: the server would notice by itself.
            let _ = session.delete().await;
        }
        let mut report = self.report("str0m", &reports, before, &from, &to);
        report.keyframe_requests = published.keyframe_requests;
        report.forced_keyframes = published.forced_keyframes;
        Ok(report)
    }

    async fn with_webrtc_rs(&self) -> anyhow::Result<Report> {
        if self.options.layers > 1 {
            bail!("--stack webrtc-rs publishes one layer");
        }
        let published = foreign::publish(&self.whip, &self.source, &self.sent);
        let publishing = published.await.context("cannot publish")?;
        progress("publishing");
        wait_until(LIVE_WITHIN, || publishing.report().frames > 30)
            .await
            .context("the server took the offer, but no media connection came about")?;
        let before = self.server.map(Process::usage).transpose()?;
        let mut pause = interval(self.between_joins());
        let mut watching = Vec::new();
        for number in 1..=self.options.viewers {
            pause.tick().await;
            let joined = foreign::watch(&self.whep, VideoCodec::H264, false, &self.sent);
            watching.push(
                joined
                    .await
                    .with_context(|| format!("cannot watch (viewer {number})"))?,
            );
            self.tell_of_join(number);
        }
        // Those who see nothing are counted below.
        let _ = wait_until(JOINED_WITHIN, || watching.iter().all(|w| sees(&w.report()))).await;
        sleep_until(Instant::now() + SETTLE).await;
        let from = self.look().await?;
        watching.iter().for_each(foreign::Watching::start_window);
        progress("measuring");
        sleep_until(from.at + Duration::from_secs(self.options.duration.into())).await;
        let to = self.look().await?;
        let reports: Vec<_> = watching.iter().map(foreign::Watching::report).collect();
        for session in watching
            .iter()
            .map(|w| &w.session)
            .chain([&publishing.session])
        {
            // Politeness: the server would notice by itself.
            let _ = session.delete().await;
        }
        Ok(self.report("webrtc-rs", &reports, before, &from, &to))
    }

    fn between_joins(&self) -> Duration {
        Duration::from_secs(1) / u32::from(self.options.ramp)
    }

    fn tell_of_join(&self, number: u16) {
        if number.is_multiple_of(self.options.ramp) || number == self.options.viewers {
            progress(&format!(
                "{number} of {} viewers joined",
                self.options.viewers
            ));
        }
    }

    /// Waits until media flows: a second of it, so that there is something to join.
    async fn until_live(&self, publishing: &Publishing) -> anyhow::Result<()> {
        let live = async {
            let mut pause = interval(Duration::from_millis(50));
            while publishing.report().await?.frames < 30 {
                pause.tick().await;
            }
            anyhow::Ok(())
        };
        match timeout(LIVE_WITHIN, live).await {
            Ok(result) => result,
            Err(_) => bail!(
                "the server took the offer, but no media connection came about within {} s; is its \
                 UDP port open?",
                LIVE_WITHIN.as_secs()
            ),
        }
    }

    async fn look(&self) -> anyhow::Result<Look> {
        Ok(Look {
            metrics: metrics(self.options).await?,
            server: self.server.map(Process::usage).transpose()?,
            client: Process::current().usage()?,
            at: Instant::now(),
        })
    }

    fn report(
        &self,
        stack: &'static str,
        viewers: &[ViewerReport],
        before: Option<Usage>,
        from: &Look,
        to: &Look,
    ) -> Report {
        let window = to.at.saturating_duration_since(from.at);
        let seconds = window.as_secs_f64();
        let sum = |of: fn(&ViewerReport) -> u64| viewers.iter().map(of).sum::<u64>();
        let (video, lost) = (sum(|v| v.video_packets), sum(|v| v.lost));
        let packets = video + sum(|v| v.audio_packets);
        let count = u64::try_from(viewers.len().max(1)).unwrap_or(1);
        let fewest = viewers.iter().map(|v| v.whole_frames).min().unwrap_or(0);
        let server = from.server.zip(to.server).map(|(from, to)| ServerCost {
            cost: Cost::between(from, to, window, packets),
            rss_kib: to.rss_kib,
            rss_kib_per_viewer: to.rss_kib.saturating_sub(before.unwrap_or(from).rss_kib) / count,
        });
        let calls = from.metrics.as_deref().zip(to.metrics.as_deref());
        Report {
            stack,
            layers: self.options.layers,
            viewers: self.options.viewers.into(),
            joined: viewers.iter().filter(|viewer| sees(viewer)).count(),
            seconds,
            packets,
            loss: float(lost) / float((video + lost).max(1)),
            frames_per_second: float(sum(|v| v.whole_frames)) / seconds / float(count),
            fewest_frames_per_second: float(fewest) / seconds,
            delivery: Spread::of(viewers.iter().flat_map(|v| v.latencies.iter().copied())),
            key_frame_delivery: Spread::of(
                viewers.iter().flat_map(|v| v.key_latencies.iter().copied()),
            ),
            join: Joins::of(viewers),
            keyframe_requests: 0,
            forced_keyframes: 0,
            server,
            calls: calls.and_then(|(from, to)| Calls::between(from, to)),
            client: Cost::between(from.client, to.client, window, packets),
        }
    }
}

fn sees(viewer: &ViewerReport) -> bool {
    viewer.milestones.first_key_frame.is_some()
}

async fn wait_until(within: Duration, mut is_so: impl FnMut() -> bool) -> anyhow::Result<()> {
    let mut pause = interval(Duration::from_millis(100));
    let deadline = clock::now() + within;
    while !is_so() {
        if clock::now() > deadline {
            bail!("it took longer than {} s", within.as_secs());
        }
        pause.tick().await;
    }
    Ok(())
}

/// Tells how far we are; a terminal that went away does not stop the run.
fn progress(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}
