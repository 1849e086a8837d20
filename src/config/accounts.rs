//! Section `[accounts]`: who may sign up, and what new accounts may do.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ConfigError, Mail, invalid};

/// Who may sign up, and what new accounts may do.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Accounts {
    /// Who may sign up.
    pub registration: Registration,
    /// What new accounts may do, unless their invite says more.
    pub new_accounts: NewAccounts,
    /// Whether signing up needs an e-mail address, which must be confirmed before the first sign-in.
    pub require_email: bool,
}

/// Who may sign up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Registration {
    /// Everybody.
    Open,
    /// Whoever has an invite of an admin.
    Invite,
    /// Nobody; accounts are made on the command line.
    Closed,
}

/// What new accounts may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NewAccounts {
    /// Watch and follow.
    Viewer,
    /// Make channels as well.
    Creator,
}

impl Default for Accounts {
    fn default() -> Self {
        Self {
            registration: Registration::Invite,
            new_accounts: NewAccounts::Viewer,
            require_email: false,
        }
    }
}

impl Accounts {
    pub(super) fn check(&self, mail: &Mail) -> Result<(), ConfigError> {
        match self.require_email && !mail.is_configured() {
            true => Err(invalid(
                "accounts.require_email",
                "addresses can be confirmed only where mail.host is set",
            )),
            false => Ok(()),
        }
    }
}
