//! What admins do with accounts of others. Each act is written into the audit log in its transaction,
//! and none leaves the server without an admin.

mod store;

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::account::fold;
use super::{Account, AccountId, Accounts, Role};
use crate::db::{StoreError, Tx};
use crate::error::ApiError;
use crate::form::line;
use crate::page::Cursor;
use crate::secret::Secret;

/// An account as admins see it. Its `Debug` form shows no address.
#[derive(Clone)]
pub struct AccountRecord {
    /// The account.
    pub account: Account,
    /// Where mail goes to.
    pub email: Option<String>,
    /// Whether somebody there has confirmed it.
    pub is_email_confirmed: bool,
    /// Since when it may sign in no more.
    pub suspended_at: Option<Timestamp>,
    /// Why, in the words of the admin.
    pub suspended_reason: String,
    /// Whether signing in takes a code as well.
    pub has_second_step: bool,
    /// When it was here last, to some minutes, as far as its logins tell.
    pub last_seen_at: Option<Timestamp>,
}

impl std::fmt::Debug for AccountRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccountRecord")
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

/// Which accounts an admin looks for.
#[derive(Debug, Clone, Default)]
pub struct AccountSearch {
    /// A part of the name or the address.
    pub text: String,
    /// Only of this role.
    pub role: Option<Role>,
    /// Only those that are suspended, or those that are not.
    pub is_suspended: Option<bool>,
}

/// Time to open the link that an admin hands over.
const TO_SET_PASSWORD: Duration = Duration::from_secs(24 * 3_600);
/// Longest reason of a suspension.
const LONGEST_REASON: usize = 300;

impl Accounts {
    /// Accounts that an admin looks for, the newest first; one more than `most` tells that there are
    /// more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn search(
        &self,
        search: &AccountSearch,
        behind: &Cursor,
        most: u16,
    ) -> Result<Vec<AccountRecord>, StoreError> {
        let text: String = fold(&search.text)
            .chars()
            .filter(|c| !c.is_control())
            .collect();
        let role = search.role.map(Role::as_str);
        store::search(&self.db, &text, role, search.is_suspended, behind, most).await
    }

    /// One account, as admins see it.
    ///
    /// # Errors
    /// When there is none.
    pub async fn record(&self, id: AccountId) -> Result<AccountRecord, ApiError> {
        let found = store::record(&self.db, id).await?;
        found.ok_or_else(no_such_account)
    }

    /// How many accounts of each role there are, and how many are suspended.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn census(&self) -> Result<(Vec<(String, i64)>, i64), StoreError> {
        Ok((
            store::by_role(&self.db).await?,
            store::suspended(&self.db).await?,
        ))
    }

    /// Gives an account another role.
    ///
    /// # Errors
    /// When there is no such account, or the server would have no admin.
    pub async fn set_role(
        &self,
        admin: &Account,
        id: AccountId,
        role: Role,
    ) -> Result<(), ApiError> {
        let account = self.record(id).await?.account;
        if account.role == role {
            return Ok(());
        }
        let mut tx = self.db.begin().await?;
        if role != Role::Admin {
            self.keep_an_admin(&mut tx, &account).await?;
        }
        store::set_role(&mut tx, id, role).await?;
        let detail = json!({ "name": account.name, "from": account.role, "to": role });
        self.note_about(&mut tx, admin, "account.role_changed", id, &detail)
            .await?;
        Ok(tx.commit().await?)
    }

    /// Suspends an account: its logins, tokens and links end at once. Its streams are the caller's to
    /// end.
    ///
    /// # Errors
    /// When there is no such account, the reason does not fit, or the server would have no admin.
    pub async fn suspend(
        &self,
        admin: &Account,
        id: AccountId,
        reason: &str,
    ) -> Result<(), ApiError> {
        let reason = line("reason_invalid", reason, 1, LONGEST_REASON)?;
        let account = self.record(id).await?.account;
        let mut tx = self.db.begin().await?;
        self.keep_an_admin(&mut tx, &account).await?;
        super::store::suspend_for_leaving(&mut tx, id, self.clock.now()).await?;
        store::set_reason(&mut tx, id, &reason).await?;
        let detail = json!({ "name": account.name, "reason": reason });
        self.note_about(&mut tx, admin, "account.suspended", id, &detail)
            .await?;
        Ok(tx.commit().await?)
    }

    /// Lets a suspended account sign in again.
    ///
    /// # Errors
    /// When there is no such account.
    pub async fn restore(&self, admin: &Account, id: AccountId) -> Result<(), ApiError> {
        let account = self.record(id).await?.account;
        let mut tx = self.db.begin().await?;
        if store::restore(&mut tx, id).await? {
            let detail = json!({ "name": account.name });
            self.note_about(&mut tx, admin, "account.restored", id, &detail)
                .await?;
        }
        Ok(tx.commit().await?)
    }

    /// Turns off the second step of somebody who lost the app and the recovery codes.
    ///
    /// # Errors
    /// When there is no such account.
    pub async fn reset_second_step(&self, admin: &Account, id: AccountId) -> Result<(), ApiError> {
        let account = self.record(id).await?.account;
        let mut tx = self.db.begin().await?;
        super::second_step::forget(&mut tx, id).await?;
        let detail = json!({ "name": account.name });
        self.note_about(&mut tx, admin, "account.second_step_reset", id, &detail)
            .await?;
        Ok(tx.commit().await?)
    }

    /// Makes a link by which its owner, to whom the admin hands it, sets a new password; the token
    /// stands behind `/reset#`.
    ///
    /// # Errors
    /// When there is no such account.
    pub async fn password_link(&self, admin: &Account, id: AccountId) -> Result<Secret, ApiError> {
        let account = self.record(id).await?.account;
        let mut tx = self.db.begin().await?;
        let token = self
            .ticket_in(&mut tx, super::reset::RESET, id, "", TO_SET_PASSWORD)
            .await?;
        let detail = json!({ "name": account.name });
        self.note_about(&mut tx, admin, "account.password_link_made", id, &detail)
            .await?;
        tx.commit().await?;
        Ok(token)
    }

    /// Deletes an account with all that belongs to it, as an admin.
    ///
    /// # Errors
    /// When there is no such account, or the server would have no admin.
    pub async fn remove(&self, admin: &Account, id: AccountId) -> Result<(), ApiError> {
        let account = self.record(id).await?.account;
        let mut tx = self.db.begin().await?;
        self.keep_an_admin(&mut tx, &account).await?;
        drop(tx);
        let detail = json!({ "name": account.name });
        self.delete_as(admin, &account, &detail).await
    }

    /// Refuses what would leave the server without an admin who can sign in.
    async fn keep_an_admin(&self, tx: &mut Tx, account: &Account) -> Result<(), ApiError> {
        let kept = self.require_another_admin(tx, account).await;
        kept.map_err(|error| match error {
            ApiError::Conflict { code, .. } => ApiError::Conflict {
                code,
                detail: format!(
                    "{} is the only admin; make somebody else one first",
                    account.name
                ),
            },
            other => other,
        })
    }

    async fn note_about(
        &self,
        tx: &mut Tx,
        admin: &Account,
        action: &'static str,
        id: AccountId,
        detail: &serde_json::Value,
    ) -> Result<(), StoreError> {
        let (actor, target) = (Some(admin.id.0), id.to_string());
        self.audit.note(tx, actor, action, &target, detail).await
    }
}

fn no_such_account() -> ApiError {
    ApiError::NotFound {
        code: "account_not_found",
        detail: "there is no such account",
    }
}
