//! Section `[tls]`: the server's certificate.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{ConfigError, invalid};

/// The server's certificate.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// PEM file of the certificate and those that it hangs on, the server's own first; empty: none.
    pub certificate: PathBuf,
    /// PEM file of its private key.
    pub private_key: PathBuf,
}

impl Tls {
    /// Whether there is a certificate.
    #[must_use]
    pub fn is_set(&self) -> bool {
        !self.certificate.as_os_str().is_empty()
    }

    /// What is wrong with a port over TLS while there is no certificate.
    pub(super) fn missing_for(key: &str) -> ConfigError {
        let problem = format!(
            "it needs a certificate: set server.domain and server.acme_email to get one, or \
             tls.certificate and tls.private_key to the paths of PEM files, or leave {key} empty"
        );
        invalid(key, problem)
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        match (self.is_set(), self.private_key.as_os_str().is_empty()) {
            (true, true) => Err(invalid(
                "tls.private_key",
                "tls.certificate needs its private key: set the path of a PEM file",
            )),
            (false, false) => Err(invalid(
                "tls.certificate",
                "tls.private_key needs its certificate: set the path of a PEM file",
            )),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificate_and_key_come_together() {
        let with = |certificate: &str, private_key: &str| Tls {
            certificate: certificate.into(),
            private_key: private_key.into(),
        };
        assert!(with("", "").check().is_ok());
        assert!(with("a", "b").check().is_ok());
        let missing = with("a", "").check().unwrap_err().to_string();
        assert!(missing.contains("key `tls.private_key`"), "{missing}");
        let missing = with("", "b").check().unwrap_err().to_string();
        assert!(missing.contains("key `tls.certificate`"), "{missing}");
    }
}
