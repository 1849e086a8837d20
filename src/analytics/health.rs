//! What samples of a stream's health tell together: alerts as intervals, gaps, and fewer samples in
//! the place of many. Pure.

use crate::streams::{Alert, Sample};

/// A sample and when.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Moment {
    /// The end of the time that it stands for.
    pub(super) at_ms: i64,
    pub(super) span_ms: i64,
    pub(super) score: i64,
    pub(super) sample: Sample,
}

/// Something was wrong from then to then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Interval {
    pub(super) alert: Alert,
    pub(super) from_ms: i64,
    pub(super) to_ms: i64,
    /// It was so in the newest sample.
    pub(super) is_last: bool,
}

/// How often there is a sample.
pub(super) const EVERY_MS: i64 = 5_000;

impl Moment {
    pub(super) fn new(at_ms: i64, sample: Sample) -> Self {
        Self {
            at_ms,
            span_ms: EVERY_MS,
            score: i64::from(sample.score()),
            sample,
        }
    }

    fn begin_ms(&self) -> i64 {
        self.at_ms - self.span_ms
    }

    /// Whether so much time is missing before this one that nothing is known of it.
    fn is_after_gap(&self, before: &Self) -> bool {
        self.begin_ms() - before.at_ms > 2 * self.span_ms.max(before.span_ms)
    }
}

/// Times between samples of which nothing is known.
pub(super) fn gaps(moments: &[Moment]) -> Vec<(i64, i64)> {
    let pairs = moments.iter().zip(moments.iter().skip(1));
    let gaps = pairs.filter(|(before, after)| after.is_after_gap(before));
    gaps.map(|(before, after)| (before.at_ms, after.begin_ms()))
        .collect()
}

/// Alerts of samples in their order, by when they began.
pub(super) fn intervals(moments: &[Moment]) -> Vec<Interval> {
    let mut done = Vec::new();
    let mut open: Vec<Interval> = Vec::new();
    let mut before: Option<&Moment> = None;
    for moment in moments {
        if before.is_some_and(|before| moment.is_after_gap(before)) {
            done.append(&mut open);
        }
        let alerts = moment.sample.alerts();
        let (on, over): (Vec<_>, Vec<_>) = open
            .into_iter()
            .partition(|interval| alerts.contains(&interval.alert));
        done.extend(over);
        open = on;
        for alert in alerts {
            match open.iter_mut().find(|interval| interval.alert == alert) {
                Some(interval) => interval.to_ms = moment.at_ms,
                None => open.push(Interval {
                    alert,
                    from_ms: moment.begin_ms(),
                    to_ms: moment.at_ms,
                    is_last: false,
                }),
            }
        }
        before = Some(moment);
    }
    done.extend(open.into_iter().map(|interval| Interval {
        is_last: true,
        ..interval
    }));
    done.sort_by_key(|interval| (interval.from_ms, interval.alert));
    done
}

/// One sample in the place of all of the same span, by the clock. It has their average, and of what
/// is bad the worst, so that no alert vanishes.
pub(super) fn thin(moments: &[Moment], span_ms: i64) -> Vec<Moment> {
    let slot = |moment: &Moment| (moment.at_ms - 1).div_euclid(span_ms);
    let chunks = moments.chunk_by(|a, b| slot(a) == slot(b));
    chunks.filter_map(|chunk| merge(chunk, span_ms)).collect()
}

/// The span at which so long a time has so many samples at most.
pub(super) fn span_for(length_ms: i64, most: i64) -> i64 {
    let wanted = length_ms / most.max(1);
    const SPANS: [i64; 6] = [5_000, 15_000, 60_000, 300_000, 900_000, 3_600_000];
    let fits = SPANS.into_iter().find(|span| *span >= wanted);
    fits.unwrap_or(24 * 3_600_000)
}

