//! What a ladder is made of: sizes and bit rates. Pure.

use media::Rung;

/// A picture that a ladder is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) width: u16,
    pub(super) height: u16,
    pub(super) frame_rate: u8,
    pub(super) audience: Audience,
}

/// Who can play a picture as it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Audience {
    /// All: only smaller ones are wanted.
    All,
    /// HLS players alone, as with B-frames: one of its own size is wanted for WebRTC viewers.
    Hls,
    /// WebRTC viewers alone: one of its own size is wanted for HLS players.
    WebRtc,
}

impl Audience {
    /// Whether what is made is for WebRTC viewers too.
    pub(super) fn lets_webrtc_have_rungs(self) -> bool {
        self != Self::WebRtc
    }
}

impl Source {
    /// Whether HLS players get a rung: not one that only repeats the source.
    pub(super) fn is_packaged(self, rung: &Rung) -> bool {
        let is_own_size = rung.height.min(rung.width) == even(self.width.min(self.height), 1.0);
        self.audience != Audience::Hls || !is_own_size
    }
}

/// The shorter side of usual pictures.
const SIDES: [u16; 4] = [1_080, 720, 480, 360];
/// A rung of more than this share of the one above it is not worth its price.
const LARGEST_STEP: f64 = 0.75;
/// Rungs; so many of a 1080p picture cost about one core.
const MOST_RUNGS: usize = 3;

/// What to make of a picture: the largest first, none if it is small already.
pub(super) fn rungs(source: Source) -> Vec<Rung> {
    let side = source.width.min(source.height);
    let mut sides = Vec::new();
    if source.audience != Audience::All {
        sides.push(side.min(SIDES[0]));
    }
    for usual in SIDES {
        let above = sides.last().copied().unwrap_or(side);
        if f64::from(usual) <= f64::from(above) * LARGEST_STEP && sides.len() < MOST_RUNGS {
            sides.push(usual);
        }
    }
    let rungs = (0..).zip(sides);
    rungs.map(|(track, to)| rung(track, source, to)).collect()
}

/// As WebRTC viewers and players are told of it.
pub(super) fn name(rung: &Rung) -> String {
    format!("{}p", rung.width.min(rung.height))
}

fn rung(track: u8, source: Source, side: u16) -> Rung {
    let scale = f64::from(side) / f64::from(source.width.min(source.height));
    let (width, height) = (even(source.width, scale), even(source.height, scale));
    Rung {
        track,
        width,
        height,
        bits_a_second: bits_a_second(width, height, source.frame_rate),
        is_baseline: source.audience.lets_webrtc_have_rungs(),
    }
}

fn even(pixels: u16, scale: f64) -> u16 {
    let scaled = (f64::from(pixels) * scale / 2.0).round() * 2.0;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is no larger than before"
    )]
    let scaled = scaled as u16;
    scaled.min(pixels / 2 * 2).max(2)
}

/// 2.5 Mbit/s for 720p30; larger pictures need fewer bits a pixel, faster ones fewer a picture.
fn bits_a_second(width: u16, height: u16, frame_rate: u8) -> u32 {
    let area = f64::from(width) * f64::from(height) / (1_280.0 * 720.0);
    let rate = f64::from(frame_rate.max(15)) / 30.0;
    let kilobits = 2_500.0 * area.powf(0.75) * rate.powf(0.6);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "kilobits of any picture fit, and are positive"
    )]
    let kilobits = kilobits as u32;
    kilobits.max(100) * 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(width: u16, height: u16, audience: Audience) -> Source {
        Source {
            width,
            height,
            frame_rate: 30,
            audience,
        }
    }

    fn sizes(width: u16, height: u16, audience: Audience) -> Vec<(u16, u16)> {
        let rungs = rungs(source(width, height, audience));
        rungs.iter().map(|rung| (rung.width, rung.height)).collect()
    }

    #[test]
    fn what_hls_plays_already_is_not_packaged_again() {
        for (width, height) in [(1280, 720), (321, 181), (720, 1280)] {
            let source = source(width, height, Audience::Hls);
            let rungs = rungs(source);
            let packaged: Vec<_> = rungs.iter().map(|rung| source.is_packaged(rung)).collect();
            assert!(
                !packaged[0] && packaged[1..].iter().all(|is| *is),
                "{packaged:?}"
            );
            assert!(rungs.iter().all(|rung| rung.is_baseline));
        }
        let large = source(3840, 2160, Audience::Hls);
        assert!(large.is_packaged(&rungs(large)[0]), "it is smaller");
    }

    #[test]
    fn what_is_playable_gets_smaller_ones() {
        assert_eq!(
            sizes(1920, 1080, Audience::All),
            [(1280, 720), (854, 480), (640, 360)]
        );
        assert_eq!(sizes(1280, 720, Audience::All), [(854, 480), (640, 360)]);
        assert_eq!(
            sizes(720, 1280, Audience::All),
            [(480, 854), (360, 640)],
            "portrait"
        );
        assert_eq!(sizes(854, 480, Audience::All), [(640, 360)]);
        assert!(sizes(640, 360, Audience::All).is_empty());
        assert_eq!(sizes(3840, 2160, Audience::All).len(), MOST_RUNGS);
    }

    #[test]
    fn what_is_not_playable_is_made_in_its_own_size_too() {
        assert_eq!(sizes(320, 180, Audience::WebRtc), [(320, 180)]);
        assert_eq!(
            sizes(1280, 720, Audience::WebRtc),
            [(1280, 720), (854, 480), (640, 360)]
        );
        assert_eq!(sizes(3840, 2160, Audience::WebRtc)[0], (1920, 1080));
        assert_eq!(sizes(321, 181, Audience::WebRtc), [(320, 180)], "even");
    }

    #[test]
    fn bits_rise_with_size_and_rate() {
        assert_eq!(bits_a_second(1_280, 720, 30), 2_500_000);
        let p1080 = bits_a_second(1_920, 1_080, 30);
        assert!((4_000_000..5_000_000).contains(&p1080), "{p1080}");
        assert!(bits_a_second(1_280, 720, 60) < 2 * 2_500_000);
        assert_eq!(bits_a_second(2, 2, 1), 100_000);
    }
}
