//! Times of units.

use super::*;

#[test]
fn distances_are_exact_over_a_wrap_of_the_timestamp() {
    let mut line = Line::new();
    line.sender.timestamp = u32::MAX - 20 * TICKS;
    line.send(Kind::Key, 1);
    line.send(Kind::Reference, 100);
    for pair in line.units.windows(2) {
        let step = (pair[1].pts - pair[0].pts).as_nanos();
        assert!((33_333_333..=33_333_334).contains(&step), "{step} ns");
    }
    assert_eq!(line.units.len(), 101);
}

#[test]
fn jumps_of_the_timestamp_move_nothing() {
    for jump in [
        900_000_i32,
        -900_000,
        180_000,
        -180_000,
        9_000,
        -9_000,
        i32::MIN,
    ] {
        let mut line = Line::begun();
        line.send(Kind::Reference, 100);
        line.sender.timestamp = line.sender.timestamp.wrapping_add_signed(jump);
        line.send(Kind::Reference, 200);
        let last = line.units.last().expect("units").pts;
        let first = line.units.first().expect("units").pts;
        let passed = FRAME * 299;
        let error = (last - first).abs_diff(passed);
        assert!(error < ms(110), "{jump} moves time by {error:?}");
        for pair in line.units.windows(2) {
            assert!(pair[0].pts < pair[1].pts);
            assert!(pair[1].pts - pair[0].pts < ms(500));
        }
    }
}

#[test]
fn pause_is_as_long_as_it_was() {
    let mut line = Line::begun();
    line.send(Kind::Reference, 1);
    line.now += ms(10_000);
    line.sender.timestamp = line.sender.timestamp.wrapping_add(900_000);
    line.send(Kind::Key, 1);
    let pause = line.units[1].pts - line.units[0].pts;
    assert!(pause.abs_diff(ms(10_033)) < ms(2), "{pause:?}");
}

/// A picture that sender reports say was captured so long before it came.
fn send_reported(line: &mut Line, delay: Duration) {
    let mut sent = line.picture(Kind::Reference);
    for packet in &mut sent.packets {
        packet.capture_us = Some(0);
        packet.wallclock = packet.arrival - delay;
    }
    line.take(sent.packets);
}

/// By how much the newest unit's time lies before its arrival.
fn lag(line: &Line) -> Duration {
    let arrival = line.now - line.zero;
    arrival - line.units.last().expect("units").pts
}

#[test]
fn reports_that_come_late_move_a_track_slowly() {
    let mut line = Line::begun();
    for _ in 0..600 {
        send_reported(&mut line, ms(100));
    }
    for pair in line.units.windows(2) {
        let step = pair[1].pts - pair[0].pts;
        assert!(
            step.abs_diff(FRAME) < Duration::from_micros(340),
            "{step:?}"
        );
    }
    assert!(lag(&line).abs_diff(ms(100)) < ms(6), "{:?}", lag(&line));
}

#[test]
fn first_reports_that_tell_of_a_long_delay_are_followed_at_once() {
    let mut line = Line::begun();
    for _ in 0..60 {
        send_reported(&mut line, ms(700));
    }
    assert!(line.units.is_sorted_by_key(|unit| unit.pts));
    assert!(lag(&line).abs_diff(ms(700)) < ms(1), "{:?}", lag(&line));
}

#[test]
fn publisher_that_sets_its_clock_back_does_not_stop_time() {
    let mut line = Line::begun();
    for _ in 0..60 {
        send_reported(&mut line, ms(0));
    }
    let passed = line.units.len();
    for _ in 0..60 {
        send_reported(&mut line, ms(2_000));
    }
    for pair in line.units[passed - 1..].windows(2) {
        let step = pair[1].pts - pair[0].pts;
        assert!(step.abs_diff(FRAME) < ms(34), "{step:?}");
    }
    assert!(lag(&line) < ms(40), "{:?}", lag(&line));
    // And forward again.
    for _ in 0..60 {
        send_reported(&mut line, ms(0));
    }
    assert!(lag(&line) < ms(40), "{:?}", lag(&line));
}
