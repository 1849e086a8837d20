//! The server's name, and how pages are reached by it: DNS, HTTPS, the certificate.

use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use tokio::net::lookup_host;
use tokio::time::timeout;

use super::{Finding, bad, careful, good, own_address};
use crate::clock::Clock;
use crate::config::Config;
use crate::tls::{self, Standing};

/// How long a name server may take.
const LOOK_UP_WITHIN: Duration = Duration::from_secs(5);
/// A certificate that has fewer days left should have been renewed.
const RENEW_DAYS: i64 = 14;

/// Whether the server's name leads to it.
pub(super) async fn domain(config: &Config) -> Option<Finding> {
    let subject = "domain";
    let domain = config.server.domain.as_str();
    if domain.is_empty() {
        return None;
    }
    let found = timeout(LOOK_UP_WITHIN, lookup_host((domain, 443))).await;
    let found: Vec<IpAddr> = match found {
        Ok(Ok(found)) => found.map(|address| address.ip()).collect(),
        Ok(Err(error)) => {
            return Some(bad(
                subject,
                format!(
                    "{domain} is not found: {error}; make an A record with this machine's public address"
                ),
            ));
        }
        Err(_) => {
            return Some(careful(
                subject,
                format!("nobody says within 5 s what {domain} is"),
            ));
        }
    };
    let mut ours = config.media.public_ips.clone();
    ours.extend(own_address().ok());
    let list = |ips: &[IpAddr]| {
        let ips: Vec<String> = ips.iter().map(ToString::to_string).collect();
        ips.join(", ")
    };
    Some(match found.iter().any(|ip| ours.contains(ip)) {
        true => good(subject, format!("{domain} leads to this machine")),
        false => careful(
            subject,
            format!(
                "{domain} leads to {}, and this machine is {}: if no router or balancer stands between, change the \
                 name's A record; behind 1:1 NAT set media.public_ips",
                list(&found),
                list(&ours)
            ),
        ),
    })
}

pub(super) fn transport_security(config: &Config) -> Finding {
    let subject = "TLS";
    match config.http.public_origin() {
        Some(origin) if origin.starts_with("https://") => {
            good(subject, format!("pages are at {origin}"))
        }
        _ => match config.http.tls_address() {
            Some(address) => good(subject, format!("pages are there over https at {address}")),
            None => careful(
                subject,
                "browsers open camera and microphone only on localhost or over https: set \
                 http.tls_listen and the certificate of section [tls], or put a reverse proxy with a \
                 certificate in front and set http.public_url",
            ),
        },
    }
}

pub(super) async fn certificate(config: &Config, now: Timestamp) -> Option<Finding> {
    match tls::look(config, &Clock::system()).await {
        Ok(standing) => standing.map(|standing| of_standing(config, &standing, now)),
        Err(error) => Some(bad("certificate", error.to_string())),
    }
}

pub(super) fn of_standing(config: &Config, standing: &Standing, now: Timestamp) -> Finding {
    let subject = "certificate";
    if let Some(problem) = &standing.problem {
        return bad(
            subject,
            format!("{problem}; until that is mended, the certificate stays as it is"),
        );
    }
    let (what, how) = match config.tls.is_set() {
        true => (config.tls.certificate.display().to_string(), "renew it"),
        false => (
            format!("the certificate for {}", config.server.domain),
            "the running server renews it: see its log, and whether ports 80 and 443 reach it",
        ),
    };
    if !standing.is_there {
        return careful(
            subject,
            format!(
                "{what} is not there yet: the running server gets it from {}; ports 80 and 443 of this machine must be \
                 reached by that name",
                config.server.acme_directory
            ),
        );
    }
    if !standing.is_for_us {
        let domain = &config.server.domain;
        return bad(
            subject,
            format!("{what} is not for {domain}: clients will refuse it; get one for that name"),
        );
    }
    if let Some(validity) = standing.validity.filter(|validity| validity.from > now) {
        let from = validity.from;
        return bad(
            subject,
            format!("{what} is good from {from:.0} on only: is this machine's clock right?"),
        );
    }
    let until = standing.validity.map(|validity| validity.until);
    match until.map(|at| (at, days(now, at))) {
        None => careful(
            subject,
            format!("{what} fits its key, but does not say how long it is good"),
        ),
        Some((at, days)) if days < 0 => bad(
            subject,
            format!("{what} expired at {at:.0}: clients will refuse it; {how}"),
        ),
        Some((_, days)) if days < RENEW_DAYS => careful(
            subject,
            format!("{what} fits its key, but is good for {days} days only; {how}"),
        ),
        Some((_, days)) => good(
            subject,
            format!("{what} fits its key and is good for {days} days"),
        ),
    }
}

/// Whole days, negative when it is past.
fn days(from: Timestamp, to: Timestamp) -> i64 {
    to.duration_since(from).as_secs().div_euclid(24 * 3_600)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::Verdict;
    use super::*;

    #[tokio::test]
    async fn the_certificate_is_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let (now, mut config) = (Clock::system().now(), Config::default());
        assert!(certificate(&config, now).await.is_none());
        config.tls.certificate = folder.path().join("chain.pem");
        config.tls.private_key = folder.path().join("key.pem");
        let missing = certificate(&config, now).await.unwrap();
        assert_eq!(missing.verdict, Verdict::Bad);
        assert!(missing.words.contains("tls.certificate"), "{missing}");

        let key = rcgen::KeyPair::generate().unwrap();
        fs::write(&config.tls.private_key, key.serialize_pem()).unwrap();
        let mut wish = rcgen::CertificateParams::new(vec!["live.example".to_owned()]).unwrap();
        wish.not_after = rcgen::date_time_ymd(2031, 1, 31);
        let made = wish.self_signed(&key).unwrap();
        fs::write(&config.tls.certificate, made.pem()).unwrap();
        for (day, verdict, words) in [
            ("2031-01-01", Verdict::Good, "good for 29 days"),
            ("2031-01-20", Verdict::Careful, "good for 10 days only"),
            ("2031-02-01", Verdict::Bad, "expired at 2031-01-31"),
        ] {
            let day: Timestamp = format!("{day}T06:00:00Z").parse().unwrap();
            let told = certificate(&config, day).await.unwrap();
            assert_eq!(told.verdict, verdict, "{told}");
            assert!(told.words.contains(words), "{told}");
        }
    }
}