fn merge(moments: &[Moment], span_ms: i64) -> Option<Moment> {
    let last = moments.last()?;
    if let [one] = moments
        && one.span_ms >= span_ms
    {
        return Some(*one);
    }
    let samples = || moments.iter().map(|moment| &moment.sample);
    let worst = moments.iter().min_by_key(|moment| moment.score)?;
    let here: Vec<&Sample> = samples().filter(|sample| !sample.is_away).collect();
    let count = i64::try_from(here.len()).ok()?;
    let mean = |of: fn(&Sample) -> i64| match count {
        0 => 0,
        _ => here.iter().map(|sample| of(sample)).sum::<i64>() / count,
    };
    let most = |of: fn(&Sample) -> Option<f64>| samples().filter_map(of).reduce(f64::max);
    let is_away = samples().any(|sample| sample.is_away);
    Some(Moment {
        at_ms: last.at_ms,
        span_ms,
        score: worst.score,
        sample: Sample {
            is_away,
            bitrate: if worst.sample.bitrate < 500_000 && !is_away {
                worst.sample.bitrate
            } else {
                mean(|sample| sample.bitrate)
            },
            audio_bitrate: samples()
                .filter(|sample| !sample.is_away)
                .map(|sample| sample.audio_bitrate)
                .min()
                .unwrap_or(0),
            fps: here
                .iter()
                .map(|sample| sample.fps)
                .reduce(f64::min)
                .unwrap_or(0.0),
            keyframe_interval_ms: samples().filter_map(|s| s.keyframe_interval_ms).max(),
            loss: most(|sample| sample.loss),
            rtt_ms: most(|sample| sample.rtt_ms),
            dropped: samples().map(|sample| sample.dropped).sum(),
            layers: mean(|sample| sample.layers),
            viewers: samples().map(|sample| sample.viewers).max().unwrap_or(0),
            has_video: samples().any(|sample| sample.has_video),
        },
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn good() -> Sample {
        Sample {
            bitrate: 2_000_000,
            audio_bitrate: 128_000,
            fps: 30.0,
            layers: 1,
            has_video: true,
            ..Sample::default()
        }
    }

    fn every_5_s(samples: &[Sample]) -> Vec<Moment> {
        let at = (1..).map(|number| number * EVERY_MS);
        let both = at.zip(samples);
        both.map(|(at, sample)| Moment::new(at, *sample)).collect()
    }

    const AWAY: Sample = Sample {
        is_away: true,
        bitrate: 0,
        audio_bitrate: 0,
        fps: 0.0,
        keyframe_interval_ms: None,
        loss: None,
        rtt_ms: None,
        dropped: 0,
        layers: 0,
        viewers: 0,
        has_video: false,
    };

    #[test]
    fn alerts_in_a_row_are_one_interval() {
        let mute = Sample {
            audio_bitrate: 0,
            ..good()
        };
        let moments = every_5_s(&[good(), mute, mute, AWAY, good(), mute]);
        let told: Vec<_> = intervals(&moments)
            .into_iter()
            .map(|it| (it.alert, it.from_ms, it.to_ms, it.is_last))
            .collect();
        let right = [
            (Alert::NoAudio, 5_000, 15_000, false),
            (Alert::PublisherAway, 15_000, 20_000, false),
            (Alert::NoAudio, 25_000, 30_000, true),
        ];
        assert_eq!(told, right);
    }

    #[test]
    fn what_nobody_saw_is_a_gap_and_ends_an_interval() {
        let mut moments = every_5_s(&[AWAY, AWAY]);
        moments.push(Moment::new(60_000, AWAY));
        assert_eq!(gaps(&moments), [(10_000, 55_000)]);
        assert_eq!(intervals(&moments).len(), 2);
        let late = [Moment::new(5_000, good()), Moment::new(17_000, good())];
        assert!(gaps(&late).is_empty(), "one that was late is no gap");
    }

    #[test]
    fn a_minute_keeps_what_was_wrong_in_it() {
        let slow = Sample {
            fps: 10.0,
            bitrate: 1_000_000,
            ..good()
        };
        let mut samples = vec![good(); 24];
        samples[3] = slow;
        let thinned = thin(&every_5_s(&samples), 60_000);
        assert_eq!(thinned.len(), 2);
        assert_eq!(thinned[0].sample.alerts(), [Alert::LowFps]);
        assert!(thinned[0].score < 100 && thinned[1].score == 100);
        assert_eq!((thinned[1].span_ms, thinned[1].at_ms), (60_000, 120_000));
    }

    #[test]
    fn a_long_stream_gets_a_coarse_plot() {
        assert_eq!(span_for(10 * 60_000, 1_000), 5_000);
        assert_eq!(span_for(24 * 3_600_000, 1_500), 60_000);
        assert_eq!(span_for(i64::MAX, 1), 24 * 3_600_000);
    }

    proptest! {
        #[test]
        fn thinning_loses_no_alert_but_low_figures_of_a_moment(pattern in proptest::collection::vec(0..3_u8, 1..80)) {
            let samples: Vec<Sample> = pattern.iter().map(|kind| match kind {
                0 => good(),
                1 => AWAY,
                _ => Sample { audio_bitrate: 0, ..good() },
            }).collect();
            let moments = every_5_s(&samples);
            let thinned = thin(&moments, 60_000);
            let has = |moments: &[Moment], alert| intervals(moments).iter().any(|it| it.alert == alert);
            prop_assert_eq!(has(&moments, Alert::PublisherAway), has(&thinned, Alert::PublisherAway));
            prop_assert!(thinned.len() <= moments.len() / 12 + 2);
            let dropped = |moments: &[Moment]| moments.iter().map(|it| it.sample.dropped).sum::<i64>();
            prop_assert_eq!(dropped(&moments), dropped(&thinned));
            prop_assert_eq!(thin(&thinned, 60_000), thinned);
        }
    }
}
