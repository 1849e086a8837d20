//! May this account watch, and as what does it take part? One question, for all who stand at a gate.
//!
//! The answer is a function of what somebody holds on a channel: memberships, tickets, whether they follow
//! or are banned. It is kept for a minute at most, and asked for anew as soon as something changes.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::mirror::SubscriptionStatus;
use super::store::Holding;
use super::{Payments, store};
use crate::accounts::AccountId;
use crate::channels::{Barred, ChannelId, Looking, Memberships};
use crate::clock::from_millis;
use crate::db::StoreError;

/// Who may watch a stream or a recording, of those whom its channel lets in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Gate {
    /// All of them.
    #[default]
    Everyone,
    /// Who follows the channel.
    Followers,
    /// Its members.
    Members {
        /// From which tier on, 1 to 3.
        tier: u8,
    },
    /// Who has a ticket.
    Ticket,
    /// Who knows its password.
    Password,
}

impl Gate {
    /// As the database has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Everyone => "everyone",
            Self::Followers => "followers",
            Self::Members { .. } => "members",
            Self::Ticket => "ticket",
            Self::Password => "password",
        }
    }

    /// Whether only who paid passes.
    #[must_use]
    pub fn is_sold(self) -> bool {
        matches!(self, Self::Members { .. } | Self::Ticket)
    }

    /// From the database, where nothing is everyone.
    #[must_use]
    pub fn read(name: Option<&str>, tier: i64) -> Self {
        match name {
            Some("followers") => Self::Followers,
            Some("members") => Self::Members {
                tier: u8::try_from(tier.clamp(1, 3)).unwrap_or(1),
            },
            Some("ticket") => Self::Ticket,
            Some("password") => Self::Password,
            _ => Self::Everyone,
        }
    }

    /// What somebody lacks who holds nothing.
    #[must_use]
    pub fn lacking(self) -> Barred {
        match self {
            // Nobody lacks anything at the first.
            Self::Everyone | Self::Followers => Barred::Followers,
            Self::Members { tier } => Barred::Members(tier),
            Self::Ticket => Barred::Ticket,
            Self::Password => Barred::OwnPassword,
        }
    }

    /// The tier that it asks for; 1 where it asks for none.
    #[must_use]
    pub fn tier(self) -> u8 {
        match self {
            Self::Members { tier } => tier,
            _ => 1,
        }
    }
}

/// What somebody holds on a channel.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holdings {
    is_banned: bool,
    follows: bool,
    memberships: Vec<Held>,
    tickets: HashSet<Uuid>,
}

/// A membership that somebody holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Held {
    tier: u8,
    until: Timestamp,
}

impl Holdings {
    /// The tier of somebody's membership now; none of who is no member, or banned.
    #[must_use]
    pub fn tier(&self, now: Timestamp) -> Option<u8> {
        let good = self.memberships.iter().filter(|held| held.until > now);
        let tier = good.map(|held| held.tier).max()?;
        (!self.is_banned).then_some(tier)
    }

    /// Whether they are banned from the channel.
    #[must_use]
    pub fn is_banned(&self) -> bool {
        self.is_banned
    }

    /// Whether they have a ticket to a stream.
    #[must_use]
    pub fn has_ticket(&self, stream: Uuid) -> bool {
        self.tickets.contains(&stream)
    }

    /// Whether they may pass a gate of the stream now by what they hold: no password is held.
    ///
    /// # Errors
    /// With what they lack.
    pub fn pass(&self, gate: Gate, stream: Uuid, now: Timestamp) -> Result<(), Barred> {
        if gate == Gate::Everyone {
            return Ok(());
        }
        if self.is_banned {
            return Err(Barred::Banned);
        }
        let holds = match gate {
            Gate::Everyone => true,
            Gate::Followers => self.follows || self.tier(now).is_some(),
            Gate::Members { tier } => self.tier(now) >= Some(tier),
            Gate::Ticket => self.tickets.contains(&stream),
            Gate::Password => false,
        };
        match holds {
            true => Ok(()),
            false => Err(gate.lacking()),
        }
    }

    fn of(rows: Vec<Holding>, grace: SignedDuration) -> Self {
        let mut holdings = Self::default();
        for row in rows {
            match row.what.as_str() {
                "banned" => holdings.is_banned = true,
                "follows" => holdings.follows = true,
                "ticket" => {
                    let stream = row.stream_id.as_deref().map(Uuid::parse_str);
                    holdings.tickets.extend(stream.and_then(Result::ok));
                }
                _ => holdings.memberships.extend(held(&row, grace)),
            }
        }
        holdings
    }
}

fn held(row: &Holding, grace: SignedDuration) -> Option<Held> {
    let until = row.until_at.map(from_millis)?;
    let until = match row.what.as_str() {
        "gift" => Some(until),
        _ => {
            let status = SubscriptionStatus::parse(&row.status)?;
            let since = row.past_due_since.map(from_millis);
            status.lasts_until(until, since, grace)
        }
    };
    Some(Held {
        tier: u8::try_from(row.tier).ok()?,
        until: until?,
    })
}

/// What was found out lately.
#[derive(Debug, Default)]
pub(super) struct Cache(Mutex<Remembered>);

