//! `tallylight bench joins`: viewers come and go, and the server is to hold no more afterwards.
//!
//! They come in rounds. The first warms up what a server keeps for the next time; from then on no round
//! may leave anything behind. What is compared is looked at when all that is to go has gone.

use std::fmt;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::Serialize;
use str0m::net::Protocol;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep, timeout};

use super::advice::advised;
use super::crowd::Crowd;
use super::holding::{Holding, Sources};
use super::stop::{Stop, Stopped};
use super::webrtc::until_live;
use super::{Joins, print, progress};
use crate::process::allow_files;
use crate::report::Spread;
use crate::signalling::Endpoint;
use crate::source::Source;
use crate::{Driver, JoinError, Leave, Sent, ViewerSpec, Watching};

/// Viewers that came and went.
#[derive(Debug, Default, Serialize)]
struct Round {
    joined: usize,
    failed: usize,
    seconds: f64,
    /// From the offer to the first whole key frame.
    first_key_frame: Spread,
    /// How long it took, after the last had gone, until the server held no more than before.
    settled_seconds: f64,
    after: Holding,
    #[serde(skip)]
    times: Vec<Duration>,
    #[serde(skip)]
    first_error: Option<String>,
}

/// What a run found.
#[derive(Debug, Serialize)]
struct Report {
    at_once: usize,
    before: Holding,
    rounds: Vec<Round>,
    /// What memory grew by from the end of the first round to that of the last.
    growth_kib: Option<i64>,
    growth_bytes_per_join: Option<i64>,
    /// One sentence for each thing that did not come back.
    left_behind: Vec<String>,
}

/// How ten viewers in a row go: most as players do, some as tabs do, few as networks do.
const WAYS: [Leave; 10] = [
    Leave::Delete,
    Leave::Close,
    Leave::Delete,
    Leave::Delete,
    Leave::Close,
    Leave::Delete,
    Leave::Vanish,
    Leave::Delete,
    Leave::Close,
    Leave::Delete,
];
/// What comes with the stream comes in this time.
const QUIET: Duration = Duration::from_secs(3);
/// Memory may grow by this share, and by so much more, before it counts as growth.
const GROWTH_PERCENT: u64 = 10;
const GROWTH_KIB: u64 = 8 * 1024;
/// Longer rounds tell how far they are this often.
const TELL_EVERY: Duration = Duration::from_secs(10);
/// Files that we have open beside two for each viewer: its socket and a connection of HTTP.
const OTHER_FILES: u64 = 128;

/// Runs the benchmark and prints what it found.
pub(super) async fn run(options: &Joins) -> anyhow::Result<()> {
    allow_files(u64::from(options.at_once) * 2 + OTHER_FILES)?;
    let sources = Sources::of(options)?;
    // A wrong address of metrics, too, should show before a minute of load.
    sources.look().await?;
    let stop = Stop::listen()?;
    let publisher = match &options.whip {
        Some(url) => Some(publish(url, options.key.as_deref()).await?),
        None => None,
    };
    let measured = measure(options, publisher.as_ref(), &sources, &stop).await;
    if let Some(publisher) = publisher {
        publisher.leave().await;
    }
    let report = measured?;
    print(&report, options.json)?;
    report.verdict()
}

async fn publish(url: &str, key: Option<&str>) -> anyhow::Result<Crowd> {
    let whip = Endpoint::new(url, key)?;
    let source = Source::clip(1)?;
    progress("publishing");
    let published = Crowd::of_str0m(&whip, source, ViewerSpec::default(), 1).await;
    published.map_err(|error| advised("cannot publish", &error))
}

async fn measure(
    options: &Joins,
    publisher: Option<&Crowd>,
    sources: &Sources<'_>,
    stop: &Stop,
) -> anyhow::Result<Report> {
    if let Some(publisher) = publisher {
        until_live(publisher, stop).await?;
    }
    stop.or(sleep(QUIET)).await?;
    let threads = (0..options.client_threads).map(|_| Driver::start("viewers"));
    let drivers = threads.collect::<Result<Vec<_>, _>>()?;
    let mut report = Report {
        at_once: options.at_once.into(),
        before: sources.look().await?,
        rounds: Vec::new(),
        growth_kib: None,
        growth_bytes_per_join: None,
        left_behind: Vec::new(),
    };
    let rounds = usize::from(options.rounds);
    for number in 0..rounds {
        let joins = usize::from(options.joins);
        let joins = joins * (number + 1) / rounds - joins * number / rounds;
        progress(&format!("round {} of {rounds}: {joins} joins", number + 1));
        let mut round = come_and_go(options, &drivers, joins, stop).await?;
        let began = Instant::now();
        round.after = stop.or(sources.settled(report.before)).await??;
        round.settled_seconds = began.elapsed().as_secs_f64();
        report.rounds.push(round);
    }
    report.compare();
    Ok(report)
}

