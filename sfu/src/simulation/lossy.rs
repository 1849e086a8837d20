//! Bad nets: loss, jitter, reordering, bandwidth that collapses.

use str0m_netem::{Bitrate, DataSize, Probability, RandomLoss};

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const VISIBLE: Duration = Duration::from_millis(200);

fn lossy(percent: f32) -> NetemConfig {
    PERFECT().loss(RandomLoss::new(Probability::new(percent / 100.0)))
}

/// Watches for 30 s over `down`; returns the share of time in which the picture stood still.
fn frozen_share(up: NetemConfig, down: NetemConfig) -> f64 {
    let mut world = World::new();
    let stream = StreamId::from(1);
    // str0m as a player asks again for the newest 100 packets only: a key frame must be smaller.
    let spec = EncoderSpec {
        layers: vec![(None, 1_200_000)],
        ..EncoderSpec::single(SECOND * 2, true)
    };
    world.publish(stream, &spec, up);
    world.run(SECOND * 2);
    let viewer = world.view(stream, down);
    world.run(SECOND * 30);
    let player = world.player(viewer);
    assert!(player.connected_at.is_some());
    assert!(
        player.audio.len() > 1_100,
        "audio never yields: {}",
        player.audio.len()
    );
    player.frozen(world.elapsed(), VISIBLE).as_secs_f64() / 30.0
}

#[test]
fn one_per_cent_loss_is_not_seen() {
    assert!(frozen_share(PERFECT(), lossy(1.0)) == 0.0);
}

#[test]
fn five_per_cent_loss_freezes_for_less_than_a_hundredth() {
    let share = frozen_share(PERFECT(), lossy(5.0));
    assert!(share <= 0.01, "{share}");
}

#[test]
fn ten_per_cent_loss_freezes_for_less_than_a_twentieth() {
    let share = frozen_share(PERFECT(), lossy(10.0));
    assert!(share <= 0.05, "{share}");
}

#[test]
fn loss_on_the_way_in_is_asked_for_again() {
    let share = frozen_share(lossy(5.0), PERFECT());
    assert!(share <= 0.02, "{share}");
}

#[test]
fn jitter_and_reordering_are_borne() {
    let down = NetemConfig::new()
        .latency(Duration::from_millis(50))
        .jitter(Duration::from_millis(20))
        .reorder_gap(50);
    let share = frozen_share(PERFECT(), down);
    assert!(share <= 0.01, "{share}");
}

#[test]
fn viewer_who_joined_one_layer_gets_one_that_fits_when_there_are_three() {
    let mut world = World::new();
    let stream = StreamId::from(1);
    let spec = EncoderSpec {
        layers: vec![(None, 400_000)],
        ..EncoderSpec::single(SECOND * 2, true)
    };
    world.publish(stream, &spec, PERFECT());
    world.run(SECOND * 2);
    let link = || PERFECT().link(Bitrate::kbps(800), DataSize::kbytes(30));
    let viewer = world.view(stream, link());
    world.run(SECOND * 3);
    world.publish(stream, &EncoderSpec::simulcast(), PERFECT());
    world.run(SECOND * 10);
    let late = world.elapsed();
    world.run(SECOND * 5);
    let player = world.player(viewer);
    assert_ne!(player.layer(), Some(2), "1.8 Mbit/s do not fit");
    let shown = player.shown_between(late, world.elapsed()).count();
    assert!(shown > 120, "{shown} frames in 5 s");
}

#[test]
fn bandwidth_collapse_goes_down_within_3_s_and_up_again_within_15_s() {
    let mut world = World::new();
    let stream = StreamId::from(1);
    world.publish(stream, &EncoderSpec::simulcast(), PERFECT());
    world.run(SECOND * 2);
    // Buffers of 320 ms at the higher and 480 ms at the lower rate.
    let link = |kbit: u64, kbytes| PERFECT().link(Bitrate::kbps(kbit), DataSize::kbytes(kbytes));
    let weak = world.view(stream, link(3_000, 120));
    let strong = world.view(stream, PERFECT());
    world.run(SECOND * 15);
    assert_eq!(
        world.player(weak).layer(),
        Some(2),
        "3 Mbit/s carry the top layer"
    );

    world.set_down_link(weak, link(500, 30));
    let collapsed = world.elapsed();
    world.run(SECOND * 10);
    let down = world
        .player(weak)
        .shown_between(collapsed, world.elapsed())
        .find(|s| s.layer == 0)
        .expect("it goes down")
        .at;
    assert!(down - collapsed <= SECOND * 3, "{:?}", down - collapsed);
    let late = world.elapsed() - SECOND * 3;
    let shown = world
        .player(weak)
        .shown_between(late, world.elapsed())
        .count();
    assert!(shown > 75, "the low layer plays: {shown} frames in 3 s");

    world.set_down_link(weak, link(3_000, 120));
    let recovered = world.elapsed();
    world.run(SECOND * 16);
    let up = world
        .player(weak)
        .shown_between(recovered, world.elapsed())
        .find(|s| s.layer == 2)
        .expect("it comes up again")
        .at;
    assert!(up - recovered <= SECOND * 15, "{:?}", up - recovered);

    // The other one never noticed.
    let strong = world.player(strong);
    assert_eq!(strong.frozen(world.elapsed(), VISIBLE), Duration::ZERO);
    let settled = SECOND * 10;
    assert!(
        strong
            .shown_between(settled, world.elapsed())
            .all(|s| s.layer == 2)
    );
}

#[test]
fn what_is_lost_for_good_is_counted_on_both_ways_and_what_is_made_good_on_none() {
    let mut world = World::new();
    let stream = StreamId::from(1);
    world.publish(stream, &EncoderSpec::simulcast(), lossy(2.0));
    world.run(SECOND * 2);
    world.view(stream, lossy(5.0));
    world.run(SECOND * 20);
    let [largest, .., sound] = world.registry().layers.snapshot();
    let share = |media: crate::ranks::MediaTotals| media.lost * 1_000 / media.packets;
    assert!(largest.received.bytes > sound.received.bytes, "{largest:?}");
    // Pictures are asked for again, sound is not.
    assert!(share(largest.received) < 2, "{largest:?}");
    assert!((10..40).contains(&share(sound.received)), "{sound:?}");
    assert!((15..90).contains(&share(sound.sent)), "{sound:?}");
    let totals = world.registry().counters.snapshot();
    assert!(totals.packets_resent > 0, "{totals:?}");
    assert!(totals.bytes_in > largest.received.bytes, "{totals:?}");
}

#[test]
fn layers_are_counted_by_their_size_and_what_a_viewer_gets_as_of_its_layer() {
    let mut world = World::new();
    let stream = StreamId::from(1);
    world.publish(stream, &EncoderSpec::simulcast(), PERFECT());
    world.run(SECOND * 2);
    world.view(stream, PERFECT());
    world.run(SECOND * 20);
    let [first, second, third, fourth, _] = world.registry().layers.snapshot();
    assert!(first.received.bytes > second.received.bytes * 2);
    assert!(second.received.bytes > third.received.bytes * 2);
    assert_eq!(fourth, crate::ranks::LayerTotals::default());
    assert!(first.sent.bytes > second.sent.bytes + third.sent.bytes);
    assert_eq!(first.received.lost + first.sent.lost, 0);
}
