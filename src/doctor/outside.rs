//! What the server asks of others: the mail server, the store of recordings, the collector of traces.

use super::{Finding, bad, careful, good};
use crate::config::Config;
use crate::{bucket, mail, traces};

/// Nothing where no mail is configured.
pub(super) async fn mail(config: &Config) -> Option<Finding> {
    let subject = "mail";
    let answered = mail::look(&config.mail).await?;
    let host = &config.mail.host;
    Some(match answered {
        Ok(()) => good(subject, format!("{host} takes our mail")),
        Err(words) => bad(
            subject,
            format!(
                "{words}: {host}, port {}; check section [mail]",
                config.mail.port()
            ),
        ),
    })
}

/// Nothing where there is no store.
pub(super) async fn store(config: &Config) -> Option<Finding> {
    let subject = "store";
    let answered = bucket::look(&config.storage).await?;
    let bucket = &config.storage.bucket;
    Some(match answered {
        Ok(()) => good(subject, format!("the bucket {bucket} answers")),
        Err(words) => bad(
            subject,
            format!(
                "the bucket {bucket} does not answer; check endpoint, bucket and keys of section [storage]. Recordings \
                 stay on this machine's disk meanwhile. It said: {words}"
            ),
        ),
    })
}

/// Nothing where traces go nowhere.
pub(super) async fn collector(config: &Config) -> Option<Finding> {
    let subject = "traces";
    let answered = traces::look(&config.telemetry).await?;
    let endpoint = &config.telemetry.otlp_endpoint;
    Some(match answered {
        Ok(()) => good(subject, format!("{endpoint} takes them")),
        Err(words) => careful(
            subject,
            format!(
                "{endpoint} does not take them, and they get lost; is a collector there that speaks OTLP over HTTP \
                 (telemetry.otlp_endpoint)? It said: {words}"
            ),
        ),
    })
}
