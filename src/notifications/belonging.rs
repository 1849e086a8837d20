//! What an account was told, and how it wants to be, in its export.

use serde_json::{Value, json};

use super::{Grounds, Notifications, store};
use crate::accounts::{AccountId, Belonging, Working};
use crate::page::Cursor;

/// Notifications that are read at once.
const PAGE: i64 = 500;

impl Belonging for Notifications {
    fn name(&self) -> &'static str {
        "notifications"
    }

    /// The keys of browsers are secrets between them and us; their services' addresses are told.
    fn export(&self, account: AccountId) -> Working<'_, Value> {
        Box::pin(async move {
            let Grounds { db, .. } = &self.0.grounds;
            let (mut told, mut after) = (Vec::new(), Cursor::start());
            loop {
                let page = store::page(db, account, &after, PAGE).await?;
                let Some(last) = page.last() else {
                    break;
                };
                after = Cursor::behind(last.created_at, last.id);
                told.extend(page.into_iter().map(|one| {
                    json!({
                        "kind": one.kind, "channel": one.channel, "title": one.title,
                        "body": one.body, "at": one.created_at, "read_at": one.read_at,
                    })
                }));
            }
            let choices = store::choices(db, account).await?.into_iter();
            let choices = choices.map(|(kind, way, is_wanted)| {
                json!({ "kind": kind, "way": way.as_str(), "is_wanted": is_wanted })
            });
            Ok(json!({
                "told": told,
                "choices": choices.collect::<Vec<_>>(),
                "muted": store::muted(db, account).await?,
                "browsers": store::endpoints(db, account).await?,
            }))
        })
    }
}
