//! `tallylight bench webrtc`: publish, let viewers join, measure a window, report.

use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::time::{Instant, interval, sleep_until, timeout};

use super::advice::advised;
use super::crowd::Crowd;
use super::limit::Ourselves;
use super::stop::{Stop, Stopped};
use super::{Stack, Target, Webrtc, print, progress};
use crate::process::{Group, Process, Usage, allow_files};
use crate::report::{Calls, Cost, Joins, Report, ServerCost, float};
use crate::signalling::{self, Endpoint};
use crate::source::Source;
use crate::{Latencies, PublishReport, Tally, ViewerReport, ViewerSpec};

/// Media must flow within this time of the publisher's offer.
const LIVE_WITHIN: Duration = Duration::from_secs(10);
/// After the joins, caches and estimates settle.
const SETTLE: Duration = Duration::from_secs(2);
/// Files that we have open beside one socket a viewer: connections of HTTP, above all.
const OTHER_FILES: u64 = 256;
/// Frames a second below which the publisher is too slow to measure anything with.
const FEWEST_PUBLISHED: f64 = 28.5;
/// Longer windows tell how far they are this often.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// A server under load.
pub(super) struct Run<'a> {
    target: &'a Target,
    server: Group,
    whep: Endpoint,
    pub(super) source: Source,
    pub(super) stop: Stop,
}

/// A look at everything that is compared with a later one.
pub(super) struct Look {
    at: Instant,
    server: Option<Usage>,
    client: Usage,
    ourselves: Ourselves,
    metrics: Option<String>,
}

/// Runs the benchmark and prints what it found.
pub(super) async fn run(options: &Webrtc) -> anyhow::Result<()> {
    let run = Run::prepare(&options.target, options.viewers)?;
    let crowd = run.publish(options.stack).await?;
    let length = Duration::from_secs(options.duration.into());
    let window = run.measure(crowd, options.viewers, options.ramp, length);
    let report = window.await?;
    print(&report, options.json)?;
    run.require_all_pictures(&report)?;
    // Figures of something else than the server are no success.
    match report.client_limit {
        Some(sentence) => bail!(sentence),
        None => Ok(()),
    }
}

/// Why the next viewer is not there.
pub(super) fn refused(crowd: &Crowd, error: anyhow::Error) -> anyhow::Error {
    if error.is::<Stopped>() {
        return error;
    }
    let about = format!("cannot watch (viewer {})", crowd.viewers() + 1);
    advised(&about, &error)
}

impl<'a> Run<'a> {
    /// Looks at everything that can be wrong before there is any load.
    pub(super) fn prepare(target: &'a Target, viewers: u16) -> anyhow::Result<Self> {
        allow_files(u64::from(viewers) + OTHER_FILES)?;
        let server: Group = target.server_pid.iter().copied().collect();
        server.usage().context("--server-pid")?;
        Ok(Self {
            target,
            server,
            whep: Endpoint::new(&target.whep, None)?,
            source: Source::clip(target.layers)?,
            stop: Stop::listen()?,
        })
    }

    pub(super) async fn publish(&self, stack: Stack) -> anyhow::Result<Crowd> {
        // A wrong address of metrics, too, should show before a minute of load.
        self.look().await?;
        let target = self.target;
        let whip = Endpoint::new(&target.whip, target.key.as_deref())?;
        progress("publishing");
        let published = match stack {
            Stack::Str0m => {
                let spec = ViewerSpec {
                    one_by_one: target.one_by_one,
                    ..ViewerSpec::default()
                };
                let threads = target.client_threads.into();
                Crowd::of_str0m(&whip, self.source.clone(), spec, threads).await
            }
            Stack::WebrtcRs if target.layers > 1 => bail!("--stack webrtc-rs publishes one layer"),
            Stack::WebrtcRs => Crowd::of_webrtc_rs(&whip, &self.source).await,
        };
        published.map_err(|error| advised("cannot publish", &error))
    }

    /// Lets so many watch, measures for so long, and lets all go.
    pub(super) async fn measure(
        &self,
        mut crowd: Crowd,
        viewers: u16,
        ramp: u16,
        length: Duration,
    ) -> anyhow::Result<Report> {
        let measured = self.measure_with(&mut crowd, viewers, ramp, length).await;
        progress("leaving");
        crowd.leave().await;
        measured
    }

