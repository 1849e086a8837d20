//! Section `[http]`: pages, API, WHIP and WHEP, and the listener for operators.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::{ConfigError, Network, Tls, check_address, invalid};

/// Pages, API and signalling.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Address of the public listener; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Address of the same over TLS, such as `0.0.0.0:443`; empty or `off`: nowhere.
    pub tls_listen: String,
    /// Whether the operators' listener with `/metrics` is there.
    pub admin: bool,
    /// Address of the operators' listener; keep it off the public network.
    pub admin_listen: SocketAddr,
    /// How browsers reach the server, such as `https://live.example`; empty: as the request says.
    pub public_url: String,
    /// Reverse proxies whose `X-Forwarded-*` headers are believed.
    pub trusted_proxies: Vec<Network>,
    /// Sites whose pages may show the player in a frame, as `frame-ancestors` of a
    /// Content-Security-Policy takes them: `*`, `'none'`, or such as `https://blog.example`.
    pub embed_ancestors: String,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8080)),
            tls_listen: String::new(),
            admin: true,
            admin_listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 9090)),
            public_url: String::new(),
            trusted_proxies: vec![
                Network::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), 8),
                Network::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 128),
            ],
            embed_ancestors: "*".to_owned(),
        }
    }
}

impl Http {
    /// Scheme, host and port of [`Http::public_url`] without the trailing slash, when it is set.
    #[must_use]
    pub fn public_origin(&self) -> Option<&str> {
        let url = self.public_url.trim_end_matches('/');
        (!url.is_empty()).then_some(url)
    }

    /// Where to listen for TLS, if at all.
    #[must_use]
    pub fn tls_address(&self) -> Option<SocketAddr> {
        self.tls_listen.trim().parse().ok()
    }

    /// Port of [`Http::public_url`].
    #[must_use]
    pub fn public_port(&self) -> u16 {
        let origin = self.public_origin().unwrap_or_default();
        let port = origin
            .rsplit_once(':')
            .and_then(|(_, port)| port.parse().ok());
        port.unwrap_or(match origin.starts_with("http://") {
            true => 80,
            false => 443,
        })
    }

    pub(super) fn check(&self, has_certificate: bool) -> Result<(), ConfigError> {
        check_address("http.tls_listen", &self.tls_listen, "0.0.0.0:443")?;
        match self.tls_address() {
            Some(_) if !has_certificate => return Err(Tls::missing_for("http.tls_listen")),
            Some(address) if address == self.listen && address.port() != 0 => {
                return Err(invalid(
                    "http.tls_listen",
                    "HTTPS needs a port of its own: http.listen has the same",
                ));
            }
            _ => {}
        }
        self.check_embed_ancestors()?;
        self.check_public_url()
    }

    /// Whether a text can stand behind `frame-ancestors` without becoming another policy.
    #[must_use]
    pub fn are_ancestors(text: &str) -> bool {
        let fits = |c: char| c.is_ascii_graphic() && !matches!(c, ';' | ',') || c == ' ';
        text.chars().all(fits)
    }

    fn check_embed_ancestors(&self) -> Result<(), ConfigError> {
        match Self::are_ancestors(&self.embed_ancestors) {
            true => Ok(()),
            false => Err(invalid(
                "http.embed_ancestors",
                "it must be sites with spaces between them, such as \"https://blog.example\", or \"*\"",
            )),
        }
    }

    fn check_public_url(&self) -> Result<(), ConfigError> {
        let Some(origin) = self.public_origin() else {
            return Ok(());
        };
        let host = origin
            .strip_prefix("https://")
            .or_else(|| origin.strip_prefix("http://"));
        match host {
            Some(host) if !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ']) => Ok(()),
            _ => Err(invalid(
                "http.public_url",
                "it must be a scheme and a host without a path, such as https://live.example",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_sites_cannot_become_another_policy() {
        let http = |sites: &str| Http {
            embed_ancestors: sites.to_owned(),
            ..Http::default()
        };
        let fits = |sites: &str| http(sites).check(false).is_ok();
        assert!(fits("*") && fits("'self' https://*.blog.example:8443"));
        for bad in [
            "*; script-src *",
            "https://a.example, b",
            "*\r\nx: y",
            "https://é.example",
        ] {
            assert!(!fits(bad), "{bad}");
        }
    }

    #[test]
    fn https_is_off_until_it_has_a_port_and_a_certificate() {
        let http = |tls_listen: &str| Http {
            tls_listen: tls_listen.to_owned(),
            ..Http::default()
        };
        assert_eq!(Http::default().tls_address(), None);
        for off in ["", "off", " "] {
            assert!(http(off).check(false).is_ok());
            assert_eq!(http(off).tls_address(), None);
        }
        let port = http("0.0.0.0:443").tls_address().map(|a| a.port());
        assert_eq!(port, Some(443));
        assert!(http("0.0.0.0:443").check(true).is_ok());
        let words = |http: Http, has: bool| http.check(has).unwrap_err().to_string();
        let missing = words(http("0.0.0.0:443"), false);
        for key in ["http.tls_listen", "tls.certificate", "tls.private_key"] {
            assert!(missing.contains(key), "{missing}");
        }
        let same = words(http("0.0.0.0:8080"), true);
        assert!(same.contains("port of its own"), "{same}");
        let no_port = words(http("443"), true);
        assert!(no_port.contains("http.tls_listen"), "{no_port}");
    }
}
