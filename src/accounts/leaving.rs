//! Taking one's data along, and leaving.

use serde_json::{Map, Value, json};

use super::token::joined;
use super::{Account, AccountId, Accounts, store};
use crate::error::ApiError;

/// Entries of the audit log in an export.
const AUDIT_ENTRIES: u16 = 10_000;

impl Accounts {
    /// All that the server holds of an account, but for secrets, as JSON.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn export(&self, account: &Account) -> Result<Value, ApiError> {
        let profile = self.profile(account.id).await?;
        let logins = self.logins(account).await?.into_iter().map(|login| {
            json!({
                "user_agent": login.user_agent, "address": login.address,
                "created_at": login.created_at, "last_seen_at": login.last_seen_at,
            })
        });
        let tokens = self.tokens(account).await?.into_iter().map(|token| {
            json!({
                "name": token.name, "scopes": joined(&token.scopes),
                "created_at": token.created_at, "expires_at": token.expires_at,
                "last_used_at": token.last_used_at,
            })
        });
        let acts = self
            .audit
            .of(account.id.0, AUDIT_ENTRIES)
            .await?
            .into_iter();
        let acts = acts.map(|entry| {
            let (at, action, target) = (entry.at, entry.action, entry.target);
            json!({ "at": at, "action": action, "target": target, "detail": entry.detail })
        });
        let mut export = Map::new();
        export.insert("exported_at".to_owned(), json!(self.clock.now()));
        export.insert(
            "account".to_owned(),
            json!({
                "id": account.id, "name": account.name, "role": account.role,
                "avatar": account.avatar, "created_at": account.created_at,
                "email": profile.email, "is_email_confirmed": profile.is_email_confirmed,
                "language": profile.language, "has_second_step": profile.has_second_step,
            }),
        );
        export.insert("sessions".to_owned(), logins.collect());
        export.insert("tokens".to_owned(), tokens.collect());
        export.insert("audit".to_owned(), acts.collect());
        let belongings = self.belongings()?;
        for belonging in &belongings.0 {
            let held = belonging.export(account.id).await?;
            export.insert(belonging.name().to_owned(), held);
        }
        Ok(Value::Object(export))
    }

    /// Deletes an account with all that belongs to it. First it is signed out everywhere, then what
    /// runs for it ends, then its rows go; cut short, it can be asked for again.
    ///
    /// # Errors
    /// When it is the last admin.
    pub async fn leave(&self, account: &Account) -> Result<(), ApiError> {
        self.delete_as(account, account, &json!({})).await
    }

    /// [`Accounts::leave`], where somebody does it who may be another.
    pub(super) async fn delete_as(
        &self,
        actor: &Account,
        account: &Account,
        detail: &Value,
    ) -> Result<(), ApiError> {
        let belongings = self.belongings()?;
        let mut tx = self.db.begin().await?;
        self.require_another_admin(&mut tx, account).await?;
        store::suspend_for_leaving(&mut tx, account.id, self.clock.now()).await?;
        tx.commit().await?;
        let (accounts, actor, account) = (self.clone(), actor.id, account.id);
        let detail = detail.clone();
        // Whoever asked may hang up, which must not leave half an account.
        let rest = tokio::spawn(async move {
            for belonging in &belongings.0 {
                belonging.let_go(account).await?;
            }
            accounts.delete_rows(actor, account, &detail).await
        });
        rest.await
            .map_err(|error| ApiError::Internal(error.to_string()))?
    }

    async fn delete_rows(
        &self,
        actor: AccountId,
        account: AccountId,
        detail: &Value,
    ) -> Result<(), ApiError> {
        let mut tx = self.db.begin().await?;
        store::delete_account(&mut tx, account).await?;
        let (actor, target) = (Some(actor.0), account.to_string());
        self.audit
            .note(&mut tx, actor, "account.deleted", &target, detail)
            .await?;
        tx.commit().await?;
        tracing::info!(account.id = %account, "Account {account} is gone");
        Ok(())
    }

    /// Refuses what would leave the server without an admin. Two admins who leave at once wait for
    /// each other here.
    pub(super) async fn require_another_admin(
        &self,
        tx: &mut crate::db::Tx,
        account: &Account,
    ) -> Result<(), ApiError> {
        if !account.is_admin() || store::count_other_admins(tx, account.id).await? > 0 {
            return Ok(());
        }
        Err(ApiError::Conflict {
            code: "last_admin",
            detail: "you are the only admin; make somebody else one first".to_owned(),
        })
    }
}
