//! A stream from node to node, and on to viewers.

mod fed;

use std::cell::RefCell;
use std::rc::Rc;

use str0m_netem::{Probability, RandomLoss};

use super::nodes::Nodes;
use super::*;
use crate::event::{CloseReason, Role};

const SECOND: Duration = Duration::from_secs(1);
const VISIBLE: Duration = Duration::from_millis(200);

fn stream() -> StreamId {
    StreamId::from(1)
}

fn between(loss: f32) -> NetemConfig {
    let loss = RandomLoss::new(Probability::new(loss / 100.0));
    PERFECT().jitter(Duration::from_millis(3)).loss(loss)
}

/// An origin with a publisher, and an edge that pulls from it.
fn relayed(spec: &EncoderSpec, link: NetemConfig) -> Nodes {
    let mut nodes = Nodes::new(2);
    nodes.origin().publish(stream(), spec, PERFECT());
    nodes.run(SECOND * 2);
    nodes.pull(stream(), (1, 0), link);
    nodes.run(SECOND);
    nodes
}

/// Whether numbers have no gap, in whatever order they came; what was on its way in the end may lack.
fn is_continuous(sequence: &[u64]) -> bool {
    let mut sorted = sequence.to_vec();
    sorted.sort_unstable();
    let is_next = |pair: &[u64]| pair[1] == pair[0] + 1;
    let first_gap = sorted.windows(2).position(|pair| !is_next(pair));
    first_gap.is_none_or(|at| at + 100 > sorted.len())
}

/// When it showed the first picture after that time.
fn first_shown(player: &Player, since: Duration) -> Duration {
    let mut shown = player.shown.iter();
    shown.find(|s| s.at > since).expect("it goes on").at
}

fn rids(world: &mut World) -> Vec<String> {
    let mut rids: Vec<String> = world.layers().into_iter().filter_map(|l| l.rid).collect();
    rids.sort_unstable();
    rids
}

#[test]
fn simulcast_reaches_an_edge_and_its_viewers_choose_by_rid() {
    let mut nodes = relayed(&EncoderSpec::simulcast(), PERFECT());
    assert_eq!(rids(nodes.edge()), ["h", "l", "m"]);
    let viewers = [0; 3].map(|_| nodes.edge().view(stream(), PERFECT()));
    nodes.run(SECOND * 4);
    for (viewer, (rid, layer)) in viewers.into_iter().zip([("l", 0), ("m", 1), ("h", 2)]) {
        let edge = nodes.edge();
        let player = edge.player(viewer);
        assert_eq!(player.layer(), Some(2));
        let connected = player.connected_at.expect("it is connected");
        let first = player.shown.first().expect("a picture").at;
        assert!(first - connected < VISIBLE, "{:?}", first - connected);
        assert_eq!(player.frozen(edge.elapsed(), VISIBLE), Duration::ZERO);
        assert!(edge.choose(viewer, rid));
        nodes.run(SECOND * 2);
        let edge = nodes.edge();
        assert_eq!(edge.player(viewer).layer(), Some(layer), "{rid}");
        assert_eq!(
            edge.player(viewer).frozen(edge.elapsed(), VISIBLE),
            Duration::ZERO
        );
        assert!(is_continuous(&edge.player(viewer).sequence));
    }
    assert_eq!(nodes.origin().lives(Role::Relay), (1, Vec::new()));
    assert_eq!(nodes.origin().lives(Role::Viewer).0, 0);
    assert_eq!(nodes.edge().lives(Role::Publisher), (1, Vec::new()));
    let shared = nodes
        .origin()
        .registry()
        .stream(stream())
        .expect("it is live");
    assert_eq!(shared.viewers(), 0, "an edge is no viewer");
}

#[test]
fn one_layer_of_each_codec_passes() {
    for codec in [Codec::H264, Codec::Vp8, Codec::Vp9, Codec::Av1, Codec::H265] {
        let spec = EncoderSpec {
            codec,
            ..EncoderSpec::single(SECOND * 2, true)
        };
        let mut nodes = relayed(&spec, PERFECT());
        let viewer = nodes
            .edge()
            .view_as(stream(), codec, PERFECT(), |offer| offer, |_| {});
        nodes.run(SECOND * 3);
        let edge = nodes.edge();
        let shared = edge.registry().stream(stream()).expect("it is live");
        assert_eq!(
            shared.video().map(crate::video::VideoCodec::for_str0m),
            Some(codec)
        );
        assert_eq!(shared.layers(), 1);
        let layers = edge.layers();
        assert_eq!((layers.len(), layers[0].rid.as_deref()), (1, None));
        let player = edge.player(viewer);
        assert!(player.shown.len() > 80, "{codec:?}: {}", player.shown.len());
        assert_eq!(player.frozen(edge.elapsed(), VISIBLE), Duration::ZERO);
        assert!(player.audio.len() > 140, "{}", player.audio.len());
    }
}

