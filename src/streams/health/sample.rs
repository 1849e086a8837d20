//! [`Sample`]: how well a publisher's media arrives at one moment, its score, and what is wrong.

use serde::Serialize;
use sfu::StreamStats;
use utoipa::ToSchema;

use super::sent_layers;
use crate::streams::{ChannelState, LiveChannel};

/// One moment of a stream.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Sample {
    /// The publisher is away: there are no figures.
    pub(crate) is_away: bool,
    /// Bit/s of all layers that the publisher sends.
    pub(crate) bitrate: i64,
    pub(crate) audio_bitrate: i64,
    /// Of the largest layer.
    pub(crate) fps: f64,
    pub(crate) keyframe_interval_ms: Option<i64>,
    /// 0 to 1.
    pub(crate) loss: Option<f64>,
    pub(crate) rtt_ms: Option<f64>,
    /// Since the publisher came.
    pub(crate) dropped: i64,
    pub(crate) layers: i64,
    pub(crate) viewers: i64,
    /// Whether there are pictures, be they bad.
    pub(crate) has_video: bool,
}

/// Something that viewers notice, or soon will.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Alert {
    /// The publisher is gone or silent; viewers wait.
    PublisherAway,
    /// Less than 500 kbit/s.
    LowBitrate,
    /// Fewer than 20 pictures a second.
    LowFps,
    /// No sound arrives.
    NoAudio,
    /// Key frames are more than 4 s apart.
    SeldomKeyFrames,
}

/// Something that is wrong at this moment.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::streams) struct AlertNow {
    alert: Alert,
    /// For people.
    detail: &'static str,
}

const LOW_BITRATE: i64 = 500_000;
const LOW_FPS: f64 = 20.0;
/// Four seconds, and what a clock's grain adds.
const SELDOM_MS: i64 = 4_100;
/// Figures of a publisher that just came say little.
const SETTLED_MS: u64 = 5_000;

impl Sample {
    /// What is to be said of a stream now; nothing while its publisher has only come.
    pub(crate) fn of(live: &LiveChannel, stats: &StreamStats) -> Option<Self> {
        let viewers = i64::from(live.viewers);
        let publisher = stats.publisher.as_ref();
        if live.state == ChannelState::Reconnecting {
            return Some(Self {
                is_away: true,
                viewers,
                ..Self::default()
            });
        }
        let publisher = publisher.filter(|by| by.connected_ms >= SETTLED_MS)?;
        let active = || sent_layers(stats).filter(|layer| layer.active);
        let audio = stats.audio.as_ref().filter(|audio| audio.active);
        let largest = active().next();
        Some(Self {
            is_away: false,
            bitrate: whole(active().map(|layer| layer.bitrate).sum()),
            audio_bitrate: audio.map_or(0, |audio| whole(audio.bitrate)),
            fps: largest.map_or(0.0, |layer| layer.fps),
            keyframe_interval_ms: largest.and_then(|layer| layer.keyframe_interval_ms.map(whole)),
            loss: publisher.loss,
            rtt_ms: publisher.rtt_ms,
            dropped: whole(publisher.dropped),
            layers: i64::try_from(active().count()).unwrap_or(i64::MAX),
            viewers,
            has_video: sent_layers(stats).next().is_some(),
        })
    }

    /// What is wrong, the worst first.
    pub(crate) fn alerts(&self) -> Vec<Alert> {
        if self.is_away {
            return vec![Alert::PublisherAway];
        }
        let seldom = self.keyframe_interval_ms.is_some_and(|ms| ms > SELDOM_MS);
        let found = [
            (
                self.has_video && self.bitrate < LOW_BITRATE,
                Alert::LowBitrate,
            ),
            (self.has_video && self.fps < LOW_FPS, Alert::LowFps),
            (self.audio_bitrate == 0, Alert::NoAudio),
            (self.has_video && seldom, Alert::SeldomKeyFrames),
        ];
        let found = found.into_iter().filter(|(is_so, _)| *is_so);
        found.map(|(_, alert)| alert).collect()
    }

