//! Section `[turn]`: the way to media for clients whose network lets nothing else through.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::{ConfigError, HIDDEN, Tls, check_address, invalid};

/// The way to media for clients whose network lets nothing else through: a TURN server in this program, or
/// others that have its secret.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Turn {
    /// Where the server's own is, by UDP and by TCP; empty or `off`: nowhere.
    pub listen: String,
    /// Where it is over TLS, such as `0.0.0.0:5349`; empty or `off`: within HTTPS alone.
    pub tls_listen: String,
    /// Name or address at which clients reach it; empty: `server.domain`, else the media address.
    pub host: String,
    /// What credentials are made with; empty: what this server makes for itself.
    pub secret: String,
    /// Others that clients are told of instead, such as `turn:turn.example.org:3478?transport=udp`, which have
    /// the same secret.
    pub servers: Vec<String>,
    /// Clients that it has at once.
    pub allocations: usize,
    /// Kilobits a second that it relays for each in each direction.
    pub kbits_per_allocation: u64,
}

impl Default for Turn {
    fn default() -> Self {
        Self {
            listen: "0.0.0.0:3478".to_owned(),
            tls_listen: String::new(),
            host: String::new(),
            secret: String::new(),
            servers: Vec::new(),
            allocations: 1_000,
            kbits_per_allocation: 5_000,
        }
    }
}

/// Characters of a secret, at least.
const LEAST_SECRET: usize = 16;

impl Turn {
    /// Where the server's own is, if at all.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        let listen = self.listen.trim().parse().ok();
        listen.filter(|_| self.servers.is_empty())
    }

    /// Where it is over TLS, if at all.
    #[must_use]
    pub fn tls_address(&self) -> Option<SocketAddr> {
        let listen = self.tls_listen.trim().parse().ok();
        listen.filter(|_| self.address().is_some())
    }

    pub(super) fn hide_secret(&mut self) {
        if !self.secret.is_empty() {
            HIDDEN.clone_into(&mut self.secret);
        }
    }

    pub(super) fn check(&self, has_certificate: bool) -> Result<(), ConfigError> {
        check_address("turn.listen", &self.listen, "0.0.0.0:3478")?;
        check_address("turn.tls_listen", &self.tls_listen, "0.0.0.0:5349")?;
        if self.tls_address().is_some() && !has_certificate {
            return Err(Tls::missing_for("turn.tls_listen"));
        }
        if !self.secret.is_empty() && self.secret.len() < LEAST_SECRET {
            let words = format!(
                "it must have at least {LEAST_SECRET} characters, such as `openssl rand -hex 24` makes"
            );
            return Err(invalid("turn.secret", words));
        }
        if !self.servers.is_empty() && self.secret.is_empty() {
            return Err(invalid(
                "turn.secret",
                "turn.servers need the secret that they were given (coturn's static-auth-secret)",
            ));
        }
        if let Some(url) = self.servers.iter().find(|url| !is_turn(url)) {
            let words = format!("`{url}` must be such as turn:turn.example.org:3478?transport=udp");
            return Err(invalid("turn.servers", words));
        }
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-.".contains(c);
        if self.host.parse::<IpAddr>().is_err() && !self.host.chars().all(is_plain) {
            let words = "it must be a name or an address alone, without a port, such as \"turn.example.org\"";
            return Err(invalid("turn.host", words));
        }
        if self.allocations == 0 || self.kbits_per_allocation == 0 {
            return Err(invalid(
                "turn",
                "allocations and kbits_per_allocation must be at least 1",
            ));
        }
        Ok(())
    }
}

fn is_turn(url: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"<>,;\"".contains(&byte);
    (url.starts_with("turn:") || url.starts_with("turns:")) && url.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(turn: &Turn) -> String {
        turn.check(false).unwrap_err().to_string()
    }

    #[test]
    fn it_is_on_unless_it_is_turned_off_or_others_do_it() {
        assert_eq!(Turn::default().address().map(|a| a.port()), Some(3478));
        assert!(Turn::default().check(false).is_ok());
        for off in ["", "off"] {
            let off = Turn {
                listen: off.to_owned(),
                ..Turn::default()
            };
            assert!(off.check(false).is_ok());
            assert_eq!(off.address(), None);
        }
        let mut others = Turn {
            servers: vec!["turn:turn.example.org:3478?transport=udp".to_owned()],
            ..Turn::default()
        };
        assert!(told(&others).contains("turn.secret"));
        others.secret = "0123456789abcdef".to_owned();
        assert!(others.check(false).is_ok());
        assert_eq!(others.address(), None);
    }

    #[test]
    fn what_cannot_work_is_named() {
        let mut turn = Turn {
            tls_listen: "0.0.0.0:5349".to_owned(),
            ..Turn::default()
        };
        assert!(told(&turn).contains("turn.tls_listen"));
        assert!(turn.check(true).is_ok());
        turn = Turn {
            secret: "short".to_owned(),
            ..Turn::default()
        };
        assert!(told(&turn).contains("16 characters"));
        turn = Turn {
            host: "turn.example.org:3478".to_owned(),
            ..Turn::default()
        };
        assert!(told(&turn).contains("turn.host"));
        for wrong in ["stun:a.example", "turn:a b", "https://a.example"] {
            turn = Turn {
                servers: vec![wrong.to_owned()],
                secret: "0123456789abcdef".to_owned(),
                ..Turn::default()
            };
            assert!(told(&turn).contains("turn.servers"), "{wrong}");
        }
    }
}
