//! What is looked at of the media that arrives, one line each: how it is, and what to change.
//!
//! Every rule and every piece of advice on media is here, for any encoder. Pure: the figures come from
//! the SFU, the time since the publisher came from its session.

use std::time::Duration;

use sfu::{AudioStats, Lately, LayerStats, PublisherStats, StreamStats};

use super::{LATE, sent_layers, words};

/// One thing that is looked at.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub(in crate::streams) struct Check {
    pub(super) name: CheckName,
    pub(super) state: CheckState,
    /// What arrives, such as `H264 High, level 4.0`.
    pub(super) value: String,
    /// What to change and why, unless all is well.
    pub(super) advice: Option<String>,
}

/// What is looked at, in the order in which it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::streams) enum CheckName {
    /// Codec, profile and level.
    Video,
    /// Width and height.
    Size,
    /// Frames a second, and how even they are.
    FrameRate,
    /// Of picture and sound, and how even it is.
    Bitrate,
    /// How often one comes.
    KeyFrames,
    /// Whether pictures come in another order than they are shown in.
    BFrames,
    /// Codec and bitrate of the sound.
    Audio,
    /// What is lost, dropped or late.
    Delivery,
}

/// How it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::streams) enum CheckState {
    /// All is well.
    Ok,
    /// Some viewers notice something.
    Warn,
    /// Many viewers see little or nothing.
    Bad,
    /// Too early to say.
    Unknown,
}

/// Figures of ten seconds say something when a publisher has this much time.
const SETTLED: Duration = Duration::from_secs(15);
/// Viewers of a stream with key frames further apart than 4 s wait too long for a new layer; a little
/// more is how a distance of 4 s arrives.
const LONG_KEYFRAME_INTERVAL_MS: u64 = 4_200;
/// Shares of packets lost on the way in that viewers notice, and that spoil the stream.
const HEAVY_LOSS: f64 = 0.03;
const RUINOUS_LOSS: f64 = 0.1;
/// Pauses on the way in that viewers notice, and that take the stream from them.
const LONG_GAP: Duration = Duration::from_secs(1);
const RUINOUS_GAP: Duration = Duration::from_secs(3);
/// For so long it is told that something found no room.
const RECENT_DROP: Duration = Duration::from_secs(30);
/// A bitrate that falls to a fraction of itself is uneven; below that much it does not matter.
const UNEVEN_BITRATE: u64 = 4;
const SMALL_BITRATE: u64 = 500_000;
/// What many viewers' links do not carry, when there is nothing smaller.
const LARGE_BITRATE: u64 = 12_000_000;
/// Share of the best frame rate that is uneven.
const UNEVEN_FRAMES: f64 = 0.7;
const FEW_FRAMES: f64 = 14.5;
const MANY_FRAMES: f64 = 62.0;
/// More than a 4K picture is more than most devices decode.
const LARGEST_AREA: u64 = 3_840 * 2_160;
/// Opus of silence takes less.
const SILENT_BITRATE: u64 = 8_000;

/// All of them, for media that arrives since `age`.
pub(super) fn checks(stats: &StreamStats, age: Duration) -> Vec<Check> {
    let audio = stats.audio.as_ref().filter(|audio| audio.active);
    let mut checks = vec![video(stats, audio.is_some(), age)];
    if let Some(layer) = sent_layers(stats).find(|layer| layer.active) {
        checks.extend([
            size(layer),
            frame_rate(layer, lately(layer, stats, age)),
            bitrate(stats, layer, lately(layer, stats, age)),
            key_frames(layer, stats.publisher.as_ref(), age),
            b_frames(layer, stats),
        ]);
    }
    checks.push(sound(audio, age));
    checks.extend(stats.publisher.as_ref().map(|by| delivery(by, age)));
    checks
}

