//! Section `[rtmp]`: publishers that speak RTMP.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::{ConfigError, invalid};

/// Publishers that speak RTMP.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rtmp {
    /// Where they come, such as `0.0.0.0:1935`; empty: nowhere.
    pub listen: String,
}

impl Rtmp {
    /// Where to listen, if at all.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.listen.parse().ok()
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        match self.listen.is_empty() || self.address().is_some() {
            true => Ok(()),
            false => Err(invalid(
                "rtmp.listen",
                "it must be an address and a port, such as \"0.0.0.0:1935\", or empty",
            )),
        }
    }
}
