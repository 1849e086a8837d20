//! [`Shared`]: pictures at the object store, where each server finds what was uploaded at another.

use std::collections::HashSet;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::stream::{StreamExt as _, TryStreamExt as _, iter};
use object_store::path::Path;
use object_store::{ObjectStoreExt as _, PutPayload};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::ImageId;
use super::folder::Folder;
use crate::bucket::{Bucket, BucketError, within};

/// What lies there by the names of pictures.
#[derive(Debug)]
pub(super) struct Shared {
    bucket: Bucket,
    /// Anybody may ask for names that are none: the store is not asked for all of them at once.
    asking: Semaphore,
}

/// Folder of all of them in the bucket.
const FOLDER: &str = "images";
const ASKED_AT_ONCE: usize = 8;
/// Somebody waits for the answer.
const WITHIN: Duration = Duration::from_secs(5);
const LISTED_WITHIN: Duration = Duration::from_secs(60);

impl Shared {
    pub(super) fn new(bucket: Bucket) -> Self {
        Self {
            bucket,
            asking: Semaphore::new(ASKED_AT_ONCE),
        }
    }

    pub(super) async fn put(&self, id: &ImageId, content: Vec<u8>) -> Result<(), BucketError> {
        let path = self.path(id.as_str());
        let put = self.bucket.store().put(&path, PutPayload::from(content));
        within(WITHIN, put).await.map(|_| ())
    }

    /// Waits for a turn to ask. While it is kept, few others ask.
    pub(super) async fn turn(&self) -> Result<SemaphorePermit<'_>, BucketError> {
        let turn = async { Ok(self.asking.acquire().await) };
        within(WITHIN, turn)
            .await?
            .map_err(|closed| BucketError::Generic {
                store: "S3",
                source: closed.into(),
            })
    }

    /// A picture, if it is there and is what its name says.
    pub(super) async fn get(&self, id: &ImageId) -> Result<Option<Bytes>, BucketError> {
        let path = self.path(id.as_str());
        let asked = async { self.bucket.store().get(&path).await?.bytes().await };
        match within(WITHIN, asked).await {
            Ok(content) if id.is_of(&content) => Ok(Some(content)),
            Ok(_) => {
                tracing::warn!("The picture {id} at the store is not what its name says");
                Ok(None)
            }
            Err(BucketError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Deletes pictures that are older than that and that nobody names, and puts those there that are
    /// named and lie in the folder alone.
    pub(super) async fn sweep(
        &self,
        folder: &Folder,
        named: &HashSet<String>,
        before: SystemTime,
    ) -> Result<(), BucketError> {
        let listed = self.bucket.store().list(Some(&self.bucket.path(FOLDER)));
        let listed: Vec<_> = within(LISTED_WITHIN, listed.try_collect()).await?;
        let mut there = HashSet::new();
        let mut gone = Vec::new();
        for object in listed {
            let name = object.location.filename().unwrap_or_default();
            let is_named = named.contains(name);
            if is_named {
                there.insert(name.to_owned());
            } else if SystemTime::from(object.last_modified) < before {
                gone.push(object.location);
            }
        }
        self.delete(gone).await?;
        for id in named
            .difference(&there)
            .filter_map(|name| ImageId::parse(name))
        {
            if let Ok(content) = tokio::fs::read(folder.path(&id)).await {
                self.put(&id, content).await?;
            }
        }
        Ok(())
    }

    async fn delete(&self, gone: Vec<Path>) -> Result<(), BucketError> {
        let gone = iter(gone.into_iter().map(Ok)).boxed();
        let mut deleted = self.bucket.store().delete_stream(gone);
        let all = async {
            while let Some(one) = deleted.next().await {
                // Another server sweeps as well.
                match one {
                    Ok(_) | Err(BucketError::NotFound { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        };
        within(LISTED_WITHIN, all).await
    }

    fn path(&self, name: &str) -> Path {
        self.bucket.path(&format!("{FOLDER}/{name}"))
    }
}
