//! F20: viewers come and go, publishers begin again and again; afterwards the server is as it was before.

use std::time::Duration;

use loadtest::process::Process as Watched;
use loadtest::signalling::Endpoint;
use loadtest::{Driver, Leave};
use tokio::task::JoinSet;

use crate::crowd::watch;
use crate::fault::{Fault, now};
use crate::site::Site;
use crate::support::{until, until_within};

/// A stream is over so soon after its publisher left, and not yet when a busy machine holds one up for a moment.
const WINDOW: (&str, &str) = ("TALLYLIGHT_STREAMS_RECONNECT_WINDOW_SECONDS", "4");
/// Viewers of each stream, and how many are there at once.
const JOINS: u64 = 60;
const AT_ONCE: usize = 20;
/// Streams at least, after the first, which warms up.
const STREAMS: u64 = 2;
/// Connections, pooled threads and files that have nothing to do with anybody come and go.
const SLACK: u64 = 8;
/// Memory may grow by this share in the second half, and by so much more, before it counts as growth: in the first
/// half caches fill, and the allocator finds out how much is wanted at once.
const GROWTH_PERCENT: u64 = 5;
const GROWTH_KIB: u64 = 8 * 1_024;

/// How often memory is looked at on the way.
const POINTS: u32 = 12;

/// What is to go goes in this time, on a machine that does other things, too.
const PATIENCE: Duration = Duration::from_secs(60);

/// So long HLS of a stream that is over is there for who is behind.
const LINGER: Duration = Duration::from_secs(120);

/// What the server holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Holding {
    rss_kib: u64,
    files: u64,
    threads: u64,
    tasks: u64,
}

/// `SOAK_SECONDS=1800` goes on for so long.
#[tokio::test(flavor = "multi_thread")]
async fn who_comes_and_goes_leaves_nothing_behind() {
    let given = std::env::var("SOAK_SECONDS").ok();
    let seconds = given.map_or(0, |seconds| seconds.parse().unwrap());
    soak("streams", Duration::from_secs(seconds)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "half an hour; SOAK_SECONDS has the other one go on for as long as you like"]
async fn half_an_hour_leaves_nothing_behind() {
    soak("half an hour", Duration::from_secs(1_800)).await;
}

async fn soak(case: &'static str, length: Duration) {
    let mut fault = Fault::of("F20", case).await;
    let site = tokio::task::block_in_place(|| Site::with(&[WINDOW]));
    let mut server = tokio::task::block_in_place(|| site.start());
    let id = server.id();
    let began = now();
    stream(&site, id).await;
    let warm = holding(&site, id).await;
    let (mut streams, mut course) = (0, vec![warm.rss_kib]);
    while streams < STREAMS || began.elapsed() < length {
        stream(&site, id).await;
        streams += 1;
        if began.elapsed() > length * u32::try_from(course.len()).unwrap() / POINTS {
            course.push(holding(&site, id).await.rss_kib);
        }
    }
    let last = settled(&site, id, warm).await;
    let more = more_than(last, warm);
    let growth = last.rss_kib.cast_signed() - warm.rss_kib.cast_signed();
    fault.saw("streams", streams + 1);
    fault.saw("joins", (streams + 1) * JOINS);
    let half = course[course.len() / 2];
    let most = half + half * GROWTH_PERCENT / 100 + GROWTH_KIB;
    fault.saw("rss_kib", course);
    fault.saw("rss_growth_kib", growth);
    fault.saw("files", vec![warm.files, last.files]);
    fault.saw("threads", vec![warm.threads, last.threads]);
    fault.saw("tasks", vec![warm.tasks, last.tasks]);
    assert!(more.is_empty(), "more {more:?}: {warm:?} {last:?}");
    assert!(last.rss_kib <= most, "{half} {last:?}");
    let listed = site.items("/api/streams?channel=ada&limit=100").await;
    assert!(
        listed.iter().all(|stream| stream["state"] == "ended"),
        "{listed:?}"
    );
    tokio::task::block_in_place(|| server.terminate());
}

/// A publisher, to whom viewers come, and its end.
async fn stream(site: &Site, id: u32) {
    let publishing = site.publish();
    until("the stream to be live", || async {
        site.state().await == "live"
    })
    .await;
    let saw = come_and_go(site).await;
    drop(publishing);
    assert!(saw * 10 >= JOINS * 9, "{saw} of {JOINS} saw something");
    until_within(PATIENCE, "the stream to be over", || async {
        site.state().await == "offline"
            && site.metric("tallylight_sessions").await == 0
            && Watched(id).children().unwrap().rss_kib == 0
    })
    .await;
}

/// Most go as players do, some as tabs do, few as networks do: the server finds those out after 20 s, while others come.
/// Gives how many saw something: on a machine that has no time some do not get through their handshake, and leave nothing either.
async fn come_and_go(site: &Site) -> u64 {
    let driver = Driver::start("viewers").unwrap();
    let (mut visits, mut saw) = (JoinSet::new(), 0);
    for number in 0..JOINS {
        if visits.len() >= AT_ONCE {
            saw += u64::from(visits.join_next().await.unwrap().unwrap());
        }
        let how = match number % 10 {
            9 if number < JOINS / 2 => Leave::Vanish,
            3 | 6 => Leave::Close,
            _ => Leave::Delete,
        };
        let (driver, whep) = (driver.clone(), site.whep());
        visits.spawn(async move { visit(&driver, &whep, how).await });
    }
    while let Some(visit) = visits.join_next().await {
        saw += u64::from(visit.unwrap());
    }
    saw
}

/// Whether there was a picture.
async fn visit(driver: &Driver, whep: &Endpoint, how: Leave) -> bool {
    let viewer = watch(driver, whep).await.unwrap();
    let mut pause = tokio::time::interval(Duration::from_millis(20));
    loop {
        pause.tick().await;
        let (milestones, is_closed) = viewer.progress().await.unwrap();
        if is_closed {
            viewer.leave(Leave::Vanish).await.unwrap();
            return false;
        }
        if milestones.first_key_frame.is_some() {
            viewer.leave(how).await.unwrap();
            return true;
        }
    }
}

async fn holding(site: &Site, id: u32) -> Holding {
    let process = Watched(id);
    Holding {
        rss_kib: process.usage().unwrap().rss_kib,
        files: process.open_files().unwrap(),
        threads: u64::try_from(process.threads().len()).unwrap(),
        tasks: site.metric("tallylight_tasks").await,
    }
}

/// What it holds when that is no more than before, or after too long.
async fn settled(site: &Site, id: u32, before: Holding) -> Holding {
    let deadline = now() + LINGER + PATIENCE;
    loop {
        let found = holding(site, id).await;
        if more_than(found, before).is_empty() || now() > deadline {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

/// Kinds of which there is more, memory aside.
fn more_than(now: Holding, before: Holding) -> Vec<&'static str> {
    let kinds = [
        ("files", before.files, now.files),
        ("threads", before.threads, now.threads),
        ("tasks", before.tasks, now.tasks),
    ];
    let more = kinds
        .into_iter()
        .filter(|(_, before, now)| *now > before + SLACK);
    more.map(|(kind, _, _)| kind).collect()
}
