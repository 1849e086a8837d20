//! Joins: how soon there is a picture, and how soon it is live.

use str0m_netem::{Bitrate, DataSize, Probability, RandomLoss};

use super::player::Player;
use super::*;

const LIVE: Duration = Duration::from_millis(80);

fn joined(keyframe_every: u64, listens: bool) -> (World, usize) {
    joined_to(keyframe_every, listens, 2_500_000, PERFECT())
}

fn joined_to(
    keyframe_every: u64,
    listens: bool,
    bitrate: u64,
    down: NetemConfig,
) -> (World, usize) {
    joined_from(keyframe_every, listens, bitrate, down, false)
}

fn joined_from(
    keyframe_every: u64,
    listens: bool,
    bitrate: u64,
    down: NetemConfig,
    is_near: bool,
) -> (World, usize) {
    let mut world = World::new();
    world.is_near = is_near;
    let stream = StreamId::from(1);
    let spec = EncoderSpec {
        layers: vec![(None, bitrate)],
        ..EncoderSpec::single(Duration::from_secs(keyframe_every), listens)
    };
    world.publish(stream, &spec, PERFECT());
    world.run(Duration::from_millis(keyframe_every * 1_000 + 7_500));
    let viewer = world.view(stream, down);
    world.run(Duration::from_secs(2));
    (world, viewer)
}

#[test]
fn viewer_sees_a_picture_and_hears_sound() {
    let (world, viewer) = joined(2, true);
    let player = world.player(viewer);
    assert!(player.shown.len() > 45, "{} frames", player.shown.len());
    assert!(
        player.audio.len() > 80,
        "{} audio packets",
        player.audio.len()
    );
    assert_eq!(
        player.frozen(world.elapsed(), Duration::from_millis(200)),
        Duration::ZERO
    );
}

#[test]
fn join_is_instant_though_the_publisher_ignores_requests_and_its_key_frame_is_old() {
    // 7.5 s of the one are all that the run-up of a replay carries; in the same network any group.
    for (bitrate, is_near) in [(1_000_000, false), (2_500_000, true)] {
        let (world, viewer) = joined_from(10, false, bitrate, PERFECT(), is_near);
        is_live_at_once(world.player(viewer));
    }
}

fn is_live_at_once(player: &Player) {
    let connected = player.connected_at.expect("it connects");
    let first = player.shown.first().expect("it shows frames");
    assert!(
        first.at - connected < Duration::from_millis(50),
        "{:?}",
        first.at - connected
    );
    let live = player
        .shown
        .iter()
        .find(|s| s.age < LIVE)
        .expect("it gets live");
    assert!(
        live.at - connected < Duration::from_millis(300),
        "{:?}",
        live.at - connected
    );
    let after = player.shown.iter().skip_while(|s| s.age >= LIVE);
    assert!(after.into_iter().all(|s| s.age < LIVE), "it stays live");
    assert_eq!(player.requests, 0);
}

/// When a joined viewer is at the live edge, after it connected.
fn time_to_live(player: &Player) -> Duration {
    let connected = player.connected_at.expect("it connects");
    let live = player.shown.iter().find(|s| s.age < LIVE);
    live.expect("it gets live").at - connected
}

#[test]
fn long_group_is_replayed_no_faster_than_the_link_bears() {
    // 7.5 s of 2.5 Mbit/s and a buffer of 300 ms. Nothing is lost but what the buffer does not hold:
    // str0m as a player asks again for the newest 100 packets only, 40 ms of a replay.
    let link = PERFECT().link(Bitrate::mbps(20), DataSize::kbytes(750));
    let (world, viewer) = joined_to(10, false, 2_500_000, link);
    let player = world.player(viewer);
    let first = player.shown.first().expect("it shows frames").at;
    let connected = player.connected_at.expect("it connects");
    assert!(first - connected < Duration::from_millis(150), "{first:?}");
    let live = time_to_live(player);
    assert!(live < Duration::from_millis(1_400), "{live:?}");
    assert_eq!(player.requests, 0, "nothing was lost for good");
    let frozen = player.frozen(world.elapsed(), Duration::from_millis(250));
    assert_eq!(frozen, Duration::ZERO);
    let silences = player.audio.windows(2).map(|pair| pair[1] - pair[0]);
    let longest = silences.max().expect("sound");
    assert!(longest < Duration::from_millis(100), "{longest:?}");
}

