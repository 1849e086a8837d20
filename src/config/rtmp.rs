//! Section `[rtmp]`: publishers that speak RTMP.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::{ConfigError, Tls, check_address, invalid};

/// Publishers that speak RTMP.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rtmp {
    /// Where they come; empty or `off`: nowhere.
    pub listen: String,
    /// Where they come over TLS, such as `0.0.0.0:1936`; empty or `off`: nowhere.
    pub tls_listen: String,
    /// Whether the operator chose [`Rtmp::listen`]. What nobody chose may be taken by another program.
    #[serde(skip)]
    pub is_chosen: bool,
}

impl Default for Rtmp {
    fn default() -> Self {
        Self {
            listen: "0.0.0.0:1935".to_owned(),
            tls_listen: String::new(),
            is_chosen: false,
        }
    }
}

impl Rtmp {
    /// Where to listen, if at all.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.listen.trim().parse().ok()
    }

    /// Where to listen for TLS, if at all.
    #[must_use]
    pub fn tls_address(&self) -> Option<SocketAddr> {
        self.tls_listen.trim().parse().ok()
    }

    pub(super) fn check(&self, has_certificate: bool) -> Result<(), ConfigError> {
        check_address("rtmp.listen", &self.listen, "0.0.0.0:1935")?;
        check_address("rtmp.tls_listen", &self.tls_listen, "0.0.0.0:1936")?;
        match self.tls_address() {
            Some(_) if !has_certificate => Err(Tls::missing_for("rtmp.tls_listen")),
            Some(address) if Some(address) == self.address() && address.port() != 0 => {
                Err(invalid(
                    "rtmp.tls_listen",
                    "RTMPS needs a port of its own: rtmp.listen has the same",
                ))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rtmp(listen: &str, tls_listen: &str) -> Rtmp {
        Rtmp {
            listen: listen.to_owned(),
            tls_listen: tls_listen.to_owned(),
            is_chosen: true,
        }
    }

    #[test]
    fn it_is_on_unless_it_is_turned_off() {
        assert_eq!(Rtmp::default().address().map(|a| a.port()), Some(1935));
        assert_eq!(Rtmp::default().tls_address(), None);
        for off in ["", "off", " "] {
            let rtmp = rtmp(off, off);
            assert!(rtmp.check(false).is_ok());
            assert_eq!((rtmp.address(), rtmp.tls_address()), (None, None));
        }
    }

    #[test]
    fn what_cannot_work_is_named() {
        let without_certificate = rtmp("", "0.0.0.0:1936").check(false);
        let words = without_certificate.unwrap_err().to_string();
        for key in ["rtmp.tls_listen", "tls.certificate", "tls.private_key"] {
            assert!(words.contains(key), "{words}");
        }
        assert!(rtmp("", "0.0.0.0:1936").check(true).is_ok());
        let same = rtmp("0.0.0.0:1935", "0.0.0.0:1935").check(true);
        assert!(same.unwrap_err().to_string().contains("port of its own"));
        assert!(rtmp("127.0.0.1:0", "127.0.0.1:0").check(true).is_ok());
        let no_port = rtmp("0.0.0.0", "").check(true).unwrap_err();
        assert!(no_port.to_string().contains("rtmp.listen"), "{no_port}");
    }
}
