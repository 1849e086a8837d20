//! What an account changes of itself.

use std::net::IpAddr;

use jiff::SignedDuration;

use super::account::{checked_language, checked_name, fold};
use super::{Account, Accounts, Visitor, name_taken, password, store};
use crate::db::StoreError;
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

/// By what somebody who is signed in proves to be the owner, who may have left the browser open.
#[derive(Debug, Default)]
pub struct Proof {
    /// The password.
    pub password: Option<Secret>,
    /// A code of the second step.
    pub code: Option<String>,
    /// The token of the login that asks: where there is no password, it is to be a new one.
    pub login: Option<Secret>,
}

/// A login that is younger proves who somebody is.
const NEW_LOGIN: SignedDuration = SignedDuration::from_mins(10);

impl Accounts {
    /// Lets somebody who is signed in prove to be the owner, by password or by a code. Who has no
    /// password signs in anew before.
    ///
    /// # Errors
    /// When what they give is wrong, or there were too many wrong ones.
    pub async fn confirm(
        &self,
        account: &Account,
        proof: &Proof,
        from: IpAddr,
    ) -> Result<(), ApiError> {
        let denied = |detail: &str| ApiError::Denied {
            code: "confirmation_wrong",
            detail: detail.to_owned(),
        };
        let name = fold(&account.name);
        let password = proof.password.as_ref();
        let password = password.filter(|password| !password.reveal().is_empty());
        if password.is_some() || proof.code.is_some() {
            self.limits.take(&name, from, self.clock.instant())?;
        }
        let is_right = match (password, &proof.code) {
            (Some(password), _) => {
                let found = store::account_by_name(&self.db, &name).await?;
                let hash = found.map(|(_, hash)| hash);
                self.passwords.verify(password, hash).await?
            }
            (None, Some(code)) => self.use_code(account.id, code).await?,
            (None, None) if self.profile(account.id).await?.has_password => {
                return Err(denied("give your password again"));
            }
            (None, None) if self.is_new(proof.login.as_ref()).await? => true,
            (None, None) => {
                return Err(ApiError::Denied {
                    code: "sign_in_again",
                    detail: "sign out and in again, then do this within ten minutes".to_owned(),
                });
            }
        };
        if !is_right {
            return Err(denied("the password or the code is wrong"));
        }
        self.limits.forgive(&name, from);
        Ok(())
    }

    async fn is_new(&self, login: Option<&Secret>) -> Result<bool, StoreError> {
        let Some(login) = login else {
            return Ok(false);
        };
        let began = store::login_began(&self.db, &login.hash()).await?;
        Ok(began.is_some_and(|began| self.clock.now().duration_since(began) < NEW_LOGIN))
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