fn video(stats: &StreamStats, has_audio: bool, age: Duration) -> Check {
    let line = |state, value: &str| Check::new(CheckName::Video, state, value.to_owned());
    let Some(layer) = sent_layers(stats).find(|layer| layer.active) else {
        return match (sent_layers(stats).next(), has_audio && age >= LATE) {
            (Some(_), _) => line(CheckState::Warn, "paused").advise(
                "no picture arrives at the moment; is the video source in the encoder still there?",
            ),
            (None, true) => line(CheckState::Warn, "none")
                .advise("only audio arrives; add a video source if there should be a picture"),
            (None, false) => line(CheckState::Unknown, "not yet"),
        };
    };
    let codec = words::codec(&layer.codec);
    let profile = layer.profile.as_deref().unwrap_or_default();
    let value = format!("{codec} {profile}");
    let value = value.trim_end();
    match layer.codec.to_uppercase().as_str() {
        "H264" if !plays_everywhere(profile) => line(CheckState::Bad, value).advise(format!(
            "no browser shows H264 {profile}; in OBS set Settings → Advanced → Color Format to \
             NV12 and the encoder's profile to high, with ffmpeg -pix_fmt yuv420p"
        )),
        "H265" | "HEVC" => line(CheckState::Warn, value).advise(
            "H265 plays in few browsers, and viewers with others see nothing; set the encoder to H264",
        ),
        "AV1" => line(CheckState::Warn, value).advise(
            "AV1 plays in new browsers and devices only, and viewers with others see nothing; set \
             the encoder to H264 to reach all",
        ),
        "VP9" => line(CheckState::Warn, value).advise(
            "VP9 does not play on every device, and viewers without it see nothing; set the encoder \
             to H264 to reach all",
        ),
        _ => line(CheckState::Ok, value),
    }
}

/// Eight bits and 4:2:0 are what browsers decode of H264.
fn plays_everywhere(profile: &str) -> bool {
    let strange = ["High 10", "High 4:2:2", "High 4:4:4", "CAVLC"];
    !strange.iter().any(|name| profile.starts_with(name))
}

fn size(layer: &LayerStats) -> Check {
    let line = |state, value| Check::new(CheckName::Size, state, value);
    let (Some(value), Some((width, height))) = (words::size(layer), layer.width.zip(layer.height))
    else {
        return line(CheckState::Unknown, "not yet".to_owned());
    };
    if !width.is_multiple_of(2) || !height.is_multiple_of(2) {
        return line(CheckState::Warn, value).advise(
            "some devices show an odd width or height wrongly; set the output to even numbers, \
             such as 1280x720",
        );
    }
    if u64::from(width) * u64::from(height) > LARGEST_AREA {
        return line(CheckState::Warn, value).advise(
            "many devices cannot decode a picture larger than 4K; set the output to 1920x1080",
        );
    }
    line(CheckState::Ok, value)
}

fn frame_rate(layer: &LayerStats, lately: Option<Lately>) -> Check {
    let line = |state, value| Check::new(CheckName::FrameRate, state, value);
    let Some(lately) = lately else {
        return line(CheckState::Ok, format!("{:.0} fps", layer.fps));
    };
    let (least, most) = (lately.least_fps, lately.most_fps);
    let now = format!("{:.0} fps", f64::midpoint(least, most));
    if most > MANY_FRAMES {
        return line(CheckState::Warn, now).advise(
            "many devices cannot keep up with more than 60 frames a second; set the encoder to 60 \
             or 30",
        );
    }
    if most < FEW_FRAMES {
        return line(CheckState::Warn, now).advise(
            "few frames arrive; if more than a still picture is shown, close other programs, choose \
             a smaller size or add light for the camera",
        );
    }
    if least < most * UNEVEN_FRAMES {
        let range = format!("{least:.0} to {most:.0} fps");
        return line(CheckState::Warn, range).advise(
            "frames come unevenly, so the encoder or the camera cannot keep up; close other \
             programs, or choose a faster encoder preset or a smaller size",
        );
    }
    line(CheckState::Ok, now)
}

