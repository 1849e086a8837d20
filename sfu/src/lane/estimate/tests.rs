//! The estimator at one end of a simulated link: a rate, a queue, jitter, loss, and an application
//! that sends by the estimate.

use std::collections::VecDeque;

use super::*;

const MS: u64 = 1_000;
const SECOND: u64 = 1_000 * MS;
const MBIT: u64 = 1_000_000;
const FRAME_US: u64 = 33_333;
const PACKET: u64 = 1_200;
/// What a packet of padding is on the wire.
const PADDING: u64 = 300;
const SWEEP_US: u64 = 200 * MS;
const REPORT_US: u64 = 50 * MS;

#[derive(Debug, Clone, Copy)]
struct Link {
    /// Bit/s.
    rate: u64,
    /// What waits at most, as the time that it takes.
    queue_us: u64,
    latency_us: u64,
    jitter_us: u64,
    loss_percent: u64,
    /// Whether packets keep their order in spite of jitter.
    keeps_order: bool,
    reports_lost_percent: u64,
    /// How much faster the viewer's clock goes, of a million.
    clock_ppm: u64,
}

/// What is sent of media.
#[derive(Debug, Clone, Copy)]
enum App {
    /// All that the estimate allows, up to this.
    Greedy(u64),
    /// This, whatever the estimate is.
    Fixed(u64),
    /// The largest of these that fits, at once down and with room to spare up.
    Layers(&'static [u64]),
}

/// A packet that is on its way, by its number.
#[derive(Debug, Clone, Copy)]
struct Flying {
    number: u64,
    comes_us: u64,
    sent_us: u64,
    bytes: u64,
    probe: u8,
}

#[derive(Debug)]
struct World {
    estimator: Estimator,
    link: Link,
    app: App,
    wanted: u64,
    now_us: u64,
    next_frame_us: u64,
    next_sound_us: u64,
    frames: u64,
    layer: u64,
    number: u64,
    /// When the link is done with what it has.
    free_us: u64,
    last_comes_us: u64,
    flying: Vec<Flying>,
    /// Number, arrival, of what no report has told of.
    arrived: Vec<(u64, Arrival)>,
    reported_up_to: u64,
    /// Reports on their way: when they come, what they say, how much is missing.
    reports: VecDeque<(u64, Vec<Arrival>, u64)>,
    /// When, how many came and how many were lost, for the share of the last second.
    told: VecDeque<(u64, u64, u64)>,
    random: u64,
    /// Estimate at each sweep.
    history: Vec<(u64, u64)>,
    padding: u64,
    media: u64,
}

const GOOD: Link = Link {
    rate: 3 * MBIT,
    queue_us: 300 * MS,
    latency_us: 20 * MS,
    jitter_us: 0,
    loss_percent: 0,
    keeps_order: true,
    reports_lost_percent: 0,
    clock_ppm: 0,
};

impl World {
    fn new(link: Link, app: App, wanted: u64) -> Self {
        Self {
            estimator: Estimator::new(),
            link,
            app,
            wanted,
            now_us: 0,
            next_frame_us: 0,
            next_sound_us: 0,
            frames: 0,
            layer: match app {
                App::Layers(layers) => layers[0],
                _ => 0,
            },
            number: 0,
            free_us: 0,
            last_comes_us: 0,
            flying: Vec::new(),
            arrived: Vec::new(),
            reported_up_to: 0,
            reports: VecDeque::new(),
            told: VecDeque::new(),
            random: 0x2545_f491_4f6c_dd1d,
            history: Vec::new(),
            padding: 0,
            media: 0,
        }
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % bound.max(1)
    }

    fn run(&mut self, span_us: u64) {
        let end = self.now_us + span_us;
        while self.now_us < end {
            self.now_us += MS;
            self.deliver();
            self.send_media();
            if self.now_us.is_multiple_of(2 * MS) {
                self.pad();
            }
            if self.now_us.is_multiple_of(REPORT_US) {
                self.report();
            }
            self.hear();
            if self.now_us.is_multiple_of(SWEEP_US) {
                self.sweep();
            }
        }
    }

