//! Publishers that vanish, strangers that forge, wishes of viewers.

use tokio::sync::oneshot;

use super::*;
use crate::calls::LayerChoice;
use crate::event::{CloseReason, Role};
use crate::lenient::ffmpeg_request;
use crate::shard::{Command, Receipt};

const SECOND: Duration = Duration::from_secs(1);

fn live(world: &mut World, spec: &EncoderSpec) -> (usize, usize) {
    let stream = StreamId::from(1);
    let publisher = world.publish(stream, spec, PERFECT());
    world.run(SECOND * 2);
    let viewer = world.view(stream, PERFECT());
    world.run(SECOND * 3);
    (publisher, viewer)
}

fn single() -> EncoderSpec {
    EncoderSpec::single(SECOND * 2, true)
}

#[test]
fn silence_of_5_s_is_told_and_the_same_viewers_go_on() {
    let mut world = World::new();
    let (publisher, viewer) = live(&mut world, &single());
    world.cut_off(publisher, true);
    let silent_from = world.elapsed();
    world.run(SECOND * 5);
    let told = world.events.iter().find_map(|(at, event)| match event {
        Event::MediaSilent { silent_for, .. } => Some((*at, *silent_for)),
        _ => None,
    });
    let (told, silent_for) = told.expect("the silence is told");
    assert!(told - silent_from < SECOND * 2, "{:?}", told - silent_from);
    // What was on its way when the net broke still came.
    let last_media = told - silent_for;
    assert!(last_media <= silent_from + Duration::from_millis(20));
    assert!(silent_from < last_media + Duration::from_millis(40));
    world.cut_off(publisher, false);
    let back_at = world.elapsed();
    world.run(SECOND * 4);
    let flowing = world
        .events
        .iter()
        .filter(|(_, e)| matches!(e, Event::MediaFlowing { .. }));
    assert_eq!(flowing.count(), 2);
    let shown = world
        .player(viewer)
        .shown_between(back_at, world.elapsed())
        .count();
    assert!(shown > 60, "{shown} frames after the return");
}

#[test]
fn publisher_gone_for_31_s_is_closed_and_another_continues_the_stream() {
    let mut world = World::new();
    let (publisher, viewer) = live(&mut world, &single());
    world.cut_off(publisher, true);
    world.run(SECOND * 31);
    let session = world.session(publisher);
    let closed = world.events.iter().any(|(_, event)| {
        matches!(event, Event::Closed { session: s, role: Role::Publisher, reason: CloseReason::Inactive, .. } if *s == session)
    });
    assert!(closed);
    let back_at = world.elapsed();
    world.publish(StreamId::from(1), &single(), PERFECT());
    world.run(SECOND * 3);
    let player = world.player(viewer);
    assert!(player.shown_between(back_at, world.elapsed()).count() > 60);
    assert!(
        player
            .sequence
            .windows(2)
            .all(|pair| pair[1] == pair[0] + 1),
        "one continuous stream"
    );
}

#[test]
fn new_publisher_supersedes_the_old_one() {
    let mut world = World::new();
    let (old, viewer) = live(&mut world, &single());
    world.publish(StreamId::from(1), &single(), PERFECT());
    let from = world.elapsed();
    world.run(SECOND * 3);
    let session = world.session(old);
    let superseded = world.events.iter().any(|(_, event)| {
        matches!(event, Event::Closed { session: s, reason: CloseReason::Superseded, .. } if *s == session)
    });
    assert!(superseded);
    let drift = world.player(viewer).drift();
    assert!(drift < Duration::from_millis(60), "{drift:?}");
    assert!(
        world
            .player(viewer)
            .shown_between(from, world.elapsed())
            .count()
            > 60
    );
}

#[test]
fn successor_on_another_shard_is_asked_for_key_frames() {
    let mut world = World::with(Config::default(), 2);
    let stream = StreamId::from(1);
    // Peers take turns: the first publisher and the viewer share a shard.
    world.publish(stream, &EncoderSpec::simulcast(), PERFECT());
    world.run(SECOND * 2);
    world.publish(stream, &EncoderSpec::simulcast(), PERFECT());
    let viewer = world.view(stream, PERFECT());
    world.run(SECOND * 3);
    let (reply, _result) = oneshot::channel();
    world.command(Command::ChooseLayer {
        session: world.session(viewer),
        choice: LayerChoice::Rid("l".to_owned()),
        reply,
    });
    world.run(SECOND * 2);
    assert_eq!(world.player(viewer).layer(), Some(0));
}

