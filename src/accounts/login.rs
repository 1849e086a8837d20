//! Signing in, in one step or two, and what a login is.

use std::net::IpAddr;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::account::fold;
use super::{Account, Accounts, LOGIN_LIFETIME, store};
use crate::db::{StoreError, Tx};
use crate::error::ApiError;
use crate::secret::Secret;

/// Names a login to its owner; it is no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginId(pub String);

/// Somebody signed in somewhere.
#[derive(Debug, Clone)]
pub struct Login {
    /// Its id.
    pub id: LoginId,
    /// What the browser called itself.
    pub user_agent: String,
    /// The network it came from.
    pub address: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was used last, to some minutes.
    pub last_seen_at: Timestamp,
}

/// Where somebody signs in from.
#[derive(Debug, Clone, Default)]
pub struct Visitor {
    /// The address.
    pub address: Option<IpAddr>,
    /// What the browser calls itself.
    pub user_agent: String,
}

/// What a right password leads to.
#[derive(Debug)]
pub enum Welcome {
    /// Signed in; the token goes into the cookie.
    In(Account, Secret),
    /// A code of the second step must follow, with this.
    CodeNeeded(Secret),
}

/// Purpose of the tickets between the two steps.
pub(super) const SECOND_STEP: &str = "sign_in";
/// Time for the second step.
const FOR_THE_CODE: Duration = Duration::from_secs(5 * 60);
/// Wrong codes after which the password must be given again.
const WRONG_CODES: i64 = 5;
/// How exactly the last use of a login is known.
const SEEN_EVERY: SignedDuration = SignedDuration::from_mins(5);
/// Longest name of a browser that is kept.
const LONGEST_USER_AGENT: usize = 300;

impl Accounts {
    /// Checks a password; who signs in gives a name or a confirmed address.
    ///
    /// # Errors
    /// When name or password is wrong, there were too many wrong ones, or the account must confirm its
    /// address first.
    pub async fn sign_in(
        &self,
        name: &str,
        password: &Secret,
        from: IpAddr,
        visitor: &Visitor,
    ) -> Result<Welcome, ApiError> {
        let name = fold(name);
        let account = self.by_password(&name, password, from).await?;
        self.require_good_standing(&account).await?;
        if self.has_second_step(account.id).await? {
            let ticket = self.ticket(SECOND_STEP, account.id, &name, FOR_THE_CODE);
            return Ok(Welcome::CodeNeeded(ticket.await?));
        }
        self.limits.forgive(&name, from);
        let token = self.open_login(&account, visitor).await?;
        tracing::info!(account.id = %account.id, "Account {} signed in", account.id);
        Ok(Welcome::In(account, token))
    }

    /// The account of a folded name or confirmed address, where the password is right.
    pub(super) async fn by_password(
        &self,
        name: &str,
        password: &Secret,
        from: IpAddr,
    ) -> Result<Account, ApiError> {
        // Counted before the password is looked at, so that many tries at once are many.
        self.limits.take(name, from, self.clock.instant())?;
        let found = self.find(name).await;
        // While the database is away nobody tries anything.
        let found = found.inspect_err(|_| self.limits.give_back(name, from))?;
        let (account, hash) = found.unzip();
        // Who signs in by a provider alone has none.
        let hash = hash.filter(|hash: &String| !hash.is_empty());
        // A name that does not exist costs as much time as one that does.
        let right = self.passwords.verify(password, hash).await?;
        account.filter(|_| right).ok_or_else(|| {
            tracing::warn!("A sign-in failed");
            ApiError::WrongPassword
        })
    }

    /// The second step: a code of the authenticator app, or a recovery code.
    ///
    /// # Errors
    /// When the code is wrong or used, or the first step is too long ago.
    pub async fn sign_in_by_code(
        &self,
        challenge: &Secret,
        code: &str,
        from: IpAddr,
        visitor: &Visitor,
    ) -> Result<(Account, Secret), ApiError> {
        let over = ApiError::Unauthorized {
            code: "challenge_over",
            detail: "too much time has passed, or too many codes were wrong; begin again with your \
                     password",
        };
        let now = self.clock.now();
        let ticket = store::try_ticket(&self.db, &challenge.hash(), SECOND_STEP, now).await?;
        let Some(ticket) = ticket.filter(|ticket| ticket.tries <= WRONG_CODES) else {
            return Err(over);
        };
        self.limits
            .take(&ticket.about, from, self.clock.instant())?;
        let Some(account) = self.by_id(ticket.account).await? else {
            return Err(over);
        };
        if !self.use_code(account.id, code).await? {
            tracing::warn!("A sign-in failed in its second step");
            return Err(ApiError::Unauthorized {
                code: "code_wrong",
                detail: "this code is wrong or was used already; wait for the next one",
            });
        }
        store::delete_ticket(&self.db, &challenge.hash()).await?;
        self.limits.forgive(&ticket.about, from);
        let token = self.open_login(&account, visitor).await?;
        tracing::info!(account.id = %account.id, "Account {} signed in with a code", account.id);
        Ok((account, token))
    }

