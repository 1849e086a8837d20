//! Emotes: small pictures, which may move. All of their frames are drawn anew.

use std::io::Cursor;
use std::time::Duration;

use image::codecs::gif::{GifDecoder, GifEncoder, Repeat};
use image::codecs::webp::WebPDecoder;
use image::imageops::{self, FilterType};
use image::{
    AnimationDecoder, DynamicImage, Frame, GenericImageView as _, ImageDecoder as _, ImageFormat,
    RgbaImage,
};

use super::ImageError;
use super::decode::{self, problem};

/// Longest side of what is drawn.
const SIDE: u32 = 112;
/// Longest side of an upload that moves.
const MOST_SIDE: u32 = 1_024;
const MOST_FRAMES: usize = 120;
/// Pixels of all frames that are looked at.
const MOST_PIXELS: u64 = 60_000_000;
/// Faster than this nothing can be seen, and browsers slow it down.
const SHORTEST: Duration = Duration::from_millis(20);

/// An emote as it was drawn.
pub(super) struct Drawn {
    pub(super) file: Vec<u8>,
    pub(super) kind: &'static str,
    pub(super) size: (u32, u32),
    pub(super) moves: bool,
}

/// The file of the emote. One that moves becomes a GIF.
pub(super) fn draw(upload: &[u8]) -> Result<Drawn, ImageError> {
    let frames = match image::guess_format(upload) {
        Ok(ImageFormat::Gif) => {
            let decoder = GifDecoder::new(Cursor::new(upload)).map_err(problem)?;
            check(decoder.dimensions())?;
            some(decoder, MOST_FRAMES)?
        }
        Ok(ImageFormat::WebP) => {
            let decoder = WebPDecoder::new(Cursor::new(upload)).map_err(problem)?;
            match decoder.has_animation() {
                true => {
                    check(decoder.dimensions())?;
                    some(decoder, MOST_FRAMES)?
                }
                false => Vec::new(),
            }
        }
        _ => Vec::new(),
    };
    match frames.len() {
        0 | 1 => still(upload),
        _ => moving(frames),
    }
}

fn check((width, height): (u32, u32)) -> Result<(), ImageError> {
    match width.max(height) <= MOST_SIDE {
        true => Ok(()),
        false => Err(ImageError::TooLarge),
    }
}

/// The frames, each made small as soon as it is read.
fn some<'a>(decoder: impl AnimationDecoder<'a>, most: usize) -> Result<Vec<Frame>, ImageError> {
    let mut frames = Vec::new();
    let mut pixels = 0;
    for frame in decoder.into_frames() {
        let frame = frame.map_err(problem)?;
        let delay = frame.delay();
        let picture = frame.into_buffer();
        pixels += u64::from(picture.width()) * u64::from(picture.height());
        if frames.len() == most || pixels > MOST_PIXELS {
            return Err(ImageError::TooLarge);
        }
        frames.push(Frame::from_parts(small(&picture), 0, 0, delay));
    }
    Ok(frames)
}

fn small(picture: &RgbaImage) -> RgbaImage {
    let (width, height) = fit(picture.dimensions());
    imageops::resize(picture, width, height, FilterType::Triangle)
}

fn fit((width, height): (u32, u32)) -> (u32, u32) {
    let longest = width.max(height).max(1);
    let side = |length: u32| match longest <= SIDE {
        true => length.max(1),
        false => (length * SIDE / longest).max(1),
    };
    (side(width), side(height))
}

fn still(upload: &[u8]) -> Result<Drawn, ImageError> {
    let picture = decode::decode(upload)?;
    let (width, height) = fit(picture.dimensions());
    let picture = picture.resize_exact(width, height, FilterType::CatmullRom);
    let picture = DynamicImage::ImageRgba8(picture.to_rgba8());
    let mut file = Cursor::new(Vec::new());
    picture
        .write_to(&mut file, ImageFormat::Png)
        .map_err(|error| ImageError::Failed(format!("writing an emote: {error}")))?;
    Ok(Drawn {
        file: file.into_inner(),
        kind: "png",
        size: (width, height),
        moves: false,
    })
}

fn moving(frames: Vec<Frame>) -> Result<Drawn, ImageError> {
    let failed = |error| ImageError::Failed(format!("writing an emote: {error}"));
    let size = frames
        .first()
        .map(|frame| frame.buffer().dimensions())
        .unwrap_or((1, 1));
    let mut file = Vec::new();
    let mut encoder = GifEncoder::new_with_speed(&mut file, 10);
    encoder.set_repeat(Repeat::Infinite).map_err(failed)?;
    for frame in frames {
        let delay = Duration::from(frame.delay()).max(SHORTEST);
        let delay = image::Delay::from_saturating_duration(delay);
        let frame = Frame::from_parts(frame.into_buffer(), 0, 0, delay);
        encoder.encode_frame(frame).map_err(failed)?;
    }
    drop(encoder);
    Ok(Drawn {
        file,
        kind: "gif",
        size,
        moves: true,
    })
}

#[cfg(test)]
mod tests {
    use image::Rgba;

    use super::*;

    fn animation(side: u32, frames: u32) -> Vec<u8> {
        let mut file = Vec::new();
        let mut encoder = GifEncoder::new(&mut file);
        for frame in 0..frames {
            let shade = u8::try_from(frame * 7 % 255).unwrap();
            let picture = RgbaImage::from_pixel(side, side, Rgba([shade, 20, 200, 255]));
            let delay = image::Delay::from_numer_denom_ms(100, 1);
            encoder
                .encode_frame(Frame::from_parts(picture, 0, 0, delay))
                .unwrap();
        }
        drop(encoder);
        file
    }

    #[test]
    fn what_moves_is_drawn_anew_and_small() {
        let drawn = draw(&animation(300, 5)).unwrap();
        assert!(drawn.moves && drawn.kind == "gif" && drawn.size == (SIDE, SIDE));
        let decoder = GifDecoder::new(Cursor::new(&drawn.file)).unwrap();
        assert_eq!(decoder.into_frames().count(), 5);
    }

    #[test]
    fn what_does_not_is_a_still_picture_that_shines_through() {
        let drawn = draw(&animation(40, 1)).unwrap();
        assert!(!drawn.moves && drawn.kind == "png" && drawn.size == (40, 40));
        let clear = RgbaImage::from_pixel(200, 100, Rgba([0, 0, 0, 0]));
        let mut file = Cursor::new(Vec::new());
        clear.write_to(&mut file, ImageFormat::Png).unwrap();
        let drawn = draw(&file.into_inner()).unwrap();
        assert_eq!(drawn.size, (112, 56));
        let picture = image::load_from_memory(&drawn.file).unwrap().to_rgba8();
        assert_eq!(picture.get_pixel(5, 5).0[3], 0);
    }

    #[test]
    fn too_much_is_refused() {
        assert!(matches!(
            draw(&animation(20, 121)),
            Err(ImageError::TooLarge)
        ));
        assert!(matches!(draw(b"no picture"), Err(ImageError::Kind)));
        let mut cut = animation(60, 4);
        cut.truncate(cut.len() / 2);
        assert!(draw(&cut).is_err() || draw(&cut).is_ok_and(|drawn| !drawn.file.is_empty()));
    }
}
