//! What an account said, in its export and when it leaves.

use serde_json::{Value, json};

use super::message::Subject;
use super::outbox::Closed;
use super::protocol::Event;
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
            let said = store::exported(&self.0.db, account).await?.into_iter();
            let said = said.map(|(channel, at, text)| {
                json!({ "channel": channel, "at": from_millis(at), "text": text })
            });
            Ok(Value::Array(said.collect()))
        })
    }

    /// What it said goes at once, also where people are reading it.
    fn let_go(&self, account: AccountId) -> Working<'_, ()> {
        Box::pin(async move {
            self.0.ledger.settle().await;
            store::forget_all_of(&self.0.db, account).await?;
            let subject = Subject::Account(account);
            let from = subject.to_string();
            for hall in self.open_halls() {
                hall.drop_questions_of(&from);
                hall.change(|floor| {
                    floor.room.forget(|message| message.from.id == from);
                    floor.queue_afterthought(Event::Silenced { from: &from }.encode());
                    for (_, reader) in floor.people() {
                        if reader.person.subject.as_ref() == Some(&subject) {
                            reader.outbox.close(Closed::Door);
                        }
                    }
                });
            }
            Ok(())
        })
    }
}