#[test]
fn edge_has_the_group_that_the_origin_had_and_is_live_at_once() {
    // Eleven seconds into a group of an encoder that does not listen.
    let spec = EncoderSpec {
        layers: vec![(None, 1_000_000)],
        ..EncoderSpec::single(SECOND * 3_600, false)
    };
    let mut nodes = Nodes::new(2);
    nodes.origin().publish(stream(), &spec, PERFECT());
    nodes.run(SECOND * 8);
    let pulled = nodes.edge().elapsed();
    nodes.pull(stream(), (1, 0), PERFECT());
    // It comes while the edge's cache is being filled.
    let early = nodes.edge().view(stream(), PERFECT());
    nodes.run(SECOND * 2);
    let late = nodes.edge().view(stream(), PERFECT());
    nodes.run(SECOND);
    for (viewer, since) in [(early, pulled), (late, pulled + SECOND * 2)] {
        let edge = nodes.edge();
        let player = edge.player(viewer);
        let first = player.shown.first().expect("a picture").at - since;
        assert!(first < SECOND / 2, "{first:?}");
        let is_live = |s: &&player::Shown| s.age < Duration::from_millis(100);
        let live = player.shown.iter().find(is_live).expect("it is live").at - since;
        assert!(live < SECOND, "{live:?}");
        let behind = player.shown_between(since + SECOND, edge.elapsed());
        assert_eq!(behind.filter(|s| !is_live(s)).count(), 0);
        // Times are as close as the frames were: at the end the player is not behind.
        assert!(
            player.drift() < Duration::from_millis(250),
            "{:?}",
            player.drift()
        );
    }
}

#[test]
fn loss_between_nodes_is_made_good() {
    // Of five per cent some are lost as often as they can be asked for.
    for (loss, most_frozen, most_missing) in [(1.0, VISIBLE / 10, 0), (5.0, SECOND, 4)] {
        let mut nodes = relayed(&EncoderSpec::simulcast(), between(loss));
        let viewer = nodes.edge().view(stream(), PERFECT());
        nodes.run(SECOND * 20);
        let edge = nodes.edge();
        let player = edge.player(viewer);
        assert_eq!(player.layer(), Some(2));
        let frozen = player.frozen(edge.elapsed(), VISIBLE);
        assert!(frozen < most_frozen, "{loss}: {frozen:?}");
        // While it climbed, what was late of a smaller layer was of no use any more; and the newest may
        // be on its way.
        let (first, last) = (player.sequence[0] + 1_000, player.sequence.iter().max());
        let settled = first..last.expect("some") - 100;
        let came = player
            .sequence
            .iter()
            .filter(|n| settled.contains(n))
            .count() as u64;
        let missing = settled.end - settled.start - came;
        assert!(missing <= most_missing, "{loss}: {missing} are missing");
    }
}

#[test]
fn lost_picture_of_an_edges_viewer_reaches_the_publisher_and_requests_are_few() {
    let mut nodes = relayed(&EncoderSpec::simulcast(), PERFECT());
    let viewers = [0; 4].map(|_| nodes.edge().view(stream(), PERFECT()));
    nodes.run(SECOND * 2);
    let before = nodes.origin().encoder(0).requests;
    for viewer in viewers {
        // For 700 ms nothing comes, retransmissions neither.
        nodes.edge().cut_off(viewer, true);
    }
    nodes.run(Duration::from_millis(700));
    for viewer in viewers {
        nodes.edge().cut_off(viewer, false);
    }
    nodes.run(SECOND * 3);
    let requests = nodes.origin().encoder(0).requests - before;
    assert!((1..=4).contains(&requests), "{requests} requests");
    let edge = nodes.edge();
    let late = edge.elapsed() - SECOND;
    for viewer in viewers {
        assert!(
            edge.player(viewer)
                .shown_between(late, edge.elapsed())
                .count()
                > 25
        );
    }
}