#[derive(Debug, Default)]
struct Remembered {
    known: HashMap<(ChannelId, AccountId), (Instant, Holdings)>,
    /// Rises with every change, so that what was read before one is not kept after it.
    epoch: u64,
}

/// An answer is good for this long, when nothing is told meanwhile.
const FRESH: Duration = Duration::from_secs(30);
const MOST_KNOWN: usize = 50_000;

impl Cache {
    fn lock(&self) -> MutexGuard<'_, Remembered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known, or the epoch in which it is found out.
    fn get(&self, key: (ChannelId, AccountId), now: Instant) -> Result<Holdings, u64> {
        let all = self.lock();
        let found = all.known.get(&key);
        let fresh = found.filter(|(at, _)| now.saturating_duration_since(*at) < FRESH);
        fresh.map(|(_, holdings)| holdings.clone()).ok_or(all.epoch)
    }

    fn epoch(&self) -> u64 {
        self.lock().epoch
    }

    fn put(&self, key: (ChannelId, AccountId), at: Instant, holdings: Holdings, epoch: u64) {
        let mut all = self.lock();
        if all.known.len() >= MOST_KNOWN {
            all.known
                .retain(|_, (known, _)| at.saturating_duration_since(*known) < FRESH);
        }
        if all.epoch == epoch && all.known.len() < MOST_KNOWN {
            all.known.insert(key, (at, holdings));
        }
    }

    pub(super) fn forget(&self, key: (ChannelId, AccountId)) {
        let mut all = self.lock();
        all.epoch += 1;
        all.known.remove(&key);
    }

    pub(super) fn forget_all(&self) {
        let mut all = self.lock();
        all.epoch += 1;
        all.known.clear();
    }
}

impl Payments {
    /// What an account holds on a channel, as it was half a minute ago at the earliest.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn holdings(
        &self,
        channel: ChannelId,
        account: AccountId,
    ) -> Result<Holdings, StoreError> {
        let at = self.0.clock.instant();
        match self.0.cache.get((channel, account), at) {
            Ok(holdings) => Ok(holdings),
            Err(epoch) => self.read_holdings((channel, account), at, epoch).await,
        }
    }

    /// What an account holds on a channel now: for who was refused by what was known.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn holdings_now(
        &self,
        channel: ChannelId,
        account: AccountId,
    ) -> Result<Holdings, StoreError> {
        let epoch = self.0.cache.epoch();
        let at = self.0.clock.instant();
        self.read_holdings((channel, account), at, epoch).await
    }

    async fn read_holdings(
        &self,
        key: (ChannelId, AccountId),
        at: Instant,
        epoch: u64,
    ) -> Result<Holdings, StoreError> {
        let (channel, account) = key;
        let now = self.0.clock.now();
        let rows = store::holdings(&self.0.db, channel, account, now).await?;
        let holdings = Holdings::of(rows, self.0.config.grace());
        self.0.cache.put(key, at, holdings.clone(), epoch);
        Ok(holdings)
    }
}

impl Memberships for Payments {
    fn tier(&self, channel: ChannelId, account: AccountId) -> Looking<'_> {
        Box::pin(async move {
            let holdings = self.holdings(channel, account).await?;
            Ok(holdings.tier(self.0.clock.now()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn member(tier: u8, until: i64) -> Holdings {
        Holdings {
            memberships: vec![Held {
                tier,
                until: at(until),
            }],
            ..Holdings::default()
        }
    }

    #[test]
    fn a_higher_tier_has_what_lower_ones_have() {
        let stream = Uuid::now_v7();
        for (held, asked, passes) in [(1, 1, true), (1, 2, false), (3, 2, true), (2, 3, false)] {
            let gate = Gate::Members { tier: asked };
            let passed = member(held, 100).pass(gate, stream, at(50)).is_ok();
            assert_eq!(passed, passes, "tier {held} at {asked}");
        }
        assert!(
            member(3, 100)
                .pass(Gate::Members { tier: 1 }, stream, at(100))
                .is_err()
        );
    }

    #[test]
    fn who_is_banned_holds_nothing() {
        let stream = Uuid::now_v7();
        let banned = Holdings {
            is_banned: true,
            follows: true,
            tickets: HashSet::from([stream]),
            ..member(3, 100)
        };
        for gate in [Gate::Followers, Gate::Members { tier: 1 }, Gate::Ticket] {
            assert!(matches!(
                banned.pass(gate, stream, at(0)),
                Err(Barred::Banned)
            ));
        }
        assert!(banned.pass(Gate::Everyone, stream, at(0)).is_ok());
        assert_eq!(banned.tier(at(0)), None);
    }

    #[test]
    fn a_ticket_is_to_its_streams_alone() {
        let (stream, other) = (Uuid::now_v7(), Uuid::now_v7());
        let holder = Holdings {
            tickets: HashSet::from([stream]),
            ..Holdings::default()
        };
        assert!(holder.pass(Gate::Ticket, stream, at(0)).is_ok());
        assert!(holder.pass(Gate::Ticket, other, at(0)).is_err());
        assert!(holder.pass(Gate::Followers, stream, at(0)).is_err());
    }
}
