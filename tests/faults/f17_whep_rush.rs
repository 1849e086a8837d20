//! F17: 300 join by WHEP within ten seconds, while some watch already.

use std::time::Duration;

use loadtest::source::{MadeUp, Source};
use loadtest::{Driver, PublisherSpec, Sent, Watching};
use tokio::task::JoinSet;

use crate::crowd::watch;
use crate::fault::{Fault, now};
use crate::site::Site;
use crate::support::{SPS_428X240, until, until_more, until_within};

const COME: u32 = 300;
const WITHIN: Duration = Duration::from_secs(10);
/// There before.
const THERE: usize = 10;
/// All see in this time, on a machine that does other things, too.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a debug build has both cores busy for a minute"]
async fn three_hundred_join_by_webrtc_in_ten_seconds() {
    let mut fault = Fault::of("F17", "rush").await;
    // Packaging is no part of it.
    let site = tokio::task::block_in_place(|| Site::with(&[("TALLYLIGHT_HLS_ENABLED", "false")]));
    let mut server = tokio::task::block_in_place(|| site.start());
    let clients = Driver::start("publisher").unwrap();
    let sent = Sent::default();
    let publisher = loadtest::publish(&clients, &site.whip(), &small(), &sent)
        .await
        .unwrap();
    until("media to flow", || async {
        publisher.report().await.unwrap().frames > 30
    })
    .await;
    let first = Driver::start("first").unwrap();
    let mut there = Vec::new();
    for _ in 0..THERE {
        there.push(watch(&first, &site.whep()).await.unwrap());
    }
    for viewer in &there {
        until_more(viewer, 30).await;
    }
    first.start_window().await.unwrap();

    let crowd = Driver::start("crowd").unwrap();
    let mut joining = JoinSet::new();
    let mut pause = tokio::time::interval(WITHIN / COME);
    let began = now();
    for _ in 0..COME {
        pause.tick().await;
        let (crowd, whep) = (crowd.clone(), site.whep());
        joining.spawn(async move { watch(&crowd, &whep).await });
    }
    let mut come: Vec<Watching> = Vec::new();
    let mut refused = Vec::new();
    while let Some(joined) = joining.join_next().await {
        match joined.unwrap() {
            Ok(viewer) => come.push(viewer),
            Err(error) => refused.push(error.to_string()),
        }
    }
    assert!(
        refused.is_empty(),
        "{} of {COME}: {:?}",
        refused.len(),
        refused[0]
    );
    let all = usize::try_from(COME).unwrap();
    until_within(PATIENCE, "all to see", || async {
        crowd.tally().await.unwrap().seeing == all
    })
    .await;
    let took = began.elapsed();

    let tally = crowd.tally().await.unwrap();
    assert_eq!(tally.closed, 0, "{tally:?}");
    let reports = crowd.view_reports().await.unwrap();
    let milestones = reports.iter().map(|report| &report.milestones);
    fault.saw("joined", tally.seeing);
    fault.took("all_see_after", took);
    fault.spread("connected", milestones.clone().filter_map(|one| one.dtls));
    fault.spread(
        "first_picture",
        milestones.filter_map(|one| one.first_key_frame),
    );
    let mut lost = 0;
    let mut packets = 0;
    for viewer in &there {
        let seen = viewer.report().await.unwrap();
        assert!(!seen.closed, "{seen:?}");
        lost += seen.lost;
        packets += seen.video_packets;
        until_more(viewer, 10).await;
    }
    assert!(
        lost * 100 <= packets,
        "{lost} of {packets} lost by those who were there"
    );
    fault.saw("lost_by_others", lost);
    fault.saw("packets_of_others", packets);
    tokio::task::block_in_place(|| server.terminate());
}

/// A small picture: it is about joining.
fn small() -> PublisherSpec {
    PublisherSpec::browser(Source::made_up(&[MadeUp {
        rid: None,
        sps: SPS_428X240,
        bitrate: 100_000,
        keyframe_every: 60,
        aggregates: true,
    }]))
}
