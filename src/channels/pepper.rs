//! [`Pepper`]: the secret without which a stolen database gives away no stream key.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::store;
use crate::db::{Db, StoreError};
use crate::secret::{hex, random_bytes, same};

/// 32 random bytes in a file of the data folder that only its owner can read.
#[derive(Clone)]
pub struct Pepper(Arc<[u8; 32]>);

impl std::fmt::Debug for Pepper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pepper(hidden)")
    }
}

/// Why there is no pepper.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PepperError {
    /// The file cannot be used.
    #[error(
        "cannot use the secret in {path}: {source}; restore the file from a backup",
        path = path.display()
    )]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The database's stream keys were made with another one.
    #[error(
        "{path} is not the secret that the stream keys in this database were made with; name the \
         data folder of the server with --data, or restore the file from a backup",
        path = path.display()
    )]
    Other {
        /// The file.
        path: PathBuf,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What the database keeps the MAC of.
const FIXED_TEXT: &str = "tallylight";

impl Pepper {
    /// Reads the pepper from the data folder, or makes it at the first start, and holds it against
    /// what the database knows of it.
    ///
    /// # Errors
    /// When the file can be neither read nor made, does not hold 32 bytes, or belongs to another
    /// database.
    pub async fn open(data: &Path, db: &Db) -> Result<Self, PepperError> {
        let path = data.join("pepper");
        let pepper = Self::load_or_create(&path).map_err(|source| PepperError::File {
            path: path.clone(),
            source,
        })?;
        let known = store::pepper_mac(db, &pepper.mac(FIXED_TEXT)).await?;
        if pepper.fits(FIXED_TEXT, &known) {
            Ok(pepper)
        } else {
            Err(PepperError::Other { path })
        }
    }

    fn load_or_create(path: &Path) -> io::Result<Self> {
        create(path)
            .or_else(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => read(path),
                _ => Err(error),
            })
            .map(|bytes| Self(Arc::new(bytes)))
    }

    /// HMAC-SHA-256 of the text, in hexadecimal digits.
    #[must_use]
    pub fn mac(&self, text: &str) -> String {
        #[expect(
            clippy::expect_used,
            reason = "HMAC takes keys of any length (RFC 2104 §2)"
        )]
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.as_slice()).expect("any length fits");
        mac.update(text.as_bytes());
        hex(&mac.finalize().into_bytes())
    }

    /// Whether the text has this MAC, in constant time.
    #[must_use]
    pub fn fits(&self, text: &str, mac: &str) -> bool {
        same(&self.mac(text), mac)
    }
}

fn create(path: &Path) -> io::Result<[u8; 32]> {
    let bytes = random_bytes();
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    Ok(bytes)
}

fn read(path: &Path) -> io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    File::open(path)?.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_once_and_only_its_owner_can_read_it() {
        let data = tempfile::tempdir().unwrap();
        let path = data.path().join("pepper");
        let first = Pepper::load_or_create(&path).unwrap();
        let second = Pepper::load_or_create(&path).unwrap();
        assert_eq!(first.mac("x"), second.mac("x"));
        assert!(first.fits("x", &second.mac("x")));
        assert!(!first.fits("x", &second.mac("y")));
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &std::fs::metadata(&path).unwrap().permissions(),
        );
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_file_is_refused() {
        let data = tempfile::tempdir().unwrap();
        let path = data.path().join("pepper");
        std::fs::write(&path, "short").unwrap();
        assert!(Pepper::load_or_create(&path).is_err());
    }
}
