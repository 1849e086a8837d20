//! `tallylight bench hls`: an audience that reads one stream by low-latency HLS.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::time::Duration;

use crate::ViewerSpec;
use crate::clock;
use crate::hls::{self, Address, PartId, Seen};
use crate::process::{Group, Process, Usage, allow_files};
use crate::report::{Cost, ServerCost, Spread, float};
use crate::signalling::Endpoint;
use crate::source::Source;
use anyhow::{Context as _, anyhow, bail};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use tokio::time::{interval, sleep, sleep_until};

use super::advice::advised;
use super::crowd::Crowd;
use super::stop::Stop;
use super::{Hls, print, progress};

/// The playlist must be there within this time of the publisher's offer.
const READY_WITHIN: Duration = Duration::from_secs(20);
/// How long the server is looked at before anybody reads.
const QUIET: Duration = Duration::from_secs(4);
/// Files that we have open beside two connections a viewer.
const OTHER_FILES: u64 = 64;

/// What a run found.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Report {
    viewers: usize,
    seconds: f64,
    /// Playlists and parts.
    requests: u64,
    requests_per_second: f64,
    megabits_per_second: f64,
    failures: u64,
    /// From the first viewer who was told of a part to each of the others, as it reached this
    /// machine.
    release: Spread,
    /// From asking for a part to its last byte.
    fetch: Spread,
    /// CPU in the window, less what the server used before anybody read.
    server: Option<ServerCost>,
    client: Cost,
    joins: Option<Joins>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Joins {
    asked: usize,
    failed: usize,
    seconds: f64,
    /// Each request of a join.
    request: Spread,
    server: Option<ServerCost>,
}

/// Runs the benchmark and prints what it found.
pub(crate) async fn run(options: &Hls) -> anyhow::Result<()> {
    allow_files(u64::from(options.viewers) * 2 + u64::from(options.joins) + OTHER_FILES)?;
    let address = Address::parse(&options.url)
        .ok_or_else(|| anyhow!("`{}` is no http address of a playlist", options.url))?;
    let server: Group = options.server_pid.iter().copied().collect();
    server.usage().context("--server-pid")?;
    let stop = Stop::listen()?;
    let publisher = match &options.whip {
        Some(url) => {
            let whip = Endpoint::new(url, options.key.as_deref())?;
            let source = Source::clip(options.layers)?;
            let crowd = Crowd::of_str0m(&whip, source, ViewerSpec::default(), 1).await;
            Some(crowd.map_err(|error| advised("cannot publish", &error))?)
        }
        None => None,
    };
    let measured = stop.or(measure(options, &address, &server)).await;
    if let Some(publisher) = publisher {
        publisher.leave().await;
    }
    let report = measured??;
    print(&report, options.json)?;
    match usize::from(options.viewers) - report.viewers {
        0 => Ok(()),
        broken => bail!("{broken} of {} viewers broke off", options.viewers),
    }
}

async fn measure(options: &Hls, address: &Address, server: &Group) -> anyhow::Result<Report> {
    let rendition = until_ready(address).await?;
    progress("looking at the server alone");
    let idle = look(server)?;
    sleep(QUIET).await;
    let quiet = look(server)?;
    let idle_share = share(idle, quiet, QUIET);
    progress(&format!("{} viewers join", options.viewers));
    let length = Duration::from_secs(options.duration.into());
    let ramp = Duration::from_secs(1) / u32::from(options.ramp);
    let starts = clock::now() + ramp * u32::from(options.viewers) + Duration::from_secs(2);
    let ends = starts + length;
    let mut viewers = JoinSet::new();
    let mut pause = interval(ramp);
    for _ in 0..options.viewers {
        pause.tick().await;
        let (host, rendition) = (address.host.clone(), rendition.clone());
        viewers.spawn(async move { hls::follow(&host, &rendition, ends).await });
    }
    sleep_until(starts.into()).await;
    progress("measuring");
    let measured_from = clock::since_1970();
    let (from, ours) = (look(server)?, Process::current().usage()?);
    sleep_until(ends.into()).await;
    let (to, ours_to) = (look(server)?, Process::current().usage()?);
    let mut seen = Vec::new();
    let mut broken = 0;
    while let Some(viewer) = viewers.join_next().await {
        match viewer? {
            Ok(viewer) => seen.push(viewer),
            Err(error) => {
                broken += 1;
                progress(&format!("a viewer broke off: {error}"));
            }
        }
    }
    let joins = match options.joins {
        0 => None,
        joins => Some(join_all(options, address, server, joins).await?),
    };
    let mut report = report(&seen, measured_from, length);
    report.failures += broken;
    report.joins = joins;
    report.client = Cost::between(ours, ours_to, length, report.requests);
    report.server = from.zip(to).map(|(from, to)| {
        let to = less(to, idle_share, length);
        ServerCost {
            cost: Cost::between(from, to, length, report.requests),
            rss_kib: to.rss_kib,
            rss_kib_per_viewer: to.rss_kib.saturating_sub(quiet.unwrap_or(from).rss_kib)
                / u64::from(options.viewers.max(1)),
        }
    });
    Ok(report)
}

