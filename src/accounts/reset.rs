//! New passwords: by the old one, or by a link that goes to the confirmed address.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::email::{link_over, mail_not_configured};
use super::{Account, Accounts, Visitor, account, password, store};
use crate::db::Tx;
use crate::error::ApiError;
use crate::jobs::{JobError, Worker};
use crate::mail::{self, Letter};
use crate::secret::Secret;

/// Purpose of the tickets in such mails.
pub(super) const RESET: &str = "reset_password";
/// Time to open the link.
const TO_RESET: Duration = Duration::from_secs(3600);
/// The kind of the jobs that look for the account.
const KIND: &str = "password_reset";
/// A request is worth nothing after that.
const PATIENCE: Duration = Duration::from_secs(3600);

/// What a job of [`KIND`] is about.
#[derive(Debug, Serialize, Deserialize)]
struct Wish {
    email: String,
}

impl Accounts {
    /// Asks for a link to a new password. Whether an account has the address is looked up later, so
    /// that neither the answer nor its time tells.
    ///
    /// # Errors
    /// When it is no address, no mail is sent here, or one address asks too often.
    pub async fn ask_for_reset(&self, email: &str, from: IpAddr) -> Result<(), ApiError> {
        if !self.has_mail() {
            return Err(mail_not_configured());
        }
        let email = mail::checked_address(email)?;
        self.limits.take_mail(from, self.clock.instant())?;
        self.jobs.enqueue_now(KIND, &Wish { email }).await?;
        Ok(())
    }

    /// Makes a worker send the links that were asked for.
    #[must_use]
    pub fn reset_by(&self, worker: Worker) -> Worker {
        let accounts = self.clone();
        worker.on(KIND, PATIENCE, move |wish: Wish, _| {
            let accounts = accounts.clone();
            async move {
                let sent = accounts.send_reset(&wish.email).await;
                sent.map_err(|error| JobError::Retry(error.to_string()))
            }
        })
    }

    async fn send_reset(&self, email: &str) -> Result<(), ApiError> {
        let found = store::account_by_email(&self.db, &account::fold(email)).await?;
        let Some((account, _)) = found else {
            return Ok(());
        };
        let mut tx = self.db.begin().await?;
        let token = self
            .ticket_in(&mut tx, RESET, account.id, "", TO_RESET)
            .await?;
        let link = self.mail.link(&format!("/reset#{}", token.reveal()));
        self.mail
            .send(&mut tx, &invitation_to_reset(&account.name, email, link))
            .await?;
        tx.commit().await?;
        self.jobs.wake();
        Ok(())
    }

    /// Sets a new password by the token from the mail. All logins end; the second step stays.
    ///
    /// # Errors
    /// When the token is wrong, used or too old, or the password does not fit the rules.
    pub async fn reset_password(&self, token: &Secret, new: &Secret) -> Result<(), ApiError> {
        password::check(new)?;
        let hash = self.passwords.hash(new).await?;
        let mut tx = self.db.begin().await?;
        let ticket = store::take_ticket(&mut tx, &token.hash(), RESET, self.clock.now()).await?;
        let account = ticket.ok_or_else(link_over)?.account;
        store::delete_other_logins(&mut tx, account, "").await?;
        store::delete_tickets(&mut tx, account).await?;
        let found = self.by_id(account).await?.ok_or_else(link_over)?;
        self.store_password(&mut tx, &found, &hash, "by_mail")
            .await?;
        tx.commit().await?;
        self.jobs.wake();
        Ok(())
    }

    /// Sets a new password for somebody signed in who has given the old one. All logins end; the
    /// token is that of a new one.
    ///
    /// # Errors
    /// When the new one does not fit the rules.
    pub async fn change_password(
        &self,
        account: &Account,
        new: &Secret,
        visitor: &Visitor,
    ) -> Result<Secret, ApiError> {
        password::check(new)?;
        let hash = self.passwords.hash(new).await?;
        let mut tx = self.db.begin().await?;
        store::delete_other_logins(&mut tx, account.id, "").await?;
        let token = self.insert_login(&mut tx, account, visitor).await?;
        self.store_password(&mut tx, account, &hash, "by_old_password")
            .await?;
        tx.commit().await?;
        self.jobs.wake();
        Ok(token)
    }

    async fn store_password(
        &self,
        tx: &mut Tx,
        account: &Account,
        hash: &str,
        way: &'static str,
    ) -> Result<(), ApiError> {
        store::set_password(tx, account.id, hash).await?;
        let profile = store::profile_in(tx, account.id).await?;
        let confirmed = profile.filter(|profile| profile.is_email_confirmed);
        if let Some(email) = confirmed.and_then(|profile| profile.email) {
            self.mail
                .send(tx, &password_changed(&account.name, &email))
                .await?;
        }
        let (actor, target) = (Some(account.id.0), account.id.to_string());
        let detail = json!({ "way": way });
        self.audit
            .note(tx, actor, "account.password_changed", &target, &detail)
            .await?;
        Ok(())
    }
}

fn invitation_to_reset(name: &str, email: &str, link: String) -> Letter {
    Letter {
        to: email.to_owned(),
        subject: "Choose a new password".to_owned(),
        paragraphs: vec![
            format!("Hello {name},"),
            "here you can choose a new password. The link works once, for an hour.".to_owned(),
        ],
        act: Some(("Choose a new password".to_owned(), link)),
        foot: "If you did not ask for this, do nothing: your password stays as it is.".to_owned(),
        unsubscribe: None,
    }
}

fn password_changed(name: &str, email: &str) -> Letter {
    Letter {
        to: email.to_owned(),
        subject: "Your password was changed".to_owned(),
        paragraphs: vec![
            format!("Hello {name},"),
            "your password was changed, and you were signed out everywhere else.".to_owned(),
        ],
        act: None,
        foot: "If that was not you, ask for a new password on the sign-in page, and tell whoever \
               runs the server."
            .to_owned(),
        unsubscribe: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mail_with_the_link_reads_so() {
        let link = "https://live.example/reset#abc".to_owned();
        let letter = invitation_to_reset("Ada", "ada@example.org", link);
        let text = "Hello Ada,\n\nhere you can choose a new password. The link works once, for an \
                    hour.\n\nChoose a new password:\nhttps://live.example/reset#abc\n\n-- \nIf you \
                    did not ask for this, do nothing: your password stays as it is.\n";
        assert_eq!(letter.text(), text);
        assert!(
            password_changed("Ada", "ada@example.org")
                .text()
                .contains("signed out everywhere")
        );
    }
}
