//! The server's certificate: read from its files, and again when they change.
//!
//! A new pair of files that cannot be used changes nothing but the log: who connects gets the old one.
//! This says nothing of who uses it, and opens no port.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use jiff::Timestamp;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{Error, InconsistentKeys, ServerConfig};

use crate::config;

/// A certificate that is there, and its files.
#[derive(Debug)]
pub struct Certificate {
    files: config::Tls,
    protocols: Protocols,
    current: Arc<ServerConfig>,
    expires: Option<Timestamp>,
    stamps: Stamps,
    looked_at: Instant,
    /// What was wrong with the files when they were last read, so that it is said once.
    complaint: Option<String>,
}

/// What is spoken within TLS, as it is negotiated (RFC 7301), the best first. None: nothing is.
pub type Protocols = &'static [&'static [u8]];

/// Protocols of HTTPS (RFC 9113 §3.2).
pub const HTTP: Protocols = &[HTTP_2, b"http/1.1"];
/// Name of HTTP/2.
pub const HTTP_2: &[u8] = b"h2";
/// Encoders that publish by RTMPS negotiate nothing.
pub const RTMP: Protocols = &[];

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
}

/// What the files were like when they were read: certificate, then key.
type Stamps = [Option<(SystemTime, u64)>; 2];

/// The pair as TLS wants it, and the certificate's last moment.
type Pair = (Arc<ServerConfig>, Option<Timestamp>);

/// The files are looked at no more often than this, however many connect.
const LOOK_EVERY: Duration = Duration::from_secs(3);
/// Largest file that is read: a chain of many certificates has some 20 KB.
const MOST_BYTES: u64 = 1024 * 1024;

impl Certificate {
    /// Reads the files.
    ///
    /// # Errors
    /// When they cannot be read or used; the text says what to do.
    pub async fn open(
        files: &config::Tls,
        protocols: Protocols,
        now: Instant,
    ) -> Result<Self, CertificateError> {
        let stamps = stamps(files).await;
        let (current, expires) = read(files, protocols).await?;
        Ok(Self {
            files: files.clone(),
            protocols,
            current,
            expires,
            stamps,
            looked_at: now,
            complaint: None,
        })
    }

    /// Its last moment, where the certificate says it.
    #[must_use]
    pub fn expires(&self) -> Option<Timestamp> {
        self.expires
    }

    /// What a new connection is to be accepted with; reads the files again when they have changed.
    pub async fn acceptor(&mut self, now: Instant) -> TlsAcceptor {
        if now.saturating_duration_since(self.looked_at) >= LOOK_EVERY {
            self.looked_at = now;
            self.look().await;
        }
        TlsAcceptor::from(Arc::clone(&self.current))
    }

    async fn look(&mut self) {
        let stamps = stamps(&self.files).await;
        if stamps == self.stamps {
            return;
        }
        match read(&self.files, self.protocols).await {
            Ok((current, expires)) => {
                (self.current, self.expires) = (current, expires);
                self.stamps = stamps;
                self.complaint = None;
                tracing::info!("The certificate was read again");
            }
            // The stamps stay old, so that files that were half written are read again.
            Err(error) => {
                let words = error.to_string();
                if self.complaint.as_ref() != Some(&words) {
                    tracing::warn!(%error, "The old certificate stays in use: {error}");
                }
                self.complaint = Some(words);
            }
        }
    }
}

async fn stamps(files: &config::Tls) -> Stamps {
    [
        stamp(&files.certificate).await,
        stamp(&files.private_key).await,
    ]
}

/// Of what a link leads to, as tools that renew certificates change the link.
async fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = tokio::fs::metadata(path).await.ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

async fn read(files: &config::Tls, protocols: Protocols) -> Result<Pair, CertificateError> {
    let (certificate, private_key) = (&files.certificate, &files.private_key);
    let text = read_file("tls.certificate", certificate).await?;
    let not_pem = |key, path: &Path, wanted| CertificateError::NotPem {
        key,
        path: path.to_owned(),
        wanted,
    };
    let chain: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(&text).collect();
    let chain = chain.ok().filter(|chain| !chain.is_empty());
    let chain = chain.ok_or_else(|| not_pem("tls.certificate", certificate, "certificate"))?;
    let text = read_file("tls.private_key", private_key).await?;
    let key = PrivateKeyDer::from_pem_slice(&text)
        .map_err(|_| not_pem("tls.private_key", private_key, "private key"))?;
    let expires = chain.first().and_then(|first| not_after(first));
    let mut config = server_config(chain, key).map_err(|source| match source {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => CertificateError::Mismatch {
            certificate: certificate.clone(),
            key: private_key.clone(),
        },
        source => CertificateError::Unusable {
            certificate: certificate.clone(),
            source,
        },
    })?;
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Ok((Arc::new(config), expires))
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

/// TLS 1.2 and 1.3 for that pair.
fn server_config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, Error> {
    // Named, because the tree holds another provider as well.
    let provider = Arc::new(aws_lc_rs::default_provider());
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)
}

