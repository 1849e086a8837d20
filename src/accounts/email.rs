//! The address of an account, and tickets: one-time permissions that go out in a mail or to a page.
//!
//! Where mail is sent, an address belongs to an account only once somebody there has opened the link.
//! Until then nobody learns whether another account has it, and nobody can take it from them.

use std::net::IpAddr;
use std::time::Duration;

use super::{Account, AccountId, Accounts, account, store};
use crate::db::{StoreError, Tx};
use crate::error::ApiError;
use crate::mail::{self, Letter};
use crate::secret::Secret;

/// A one-time permission.
#[derive(Debug, Clone)]
pub(super) struct Ticket {
    /// Whose it is.
    pub(super) account: AccountId,
    /// What it is about, such as an address.
    pub(super) about: String,
    /// How often it was tried, this time as well.
    pub(super) tries: i64,
}

/// Purpose of tickets that confirm an address.
const CONFIRM: &str = "confirm_email";
/// Who must confirm an address first is refused with this code.
const UNCONFIRMED: &str = "email_unconfirmed";
/// Time to open the link.
const TO_CONFIRM: Duration = Duration::from_secs(24 * 3600);

impl Accounts {
    /// Makes a ticket in a transaction of its own.
    pub(super) async fn ticket(
        &self,
        purpose: &'static str,
        account: AccountId,
        about: &str,
        lasts: Duration,
    ) -> Result<Secret, StoreError> {
        let mut tx = self.db.begin().await?;
        let token = self
            .ticket_in(&mut tx, purpose, account, about, lasts)
            .await?;
        tx.commit().await?;
        Ok(token)
    }

    pub(super) async fn ticket_in(
        &self,
        tx: &mut Tx,
        purpose: &'static str,
        account: AccountId,
        about: &str,
        lasts: Duration,
    ) -> Result<Secret, StoreError> {
        let token = Secret::random::<32>();
        let expires = self.clock.now() + lasts;
        store::insert_ticket(tx, &token.hash(), purpose, account, about, expires).await?;
        Ok(token)
    }

    /// Gives an account an address: at once where no mail is sent, else by a link that goes there.
    pub(super) async fn set_email(
        &self,
        tx: &mut Tx,
        account: &Account,
        email: &str,
    ) -> Result<(), ApiError> {
        if !self.has_mail() {
            // Nobody can prove it here, so that it is no name to sign in with.
            store::set_unconfirmed_email(tx, account.id, email).await?;
            return Ok(());
        }
        // A link to an address that was thought better of must not come back.
        store::delete_tickets_for(tx, account.id, CONFIRM).await?;
        let token = self
            .ticket_in(tx, CONFIRM, account.id, email, TO_CONFIRM)
            .await?;
        let link = self.mail.link(&format!("/verify#{}", token.reveal()));
        self.mail
            .send(tx, &confirmation(&account.name, email, link))
            .await?;
        Ok(())
    }