    async fn measure_with(
        &self,
        crowd: &mut Crowd,
        viewers: u16,
        ramp: u16,
        length: Duration,
    ) -> anyhow::Result<Report> {
        self.until_live(crowd).await?;
        let before = self.look().await?;
        progress(&format!("{viewers} viewers join"));
        let grown = self.grow(crowd, viewers.into(), ramp).await;
        grown.map_err(|error| refused(crowd, error))?;
        let tally = self.until_seen(crowd).await?;
        self.require_a_picture(crowd, tally).await?;
        self.wait(SETTLE).await?;
        progress(&format!("measuring for {} s", length.as_secs()));
        self.window(crowd, &before, length).await
    }

    /// Fails when somebody saw nothing.
    pub(super) fn require_all_pictures(&self, report: &Report) -> anyhow::Result<()> {
        let blind = report.viewers - report.joined;
        if blind > 0 {
            bail!(
                "{blind} of {} viewers were shown no picture within {} s",
                report.viewers,
                self.target.join_within
            );
        }
        Ok(())
    }

    /// Waits until media flows.
    pub(super) async fn until_live(&self, crowd: &Crowd) -> anyhow::Result<()> {
        until_live(crowd, &self.stop).await
    }

    /// Lets so many more join, until one is refused.
    pub(super) async fn grow(&self, crowd: &mut Crowd, by: usize, ramp: u16) -> anyhow::Result<()> {
        crowd.grow(&self.whep, by, ramp, &self.stop).await
    }

    /// Waits until every viewer has a picture, or too long. Those without are in the tally.
    pub(super) async fn until_seen(&self, crowd: &Crowd) -> anyhow::Result<Tally> {
        let deadline = Instant::now() + Duration::from_secs(self.target.join_within.into());
        let mut pause = interval(Duration::from_millis(100));
        loop {
            self.stop.or(pause.tick()).await?;
            let tally = crowd.tally().await?;
            if tally.seeing == tally.viewers || Instant::now() > deadline {
                return Ok(tally);
            }
        }
    }

    /// Fails when nobody saw anything, and says how far they came.
    pub(super) async fn require_a_picture(
        &self,
        crowd: &Crowd,
        tally: Tally,
    ) -> anyhow::Result<()> {
        if tally.seeing > 0 {
            return Ok(());
        }
        let within = self.target.join_within;
        if tally.connected == 0 {
            bail!(
                "the server took {} offers to watch, but no media connection came about within \
                 {within} s; is its UDP port open?",
                tally.viewers
            );
        }
        if tally.receiving == 0 {
            bail!(
                "{} viewers are connected, but the server sent them nothing within {within} s; is \
                 --whep the stream that --whip publishes?",
                tally.connected
            );
        }
        let asked = crowd.published().await?.keyframe_requests;
        bail!(
            "the server sent packets to {} viewers, but no whole key frame within {within} s; it \
             asked the publisher for {asked}, and one comes every 2 s anyway",
            tally.receiving
        )
    }

    pub(super) async fn wait(&self, length: Duration) -> Result<(), Stopped> {
        self.stop.or(sleep_until(Instant::now() + length)).await
    }

    /// Lets caches and estimates settle.
    pub(super) async fn settle(&self) -> Result<(), Stopped> {
        self.wait(SETTLE).await
    }

    pub(super) async fn look(&self) -> anyhow::Result<Look> {
        let metrics = match &self.target.metrics {
            Some(url) => Some(signalling::get(url).await.context("--metrics")?),
            None => None,
        };
        let server = self.server.usage();
        Ok(Look {
            metrics,
            server: server.context("the server is gone")?,
            client: Process::current().usage()?,
            ourselves: Ourselves::look(),
            at: Instant::now(),
        })
    }

