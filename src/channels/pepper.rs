//! [`Pepper`]: the secret without which a stolen database gives away no stream key.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

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
#[error(
    "cannot use the secret in {path}: {source}; restore the file from a backup, or remove it and make \
     new stream keys",
    path = path.display()
)]
pub struct PepperError {
    path: PathBuf,
    source: io::Error,
}

impl Pepper {
    /// Reads the pepper from the data folder, or makes it at the first start.
    ///
    /// # Errors
    /// When the file can be neither read nor made, or does not hold 32 bytes.
    pub fn load_or_create(data: &Path) -> Result<Self, PepperError> {
        let path = data.join("pepper");
        create(&path)
            .or_else(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => read(&path),
                _ => Err(error),
            })
            .map(|bytes| Self(Arc::new(bytes)))
            .map_err(|source| PepperError { path, source })
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
        let first = Pepper::load_or_create(data.path()).unwrap();
        let second = Pepper::load_or_create(data.path()).unwrap();
        assert_eq!(first.mac("x"), second.mac("x"));
        assert!(first.fits("x", &second.mac("x")));
        assert!(!first.fits("x", &second.mac("y")));
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &std::fs::metadata(data.path().join("pepper"))
                .unwrap()
                .permissions(),
        );
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_file_is_named() {
        let data = tempfile::tempdir().unwrap();
        std::fs::write(data.path().join("pepper"), "short").unwrap();
        let error = Pepper::load_or_create(data.path()).unwrap_err();
        assert!(error.to_string().contains("pepper"), "{error}");
    }
}