    /// The address that a link went to last and was not opened yet.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn pending_email(&self, account: AccountId) -> Result<Option<String>, StoreError> {
        store::about_ticket(&self.db, account, CONFIRM, self.clock.now()).await
    }

    /// Sends the link once more to somebody who cannot sign in without it, and who may have mistyped
    /// the address.
    ///
    /// # Errors
    /// When name or password is wrong, there is nothing to confirm, no mail is sent here, or it is
    /// asked for too often.
    pub async fn ask_to_confirm(
        &self,
        name: &str,
        password: &Secret,
        email: &str,
        from: IpAddr,
    ) -> Result<(), ApiError> {
        let email = mail::checked_address(email)?;
        let name = account::fold(name);
        let account = self.by_password(&name, password, from).await?;
        self.limits.forgive(&name, from);
        if !self.has_mail() {
            return Err(mail_not_configured());
        }
        match self.require_good_standing(&account).await {
            Err(ApiError::Denied {
                code: UNCONFIRMED, ..
            }) => {}
            Err(error) => return Err(error),
            Ok(()) => {
                return Err(ApiError::Conflict {
                    code: "nothing_to_confirm",
                    detail: "this account can sign in; its address is changed in its settings"
                        .to_owned(),
                });
            }
        }
        // The address would lead to a new password, and the password alone is not enough here.
        if self.has_second_step(account.id).await? {
            return Err(ApiError::Denied {
                code: "code_needed",
                detail: "signing in to this account takes a code; ask whoever runs this server"
                    .to_owned(),
            });
        }
        self.limits.take_mail(from, self.clock.instant())?;
        let mut tx = self.db.begin().await?;
        self.set_email(&mut tx, &account, &email).await?;
        tx.commit().await?;
        self.jobs.wake();
        Ok(())
    }

    /// Confirms an address by the token from its mail.
    ///
    /// # Errors
    /// When the token is wrong, used or too old, or another account has confirmed the same address.
    pub async fn confirm_email(&self, token: &Secret) -> Result<(), ApiError> {
        let mut tx = self.db.begin().await?;
        let now = self.clock.now();
        let ticket = store::take_ticket(&mut tx, &token.hash(), CONFIRM, now).await?;
        let Some(ticket) = ticket else {
            return Err(link_over());
        };
        let folded = account::fold(&ticket.about);
        let set = store::set_email(&mut tx, ticket.account, &ticket.about, &folded, now).await;
        set.map_err(|error| match error.is_duplicate() {
            true => ApiError::Conflict {
                code: "email_taken",
                detail: "another account has confirmed this address already".to_owned(),
            },
            false => error.into(),
        })?;
        tx.commit().await?;
        Ok(())
    }

    /// Refuses an account that was suspended, or must confirm its address first.
    pub(super) async fn require_good_standing(&self, account: &Account) -> Result<(), ApiError> {
        let profile = self.profile(account.id).await?;
        if profile.is_suspended {
            return Err(ApiError::Denied {
                code: "account_suspended",
                detail: "this account was suspended; ask whoever runs this server".to_owned(),
            });
        }
        // Admins are let in, so that nobody is locked out by a change of the settings.
        if !self.rules().require_email || account.is_admin() || profile.is_email_confirmed {
            return Ok(());
        }
        Err(ApiError::Denied {
            code: UNCONFIRMED,
            detail: "open the link in the mail that we sent you first".to_owned(),
        })
    }
}

pub(super) fn mail_not_configured() -> ApiError {
    ApiError::Conflict {
        code: "mail_not_configured",
        detail: "this server sends no mail; ask whoever runs it".to_owned(),
    }
}

pub(super) fn link_over() -> ApiError {
    ApiError::Denied {
        code: "link_invalid",
        detail: "this link was used already or is too old; ask for a new one".to_owned(),
    }
}

fn confirmation(name: &str, email: &str, link: String) -> Letter {
    Letter {
        to: email.to_owned(),
        subject: "Confirm your address".to_owned(),
        paragraphs: vec![
            format!("Hello {name},"),
            "please confirm that this is your address. The link works for a day.".to_owned(),
        ],
        act: Some(("Confirm the address".to_owned(), link)),
        foot:
            "Somebody gave this address on a Tallylight server. If that was not you, do nothing: \
               without the link it is not used."
                .to_owned(),
        unsubscribe: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mail_that_confirms_an_address_reads_so() {
        let link = "https://live.example/verify#abc".to_owned();
        let letter = confirmation("Ada", "ada@example.org", link);
        let text = "Hello Ada,\n\nplease confirm that this is your address. The link works for a \
                    day.\n\nConfirm the address:\nhttps://live.example/verify#abc\n\n-- \nSomebody \
                    gave this address on a Tallylight server. If that was not you, do nothing: \
                    without the link it is not used.\n";
        assert_eq!(letter.text(), text);
    }
}
