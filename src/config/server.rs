//! Section `[server]`: the name that the world knows this server by, and a certificate for it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Config, ConfigError, invalid};

/// The name that the world knows this server by, and a certificate for it.
///
/// A name sets the ports that belong to it, where nobody chose others: 80 and 443, and
/// `http.public_url`; see [`Server::settle`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    /// Its name, such as `live.example.org`; empty: it has none, or a proxy in front of it has.
    pub domain: String,
    /// Where the certificate authority writes to when something is wrong. With it the server gets its
    /// certificate by itself (ACME, RFC 8555), and the authority's terms are agreed to.
    pub acme_email: String,
    /// Directory of the certificate authority.
    pub acme_directory: String,
    /// PEM file of the certificate that the authority's own server is known by; empty: any that the
    /// system knows. For authorities of one's own.
    pub acme_root: PathBuf,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            domain: String::new(),
            acme_email: String::new(),
            acme_directory: "https://acme-v02.api.letsencrypt.org/directory".to_owned(),
            acme_root: PathBuf::new(),
        }
    }
}

/// Characters of a name (RFC 1035 §2.3.4), and of each of its parts.
const MOST_NAME: usize = 253;
const MOST_LABEL: usize = 63;

impl Server {
    /// Whether the server gets its certificate by itself.
    #[must_use]
    pub fn has_acme(&self) -> bool {
        !self.acme_email.is_empty()
    }

    /// What a domain says about keys that nobody set.
    pub(super) fn settle(config: &mut Config) {
        let domain = &config.server.domain;
        if domain.is_empty() {
            return;
        }
        let everywhere = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        if !config.given.has("http.listen") {
            config.http.listen = SocketAddr::new(everywhere, 80);
        }
        // What is empty is not chosen, as in a file that was made from the example.
        if config.http.tls_listen.trim().is_empty() {
            config.http.tls_listen = SocketAddr::new(everywhere, 443).to_string();
        }
        if config.http.public_url.is_empty() {
            config.http.public_url = format!("https://{domain}");
        }
    }

    pub(super) fn check(&self, has_files: bool) -> Result<(), ConfigError> {
        if self.domain.is_empty() {
            return match self.has_acme() {
                true => Err(invalid(
                    "server.domain",
                    "server.acme_email wants a certificate: set the name that it is for, such as \
                     \"live.example.org\"",
                )),
                false => Ok(()),
            };
        }
        self.check_domain()?;
        match (self.has_acme(), has_files) {
            (true, true) => Err(invalid(
                "server.acme_email",
                "the certificate comes from files already (tls.certificate): leave one of the two empty",
            )),
            (false, false) => Err(invalid(
                "server.acme_email",
                "server.domain needs a certificate: set an address of mail here to get one by itself, or \
                 tls.certificate and tls.private_key; behind a proxy that has the certificate leave \
                 server.domain empty, and set http.public_url",
            )),
            (true, false) => self.check_acme(),
            (false, true) => Ok(()),
        }
    }

    fn check_domain(&self) -> Result<(), ConfigError> {
        let wrong = |words: &str| {
            Err(invalid(
                "server.domain",
                format!("{words}, such as \"live.example.org\""),
            ))
        };
        let domain = self.domain.as_str();
        if domain.parse::<IpAddr>().is_ok() {
            return wrong("it must be a name, not an address: certificates are for names");
        }
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let is_label = |label: &str| {
            (1..=MOST_LABEL).contains(&label.len())
                && label.chars().all(is_plain)
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        let is_name = domain.len() <= MOST_NAME && domain.split('.').all(is_label);
        match is_name {
            true => Ok(()),
            false => wrong(
                "it must be a name alone, in small letters, without https://, port or path; names with \
                 other letters as xn--",
            ),
        }
    }

    fn check_acme(&self) -> Result<(), ConfigError> {
        let (name, host) = self.acme_email.split_once('@').unwrap_or_default();
        let is_plain = |c: char| c.is_ascii_graphic() && !"<>,;:\"?&".contains(c);
        if name.is_empty() || host.is_empty() || !self.acme_email.chars().all(is_plain) {
            return Err(invalid(
                "server.acme_email",
                "it must be an address of mail, such as \"you@example.org\"",
            ));
        }
        match self.acme_directory.starts_with("https://") {
            true => Ok(()),
            false => Err(invalid(
                "server.acme_directory",
                "it must be the https:// address of a directory of ACME (RFC 8555)",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(domain: &str, acme_email: &str) -> Server {
        Server {
            domain: domain.to_owned(),
            acme_email: acme_email.to_owned(),
            ..Server::default()
        }
    }

    #[test]
    fn a_domain_needs_one_certificate() {
        let you = "you@example.org";
        assert!(server("", "").check(false).is_ok());
        assert!(server("live.example.org", you).check(false).is_ok());
        assert!(server("live.example.org", "").check(true).is_ok());
        let told = |server: Server, has_files| server.check(has_files).unwrap_err().to_string();
        assert!(told(server("", you), false).contains("key `server.domain`"));
        assert!(told(server("live.example.org", ""), false).contains("http.public_url"));
        assert!(told(server("live.example.org", you), true).contains("tls.certificate"));
    }

    #[test]
    fn what_is_no_name_is_told() {
        for wrong in [
            "https://live.example.org",
            "live.example.org:443",
            "live.example.org/",
            "Live.example.org",
            "*.example.org",
            "live..example.org",
            "-live.example.org",
            "203.0.113.7",
            "2001:db8::1",
            "bücher.example",
        ] {
            let told = server(wrong, "you@example.org").check(false).unwrap_err();
            assert!(
                told.to_string().contains("server.domain"),
                "{wrong}: {told}"
            );
        }
        for wrong in [
            "you",
            "@example.org",
            "you@",
            "you@a,b@c",
            "mailto:you@a.example",
        ] {
            let told = server("live.example.org", wrong).check(false).unwrap_err();
            assert!(told.to_string().contains("acme_email"), "{wrong}: {told}");
        }
        let mut plain = server("live.example.org", "you@example.org");
        plain.acme_directory = "http://ca.example".to_owned();
        assert!(plain.check(false).is_err());
    }

    #[test]
    fn a_domain_brings_its_ports_unless_others_are_chosen() {
        let mut config = Config {
            server: server("live.example.org", "you@example.org"),
            ..Config::default()
        };
        config.given = ["http.listen"].into_iter().collect();
        Server::settle(&mut config);
        assert_eq!(config.http.listen.port(), 8080, "somebody chose it");
        assert_eq!(config.http.tls_listen, "0.0.0.0:443");
        assert_eq!(config.http.public_url, "https://live.example.org");
    }
}
