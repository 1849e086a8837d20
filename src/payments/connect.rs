//! To whom the money goes: creators' own accounts at Stripe, where the server is for many.

use super::mirror::PayoutAccount;
use super::stripe::{Balance, keyed};
use super::{Payments, store};
use crate::accounts::{Account, AccountId};
use crate::channels::Channel;
use crate::error::ApiError;

impl Payments {
    /// The account that a channel's money goes to; none, where all goes to the operator's.
    ///
    /// # Errors
    /// When its owner has none that can take money.
    pub(super) async fn payout_of(
        &self,
        channel: &Channel,
    ) -> Result<Option<PayoutAccount>, ApiError> {
        if !self.is_for_many() {
            return Ok(None);
        }
        let payout = store::payout(&self.0.db, channel.owner).await?;
        let payout = payout.filter(|payout| payout.can_charge);
        payout.map(Some).ok_or_else(|| ApiError::Conflict {
            code: "payouts_not_ready",
            detail: "this channel cannot take money yet: its creator has not finished with Stripe"
                .to_owned(),
        })
    }

    /// A page of Stripe's on which a creator tells who it is, and what account its money goes to.
    pub(super) async fn onboard(&self, account: &Account, back: &str) -> Result<String, ApiError> {
        if !self.is_for_many() {
            return Err(ApiError::Conflict {
                code: "payouts_own",
                detail: "on this server all money goes to the operator's own account".to_owned(),
            });
        }
        let stripe = self.stripe()?;
        let payout = match store::payout(&self.0.db, account.id).await? {
            Some(payout) => payout,
            None => {
                let profile = self.0.accounts.profile(account.id).await?;
                let email = profile.email.filter(|_| profile.is_email_confirmed);
                let known_by = email.as_deref().unwrap_or_default();
                let key = keyed("account", &[&account.id.to_string(), known_by]);
                let made = stripe.create_account(email.as_deref(), &key).await?;
                self.keep_payout(account.id, made).await?
            }
        };
        Ok(stripe.onboarding(&payout.id, back).await?)
    }

    async fn keep_payout(
        &self,
        account: AccountId,
        made: super::stripe::Account,
    ) -> Result<PayoutAccount, ApiError> {
        let payout = PayoutAccount {
            id: made.id,
            can_charge: made.charges_enabled,
            can_pay_out: made.payouts_enabled,
        };
        let mut tx = self.0.db.begin().await?;
        store::put_payout(&mut tx, Some(account), &payout).await?;
        tx.commit().await?;
        Ok(payout)
    }

    /// A creator's account, as Stripe says now.
    pub(super) async fn payout_now(
        &self,
        account: AccountId,
    ) -> Result<Option<PayoutAccount>, ApiError> {
        let Some(known) = store::payout(&self.0.db, account).await? else {
            return Ok(None);
        };
        if known.can_charge && known.can_pay_out {
            return Ok(Some(known));
        }
        // Who comes back from Stripe's page must not wait for its event.
        let told = self.stripe()?.account(&known.id).await?;
        self.keep_payout(account, told).await.map(Some)
    }

    /// A page of Stripe's on which a creator sees its payouts.
    pub(super) async fn dashboard(&self, account: AccountId) -> Result<String, ApiError> {
        let payout = store::payout(&self.0.db, account).await?;
        let payout = payout.ok_or(ApiError::NotFound {
            code: "payouts_not_connected",
            detail: "connect your account at Stripe first",
        })?;
        Ok(self.stripe()?.dashboard(&payout.id).await?)
    }

    /// What is to be paid out to a channel's owner.
    pub(super) async fn balance(&self, channel: &Channel) -> Result<Option<Balance>, ApiError> {
        let payout = store::payout(&self.0.db, channel.owner).await?;
        let account = match (self.is_for_many(), payout) {
            (true, None) => return Ok(None),
            (true, Some(payout)) => Some(payout.id),
            (false, _) => None,
        };
        Ok(Some(self.stripe()?.balance(account.as_deref()).await?))
    }
}
