//! An account's streams, in its export and when it leaves.

use serde_json::{Value, json};

use super::{Streams, catalogue};
use crate::accounts::{AccountId, Belonging, Working};
use crate::clock::from_millis;

impl Belonging for Streams {
    fn name(&self) -> &'static str {
        "streams"
    }

    fn export(&self, account: AccountId) -> Working<'_, Value> {
        Box::pin(async move {
            let streams = catalogue::of_account(&self.db, account).await?.into_iter();
            let streams = streams.map(|past| {
                json!({
                    "id": past.id, "channel": past.handle, "title": past.title, "state": past.state,
                    "at": from_millis(past.started_at), "ended_at": past.ended_at.map(from_millis),
                })
            });
            Ok(streams.collect())
        })
    }

    /// What is live ends; the rows go with the channels'.
    fn let_go(&self, account: AccountId) -> Working<'_, ()> {
        Box::pin(async move {
            for channel in self.channels.owned_by(account).await? {
                self.end(channel.id).await;
            }
            Ok(())
        })
    }
}