fn bitrate(stats: &StreamStats, largest: &LayerStats, lately: Option<Lately>) -> Check {
    let line = |state, value| Check::new(CheckName::Bitrate, state, value);
    let now = words::rate(total_bitrate(stats));
    if let Some(lately) = lately {
        let (least, most) = (lately.least_bitrate, lately.most_bitrate);
        if most > SMALL_BITRATE && least * UNEVEN_BITRATE < most {
            let range = format!("{} to {}", words::rate(least), words::rate(most));
            return line(CheckState::Warn, range).advise(
                "the bitrate jumps, which viewers may see as freezes; set the encoder's rate \
                 control to CBR, and if it is, the upload is too narrow: lower the bitrate or use a \
                 cable",
            );
        }
    }
    let has_smaller = stats.layers.iter().filter(|layer| layer.active).count() > 1;
    if largest.bitrate > LARGE_BITRATE && !has_smaller {
        return line(CheckState::Warn, now).advise(
            "many viewers' connections do not carry so much, and there is no smaller picture for \
             them; lower the bitrate to 6 Mbit/s",
        );
    }
    line(CheckState::Ok, now)
}

fn key_frames(layer: &LayerStats, by: Option<&PublisherStats>, age: Duration) -> Check {
    let line = |state, value| Check::new(CheckName::KeyFrames, state, value);
    // An encoder that makes key frames on request needs none at intervals.
    let listens = by.and_then(|by| by.answers_pli) == Some(true);
    let longest = Duration::from_millis(LONG_KEYFRAME_INTERVAL_MS);
    let (is_long, value, often) = match layer.keyframe_interval_ms.map(Duration::from_millis) {
        Some(interval) => {
            let value = format!("every {:.1} s", interval.as_secs_f64());
            let often = format!("come every {:.0} s", interval.as_secs_f64());
            (interval > longest, value, often)
        }
        None if age >= longest * 2 => (true, "one so far".to_owned(), "come seldom".to_owned()),
        None => return line(CheckState::Unknown, "not yet".to_owned()),
    };
    match (is_long, listens) {
        (true, false) => line(CheckState::Warn, value).advise(format!(
            "key frames {often}; set the keyframe interval to 2 s in the encoder, so that viewers \
             can switch quality"
        )),
        (true, true) => line(CheckState::Ok, "when asked for".to_owned()),
        (false, _) => line(CheckState::Ok, value),
    }
}

fn b_frames(layer: &LayerStats, stats: &StreamStats) -> Check {
    let line = |state, value: &str| Check::new(CheckName::BFrames, state, value.to_owned());
    if !layer.b_frames {
        return line(CheckState::Ok, "none");
    }
    let is_remade = stats.layers.iter().any(|other| other.made && other.active);
    let outcome = match (layer.withheld, is_remade) {
        (false, _) => "some players show them in the wrong order",
        (true, true) => {
            "instant viewers get a picture that is coded again here, HLS has it as it comes"
        }
        (true, false) => "viewers see it about two seconds late, by HLS, instead of at once",
    };
    line(CheckState::Warn, "yes").advise(format!(
        "with B-frames {outcome}; in OBS set Output → Streaming → B-frames to 0 (or Tune to \
         zerolatency), with ffmpeg -bf 0"
    ))
}

fn sound(audio: Option<&AudioStats>, age: Duration) -> Check {
    let line = |state, value| Check::new(CheckName::Audio, state, value);
    let Some(audio) = audio else {
        if age < LATE {
            return line(CheckState::Unknown, "not yet".to_owned());
        }
        return line(CheckState::Warn, "none".to_owned())
            .advise("no audio arrives; unmute or add an audio source in the encoder");
    };
    let rate = words::audio_rate(audio.bitrate);
    let value = format!("{}, {rate}", words::codec(&audio.codec));
    let is_silent = audio.peak_bitrate.is_some_and(|most| most < SILENT_BITRATE);
    if is_silent && age >= SETTLED {
        return line(CheckState::Warn, value).advise(
            "audio arrives, but it is silent; unmute the microphone, and look at the levels in the \
             encoder's mixer",
        );
    }
    line(CheckState::Ok, value)
}

