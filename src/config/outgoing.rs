//! Section `[outgoing]`: how the server asks addresses that its users give.

use serde::{Deserialize, Serialize};

use super::Network;

/// How the server asks addresses that its users give: webhooks and push services.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Outgoing {
    /// Whether addresses without TLS may be given.
    pub allow_http: bool,
    /// Networks of the house that may be reached all the same.
    pub allow_private: Vec<Network>,
}
