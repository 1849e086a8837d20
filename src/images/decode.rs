//! Turns an uploaded file into a picture of ours. It trusts nothing: the size is looked at before
//! anything is decoded, and of what moves the first picture is taken.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{CompressionType, FilterType as PngFilter, PngEncoder};
use image::error::ImageError as Decoding;
use image::imageops::FilterType;
use image::{
    DynamicImage, GenericImageView as _, ImageDecoder as _, ImageFormat, ImageReader, Limits,
};

use super::{Crop, ImageError, Shape};

const MOST_PIXELS_A_SIDE: u32 = 10_000;
const MOST_PIXELS: u64 = 40_000_000;
/// Of the decoded picture, and of what a decoder may take beside it.
const MOST_BYTES: u64 = 160_000_000;
const LEAST_SIDE: u32 = 16;
const JPEG_QUALITY: u8 = 86;

/// The file of the picture, and its kind.
pub(super) fn draw(
    upload: &[u8],
    shape: Shape,
    crop: Option<Crop>,
) -> Result<(Vec<u8>, &'static str), ImageError> {
    let picture = decode(upload)?;
    let part = match crop {
        Some(crop) => within(crop, picture.dimensions())?,
        None => middle(picture.dimensions(), shape)?,
    };
    let (width, height) = fit(part, shape);
    let cut = picture.crop_imm(part.x, part.y, part.width, part.height);
    drop(picture);
    encode(&cut.resize_exact(width, height, FilterType::CatmullRom))
}

