//! What a ladder is made of: sizes and bit rates. Pure.

use media::Rung;

/// A picture that a ladder is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) width: u16,
    pub(super) height: u16,
    pub(super) frame_rate: u8,
    /// Whether it is played as it comes, so that only smaller ones are wanted; such rungs are for
    /// WebRTC viewers too.
    pub(super) is_playable: bool,
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
    if !source.is_playable {
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
        is_baseline: source.is_playable,
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

    fn sizes(width: u16, height: u16, is_playable: bool) -> Vec<(u16, u16)> {
        let source = Source {
            width,
            height,
            frame_rate: 30,
            is_playable,
        };
        let rungs = rungs(source);
        rungs.iter().map(|rung| (rung.width, rung.height)).collect()
    }

    #[test]
    fn what_is_playable_gets_smaller_ones() {
        assert_eq!(
            sizes(1920, 1080, true),
            [(1280, 720), (854, 480), (640, 360)]
        );
        assert_eq!(sizes(1280, 720, true), [(854, 480), (640, 360)]);
        assert_eq!(sizes(720, 1280, true), [(480, 854), (360, 640)], "portrait");
        assert_eq!(sizes(854, 480, true), [(640, 360)]);
        assert!(sizes(640, 360, true).is_empty());
        assert_eq!(sizes(3840, 2160, true).len(), MOST_RUNGS);
    }

    #[test]
    fn what_is_not_playable_is_made_in_its_own_size_too() {
        assert_eq!(sizes(320, 180, false), [(320, 180)]);
        assert_eq!(
            sizes(1280, 720, false),
            [(1280, 720), (854, 480), (640, 360)]
        );
        assert_eq!(sizes(3840, 2160, false)[0], (1920, 1080));
        assert_eq!(sizes(321, 181, false), [(320, 180)], "even");
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
