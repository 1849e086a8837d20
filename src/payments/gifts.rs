//! Memberships that somebody pays for others.

use jiff::{ToSpan as _, tz::TimeZone};
use uuid::Uuid;

use super::purchase::{Kind, Purchase, PurchaseState};
use super::{Payments, store};
use crate::accounts::AccountId;
use crate::db::StoreError;
use crate::error::ApiError;

impl Payments {
    /// Gives memberships of a paid purchase to those accounts, in that order, as long as there are some.
    /// Members, who needs none or is banned, and who has one of it already, are passed over. Gives how many are left.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn give(&self, purchase: Uuid, to: &[AccountId]) -> Result<i64, StoreError> {
        let Some(purchase) = store::purchase(&self.0.db, purchase).await? else {
            return Ok(0);
        };
        for account in to {
            if self.wants(&purchase, *account).await? {
                self.give_one(&purchase, *account).await?;
            }
        }
        self.gifts_left(&purchase).await
    }

    async fn wants(&self, purchase: &Purchase, account: AccountId) -> Result<bool, StoreError> {
        let Some(channel) = purchase.channel else {
            return Ok(false);
        };
        let channels = &self.0.channels;
        let owner = channels.by_id(channel).await?.map(|channel| channel.owner);
        let has_it_all = owner.is_none_or(|owner| owner == account)
            || channels.is_moderator(channel, account).await?;
        let holdings = self.holdings(channel, account).await?;
        let is_member = holdings.tier(self.0.clock.now()).is_some();
        let is_their_own = Some(account) == purchase.account;
        Ok(!(has_it_all || is_member || is_their_own || holdings.is_banned()))
    }

    /// False: none is left, or the account has one.
    async fn give_one(&self, purchase: &Purchase, account: AccountId) -> Result<bool, StoreError> {
        let from = self.0.clock.now();
        let month = from.to_zoned(TimeZone::UTC).checked_add(1.month());
        let until = month.map_or(from, |until| until.timestamp());
        let mut tx = self.0.db.begin().await?;
        let given = store::insert_gift(&mut tx, purchase, account, from, until).await?;
        tx.commit().await?;
        if let Some(channel) = purchase.channel.filter(|_| given) {
            self.access_changed(channel, account);
        }
        Ok(given)
    }

    /// How many of a paid purchase's gifts nobody has taken yet.
    pub(super) async fn gifts_left(&self, purchase: &Purchase) -> Result<i64, StoreError> {
        let mut tx = self.0.db.begin().await?;
        let taken = store::gifts_taken(&mut tx, purchase.id).await?;
        tx.commit().await?;
        Ok((purchase.quantity - taken).max(0))
    }

    /// Somebody takes one of the gifts that are left.
    ///
    /// # Errors
    /// When none is left, or they are a member.
    pub(super) async fn claim(&self, purchase: Uuid, account: AccountId) -> Result<(), ApiError> {
        let found = store::purchase(&self.0.db, purchase).await?;
        let found = found.filter(|p| p.kind == Kind::Gift && p.state == PurchaseState::Paid);
        let found = found.ok_or(ApiError::NotFound {
            code: "gift_not_found",
            detail: "there is no such gift",
        })?;
        if !self.wants(&found, account).await? {
            return Err(ApiError::Conflict {
                code: "already_member",
                detail: "you are a member of this channel already, or need not be one".to_owned(),
            });
        }
        match self.give_one(&found, account).await? {
            true => Ok(()),
            false => Err(ApiError::Conflict {
                code: "gifts_gone",
                detail: "others were faster: all of these gifts are taken".to_owned(),
            }),
        }
    }
}
