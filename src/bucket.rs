//! [`Bucket`]: the client of the S3-compatible store, of which a server has one. What lies there under
//! which name is its users' matter: recordings (`recordings/archive.rs`), segments of live streams
//! (`streams/playback/shelf.rs`), and uploaded pictures (`images/shared.rs`).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::path::Path;
use object_store::{ClientOptions, ObjectStore, ObjectStoreExt as _, RetryConfig};

use crate::config::Storage;

/// Cheap to clone, all clones are one.
#[derive(Clone)]
pub struct Bucket {
    store: Arc<dyn ObjectStore>,
    prefix: String,
}

impl fmt::Debug for Bucket {
    /// Without the keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket").finish_non_exhaustive()
    }
}

/// The store, or the way to it, fails; or its address or keys cannot be used.
pub use object_store::Error as BucketError;

/// A slow store gets so long for a request; the next attempt begins from the start.
const REQUEST_WITHIN: Duration = Duration::from_secs(600);
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

impl Bucket {
    /// The store of the configuration, if there is one. It is not asked yet.
    ///
    /// # Errors
    /// When address or keys cannot be used.
    pub fn open(storage: &Storage) -> Result<Option<Self>, BucketError> {
        if !storage.is_used() {
            return Ok(None);
        }
        let retry = RetryConfig {
            // Its users try again, more patiently.
            max_retries: 1,
            retry_timeout: Duration::from_secs(10),
            ..RetryConfig::default()
        };
        let client = ClientOptions::new()
            .with_allow_http(storage.endpoint.starts_with("http://"))
            .with_connect_timeout(CONNECT_WITHIN)
            .with_timeout(REQUEST_WITHIN);
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&storage.bucket)
            .with_region(&storage.region)
            .with_access_key_id(&storage.access_key)
            .with_secret_access_key(&storage.secret_key)
            .with_retry(retry)
            .with_client_options(client);
        if !storage.endpoint.is_empty() {
            builder = builder.with_endpoint(storage.endpoint.trim_end_matches('/'));
        }
        Ok(Some(Self {
            store: Arc::new(builder.build()?),
            prefix: storage.prefix.trim_matches('/').to_owned(),
        }))
    }

    /// What asks it.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    /// Where an object of that name lies.
    #[must_use]
    pub fn path(&self, name: &str) -> Path {
        Path::from(format!("{}/{name}", self.prefix))
    }

    /// Asks for something that is not there: an answer that says so is as good as any.
    async fn look(&self) -> Result<(), BucketError> {
        match self.store.head(&self.path("tallylight-doctor")).await {
            Ok(_) | Err(BucketError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// What the store says, if it does within so long.
///
/// # Errors
/// Those of the request, and when it takes longer.
pub async fn within<T>(
    limit: Duration,
    asked: impl Future<Output = Result<T, BucketError>>,
) -> Result<T, BucketError> {
    let late = |_| BucketError::Generic {
        store: "S3",
        source: "it did not answer in time".into(),
    };
    tokio::time::timeout(limit, asked).await.map_err(late)?
}

/// Whether the store of the configuration answers, in words where not; nothing where there is none.
pub async fn look(storage: &Storage) -> Option<Result<(), String>> {
    let bucket = match Bucket::open(storage) {
        Ok(bucket) => bucket?,
        Err(error) => return Some(Err(error.to_string())),
    };
    Some(bucket.look().await.map_err(|error| error.to_string()))
}