fn delivery(by: &PublisherStats, age: Duration) -> Check {
    let gap = longest_gap(by);
    let loss = by.loss.unwrap_or_default();
    let line = |state| Check::new(CheckName::Delivery, state, arrival(by, gap));
    if loss >= HEAVY_LOSS {
        let state = match loss >= RUINOUS_LOSS {
            true => CheckState::Bad,
            false => CheckState::Warn,
        };
        return line(state).advise(format!(
            "{} of the packets are lost on the way here; lower the bitrate or use a cable",
            words::percent(loss)
        ));
    }
    if let Some(gap) = gap.filter(|gap| *gap >= LONG_GAP && age >= SETTLED) {
        let state = match gap >= RUINOUS_GAP {
            true => CheckState::Bad,
            false => CheckState::Warn,
        };
        return line(state).advise(format!(
            "nothing arrived for {}, so the upload stalls; use a cable, stop other uploads or lower \
             the bitrate",
            words::pause(gap)
        ));
    }
    let last_drop = by.dropped_age_ms.map(Duration::from_millis);
    if last_drop.is_some_and(|age| age < RECENT_DROP) {
        return line(CheckState::Warn).advise(
            "more came at once than the server has room for, and pictures were dropped; lower the \
             bitrate or use a cable, so that they come evenly",
        );
    }
    line(CheckState::Ok)
}

/// What is lost and late, in figures.
fn arrival(by: &PublisherStats, gap: Option<Duration>) -> String {
    let lost = match (by.loss, by.dropped) {
        (Some(loss), _) if loss > 0.0 => format!("{:.1} % lost", loss * 100.0),
        (_, 0) => "nothing lost".to_owned(),
        (_, dropped) => format!("{dropped} dropped in all"),
    };
    match gap {
        Some(gap) => format!("{lost}, longest gap {}", words::pause(gap)),
        None => lost,
    }
}

/// Of all that the publisher sends.
pub(super) fn total_bitrate(stats: &StreamStats) -> u64 {
    let layers = sent_layers(stats).filter(|layer| layer.active);
    let audio = stats.audio.as_ref().filter(|audio| audio.active);
    layers.map(|layer| layer.bitrate).sum::<u64>() + audio.map_or(0, |audio| audio.bitrate)
}

/// How even a layer is, once it has found its pace. After a pause on the way in that would tell of
/// the way, which has a line of its own, and not of the encoder.
fn lately(layer: &LayerStats, stats: &StreamStats, age: Duration) -> Option<Lately> {
    let gap = stats.publisher.as_ref().and_then(longest_gap);
    let stalls = gap.is_some_and(|gap| gap >= LONG_GAP);
    layer.lately.filter(|_| age >= SETTLED && !stalls)
}

fn longest_gap(by: &PublisherStats) -> Option<Duration> {
    by.longest_gap_ms.map(Duration::from_millis)
}

impl Check {
    fn new(name: CheckName, state: CheckState, value: String) -> Self {
        Self {
            name,
            state,
            value,
            advice: None,
        }
    }

