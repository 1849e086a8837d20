//! The pictures of a recording: one of ten seconds each, as the stream's packager left them.

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use tokio::fs::read_dir;

/// The list that a seek bar shows pictures from.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Storyboard {
    start_unix_ms: i64,
    every_ms: u64,
    /// Pixels.
    width: u32,
    images: Vec<Image>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Image {
    unix_ms: i64,
    /// Relative to the list.
    uri: String,
}

const FOLDER: &str = "thumbs";
const EVERY_MS: u64 = 10_000;
const WIDTH: u32 = 320;

impl Storyboard {
    /// # Errors
    /// When the disk refuses. A folder that is not there holds no pictures.
    pub(super) async fn read(folder: &Path, start_unix_ms: i64) -> io::Result<Self> {
        let images = times(folder).await?.into_iter().map(|unix_ms| Image {
            unix_ms,
            uri: format!("{FOLDER}/{unix_ms}.jpg"),
        });
        Ok(Self {
            start_unix_ms,
            every_ms: EVERY_MS,
            width: WIDTH,
            images: images.collect(),
        })
    }
}

/// The picture that stands for the whole: of a third into it, where titles are over.
pub(super) async fn poster(folder: &Path) -> io::Result<Option<PathBuf>> {
    let times = times(folder).await?;
    let middle = times.get(times.len() / 3);
    Ok(middle.map(|unix_ms| path(folder, *unix_ms)))
}

/// A picture by the name that the list gives it.
pub(super) fn picture(folder: &Path, name: &str) -> Option<PathBuf> {
    time(name).map(|unix_ms| path(folder, unix_ms))
}

fn path(folder: &Path, unix_ms: i64) -> PathBuf {
    folder.join(FOLDER).join(format!("{unix_ms}.jpg"))
}

/// Reads a name exactly as [`path`] writes it; nothing else reaches a file.
fn time(name: &str) -> Option<i64> {
    let unix_ms: i64 = name.strip_suffix(".jpg")?.parse().ok()?;
    (format!("{unix_ms}.jpg") == name).then_some(unix_ms)
}

async fn times(folder: &Path) -> io::Result<Vec<i64>> {
    let mut times = Vec::new();
    let mut entries = match read_dir(folder.join(FOLDER)).await {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(times),
        Err(error) => return Err(error),
    };
    while let Some(entry) = entries.next_entry().await? {
        times.extend(entry.file_name().to_str().and_then(time));
    }
    times.sort_unstable();
    Ok(times)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn pictures_are_listed_in_order_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(poster(folder.path()).await.unwrap(), None);
        let thumbs = folder.path().join(FOLDER);
        std::fs::create_dir(&thumbs).unwrap();
        for name in [
            "20000.jpg",
            "10000.jpg",
            "30000.jpg",
            "010.jpg",
            "x.jpg",
            "5.png",
        ] {
            std::fs::write(thumbs.join(name), name).unwrap();
        }
        let storyboard = Storyboard::read(folder.path(), 9_500).await.unwrap();
        let times: Vec<_> = storyboard
            .images
            .iter()
            .map(|image| image.unix_ms)
            .collect();
        assert_eq!(times, [10_000, 20_000, 30_000]);
        assert_eq!(storyboard.images[0].uri, "thumbs/10000.jpg");
        let poster = poster(folder.path()).await.unwrap();
        assert_eq!(poster, Some(thumbs.join("20000.jpg")));
    }

    #[test]
    fn only_names_of_pictures_reach_a_file() {
        assert!(picture(Path::new("/x"), "1700000000000.jpg").is_some());
        for name in [
            "", ".jpg", "../1.jpg", "1.jpg/", "01.jpg", "+1.jpg", "1.jpeg", "1.jpg\0",
        ] {
            assert_eq!(picture(Path::new("/x"), name), None, "{name:?}");
        }
    }
}
