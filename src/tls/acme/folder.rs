//! What an authority gave, in the data folder: `acme/{authority}/account.json` and `{domain}.pem`.

use std::io;
use std::path::{Path, PathBuf};

use instant_acme::AccountCredentials;
use tokio::io::AsyncWriteExt as _;

use super::super::config::Tls;
use super::super::files::Pair;
use super::CertificateError;
use super::order::Given;

/// Where what one authority gives for one name is kept. Only this user can read it.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    domain: String,
}

impl Folder {
    /// Each authority has its own, so that a certificate for trying is not taken for a good one.
    pub(super) fn new(data: &Path, directory: &str, domain: &str) -> Self {
        let authority = directory.trim_start_matches("https://");
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-.".contains(c);
        let authority = authority.replace(|c| !is_plain(c), "_");
        // Dots alone would be another folder.
        let authority = format!("at-{authority}");
        Self {
            path: data.join("acme").join(authority),
            domain: domain.to_owned(),
        }
    }

    pub(super) async fn account(&self) -> Option<AccountCredentials> {
        let text = tokio::fs::read(self.path.join(ACCOUNT)).await.ok()?;
        serde_json::from_slice(&text).ok()
    }

    pub(super) async fn keep_account(
        &self,
        credentials: &AccountCredentials,
    ) -> Result<(), CertificateError> {
        let text = serde_json::to_vec(credentials).map_err(|error| self.error(error.into()))?;
        self.write(ACCOUNT, &text).await
    }

    /// What was kept; none: nothing.
    pub(super) async fn certificate(&self) -> Result<Option<Pair>, CertificateError> {
        match tokio::fs::read(self.path.join(self.file())).await {
            Ok(text) => Ok(Some(self.pair(&text)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.error(error)),
        }
    }

    /// One file holds both, so that they are always of each other.
    pub(super) async fn keep_certificate(&self, given: &Given) -> Result<(), CertificateError> {
        let text = format!("{}{}", given.key.reveal(), given.chain);
        self.write(&self.file(), text.as_bytes()).await
    }

    /// What was given, as TLS wants it.
    pub(super) fn read(&self, given: &Given) -> Result<Pair, CertificateError> {
        let text = format!("{}{}", given.key.reveal(), given.chain);
        self.pair(text.as_bytes())
    }

    /// An account that the authority does not know.
    pub(super) async fn forget_account(&self) {
        // Without it there is nothing to forget.
        let _ = tokio::fs::remove_file(self.path.join(ACCOUNT)).await;
    }

    fn pair(&self, text: &[u8]) -> Result<Pair, CertificateError> {
        let path = self.path.join(self.file());
        let names = Tls {
            certificate: path.clone(),
            private_key: path,
        };
        Pair::of(text, text, &names)
    }

    fn file(&self) -> String {
        format!("{}.pem", self.domain)
    }

    /// Whole or not at all.
    async fn write(&self, name: &str, text: &[u8]) -> Result<(), CertificateError> {
        let part = self.path.join(format!("{name}.part"));
        let writing = async {
            let mut folders = tokio::fs::DirBuilder::new();
            folders
                .recursive(true)
                .mode(0o700)
                .create(&self.path)
                .await?;
            let mut options = tokio::fs::OpenOptions::new();
            options.write(true).create(true).truncate(true).mode(0o600);
            let mut file = options.open(&part).await?;
            file.write_all(text).await?;
            file.sync_all().await?;
            tokio::fs::rename(&part, self.path.join(name)).await
        };
        writing.await.map_err(|source| self.error(source))
    }

    fn error(&self, source: io::Error) -> CertificateError {
        CertificateError::Folder {
            path: self.path.clone(),
            source,
        }
    }
}

const ACCOUNT: &str = "account.json";