#[test]
fn sound_and_picture_stay_together_over_two_nodes() {
    let spec = EncoderSpec {
        video_delay: Duration::from_millis(120),
        ..EncoderSpec::simulcast()
    };
    let mut nodes = relayed(&spec, between(0.0));
    let viewer = nodes.edge().view(stream(), PERFECT());
    nodes.run(SECOND * 6);
    let edge = nodes.edge();
    let apart = |world: &World| {
        let player = world.player(viewer);
        let clocks = player.audio_clock.zip(player.video_clock);
        clocks.map(|(audio, video)| (audio - video).abs())
    };
    let together = apart(edge).expect("both are reported");
    assert!(together < 10_000, "{together} µs apart");
    // Also behind a switch.
    assert!(edge.choose(viewer, "l"));
    nodes.run(SECOND * 4);
    let together = apart(nodes.edge()).expect("both are reported");
    assert!(together < 10_000, "{together} µs apart");
}

#[test]
fn take_over_at_the_origin_is_one_at_the_edge() {
    let mut nodes = relayed(&EncoderSpec::simulcast(), PERFECT());
    let viewer = nodes.edge().view(stream(), PERFECT());
    nodes.run(SECOND * 3);
    nodes.origin().cut_off(0, true);
    nodes.run(SECOND * 2);
    let back = nodes.edge().elapsed();
    let spec = EncoderSpec {
        layers: vec![(None, 800_000)],
        ..EncoderSpec::single(SECOND * 2, true)
    };
    nodes.origin().publish(stream(), &spec, PERFECT());
    nodes.run(SECOND * 4);
    let edge = nodes.edge();
    assert!(rids(edge).is_empty());
    assert_eq!(edge.layers().len(), 1);
    assert_eq!(edge.lives(Role::Publisher), (1, Vec::new()));
    assert_eq!(edge.lives(Role::Viewer), (1, Vec::new()));
    let player = edge.player(viewer);
    let again = first_shown(player, back);
    assert!(again - back < SECOND, "{:?}", again - back);
    let late = edge.elapsed() - SECOND * 2;
    assert!(player.shown_between(late, edge.elapsed()).count() > 55);
    assert!(is_continuous(&player.sequence));
    assert_eq!(nodes.origin().lives(Role::Relay), (1, Vec::new()));
}

#[test]
fn layer_that_pauses_and_comes_again_does_so_at_the_edge() {
    let mut nodes = relayed(&EncoderSpec::simulcast(), PERFECT());
    let viewer = nodes.edge().view(stream(), PERFECT());
    nodes.run(SECOND * 3);
    nodes.origin().encoder(0).paused_layer = Some(2);
    nodes.run(SECOND * 4);
    let edge = nodes.edge();
    assert_eq!(edge.player(viewer).layer(), Some(1));
    assert_eq!(edge.layers().iter().filter(|layer| layer.active).count(), 2);
    nodes.origin().encoder(0).paused_layer = None;
    nodes.run(SECOND * 4);
    let edge = nodes.edge();
    assert_eq!(edge.player(viewer).layer(), Some(2));
    assert!(is_continuous(&edge.player(viewer).sequence));
}

#[test]
fn lost_pull_leaves_the_viewers_and_another_goes_on_from_another_origin() {
    let mut nodes = Nodes::new(3);
    // The publisher moves from the first to the third.
    nodes
        .origin()
        .publish(stream(), &EncoderSpec::simulcast(), PERFECT());
    nodes
        .world(2)
        .publish(stream(), &EncoderSpec::simulcast(), PERFECT());
    nodes.run(SECOND * 2);
    let lost = nodes.pull(stream(), (1, 0), PERFECT());
    nodes.run(SECOND);
    let viewer = nodes.edge().view(stream(), PERFECT());
    nodes.run(SECOND * 3);
    nodes.cut_off(lost);
    nodes.run(SECOND * 3);
    let silent = |(_, event): &(Duration, Event)| matches!(event, Event::MediaSilent { session, .. } if *session == nodes.pull_session(lost));
    assert!(nodes.edge_events().iter().any(silent));
    let again = nodes.edge().elapsed();
    nodes.pull(stream(), (1, 2), PERFECT());
    nodes.run(SECOND * 3);
    let edge = nodes.edge();
    let player = edge.player(viewer);
    let back = first_shown(player, again);
    assert!(back - again < SECOND / 2, "{:?}", back - again);
    assert!(is_continuous(&player.sequence));
    assert_eq!(edge.lives(Role::Viewer), (1, Vec::new()));
    let superseded = vec![CloseReason::Superseded];
    assert_eq!(edge.lives(Role::Publisher), (2, superseded));
}