/// The best rendition's playlist, once it is there and goes on: before the stream that is published
/// there may be one that is over.
async fn until_ready(address: &Address) -> anyhow::Result<String> {
    progress("waiting for the stream");
    let deadline = clock::now() + READY_WITHIN;
    loop {
        match live_rendition(address).await {
            Ok(Some(best)) => return Ok(best),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                bail!(
                    "cannot reach {}: {error}; does the server run, and is the address right?",
                    address.host
                );
            }
            Err(error) if clock::now() > deadline => {
                return Err(error).context("there is no stream to read");
            }
            Ok(None) if clock::now() > deadline => bail!(
                "the playlist of the best rendition names nothing that is to come; is the stream \
                 live?"
            ),
            Ok(None) | Err(_) => sleep(Duration::from_millis(200)).await,
        }
    }
}

async fn live_rendition(address: &Address) -> io::Result<Option<String>> {
    let best = address.renditions().await?.into_iter().next();
    match best {
        Some(best) if hls::goes_on(&address.host, &best).await? => Ok(Some(best)),
        _ => Ok(None),
    }
}

/// Joins spread over the time, each on a connection of its own.
async fn join_all(
    options: &Hls,
    address: &Address,
    server: &Group,
    joins: u16,
) -> anyhow::Result<Joins> {
    progress(&format!("{joins} joins in {} s", options.join_seconds));
    let within = Duration::from_secs(options.join_seconds.into());
    let mut pause = interval(within / u32::from(joins));
    pause.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
    let (from, began) = (look(server)?, clock::now());
    let mut tasks = JoinSet::new();
    for _ in 0..joins {
        pause.tick().await;
        let address = address.clone();
        tasks.spawn(async move { hls::join_once(&address).await });
    }
    let (mut failed, mut took) = (0, Vec::new());
    while let Some(joined) = tasks.join_next().await {
        match joined? {
            Ok(times) => took.extend(times),
            Err(error) => {
                if failed == 0 {
                    progress(&format!("a join failed: {error}"));
                }
                failed += 1;
            }
        }
    }
    let window = clock::now().saturating_duration_since(began);
    let requests = u64::try_from(took.len()).unwrap_or_default();
    if requests == 0 {
        bail!("no join came about");
    }
    let server = from.zip(look(server)?).map(|(from, to)| ServerCost {
        cost: Cost::between(from, to, window, requests),
        rss_kib: to.rss_kib,
        rss_kib_per_viewer: to.rss_kib.saturating_sub(from.rss_kib) / u64::from(joins),
    });
    Ok(Joins {
        asked: joins.into(),
        failed,
        seconds: window.as_secs_f64(),
        request: Spread::of(took),
        server,
    })
}

