//! [`Archive`]: the S3-compatible store that recordings go to. An object is named after its stream
//! and its place in the stream's folder.

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::path::Path as File;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{Stream, TryStreamExt as _, once};
use hls::Elsewhere;
use object_store::buffered::BufWriter;
use object_store::path::Path;
use object_store::{GetOptions, ObjectStoreExt as _, PutPayload};
use sfu::StreamId;
use tokio::io::AsyncWriteExt as _;

use crate::bucket::Bucket;

/// Cheap to clone, all clones are one.
#[derive(Debug, Clone)]
pub(super) struct Archive(Bucket);

/// Why the store did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(super) enum ArchiveError {
    /// The store, or the way to it.
    #[error("the store of recordings fails: {0}")]
    Store(#[from] object_store::Error),
    /// A file on this side.
    #[error("a file of a recording fails: {0}")]
    Io(#[from] io::Error),
}

/// A file larger than this goes up in parts of this size.
const PART: usize = 10 * 1024 * 1024;

impl Archive {
    pub(super) fn new(bucket: Bucket) -> Self {
        Self(bucket)
    }

    fn folder(&self, stream: StreamId) -> Path {
        self.0.path(&stream.to_string())
    }

    fn path(&self, stream: StreamId, name: &str) -> Path {
        self.0.path(&format!("{stream}/{name}"))
    }

    /// Names and sizes of what there is of a stream.
    pub(super) async fn list(
        &self,
        stream: StreamId,
    ) -> Result<HashMap<String, u64>, ArchiveError> {
        let folder = self.folder(stream);
        let mut listed = self.0.store().list(Some(&folder));
        let mut found = HashMap::new();
        while let Some(object) = listed.try_next().await? {
            if let Some(parts) = object.location.prefix_match(&folder) {
                let name: Vec<_> = parts.map(|part| part.as_ref().to_owned()).collect();
                found.insert(name.join("/"), object.size);
            }
        }
        Ok(found)
    }

    /// Puts a file there. The object is there as a whole or not at all.
    pub(super) async fn put(
        &self,
        stream: StreamId,
        name: &str,
        file: &File,
        size_bytes: u64,
    ) -> Result<(), ArchiveError> {
        let path = self.path(stream, name);
        if usize::try_from(size_bytes).is_ok_and(|size| size <= PART) {
            let bytes = tokio::fs::read(file).await?;
            self.0.store().put(&path, PutPayload::from(bytes)).await?;
            return Ok(());
        }
        let mut file = tokio::fs::File::open(file).await?;
        let store = Arc::clone(self.0.store());
        let mut writer = BufWriter::with_capacity(store, path, PART).with_max_concurrency(2);
        let copied = tokio::io::copy(&mut file, &mut writer).await;
        let done = match copied {
            Ok(_) => writer.shutdown().await,
            Err(error) => Err(error),
        };
        if let Err(error) = done {
            // Parts that stay behind would cost money and be seen by nobody.
            let _ = writer.abort().await;
            return Err(error.into());
        }
        Ok(())
    }

    /// All bytes of a file.
    pub(super) async fn get(&self, stream: StreamId, name: &str) -> Result<Bytes, ArchiveError> {
        let found = self.0.store().get(&self.path(stream, name)).await?;
        Ok(found.bytes().await?)
    }

    /// Some bytes of a file, as they come.
    pub(super) fn read(
        &self,
        stream: StreamId,
        name: &str,
        range: Range<u64>,
    ) -> impl Stream<Item = Result<Bytes, ArchiveError>> + Send + use<> {
        let (archive, path) = (self.clone(), self.path(stream, name));
        let begun = async move {
            let options = GetOptions {
                range: Some(range.into()),
                ..GetOptions::default()
            };
            let got = archive.0.store().get_opts(&path, options).await?;
            Ok::<_, ArchiveError>(got.into_stream().map_err(ArchiveError::from))
        };
        once(begun).try_flatten()
    }

    /// Deletes all that there is of a stream.
    pub(super) async fn delete(&self, stream: StreamId) -> Result<(), ArchiveError> {
        for name in self.list(stream).await?.into_keys() {
            self.0.store().delete(&self.path(stream, &name)).await?;
        }
        Ok(())
    }

    /// Where the files of a stream are that the disk no longer has.
    pub(super) fn of(&self, stream: StreamId) -> Arc<dyn Elsewhere> {
        Arc::new(Archived {
            archive: self.clone(),
            stream,
        })
    }
}

#[derive(Debug)]
struct Archived {
    archive: Archive,
    stream: StreamId,
}

impl Elsewhere for Archived {
    fn get(
        &self,
        rendition: &str,
        name: &str,
    ) -> Pin<Box<dyn Future<Output = io::Result<Bytes>> + Send>> {
        let (archive, stream) = (self.archive.clone(), self.stream);
        let name = format!("{rendition}/{name}");
        Box::pin(async move {
            let got = archive.get(stream, &name).await;
            got.map_err(io::Error::other)
        })
    }
}
