//! What an account watched, in its export.

use serde_json::{Value, json};

use super::{Analytics, store};
use crate::accounts::{AccountId, Belonging, Working};
use crate::clock::from_millis;

impl Belonging for Analytics {
    fn name(&self) -> &'static str {
        "watched"
    }

    fn export(&self, account: AccountId) -> Working<'_, Value> {
        Box::pin(async move {
            self.write_now().await;
            let watched = store::watched_by(&self.db, account).await?.into_iter();
            let watched = watched.map(|one| {
                json!({
                    "channel": one.handle, "stream": one.title, "transport": one.transport,
                    "device": one.device, "started_at": from_millis(one.started_at),
                    "last_seen_at": from_millis(one.last_seen_at), "watch_ms": one.watch_ms,
                })
            });
            Ok(watched.collect())
        })
    }
}
