//! The second step of signing in: codes of an authenticator app (RFC 6238), and recovery codes for
//! the day when the app is gone.

mod store;

use std::net::IpAddr;

use serde_json::json;
use totp_rs::{Builder, Totp};

use super::account::fold;
use super::{Account, AccountId, Accounts};
use crate::db::{StoreError, Tx};
use crate::error::ApiError;
use crate::secret::{Secret, random_bytes};

/// What an app needs to make codes. It is shown once.
#[derive(Debug)]
pub struct Enrolment {
    /// To be typed in.
    pub secret: Secret,
    /// The same as a link that apps open.
    pub url: Secret,
    /// The link as a picture: a row of squares a text, `1` for a dark one.
    pub squares: Vec<String>,
}

/// The secret, as it is stored.
#[derive(Debug, Clone)]
struct Stored {
    secret: Secret,
    is_confirmed: bool,
}

/// Recovery codes of an account.
const RECOVERY_CODES: usize = 10;
/// What apps show above the code.
const ISSUER: &str = "Tallylight";

/// Turns the second step of an account off, in the caller's transaction.
pub(super) async fn forget(tx: &mut Tx, account: AccountId) -> Result<(), StoreError> {
    store::delete_second_step(tx, account).await
}

impl Accounts {
    /// Whether signing in takes a code.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn has_second_step(&self, account: AccountId) -> Result<bool, StoreError> {
        let stored = store::second_step(&self.db, account).await?;
        Ok(stored.is_some_and(|stored| stored.is_confirmed))
    }

    /// Begins the enrolment of an app. It counts once a code has proved that the app works.
    ///
    /// # Errors
    /// When there is a second step already.
    pub async fn begin_second_step(&self, account: &Account) -> Result<Enrolment, ApiError> {
        let totp = totp(&random_bytes::<20>(), &account.name)?;
        let secret = Secret::new(totp.secret().to_base32());
        let begun =
            store::begin_second_step(&self.db, account.id, &secret, self.clock.now()).await?;
        if !begun {
            return Err(ApiError::Conflict {
                code: "second_step_on",
                detail: "signing in takes a code already; turn that off first".to_owned(),
            });
        }
        let url = totp.to_url().map_err(failed)?;
        Ok(Enrolment {
            secret,
            squares: squares(&url)?,
            url: Secret::new(url),
        })
    }

    /// Ends the enrolment with a code of the app; gives the recovery codes.
    ///
    /// # Errors
    /// When the code is wrong, or no enrolment was begun.
    pub async fn confirm_second_step(
        &self,
        account: &Account,
        code: &str,
        from: IpAddr,
    ) -> Result<Vec<Secret>, ApiError> {
        let name = fold(&account.name);
        self.limits.take(&name, from, self.clock.instant())?;
        let Some(stored) = store::second_step(&self.db, account.id).await? else {
            return Err(not_begun());
        };
        if stored.is_confirmed {
            return Err(not_begun());
        }
        if !self.use_app_code(account.id, &stored, code).await? {
            return Err(ApiError::Invalid {
                code: "code_wrong",
                detail: "this code is wrong; is the clock of your phone right?".to_owned(),
            });
        }
        self.limits.forgive(&name, from);
        let mut tx = self.db.begin().await?;
        store::confirm_second_step(&mut tx, account.id, self.clock.now()).await?;
        let codes = self.new_recovery_codes(&mut tx, account.id).await?;
        self.note_second_step(&mut tx, account, "account.second_step_on")
            .await?;
        tx.commit().await?;
        Ok(codes)
    }

    /// Gives new recovery codes; the old ones work no longer.
    ///
    /// # Errors
    /// When there is no second step.
    pub async fn renew_recovery_codes(&self, account: &Account) -> Result<Vec<Secret>, ApiError> {
        if !self.has_second_step(account.id).await? {
            return Err(not_begun());
        }
        let mut tx = self.db.begin().await?;
        let codes = self.new_recovery_codes(&mut tx, account.id).await?;
        self.note_second_step(&mut tx, account, "account.recovery_codes_renewed")
            .await?;
        tx.commit().await?;
        Ok(codes)
    }

    /// Turns the second step off.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_second_step(&self, account: &Account) -> Result<(), ApiError> {
        let mut tx = self.db.begin().await?;
        store::delete_second_step(&mut tx, account.id).await?;
        self.note_second_step(&mut tx, account, "account.second_step_off")
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Whether a code of the app, or a recovery code, is right. It is used up by that.
    pub(super) async fn use_code(&self, account: AccountId, code: &str) -> Result<bool, ApiError> {
        let Some(stored) = store::second_step(&self.db, account).await? else {
            return Ok(false);
        };
        if stored.is_confirmed && self.use_app_code(account, &stored, code).await? {
            return Ok(true);
        }
        let hash = Secret::new(bare(code)).hash();
        Ok(store::spend_recovery_code(&self.db, account, &hash).await?)
    }

    async fn use_app_code(
        &self,
        account: AccountId,
        stored: &Stored,
        code: &str,
    ) -> Result<bool, ApiError> {
        let secret = totp_rs::Secret::try_from_base32(stored.secret.reveal());
        let secret = secret.map_err(|error| failed(format!("{error:?}")))?;
        let totp = totp(secret.as_bytes(), "")?;
        let seconds = u64::try_from(self.clock.now().as_second()).unwrap_or_default();
        let Some(step) = totp.check(&bare(code), seconds) else {
            return Ok(false);
        };
        // Two at once: only one of them moves the step on.
        let step = i64::try_from(step).unwrap_or(i64::MAX);
        Ok(store::advance_second_step(&self.db, account, step).await?)
    }

    async fn new_recovery_codes(
        &self,
        tx: &mut Tx,
        account: AccountId,
    ) -> Result<Vec<Secret>, StoreError> {
        store::delete_recovery_codes(tx, account).await?;
        let mut codes = Vec::with_capacity(RECOVERY_CODES);
        for _ in 0..RECOVERY_CODES {
            let code = Secret::random::<10>();
            store::insert_recovery_code(tx, account, &code.hash()).await?;
            codes.push(Secret::new(in_fours(code.reveal())));
        }
        Ok(codes)
    }

    async fn note_second_step(
        &self,
        tx: &mut Tx,
        account: &Account,
        action: &'static str,
    ) -> Result<(), StoreError> {
        let (actor, target) = (Some(account.id.0), account.id.to_string());
        self.audit
            .note(tx, actor, action, &target, &json!({}))
            .await
    }
}

