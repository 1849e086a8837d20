//! What TLS shows to whom, and what an authority is told while it asks whose a name is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;

use super::files::Pair;
use super::{ACME, Standing, Validity};

/// What is shown at this moment. Everything is copied out in one line.
#[derive(Debug, Default)]
pub(super) struct Shown(Mutex<Showing>);

#[derive(Debug, Default)]
struct Showing {
    /// The server's name, where it has one.
    domain: String,
    pair: Option<Arc<CertifiedKey>>,
    validity: Option<Validity>,
    is_for_us: bool,
    problem: Option<String>,
    /// Certificates that prove to an authority whose a name is (RFC 8737 §3), by that name.
    proofs: HashMap<String, Arc<CertifiedKey>>,
    /// What it wants to read, by the token that it asks with (RFC 8555 §8.3).
    answers: HashMap<String, String>,
}

impl Shown {
    /// Of a server with that name, which may be empty.
    pub(super) fn of(domain: &str) -> Self {
        let showing = Showing {
            domain: domain.to_owned(),
            ..Showing::default()
        };
        Self(Mutex::new(showing))
    }

    fn with<T>(&self, look: impl FnOnce(&mut Showing) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Shows that one from now on.
    pub(super) fn show(&self, pair: &Pair) {
        self.with(|showing| {
            showing.is_for_us = showing.domain.is_empty() || pair.is_for(&showing.domain);
            showing.validity = pair.validity();
            showing.pair = Some(pair.certified());
            showing.problem = None;
        });
    }

    /// Keeps in mind what is wrong; whether it was something else before.
    pub(super) fn complain(&self, problem: &str) -> bool {
        self.with(|showing| {
            let is_new = showing.problem.as_deref() != Some(problem);
            showing.problem = Some(problem.to_owned());
            is_new
        })
    }

    /// Nothing is wrong.
    pub(super) fn calm(&self) {
        self.with(|showing| showing.problem = None);
    }

    pub(super) fn standing(&self) -> Standing {
        self.with(|showing| Standing {
            is_there: showing.pair.is_some(),
            validity: showing.validity,
            is_for_us: showing.is_for_us,
            problem: showing.problem.clone(),
        })
    }

    pub(super) fn prove(&self, name: &str, proof: Arc<CertifiedKey>) {
        self.with(|showing| showing.proofs.insert(name.to_owned(), proof));
    }

    pub(super) fn say(&self, token: &str, answer: &str) {
        self.with(|showing| showing.answers.insert(token.to_owned(), answer.to_owned()));
    }

    /// The authority has asked, or will not.
    pub(super) fn forget_proofs(&self) {
        self.with(|showing| {
            showing.proofs.clear();
            showing.answers.clear();
        });
    }

    pub(super) fn answer_to(&self, token: &str) -> Option<String> {
        self.with(|showing| showing.answers.get(token).cloned())
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let mut protocols = hello.alpn().into_iter().flatten();
        let name = hello.server_name();
        match protocols.any(|protocol| protocol == ACME) {
            true => self.with(|showing| showing.proofs.get(name?).cloned()),
            false => self.with(|showing| showing.pair.clone()),
        }
    }
}
