//! Test mode and real money do not mix: ids of the one are nothing in the other, and what was only played
//! must stand in no book.

use super::{Payments, store};
use crate::db::StoreError;

/// Why a server with these keys does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModeError {
    /// Real memberships would be lost.
    #[error(
        "payments.secret_key is of Stripe's test mode, and this server has taken real money: give \
         the key of live mode, or try things out on another data folder"
    )]
    LiveBefore,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Payments {
    /// Remembers whether money is real. What was played in test mode is thrown away before the first
    /// real payment.
    ///
    /// # Errors
    /// When money was real before and is not any more.
    pub async fn settle_mode(&self) -> Result<(), ModeError> {
        if !self.is_on() {
            return Ok(());
        }
        let is_live = self.0.config.is_live();
        let mut tx = self.0.db.begin().await?;
        match (store::was_live(&mut tx).await?, is_live) {
            (Some(true), false) => return Err(ModeError::LiveBefore),
            (Some(false), true) => {
                store::throw_away(&mut tx).await?;
                tracing::warn!("Payments of test mode were thrown away: from now on money is real");
            }
            _ => {}
        }
        store::set_live(&mut tx, is_live).await?;
        Ok(tx.commit().await?)
    }
}