#[test]
fn join_is_live_at_once_while_nobody_knows_whether_the_publisher_listens() {
    let mut world = World::new();
    let stream = StreamId::from(1);
    let spec = EncoderSpec::single(Duration::from_secs(10), false);
    let publisher = world.publish(stream, &spec, PERFECT());
    world.run(Duration::from_millis(200));
    world.encoder(publisher).want_keyframes();
    world.run(Duration::from_secs(3));
    let shared = world.registry().stream(stream).expect("it is live");
    assert_eq!(shared.answers_pli(), None);
    let viewer = world.view(stream, PERFECT());
    world.run(Duration::from_secs(2));
    let live = time_to_live(world.player(viewer));
    assert!(live < Duration::from_millis(300), "{live:?}");
}

#[test]
fn replay_that_did_not_help_is_not_repeated_at_once() {
    let mut world = World::new();
    let stream = StreamId::from(1);
    let spec = EncoderSpec::single(Duration::from_secs(10), false);
    world.publish(stream, &spec, PERFECT());
    world.run(Duration::from_millis(14_000));
    let viewer = world.view(stream, PERFECT());
    world.run(Duration::from_secs(1));
    // Nothing of what comes makes a picture: half of it is lost.
    let lossy = PERFECT().loss(RandomLoss::new(Probability::new(0.5)));
    world.set_down_link(viewer, lossy);
    let before = world.registry().counters.snapshot().packets_forwarded;
    world.run(Duration::from_secs(4));
    let sent = world.registry().counters.snapshot().packets_forwarded - before;
    let player = world.player(viewer);
    assert!(player.requests > 4, "{}", player.requests);
    // Live it is 1,200 packets of video and 200 of sound, each replay some 1,500 more.
    assert!(sent < 4_500, "{sent} packets");
}

#[test]
fn outgoing_sequence_numbers_have_no_gap_at_the_seam_of_cache_and_live() {
    let (world, viewer) = joined(4, false);
    let sequence = &world.player(viewer).sequence;
    assert!(sequence.windows(2).all(|pair| pair[1] == pair[0] + 1));
    assert!(sequence[0] < 65_536);
}

#[test]
fn viewers_share_one_request_for_a_key_frame() {
    let mut world = World::new();
    let stream = StreamId::from(1);
    let publisher = world.publish(stream, &EncoderSpec::simulcast(), PERFECT());
    world.run(Duration::from_secs(6));
    let before = world.encoder(publisher).requests;
    for _ in 0..20 {
        world.view(stream, PERFECT());
    }
    world.run(Duration::from_millis(450));
    let asked = world.encoder(publisher).requests - before;
    assert!(asked <= 3, "{asked} requests for 20 viewers");
}

/// A publisher that makes key frames only when asked, and did not hear for so long that the cache
/// is empty and it passes for deaf.
fn misjudged() -> (World, usize, usize) {
    let mut world = World::new();
    let stream = StreamId::from(1);
    let spec = EncoderSpec::single(Duration::from_secs(3_600), false);
    let publisher = world.publish(stream, &spec, PERFECT());
    world.run(Duration::from_secs(2));
    let viewer = world.view(stream, PERFECT());
    world.run(Duration::from_secs(18));
    let shared = world.registry().stream(stream).expect("it is live");
    assert_eq!(shared.answers_pli(), Some(false));
    (world, publisher, viewer)
}

#[test]
fn viewer_that_lost_its_picture_gets_it_back_of_a_publisher_taken_for_deaf() {
    let (mut world, publisher, viewer) = misjudged();
    world.cut_off(viewer, true);
    world.run(Duration::from_secs(1));
    world.cut_off(viewer, false);
    world.encoder(publisher).listens = true;
    let back = world.elapsed();
    world.run(Duration::from_secs(3));
    let shown = world.player(viewer).shown_between(back, world.elapsed());
    assert!(shown.count() > 30, "it is not frozen for good");
}