/// Lets so many viewers come and go, some of them there at once.
async fn come_and_go(
    options: &Joins,
    drivers: &[Driver],
    joins: usize,
    stop: &Stop,
) -> anyhow::Result<Round> {
    // Of this round alone, so that no connection of it stays open.
    let whep = Endpoint::new(&options.whep, None)?;
    let (began, mut told) = (Instant::now(), Instant::now());
    let (mut visits, mut round) = (JoinSet::new(), Round::default());
    let mut is_stopped = false;
    for (number, driver) in (0..joins).zip(drivers.iter().cycle()) {
        let is_full = visits.len() >= usize::from(options.at_once);
        let gone = match stop.or(next(&mut visits, is_full)).await {
            Ok(gone) => gone,
            Err(Stopped) => {
                is_stopped = true;
                break;
            }
        };
        gone.into_iter().for_each(|visit| round.take(visit));
        if told.elapsed() > TELL_EVERY {
            told = Instant::now();
            progress(&format!("{number} came, {} of them are gone", round.gone()));
        }
        let visit = Visit {
            whep: whep.clone(),
            driver: driver.clone(),
            stay: Duration::from_millis(options.stay_ms.into()),
            within: Duration::from_secs(options.join_within.into()),
            protocol: match options.tcp && number.is_multiple_of(3) {
                true => Protocol::Tcp,
                false => Protocol::Udp,
            },
            way: WAYS
                .get(number % WAYS.len())
                .copied()
                .unwrap_or(Leave::Delete),
            stop: stop.clone(),
        };
        visits.spawn(visit.pay());
    }
    // Those who are there go also when we were asked to stop: they hear of it, too.
    while !visits.is_empty() {
        let gone = next(&mut visits, true).await;
        gone.into_iter().for_each(|visit| round.take(visit));
    }
    if is_stopped {
        return Err(Stopped.into());
    }
    round.seconds = began.elapsed().as_secs_f64();
    round.first_key_frame = Spread::of(std::mem::take(&mut round.times));
    if round.joined == 0
        && let Some(error) = &round.first_error
    {
        bail!("nobody can watch: {error}");
    }
    Ok(round)
}

/// Those who are gone; waits for the next of them if told to.
async fn next(
    visits: &mut JoinSet<anyhow::Result<Duration>>,
    wait: bool,
) -> Vec<anyhow::Result<Duration>> {
    let mut gone = Vec::new();
    let mut next = match wait {
        true => visits.join_next().await,
        false => visits.try_join_next(),
    };
    while let Some(visit) = next {
        gone.push(visit.unwrap_or_else(|broken| Err(broken.into())));
        next = visits.try_join_next();
    }
    gone
}

/// One viewer, from its offer to its leave.
struct Visit {
    whep: Endpoint,
    driver: Driver,
    /// How long it looks at the picture.
    stay: Duration,
    within: Duration,
    protocol: Protocol,
    way: Leave,
    stop: Stop,
}

impl Visit {
    /// Comes, looks and goes. Returns how long it took until there was a picture.
    async fn pay(self) -> anyhow::Result<Duration> {
        let (spec, sent) = (ViewerSpec::default(), Sent::default());
        let joined = crate::watch(&self.driver, &self.whep, &spec, self.protocol, &sent);
        let viewer = joined.await.map_err(in_words)?;
        let seen = self.stop.or(self.look(&viewer)).await;
        let left = viewer.leave(self.way).await;
        let took = seen??;
        left.context("cannot leave")?;
        Ok(took)
    }

    async fn look(&self, viewer: &Watching) -> anyhow::Result<Duration> {
        let Ok(seen) = timeout(self.within, until_seen(viewer)).await else {
            bail!("a viewer had no picture within {} s", self.within.as_secs());
        };
        sleep(self.stay).await;
        seen
    }
}

fn in_words(error: JoinError) -> anyhow::Error {
    advised("cannot watch", &error.into())
}

async fn until_seen(viewer: &Watching) -> anyhow::Result<Duration> {
    let mut pause = interval(Duration::from_millis(20));
    loop {
        pause.tick().await;
        let (milestones, is_closed) = viewer.progress().await?;
        if is_closed {
            bail!("the server ended the session of a viewer; its log should say why");
        }
        if let Some(took) = milestones.first_key_frame {
            return Ok(took);
        }
    }
}

impl Round {
    fn gone(&self) -> usize {
        self.joined + self.failed
    }

    fn take(&mut self, visit: anyhow::Result<Duration>) {
        match visit {
            Ok(took) => {
                self.joined += 1;
                self.times.push(took);
            }
            Err(error) => {
                self.failed += 1;
                self.first_error.get_or_insert_with(|| format!("{error:#}"));
            }
        }
    }
}