/// `starts` since 1970.
fn report(viewers: &[Seen], starts: Duration, length: Duration) -> Report {
    let mut firsts: HashMap<PartId, Duration> = HashMap::new();
    let in_window = |at: Duration| at >= starts;
    for (part, at) in viewers.iter().flat_map(|viewer| &viewer.released) {
        let first = firsts.entry(*part).or_insert(*at);
        *first = (*first).min(*at);
    }
    let release = viewers
        .iter()
        .flat_map(|viewer| &viewer.released)
        .filter(|(_, at)| in_window(*at))
        .filter_map(|(part, at)| at.checked_sub(*firsts.get(part)?));
    let release = Spread::of(release);
    let sum = |of: fn(&Seen) -> u64| viewers.iter().map(of).sum::<u64>();
    // Those of the window: a playlist and a part for each release.
    let requests = u64::try_from(release.count * 2).unwrap_or_default();
    let all = sum(|seen| seen.requests).max(1);
    let seconds = length.as_secs_f64();
    let bytes = float(sum(|seen| seen.bytes)) * float(requests) / float(all);
    Report {
        viewers: viewers.len(),
        seconds,
        requests,
        requests_per_second: float(requests) / seconds,
        megabits_per_second: bytes * 8.0 / 1e6 / seconds,
        failures: sum(|seen| seen.failures),
        release,
        fetch: Spread::of(viewers.iter().flat_map(|seen| seen.fetched.iter().copied())),
        server: None,
        client: Cost::default(),
        joins: None,
    }
}

impl Report {
    /// The same in one line.
    pub(super) fn line(&self) -> String {
        let server = self.server.map_or_else(String::new, |server| {
            let cost = server.cost;
            format!(", {:.0} µs CPU each", cost.cpu_us_per_packet)
        });
        format!(
            "`bench hls`: {} viewers, {:.0} requests/s ({:.0} Mbit/s){server}; a part is released \
             within p50 {:.1} / p99 {:.1} ms and fetched in {:.1} / {:.1} ms; {} failed",
            self.viewers,
            self.requests_per_second,
            self.megabits_per_second,
            self.release.p50_ms,
            self.release.p99_ms,
            self.fetch.p50_ms,
            self.fetch.p99_ms,
            self.failures
        )
    }
}

fn look(server: &Group) -> anyhow::Result<Option<Usage>> {
    server.usage().context("the server is gone")
}

/// CPU seconds a second.
fn share(from: Option<Usage>, to: Option<Usage>, window: Duration) -> f64 {
    let used = from
        .zip(to)
        .map(|(from, to)| to.cpu.saturating_sub(from.cpu));
    used.unwrap_or_default().as_secs_f64() / window.as_secs_f64()
}

/// Without what it would have used anyway.
fn less(usage: Usage, share: f64, window: Duration) -> Usage {
    Usage {
        cpu: usage.cpu.saturating_sub(window.mul_f64(share)),
        ..usage
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} LL-HLS viewers, {:.0} s", self.viewers, self.seconds)?;
        writeln!(
            f,
            "  requests      {:.0} /s, {:.0} Mbit/s, {} failed",
            self.requests_per_second, self.megabits_per_second, self.failures
        )?;
        writeln!(f, "  ms                 p50      p95      p99      max")?;
        writeln!(f, "  release       {}", self.release)?;
        writeln!(f, "  fetch a part  {}", self.fetch)?;
        if let Some(server) = &self.server {
            write_server(f, server)?;
        }
        writeln!(
            f,
            "  this client   {:.2} us CPU a request, {:.1} % of a core",
            self.client.cpu_us_per_packet, self.client.cpu_percent
        )?;
        let Some(joins) = &self.joins else {
            return Ok(());
        };
        writeln!(
            f,
            "{} joins in {:.1} s, {} failed\n  a request     {}",
            joins.asked, joins.seconds, joins.failed, joins.request
        )?;
        joins.server.as_ref().map_or(Ok(()), |s| write_server(f, s))
    }
}

fn write_server(f: &mut fmt::Formatter<'_>, server: &ServerCost) -> fmt::Result {
    writeln!(
        f,
        "  server        {:.2} us CPU a request, {:.1} % of a core; {} KiB a viewer, {} KiB in all",
        server.cost.cpu_us_per_packet,
        server.cost.cpu_percent,
        server.rss_kib_per_viewer,
        server.rss_kib
    )
}