#[test]
fn empty_cache_of_a_publisher_taken_for_deaf_is_filled_before_anybody_joins() {
    let (mut world, publisher, _) = misjudged();
    world.encoder(publisher).listens = true;
    let before = world.encoder(publisher).requests;
    world.run(Duration::from_secs(1));
    assert!(world.encoder(publisher).requests > before);
    let joined = world.elapsed();
    let viewer = world.view(StreamId::from(1), PERFECT());
    world.run(Duration::from_secs(1));
    let first = world.player(viewer).shown.first().expect("a picture");
    assert!(first.at - joined < Duration::from_millis(300), "{first:?}");
}

#[test]
fn one_lost_request_makes_no_publisher_deaf() {
    let mut world = World::new();
    let stream = StreamId::from(1);
    let spec = EncoderSpec::single(Duration::from_secs(3_600), false);
    let publisher = world.publish(stream, &spec, PERFECT());
    world.run(Duration::from_secs(2));
    world.view(stream, PERFECT());
    while world.encoder(publisher).requests == 0 {
        world.run(Duration::from_millis(10));
    }
    world.encoder(publisher).listens = true;
    world.run(Duration::from_secs(3));
    let shared = world.registry().stream(stream).expect("it is live");
    assert_ne!(shared.answers_pli(), Some(false));
}

#[test]
fn picture_is_whole_though_the_first_packet_of_its_key_frame_came_late() {
    let mut world = World::new();
    let stream = StreamId::from(1);
    let spec = EncoderSpec::single(Duration::from_secs(10), false);
    let publisher = world.publish(stream, &spec, PERFECT());
    world.encoder(publisher).opens_late = true;
    // The first key frame comes before DTLS is up. One viewer waits for the second, the other gets
    // it from the cache.
    let waiting = world.view(stream, PERFECT());
    world.run(Duration::from_secs(12));
    let joining = world.view(stream, PERFECT());
    world.run(Duration::from_secs(3));
    for (viewer, frames) in [(waiting, 130), (joining, 80)] {
        let shown = world.player(viewer).shown.len();
        assert!(shown > frames, "{shown} frames");
    }
}

#[test]
fn viewer_on_another_shard_gets_the_same_picture() {
    let mut world = World::with(Config::default(), 2);
    let stream = StreamId::from(1);
    let spec = EncoderSpec::single(Duration::from_secs(2), true);
    world.publish(stream, &spec, PERFECT());
    world.run(Duration::from_secs(3));
    let viewers = [world.view(stream, PERFECT()), world.view(stream, PERFECT())];
    world.run(Duration::from_secs(2));
    for viewer in viewers {
        assert!(world.player(viewer).shown.len() > 45);
    }
    let totals = world.registry().counters.snapshot();
    assert!(totals.packets_forwarded > 0);
}

#[test]
fn timestamps_advance_as_time_does_from_the_replay_of_one_frame_to_the_fresh_one() {
    let mut world = World::new();
    let stream = StreamId::from(1);
    let spec = EncoderSpec::single(Duration::from_secs(3_600), true);
    world.publish(stream, &spec, PERFECT());
    world.run(Duration::from_secs(3));
    world.view(stream, PERFECT());
    world.run(Duration::from_secs(4));
    // The publisher is known to listen: the second viewer is shown one old frame first.
    let viewer = world.view(stream, PERFECT());
    world.run(Duration::from_secs(2));
    let drift = world.player(viewer).drift();
    assert!(drift < Duration::from_millis(60), "{drift:?}");
}

#[test]
fn timestamps_of_a_long_replay_advance_as_time_does() {
    let (world, viewer) = joined(10, false);
    let drift = world.player(viewer).drift();
    assert!(drift < Duration::from_millis(60), "{drift:?}");
}

#[test]
fn picture_and_sound_stay_in_step_though_video_takes_longer_to_encode() {
    let mut world = World::new();
    let stream = StreamId::from(1);
    let spec = EncoderSpec {
        video_delay: Duration::from_millis(120),
        ..EncoderSpec::single(Duration::from_secs(2), true)
    };
    world.publish(stream, &spec, PERFECT());
    world.run(Duration::from_secs(4));
    let viewer = world.view(stream, PERFECT());
    world.run(Duration::from_secs(6));
    let player = world.player(viewer);
    let audio = player.audio_clock.expect("reports for sound came");
    let video = player.video_clock.expect("reports for the picture came");
    assert!((audio - video).abs() < 10_000, "{} us apart", audio - video);
}
