//! An account's recordings, in its export and when it leaves.

use serde_json::{Value, json};

use super::{PAGE, Recording, Recordings, State, keeper, store};
use crate::accounts::{AccountId, Belonging, Working};
use crate::error::ApiError;
use crate::page::Cursor;

impl Belonging for Recordings {
    fn name(&self) -> &'static str {
        "recordings"
    }

    fn export(&self, account: AccountId) -> Working<'_, Value> {
        Box::pin(async move {
            let all = self
                .owned_by(account)
                .await?
                .into_iter()
                .map(|(handle, recording)| {
                    json!({
                        "id": recording.id.to_string(), "channel": handle, "title": recording.title,
                        "visibility": recording.visibility, "started_at": recording.started_at,
                        "ended_at": recording.ended_at, "duration_ms": recording.duration_ms,
                        "size_bytes": recording.size_bytes,
                    })
                });
            Ok(all.collect())
        })
    }

    /// Their files go. One whose stream ended just now is still being written: what is left of it goes
    /// at the next start, since nothing names it any more.
    fn let_go(&self, account: AccountId) -> Working<'_, ()> {
        Box::pin(async move {
            for (_, recording) in self.owned_by(account).await? {
                if recording.state != State::Recording {
                    keeper::delete(&self.0, recording.id, recording.stream).await?;
                }
            }
            Ok(())
        })
    }
}

impl Recordings {
    /// All recordings on the account's channels, with the channel's handle.
    async fn owned_by(&self, account: AccountId) -> Result<Vec<(String, Recording)>, ApiError> {
        let mut all = Vec::new();
        for channel in self.0.channels.owned_by(account).await? {
            let mut after = Cursor::start();
            loop {
                let page = store::page(&self.0.db, channel.id, true, after, PAGE).await?;
                let Some(last) = page.last() else {
                    break;
                };
                after = Cursor::behind(last.started_at, last.id);
                all.extend(page.into_iter().map(|one| (channel.handle.clone(), one)));
            }
        }
        Ok(all)
    }
}
