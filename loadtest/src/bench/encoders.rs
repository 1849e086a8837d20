//! `tallylight bench rtmp`: many publishers by RTMP, and what their media costs the server.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::clock;
use crate::process::{Group, Process, Usage, allow_files};
use crate::report::float;
use crate::rtmp::{Address, Clip, Progress, PublishError, Publisher};
use anyhow::{Context as _, anyhow, bail};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use tokio::time::{interval, sleep_until};

use super::stop::Stop;
use super::{Rtmp, print, progress};

/// After the last has begun, media-workers start and packaging settles.
const SETTLE: Duration = Duration::from_secs(5);
/// Files that we have open beside one socket a publisher.
const OTHER_FILES: u64 = 64;

/// What a run found.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Report {
    publishers: u16,
    with_audio: bool,
    /// Were allowed to publish.
    accepted: usize,
    /// Were not, or got no answer.
    refused: usize,
    /// Were, but lost their connection before the end.
    dropped: usize,
    seconds: f64,
    /// Of all publishers together, as handed to the kernel.
    megabits_per_second: f64,
    /// How far behind its time the most belated tag was sent: large where the server reads too
    /// slowly, or this client is short of CPU.
    latest_ms: f64,
    /// The server's own process.
    server: Option<Share>,
    /// Its child processes: what packages and codes.
    server_children: Option<Share>,
    client: Share,
    /// Resident memory of the server and of its children at the end.
    server_rss_kib: Option<u64>,
    server_children_rss_kib: Option<u64>,
}

/// CPU in the window.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Share {
    /// Per cent of one core.
    cpu_percent: f64,
    /// Milliseconds for each megabit that was sent.
    cpu_ms_per_megabit: f64,
}

/// All publishers.
struct Crowd {
    tasks: JoinSet<Ended>,
    /// Those that have ended already.
    ended: Vec<Ended>,
    sent: Arc<[Progress]>,
}

/// How a publisher ended.
enum Ended {
    Refused(PublishError),
    Dropped(PublishError),
    Well,
}

/// A look at everything that is compared with a later one.
struct Look {
    at: Instant,
    bytes: u64,
    server: Option<Usage>,
    children: Option<Usage>,
    client: Usage,
}

/// Runs the benchmark and prints what it found.
pub(crate) async fn run(options: &Rtmp) -> anyhow::Result<()> {
    allow_files(u64::from(options.publishers) + OTHER_FILES)?;
    let address = Address::parse(&options.url).ok_or_else(|| {
        anyhow!(
            "`{}` is no address to publish to, such as rtmp://127.0.0.1:1935/live",
            options.url
        )
    })?;
    let keys = keys(options)?;
    let server: Group = options.server_pid.iter().copied().collect();
    // A wrong process should show before the load.
    server.usage().context("--server-pid")?;
    let clip = Clip::load(!options.no_audio)?;
    // Connections that are dropped are closed, and with them what they published.
    let stop = Stop::listen()?;
    let report = stop.or(measure(options, &address, &keys, &clip, &server));
    let report = report.await??;
    print(&report, options.json)?;
    match report.refused + report.dropped {
        0 => Ok(()),
        failed => bail!("{failed} of {} publishers failed", report.publishers),
    }
}

/// As many keys as there are publishers.
fn keys(options: &Rtmp) -> anyhow::Result<Vec<String>> {
    let shown = options.keys.display();
    let text = std::fs::read_to_string(&options.keys)
        .with_context(|| format!("cannot read the stream keys in {shown}"))?;
    let keys = text.lines().map(str::trim).filter(|key| !key.is_empty());
    let wanted = usize::from(options.publishers);
    let keys: Vec<String> = keys.take(wanted).map(str::to_owned).collect();
    if keys.len() < wanted {
        bail!(
            "{shown} holds {} stream keys for {wanted} publishers; make more with `tallylight \
             stream-key new CHANNEL`, each of another channel",
            keys.len()
        );
    }
    Ok(keys)
}

async fn measure(
    options: &Rtmp,
    address: &Address,
    keys: &[String],
    clip: &Clip,
    server: &Group,
) -> anyhow::Result<Report> {
    progress(&format!("{} publishers begin", options.publishers));
    let ramp = Duration::from_secs(1) / u32::from(options.ramp);
    let length = Duration::from_secs(options.duration.into());
    let starts = clock::now() + ramp * u32::from(options.publishers) + SETTLE;
    let ends = starts + length;
    let mut crowd = Crowd {
        tasks: JoinSet::new(),
        ended: Vec::new(),
        sent: keys.iter().map(|_| Progress::default()).collect(),
    };
    let mut pause = interval(ramp);
    for (number, key) in keys.iter().enumerate() {
        pause.tick().await;
        crowd.begin(number, address, key, clip, ends + SETTLE);
    }
    sleep_until(starts.into()).await;
    crowd.require_one(keys.len())?;
    crowd.take_latest();
    progress("measuring");
    let from = crowd.look(server)?;
    sleep_until(ends.into()).await;
    let to = crowd.look(server)?;
    let latest = crowd.take_latest();
    let ended = crowd.leave().await?;
    Ok(report(options, &ended, &from, &to, latest))
}