    fn advise(self, advice: impl Into<String>) -> Self {
        Self {
            advice: Some(advice.into()),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{publisher, stats};
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn check_at(name: CheckName, age: Duration, change: impl FnOnce(&mut StreamStats)) -> Check {
        let mut stats = stats();
        change(&mut stats);
        let mut checks = checks(&stats, age).into_iter();
        checks.find(|check| check.name == name).unwrap()
    }

    fn check(name: CheckName, change: impl FnOnce(&mut StreamStats)) -> (CheckState, String) {
        let check = check_at(name, MINUTE, change);
        assert_eq!(
            check.advice.is_none(),
            matches!(check.state, CheckState::Ok | CheckState::Unknown),
            "{check:?}"
        );
        (check.state, check.advice.unwrap_or(check.value))
    }

    fn warns(name: CheckName, word: &str, change: impl FnOnce(&mut StreamStats)) {
        let (state, words) = check(name, change);
        assert_eq!(state, CheckState::Warn, "{words}");
        assert!(words.contains(word), "{words}");
    }

    #[test]
    fn a_healthy_stream_is_told_line_by_line() {
        let checks = checks(&stats(), MINUTE);
        assert!(checks.iter().all(|check| check.state == CheckState::Ok));
        let lines: Vec<_> = checks.iter().map(|check| check.value.as_str()).collect();
        let expected = [
            "H264 High, level 3.1",
            "1280x720",
            "30 fps",
            "2.4 Mbit/s",
            "every 2.0 s",
            "none",
            "Opus, 128 kbit/s",
            "nothing lost, longest gap 40 ms",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn at_first_nothing_is_wrong_that_may_still_come() {
        let first = |name| {
            check_at(name, Duration::from_secs(1), |s| {
                s.audio = None;
                s.layers[0].keyframe_interval_ms = None;
                s.layers[0].width = None;
                s.layers[0].lately = None;
            })
        };
        for name in [CheckName::Audio, CheckName::KeyFrames, CheckName::Size] {
            assert_eq!(first(name).state, CheckState::Unknown);
            assert_eq!(first(name).value, "not yet");
        }
        assert_eq!(first(CheckName::FrameRate).state, CheckState::Ok);
        let nothing = checks(&StreamStats::default(), Duration::ZERO);
        let is_unknown = |check: &Check| check.state == CheckState::Unknown;
        assert!(nothing.iter().all(is_unknown), "{nothing:?}");
    }

    #[test]
    fn codecs_that_not_all_play_are_named() {
        for codec in ["H265", "AV1", "VP9"] {
            warns(CheckName::Video, "to H264", |s| {
                s.layers[0].codec = codec.to_owned();
            });
        }
        let ten_bits =
            |s: &mut StreamStats| s.layers[0].profile = Some("High 10, level 4.0".into());
        let (state, words) = check(CheckName::Video, ten_bits);
        assert_eq!(state, CheckState::Bad);
        assert!(words.contains("NV12"), "{words}");
        let plain = check(CheckName::Video, |s| s.layers[0].profile = None);
        assert_eq!(plain, (CheckState::Ok, "H264".to_owned()));
    }

    #[test]
    fn a_missing_picture_is_told_apart_from_one_that_pauses() {
        warns(CheckName::Video, "only audio", |s| s.layers.clear());
        warns(CheckName::Video, "at the moment", |s| {
            s.layers[0].active = false;
        });
        // What the server makes is none of the publisher's.
        warns(CheckName::Video, "only audio", |s| s.layers[0].made = true);
    }

    #[test]
    fn strange_sizes_and_frame_rates_are_told() {
        warns(CheckName::Size, "even numbers", |s| {
            s.layers[0].width = Some(1279);
        });
        warns(CheckName::Size, "4K", |s| {
            s.layers[0].width = Some(7680);
            s.layers[0].height = Some(4320);
        });
        let fps = |least, most| {
            move |s: &mut StreamStats| {
                let lately = s.layers[0].lately.as_mut().unwrap();
                (lately.least_fps, lately.most_fps) = (least, most);
            }
        };
        warns(CheckName::FrameRate, "unevenly", fps(12.0, 30.0));
        warns(CheckName::FrameRate, "few frames", fps(5.0, 5.5));
        warns(CheckName::FrameRate, "more than 60", fps(90.0, 120.0));
        let stalled = check(CheckName::FrameRate, |s| {
            fps(12.0, 30.0)(s);
            s.publisher.as_mut().unwrap().longest_gap_ms = Some(1_400);
        });
        assert_eq!(stalled.0, CheckState::Ok, "the way is at fault");
        assert_eq!(
            check(CheckName::FrameRate, fps(24.5, 30.5)).0,
            CheckState::Ok
        );
    }

    #[test]
    fn a_bitrate_that_jumps_or_is_too_much_is_told() {
        let jumps = |s: &mut StreamStats| {
            s.layers[0].lately.as_mut().unwrap().least_bitrate = 400_000;
        };
        warns(CheckName::Bitrate, "CBR", jumps);
        let early = check_at(CheckName::Bitrate, Duration::from_secs(8), jumps);
        assert_eq!(early.state, CheckState::Ok, "while it finds its pace");
        let large = |s: &mut StreamStats| s.layers[0].bitrate = 20_000_000;
        warns(CheckName::Bitrate, "lower the bitrate", large);
        let with_smaller = check(CheckName::Bitrate, |s| {
            large(s);
            s.layers.push(LayerStats {
                made: true,
                active: true,
                bitrate: 800_000,
                ..LayerStats::default()
            });
        });
        assert_eq!(with_smaller, (CheckState::Ok, "20.1 Mbit/s".to_owned()));
    }

    #[test]
    fn key_frames_may_be_4_s_apart_or_come_on_request() {
        let every = |ms| move |s: &mut StreamStats| s.layers[0].keyframe_interval_ms = ms;
        assert_eq!(
            check(CheckName::KeyFrames, every(Some(4_050))).0,
            CheckState::Ok
        );
        warns(CheckName::KeyFrames, "every 5 s", every(Some(4_900)));
        warns(CheckName::KeyFrames, "come seldom", every(None));
        let listens = check(CheckName::KeyFrames, |s| {
            s.layers[0].keyframe_interval_ms = Some(30_000);
            s.publisher.as_mut().unwrap().answers_pli = Some(true);
        });
        assert_eq!(listens, (CheckState::Ok, "when asked for".to_owned()));
    }

    #[test]
    fn b_frames_are_named_with_the_setting() {
        let set = "Output → Streaming → B-frames to 0 (or Tune to zerolatency), with ffmpeg -bf 0";
        warns(CheckName::BFrames, set, |s| s.layers[0].b_frames = true);
        warns(CheckName::BFrames, "two seconds late", |s| {
            s.layers[0].b_frames = true;
            s.layers[0].withheld = true;
        });
        warns(CheckName::BFrames, "coded again here", |s| {
            s.layers[0].b_frames = true;
            s.layers[0].withheld = true;
            s.layers.push(LayerStats {
                made: true,
                active: true,
                ..s.layers[0].clone()
            });
        });
    }

    #[test]
    fn silence_is_told_apart_from_no_audio() {
        warns(CheckName::Audio, "no audio", |s| s.audio = None);
        warns(CheckName::Audio, "it is silent", |s| {
            s.audio.as_mut().unwrap().peak_bitrate = Some(1_200);
        });
    }

    #[test]
    fn loss_pauses_and_drops_are_told_by_how_bad_they_are() {
        let by = |change: fn(&mut PublisherStats)| {
            check(CheckName::Delivery, |s| {
                let mut by = publisher();
                change(&mut by);
                s.publisher = Some(by);
            })
        };
        let (state, words) = by(|by| by.loss = Some(0.05));
        assert_eq!(state, CheckState::Warn);
        assert!(words.contains("5 % of the packets"), "{words}");
        assert_eq!(by(|by| by.loss = Some(0.2)).0, CheckState::Bad);
        let (state, words) = by(|by| by.longest_gap_ms = Some(1_400));
        assert_eq!(state, CheckState::Warn);
        assert!(words.contains("for 1.4 s"), "{words}");
        assert_eq!(by(|by| by.longest_gap_ms = Some(3_400)).0, CheckState::Bad);
        let dropped = |age| {
            move |s: &mut StreamStats| {
                let by = s.publisher.as_mut().unwrap();
                (by.dropped, by.dropped_age_ms) = (7, Some(age));
            }
        };
        warns(CheckName::Delivery, "dropped", dropped(2_000));
        let long_ago = check(CheckName::Delivery, dropped(90_000));
        let words = "7 dropped in all, longest gap 40 ms".to_owned();
        assert_eq!(long_ago, (CheckState::Ok, words));
    }
}
