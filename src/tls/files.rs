//! A certificate and its key in PEM files.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use tokio_rustls::rustls::client::verify_server_name;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{Error, InconsistentKeys};

use super::{Validity, config, provider};

/// Why there is no usable certificate. The text is one line and names the key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// A file could not be read.
    #[error(
        "cannot read {key}, the file {path}: {source}; check the path, and let this user read it",
        path = path.display()
    )]
    Unreadable {
        /// The configuration's key.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A file holds something else.
    #[error(
        "{key}, the file {path}, holds no {wanted} in PEM form, which begins with \"-----BEGIN\"",
        path = path.display()
    )]
    NotPem {
        /// The configuration's key.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What should be in it.
        wanted: &'static str,
    },
    /// Each is well, but they do not belong together.
    #[error(
        "tls.private_key {key} is not the key of tls.certificate {certificate}; the server's own \
         certificate must come first in its file",
        key = key.display(),
        certificate = certificate.display()
    )]
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// The certificate or the key is of a kind that cannot be used.
    #[error(
        "cannot use tls.certificate {certificate} with tls.private_key: {source}; keys of RSA (2048 \
         bits or more), of the curves P-256, P-384 and P-521, and Ed25519 can be used",
        certificate = certificate.display()
    )]
    Unusable {
        /// The certificate's file.
        certificate: PathBuf,
        /// What TLS says.
        source: Error,
    },
    /// The folder of what an authority gives.
    #[error(
        "cannot keep certificates in {path}: {source}; let this user write there",
        path = path.display()
    )]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

/// A certificate with those that it hangs on, and its key.
#[derive(Debug)]
pub(super) struct Pair {
    certified: Arc<CertifiedKey>,
}

impl Pair {
    /// Of texts in PEM form, which are told by the files that they are in.
    pub(super) fn of(
        chain: &[u8],
        key: &[u8],
        files: &config::Tls,
    ) -> Result<Self, CertificateError> {
        let not_pem = |key, path: &Path, wanted| CertificateError::NotPem {
            key,
            path: path.to_owned(),
            wanted,
        };
        let certificates: Result<Vec<_>, pem::Error> =
            CertificateDer::pem_slice_iter(chain).collect();
        let certificates = certificates.ok().filter(|chain| !chain.is_empty());
        let certificates = certificates
            .ok_or_else(|| not_pem("tls.certificate", &files.certificate, "certificate"))?;
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|_| not_pem("tls.private_key", &files.private_key, "private key"))?;
        let certified = CertifiedKey::from_der(certificates, key, &provider());
        let certified = certified.map_err(|source| match source {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => CertificateError::Mismatch {
                certificate: files.certificate.clone(),
                key: files.private_key.clone(),
            },
            source => CertificateError::Unusable {
                certificate: files.certificate.clone(),
                source,
            },
        })?;
        Ok(Self {
            certified: Arc::new(certified),
        })
    }

    /// As TLS wants it.
    pub(super) fn certified(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.certified)
    }

    /// From when to when it is good, where the certificate says it.
    pub(super) fn validity(&self) -> Option<Validity> {
        self.certified
            .cert
            .first()
            .and_then(|first| Validity::of(first))
    }

    /// Whether it is for that name.
    pub(super) fn is_for(&self, name: &str) -> bool {
        let Some(first) = self.certified.cert.first() else {
            return false;
        };
        match (
            ParsedCertificate::try_from(first),
            ServerName::try_from(name),
        ) {
            (Ok(first), Ok(name)) => verify_server_name(&first, &name).is_ok(),
            _ => false,
        }
    }
}

/// The two files, looked at again and again.
#[derive(Debug)]
pub(super) struct Files {
    files: config::Tls,
    stamps: Stamps,
}

/// What the files were like when they were read: certificate, then key.
type Stamps = [Option<(SystemTime, u64)>; 2];

/// Largest file that is read: a chain of many certificates has some 20 KB.
const MOST_BYTES: u64 = 1024 * 1024;

impl Files {
    pub(super) fn new(files: &config::Tls) -> Self {
        Self {
            files: files.clone(),
            stamps: Stamps::default(),
        }
    }

    /// Reads them, whatever they were like before.
    pub(super) async fn read(&mut self) -> Result<Pair, CertificateError> {
        // Before they are read: what is written meanwhile is seen the next time.
        let stamps = self.stamp().await;
        let pair = self.pair().await?;
        self.stamps = stamps;
        Ok(pair)
    }