/// `notAfter` of a certificate (RFC 5280 §4.1), or nothing where it is not shaped like one.
fn not_after(certificate: &[u8]) -> Option<Timestamp> {
    let (_, certificate, _) = element(certificate)?;
    let (_, mut rest, _) = element(certificate)?;
    let (tag, _, after_version) = element(rest)?;
    if tag == VERSION {
        rest = after_version;
    }
    // Serial number, signature algorithm, issuer; then the validity.
    for _ in 0..3 {
        rest = element(rest)?.2;
    }
    let (_, validity, _) = element(rest)?;
    let (_, _, rest) = element(validity)?;
    let (tag, text, _) = element(rest)?;
    time(tag, std::str::from_utf8(text).ok()?)
}

/// Tag and content of the first element in DER (X.690 §8.1), and what follows it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..0x80 => (usize::from(first), rest),
        _ => {
            let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let bytes = length.iter().map(|&byte| usize::from(byte));
            let length = bytes.fold(0_usize, |sum, byte| sum.saturating_mul(256) | byte);
            (length, rest)
        }
    };
    let (content, after) = rest.split_at_checked(length)?;
    Some((tag, content, after))
}

/// UTCTime, whose years are 1950 to 2049, and GeneralizedTime (RFC 5280 §4.1.2.5).
fn time(tag: u8, text: &str) -> Option<Timestamp> {
    let text = text.strip_suffix('Z')?;
    let text = match tag {
        UTC_TIME if text < "50" => format!("20{text}"),
        UTC_TIME => format!("19{text}"),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let time = jiff::civil::DateTime::strptime("%Y%m%d%H%M%S", &text).ok()?;
    let time = time.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(time.timestamp())
}

const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Files for a name that is good until that day.
    fn issue(folder: &Path, name: &str, year: i32) -> config::Tls {
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

    async fn open(files: &config::Tls) -> Result<Certificate, CertificateError> {
        Certificate::open(files, HTTP, crate::clock::Clock::system().instant()).await
    }

    fn is_same(a: &TlsAcceptor, b: &TlsAcceptor) -> bool {
        Arc::ptr_eq(a.config(), b.config())
    }

    #[tokio::test]
    async fn its_last_day_is_read_in_both_forms() {
        let folder = tempfile::tempdir().unwrap();
        for year in [2031, 2071] {
            let files = issue(folder.path(), "live.example", year);
            let expires = open(&files).await.unwrap().expires().unwrap();
            assert_eq!(expires.to_string(), format!("{year}-05-06T00:00:00Z"));
        }
    }

    #[test]
    fn what_is_no_certificate_has_no_last_day() {
        for bytes in [&[][..], &[0x30], &[0x30, 0x82], &[0x30, 0xff, 1], &[0; 40]] {
            assert_eq!(not_after(bytes), None);
        }
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
            let error = open(&files).await.unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    #[tokio::test]
    async fn new_files_are_used_and_broken_ones_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let files = issue(folder.path(), "live.example", 2031);
        let mut certificate = open(&files).await.unwrap();
        let mut now = certificate.looked_at;
        let first = certificate.acceptor(now).await;
        issue(folder.path(), "live.example", 2032);
        let second = certificate.acceptor(now).await;
        assert!(is_same(&first, &second), "it is too soon to look again");
        now += LOOK_EVERY;
        let second = certificate.acceptor(now).await;
        assert!(!is_same(&first, &second), "the new pair is used");
        assert_eq!(
            second.config().alpn_protocols,
            HTTP,
            "for the same protocols"
        );
        assert!(
            certificate
                .expires()
                .unwrap()
                .to_string()
                .starts_with("2032")
        );

        let key = fs::read(&files.private_key).unwrap();
        fs::write(&files.private_key, "half of a k").unwrap();
        now += LOOK_EVERY;
        let third = certificate.acceptor(now).await;
        assert!(is_same(&second, &third), "the old pair stays");
        assert!(certificate.complaint.is_some());
        fs::write(&files.private_key, key).unwrap();
        now += LOOK_EVERY;
        let fourth = certificate.acceptor(now).await;
        assert!(
            !is_same(&third, &fourth),
            "what was broken was looked at again"
        );
        assert!(certificate.complaint.is_none());
    }
}