#[test]
fn publisher_that_comes_to_the_edge_takes_the_place_of_the_pull() {
    let mut nodes = relayed(&EncoderSpec::simulcast(), PERFECT());
    let viewer = nodes.edge().view(stream(), PERFECT());
    nodes.run(SECOND * 2);
    let spec = EncoderSpec::single(SECOND * 2, true);
    nodes.edge().publish(stream(), &spec, PERFECT());
    nodes.run(SECOND * 2);
    // Another publisher at the origin does not bring the pull back.
    nodes
        .origin()
        .publish(stream(), &EncoderSpec::simulcast(), PERFECT());
    nodes.run(SECOND * 3);
    let edge = nodes.edge();
    let superseded = vec![CloseReason::Superseded];
    assert_eq!(edge.lives(Role::Publisher), (2, superseded));
    assert_eq!(edge.layers().len(), 1);
    assert!(is_continuous(&edge.player(viewer).sequence));
    assert_eq!(edge.player(viewer).layer(), Some(0));
    assert_eq!(nodes.origin().lives(Role::Relay).1.len(), 1);
}

#[test]
fn pull_is_not_the_publisher_before_it_has_an_answer() {
    let mut nodes = Nodes::new(2);
    nodes
        .edge()
        .publish(stream(), &EncoderSpec::simulcast(), PERFECT());
    nodes.run(SECOND * 2);
    let viewer = nodes.edge().view(stream(), PERFECT());
    nodes.run(SECOND);
    let (session, _) = nodes.edge().begin_pull(stream(), 49_999);
    nodes.run(SECOND * 3);
    let edge = nodes.edge();
    assert_eq!(edge.layers().len(), 3);
    assert_eq!(edge.lives(Role::Publisher), (1, Vec::new()));
    let refused = edge.answer_pull(session, "v=0\r\nno answer");
    assert!(refused.is_err());
    nodes.run(SECOND);
    let edge = nodes.edge();
    let (_, ends) = edge.lives(Role::Publisher);
    assert!(matches!(ends[..], [CloseReason::Failed(_)]));
    assert_eq!(
        edge.player(viewer).frozen(edge.elapsed(), VISIBLE),
        Duration::ZERO
    );
}

#[test]
fn all_shards_of_an_edge_have_what_one_pulls() {
    let mut nodes = Nodes::with(2, 3);
    nodes
        .origin()
        .publish(stream(), &EncoderSpec::simulcast(), PERFECT());
    nodes.run(SECOND * 2);
    nodes.pull(stream(), (1, 0), between(1.0));
    nodes.run(SECOND);
    let viewers = [0; 3].map(|_| nodes.edge().view(stream(), PERFECT()));
    nodes.run(SECOND * 3);
    let edge = nodes.edge();
    for viewer in viewers {
        let player = edge.player(viewer);
        assert_eq!(player.layer(), Some(2));
        assert_eq!(player.frozen(edge.elapsed(), VISIBLE), Duration::ZERO);
    }
}

#[test]
fn edge_of_an_edge_works_too() {
    let mut nodes = Nodes::new(3);
    nodes
        .origin()
        .publish(stream(), &EncoderSpec::simulcast(), PERFECT());
    nodes.run(SECOND * 2);
    nodes.pull(stream(), (1, 0), between(1.0));
    nodes.run(SECOND);
    nodes.pull(stream(), (2, 1), between(1.0));
    nodes.run(SECOND);
    let viewer = nodes.world(2).view(stream(), PERFECT());
    nodes.run(SECOND * 3);
    let last = nodes.world(2);
    assert_eq!(rids(last), ["h", "l", "m"]);
    let player = last.player(viewer);
    assert_eq!(player.layer(), Some(2));
    assert_eq!(player.frozen(last.elapsed(), VISIBLE), Duration::ZERO);
    assert!(last.choose(viewer, "m"));
    nodes.run(SECOND * 2);
    assert_eq!(nodes.world(2).player(viewer).layer(), Some(1));
}