    /// From 0 to 100: a hundred, less
    /// - 40 as the bitrate falls from 500 kbit/s to nothing,
    /// - 30 as the frame rate falls from 20 to nothing,
    /// - 4 for each percent that is lost, at most 40,
    /// - 1 for each 20 ms of the round trip above 200 ms, at most 10,
    /// - 20 without sound, 10 where key frames are more than 4 s apart.
    ///
    /// Nothing while the publisher is away.
    pub(crate) fn score(&self) -> u8 {
        if self.is_away {
            return 0;
        }
        let mut lacks = 0.0;
        if self.has_video {
            let bitrate = u32::try_from(self.bitrate.clamp(0, LOW_BITRATE)).unwrap_or(0);
            lacks += 40.0 * (1.0 - f64::from(bitrate) / 500_000.0);
            lacks += 30.0 * (1.0 - (self.fps / LOW_FPS).clamp(0.0, 1.0));
        }
        lacks += (self.loss.unwrap_or(0.0) * 400.0).clamp(0.0, 40.0);
        lacks += ((self.rtt_ms.unwrap_or(0.0) - 200.0) / 20.0).clamp(0.0, 10.0);
        let alerts = self.alerts();
        if alerts.contains(&Alert::NoAudio) {
            lacks += 20.0;
        }
        if alerts.contains(&Alert::SeldomKeyFrames) {
            lacks += 10.0;
        }
        let left = (100.0 - lacks).round().clamp(0.0, 100.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it lies between 0 and 100"
        )]
        let score = left as u8;
        score
    }
}

impl From<Alert> for AlertNow {
    fn from(alert: Alert) -> Self {
        Self {
            alert,
            detail: alert.words(),
        }
    }
}

impl Alert {
    /// In words for people, as a sentence without its full stop.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::PublisherAway => "the publisher was away: viewers waited",
            Self::LowBitrate => "less than 500 kbit/s arrived: the picture is coarse",
            Self::LowFps => "fewer than 20 frames a second arrived: movement stutters",
            Self::NoAudio => "no sound arrived",
            Self::SeldomKeyFrames => {
                "key frames were more than 4 s apart: viewers wait long for their first picture"
            }
        }
    }
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn good() -> Sample {
        Sample {
            bitrate: 2_500_000,
            audio_bitrate: 128_000,
            fps: 30.0,
            keyframe_interval_ms: Some(2_000),
            loss: Some(0.0),
            rtt_ms: Some(20.0),
            layers: 1,
            has_video: true,
            ..Sample::default()
        }
    }

    #[test]
    fn a_good_stream_has_a_hundred_and_nothing_is_wrong() {
        assert_eq!((good().score(), good().alerts()), (100, vec![]));
        let sound = Sample {
            has_video: false,
            bitrate: 0,
            fps: 0.0,
            ..good()
        };
        assert_eq!((sound.score(), sound.alerts()), (100, vec![]), "by choice");
    }

    #[test]
    fn each_fault_has_its_alert_and_its_price() {
        let with = |change: fn(&mut Sample)| {
            let mut sample = good();
            change(&mut sample);
            (sample.alerts(), sample.score())
        };
        assert_eq!(
            with(|s| s.bitrate = 499_999),
            (vec![Alert::LowBitrate], 100)
        );
        assert_eq!(with(|s| s.bitrate = 250_000), (vec![Alert::LowBitrate], 80));
        assert_eq!(with(|s| s.fps = 10.0), (vec![Alert::LowFps], 85));
        assert_eq!(with(|s| s.audio_bitrate = 0), (vec![Alert::NoAudio], 80));
        let seldom = with(|s| s.keyframe_interval_ms = Some(5_000));
        assert_eq!(seldom, (vec![Alert::SeldomKeyFrames], 90));
        assert_eq!(with(|s| s.loss = Some(0.05)), (vec![], 80));
        assert_eq!(with(|s| s.rtt_ms = Some(300.0)), (vec![], 95));
        assert_eq!(with(|s| s.is_away = true), (vec![Alert::PublisherAway], 0));
    }

    proptest! {
        #[test]
        fn the_score_is_never_above_a_hundred_and_falls_with_loss(
            bitrate in any::<i64>(), fps in -10.0..1e6_f64, loss in -1.0..2.0_f64, rtt in -1e6..1e6_f64,
        ) {
            let sample = Sample { bitrate, fps, loss: Some(loss), rtt_ms: Some(rtt), ..good() };
            let worse = Sample { loss: Some(loss + 0.1), ..sample };
            prop_assert!(sample.score() <= 100);
            prop_assert!(worse.score() <= sample.score());
        }
    }
}