    /// Reads them if they have changed since they were read. What was broken is read again, as it may have been half
    /// written.
    pub(super) async fn look(&mut self) -> Option<Result<Pair, CertificateError>> {
        match self.stamp().await == self.stamps {
            true => None,
            false => Some(self.read().await),
        }
    }

    async fn pair(&self) -> Result<Pair, CertificateError> {
        let chain = read_file("tls.certificate", &self.files.certificate).await?;
        let key = read_file("tls.private_key", &self.files.private_key).await?;
        Pair::of(&chain, &key, &self.files)
    }

    async fn stamp(&self) -> Stamps {
        let Self { files, .. } = self;
        [
            stamp(&files.certificate).await,
            stamp(&files.private_key).await,
        ]
    }
}

/// Of what a link leads to, as tools that renew certificates change the link.
async fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = tokio::fs::metadata(path).await.ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

async fn read_file(key: &'static str, path: &Path) -> Result<Vec<u8>, CertificateError> {
    let reading = async {
        // A wrong path may lead to something endless.
        let metadata = tokio::fs::metadata(path).await?;
        match metadata.is_file() && metadata.len() <= MOST_BYTES {
            true => tokio::fs::read(path).await,
            false => Err(io::Error::other("it is no file, or too large for PEM")),
        }
    };
    reading
        .await
        .map_err(|source| CertificateError::Unreadable {
            key,
            path: path.to_owned(),
            source,
        })
}

#[cfg(test)]
pub(super) mod tests {
    use std::fs;

    use super::*;

    /// Files for a name that is good until that day.
    pub(in crate::tls) fn issue(folder: &Path, name: &str, year: i32) -> config::Tls {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut wish = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        wish.not_after = rcgen::date_time_ymd(year, 5, 6);
        let files = config::Tls {
            certificate: folder.join(format!("{name}.pem")),
            private_key: folder.join(format!("{name}.key")),
        };
        let made = wish.self_signed(&key).unwrap();
        fs::write(&files.certificate, made.pem()).unwrap();
        fs::write(&files.private_key, key.serialize_pem()).unwrap();
        files
    }

    #[tokio::test]
    async fn errors_name_the_key_and_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let good = issue(folder.path(), "a.example", 2031);
        let other = issue(folder.path(), "b.example", 2031);
        let missing = folder.path().join("missing");
        let swapped = (good.private_key.clone(), good.certificate.clone());
        let cases = [
            (
                missing.clone(),
                good.private_key.clone(),
                "cannot read tls.certificate",
            ),
            (
                good.certificate.clone(),
                missing,
                "cannot read tls.private_key",
            ),
            (
                good.certificate.clone(),
                other.private_key,
                "is not the key of",
            ),
            (swapped.0, swapped.1, "holds no certificate"),
            (
                good.certificate.clone(),
                good.certificate,
                "holds no private key",
            ),
        ];
        for (certificate, private_key, words) in cases {
            let files = config::Tls {
                certificate,
                private_key,
            };
            let error = Files::new(&files).read().await.unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    #[tokio::test]
    async fn whose_it_is_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let files = issue(folder.path(), "a.example", 2031);
        let pair = Files::new(&files).read().await.unwrap();
        assert!(pair.is_for("a.example"));
        assert!(!pair.is_for("b.example") && !pair.is_for(""));
    }

    #[tokio::test]
    async fn files_are_read_again_when_they_have_changed() {
        let folder = tempfile::tempdir().unwrap();
        let issued = issue(folder.path(), "live.example", 2031);
        let mut files = Files::new(&issued);
        assert!(files.read().await.is_ok());
        assert!(files.look().await.is_none());
        issue(folder.path(), "live.example", 2032);
        let new = files.look().await.unwrap().unwrap().validity().unwrap();
        assert!(new.until.to_string().starts_with("2032"));
        let key = fs::read(&issued.private_key).unwrap();
        fs::write(&issued.private_key, "half of a k").unwrap();
        for _ in 0..2 {
            assert!(
                files.look().await.unwrap().is_err(),
                "it is looked at again"
            );
        }
        fs::write(&issued.private_key, key).unwrap();
        assert!(files.look().await.unwrap().is_ok());
    }
}