impl Crowd {
    fn begin(&mut self, number: usize, address: &Address, key: &str, clip: &Clip, ends: Instant) {
        let (address, key, clip) = (address.clone(), key.to_owned(), clip.clone());
        let sent = Arc::clone(&self.sent);
        self.tasks.spawn(async move {
            let publisher = match Publisher::connect(&address, &key).await {
                Ok(publisher) => publisher,
                Err(error) => return Ended::Refused(error),
            };
            let Some(progress) = sent.get(number) else {
                return Ended::Well;
            };
            match publisher.send(&clip, ends, progress).await {
                Ok(()) => Ended::Well,
                Err(error @ PublishError::Refused(_)) => Ended::Refused(error),
                Err(error) => Ended::Dropped(error),
            }
        });
    }

    /// The most belated tag since the last call.
    fn take_latest(&self) -> Duration {
        let latest = self.sent.iter().map(Progress::take_latest);
        latest.max().unwrap_or_default()
    }

    fn look(&self, server: &Group) -> anyhow::Result<Look> {
        Ok(Look {
            bytes: self.sent.iter().map(Progress::bytes).sum(),
            server: server.usage().context("the server is gone")?,
            children: server.children().context("the server is gone")?,
            client: Process::current().usage()?,
            at: clock::now(),
        })
    }

    /// Fails when all have been refused: there is nothing to measure.
    fn require_one(&mut self, publishers: usize) -> anyhow::Result<()> {
        while let Some(ended) = self.tasks.try_join_next() {
            self.ended.push(ended?);
        }
        let refusals = self.ended.iter().filter_map(|ended| match ended {
            Ended::Refused(error) => Some(error),
            _ => None,
        });
        if refusals.clone().count() < publishers {
            return Ok(());
        }
        let first = refusals.map(ToString::to_string).next();
        bail!("nobody can publish: {}", first.unwrap_or_default())
    }

    async fn leave(mut self) -> anyhow::Result<Vec<Ended>> {
        while let Some(ended) = self.tasks.join_next().await {
            self.ended.push(ended?);
        }
        for ended in &self.ended {
            match ended {
                Ended::Well => {}
                Ended::Refused(error) => progress(&format!("a publisher did not begin: {error}")),
                Ended::Dropped(error) => progress(&format!("a publisher broke off: {error}")),
            }
        }
        Ok(self.ended)
    }
}

fn report(options: &Rtmp, ended: &[Ended], from: &Look, to: &Look, latest: Duration) -> Report {
    let window = to.at.saturating_duration_since(from.at);
    let megabits = float(to.bytes.saturating_sub(from.bytes)) * 8.0 / 1e6;
    let share = |from: Usage, to: Usage| Share::between(from, to, window, megabits);
    let count = |which: fn(&Ended) -> bool| ended.iter().filter(|end| which(end)).count();
    let refused = count(|end| matches!(end, Ended::Refused(_)));
    Report {
        publishers: options.publishers,
        with_audio: !options.no_audio,
        accepted: ended.len() - refused,
        refused,
        dropped: count(|end| matches!(end, Ended::Dropped(_))),
        seconds: window.as_secs_f64(),
        megabits_per_second: megabits / window.as_secs_f64().max(1e-9),
        latest_ms: latest.as_secs_f64() * 1e3,
        server: from.server.zip(to.server).map(|(from, to)| share(from, to)),
        server_children: from
            .children
            .zip(to.children)
            .map(|(from, to)| share(from, to)),
        client: share(from.client, to.client),
        server_rss_kib: to.server.map(|usage| usage.rss_kib),
        server_children_rss_kib: to.children.map(|usage| usage.rss_kib),
    }
}

impl Report {
    /// The same in one line.
    pub(super) fn line(&self) -> String {
        let sound = if self.with_audio { "with" } else { "without" };
        let share = |name: &str, share: Option<Share>| {
            share.map_or_else(String::new, |share| format!(", {name} {share}"))
        };
        format!(
            "`bench rtmp`: {} publishers {sound} sound, {:.1} Mbit/s{}{}; {} refused, {} dropped",
            self.publishers,
            self.megabits_per_second,
            share("server", self.server),
            share("its children", self.server_children),
            self.refused,
            self.dropped
        )
    }
}

impl Share {
    fn between(from: Usage, to: Usage, window: Duration, megabits: f64) -> Self {
        let cpu = to.cpu.saturating_sub(from.cpu).as_secs_f64();
        Self {
            cpu_percent: cpu / window.as_secs_f64().max(1e-9) * 100.0,
            cpu_ms_per_megabit: cpu * 1e3 / megabits.max(1e-9),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} RTMP publishers ({}), {:.1} s: {} accepted, {} refused, {} dropped",
            self.publishers,
            if self.with_audio {
                "H264 + AAC"
            } else {
                "H264"
            },
            self.seconds,
            self.accepted,
            self.refused,
            self.dropped
        )?;
        writeln!(
            f,
            "  sent          {:.1} Mbit/s, at most {:.1} ms late",
            self.megabits_per_second, self.latest_ms
        )?;
        let memory = |kib: Option<u64>| kib.map_or(String::new(), |kib| format!("; {kib} KiB"));
        for (name, share, memory) in [
            ("server", self.server, memory(self.server_rss_kib)),
            (
                "its children",
                self.server_children,
                memory(self.server_children_rss_kib),
            ),
        ] {
            if let Some(share) = share {
                writeln!(f, "  {name:13} {share}{memory}")?;
            }
        }
        write!(f, "  this client   {}", self.client)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.2} ms CPU a Mbit, {:.1} % of a core",
            self.cpu_ms_per_megabit, self.cpu_percent
        )
    }
}
