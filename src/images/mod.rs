//! Pictures that people upload: checked, decoded under limits, cut, written anew, and served by a name
//! that is the hash of their content.
//!
//! Nothing of an upload is served: what goes out was drawn by us, without the notes that cameras leave
//! in files. A picture that nobody shows any more is deleted after a day.
//!
//! Where there is an object store, pictures lie there as well: each server finds what was uploaded at
//! another, and keeps it.

mod decode;
mod emote;
mod folder;
mod routes;
mod shared;
mod upload;

use std::collections::HashSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use std::{fmt, io};

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use utoipa::IntoParams;

use crate::bucket::{Bucket, BucketError};
use crate::clock::Clock;
use crate::error::ApiError;
use crate::rate::{Rate, household};
use crate::secret::hex;

use folder::Folder;
use shared::Shared;

/// Names a picture for ever: hexadecimal digits of the hash of its content, and its kind.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ImageId(String);

impl ImageId {
    /// The name as it stands in addresses and in the database.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (hash, kind) = text.split_once('.')?;
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let is_hash = hash.len() == HASH_DIGITS && hash.bytes().all(is_digit);
        (is_hash && KINDS.contains(&kind)).then(|| Self(text.to_owned()))
    }

    fn of(content: &[u8], kind: &str) -> Self {
        let digits = hex(&Sha256::digest(content));
        let hash = digits.get(..HASH_DIGITS).unwrap_or_default();
        Self(format!("{hash}.{kind}"))
    }

    /// Where browsers find it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("/images/{}", self.0)
    }

    /// Whether it is the name of that content.
    fn is_of(&self, content: &[u8]) -> bool {
        Self::of(content, self.kind()) == *self
    }

    fn kind(&self) -> &str {
        self.0.split_once('.').map_or("jpg", |(_, kind)| kind)
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ImageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a picture is for, which decides its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Square: of an account or a channel.
    Avatar,
    /// Across the top of a channel's page.
    Banner,
    /// Of a stream, as wide as its video.
    Thumbnail,
}

impl Shape {
    /// Width and height, of which it has the proportions; a smaller picture is not made larger.
    #[must_use]
    pub fn size(self) -> (u32, u32) {
        match self {
            Self::Avatar => (512, 512),
            Self::Banner => (2048, 512),
            Self::Thumbnail => (1280, 720),
        }
    }
}

/// An emote that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmoteImage {
    /// Its name.
    pub id: ImageId,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// Whether it has more than one frame.
    pub moves: bool,
}

/// The part that is wanted, in pixels of the picture as it is shown. Without one it is the middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Crop {
    /// Pixels left of it.
    pub x: u32,
    /// Pixels above it.
    pub y: u32,
    /// Its width.
    pub width: u32,
    /// Its height.
    pub height: u32,
}

/// Why a picture is not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// More bytes than are read.
    #[error("a picture may have 10 MiB; this file is larger: save it smaller, or as JPEG")]
    TooLong,
    /// The upload broke off.
    #[error("the upload broke off; try again")]
    Broken,
    /// No bytes.
    #[error("send the picture itself as the body of the request")]
    Empty,
    /// A drawing that may hold programs.
    #[error("SVG drawings are not taken, for they can hold programs; save it as PNG")]
    Svg,
    /// Of a kind that is not read.
    #[error("this is no PNG, JPEG, WebP or GIF; save the picture as one of these")]
    Kind,
    /// More pixels than are decoded.
    #[error("this picture has too many pixels: at most 10000 a side and 40 million in all")]
    TooLarge,
    /// The file is damaged.
    #[error("this picture is damaged and cannot be read; save it anew")]
    Damaged,
    /// The wanted part lies outside.
    #[error("the part to cut out must lie within the picture and be at least 16 pixels a side")]
    Crop,
    /// Too many at once.
    #[error("many pictures are being uploaded; try again in a moment")]
    Busy,
    /// Ours.
    #[error("{0}")]
    Failed(String),
}