    fn sweep(&mut self) {
        self.estimator.want(self.now_us, self.wanted);
        let Some(rate) = self.estimator.rate() else {
            return;
        };
        if let App::Layers(layers) = self.app {
            let fits = |layer: &&u64| **layer <= rate;
            let down = layers.iter().rfind(fits).copied().unwrap_or(layers[0]);
            let has_room = |layer: &&u64| **layer * 6 / 5 <= rate;
            let up = layers.iter().rfind(has_room).copied().unwrap_or(layers[0]);
            self.layer = self.layer.min(down).max(up);
        }
        self.history.push((self.now_us, rate));
    }

    fn send_media(&mut self) {
        if self.now_us >= self.next_sound_us {
            self.next_sound_us += 20 * MS;
            self.send(200);
        }
        if self.now_us < self.next_frame_us {
            return;
        }
        self.next_frame_us += FRAME_US;
        self.frames += 1;
        let rate = match self.app {
            App::Fixed(rate) => rate,
            App::Greedy(most) => self.estimator.rate().unwrap_or(MBIT / 2).min(most),
            App::Layers(_) => self.layer,
        };
        // A key frame is six of the others, so that they are a little less.
        let size = rate * FRAME_US / (8 * SECOND) * 60 / 65;
        let is_key = self.frames % 60 == 1;
        let mut left = if is_key { size * 6 } else { size };
        while left > 0 {
            let bytes = left.min(PACKET);
            self.media += bytes;
            self.send(bytes);
            left -= bytes;
        }
    }

    fn pad(&mut self) {
        let mut due = self.estimator.padding(self.now_us);
        while due > 0 {
            self.padding += PADDING;
            self.send(PADDING);
            due = due.saturating_sub(PADDING);
        }
    }

    fn send(&mut self, bytes: u64) {
        self.number += 1;
        let probe = self.estimator.probe();
        self.estimator.note_sent(bytes);
        let waits = self.free_us.saturating_sub(self.now_us);
        if waits > self.link.queue_us || self.below(100) < self.link.loss_percent {
            return;
        }
        self.free_us = self.free_us.max(self.now_us) + bytes * 8 * SECOND / self.link.rate;
        let jitter = self.below(self.link.jitter_us + 1);
        let mut comes_us = self.free_us + self.link.latency_us + jitter;
        if self.link.keeps_order {
            comes_us = comes_us.max(self.last_comes_us);
            self.last_comes_us = comes_us;
        }
        self.flying.push(Flying {
            number: self.number,
            comes_us,
            sent_us: self.now_us,
            bytes,
            probe,
        });
    }

    fn deliver(&mut self) {
        let now_us = self.now_us;
        for flying in self
            .flying
            .extract_if(.., |flying| flying.comes_us <= now_us)
        {
            let came_us = flying.comes_us + flying.comes_us * self.link.clock_ppm / 1_000_000;
            let ticks = i64::try_from(came_us / 250).expect("short");
            let arrival = Arrival {
                sent_us: flying.sent_us,
                // Of a clock that began long ago.
                arrived_us: ticks * 250 + 77_000_000,
                bytes: flying.bytes,
                probe: flying.probe,
            };
            self.arrived.push((flying.number, arrival));
        }
    }

    fn report(&mut self) {
        let mut arrived = std::mem::take(&mut self.arrived);
        arrived.sort_by_key(|(number, _)| *number);
        let Some((newest, _)) = arrived.last() else {
            return;
        };
        let told_of = newest.saturating_sub(self.reported_up_to);
        self.reported_up_to = self.reported_up_to.max(*newest);
        let lost = told_of.saturating_sub(arrived.len() as u64);
        let arrivals = arrived.into_iter().map(|(_, arrival)| arrival).collect();
        let comes_us = self.now_us + self.link.latency_us;
        if self.below(100) < self.link.reports_lost_percent {
            return;
        }
        self.reports.push_back((comes_us, arrivals, lost));
    }

