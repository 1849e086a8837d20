//! What to do about a server that cannot be reached or refuses, in one line.

use anyhow::anyhow;

use crate::JoinError;
use crate::foreign::ForeignError;
use crate::signalling::HttpError;

/// The error in one line, after what we were about, and before what to do.
pub(super) fn advised(about: &str, error: &anyhow::Error) -> anyhow::Error {
    match http_error(error).and_then(advice) {
        Some(advice) => anyhow!("{about}: {error:#}; {advice}"),
        None => anyhow!("{about}: {error:#}"),
    }
}

/// Whether the server itself said no.
pub(super) fn http_error(error: &anyhow::Error) -> Option<&HttpError> {
    match (error.downcast_ref(), error.downcast_ref()) {
        (Some(JoinError::Http(error)), _) | (_, Some(ForeignError::Http(error))) => Some(error),
        _ => error.downcast_ref(),
    }
}

fn advice(error: &HttpError) -> Option<&'static str> {
    let words = match error {
        HttpError::Unreachable { .. } => "does the server run, and is the address right?",
        // Who gives a reason mostly says what to do as well.
        HttpError::Refused { status, words, .. } if words.is_empty() => match status {
            401 | 403 => "give the stream key with --key or TALLYLIGHT_BENCH_KEY",
            404 | 405 => "is that the address of WHIP or WHEP, and of a stream that is live?",
            409 => "somebody publishes there already: end that, or take another channel",
            429 | 503 => "the server is full or wants people to come more slowly: lower --ramp",
            _ => return None,
        },
        _ => return None,
    };
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_to_do() {
        let refused = |status, words: &str| {
            anyhow::Error::from(JoinError::Http(HttpError::Refused {
                url: "http://x/whip".to_owned(),
                status,
                words: words.to_owned(),
            }))
        };
        let words = advised("cannot publish", &refused(409, "")).to_string();
        assert!(words.starts_with("cannot publish: http://x/whip answered 409; somebody"));
        let words = advised("cannot publish", &refused(418, "")).to_string();
        assert_eq!(words, "cannot publish: http://x/whip answered 418");
        let words = advised("cannot publish", &refused(409, ": taken")).to_string();
        assert_eq!(words, "cannot publish: http://x/whip answered 409: taken");
    }
}