impl From<ImageError> for ApiError {
    fn from(error: ImageError) -> Self {
        let detail = error.to_string();
        let invalid = |code| Self::Invalid {
            code,
            detail: detail.clone(),
        };
        let body = |status, code| Self::Body {
            status,
            code,
            detail: detail.clone(),
        };
        match error {
            ImageError::TooLong => body(StatusCode::PAYLOAD_TOO_LARGE, "image_too_long"),
            ImageError::Broken => body(StatusCode::BAD_REQUEST, "body_unreadable"),
            ImageError::Svg | ImageError::Kind => {
                body(StatusCode::UNSUPPORTED_MEDIA_TYPE, "image_kind_unsupported")
            }
            ImageError::Empty | ImageError::Damaged => invalid("image_invalid"),
            ImageError::TooLarge => invalid("image_too_large"),
            ImageError::Crop => invalid("crop_invalid"),
            ImageError::Busy => Self::TooMany(Duration::from_secs(2)),
            ImageError::Failed(words) => Self::Internal(words),
        }
    }
}

/// Why it cannot be said whether there is a picture.
#[derive(Debug, thiserror::Error)]
enum Missing {
    #[error("asked too often")]
    Often(Duration),
    #[error("the folder of pictures fails: {0}")]
    Folder(#[from] io::Error),
    #[error("the store of pictures fails: {0}")]
    Store(#[from] BucketError),
}

/// The service: cheap to clone, all clones are one.
#[derive(Debug, Clone)]
pub struct Images(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Clock,
    folder: Folder,
    shared: Option<Shared>,
    /// How often whom asked for what is not here: each costs a request to the store.
    asked: Rate<IpAddr>,
    /// Each upload lies in memory while it is read.
    uploads: Semaphore,
    /// A decoded picture takes up to 160 MB and a core for a moment.
    decoding: Arc<Semaphore>,
}

const HASH_DIGITS: usize = 40;
const KINDS: [&str; 3] = ["gif", "jpg", "png"];
/// More than a page shows.
const ASKED_A_MINUTE: u32 = 300;
const UPLOADS_AT_ONCE: usize = 8;
const DECODED_AT_ONCE: usize = 2;
const UNNAMED_FOR: Duration = Duration::from_secs(24 * 3600);

impl Images {
    /// On the pictures in this data folder, and those at the store.
    #[must_use]
    pub fn new(data: &Path, bucket: Option<Bucket>, clock: Clock) -> Self {
        Self(Arc::new(Inner {
            clock,
            folder: Folder::new(data.join("images")),
            shared: bucket.map(Shared::new),
            asked: Rate::new(Duration::from_secs(60)),
            uploads: Semaphore::new(UPLOADS_AT_ONCE),
            decoding: Arc::new(Semaphore::new(DECODED_AT_ONCE)),
        }))
    }

    /// How much all pictures take on the disk.
    pub async fn size_bytes(&self) -> u64 {
        let root = self.0.folder.root.clone();
        let sized = tokio::task::spawn_blocking(move || folder::size_of(&root)).await;
        sized.unwrap_or_default()
    }

    /// Deletes pictures that nobody names and that are older than a day: whoever uploads one names it
    /// in the next moment.
    ///
    /// # Errors
    /// When the folder cannot be read, or a file not be deleted.
    pub async fn sweep(&self, named: &Arc<HashSet<String>>) -> io::Result<u64> {
        let (root, kept) = (self.0.folder.root.clone(), Arc::clone(named));
        let before = self.0.now() - UNNAMED_FOR;
        let swept = tokio::task::spawn_blocking(move || {
            folder::sweep(&root, before, |name| kept.contains(name))
        });
        swept.await.map_err(io::Error::other)?
    }

    /// The same at the store, to which those go that it lacks: they came before there was one, or while
    /// it was away.
    ///
    /// # Errors
    /// When the store fails; the next sweep goes on.
    pub async fn sweep_store(&self, named: &HashSet<String>) -> Result<(), BucketError> {
        match &self.0.shared {
            Some(shared) => {
                let before = self.0.now() - UNNAMED_FOR;
                shared.sweep(&self.0.folder, named, before).await
            }
            None => Ok(()),
        }
    }

    /// Takes an uploaded picture: what it becomes can be had by its id from then on. The headers are
    /// those of the request whose body it is.
    ///
    /// # Errors
    /// When it is none that is taken; the words are for whoever uploads it.
    pub async fn take(
        &self,
        headers: &HeaderMap,
        body: Body,
        shape: Shape,
        crop: Option<Crop>,
    ) -> Result<ImageId, ImageError> {
        let _place = self.0.uploads.try_acquire().map_err(|_| ImageError::Busy)?;
        let upload = upload::read(headers, body).await?;
        let drawn = self.draw(move || decode::draw(&upload, shape, crop));
        let (content, kind) = drawn.await?;
        self.keep(&content, kind).await
    }

    /// Takes an uploaded emote, which may move, as [`Images::take`] takes pictures.
    ///
    /// # Errors
    /// When it is none that is taken; the words are for whoever uploads it.
    pub async fn take_emote(
        &self,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<EmoteImage, ImageError> {
        let _place = self.0.uploads.try_acquire().map_err(|_| ImageError::Busy)?;
        let upload = upload::read(headers, body).await?;
        let drawn = self.draw(move || emote::draw(&upload)).await?;
        let (width, height) = drawn.size;
        Ok(EmoteImage {
            id: self.keep(&drawn.file, drawn.kind).await?,
            width,
            height,
            moves: drawn.moves,
        })
    }

    async fn keep(&self, content: &[u8], kind: &'static str) -> Result<ImageId, ImageError> {
        let id = ImageId::of(content, kind);
        let written = self.0.folder.write(&id, content, self.0.now()).await;
        let failed = |error| ImageError::Failed(format!("a picture cannot be kept: {error}"));
        written.map_err(failed)?;
        if let Some(shared) = &self.0.shared
            && let Err(error) = shared.put(&id, content.to_vec()).await
        {
            tracing::warn!(%error, "A picture cannot be put at the store, and is tried again within the hour: {error}");
        }
        Ok(id)
    }

    /// Where a picture lies at this server, to which it comes from the store when it is there alone;
    /// `None` when it is nowhere. Who asks for many that are not here waits.
    async fn find(&self, id: &ImageId, from: IpAddr) -> Result<Option<PathBuf>, Missing> {
        let path = self.0.folder.path(id);
        if tokio::fs::try_exists(&path).await? {
            return Ok(Some(path));
        }
        let Some(shared) = &self.0.shared else {
            return Ok(None);
        };
        let (asked, now) = (&self.0.asked, self.0.clock.instant());
        let counted = asked.take(&household(from), ASKED_A_MINUTE, now);
        counted.map_err(Missing::Often)?;
        let _turn = shared.turn().await?;
        // Many want the same one when it is new.
        if tokio::fs::try_exists(&path).await? {
            return Ok(Some(path));
        }
        let Some(content) = shared.get(id).await? else {
            return Ok(None);
        };
        self.0.folder.write(id, &content, self.0.now()).await?;
        Ok(Some(path))
    }

    async fn draw<T: Send + 'static>(
        &self,
        draw: impl FnOnce() -> Result<T, ImageError> + Send + 'static,
    ) -> Result<T, ImageError> {
        let failed = |error: String| ImageError::Failed(format!("drawing a picture: {error}"));
        let turn = Arc::clone(&self.0.decoding).acquire_owned().await;
        let turn = turn.map_err(|error| failed(error.to_string()))?;
        let drawn = tokio::task::spawn_blocking(move || {
            // The work keeps the turn: whoever asked may hang up, which does not stop the work.
            let _turn = turn;
            draw()
        });
        // A decoder that panics has met a file that was made to hurt it.
        drawn.await.unwrap_or(Err(ImageError::Damaged))
    }
}

impl Inner {
    fn now(&self) -> SystemTime {
        SystemTime::from(self.clock.now())
    }
}

pub use routes::routes;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_ours_are_ids() {
        let hash = "0123456789abcdef0123456789abcdef01234567";
        let id = ImageId::parse(&format!("{hash}.png")).unwrap();
        assert_eq!(id.url(), format!("/images/{hash}.png"));
        let made = ImageId::of(b"content", "jpg");
        assert_eq!(ImageId::parse(made.as_str()), Some(made));
        for other in [
            "",
            hash,
            "../pepper",
            &format!("{hash}.svg"),
            &format!("{hash}.jpg/x"),
            &format!("{}.jpg", hash.to_uppercase()),
            &format!("../{hash}.jpg"),
        ] {
            assert_eq!(ImageId::parse(other), None, "{other}");
        }
    }
}
