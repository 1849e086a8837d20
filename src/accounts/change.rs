//! What an account changes of itself.

use std::net::IpAddr;

use super::account::{checked_language, checked_name, fold};
use super::{Account, Accounts, Visitor, name_taken, password, store};
use crate::error::ApiError;
use crate::form::Form;
use crate::mail;
use crate::secret::Secret;

/// What to change; what is none stays.
#[derive(Debug, Default)]
pub struct Change {
    /// The name.
    pub name: Option<String>,
    /// The address; empty: none.
    pub email: Option<String>,
    /// The language; empty: that of the browser.
    pub language: Option<String>,
    /// The password.
    pub password: Option<Secret>,
}

impl Change {
    /// Whether it could lock the owner out, so that who asks must prove to be the owner again.
    #[must_use]
    pub fn is_grave(&self) -> bool {
        self.email.is_some() || self.password.is_some()
    }
}

impl Accounts {
    /// Lets somebody who is signed in prove to be the owner, by password or by a code.
    ///
    /// # Errors
    /// When what they give is wrong, or there were too many wrong ones.
    pub async fn confirm(
        &self,
        account: &Account,
        password: Option<&Secret>,
        code: Option<&str>,
        from: IpAddr,
    ) -> Result<(), ApiError> {
        let denied = |detail: &str| ApiError::Denied {
            code: "confirmation_wrong",
            detail: detail.to_owned(),
        };
        let name = fold(&account.name);
        self.limits.take(&name, from, self.clock.instant())?;
        let is_right = match (password, code) {
            (Some(password), _) => {
                let found = store::account_by_name(&self.db, &name).await?;
                let hash = found.map(|(_, hash)| hash);
                self.passwords.verify(password, hash).await?
            }
            (None, Some(code)) => self.use_code(account.id, code).await?,
            (None, None) => return Err(denied("give your password again")),
        };
        if !is_right {
            return Err(denied("the password or the code is wrong"));
        }
        self.limits.forgive(&name, from);
        Ok(())
    }

    /// Changes an account. Where the password changes, all logins end, and the token is that of a new
    /// one.
    ///
    /// # Errors
    /// When something does not fit the rules, or the name is taken.
    pub async fn change(
        &self,
        account: &Account,
        change: Change,
        visitor: &Visitor,
    ) -> Result<(Account, Option<Secret>), ApiError> {
        let mut form = Form::new();
        let name = form.take_some("name", change.name, |name| checked_name(&name));
        let email = form.take_some("email", change.email, |email| match email.trim() {
            "" => Ok(None),
            email => mail::checked_address(email).map(Some),
        });
        let language = form.take_some("language", change.language, |tag| checked_language(&tag));
        if let Some(new) = &change.password {
            form.take("password", password::check(new));
        }
        form.done()?;
        let mut changed = account.clone();
        let mut tx = self.db.begin().await?;
        if let Some(name) = name {
            let set = store::set_name(&mut tx, account.id, &name, &fold(&name)).await;
            set.map_err(|error| name_taken(error, &name))?;
            changed.name = name;
        }
        if let Some(language) = language {
            store::set_language(&mut tx, account.id, &language).await?;
        }
        match email {
            Some(Some(email)) => self.set_email(&mut tx, &changed, &email).await?,
            Some(None) => store::forget_email(&mut tx, account.id).await?,
            None => {}
        }
        tx.commit().await?;
        self.jobs.wake();
        let login = match &change.password {
            Some(new) => Some(self.change_password(&changed, new, visitor).await?),
            None => None,
        };
        Ok((changed, login))
    }
}
