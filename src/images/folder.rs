//! [`Folder`]: where pictures lie, by their names.

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::ImageId;
use crate::secret::Secret;

/// A folder of the data folder.
#[derive(Debug)]
pub(super) struct Folder {
    pub(super) root: PathBuf,
}

impl Folder {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// Where a picture is, if it is there.
    pub(super) fn path(&self, id: &ImageId) -> PathBuf {
        // So that no folder has too many entries.
        let first = id.as_str().get(..2).unwrap_or_default();
        self.root.join(first).join(id.as_str())
    }

    /// Keeps a picture. Nobody sees half of it: it gets its name when it is complete.
    pub(super) async fn write(
        &self,
        id: &ImageId,
        content: &[u8],
        now: SystemTime,
    ) -> io::Result<()> {
        let path = self.path(id);
        if tokio::fs::try_exists(&path).await? {
            return touch(path, now).await;
        }
        if let Some(folder) = path.parent() {
            tokio::fs::create_dir_all(folder).await?;
        }
        let unfinished = path.with_extension(format!("{}.part", Secret::random::<5>().reveal()));
        tokio::fs::write(&unfinished, content).await?;
        tokio::fs::rename(&unfinished, &path).await
    }
}

/// One that is given again is as new: it is not to be deleted before somebody names it.
async fn touch(path: PathBuf, now: SystemTime) -> io::Result<()> {
    let touched = tokio::task::spawn_blocking(move || {
        let file = std::fs::File::options().append(true).open(path)?;
        file.set_modified(now)
    });
    touched.await.map_err(io::Error::other)?
}

/// Deletes the files two folders down that are older than that and that nobody names.
pub(super) fn sweep(
    root: &Path,
    before: SystemTime,
    is_named: impl Fn(&str) -> bool,
) -> io::Result<u64> {
    let mut deleted = 0;
    if !root.try_exists()? {
        return Ok(deleted);
    }
    for folder in std::fs::read_dir(root)? {
        for file in std::fs::read_dir(folder?.path())? {
            let file = file?;
            let is_old = file.metadata()?.modified()? < before;
            if is_old && !file.file_name().to_str().is_some_and(&is_named) {
                std::fs::remove_file(file.path())?;
                deleted += 1;
            }
        }
    }
    Ok(deleted)
}

/// What the files below a folder take; what cannot be read counts as nothing.
pub(super) fn size_of(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return 0;
    };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(about) if about.is_dir() => size_of(&entry.path()),
        Ok(about) => about.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn what_nobody_names_goes_once_it_is_old_and_what_is_given_again_stays() {
        let data = tempfile::tempdir().unwrap();
        let folder = Folder::new(data.path().join("images"));
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(2_000_000_000);
        assert_eq!(sweep(&folder.root, now, |_| false).unwrap(), 0);
        let [named, old, again] =
            ["named", "olden", "again"].map(|it| ImageId::of(it.as_bytes(), "jpg"));
        for id in [&named, &old, &again] {
            folder.write(id, b"picture", now).await.unwrap();
            touch(folder.path(id), SystemTime::UNIX_EPOCH)
                .await
                .unwrap();
        }
        folder.write(&again, b"picture", now).await.unwrap();
        let before = now - Duration::from_secs(3600);
        let deleted = sweep(&folder.root, before, |name| name == named.as_str());
        assert_eq!(deleted.unwrap(), 1);
        let is_there = |id: &ImageId| folder.path(id).exists();
        assert_eq!([&named, &old, &again].map(is_there), [true, false, true]);
    }
}
