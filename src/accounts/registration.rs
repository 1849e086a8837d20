//! Signing up, as the operator lets people.

use std::net::IpAddr;
use std::sync::Arc;

use super::{Account, Accounts, Role, Visitor, account, store};
use crate::config::Registration;
use crate::error::ApiError;
use crate::form::Form;
use crate::mail;
use crate::secret::Secret;
use crate::settings::SettingValues;

/// What somebody gives to sign up.
#[derive(Debug, Default)]
pub struct SignUp {
    /// The name to sign in with.
    pub name: String,
    /// At least 8 characters.
    pub password: Option<Secret>,
    /// Where mail goes to.
    pub email: Option<String>,
    /// The code of an invite.
    pub invite: Option<Secret>,
    /// Language of pages and mails; empty: that of the browser.
    pub language: String,
}

/// What signing up led to.
#[derive(Debug)]
pub enum Registered {
    /// Signed in; the token goes into the cookie.
    In(Account, Secret),
    /// The address must be confirmed first, by the link in a mail.
    ConfirmFirst,
}

impl Accounts {
    /// Who may sign up, and what new accounts may do.
    #[must_use]
    pub fn rules(&self) -> Arc<SettingValues> {
        self.settings.now()
    }

    /// Makes an account for somebody who asks for one.
    ///
    /// # Errors
    /// When that is not allowed, the invite is wrong or used, or something does not fit the rules.
    pub async fn register(
        &self,
        wish: SignUp,
        from: IpAddr,
        visitor: &Visitor,
    ) -> Result<Registered, ApiError> {
        if self.is_setup_needed().await? {
            let words =
                "this server waits for its first account, which is made by the link in its output";
            return Err(denied("setup_needed", words));
        }
        self.check_registration(&wish)?;
        self.limits.take_sign_up(from, self.clock.instant())?;
        let mut form = Form::new();
        form.take("name", account::checked_name(&wish.name).map(drop));
        let password = wish.password.unwrap_or_else(|| Secret::new(""));
        form.take("password", super::password::check(&password));
        let email = form.take_some("email", wish.email, |text| mail::checked_address(&text));
        let language = form.take("language", account::checked_language(&wish.language));
        if self.rules().require_email && email.is_none() {
            form.add(
                "email",
                "email_required",
                "an address, which you confirm by a link in a mail",
            );
        }
        form.done()?;
        let role = Role::from(self.rules().new_accounts);
        let (mut account, hash) = self.prepare(&wish.name, &password, role).await?;
        let mut tx = self.db.begin().await?;
        if let Some(code) = &wish.invite {
            let level = self.spend_invite(&mut tx, code).await?;
            account.role = level;
        }
        Self::insert(&mut tx, &account, &hash).await?;
        store::set_language(&mut tx, account.id, &language).await?;
        if let Some(email) = &email {
            self.set_email(&mut tx, &account, email).await?;
        }
        let token = match self.rules().require_email {
            true => None,
            false => Some(self.insert_login(&mut tx, &account, visitor).await?),
        };
        let detail = serde_json::json!({ "role": account.role, "invited": wish.invite.is_some() });
        let target = account.id.to_string();
        let actor = Some(account.id.0);
        self.audit
            .note(&mut tx, actor, "account.created", &target, &detail)
            .await?;
        tx.commit().await?;
        self.jobs.wake();
        tracing::info!(account.id = %account.id, "Account {} was made", account.id);
        Ok(match token {
            Some(token) => Registered::In(account, token),
            None => Registered::ConfirmFirst,
        })
    }

    fn check_registration(&self, wish: &SignUp) -> Result<(), ApiError> {
        match (self.rules().registration, &wish.invite) {
            (Registration::Closed, _) => Err(denied(
                "registration_closed",
                "nobody can sign up here by themselves; ask whoever runs this server",
            )),
            (Registration::Invite, None) => Err(denied(
                "invite_needed",
                "signing up needs an invite; ask whoever runs this server for a link",
            )),
            (Registration::Invite, Some(_)) | (Registration::Open, _) => Ok(()),
        }
    }
}

pub(super) fn denied(code: &'static str, detail: &str) -> ApiError {
    ApiError::Denied {
        code,
        detail: detail.to_owned(),
    }
}
