//! Everything the fake remembers, for the life of the process: Stripe's objects as the JSON they are answered as,
//! the events, the log of requests. It decides nothing; the modules named after Stripe's objects do.
//!
//! What the fake has to know of an object and Stripe would not tell stands in its field [`PRIVATE`].

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::fields::Fields;
use crate::gate::{Answers, Trouble};
use crate::post::Post;
use crate::refusal::Refusal;

/// The field of objects that never leaves the fake.
pub(crate) const PRIVATE: &str = "_fake";

/// The version of the API that objects are written in.
pub(crate) const API_VERSION: &str = "2026-09-30.endive";

/// The one owner of the fake's state; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    world: Arc<Mutex<World>>,
    /// Told when there may be something to deliver.
    pub(crate) mail: Arc<Notify>,
}

impl Shared {
    pub(crate) fn new(world: World) -> Self {
        Self {
            world: Arc::new(Mutex::new(world)),
            mail: Arc::default(),
        }
    }

    /// Lets `act` see and change the state; it cannot wait for anything meanwhile, so nobody waits long.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        let result = self.quietly(act);
        self.mail.notify_one();
        result
    }

    /// As [`Shared::with`], for the courier, which would otherwise wake itself.
    pub(crate) fn quietly<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        act(&mut world)
    }
}

/// The state itself.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) post: Post,
    pub(crate) answers: Answers,
    pub(crate) trouble: Trouble,
    /// What was asked under `/v1`, oldest first; all of it, as a run is short.
    pub(crate) requests: Vec<Value>,
    /// Where browsers find the fake's pages, without a slash at the end.
    pub(crate) public_url: String,
    /// The account whose key is used.
    pub(crate) platform: String,
    /// The idempotency key of the request that is being answered, which its events name.
    pub(crate) cause: Option<String>,
    objects: BTreeMap<String, Value>,
    /// Ids in the order in which objects arose.
    order: Vec<String>,
    ids: Ids,
}

impl World {
    pub(crate) fn new(post: Post, public_url: String) -> Self {
        let mut ids = Ids::default();
        Self {
            clock: Clock::default(),
            post,
            answers: Answers::default(),
            trouble: Trouble::None,
            requests: Vec::new(),
            public_url,
            platform: ids.next("acct"),
            cause: None,
            objects: BTreeMap::new(),
            order: Vec::new(),
            ids,
        }
    }

    pub(crate) fn now(&self) -> i64 {
        self.clock.now()
    }

    /// An id that no object had, not even before a restart: those who ask keep ids.
    pub(crate) fn id(&mut self, prefix: &str) -> String {
        self.ids.next(prefix)
    }

    /// Keeps a new object, under its `id`.
    pub(crate) fn add(&mut self, object: Value) -> Value {
        let id = text(object.at("id"));
        self.order.push(id.clone());
        self.objects.insert(id, object.clone());
        object
    }

    /// The object of a kind (`checkout.session`) by its id.
    pub(crate) fn get(&self, kind: &str, id: &str) -> Result<&Value, Refusal> {
        let object = self
            .objects
            .get(id)
            .filter(|object| object.at("object") == kind);
        object.ok_or_else(|| Refusal::unknown(kind, id))
    }

    /// The object with an id, of any kind; `null` without.
    pub(crate) fn find(&self, id: &Value) -> &Value {
        let object = id.as_str().and_then(|id| self.objects.get(id));
        object.unwrap_or(&Value::Null)
    }

    /// Changes the object with an id and tells how it was before.
    pub(crate) fn change(&mut self, id: &str, change: impl FnOnce(&mut Value)) -> Value {
        let Some(object) = self.objects.get_mut(id) else {
            return Value::Null;
        };
        let before = object.clone();
        change(object);
        before
    }

    /// The objects of a kind, oldest first.
    pub(crate) fn all(&self, kind: &str) -> impl DoubleEndedIterator<Item = &Value> {
        let objects = self.order.iter().filter_map(|id| self.objects.get(id));
        objects.filter(move |object| object.at("object") == kind)
    }

    /// The ids of the objects of a kind, oldest first.
    pub(crate) fn ids(&self, kind: &str) -> Vec<String> {
        self.all(kind).map(|object| text(object.at("id"))).collect()
    }

    /// What there is: ids by kind, and how many there are of each.
    pub(crate) fn summary(&self) -> Value {
        let plural = KINDS.map(|(kind, name)| (name, json!(self.ids(kind))));
        let counts = KINDS.map(|(kind, name)| (name, json!(self.all(kind).count())));
        json!({
            "now": self.now(),
            "counts": counts.into_iter().map(|(k, v)| (k.to_owned(), v)).collect::<Value>(),
            "ids": plural.into_iter().map(|(k, v)| (k.to_owned(), v)).collect::<Value>(),
            "webhooks": self.post.summary(),
            "requests": self.requests.len(),
        })
    }
}

/// The kinds of objects, as they call themselves and as they are listed.
const KINDS: [(&str, &str); 14] = [
    ("account", "accounts"),
    ("application_fee", "application_fees"),
    ("billing_portal.session", "portal_sessions"),
    ("charge", "charges"),
    ("checkout.session", "sessions"),
    ("customer", "customers"),
    ("dispute", "disputes"),
    ("event", "events"),
    ("invoice", "invoices"),
    ("payment_intent", "payment_intents"),
    ("price", "prices"),
    ("product", "products"),
    ("refund", "refunds"),
    ("subscription", "subscriptions"),
];

/// Makes ids: random enough that two runs of the fake share none.
#[derive(Debug, Default)]
struct Ids {
    seed: RandomState,
    made: u64,
}

impl Ids {
    fn next(&mut self, prefix: &str) -> String {
        self.made += 1;
        let mut hasher = self.seed.build_hasher();
        hasher.write_u64(self.made);
        format!(
            "{prefix}_{:016x}{:04x}",
            hasher.finish(),
            self.made & 0xffff
        )
    }
}

/// The text of a value; empty where it is none.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The number of a value; 0 where it is none.
pub(crate) fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or_default()
}

/// Stripe's list around objects.
pub(crate) fn list(url: &str, data: Vec<Value>) -> Value {
    json!({ "object": "list", "url": url, "has_more": false, "total_count": data.len(), "data": data })
}

/// The object as Stripe would tell it: without what is private, at any depth.
pub(crate) fn public(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .filter(|(key, _)| *key != PRIVATE)
            .map(|(key, value)| (key.clone(), public(value)))
            .collect(),
        Value::Array(items) => items.iter().map(public).collect(),
        other => other.clone(),
    }
}
