//! Passwords, hashed with argon2id (19 MiB, two passes), off the async threads and a few at a time.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;

use crate::error::ApiError;
use crate::secret::Secret;

/// Fewest characters of a password.
pub const MIN_PASSWORD: usize = 8;
/// Most bytes of a password.
pub const MAX_PASSWORD: usize = 256;

/// Hashes and verifies.
#[derive(Debug, Clone)]
pub struct Passwords {
    params: Params,
    /// Each hash takes a core for tens of milliseconds and 19 MiB: more at once would let sign-ins
    /// starve the media.
    at_once: Arc<Semaphore>,
}

impl Passwords {
    /// With the cost for real use.
    #[must_use]
    pub fn new() -> Self {
        Self::with(Params::default())
    }

    /// With the least cost, for tests only.
    #[must_use]
    pub fn cheap() -> Self {
        Self::with(Params::new(Params::MIN_M_COST, 1, 1, None).unwrap_or_default())
    }

    fn with(params: Params) -> Self {
        Self {
            params,
            at_once: Arc::new(Semaphore::new(2)),
        }
    }

    /// Hashes a password with a new salt, in PHC form.
    ///
    /// # Errors
    /// Only when the machine fails.
    pub async fn hash(&self, password: &Secret) -> Result<String, ApiError> {
        let password = password.clone();
        self.run(move |argon2| {
            argon2
                .hash_password(password.reveal().as_bytes())
                .map(|hash| hash.to_string())
        })
        .await?
        .map_err(|error| ApiError::Internal(format!("hashing a password: {error}")))
    }

    /// Whether the password fits the hash. Without a hash it takes as long and is false.
    ///
    /// # Errors
    /// Only when the machine fails.
    pub async fn verify(&self, password: &Secret, hash: Option<String>) -> Result<bool, ApiError> {
        let password = password.clone();
        self.run(move |argon2| {
            let password = password.reveal().as_bytes();
            let Some(hash) = hash else {
                let _ = argon2.hash_password(password);
                return false;
            };
            PasswordHash::new(&hash)
                .is_ok_and(|hash| argon2.verify_password(password, &hash).is_ok())
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(Argon2<'static>) -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let failed = |error: String| ApiError::Internal(format!("hashing a password: {error}"));
        let turn = Arc::clone(&self.at_once).acquire_owned().await;
        let turn = turn.map_err(|error| failed(error.to_string()))?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, self.params.clone());
        tokio::task::spawn_blocking(move || {
            // The work keeps the turn: whoever asked may hang up, which does not stop the work.
            let _turn = turn;
            work(argon2)
        })
        .await
        .map_err(|error| failed(error.to_string()))
    }
}

impl Default for Passwords {
    fn default() -> Self {
        Self::new()
    }
}

/// Holds a new password against the rules.
pub(super) fn check(password: &Secret) -> Result<(), ApiError> {
    let text = password.reveal();
    let problem = if text.chars().count() < MIN_PASSWORD {
        format!("a password has at least {MIN_PASSWORD} characters")
    } else if text.len() > MAX_PASSWORD {
        format!("a password has at most {MAX_PASSWORD} bytes")
    } else {
        return Ok(());
    };
    Err(ApiError::Invalid {
        code: "password_invalid",
        detail: problem,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_fits() {
        let passwords = Passwords::cheap();
        let hash = passwords.hash(&Secret::new("correct horse")).await.unwrap();
        assert!(hash.starts_with("$argon2id$"));
        let fits = |text: &str, hash| {
            let (passwords, password) = (passwords.clone(), Secret::new(text));
            async move { passwords.verify(&password, hash).await.unwrap() }
        };
        assert!(fits("correct horse", Some(hash.clone())).await);
        assert!(!fits("correct house", Some(hash)).await);
        assert!(!fits("correct horse", None).await);
        assert!(!fits("correct horse", Some("nonsense".to_owned())).await);
    }

    #[tokio::test]
    async fn work_whose_asker_has_gone_still_counts() {
        let passwords = Passwords::cheap();
        let (started, begun) = std::sync::mpsc::channel();
        let (finish, finished) = std::sync::mpsc::channel::<()>();
        let asker = tokio::spawn({
            let passwords = passwords.clone();
            async move {
                let work = move |_| {
                    started.send(()).unwrap();
                    let _ = finished.recv();
                };
                passwords.run(work).await
            }
        });
        tokio::task::spawn_blocking(move || begun.recv().unwrap())
            .await
            .unwrap();
        asker.abort();
        assert!(asker.await.unwrap_err().is_cancelled());
        assert_eq!(passwords.at_once.available_permits(), 1);
        drop(finish);
        let turns = passwords.at_once.acquire_many(2).await;
        assert!(turns.is_ok(), "the turn comes back with the work's end");
    }

    #[test]
    fn the_real_cost_is_that_of_the_security_rules() {
        let params = Passwords::new().params;
        assert_eq!((params.m_cost(), params.t_cost()), (19 * 1024, 2));
    }
}
