//! The small pictures of a stream: one of ten seconds each, in `thumbs/` of its folder, named after
//! their Unix time in milliseconds.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

/// How far apart they are.
pub const EVERY: Duration = Duration::from_secs(10);
/// Pixels.
const WIDTH: u32 = 320;
const FOLDER: &str = "thumbs";

/// The list that a seek bar shows pictures from.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Storyboard {
    start_unix_ms: i64,
    every_ms: u64,
    /// Pixels.
    width: u32,
    images: Vec<Image>,
}

/// One picture.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Image {
    /// When it was taken.
    pub unix_ms: i64,
    /// Relative to the list.
    pub uri: String,
}

impl Storyboard {
    /// The list of pictures of these times, oldest first, of a stream that began at `start_unix_ms`.
    /// `prefix` goes before their addresses: empty, or a path that ends in a slash.
    pub fn new(start_unix_ms: i64, prefix: &str, times: impl IntoIterator<Item = i64>) -> Self {
        let images = times.into_iter().map(|unix_ms| Image {
            unix_ms,
            uri: format!("{prefix}{FOLDER}/{unix_ms}.jpg"),
        });
        Self {
            start_unix_ms,
            every_ms: u64::try_from(EVERY.as_millis()).unwrap_or_default(),
            width: WIDTH,
            images: images.collect(),
        }
    }

    /// The pictures.
    #[must_use]
    pub fn images(&self) -> &[Image] {
        &self.images
    }
}

/// Folder of the pictures of the stream whose media lies in `stream`.
#[must_use]
pub fn folder(stream: &Path) -> PathBuf {
    stream.join(FOLDER)
}

/// A picture's file.
#[must_use]
pub fn path(stream: &Path, unix_ms: i64) -> PathBuf {
    folder(stream).join(format!("{unix_ms}.jpg"))
}

/// Reads a file's name exactly as [`path`] writes it; nothing else reaches a file.
#[must_use]
pub fn time(name: &str) -> Option<i64> {
    let unix_ms: i64 = name.strip_suffix(".jpg")?.parse().ok()?;
    (format!("{unix_ms}.jpg") == name).then_some(unix_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_pictures_reach_a_file() {
        assert_eq!(time("1700000000000.jpg"), Some(1_700_000_000_000));
        for name in [
            "", ".jpg", "../1.jpg", "1.jpg/", "01.jpg", "+1.jpg", "1.jpeg", "1.jpg\0",
        ] {
            assert_eq!(time(name), None, "{name:?}");
        }
    }
}