#[test]
fn publisher_that_changes_its_ssrc_goes_on_for_its_viewers() {
    let mut world = World::new();
    let (publisher, viewer) = live(&mut world, &single());
    world.change_ssrc(publisher);
    let changed = world.elapsed();
    world.run(SECOND * 3);
    let joined = world.view(StreamId::from(1), PERFECT());
    world.run(SECOND);
    let player = world.player(viewer);
    let shown = player.shown_between(changed, world.elapsed()).count();
    assert!(shown > 100, "{shown} frames");
    let drift = player.drift();
    assert!(drift < Duration::from_millis(60), "{drift:?}");
    assert!(world.player(joined).shown.len() > 20);
}

#[test]
fn chosen_layer_is_sent_and_auto_returns_to_the_largest() {
    let mut world = World::new();
    let (_, viewer) = live(&mut world, &EncoderSpec::simulcast());
    let session = world.session(viewer);
    let choose = |world: &mut World, choice: LayerChoice| {
        let (reply, mut result) = oneshot::channel();
        world.command(Command::ChooseLayer {
            session,
            choice,
            reply,
        });
        let result = result.try_recv().expect("it is answered");
        world.run(SECOND * 12);
        result
    };
    choose(&mut world, LayerChoice::Rid("l".to_owned())).expect("there is one");
    assert_eq!(world.player(viewer).layer(), Some(0));
    choose(
        &mut world,
        LayerChoice::MaxSize {
            width: None,
            height: Some(400),
        },
    )
    .expect("a bound");
    assert_eq!(world.player(viewer).layer(), Some(1));
    choose(&mut world, LayerChoice::Auto).expect("always");
    assert_eq!(world.player(viewer).layer(), Some(2));
    let refused = choose(&mut world, LayerChoice::Rid("x".to_owned()));
    let words = refused.expect_err("there is none").to_string();
    assert!(
        words.starts_with("there is no layer x; there are "),
        "{words}"
    );
    let frozen = world
        .player(viewer)
        .frozen(world.elapsed(), Duration::from_millis(300));
    assert_eq!(frozen, Duration::ZERO, "switches are seamless");
}

#[test]
fn layer_of_a_publisher_that_ignores_requests_is_switched_from_the_cache() {
    let mut world = World::new();
    let spec = EncoderSpec {
        // As OBS: "0" is the largest.
        layers: vec![
            (Some("0"), 2_500_000),
            (Some("1"), 800_000),
            (Some("2"), 200_000),
        ],
        ..EncoderSpec::single(SECOND * 10, false)
    };
    let (_, viewer) = live(&mut world, &spec);
    world.run(SECOND * 14);
    let session = world.session(viewer);
    let (reply, _result) = oneshot::channel();
    world.command(Command::ChooseLayer {
        session,
        choice: LayerChoice::Rid("2".to_owned()),
        reply,
    });
    let asked = world.elapsed();
    world.run(SECOND * 2);
    let player = world.player(viewer);
    let switched = player
        .shown_between(asked, world.elapsed())
        .find(|s| s.layer == 2)
        .expect("it is switched");
    assert!(
        switched.at - asked < Duration::from_millis(400),
        "{:?}",
        switched.at - asked
    );
}

#[test]
fn strangers_get_no_answer_and_disturb_nobody() {
    let mut world = World::new();
    let (publisher, viewer) = live(&mut world, &single());
    let stranger: SocketAddr = ([203, 0, 113, 9], 999).into();
    let known = world.peer_address(publisher);
    let client_hello = [22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 40, 1, 0, 0, 28];
    let rtp = [128, 96, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 2, 3];
    for _ in 0..1_000 {
        assert_eq!(world.inject(stranger, &client_hello), Receipt::Dropped);
        assert_eq!(world.inject(stranger, &rtp), Receipt::Dropped);
        assert_eq!(world.inject(stranger, &[0; 19]), Receipt::Dropped);
    }
    // Forged from the publisher's own address: it fails to open, and that is all.
    world.inject(known, &rtp);
    let from = world.elapsed();
    world.run(SECOND * 2);
    assert!(
        world
            .player(viewer)
            .shown_between(from, world.elapsed())
            .count()
            > 55
    );
    assert!(
        !world
            .events
            .iter()
            .any(|(_, event)| matches!(event, Event::Closed { .. }))
    );
}