    /// Measures what the crowd sees for so long; `before` was before the first viewer.
    pub(super) async fn window(
        &self,
        crowd: &Crowd,
        before: &Look,
        length: Duration,
    ) -> anyhow::Result<Report> {
        let published = crowd.published().await?;
        let from = self.look().await?;
        crowd.start_window().await?;
        let ends = from.at + length;
        let mut next = from.at;
        while next < ends {
            next = (next + TELL_EVERY).min(ends);
            self.stop.or(sleep_until(next)).await?;
            if next < ends {
                let passed = next.saturating_duration_since(from.at).as_secs();
                progress(&format!("{passed} of {} s", length.as_secs()));
            }
        }
        let to = self.look().await?;
        let window = Window {
            viewers: crowd.viewed().await?,
            from: published,
            to: crowd.published().await?,
            looks: [before, &from, &to],
        };
        Ok(Report {
            stack: crowd.name().to_owned(),
            layers: self.target.layers,
            ..window.report()
        })
    }
}

/// Waits until media flows: a second of it, so that there is something to join.
pub(super) async fn until_live(crowd: &Crowd, stop: &Stop) -> anyhow::Result<()> {
    let live = async {
        let mut pause = interval(Duration::from_millis(50));
        loop {
            let published = crowd.published().await?;
            if published.closed {
                bail!("the server ended the publisher's session; its log should say why");
            }
            if published.frames >= 30 {
                return Ok(());
            }
            pause.tick().await;
        }
    };
    match stop.or(timeout(LIVE_WITHIN, live)).await? {
        Ok(result) => result,
        Err(_) => bail!(
            "the server took the offer, but no media connection came about within {} s; is its \
             UDP port open?",
            LIVE_WITHIN.as_secs()
        ),
    }
}

/// What was counted in a window.
struct Window<'a> {
    viewers: Vec<ViewerReport>,
    from: PublishReport,
    to: PublishReport,
    /// Before the first viewer, at the start, at the end.
    looks: [&'a Look; 3],
}

impl Window<'_> {
    fn report(&self) -> Report {
        let [before, from, to] = self.looks;
        let window = to.at.saturating_duration_since(from.at);
        let seconds = window.as_secs_f64();
        let viewers = &self.viewers;
        let sum = |of: fn(&ViewerReport) -> u64| viewers.iter().map(of).sum::<u64>();
        let all =
            |of: fn(&ViewerReport) -> &Latencies| viewers.iter().map(of).collect::<Latencies>();
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
        let client = Cost::between(from.client, to.client, window, packets);
        let share = |cost: Cost| cost.cpu_percent / 100.0;
        let busy = from.ourselves.busy_until(
            &to.ourselves,
            window,
            share(client),
            server.map(|server| share(server.cost)),
        );
        let calls = from.metrics.as_deref().zip(to.metrics.as_deref());
        Report {
            viewers: viewers.len(),
            joined: viewers.iter().filter(|viewer| sees(viewer)).count(),
            closed: viewers.iter().filter(|viewer| viewer.closed).count(),
            seconds,
            packets,
            megabits_per_second: float(sum(|v| v.bytes)) * 8.0 / 1e6 / seconds,
            loss: float(lost) / float((video + lost).max(1)),
            frames_per_second: float(sum(|v| v.whole_frames)) / seconds / float(count),
            fewest_frames_per_second: float(fewest) / seconds,
            published_frames_per_second: float(self.to.frames - self.from.frames) / seconds,
            delivery: all(|viewer| &viewer.latencies).spread(),
            key_frame_delivery: all(|viewer| &viewer.key_latencies).spread(),
            join: Joins::of(viewers),
            keyframe_requests: self.to.keyframe_requests,
            forced_keyframes: self.to.forced_keyframes,
            server,
            calls: calls.and_then(|(from, to)| Calls::between(from, to)),
            client,
            busiest_thread_percent: busy.thread_share * 100.0,
            machine_percent: busy.machine_share * 100.0,
            client_limit: busy.limit().or_else(|| self.late_publisher(seconds)),
            ..Report::default()
        }
    }

    /// One sentence, when the publisher did not keep its pace.
    fn late_publisher(&self, seconds: f64) -> Option<String> {
        let published = float(self.to.frames - self.from.frames) / seconds;
        (published < FEWEST_PUBLISHED).then(|| {
            format!("This client was the limit: it published {published:.1} of 30 frames a second.")
        })
    }
}

fn sees(viewer: &ViewerReport) -> bool {
    viewer.milestones.first_key_frame.is_some()
}
