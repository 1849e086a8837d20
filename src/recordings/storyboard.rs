//! The pictures of a recording, as the stream's packager left them.

use std::io;
use std::path::{Path, PathBuf};

use tokio::fs::read_dir;

use crate::storyboard::{self, Storyboard};

/// The list of all pictures.
///
/// # Errors
/// When the disk refuses. A folder that is not there holds no pictures.
pub(super) async fn read(folder: &Path, start_unix_ms: i64) -> io::Result<Storyboard> {
    let times = times(folder).await?;
    Ok(Storyboard::new(start_unix_ms, "", times))
}

/// The picture that stands for the whole: of a third into it, where titles are over.
pub(super) async fn poster(folder: &Path) -> io::Result<Option<PathBuf>> {
    let times = times(folder).await?;
    let middle = times.get(times.len() / 3);
    Ok(middle.map(|unix_ms| storyboard::path(folder, *unix_ms)))
}

/// A picture by the name that the list gives it.
pub(super) fn picture(folder: &Path, name: &str) -> Option<PathBuf> {
    storyboard::time(name).map(|unix_ms| storyboard::path(folder, unix_ms))
}

async fn times(folder: &Path) -> io::Result<Vec<i64>> {
    let mut times = Vec::new();
    let mut entries = match read_dir(storyboard::folder(folder)).await {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(times),
        Err(error) => return Err(error),
    };
    while let Some(entry) = entries.next_entry().await? {
        times.extend(entry.file_name().to_str().and_then(storyboard::time));
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
        let thumbs = storyboard::folder(folder.path());
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
        let listed = read(folder.path(), 9_500).await.unwrap();
        let times: Vec<_> = listed.images().iter().map(|image| image.unix_ms).collect();
        assert_eq!(times, [10_000, 20_000, 30_000]);
        assert_eq!(listed.images()[0].uri, "thumbs/10000.jpg");
        let poster = poster(folder.path()).await.unwrap();
        assert_eq!(poster, Some(thumbs.join("20000.jpg")));
    }
}