#[test]
fn request_of_ffmpeg_is_answered_to_publishers_who_know_the_password() {
    const SUCCESS: [u8; 2] = [1, 1];
    let mut world = World::new();
    let stream = StreamId::from(1);
    let ffmpeg: SocketAddr = ([203, 0, 113, 9], 999).into();
    world.publish(stream, &single(), PERFECT());
    let (username, password) = world.credentials();
    let forged = ffmpeg_request(&username, "a guess");
    assert_eq!(world.inject(ffmpeg, &forged), Receipt::Dropped);
    assert!(world.stray.is_empty());
    let request = ffmpeg_request(&username, &password);
    // The first makes a shard adopt the session, the next keep consent fresh.
    for number in 1..3 {
        assert_eq!(world.inject(ffmpeg, &request), Receipt::Taken);
        assert_eq!(world.stray.len(), number);
        let (path, answer) = world.stray.last().expect("an answer");
        assert_eq!((path.destination, &answer[..2]), (ffmpeg, &SUCCESS[..]));
    }
    assert_eq!(world.inject(ffmpeg, &forged), Receipt::Dropped);

    world.view(stream, PERFECT());
    let (username, password) = world.credentials();
    let request = ffmpeg_request(&username, &password);
    assert_eq!(world.inject(ffmpeg, &request), Receipt::Dropped);
}

#[test]
fn connection_over_tcp_is_left_when_its_session_ends() {
    let mut world = World::new();
    let peer: SocketAddr = ([203, 0, 113, 9], 999).into();
    let publisher = world.publish(StreamId::from(1), &single(), PERFECT());
    let (username, password) = world.credentials();
    let request = ffmpeg_request(&username, &password);
    let receipt = world.inject_over(Protocol::Tcp, peer, &request);
    assert_eq!(receipt, Receipt::Taken);
    assert!(world.left().is_empty());
    let (reply, _result) = oneshot::channel();
    world.command(Command::Close {
        session: world.session(publisher),
        reason: CloseReason::Requested,
        reply,
    });
    assert_eq!(world.left(), [peer]);
}

#[test]
fn panic_outside_of_any_session_costs_nobody_else() {
    let mut world = World::new();
    let (_, viewer) = live(&mut world, &single());
    let stranger: SocketAddr = ([203, 0, 113, 9], 999).into();
    assert_eq!(world.inject(stranger, TRIPWIRE), Receipt::Dropped);
    let now = world.now;
    let packet = Packet {
        source: Source::Audio,
        seq: 1,
        timestamp: 0,
        marker: false,
        payload: Arc::from(TRIPWIRE),
        arrival: now,
        capture_us: None,
        wallclock: now,
        starts_keyframe: false,
        discardable: false,
        is_past: false,
        lead: None,
        vp8: None,
        extensions: str0m::rtp::ExtensionValues::default(),
    };
    world.inject_slice(Slice {
        stream: StreamId::from(2),
        epoch: 1,
        layout: Arc::default(),
        packets: vec![Arc::new(packet.clone())],
    });
    world
        .registry()
        .add_stream(StreamId::from(2), Arc::default());
    world.inject_slice(Slice {
        stream: StreamId::from(2),
        epoch: 1,
        layout: Arc::default(),
        packets: vec![Arc::new(packet)],
    });
    assert_eq!(world.registry().counters.snapshot().panics, 2);
    let from = world.elapsed();
    world.run(SECOND * 2);
    let player = world.player(viewer);
    assert!(player.shown_between(from, world.elapsed()).count() > 55);
}

#[test]
fn session_without_dtls_is_removed_after_10_s() {
    let mut world = World::new();
    live(&mut world, &single());
    let viewer = world.view(StreamId::from(1), PERFECT());
    world.cut_off(viewer, true);
    world.run(SECOND * 11);
    let session = world.session(viewer);
    let gone = world.events.iter().any(|(_, event)| {
        matches!(event, Event::Closed { session: s, reason: CloseReason::HandshakeTimeout, .. } if *s == session)
    });
    assert!(gone);
    assert_eq!(world.registry().sessions(), (2, 0));
}

/// How a publisher of 2.5 Mbit/s ended within twenty seconds, where so many bits a second may come.
fn ends_where_there_may_come(most: u64) -> Vec<CloseReason> {
    let mut config = Config::default();
    config.limits.publisher_bitrate = Some(most);
    let mut world = World::with(config, 1);
    let spec = EncoderSpec::single(Duration::from_secs(2), true);
    let publisher = world.publish(StreamId::from(1), &spec, PERFECT());
    let session = world.session(publisher);
    world.run(Duration::from_secs(9));
    assert_eq!(world.ends_of(session), [], "it has time");
    world.run(Duration::from_secs(11));
    world.ends_of(session)
}

#[test]
fn a_publisher_that_sends_far_more_than_it_may_is_removed_after_a_while() {
    assert_eq!(ends_where_there_may_come(1_000_000), [CloseReason::TooMuch]);
    assert_eq!(ends_where_there_may_come(2_000_000), []);
}
