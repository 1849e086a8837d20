//! Section `[telemetry]`: where traces go.

use serde::{Deserialize, Serialize};

use super::{ConfigError, invalid};

/// Traces for a collector of the operator's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Telemetry {
    /// Where a collector takes OTLP over HTTP, such as `http://127.0.0.1:4318`; empty: there are no traces.
    pub otlp_endpoint: String,
}

/// Where collectors take traces (OTLP 1.11, §"OTLP/HTTP Request").
const TRACES: &str = "/v1/traces";

impl Telemetry {
    /// The address that traces are posted to, where there are any.
    #[must_use]
    pub fn traces_url(&self) -> Option<String> {
        let endpoint = self.otlp_endpoint.trim().trim_end_matches('/');
        match endpoint {
            "" => None,
            whole if whole.ends_with(TRACES) => Some(whole.to_owned()),
            base => Some(format!("{base}{TRACES}")),
        }
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let Some(url) = self.traces_url() else {
            return Ok(());
        };
        let rest = url
            .strip_prefix("http://")
            .or_else(|| url.strip_prefix("https://"));
        match rest {
            Some(rest) if !rest.starts_with('/') && !rest.contains(['?', '#', '@', ' ']) => Ok(()),
            _ => Err(invalid(
                "telemetry.otlp_endpoint",
                "it must begin with http:// or https:// and have neither query nor password, such as \
                 \"http://127.0.0.1:4318\"",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_taken_with_its_path_or_without() {
        let of = |endpoint: &str| Telemetry {
            otlp_endpoint: endpoint.to_owned(),
        };
        let url = Some("http://127.0.0.1:4318/v1/traces".to_owned());
        assert_eq!(of("").traces_url(), None);
        for good in [
            "http://127.0.0.1:4318",
            "http://127.0.0.1:4318/",
            "http://127.0.0.1:4318/v1/traces",
        ] {
            assert_eq!(of(good).traces_url(), url);
            of(good).check().unwrap();
        }
        for wrong in [
            "127.0.0.1:4318",
            "grpc://x",
            "http://",
            "https://u:p@x",
            "http://x?y",
        ] {
            assert!(of(wrong).check().is_err(), "{wrong}");
        }
    }
}