    fn hear(&mut self) {
        while let Some((_, arrivals, lost)) =
            (self.reports).pop_front_if(|(comes_us, ..)| *comes_us <= self.now_us)
        {
            self.told
                .push_back((self.now_us, arrivals.len() as u64, lost));
            let since = self.now_us.saturating_sub(SECOND);
            self.told.retain(|(at, ..)| *at > since);
            let came: u64 = self.told.iter().map(|(_, came, _)| came).sum();
            let lost: u64 = self.told.iter().map(|(.., lost)| lost).sum();
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let loss = lost as f32 / (came + lost).max(1) as f32;
            let newest = arrivals.iter().map(|a| a.sent_us).max();
            let rtt = Duration::from_micros(self.now_us - newest.expect("never empty"));
            self.estimator
                .update(self.now_us, &arrivals, Some(loss), rtt);
        }
    }

    fn rate(&self) -> u64 {
        self.estimator.rate().expect("reports came")
    }

    /// Least and most estimate since a moment, in per cent of a rate.
    fn range(&self, since_us: u64, rate: u64) -> (u64, u64) {
        let since = || self.history.iter().filter(|(at, _)| *at >= since_us);
        let least = since().map(|(_, rate)| *rate).min();
        let most = since().map(|(_, rate)| *rate).max();
        let percent = |value: Option<u64>| value.expect("sweeps") * 100 / rate;
        (percent(least), percent(most))
    }