fn totp(secret: &[u8], name: &str) -> Result<Totp, ApiError> {
    // The link has a colon between the two.
    let name = name.replace(':', " ");
    let builder = Builder::new().with_secret(secret.to_vec());
    let builder = builder.with_issuer(Some(ISSUER)).with_account_name(name);
    builder.build().map_err(failed)
}

fn squares(url: &str) -> Result<Vec<String>, ApiError> {
    use qrcodegen::{QrCode, QrCodeEcc};
    let code = QrCode::encode_text(url, QrCodeEcc::Medium).map_err(failed)?;
    let side = 0..code.size();
    let square = |x, y| if code.get_module(x, y) { '1' } else { '0' };
    Ok(side
        .clone()
        .map(|y| side.clone().map(|x| square(x, y)).collect())
        .collect())
}

/// A code without what people put between its parts.
fn bare(code: &str) -> String {
    let parts = code.chars().filter(|c| c.is_ascii_alphanumeric());
    parts.take(64).map(|c| c.to_ascii_lowercase()).collect()
}

fn in_fours(code: &str) -> String {
    let letters: Vec<char> = code.chars().collect();
    let parts: Vec<String> = letters
        .chunks(4)
        .map(|part| part.iter().collect())
        .collect();
    parts.join("-")
}

fn not_begun() -> ApiError {
    ApiError::Conflict {
        code: "second_step_off",
        detail: "there is nothing to confirm: begin with the picture for the app".to_owned(),
    }
}

fn failed(error: impl std::fmt::Display) -> ApiError {
    ApiError::Internal(format!("second step: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_however_they_are_written() {
        assert_eq!(in_fours("abcdefghijklmnop"), "abcd-efgh-ijkl-mnop");
        assert_eq!(bare(" ABCD-efgh ijkl–mnop"), "abcdefghijklmnop");
        assert_eq!(bare("123 456"), "123456");
    }

    #[test]
    fn the_picture_is_a_square_with_a_frame_in_its_corner() {
        let squares = squares("otpauth://totp/Tallylight:Ada?secret=ABC").unwrap();
        assert!(squares.iter().all(|row| row.len() == squares.len()));
        assert!(squares[0].starts_with("1111111"));
    }

    #[test]
    fn any_name_makes_a_link() {
        for name in ["Ada", "a:b", "ädä 👩‍💻"] {
            let totp = totp(&[7; 20], name).unwrap();
            assert!(
                totp.to_url().unwrap().starts_with("otpauth://totp/"),
                "{name}"
            );
        }
    }
}
