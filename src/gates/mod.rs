//! Who may watch a stream or a recording. A channel may have a gate (`channels`), and so may each stream and
//! each recording of it, a [`Lock`]; whoever watches must pass both, by whatever way they watch.
//!
//! Players that ask for many files show a `pass`, which is signed and short-lived, and which what an account
//! holds is looked at behind. Who lacks something may have a `preview`.

mod edit;
mod entry;
mod pass;
mod preview;

use std::fmt;
use std::sync::Arc;

use axum::http::HeaderMap;
use jiff::Timestamp;
use uuid::Uuid;

pub use edit::{StreamGate, StreamGateEdit};
pub use entry::{Entry, PassBody, PasswordGiven};
pub use pass::{Pass, split_pass};

use preview::{Previews, Watcher};

use crate::accounts::{self, Account, AccountId, Accounts};
use crate::bus::Bus;
use crate::channels::{Admitted, Barred, ChannelId, Channels};
use crate::clock::Clock;
use crate::db::StoreError;
use crate::payments::{Gate, Payments};
use crate::request::Client;

/// What stands before a stream or a recording, beside the gate of its channel.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Lock {
    /// Who passes.
    pub gate: Gate,
    /// Of the password, where that is the gate.
    pub password_hash: Option<String>,
    /// Seconds that everybody may watch for nothing.
    pub preview_s: u32,
}

impl Lock {
    /// Whether nothing stands there.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.gate == Gate::Everyone
    }
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock")
            .field("gate", &self.gate)
            .field("preview_s", &self.preview_s)
            .finish_non_exhaustive()
    }
}

/// Something that may be watched.
#[derive(Debug, Clone)]
pub struct Place {
    /// Of the stream, or of the recording: what passes are good for.
    pub id: Uuid,
    /// By what the cookie of who gave the password is named.
    pub door: Uuid,
    /// What tickets are to.
    pub stream: Uuid,
    /// Whose it is.
    pub channel: ChannelId,
    /// Of the channel.
    pub handle: String,
    /// What stands before it.
    pub lock: Lock,
    /// Whether a preview is its beginning, and not the time that one has.
    pub is_recorded: bool,
}

/// By what somebody may watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Nothing stands there.
    Open,
    /// They make the channel, or run the server.
    Team(AccountId),
    /// They gave the password.
    Password,
    /// What their account holds, for as long as it does.
    Account(AccountId),
    /// A preview, and until when.
    Preview(Timestamp),
}

/// How somebody got in who asked for a file.
#[derive(Clone)]
pub struct Entrance {
    /// By what they may watch.
    pub by: By,
    /// What to show from now on; none where nothing stands.
    pub pass: Option<String>,
}

/// The service: cheap to clone, all clones are one.
#[derive(Debug, Clone)]
pub struct Gates(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    accounts: Accounts,
    channels: Channels,
    payments: Payments,
    clock: Clock,
    previews: Previews,
}

impl Gates {
    /// Makes the service.
    #[must_use]
    pub fn new(
        (accounts, channels): (Accounts, Channels),
        payments: Payments,
        clock: Clock,
        bus: Bus,
    ) -> Self {
        Self(Arc::new(Inner {
            previews: Previews::new(bus, clock.clone(), channels.clone()),
            accounts,
            channels,
            payments,
            clock,
        }))
    }

    /// What is sold, and whose access changes.
    #[must_use]
    pub fn payments(&self) -> &Payments {
        &self.0.payments
    }

    /// Whether nothing stands before it.
    #[must_use]
    pub fn is_open(&self, handle: &str, lock: &Lock) -> bool {
        lock.is_open() && !self.0.channels.is_gated(handle)
    }

    /// Lets whoever asks watch, or not. With it a preview begins.
    ///
    /// # Errors
    /// With what is lacking.
    pub async fn admit(
        &self,
        place: &Place,
        client: &Client,
        headers: &HeaderMap,
    ) -> Result<By, Barred> {
        if self.is_open(&place.handle, &place.lock) {
            return Ok(By::Open);
        }
        let account = accounts::asking(&self.0.accounts, client, headers).await?;
        self.admit_as(place, account.as_ref(), client, headers)
            .await
    }