    /// How long after a moment the estimate was first so.
    fn first(&self, since_us: u64, is_so: impl Fn(u64) -> bool) -> Option<u64> {
        let since = self.history.iter().filter(|(at, _)| *at >= since_us);
        let mut found = since.filter(|(_, rate)| is_so(*rate)).map(|(at, _)| at);
        found.next().map(|at| at - since_us)
    }
}

#[test]
fn link_that_is_filled_is_found() {
    for rate in [MBIT / 2, MBIT, 3 * MBIT, 8 * MBIT] {
        let mut world = World::new(Link { rate, ..GOOD }, App::Greedy(20 * MBIT), 20 * MBIT);
        world.run(30 * SECOND);
        let (least, most) = world.range(10 * SECOND, rate);
        assert!(least >= 60 && most <= 110, "{rate}: {least}..{most} %");
    }
}

#[test]
fn link_of_3_mbit_carries_a_layer_that_fits_into_it() {
    let layers = App::Layers(&[150_000, 500_000, 1_800_000, 4_000_000]);
    let mut world = World::new(GOOD, layers, 5 * MBIT);
    world.run(30 * SECOND);
    let (least, most) = world.range(10 * SECOND, 3 * MBIT);
    assert!(least >= 60 && most <= 110, "{least}..{most} %");
    assert_eq!(world.layer, 1_800_000);
    // Probing costs a part of what is sent.
    let share = world.padding * 100 / (world.media + world.padding);
    assert!(share < 5, "{share} % padding");
}

#[test]
fn wide_link_is_found_by_a_viewer_who_wants_much() {
    let link = Link {
        rate: 100 * MBIT,
        ..GOOD
    };
    let mut world = World::new(link, App::Fixed(MBIT / 2), 12 * MBIT);
    world.run(10 * SECOND);
    assert!(world.rate() >= 12 * MBIT, "{}", world.rate());
    // And then it is left alone.
    let padding = world.padding;
    world.run(60 * SECOND);
    assert_eq!(world.padding, padding, "probes end");
    assert!(world.rate() >= 12 * MBIT, "{}", world.rate());
}

#[test]
fn collapse_is_found_within_2_s() {
    for app in [App::Greedy(20 * MBIT), App::Fixed(2 * MBIT)] {
        let mut world = World::new(GOOD, app, 5 * MBIT);
        world.run(15 * SECOND);
        world.link.rate = MBIT / 2;
        let collapsed = world.now_us;
        world.run(5 * SECOND);
        let found = world.first(collapsed, |rate| rate <= 600_000);
        assert!(found.is_some_and(|after| after <= 2 * SECOND), "{found:?}");
    }
}

#[test]
fn recovery_is_found_by_probing_though_little_is_sent() {
    let layers = App::Layers(&[150_000, 400_000, 2_000_000]);
    let mut world = World::new(GOOD, layers, 3 * MBIT);
    world.run(15 * SECOND);
    world.link.rate = MBIT / 2;
    world.run(20 * SECOND);
    assert!(world.layer <= 400_000, "{}", world.layer);
    world.link.rate = 3 * MBIT;
    let recovered = world.now_us;
    world.run(20 * SECOND);
    let found = world.first(recovered, |rate| rate >= 2_400_000);
    assert!(found.is_some_and(|after| after <= 10 * SECOND), "{found:?}");
    assert_eq!(world.layer, 2_000_000);
}

#[test]
fn loss_of_5_per_cent_pulls_nothing_down() {
    for app in [App::Greedy(20 * MBIT), App::Fixed(2 * MBIT)] {
        let link = Link {
            loss_percent: 5,
            ..GOOD
        };
        let mut world = World::new(link, app, 4 * MBIT);
        world.run(40 * SECOND);
        let (least, most) = world.range(10 * SECOND, 3 * MBIT);
        assert!(least >= 60 && most <= 110, "{app:?}: {least}..{most} %");
    }
}

#[test]
fn jitter_of_20_ms_pulls_nothing_down() {
    for keeps_order in [true, false] {
        let link = Link {
            rate: 10 * MBIT,
            jitter_us: 20 * MS,
            keeps_order,
            ..GOOD
        };
        let mut world = World::new(link, App::Fixed(2 * MBIT), 3 * MBIT);
        world.run(40 * SECOND);
        let (least, _) = world.range(10 * SECOND, 2 * MBIT);
        assert!(least >= 90, "in order: {keeps_order}: {least} %");
    }
}

#[test]
fn estimate_at_the_edge_of_a_layer_does_not_flap() {
    let layers = App::Layers(&[150_000, 500_000, 1_800_000, 4_000_000]);
    for rate in [1_900_000, 2_200_000, 2_600_000] {
        let mut world = World::new(Link { rate, ..GOOD }, layers, 5 * MBIT);
        world.run(60 * SECOND);
        let (least, most) = world.range(10 * SECOND, rate);
        assert!(least >= 50 && most <= 115, "{rate}: {least}..{most} %");
        let settled = world.history.iter().filter(|(at, _)| *at >= 10 * SECOND);
        let rates: Vec<u64> = settled.map(|(_, rate)| *rate).collect();
        let drops = rates.windows(2).filter(|w| w[1] * 10 < w[0] * 8);
        assert!(drops.count() <= 10, "{rate}: {rates:?}");
    }
}

#[test]
fn viewer_that_tells_nothing_is_not_probed_for_ever() {
    let mut world = World::new(GOOD, App::Fixed(MBIT / 2), 20 * MBIT);
    world.run(2 * SECOND);
    // From here on nothing is heard.
    world.reports.clear();
    world.link.latency_us = 1_000 * SECOND;
    world.run(2 * SECOND);
    let padding = world.padding;
    world.run(30 * SECOND);
    let probe = 30 * MBIT / 8 * 200 / 1_000;
    let probes = 30 / 5 + 1;
    assert!(
        world.padding - padding <= probes * probe / 10,
        "{}",
        world.padding - padding
    );
    assert_eq!(world.estimator.probe(), 0);
}

/// Whatever a viewer makes up, it cannot claim more than was sent.
#[test]
fn probe_tells_of_no_more_than_was_sent() {
    for gap_us in [0, 1, 250, 1_000, 5_000] {
        let mut estimator = Estimator::new();
        let first = Arrival {
            sent_us: 0,
            arrived_us: 0,
            bytes: 1_200,
            probe: 0,
        };
        estimator.update(1, &[first], None, Duration::from_millis(40));
        estimator.want(2, 30 * MBIT);
        let number = estimator.probe();
        assert_ne!(number, 0);
        let mut sent = Vec::new();
        let mut now_us = 2;
        while estimator.probe() != 0 {
            let mut due = estimator.padding(now_us);
            while due > 0 {
                estimator.note_sent(PADDING);
                sent.push(now_us);
                due = due.saturating_sub(PADDING);
            }
            now_us += 2 * MS;
        }
        let span = sent[sent.len() - 1] - sent[0];
        let bits = (sent.len() as u64 - 1) * PADDING * 8;
        let arrivals: Vec<Arrival> = sent
            .iter()
            .zip(0..)
            .map(|(sent_us, at)| Arrival {
                sent_us: *sent_us,
                arrived_us: at * gap_us,
                bytes: PADDING,
                probe: number,
            })
            .collect();
        estimator.update(now_us, &arrivals, None, Duration::from_millis(40));
        let most = (bits * SECOND / span).max(3 * MBIT);
        let rate = estimator.rate().expect("told");
        assert!(rate <= most, "{gap_us}: {rate} of {most}");
    }
}

/// A wake that comes late does not flood the link with all that it missed.
#[test]
fn probe_that_was_slept_over_is_no_flood() {
    for late_us in [2 * MS, 50 * MS, 190 * MS, 300 * MS] {
        let mut probe = Probe::new(1, 20 * MBIT, 0);
        let due = probe.due(late_us);
        assert!(
            due <= 20 * MBIT / 8 / 50 * 12 / 10,
            "{late_us}: {due} bytes"
        );
    }
}

/// The luckiest of many probes over a link with jitter is not believed for ever.
#[test]
fn jitter_lets_no_probe_run_away() {
    for jitter_us in [0, 5 * MS, 15 * MS] {
        let link = Link { jitter_us, ..GOOD };
        let mut world = World::new(link, App::Fixed(MBIT), 8 * MBIT);
        world.run(60 * SECOND);
        let (least, most) = world.range(10 * SECOND, 3 * MBIT);
        assert!(least >= 60 && most <= 125, "{jitter_us}: {least}..{most} %");
        let share = world.padding * 100 / (world.media + world.padding);
        assert!(share < 5, "{share} % padding");
    }
}

#[test]
fn reports_that_are_lost_and_clocks_that_differ_pull_nothing_down() {
    let mut links = [GOOD; 2];
    links[0].reports_lost_percent = 20;
    links[1].clock_ppm = 300;
    for link in links {
        let mut world = World::new(link, App::Fixed(MBIT), 2 * MBIT);
        world.run(60 * SECOND);
        let (least, most) = world.range(10 * SECOND, 3 * MBIT);
        assert!(least >= 40 && most <= 115, "{link:?}: {least}..{most} %");
        let share = world.padding * 100 / (world.media + world.padding);
        assert!(share < 5, "{share} % padding");
    }
}

#[test]
fn link_that_stands_still_for_3_s_is_what_it_was_soon_after() {
    let layers = App::Layers(&[150_000, 500_000, 1_800_000]);
    let mut world = World::new(GOOD, layers, 3 * MBIT);
    world.run(15 * SECOND);
    let before = world.link;
    world.link.loss_percent = 100;
    world.run(3 * SECOND);
    world.link = before;
    let back = world.now_us;
    world.run(15 * SECOND);
    let found = world.first(back + SECOND, |rate| rate >= 2 * MBIT);
    assert!(found.is_some_and(|after| after <= 9 * SECOND), "{found:?}");
    assert_eq!(world.layer, 1_800_000);
}

#[test]
fn heavy_loss_is_yielded_to_and_forgotten_when_it_ends() {
    let layers = App::Layers(&[150_000, 500_000, 1_800_000]);
    let link = Link {
        loss_percent: 25,
        ..GOOD
    };
    let mut world = World::new(link, layers, 3 * MBIT);
    world.run(15 * SECOND);
    assert!(world.rate() < 1_800_000, "{}", world.rate());
    world.link.loss_percent = 0;
    let over = world.now_us;
    world.run(15 * SECOND);
    let found = world.first(over, |rate| rate >= 2 * MBIT);
    assert!(found.is_some_and(|after| after <= 10 * SECOND), "{found:?}");
}
