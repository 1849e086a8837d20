//! Personal tokens, by which programs act for an account within scopes.

mod store;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use uuid::Uuid;

use super::scope::{Scope, known};
use super::{Account, Accounts};
use crate::error::ApiError;
use crate::form::{self, Form};
use crate::secret::Secret;

/// A token, without its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessToken {
    /// Its id.
    pub id: Uuid,
    /// For its owner to tell it from others.
    pub name: String,
    /// Its first characters, for the same.
    pub prefix: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created_at: Timestamp,
    /// It works until then; none: until it is deleted.
    pub expires_at: Option<Timestamp>,
    /// When it was used last, to a minute.
    pub last_used_at: Option<Timestamp>,
}

/// What somebody gives to make one.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// Its name.
    pub name: String,
    /// Its scopes.
    pub scopes: Vec<String>,
    /// How long it works; none: until it is deleted.
    pub days: Option<u32>,
}

/// What the text of each begins with, so that leaked ones are found by scanners.
pub const TOKEN_PREFIX: &str = "tlp_";
/// Tokens of one account.
const MOST_TOKENS: i64 = 50;
/// How long one may work.
const MOST_DAYS: u32 = 3_660;
/// How exactly the last use is known.
const USED_EVERY: SignedDuration = SignedDuration::from_mins(1);

impl Accounts {
    /// Makes a token. This is the only time that its text is known.
    ///
    /// # Errors
    /// When something does not fit the rules, or the account has too many.
    pub async fn create_token(
        &self,
        account: &Account,
        wish: NewToken,
    ) -> Result<(AccessToken, Secret), ApiError> {
        let mut form = Form::new();
        let name = form.take("name", form::line("name_invalid", &wish.name, 1, 80));
        let scopes = form.take("scopes", read_scopes(&wish.scopes));
        if wish
            .days
            .is_some_and(|days| !(1..=MOST_DAYS).contains(&days))
        {
            form.add("days", "days_invalid", format!("1 to {MOST_DAYS}, or none"));
        }
        form.done()?;
        let text = Secret::new(format!("{TOKEN_PREFIX}{}", Secret::random::<32>().reveal()));
        let now = self.clock.now();
        let token = AccessToken {
            id: Uuid::now_v7(),
            name,
            prefix: text.reveal().chars().take(TOKEN_PREFIX.len() + 6).collect(),
            scopes,
            created_at: now,
            expires_at: wish
                .days
                .map(|days| now + Duration::from_secs(24 * 3600) * days),
            last_used_at: None,
        };
        let mut tx = self.db.begin().await?;
        if store::count_tokens(&mut tx, account.id).await? >= MOST_TOKENS {
            return Err(ApiError::Conflict {
                code: "too_many_tokens",
                detail: format!("an account has at most {MOST_TOKENS} tokens; delete one"),
            });
        }
        store::insert_token(&mut tx, account.id, &token, &text.hash()).await?;
        let (actor, target) = (Some(account.id.0), token.id.to_string());
        let detail = json!({ "scopes": joined(&token.scopes) });
        self.audit
            .note(&mut tx, actor, "token.created", &target, &detail)
            .await?;
        tx.commit().await?;
        Ok((token, text))
    }

    /// An account's tokens, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tokens(&self, account: &Account) -> Result<Vec<AccessToken>, ApiError> {
        Ok(store::tokens_of(&self.db, account.id).await?)
    }

    /// Deletes a token of an account.
    ///
    /// # Errors
    /// When it has none of that id.
    pub async fn delete_token(&self, account: &Account, id: Uuid) -> Result<(), ApiError> {
        let mut tx = self.db.begin().await?;
        if !store::delete_token(&mut tx, account.id, id).await? {
            return Err(ApiError::NotFound {
                code: "token_not_found",
                detail: "your account has no such token",
            });
        }
        let (actor, target) = (Some(account.id.0), id.to_string());
        self.audit
            .note(&mut tx, actor, "token.deleted", &target, &json!({}))
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Whose token a text is, and what it may do.
    ///
    /// # Errors
    /// When it is none, or works no longer.
    pub async fn by_token(&self, text: &Secret) -> Result<(Account, Vec<Scope>), ApiError> {
        let found = match text.reveal().starts_with(TOKEN_PREFIX) {
            true => store::account_by_token(&self.db, &text.hash()).await?,
            false => None,
        };
        let Some((account, token)) = found else {
            return Err(ApiError::Unauthorized {
                code: "token_invalid",
                detail: "there is no such token; make one in your settings",
            });
        };
        let now = self.clock.now();
        if token.expires_at.is_some_and(|expires| expires <= now) {
            return Err(ApiError::Unauthorized {
                code: "token_expired",
                detail: "this token has expired; make a new one in your settings",
            });
        }
        let used = token.last_used_at;
        if used.is_none_or(|used| now.duration_since(used) >= USED_EVERY) {
            // Reading goes on while nothing can be written.
            let touched = store::touch_token(&self.db, token.id, now).await;
            touched.unwrap_or_else(|error| tracing::debug!("A token was not touched: {error}"));
        }
        Ok((account, token.scopes))
    }
}

/// Scopes as one text.
pub(super) fn joined(scopes: &[Scope]) -> String {
    let scopes: Vec<String> = scopes.iter().map(Scope::to_string).collect();
    scopes.join(" ")
}

fn read_scopes(texts: &[String]) -> Result<Vec<Scope>, ApiError> {
    let invalid = |detail: String| ApiError::Invalid {
        code: "scopes_invalid",
        detail,
    };
    let list = || {
        known()
            .map(|scope| scope.to_string())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let mut scopes = Vec::new();
    for text in texts {
        let scope =
            Scope::read(text).ok_or_else(|| invalid(format!("each is one of {}", list())))?;
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    match scopes.is_empty() {
        true => Err(invalid("at least one".to_owned())),
        false => Ok(scopes),
    }
}
