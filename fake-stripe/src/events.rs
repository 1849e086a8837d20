//! Events: what happened to which object, with the object as it was at that moment, so that deliveries that
//! overtake each other carry different states, as Stripe's do.

use serde_json::{Map, Value, json};

use crate::fields::Fields;
use crate::refusal::Refusal;
use crate::world::{API_VERSION, PRIVATE, World, public, text};

impl World {
    /// Says that something happened to the object with this id.
    pub(crate) fn emit(&mut self, kind: &str, id: &str) {
        let object = public(self.find(&json!(id)));
        self.record(kind, json!({ "object": object }), None);
    }

    /// Says that the object changed from what it was `before`.
    pub(crate) fn emit_change(&mut self, kind: &str, id: &str, before: &Value) {
        let object = public(self.find(&json!(id)));
        let previous = differences(&public(before), &object);
        let account = (kind == "account.updated").then(|| id.to_owned());
        let data = json!({ "object": object, "previous_attributes": previous });
        self.record(kind, data, account);
    }

    fn record(&mut self, kind: &str, data: Value, account: Option<String>) {
        let id = self.id("evt");
        let mut event = json!({
            "id": id,
            "object": "event",
            "api_version": API_VERSION,
            "created": self.now(),
            "livemode": false,
            "pending_webhooks": 1,
            "request": { "id": null, "idempotency_key": self.cause },
            "type": kind,
            "data": data,
            PRIVATE: { "answers": [] },
        });
        // Stripe names the account in what happened on one that is connected, and only there.
        if let Some(account) = account {
            event.set("account", json!(account));
        }
        self.add(event);
        self.post.accept(&id);
    }

    /// All events, oldest first, each with how its delivery went in `delivery`.
    pub(crate) fn told_events(&self) -> Vec<Value> {
        let tell = |event: &Value| {
            let id = text(event.at("id"));
            let mut told = public(event);
            told.set(
                "delivery",
                json!({
                    "answers": event.at("_fake.answers"),
                    "held": self.post.holds(&id),
                    "pending": self.post.awaits(&id),
                }),
            );
            told
        };
        self.all("event").map(tell).collect()
    }

    /// Delivers an event again, whatever became of it before.
    pub(crate) fn resend(&mut self, id: &str) -> Result<Value, Refusal> {
        let event = public(self.get("event", id)?);
        self.post.send(id);
        Ok(event)
    }
}

/// The fields of `before` that are not the same in `after`.
fn differences(before: &Value, after: &Value) -> Value {
    let fields = before.as_object().into_iter().flatten();
    let changed = fields.filter(|(key, value)| after.get(key) != Some(value));
    let changed: Map<_, _> = changed.map(|(k, v)| (k.clone(), v.clone())).collect();
    Value::Object(changed)
}
