//! The webhooks of an account's channels, in its export.

use serde_json::{Value, json};

use super::{Webhooks, store};
use crate::accounts::{AccountId, Belonging, Working};

impl Belonging for Webhooks {
    fn name(&self) -> &'static str {
        "webhooks"
    }

    fn export(&self, account: AccountId) -> Working<'_, Value> {
        Box::pin(async move {
            let mut all = Vec::new();
            for channel in self.channels.owned_by(account).await? {
                let hooks = store::of_channel(&self.db, channel.id).await?.into_iter();
                all.extend(hooks.map(|hook| {
                    json!({
                        "channel": channel.handle, "url": hook.url, "kinds": hook.kinds,
                        "is_enabled": hook.is_enabled, "created_at": hook.created_at,
                    })
                }));
            }
            Ok(Value::Array(all))
        })
    }
}