    /// The account of a folded name or confirmed address, and the hash of its password.
    async fn find(&self, name: &str) -> Result<Option<(Account, String)>, StoreError> {
        // No name has control characters, and PostgreSQL cannot even be asked for a NUL.
        if name.chars().any(char::is_control) {
            return Ok(None);
        }
        match name.contains('@') {
            true => store::account_by_email(&self.db, name).await,
            false => store::account_by_name(&self.db, name).await,
        }
    }

    /// Makes a login without a password, as after set-up.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open_login(
        &self,
        account: &Account,
        visitor: &Visitor,
    ) -> Result<Secret, StoreError> {
        let now = self.clock.now();
        store::delete_expired(&self.db, now).await?;
        let mut tx = self.db.begin().await?;
        let token = self.insert_login(&mut tx, account, visitor).await?;
        tx.commit().await?;
        Ok(token)
    }

    pub(super) async fn insert_login(
        &self,
        tx: &mut Tx,
        account: &Account,
        visitor: &Visitor,
    ) -> Result<Secret, StoreError> {
        let token = Secret::random::<32>();
        let now = self.clock.now();
        let login = Login {
            id: LoginId(Secret::random::<10>().reveal().to_owned()),
            user_agent: visible(&visitor.user_agent),
            address: visitor.address.map(network).unwrap_or_default(),
            created_at: now,
            last_seen_at: now,
        };
        let expires = now + LOGIN_LIFETIME;
        store::insert_login(tx, &token.hash(), account.id, &login, expires).await?;
        Ok(token)
    }

    /// Ends a login.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sign_out(&self, token: &Secret) -> Result<(), StoreError> {
        store::delete_login(&self.db, &token.hash()).await
    }

    /// Whose login this token is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn signed_in(
        &self,
        token: &Secret,
    ) -> Result<Option<(Account, LoginId)>, StoreError> {
        let (hash, now) = (token.hash(), self.clock.now());
        let Some((account, id, seen)) = store::account_by_login(&self.db, &hash, now).await? else {
            return Ok(None);
        };
        if now.duration_since(seen) >= SEEN_EVERY {
            // Reading goes on while nothing can be written.
            let touched = store::touch_login(&self.db, &hash, now).await;
            touched.unwrap_or_else(|error| tracing::debug!("A login was not touched: {error}"));
        }
        Ok(Some((account, id)))
    }

    /// Where an account is signed in, the newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn logins(&self, account: &Account) -> Result<Vec<Login>, StoreError> {
        store::logins_of(&self.db, account.id, self.clock.now()).await
    }

    /// Ends a login of an account.
    ///
    /// # Errors
    /// When it has no such login.
    pub async fn end_login(&self, account: &Account, id: &str) -> Result<(), ApiError> {
        let is_plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        match is_plain && store::delete_login_by_id(&self.db, account.id, id).await? {
            true => Ok(()),
            false => Err(ApiError::NotFound {
                code: "session_not_found",
                detail: "your account has no such session",
            }),
        }
    }

    /// Ends all logins of an account but one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_other_logins(
        &self,
        account: &Account,
        kept: Option<&LoginId>,
    ) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        let kept = kept.map_or("", |id| id.0.as_str());
        store::delete_other_logins(&mut tx, account.id, kept).await?;
        tx.commit().await
    }
}

/// The network of an address, which is enough for its owner to know it again.
fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            format!("{a}.{b}.{c}.x")
        }
        IpAddr::V6(ip) => {
            let [a, b, c, ..] = ip.segments();
            format!("{a:x}:{b:x}:{c:x}:…")
        }
    }
}

fn visible(user_agent: &str) -> String {
    let visible = user_agent.chars().filter(|c| !c.is_control());
    visible.take(LONGEST_USER_AGENT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_cut_to_their_network() {
        for (address, kept) in [
            ("203.0.113.77", "203.0.113.x"),
            ("::ffff:203.0.113.77", "203.0.113.x"),
            ("2001:db8:1:2::3", "2001:db8:1:…"),
        ] {
            assert_eq!(network(address.parse().unwrap()), kept);
        }
    }
}
