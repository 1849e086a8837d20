//! [`Checkup`]: the same of a server that runs, which knows more of itself.

use std::sync::Arc;

use super::{Finding, all_but_ports, bad, good, of_standing};
use crate::clock::Clock;
use crate::config::Config;
use crate::db::Db;
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
}

impl Checkup {
    /// Of a server with this configuration.
    #[must_use]
    pub fn new(
        config: &Config,
        clock: &Clock,
        db: &Db,
        certificates: Option<&Certificates>,
    ) -> Self {
        Self(Arc::new(Inner {
            config: config.clone(),
            clock: clock.clone(),
            db: db.clone(),
            certificates: certificates.cloned(),
        }))
    }

    /// Looks at everything but ports, which it has open.
    pub async fn look(&self) -> Vec<Finding> {
        let Inner {
            config,
            clock,
            db,
            certificates,
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
        findings.extend(all_but_ports(config, now).await);
        findings
    }
}