impl Report {
    /// Finds what did not come back.
    fn compare(&mut self) {
        let [first, .., last] = self.rounds.as_slice() else {
            return;
        };
        self.left_behind = last.after.more_than(self.before);
        let Some((from, to)) = first.after.rss_kib.zip(last.after.rss_kib) else {
            return;
        };
        let later = self.rounds.iter().skip(1).map(Round::gone);
        let joins = i64::try_from(later.sum::<usize>()).unwrap_or(i64::MAX);
        let growth = to.cast_signed() - from.cast_signed();
        self.growth_kib = Some(growth);
        self.growth_bytes_per_join = Some(growth * 1024 / joins.max(1));
        if to > from + from * GROWTH_PERCENT / 100 + GROWTH_KIB {
            let grown = format!("its memory grew from {from} to {to} KiB after the first round");
            self.left_behind.push(grown);
        }
    }

    /// Fails when somebody could not watch, or something did not come back.
    fn verdict(&self) -> anyhow::Result<()> {
        let failed: usize = self.rounds.iter().map(|round| round.failed).sum();
        if let Some(error) = self.rounds.iter().find_map(|r| r.first_error.as_ref()) {
            bail!("{failed} joins failed, the first for this: {error}");
        }
        if !self.left_behind.is_empty() {
            bail!(
                "the server did not come back to what it was: {}",
                self.left_behind.join("; ")
            );
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joins: usize = self.rounds.iter().map(Round::gone).sum();
        writeln!(f, "{joins} joins, at most {} at once", self.at_once)?;
        writeln!(
            f,
            "  after        joined  failed  seconds  key frame p50    p95 ms  settled s    RSS KiB  \
             files  threads  tasks  sessions"
        )?;
        writeln!(f, "  the start {:60} {}", "", self.before)?;
        for (number, round) in self.rounds.iter().enumerate() {
            writeln!(
                f,
                "  round {:3} {:9} {:7} {:8.1} {:14.1} {:9.1} {:10.1} {}",
                number + 1,
                round.joined,
                round.failed,
                round.seconds,
                round.first_key_frame.p50_ms,
                round.first_key_frame.p95_ms,
                round.settled_seconds,
                round.after
            )?;
        }
        match (self.growth_kib, self.growth_bytes_per_join) {
            (Some(kib), Some(bytes)) => write!(
                f,
                "Memory after the last round against the first: {kib:+} KiB, {bytes:+} bytes a join."
            ),
            _ => write!(f, "Memory is told of by --server-pid."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holding() -> Holding {
        Holding {
            rss_kib: Some(100_000),
            files: Some(40),
            threads: Some(12),
            tasks: Some(30),
            sessions: Some(1),
            viewers: Some(0),
            unclosed: Some(1),
        }
    }

    fn report(last: Holding) -> Report {
        let round = |after| Round {
            joined: 1_000,
            after,
            ..Round::default()
        };
        let mut report = Report {
            at_once: 100,
            before: holding(),
            rounds: vec![round(holding()), round(holding()), round(last)],
            growth_kib: None,
            growth_bytes_per_join: None,
            left_behind: Vec::new(),
        };
        report.compare();
        report
    }

    #[test]
    fn what_comes_back_is_no_growth() {
        let same = Holding {
            rss_kib: Some(110_000),
            files: Some(47),
            ..holding()
        };
        let report = report(same);
        assert_eq!(report.growth_bytes_per_join, Some(5_120));
        assert!(report.verdict().is_ok(), "{report}");
    }

    #[test]
    fn each_kind_that_is_left_behind_is_named() {
        for (kind, after) in [
            (
                "1 sessions that watch",
                Holding {
                    viewers: Some(1),
                    ..holding()
                },
            ),
            (
                "2 sessions in its books",
                Holding {
                    sessions: Some(2),
                    ..holding()
                },
            ),
            (
                "2 sessions not closed",
                Holding {
                    unclosed: Some(2),
                    ..holding()
                },
            ),
            (
                "60 open files",
                Holding {
                    files: Some(60),
                    ..holding()
                },
            ),
            (
                "90 threads",
                Holding {
                    threads: Some(90),
                    ..holding()
                },
            ),
            (
                "900 tasks",
                Holding {
                    tasks: Some(900),
                    ..holding()
                },
            ),
            (
                "to 120000 KiB",
                Holding {
                    rss_kib: Some(120_000),
                    ..holding()
                },
            ),
        ] {
            let error = report(after).verdict().unwrap_err().to_string();
            assert!(error.contains(kind), "{error}");
        }
    }

    #[test]
    fn what_nobody_tells_of_is_not_compared() {
        let untold = Report {
            before: Holding::default(),
            ..report(holding())
        };
        assert!(untold.verdict().is_ok());
    }

    #[test]
    fn a_failed_join_fails_the_run() {
        let mut report = report(holding());
        let round = report.rounds.last_mut().unwrap();
        round.take(Err(anyhow::anyhow!("the server is full")));
        let error = report.verdict().unwrap_err().to_string();
        assert_eq!(
            error,
            "1 joins failed, the first for this: the server is full"
        );
    }
}
