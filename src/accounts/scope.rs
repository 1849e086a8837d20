//! What personal tokens may do: each route of the API needs one scope, or is closed to all tokens.
//!
//! The table goes by the first word behind `/api/`; what it does not know is closed. A test walks the
//! description of the API, so that no route stays closed by oversight.

use std::fmt;

use axum::http::Method;

/// Something that a token may do, such as `channels:read`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope {
    /// What it is about.
    pub resource: &'static str,
    /// Whether it may change things.
    pub writes: bool,
}

/// What a route asks of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// This scope.
    Scope(Scope),
    /// Nothing beyond being a good token: what it shows is public.
    Nothing,
    /// To be none: only people do that, signed in on a page.
    Never,
}

/// All that tokens can be about.
const RESOURCES: [&str; 10] = [
    "account",
    "admin",
    "channels",
    "chat",
    "follows",
    "notifications",
    "payments",
    "recordings",
    "streams",
    "webhooks",
];

/// The first word of a path behind `/api/`, and what it is about.
const WORDS: [(&str, &str); 13] = [
    ("account", "account"),
    ("admin", "admin"),
    ("channels", "channels"),
    ("events", "streams"),
    ("feed", "follows"),
    ("follows", "follows"),
    ("images", "channels"),
    ("notifications", "notifications"),
    ("purchases", "payments"),
    ("recordings", "recordings"),
    ("session", "account"),
    ("streams", "streams"),
    ("webhooks", "webhooks"),
];

/// A word below `/api/channels/{handle}/`, and what it is about, where that is not the channel.
const BELOW_CHANNELS: [(&str, &str); 18] = [
    ("alert_token", "payments"),
    ("chat", "chat"),
    ("end", "streams"),
    ("follow", "follows"),
    ("followers", "follows"),
    ("ledger", "payments"),
    ("ledger.csv", "payments"),
    ("live", "streams"),
    ("members", "payments"),
    ("payments", "payments"),
    ("purchases", "payments"),
    ("recordings", "recordings"),
    ("revenue", "payments"),
    ("schedule", "streams"),
    ("shop", "payments"),
    ("streams", "streams"),
    ("tickets", "payments"),
    ("webhooks", "webhooks"),
];

/// What charges a card at once is for people alone.
const CHARGES: &str = "/api/channels/{handle}/membership";

/// The same below `/api/streams/{id}/`.
const BELOW_STREAMS: [(&str, &str); 1] = [("chat", "chat")];

/// Reading these is for everybody, so that any token does.
const PUBLIC: &[&str] = &[
    "browse",
    "categories",
    "docs",
    "home",
    "instance",
    "languages",
    "oembed",
    "openapi.json",
    "push",
    "search",
    "tags",
];

/// All scopes.
pub(super) fn known() -> impl Iterator<Item = Scope> {
    let both = |resource| [false, true].map(|writes| Scope { resource, writes });
    RESOURCES.into_iter().flat_map(both)
}

/// What a route, by its pattern such as `/api/channels/{handle}`, asks of a token.
#[must_use]
pub fn need(method: &Method, pattern: &str) -> Need {
    let reads = method.is_safe();
    let mut words = pattern.trim_start_matches("/api/").split('/');
    let first = words.next().unwrap_or_default();
    let (_, third) = (words.next(), words.next());
    let is_closed = pattern == CHARGES;
    if is_closed || (first == "account" && !is_for_tokens(method, pattern)) {
        return Need::Never;
    }
    if reads && PUBLIC.contains(&first) {
        return Need::Nothing;
    }
    let below = BELOW_CHANNELS
        .iter()
        .find(|(word, _)| first == "channels" && third == Some(word));
    let of_stream = BELOW_STREAMS
        .iter()
        .find(|(word, _)| first == "streams" && third == Some(word));
    let named = below
        .or(of_stream)
        .or_else(|| WORDS.iter().find(|(word, _)| *word == first));
    named.map_or(Need::Never, |&(_, resource)| {
        Need::Scope(Scope {
            resource,
            writes: !reads,
        })
    })
}

/// Of the own account, tokens may see and set what is no matter of safety.
fn is_for_tokens(method: &Method, pattern: &str) -> bool {
    match pattern {
        "/api/account" | "/api/account/export" | "/api/account/follows" => method.is_safe(),
        "/api/account/avatar" | "/api/account/muted-channels/{handle}" => true,
        _ => pattern.starts_with("/api/account/notification"),
    }
}

impl Scope {
    /// From its text.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        known().find(|scope| scope.to_string() == text)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = if self.writes { "write" } else { "read" };
        write!(f, "{}:{verb}", self.resource)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_read_as_they_are_written() {
        for scope in known() {
            assert_eq!(Scope::read(&scope.to_string()), Some(scope));
        }
        for text in ["", "channels", "channels:", "all:read", "channels:read "] {
            assert_eq!(Scope::read(text), None, "{text}");
        }
    }

    #[test]
    fn routes_ask_for_what_they_are_about() {
        let name = |method: Method, pattern: &str| match need(&method, pattern) {
            Need::Scope(scope) => scope.to_string(),
            Need::Nothing => "nothing".to_owned(),
            Need::Never => "never".to_owned(),
        };
        for (method, pattern, wanted) in [
            (Method::GET, "/api/channels/{handle}", "channels:read"),
            (
                Method::POST,
                "/api/channels/{handle}/stream_keys",
                "channels:write",
            ),
            (Method::POST, "/api/channels/{handle}/end", "streams:write"),
            (
                Method::GET,
                "/api/channels/{handle}/recordings",
                "recordings:read",
            ),
            (Method::POST, "/api/streams/{id}/chat", "chat:write"),
            (Method::GET, "/api/channels/{handle}/chat/ws", "chat:read"),
            (Method::DELETE, "/api/admin/invites/{id}", "admin:write"),
            (Method::GET, "/api/account", "account:read"),
            (Method::PUT, "/api/account/avatar", "account:write"),
            (Method::GET, "/api/search", "nothing"),
            (Method::PATCH, "/api/account", "never"),
            (Method::DELETE, "/api/account", "never"),
            (Method::GET, "/api/account/tokens", "never"),
            (Method::POST, "/api/auth/login", "never"),
            (Method::POST, "/api/setup", "never"),
            (Method::GET, "/api/something_new", "never"),
        ] {
            assert_eq!(name(method.clone(), pattern), wanted, "{method} {pattern}");
        }
    }
}
