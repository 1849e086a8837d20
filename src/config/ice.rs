//! Section `[ice]`: STUN and TURN servers that clients are told of.

use serde::{Deserialize, Serialize};

use super::{ConfigError, HIDDEN, invalid};

/// STUN and TURN servers that clients are told of, one `Link` header each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ice {
    /// The servers.
    pub servers: Vec<IceServer>,
}

/// One STUN or TURN server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct IceServer {
    /// Its addresses: `stun:…`, `turn:…` or `turns:…`.
    pub urls: Vec<String>,
    /// User name, for TURN.
    pub username: String,
    /// Password, for TURN.
    pub credential: String,
}

impl Ice {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        for server in &self.servers {
            for url in &server.urls {
                check_url(url)?;
            }
            // OBS cuts the header at `,` and `;`, even inside quotes.
            let forbidden = [',', ';', '"', '\\', '\r', '\n'];
            if server.username.contains(forbidden) || server.credential.contains(forbidden) {
                return Err(invalid(
                    "ice.servers",
                    "username and credential must not hold a comma, semicolon, quote or backslash",
                ));
            }
        }
        Ok(())
    }

    pub(super) fn hide_credentials(&mut self) {
        for server in &mut self.servers {
            if !server.credential.is_empty() {
                HIDDEN.clone_into(&mut server.credential);
            }
        }
    }
}

fn check_url(url: &str) -> Result<(), ConfigError> {
    let known = ["stun:", "stuns:", "turn:", "turns:"];
    let plain = url
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && !b"<>,;\"".contains(&byte));
    if plain && known.iter().any(|scheme| url.starts_with(scheme)) {
        return Ok(());
    }
    Err(invalid(
        "ice.servers",
        format!("`{url}` must start with stun:, turn: or turns:"),
    ))
}
