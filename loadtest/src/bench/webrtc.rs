//! One run: publish, let viewers join, measure a window, report.

use std::io::{self, Write as _};
use std::time::Duration;

use crate::process::{Process, Usage, allow_files};
use crate::report::{Calls, Cost, Joins, Report, ServerCost, Spread, float};
use crate::signalling::{self, Endpoint};
use crate::source::Source;
use crate::{ViewerReport, ViewerSpec};
use anyhow::{Context as _, bail};
use tokio::time::{Instant, interval, sleep_until, timeout};

use super::crowd::Crowd;
use super::{Stack, Webrtc, progress};

/// Media must flow within this time of the publisher's offer.
const LIVE_WITHIN: Duration = Duration::from_secs(10);
/// Viewers must have their picture within this time of the last offer.
const JOINED_WITHIN: Duration = Duration::from_secs(15);
/// After the joins, caches and estimates settle.
const SETTLE: Duration = Duration::from_secs(2);
/// Files that we have open beside one socket a viewer.
const OTHER_FILES: u64 = 64;

/// One run of the benchmark.
struct Run<'a> {
    options: &'a Webrtc,
    server: Option<Process>,
    whep: Endpoint,
    source: Source,
}

/// A look at everything that is compared with a later one.
struct Look {
    at: Instant,
    server: Option<Usage>,
    client: Usage,
    metrics: Option<String>,
}

/// Runs the benchmark and prints what it found.
pub(crate) async fn run(options: &Webrtc) -> anyhow::Result<()> {
    allow_files(u64::from(options.viewers) * 2 + OTHER_FILES)?;
    let run = Run {
        options,
        server: options.server_pid.map(Process),
        whep: Endpoint::new(&options.whep, None)?,
        source: Source::clip(options.layers)?,
    };
    // A wrong process or address should show before a minute of load.
    run.look().await?;
    let whip = Endpoint::new(&options.whip, options.key.as_deref())?;
    let published = match options.stack {
        Stack::Str0m => {
            let spec = ViewerSpec {
                one_by_one: options.one_by_one,
                ..ViewerSpec::default()
            };
            Crowd::of_str0m(&whip, run.source.clone(), spec).await
        }
        Stack::WebrtcRs if options.layers > 1 => bail!("--stack webrtc-rs publishes one layer"),
        Stack::WebrtcRs => Crowd::of_webrtc_rs(&whip, &run.source).await,
    };
    let mut crowd = published.context("cannot publish")?;
    let measured = run.measure(&mut crowd).await;
    crowd.leave().await;
    let report = measured?;
    let text = if options.json {
        serde_json::to_string_pretty(&report)?
    } else {
        report.to_string()
    };
    writeln!(io::stdout(), "{text}").context("cannot write to standard output")?;
    match report.viewers - report.joined {
        0 => Ok(()),
        blind => bail!(
            "{blind} of {} viewers were never shown a picture",
            report.viewers
        ),
    }
}

impl Run<'_> {
    async fn measure(&self, crowd: &mut Crowd) -> anyhow::Result<Report> {
        progress("publishing");
        self.until_live(crowd).await?;
        let before = self.look().await?;
        self.let_viewers_join(crowd).await?;
        sleep_until(Instant::now() + SETTLE).await;
        let from = self.look().await?;
        crowd.start_window().await?;
        progress("measuring");
        sleep_until(from.at + Duration::from_secs(self.options.duration.into())).await;
        let to = self.look().await?;
        self.report(crowd, &before, &from, &to).await
    }

    /// Waits until media flows: a second of it, so that there is something to join.
    async fn until_live(&self, crowd: &Crowd) -> anyhow::Result<()> {
        let live = async {
            let mut pause = interval(Duration::from_millis(50));
            while crowd.published().await?.frames < 30 {
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

    async fn let_viewers_join(&self, crowd: &mut Crowd) -> anyhow::Result<()> {
        let (most, ramp) = (self.options.viewers, self.options.ramp);
        let mut pause = interval(Duration::from_secs(1) / u32::from(ramp));
        for number in 1..=most {
            pause.tick().await;
            let joined = crowd.add_viewer(&self.whep, &self.source).await;
            joined.with_context(|| format!("cannot watch (viewer {number})"))?;
            if number.is_multiple_of(ramp) || number == most {
                progress(&format!("{number} of {most} viewers joined"));
            }
        }
        let all_see = async {
            let mut pause = interval(Duration::from_millis(100));
            while !crowd.viewed().await?.iter().all(sees) {
                pause.tick().await;
            }
            anyhow::Ok(())
        };
        // Those who see nothing in time are counted in the report.
        timeout(JOINED_WITHIN, all_see).await.unwrap_or(Ok(()))
    }

    async fn look(&self) -> anyhow::Result<Look> {
        Ok(Look {
            metrics: match &self.options.metrics {
                Some(url) => Some(signalling::get(url).await?),
                None => None,
            },
            server: self.server.map(Process::usage).transpose()?,
            client: Process::current().usage()?,
            at: Instant::now(),
        })
    }

    async fn report(
        &self,
        crowd: &Crowd,
        before: &Look,
        from: &Look,
        to: &Look,
    ) -> anyhow::Result<Report> {
        let (viewers, published) = (crowd.viewed().await?, crowd.published().await?);
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
            rss_kib_per_viewer: to
                .rss_kib
                .saturating_sub(before.server.unwrap_or(from).rss_kib)
                / count,
        });
        let calls = from.metrics.as_deref().zip(to.metrics.as_deref());
        Ok(Report {
            stack: crowd.name(),
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
            join: Joins::of(&viewers),
            keyframe_requests: published.keyframe_requests,
            forced_keyframes: published.forced_keyframes,
            server,
            calls: calls.and_then(|(from, to)| Calls::between(from, to)),
            client: Cost::between(from.client, to.client, window, packets),
        })
    }
}

fn sees(viewer: &ViewerReport) -> bool {
    viewer.milestones.first_key_frame.is_some()
}
