//! Whether creators can be paid.

use super::{Finding, bad, careful, good};
use crate::config::Config;
use crate::payments::{Found, examine};

const SUBJECT: &str = "payments";

/// Nothing where there are no payments.
pub(super) async fn payments(config: &Config) -> Option<Finding> {
    if !config.payments.is_on() {
        return None;
    }
    let found = examine(&config.payments, config.http.public_origin()).await;
    Some(match found {
        Found::Good(words) => good(SUBJECT, words),
        Found::Careful(words) => careful(SUBJECT, words),
        Found::Bad(words) => bad(SUBJECT, words),
    })
}
