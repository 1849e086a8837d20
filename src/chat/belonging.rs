//! What an account said, in its export and when it leaves.

use serde_json::{Value, json};

use super::words::{self, Word};
use super::{Chat, store};
use crate::accounts::{AccountId, Belonging, Working};
use crate::clock::from_millis;

impl Belonging for Chat {
    fn name(&self) -> &'static str {
        "chat"
    }

    fn export(&self, account: AccountId) -> Working<'_, Value> {
        Box::pin(async move {
            self.0.ledger.settle().await;
            let db = &self.0.db;
            let words = |(channel, at, text): (String, i64, String)| json!({ "channel": channel, "at": from_millis(at), "text": text });
            let said = store::exported(db, account).await?.into_iter();
            let asked = store::exported_questions(db, account).await?.into_iter();
            let voted = store::exported_votes(db, account).await?.into_iter();
            let voted = voted.map(|(channel, at, question, choice)| {
                json!({
                    "channel": channel,
                    "at": from_millis(at),
                    "question": question,
                    "option": choice,
                })
            });
            Ok(json!({
                "messages": said.map(words).collect::<Vec<_>>(),
                "questions": asked.map(words).collect::<Vec<_>>(),
                "votes": voted.collect::<Vec<_>>(),
            }))
        })
    }

    /// What it said goes at once, also where people are reading it.
    fn let_go(&self, account: AccountId) -> Working<'_, ()> {
        Box::pin(async move {
            self.0.ledger.settle().await;
            let rooms = store::rooms_of(&self.0.db, account).await?;
            store::forget_all_of(&self.0.db, account).await?;
            for hall in self.open_halls() {
                hall.apply(&Word::Left { account });
            }
            // Also of rooms that are open at other servers alone.
            for channel in rooms {
                words::tell(&self.0.bus, channel, &Word::Left { account });
            }
            Ok(())
        })
    }
}