#[test]
fn nothing_is_left_out_on_a_bad_link_between_nodes() {
    let mut nodes = relayed(&EncoderSpec::simulcast(), PERFECT());
    let lost = Rc::new(RefCell::new(0u32));
    let seen = Rc::clone(&lost);
    let mut number = 0;
    // A third of all is lost for two seconds, retransmissions too.
    nodes.watch(
        0,
        Box::new(move |datagram| {
            number += 1;
            let is_lost = datagram[0] >= 128 && number % 3 == 0;
            *seen.borrow_mut() += u32::from(is_lost);
            is_lost
        }),
    );
    let before = nodes.edge().layers().iter().map(|l| l.packets).sum::<u64>();
    nodes.run(SECOND * 2);
    nodes.watch(0, Box::new(|_| false));
    let came = nodes.edge().layers().iter().map(|l| l.packets).sum::<u64>() - before;
    assert!(*lost.borrow() > 100);
    assert!(came > 450, "{came} packets");
    nodes.run(SECOND * 3);
    assert_eq!(nodes.edge().layers().iter().filter(|l| l.active).count(), 3);
    assert_eq!(nodes.origin().lives(Role::Relay), (1, Vec::new()));
}

#[test]
fn publisher_of_another_codec_passes_too() {
    let mut nodes = relayed(&EncoderSpec::simulcast(), PERFECT());
    nodes.run(SECOND);
    nodes.origin().cut_off(0, true);
    nodes.run(SECOND * 2);
    let spec = EncoderSpec {
        codec: Codec::Vp8,
        ..EncoderSpec::single(SECOND * 2, true)
    };
    nodes.origin().publish(stream(), &spec, PERFECT());
    nodes.run(SECOND * 2);
    let viewer = nodes
        .edge()
        .view_as(stream(), Codec::Vp8, PERFECT(), |offer| offer, |_| {});
    nodes.run(SECOND * 2);
    assert!(nodes.edge().player(viewer).shown.len() > 50);
}

#[test]
fn stream_that_ends_at_the_origin_ends_the_pull_and_not_the_viewers() {
    let mut nodes = relayed(&EncoderSpec::simulcast(), PERFECT());
    nodes.edge().view(stream(), PERFECT());
    nodes.run(SECOND * 2);
    nodes.origin().end(stream());
    nodes.run(SECOND * 3);
    let edge = nodes.edge();
    assert_eq!(
        edge.lives(Role::Publisher),
        (1, vec![CloseReason::RemoteClosed])
    );
    assert_eq!(edge.lives(Role::Viewer), (1, Vec::new()));
    let ended = vec![CloseReason::StreamEnded];
    assert_eq!(nodes.origin().lives(Role::Relay), (1, ended));
    nodes.edge().end(stream());
    nodes.run(SECOND);
    let ended = vec![CloseReason::StreamEnded];
    assert_eq!(nodes.edge().lives(Role::Viewer), (1, ended));
}

#[test]
fn pull_that_does_not_get_through_costs_the_one_before_it_nothing() {
    let mut nodes = relayed(&EncoderSpec::simulcast(), PERFECT());
    let viewer = nodes.edge().view(stream(), PERFECT());
    nodes.run(SECOND * 2);
    let in_vain = nodes.pull(stream(), (1, 0), PERFECT());
    nodes.cut_off(in_vain);
    nodes.run(SECOND * 14);
    let edge = nodes.edge();
    let late = vec![CloseReason::HandshakeTimeout];
    assert_eq!(edge.lives(Role::Publisher), (1, late));
    let player = edge.player(viewer);
    assert_eq!(player.frozen(edge.elapsed(), VISIBLE), Duration::ZERO);
    assert!(is_continuous(&player.sequence));
}

/// str0m asks for the newest hundred packets only: what leaves at once must not be more.
#[test]
fn loss_in_large_key_frames_is_made_good_too() {
    for (loss, frozen_ms) in [(1.0, 1_000), (5.0, 4_000)] {
        let spec = EncoderSpec {
            layers: vec![(None, 6_000_000)],
            ..EncoderSpec::single(SECOND * 2, true)
        };
        let mut nodes = relayed(&spec, between(loss));
        nodes.run(SECOND * 2);
        let viewer = nodes.edge().view(stream(), PERFECT());
        nodes.run(SECOND * 30);
        let edge = nodes.edge();
        let player = edge.player(viewer);
        let frozen = player.frozen(edge.elapsed(), VISIBLE);
        assert!(
            frozen < Duration::from_millis(frozen_ms),
            "{loss}: {frozen:?}"
        );
        let late = |shown: &&player::Shown| shown.age > Duration::from_millis(250);
        let late = player.shown.iter().filter(late).count();
        assert!(
            late * 20 < player.shown.len(),
            "{loss}: {late} pictures late"
        );
    }
}
