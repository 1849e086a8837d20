//! An account's channels, in its export and when it leaves; and the channels of others that it follows
//! and looks after, in its export.

use serde_json::{Value, json};

use super::{Channel, Channels};
use crate::accounts::{AccountId, Belonging, Working};
use crate::error::ApiError;
use crate::page::Cursor;

/// Follows that are read at once.
const PAGE: u16 = 500;

impl Belonging for Channels {
    fn name(&self) -> &'static str {
        "channels"
    }

    fn export(&self, account: AccountId) -> Working<'_, Value> {
        Box::pin(async move {
            let mut channels = Vec::new();
            for channel in self.owned_by(account).await? {
                channels.push(self.exported(&channel).await?);
            }
            Ok(Value::Array(channels))
        })
    }

    /// Without their keys, encoders cannot come back; the rows go with the account's.
    fn let_go(&self, account: AccountId) -> Working<'_, ()> {
        Box::pin(async move {
            for channel in self.owned_by(account).await? {
                for key in self.stream_keys(channel.id).await? {
                    self.revoke_stream_key(channel.id, key.id).await?;
                }
            }
            Ok(())
        })
    }
}

/// What an account has to do with the channels of others.
#[derive(Debug)]
pub struct Ties(pub Channels);

impl Belonging for Ties {
    fn name(&self) -> &'static str {
        "ties"
    }

    fn export(&self, account: AccountId) -> Working<'_, Value> {
        Box::pin(async move {
            let (mut follows, mut after) = (Vec::new(), Cursor::start());
            loop {
                let page = self.0.follows_of(account, &after, PAGE).await?;
                let Some(last) = page.last() else {
                    break;
                };
                after = Cursor::behind(last.since, last.channel.id.0);
                let page = page.into_iter();
                follows.extend(
                    page.map(|one| json!({ "channel": one.channel.handle, "since": one.since })),
                );
            }
            let moderates = self.0.moderated_by(account).await?.into_iter();
            let moderates: Vec<String> = moderates.map(|channel| channel.handle).collect();
            Ok(json!({ "follows": follows, "moderates": moderates }))
        })
    }
}

impl Channels {
    async fn exported(&self, channel: &Channel) -> Result<Value, ApiError> {
        let keys = self.stream_keys(channel.id).await?.into_iter().map(|key| {
            json!({
                "name": key.name, "created_at": key.created_at, "last_used_at": key.last_used_at,
            })
        });
        Ok(json!({
            "handle": channel.handle, "name": channel.name, "created_at": channel.created_at,
            "description": channel.description, "visibility": channel.visibility,
            "record": channel.record, "stream_keys": keys.collect::<Vec<_>>(),
        }))
    }
}
