//! Who becomes a member, or is one no more, while they are in a room.

use std::collections::HashSet;
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::Chat;
use super::hall::Hall;
use super::message::Subject;
use super::outbox::Closed;
use crate::accounts::AccountId;
use crate::channels::{Channel, ChannelId};
use crate::db::StoreError;
use crate::error::log_store_error;

/// What ends without a word is noticed within this time.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Follows changes of membership until the token is cancelled.
pub(super) async fn watch(chat: Chat, stop: CancellationToken) {
    let mut changes = chat.0.payments.subscribe();
    let mut tick = interval(LOOK_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let changed = tokio::select! {
            changed = changes.recv() => changed,
            // Memberships end by themselves, too; they begin with a word.
            _ = tick.tick() => {
                chat.look_again().await;
                continue;
            }
            () = stop.cancelled() => return,
        };
        match changed {
            Ok(changed) => {
                let channel = ChannelId(changed.channel);
                chat.look_at(channel, changed.account).await;
            }
            Err(RecvError::Lagged(_)) => chat.look_at_all().await,
            Err(RecvError::Closed) => return,
        }
    }
}

impl Chat {
    /// The accounts of all who are in a channel's room on this server, in no order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn present(&self, channel: &Channel) -> Result<Vec<AccountId>, StoreError> {
        let hall = self.hall(channel).await?;
        Ok(hall.accounts().into_iter().collect())
    }

    /// Whether the rules of a channel's room let a text be shown without anybody looking at it first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lets_pass(&self, channel: &Channel, text: &str) -> Result<bool, StoreError> {
        let hall = self.hall(channel).await?;
        let floor = hall.lock();
        Ok(floor.room.lets_pass(text))
    }

    /// Who is banned may watch nothing that has a gate.
    pub(super) fn access_changed(&self, channel: ChannelId, who: &Subject) {
        if let Subject::Account(account) = who {
            self.0.payments.access_changed(channel, *account);
        }
    }

    async fn look_at_all(&self) {
        for hall in self.open_halls() {
            self.look_at_each(&hall, hall.accounts()).await;
        }
    }

    /// Looks at who may be there no more, or no more as who they are.
    async fn look_again(&self) {
        for hall in self.open_halls() {
            let accounts = match self.is_open_to_all(hall.channel()).await {
                Ok(true) => hall.members(),
                Ok(false) => hall.accounts(),
                Err(error) => {
                    log_store_error(&error);
                    continue;
                }
            };
            self.look_at_each(&hall, accounts).await;
        }
    }

    async fn look_at_each(&self, hall: &Hall, accounts: HashSet<AccountId>) {
        for account in accounts {
            self.look_at(hall.channel(), account).await;
        }
    }

    async fn look_at(&self, channel: ChannelId, account: AccountId) {
        if let Err(error) = self.look_at_member(channel, account).await {
            // It is looked at again soon.
            log_store_error(&error);
        }
    }

    async fn look_at_member(
        &self,
        channel: ChannelId,
        account: AccountId,
    ) -> Result<(), StoreError> {
        let Some(hall) = self.open_hall(channel) else {
            return Ok(());
        };
        let tier = self.0.channels.membership(channel, account).await?;
        let may_stay = self.may_stay(channel, account).await?;
        let who = Subject::Account(account);
        if !hall.has_tier(&who, tier) {
            hall.renew(&who, |person| person.tier = tier);
        }
        // Where one may not watch any more one may not talk either.
        if !may_stay {
            hall.close_for(&who, Closed::Door);
        }
        Ok(())
    }

    async fn may_stay(&self, channel: ChannelId, account: AccountId) -> Result<bool, StoreError> {
        let Some(channel) = self.0.channels.by_id(channel).await? else {
            return Ok(true);
        };
        let place = self.0.streams.place_on(&channel).await?;
        self.0.streams.gates().lets_stay(&place, account).await
    }

    /// Whether everybody may be in a channel's room.
    pub(super) async fn is_open_to_all(&self, channel: ChannelId) -> Result<bool, StoreError> {
        let Some(channel) = self.0.channels.by_id(channel).await? else {
            return Ok(true);
        };
        let place = self.0.streams.place_on(&channel).await?;
        let gates = self.0.streams.gates();
        Ok(gates.is_open(&place.handle, &place.lock))
    }
}
