//! A stream that is handed over at the origin, as RTMP's is: what is made of it, and B-frames.

use super::*;
use crate::fed::Handed;
use crate::simulation::ingest::{Feeder, OPUS, reordered};
use crate::simulation::making::picture;
use crate::tap::{AccessUnit, Track};

/// Lets time pass while the origin is fed.
fn run_fed(nodes: &mut Nodes, feeder: &mut Feeder, duration: Duration) {
    nodes.run_by(duration, |origin, step| origin.run_fed(feeder, step));
}

#[test]
fn what_is_handed_over_and_what_is_made_of_it_reaches_an_edge() {
    let mut nodes = Nodes::new(2);
    let mut feeder = nodes.origin().ingest(OPUS);
    run_fed(&mut nodes, &mut feeder, SECOND * 3);
    nodes.pull(stream(), (1, 0), between(1.0));
    run_fed(&mut nodes, &mut feeder, SECOND);
    let viewer = nodes.edge().view(stream(), PERFECT());
    run_fed(&mut nodes, &mut feeder, SECOND * 3);
    let edge = nodes.edge();
    let shared = edge.registry().stream(stream()).expect("it is live");
    assert_eq!(shared.answers_pli(), Some(false), "as the origin says");
    let player = edge.player(viewer);
    assert!(player.shown.len() > 80, "{}", player.shown.len());
    assert_eq!(player.frozen(edge.elapsed(), VISIBLE), Duration::ZERO);
    assert!(player.audio.len() > 140);

    // A layer is made of it, and withdrawn.
    let zero = nodes.origin().now;
    let door = nodes.origin().make_layer("360", zero).expect("a layer");
    let mut made = 0;
    let mut with_layer = |nodes: &mut Nodes, duration, has_layer: bool| {
        nodes.run_by(duration, |origin: &mut World, step| {
            origin.run_fed(&mut feeder, step);
            let at = origin.now - zero;
            if has_layer && at >= Duration::from_millis(40) * made {
                made += 1;
                let mark = Mark {
                    layer: 7,
                    is_key: made % 25 == 1,
                    frame: made,
                    parts: 1,
                    captured_us: u64::try_from(origin.elapsed().as_micros()).expect("short"),
                    ..Mark::default()
                };
                let unit = door.unit(Handed::at(at, mark.is_key, picture(mark)));
                origin.tell(0, Message::Fed(unit.expect("room")));
            }
        });
    };
    with_layer(&mut nodes, SECOND * 2, true);
    assert_eq!(rids(nodes.edge()), ["360"]);
    assert!(nodes.edge().choose(viewer, "360"));
    with_layer(&mut nodes, SECOND * 2, true);
    assert_eq!(nodes.edge().player(viewer).layer(), Some(7));
    with_layer(&mut nodes, SECOND * 3, false);
    let edge = nodes.edge();
    assert_eq!(edge.player(viewer).layer(), Some(0));
    assert!(is_continuous(&edge.player(viewer).sequence));
}

#[test]
fn edge_turns_viewers_away_where_the_origin_does() {
    let mut nodes = Nodes::new(2);
    let mut feeder = nodes.origin().ingest(reordered(SECOND));
    run_fed(&mut nodes, &mut feeder, SECOND * 3);
    assert!(nodes.origin().is_turned_away());
    nodes.pull(stream(), (1, 0), PERFECT());
    assert!(!nodes.edge().is_turned_away());
    run_fed(&mut nodes, &mut feeder, SECOND);
    assert!(nodes.edge().is_turned_away());
}

/// Whether times of decoding rise and those of showing go back, as with B-frames.
fn is_reordered(units: &[&AccessUnit]) -> bool {
    let times = || units.windows(2);
    let back = times().filter(|pair| pair[1].pts < pair[0].pts).count();
    units.iter().all(|unit| unit.pts >= unit.dts)
        && times().all(|pair| pair[1].dts > pair[0].dts)
        && back * 4 > units.len()
}

#[test]
fn b_frames_reach_the_tap_of_an_edge_with_both_of_their_times() {
    let mut nodes = Nodes::new(2);
    let mut feeder = nodes.origin().ingest(reordered(SECOND));
    run_fed(&mut nodes, &mut feeder, SECOND * 3);
    nodes.pull(stream(), (1, 0), between(1.0));
    run_fed(&mut nodes, &mut feeder, Duration::from_millis(100));
    let mut listener = nodes.edge().tap();
    for _ in 0..800 {
        run_fed(&mut nodes, &mut feeder, Duration::from_millis(5));
        nodes.edge().listen(&mut listener);
    }
    let tracks = listener.tracks.last().expect("they are told");
    let picture = tracks.iter().find(|track| track.track == Track::Video(0));
    assert!(picture.is_some_and(|track| track.reordered));
    let units: Vec<_> = listener.of(Track::Video(0)).map(|u| &u.unit).collect();
    assert!(units.len() > 100, "{} pictures", units.len());
    assert!(units[0].keyframe);
    assert!(is_reordered(&units));
    let apart = |unit: &&AccessUnit| (unit.pts - unit.dts).as_micros() / 1_000;
    let leads: std::collections::BTreeSet<_> = units.iter().map(apart).collect();
    assert!(leads.len() <= 6 && leads.last() > Some(&90), "{leads:?} ms");
    // Sound lies where it did: marks tell when both were captured.
    for unit in listener.units.iter().skip(60) {
        let shown = i64::try_from(unit.unit.pts.as_micros()).expect("short") + listener.zero_us;
        let captured = i64::try_from(unit.mark.captured_us).expect("short");
        assert!(
            (0..60_000).contains(&(shown - captured)),
            "{} µs",
            shown - captured
        );
    }
}

#[test]
fn b_frames_that_come_late_end_viewers_of_the_edge() {
    let mut nodes = Nodes::new(2);
    let mut feeder = nodes.origin().ingest(OPUS);
    run_fed(&mut nodes, &mut feeder, SECOND * 3);
    nodes.pull(stream(), (1, 0), PERFECT());
    run_fed(&mut nodes, &mut feeder, SECOND);
    let viewer = nodes.edge().view(stream(), PERFECT());
    run_fed(&mut nodes, &mut feeder, SECOND * 2);
    assert!(nodes.edge().player(viewer).shown.len() > 50);
    feeder.reorder();
    run_fed(&mut nodes, &mut feeder, SECOND * 5);
    assert_eq!(nodes.edge().lives(Role::Viewer).1, [CloseReason::Reordered]);
    assert!(nodes.edge().is_turned_away());
}
