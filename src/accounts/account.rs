//! What an account is.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::config::NewAccounts;
use crate::error::ApiError;
use crate::form;

/// Names an account.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(transparent)]
pub struct AccountId(pub Uuid);

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What an account may do on this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Runs the server.
    Admin,
    /// Owns channels.
    Creator,
    /// Watches and follows.
    Viewer,
}

impl Role {
    /// As the database has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Creator => "creator",
            Self::Viewer => "viewer",
        }
    }

    /// From what the database has.
    pub(super) fn read(text: &str) -> Option<Self> {
        [Self::Admin, Self::Creator, Self::Viewer]
            .into_iter()
            .find(|role| role.as_str() == text)
    }
}

impl From<NewAccounts> for Role {
    fn from(new: NewAccounts) -> Self {
        match new {
            NewAccounts::Viewer => Self::Viewer,
            NewAccounts::Creator => Self::Creator,
        }
    }
}

/// Somebody who can sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// The name it signs in with.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Its picture, by the id that `images` gave it.
    pub avatar: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What only the account itself sees of it. Its `Debug` form shows no address.
#[derive(Clone, PartialEq, Eq)]
pub struct Profile {
    /// Where mail goes to.
    pub email: Option<String>,
    /// Whether somebody there has confirmed it.
    pub is_email_confirmed: bool,
    /// Language of pages and mails (BCP 47); empty: that of the browser.
    pub language: String,
    /// Whether it can sign in with name and password; else by a provider alone.
    pub has_password: bool,
    /// Whether it may sign in no more.
    pub is_suspended: bool,
    /// Whether signing in takes a code as well.
    pub has_second_step: bool,
    /// Recovery codes that are left.
    pub recovery_codes: i64,
}

impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Profile").finish_non_exhaustive()
    }
}

/// What everybody may see of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Face {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// The id of its picture.
    pub avatar: Option<String>,
}

impl From<&Account> for Face {
    fn from(account: &Account) -> Self {
        Self {
            id: account.id.0,
            name: account.name.clone(),
            avatar: account.avatar.clone(),
        }
    }
}

impl Account {
    /// Refuses viewers, who have no channels.
    ///
    /// # Errors
    /// [`ApiError::Forbidden`], with whom to ask.
    pub fn require_creator(&self) -> Result<(), ApiError> {
        match self.role {
            Role::Admin | Role::Creator => Ok(()),
            Role::Viewer => Err(ApiError::Forbidden(
                "your account may watch and follow, but not make channels; ask an admin of this \
                 server to make you a creator",
            )),
        }
    }

    /// Whether it has the say over what belongs to an account: over its own, and admins over all.
    #[must_use]
    pub fn has_say_over(&self, owner: AccountId) -> bool {
        self.id == owner || self.is_admin()
    }

    /// Whether it runs the server.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.role == Role::Admin
    }
}

/// Holds a name against the rules. It has no `@`, by which sign-in tells addresses from names.
pub(super) fn checked_name(name: &str) -> Result<String, ApiError> {
    let name = form::line("name_invalid", name, 2, 60)?;
    match name.contains('@') {
        false => Ok(name),
        true => Err(ApiError::Invalid {
            code: "name_invalid",
            detail: "a name has no @: that would look like an address".to_owned(),
        }),
    }
}

/// What makes two spellings the same name, or the same address.
pub(super) fn fold(name: &str) -> String {
    name.trim().to_lowercase()
}

/// A language tag such as `en` or `pt-BR`, or nothing.
pub(super) fn checked_language(tag: &str) -> Result<String, ApiError> {
    let tag = tag.trim();
    let is_part = |part: &str| {
        (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    match tag.is_empty() || (tag.len() <= 35 && tag.split('-').all(is_part)) {
        true => Ok(tag.to_owned()),
        false => Err(ApiError::Invalid {
            code: "language_invalid",
            detail: "a language tag such as en or pt-BR, or nothing".to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded_and_printable() {
        assert_eq!(checked_name("  Ada Lovelace ").unwrap(), "Ada Lovelace");
        let long = "x".repeat(61);
        for name in ["", "a", "tab\there", &long, "ada@example.org", "a\u{202E}b"] {
            assert!(checked_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn languages_are_tags() {
        for tag in ["", "en", "pt-BR", "zh-Hant-TW"] {
            assert!(checked_language(tag).is_ok(), "{tag}");
        }
        for tag in ["-", "english please", "e\u{301}n", "a-"] {
            assert!(checked_language(tag).is_err(), "{tag}");
        }
    }
}