    /// As [`Gates::admit`], of an account that is known already.
    ///
    /// # Errors
    /// With what is lacking.
    pub async fn admit_as(
        &self,
        place: &Place,
        account: Option<&Account>,
        client: &Client,
        headers: &HeaderMap,
    ) -> Result<By, Barred> {
        match self.admit_fully(place, account, client, headers).await {
            Err(lacking) if is_previewed(place, &lacking) => {
                let watcher = Watcher::new(account, client, headers);
                self.begin_preview(place, watcher, lacking).await
            }
            other => other,
        }
    }

    /// Whether an account that was let in holds, or is, what is asked for. A password that it gave stays
    /// given.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lets_stay(&self, place: &Place, account: AccountId) -> Result<bool, StoreError> {
        for by in [By::Account(account), By::Team(account)] {
            match self.still(place, by).await {
                Ok(()) => return Ok(true),
                Err(Barred::Store(error)) => return Err(error),
                Err(_) => {}
            }
        }
        Ok(false)
    }

    /// Lets whoever asks for a file in, by the pass in its address or by what else the request brings. A
    /// preview is enough for media alone: pictures show more than it does.
    ///
    /// # Errors
    /// With what is lacking.
    pub async fn let_in(
        &self,
        place: &Place,
        pass: Option<&str>,
        is_media: bool,
        client: &Client,
        headers: &HeaderMap,
    ) -> Result<Entrance, Barred> {
        if self.is_open(&place.handle, &place.lock) {
            return Ok(Entrance {
                by: By::Open,
                pass: None,
            });
        }
        if let Some(pass) = pass {
            let by = self.check_pass(place, pass, client.address, headers).await;
            if let Ok(by) = by
                && (is_media || !matches!(by, By::Preview(_)))
            {
                // A pass makes no other: it would be renewed without anybody being looked at.
                let pass = Some(pass.to_owned());
                return Ok(Entrance { by, pass });
            }
        }
        let account = accounts::asking(&self.0.accounts, client, headers).await?;
        let account = account.as_ref();
        let by = match is_media {
            true => self.admit_as(place, account, client, headers).await?,
            false => self.admit_fully(place, account, client, headers).await?,
        };
        let pass = self.pass(place, by, client.address, headers);
        let pass = pass.map(|pass| pass.text);
        Ok(Entrance { by, pass })
    }

    /// As [`Gates::admit_as`], but no preview begins, nor is one enough.
    ///
    /// # Errors
    /// With what is lacking.
    pub async fn admit_fully(
        &self,
        place: &Place,
        account: Option<&Account>,
        client: &Client,
        headers: &HeaderMap,
    ) -> Result<By, Barred> {
        let channels = &self.0.channels;
        let by_channel = channels
            .admit_as(&place.handle, account, client, headers)
            .await?;
        if place.lock.is_open() {
            return Ok(by_channel.into());
        }
        if let Admitted::Team(account) = by_channel {
            return Ok(By::Team(account));
        }
        if let Some(account) = account
            && self.is_team(place.channel, account).await?
        {
            return Ok(By::Team(account.id));
        }
        if place.lock.gate != Gate::Password {
            let account = account.ok_or_else(|| place.lock.gate.lacking())?;
            if self.check_holdings(place, account.id).await.is_err() {
                // They may have got it a moment ago.
                let holdings = self.0.payments.holdings_now(place.channel, account.id);
                let now = self.0.clock.now();
                holdings.await?.pass(place.lock.gate, place.stream, now)?;
            }
            return Ok(By::Account(account.id));
        }
        let door = channels.door(place.door, place.lock.password_hash.clone());
        if !channels.opens(&door, client, headers).await? {
            return Err(Barred::OwnPassword);
        }
        // A member of a channel for members stays only as long as they are one.
        Ok(match by_channel {
            Admitted::Member(account) => By::Account(account),
            _ => By::Password,
        })
    }

    /// Whether whoever asks is one of the channel's own people or a member: they find a place when others do not.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn has_priority(
        &self,
        place: &Place,
        client: &Client,
        headers: &HeaderMap,
    ) -> Result<bool, Barred> {
        let Some(account) = accounts::asking(&self.0.accounts, client, headers).await? else {
            return Ok(false);
        };
        let holdings = self.0.payments.holdings(place.channel, account.id).await?;
        let is_member = holdings.tier(self.0.clock.now()).is_some();
        Ok(is_member || self.is_team(place.channel, &account).await?)
    }

    /// Whether what let somebody in still does.
    ///
    /// # Errors
    /// With what is lacking now.
    pub async fn still(&self, place: &Place, by: By) -> Result<(), Barred> {
        if self.is_open(&place.handle, &place.lock) {
            return Ok(());
        }
        match by {
            By::Open if !place.lock.is_open() => Err(place.lock.gate.lacking()),
            By::Open => match self.0.channels.is_for_members(&place.handle) {
                true => Err(Barred::Members(1)),
                false => Err(Barred::Password),
            },
            // What it opened may have another gate now.
            By::Password => match place.lock.gate {
                Gate::Everyone | Gate::Password => Ok(()),
                other => Err(other.lacking()),
            },
            By::Team(account) => self.check_team(place, account).await,
            By::Account(account) => {
                if self.0.channels.is_for_members(&place.handle)
                    && self
                        .0
                        .channels
                        .membership(place.channel, account)
                        .await?
                        .is_none()
                {
                    return Err(Barred::Members(1));
                }
                match place.lock.gate {
                    Gate::Password => Ok(()),
                    _ => self.check_holdings(place, account).await,
                }
            }
            By::Preview(until) if self.0.clock.now() < until && place.lock.preview_s > 0 => Ok(()),
            By::Preview(_) => Err(over(place.lock.gate.lacking())),
        }
    }

    async fn check_holdings(&self, place: &Place, account: AccountId) -> Result<(), Barred> {
        let holdings = self.0.payments.holdings(place.channel, account).await?;
        holdings.pass(place.lock.gate, place.stream, self.0.clock.now())
    }

    async fn check_team(&self, place: &Place, account: AccountId) -> Result<(), Barred> {
        let account = self.0.accounts.unsuspended(account).await?;
        let is_team = match account {
            Some(account) => self.is_team(place.channel, &account).await?,
            None => false,
        };
        match is_team {
            true => Ok(()),
            false => Err(place.lock.gate.lacking()),
        }
    }

    async fn is_team(&self, channel: ChannelId, account: &Account) -> Result<bool, StoreError> {
        let Some(channel) = self.0.channels.by_id(channel).await? else {
            return Ok(false);
        };
        let rights = self.0.channels.rights(&channel, Some(account)).await?;
        Ok(rights.may_moderate())
    }

    async fn begin_preview(
        &self,
        place: &Place,
        watcher: Watcher,
        lacking: Barred,
    ) -> Result<By, Barred> {
        let now = self.0.clock.now();
        if place.is_recorded {
            return Ok(By::Preview(pass::longest(now)));
        }
        let previews = &self.0.previews;
        let until = previews.begin(place.id, watcher, place.lock.preview_s, now);
        let until = until.await;
        match until > now {
            true => Ok(By::Preview(until)),
            false => Err(over(lacking)),
        }
    }
}

impl From<Admitted> for By {
    fn from(admitted: Admitted) -> Self {
        match admitted {
            Admitted::Open => Self::Open,
            Admitted::Password => Self::Password,
            Admitted::Team(account) => Self::Team(account),
            Admitted::Member(account) => Self::Account(account),
        }
    }
}

/// Whether who lacks that may have a preview: what its channel keeps from them has none.
fn is_previewed(place: &Place, lacking: &Barred) -> bool {
    let is_of_place = match lacking {
        Barred::Followers | Barred::Ticket | Barred::OwnPassword => true,
        Barred::Members(tier) => place.lock.gate == Gate::Members { tier: *tier },
        _ => false,
    };
    place.lock.preview_s > 0 && is_of_place
}

fn over(lacking: Barred) -> Barred {
    Barred::PreviewOver(Box::new(lacking))
}