pub(super) fn decode(upload: &[u8]) -> Result<DynamicImage, ImageError> {
    let format = image::guess_format(upload).map_err(|_| unknown(upload))?;
    let is_taken = matches!(
        format,
        ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::WebP | ImageFormat::Gif
    );
    if !is_taken {
        return Err(ImageError::Kind);
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(MOST_PIXELS_A_SIDE);
    limits.max_image_height = Some(MOST_PIXELS_A_SIDE);
    limits.max_alloc = Some(MOST_BYTES);
    let mut reader = ImageReader::with_format(Cursor::new(upload), format);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(problem)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MOST_PIXELS || decoder.total_bytes() > MOST_BYTES {
        return Err(ImageError::TooLarge);
    }
    let orientation = decoder.orientation().map_err(problem)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(problem)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

/// Of a file that is no picture that we know.
fn unknown(upload: &[u8]) -> ImageError {
    let start = upload.get(..1024).unwrap_or(upload);
    let text = String::from_utf8_lossy(start);
    let text = text.trim_start_matches('\u{FEFF}').trim_start();
    let is_drawing = text.starts_with("<svg")
        || (text.starts_with('<') && text.contains("<svg"))
        || text.starts_with("<?xml");
    if is_drawing {
        ImageError::Svg
    } else {
        ImageError::Kind
    }
}

pub(super) fn problem(error: Decoding) -> ImageError {
    match error {
        Decoding::Limits(_) => ImageError::TooLarge,
        Decoding::Unsupported(_) => ImageError::Kind,
        _ => ImageError::Damaged,
    }
}

/// The wanted part, if it lies within the picture.
fn within(crop: Crop, (width, height): (u32, u32)) -> Result<Crop, ImageError> {
    let ends = |from: u32, length: u32| from.checked_add(length);
    let fits = ends(crop.x, crop.width).is_some_and(|end| end <= width)
        && ends(crop.y, crop.height).is_some_and(|end| end <= height)
        && crop.width.min(crop.height) >= LEAST_SIDE;
    if fits {
        Ok(crop)
    } else {
        Err(ImageError::Crop)
    }
}

/// The largest part with the proportions of the shape, in the middle.
fn middle((width, height): (u32, u32), shape: Shape) -> Result<Crop, ImageError> {
    let (shape_width, shape_height) = shape.size();
    let by_height = scaled(height, shape_width, shape_height);
    let (wide, high) = match by_height <= width {
        true => (by_height, height),
        false => (width, scaled(width, shape_height, shape_width)),
    };
    if wide.min(high) < LEAST_SIDE {
        return Err(ImageError::Crop);
    }
    Ok(Crop {
        x: (width - wide) / 2,
        y: (height - high) / 2,
        width: wide,
        height: high,
    })
}

/// The size that the part gets: the shape's, or of a smaller part as much as there is.
fn fit(part: Crop, shape: Shape) -> (u32, u32) {
    let (shape_width, shape_height) = shape.size();
    let width = shape_width.min(part.width);
    match scaled(width, shape_height, shape_width) {
        height if height <= part.height => (width, height.max(1)),
        _ => {
            let height = shape_height.min(part.height);
            (scaled(height, shape_width, shape_height).max(1), height)
        }
    }
}

/// A length times `by / of`.
fn scaled(length: u32, by: u32, of: u32) -> u32 {
    let scaled = u64::from(length) * u64::from(by) / u64::from(of.max(1));
    u32::try_from(scaled).unwrap_or(u32::MAX)
}

/// As JPEG, or as PNG where something shines through.
fn encode(picture: &DynamicImage) -> Result<(Vec<u8>, &'static str), ImageError> {
    let failed = |error: Decoding| ImageError::Failed(format!("writing a picture: {error}"));
    let mut file = Vec::new();
    let is_clear = picture.color().has_alpha() && picture.to_rgba8().pixels().any(|p| p.0[3] < 255);
    if is_clear {
        let encoder =
            PngEncoder::new_with_quality(&mut file, CompressionType::Default, PngFilter::Adaptive);
        picture
            .to_rgba8()
            .write_with_encoder(encoder)
            .map_err(failed)?;
        return Ok((file, "png"));
    }
    let encoder = JpegEncoder::new_with_quality(&mut file, JPEG_QUALITY);
    picture
        .to_rgb8()
        .write_with_encoder(encoder)
        .map_err(failed)?;
    Ok((file, "jpg"))
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage, Rgba, RgbaImage};

    use super::*;

    fn file(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut file = Cursor::new(Vec::new());
        picture.write_to(&mut file, format).unwrap();
        file.into_inner()
    }

    /// Red on the left, blue on the right.
    fn halves(width: u32, height: u32) -> DynamicImage {
        let picture = RgbImage::from_fn(width, height, |x, _| match x < width / 2 {
            true => Rgb([220, 0, 0]),
            false => Rgb([0, 0, 220]),
        });
        DynamicImage::ImageRgb8(picture)
    }

    fn drawn(upload: &[u8], shape: Shape, crop: Option<Crop>) -> DynamicImage {
        let (file, _) = draw(upload, shape, crop).unwrap();
        image::load_from_memory(&file).unwrap()
    }

    #[test]
    fn every_kind_becomes_a_picture_of_the_shape() {
        for format in [
            ImageFormat::Png,
            ImageFormat::Jpeg,
            ImageFormat::WebP,
            ImageFormat::Gif,
        ] {
            let upload = file(&halves(300, 200), format);
            let picture = drawn(&upload, Shape::Thumbnail, None);
            assert_eq!(picture.dimensions(), (300, 168), "{format:?}");
            let (_, kind) = draw(&upload, Shape::Avatar, None).unwrap();
            assert_eq!(kind, "jpg", "{format:?}");
        }
        let large = file(&halves(1200, 1100), ImageFormat::Png);
        assert_eq!(drawn(&large, Shape::Avatar, None).dimensions(), (512, 512));
    }

    #[test]
    fn the_wanted_part_is_cut_out() {
        let upload = file(&halves(200, 100), ImageFormat::Png);
        let crop = Crop {
            x: 110,
            y: 10,
            width: 64,
            height: 64,
        };
        let picture = drawn(&upload, Shape::Avatar, Some(crop));
        assert_eq!(picture.dimensions(), (64, 64));
        let Rgba([red, _, blue, _]) = picture.get_pixel(5, 5);
        assert!(blue > 180 && red < 60, "{red} {blue}");
        for outside in [
            Crop { x: 190, ..crop },
            Crop {
                y: u32::MAX,
                ..crop
            },
            Crop { width: 0, ..crop },
            Crop { height: 8, ..crop },
        ] {
            let refused = draw(&upload, Shape::Avatar, Some(outside));
            assert!(matches!(refused, Err(ImageError::Crop)), "{outside:?}");
        }
    }

    #[test]
    fn what_shines_through_stays_so() {
        let clear = RgbaImage::from_pixel(40, 40, Rgba([9, 9, 9, 0]));
        let upload = file(&DynamicImage::ImageRgba8(clear), ImageFormat::Png);
        let (drawn, kind) = draw(&upload, Shape::Avatar, None).unwrap();
        assert_eq!(kind, "png");
        let picture = image::load_from_memory(&drawn).unwrap();
        assert_eq!(picture.get_pixel(3, 3).0[3], 0);
    }

    /// A JPEG whose EXIF says that it was taken on its side.
    fn turned(orientation: u8) -> Vec<u8> {
        let plain = file(&halves(64, 32), ImageFormat::Jpeg);
        let mut exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
        exif.push(orientation);
        exif.extend(b"\0\0\0\0\0\0secret place");
        let length = u16::try_from(exif.len() + 2).unwrap().to_be_bytes();
        let mut turned = plain[..2].to_vec();
        turned.extend([0xff, 0xe1]);
        turned.extend(length);
        turned.extend(exif);
        turned.extend(&plain[2..]);
        turned
    }

    #[test]
    fn a_picture_taken_on_its_side_is_put_upright_and_says_nothing_of_where() {
        let upload = turned(6);
        let crop = Crop {
            x: 0,
            y: 0,
            width: 32,
            height: 32,
        };
        let (file, _) = draw(&upload, Shape::Avatar, Some(crop)).unwrap();
        let picture = image::load_from_memory(&file).unwrap();
        let Rgba([red, _, blue, _]) = picture.get_pixel(16, 4);
        assert!(red > 180 && blue < 60, "the left is on top: {red} {blue}");
        assert!(!file.windows(12).any(|window| window == b"secret place"));
        assert!(!file.windows(4).any(|window| window == b"Exif"));
    }

    #[test]
    fn bombs_are_refused_before_they_are_decoded() {
        // 65535 × 65535 in the header, and nothing behind it.
        let mut png = file(&halves(32, 32), ImageFormat::Png);
        png[16..24].copy_from_slice(&[0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff]);
        let crc = png_crc(&png[12..29]);
        png[29..33].copy_from_slice(&crc.to_be_bytes());
        assert!(matches!(
            draw(&png, Shape::Avatar, None),
            Err(ImageError::TooLarge)
        ));
        let gif = b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\x02\x02D\x01\0;";
        assert!(matches!(
            draw(gif, Shape::Avatar, None),
            Err(ImageError::TooLarge)
        ));
        // Within the sides, yet too many pixels.
        let mut wide = png.clone();
        wide[16..24].copy_from_slice(&[0, 0, 0x27, 0x10, 0, 0, 0x27, 0x10]);
        let crc = png_crc(&wide[12..29]);
        wide[29..33].copy_from_slice(&crc.to_be_bytes());
        assert!(matches!(
            draw(&wide, Shape::Avatar, None),
            Err(ImageError::TooLarge)
        ));
    }

    /// As the PNG specification has it (§D), bit by bit.
    fn png_crc(bytes: &[u8]) -> u32 {
        let step = |crc: u32, byte: &u8| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| match crc & 1 {
                1 => (crc >> 1) ^ 0xedb8_8320,
                _ => crc >> 1,
            })
        };
        !bytes.iter().fold(u32::MAX, step)
    }

    #[test]
    fn of_what_moves_the_first_picture_is_taken() {
        let mut gif = Vec::new();
        let mut encoder = image::codecs::gif::GifEncoder::new(&mut gif);
        let frame = |colour| image::Frame::new(RgbaImage::from_pixel(32, 32, colour));
        encoder.encode_frame(frame(Rgba([0, 200, 0, 255]))).unwrap();
        for _ in 0..2000 {
            encoder.encode_frame(frame(Rgba([200, 0, 0, 255]))).unwrap();
        }
        drop(encoder);
        let Rgba([red, green, ..]) = drawn(&gif, Shape::Avatar, None).get_pixel(9, 9);
        assert!(green > 150 && red < 60, "{red} {green}");
    }

    #[test]
    fn drawings_and_other_files_are_refused_in_words() {
        for drawing in [
            "<svg xmlns=\"http://www.w3.org/2000/svg\"/>",
            "\u{FEFF}  <?xml version=\"1.0\"?><svg/>",
            "<!-- x --><svg onload=\"alert(1)\"/>",
        ] {
            let refused = draw(drawing.as_bytes(), Shape::Avatar, None);
            assert!(matches!(refused, Err(ImageError::Svg)), "{drawing}");
        }
        for other in ["MZ\u{90}", "%PDF-1.7", "hello", "BM\0\0\0\0\0\0\0\0"] {
            let refused = draw(other.as_bytes(), Shape::Avatar, None);
            assert!(matches!(refused, Err(ImageError::Kind)), "{other}");
        }
        let whole = file(&halves(64, 64), ImageFormat::Png);
        let cut_short = draw(&whole[..60], Shape::Avatar, None);
        assert!(
            matches!(cut_short, Err(ImageError::Damaged)),
            "{cut_short:?}"
        );
    }
}
