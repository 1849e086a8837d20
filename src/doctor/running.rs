//! [`Checkup`]: the same of a server that runs, which knows more of itself.

use std::sync::Arc;

use super::{Finding, all_but_ports, bad, careful, good, of_standing, relay};
use crate::clock::Clock;
use crate::config::Config;
use crate::db::Db;
use crate::ice::IceServers;
use crate::streams::Streams;
use crate::tls::Certificates;

/// Looks at a running server. Clones are one.
#[derive(Debug, Clone)]
pub struct Checkup(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: Config,
    clock: Clock,
    db: Db,
    certificates: Option<Certificates>,
    ice: IceServers,
    streams: Streams,
}

impl Checkup {
    /// Of a server with this configuration.
    #[must_use]
    pub fn new(
        config: &Config,
        (clock, db): (&Clock, &Db),
        certificates: Option<&Certificates>,
        (ice, streams): (&IceServers, &Streams),
    ) -> Self {
        Self(Arc::new(Inner {
            config: config.clone(),
            clock: clock.clone(),
            db: db.clone(),
            certificates: certificates.cloned(),
            ice: ice.clone(),
            streams: streams.clone(),
        }))
    }

    /// Looks at everything but ports, which it has open.
    pub async fn look(&self) -> Vec<Finding> {
        let Inner {
            config,
            clock,
            db,
            certificates,
            ice,
            streams,
        } = &*self.0;
        let mut findings = Vec::new();
        findings.push(match db.ping().await {
            Ok(()) => good("database", format!("{} answers", db.describe())),
            Err(error) => bad(
                "database",
                format!("{error}; streams go on, and nobody can sign in or go live"),
            ),
        });
        let now = clock.now();
        let standing = certificates.as_ref().map(Certificates::standing);
        findings.extend(standing.map(|standing| of_standing(config, &standing, now)));
        findings.push(match (config.turn.address(), ice.ports().plain) {
            (Some(wanted), None) => bad(
                "TURN",
                format!(
                    "it does not run, since port {} was taken: see the log of the start",
                    wanted.port()
                ),
            ),
            _ => relay::turn(config),
        });
        findings.extend(all_but_ports(config, now).await);
        // GStreamer is never loaded here: the server found out at its start, by a child.
        findings.push(match streams.lacks_for_hls() {
            None => good("HLS", "streams are packaged"),
            Some(words) => careful("HLS", words),
        });
        findings.extend(others(config, streams).await);
        findings
    }
}

/// Servers that share the database, if there are any.
async fn others(config: &Config, streams: &Streams) -> Option<Finding> {
    if !config.bus.is_shared() {
        return None;
    }
    if !config.cluster.is_on() {
        let words = "they share rooms and no streams: set cluster.url to pass streams on, too";
        return Some(careful("other servers", words));
    }
    let asked = streams.greet_others().await;
    let silent = asked.iter().find_map(|(_, answer)| answer.clone().err());
    Some(match (silent, asked.len()) {
        (Some(why), _) => bad(
            "other servers",
            format!("{why}; see to cluster.url there, and to what lies between"),
        ),
        (None, 0) => careful(
            "other servers",
            "none is seen: each that runs with this database and this Redis, and has cluster.url, is",
        ),
        (None, count) => good("other servers", format!("{count} answer from here")),
    })
}
