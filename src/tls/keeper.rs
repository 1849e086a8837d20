//! Sees to it that the certificate shown is the newest there is, and is renewed in time.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::CertificateError;
use super::acme::Acme;
use super::files::Files;
use super::shown::Shown;
use crate::clock::Clock;

/// Watches over one certificate, until it is told to stop.
#[derive(Debug)]
pub struct Keeper {
    source: Source,
    shown: Arc<Shown>,
    clock: Clock,
}

/// Where the certificate comes from.
#[derive(Debug)]
pub(super) enum Source {
    Files(Files),
    Acme(Acme),
}

/// How often files and times are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(3);

impl Keeper {
    pub(super) fn new(source: Source, shown: Arc<Shown>, clock: Clock) -> Self {
        Self {
            source,
            shown,
            clock,
        }
    }

    /// Shows what is there.
    pub(super) async fn open(&mut self) -> Result<(), CertificateError> {
        match &mut self.source {
            Source::Files(files) => self.shown.show(&files.read().await?),
            Source::Acme(acme) => {
                if let Some(pair) = acme.kept().await {
                    self.shown.show(&pair);
                }
            }
        }
        let standing = self.shown.standing();
        if standing.is_past(self.clock.now()) {
            tracing::warn!(
                "The certificate has expired; clients will refuse it until it is renewed"
            );
        }
        if standing.is_there && !standing.is_for_us {
            tracing::warn!("The certificate is not for server.domain; clients will refuse it");
        }
        Ok(())
    }

    /// Looks until the token is cancelled.
    pub async fn run(mut self, stop: CancellationToken) {
        let looking = async {
            loop {
                self.look().await;
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        // An order that is cut off costs nothing: the next begins anew.
        stop.run_until_cancelled(looking).await;
    }

    async fn look(&mut self) {
        let Self {
            source,
            shown,
            clock,
        } = self;
        match source {
            Source::Files(files) => look_at(files, shown).await,
            Source::Acme(acme) => acme.look(shown, clock).await,
        }
    }
}

/// New files that cannot be used change nothing but the log: who connects gets the old certificate.
async fn look_at(files: &mut Files, shown: &Shown) {
    match files.look().await {
        None => shown.calm(),
        Some(Ok(pair)) => {
            shown.show(&pair);
            tracing::info!("The certificate was read again");
        }
        Some(Err(error)) => {
            if shown.complain(&error.to_string()) {
                tracing::warn!(%error, "The old certificate stays in use: {error}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::tls::files::tests::issue;

    #[tokio::test]
    async fn new_files_are_shown_and_broken_ones_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let issued = issue(folder.path(), "live.example", 2031);
        let shown = Arc::new(Shown::default());
        let source = Source::Files(Files::new(&issued));
        let mut keeper = Keeper::new(source, Arc::clone(&shown), Clock::movable());
        keeper.open().await.unwrap();
        let year = || shown.standing().validity.unwrap().until.to_string();
        assert!(year().starts_with("2031"));
        let key = fs::read(&issued.private_key).unwrap();
        fs::write(&issued.private_key, "half of a k").unwrap();
        keeper.look().await;
        assert!(year().starts_with("2031"), "the old one stays");
        let problem = shown.standing().problem.unwrap();
        assert!(problem.contains("tls.private_key"), "{problem}");
        fs::write(&issued.private_key, key).unwrap();
        issue(folder.path(), "live.example", 2032);
        keeper.look().await;
        assert!(year().starts_with("2032"));
        assert_eq!(shown.standing().problem, None);
    }
}
