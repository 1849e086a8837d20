//! The one-time link that makes the first account.

use super::{Accounts, store};
use crate::db::StoreError;
use crate::error::ApiError;
use crate::secret::{Secret, same};

impl Accounts {
    /// Whether nobody runs the server yet: accounts made by hand may be there.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn is_setup_needed(&self) -> Result<bool, StoreError> {
        store::has_no_admin(&self.db).await
    }

    /// Makes the one-time set-up token, when there is no administrator yet. It stays good until
    /// the first exists or the server stops.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn arm_setup(&self) -> Result<Option<Secret>, StoreError> {
        if !self.is_setup_needed().await? {
            return Ok(None);
        }
        let token = Secret::random::<20>();
        *self.setup.lock().await = Some(token.hash());
        Ok(Some(token))
    }

    /// Runs the set-up if the token is right and no administrator exists. The token is used up when
    /// `setup` succeeds; only one set-up runs at a time.
    ///
    /// # Errors
    /// When the token is wrong or used, or `setup` fails.
    pub async fn spend_setup_token<T>(
        &self,
        token: &Secret,
        setup: impl Future<Output = Result<T, ApiError>>,
    ) -> Result<T, ApiError> {
        let mut armed = self.setup.lock().await;
        let right = armed.as_ref().is_some_and(|hash| same(hash, &token.hash()));
        if !right || !self.is_setup_needed().await? {
            return Err(ApiError::SetupTokenInvalid);
        }
        let done = setup.await?;
        *armed = None;
        Ok(done)
    }
}
