//! Whether the client, and not the server, was the limit of what was measured.

use std::collections::HashMap;
use std::time::Duration;

use crate::process::{Machine, Process, Thread};

/// A look at ourselves and the machine, to be compared with a later one.
#[derive(Debug, Clone)]
pub(super) struct Ourselves {
    threads: Vec<Thread>,
    machine: Option<Machine>,
}

/// How busy everybody was.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Busy {
    /// The busiest of our threads, and its share of a core.
    pub(super) thread: String,
    pub(super) thread_share: f64,
    /// Share of all cores that worked.
    pub(super) machine_share: f64,
    pub(super) cores: f64,
    /// CPU seconds a second.
    pub(super) client: f64,
    pub(super) server: Option<f64>,
}

/// A thread that works more than this has no time to be punctual.
const BUSY_THREAD: f64 = 0.85;
/// A machine that works more than this lets somebody wait.
const FULL_MACHINE: f64 = 0.95;

impl Ourselves {
    pub(super) fn look() -> Self {
        Self {
            threads: Process::current().threads(),
            machine: Machine::look(),
        }
    }

    /// How busy everybody was between two looks; the caller knows the processes' shares.
    pub(super) fn busy_until(
        &self,
        later: &Self,
        window: Duration,
        client: f64,
        server: Option<f64>,
    ) -> Busy {
        let before: HashMap<u32, Duration> = self.threads.iter().map(|t| (t.id, t.cpu)).collect();
        let used = |thread: &Thread| {
            let before = before.get(&thread.id).copied().unwrap_or_default();
            thread.cpu.saturating_sub(before)
        };
        let busiest = later.threads.iter().max_by_key(|thread| used(thread));
        let machine_share = self.machine.zip(later.machine);
        Busy {
            thread: busiest.map(|t| t.name.clone()).unwrap_or_default(),
            thread_share: busiest.map(used).unwrap_or_default().as_secs_f64()
                / window.as_secs_f64().max(1e-9),
            machine_share: machine_share.map_or(0.0, |(from, to)| to.busy_since(from)),
            cores: f64::from(super::cores()),
            client,
            server,
        }
    }
}

impl Busy {
    /// One sentence and what to do, when the client, or somebody else, was the limit and not the
    /// server.
    pub(super) fn limit(&self) -> Option<String> {
        if self.thread_share > BUSY_THREAD {
            return Some(format!(
                "This client was the limit: its thread `{}` used {} of a core; give it more \
                 --client-threads, or another machine.",
                self.thread,
                percent(self.thread_share)
            ));
        }
        if self.machine_share <= FULL_MACHINE {
            return None;
        }
        let busy = percent(self.machine_share);
        let client = percent(self.client);
        let Some(server) = self.server else {
            return Some(format!(
                "This client may have been the limit: the machine was {busy} busy, with {client} of \
                 a core for the client; how much the server used, --server-pid would tell."
            ));
        };
        let others = self.machine_share * self.cores - self.client - server;
        if others > self.client.max(server) {
            return Some(format!(
                "Other programs were the limit: they used {} of a core of a machine that was {busy} \
                 busy; end them, and measure again.",
                percent(others)
            ));
        }
        (self.client > server).then(|| {
            format!(
                "This client was the limit: on a machine that was {busy} busy it used {client} of a \
                 core, more than the server's {}; run it on another machine.",
                percent(server)
            )
        })
    }
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn busy() -> Busy {
        Busy {
            thread: "viewers".to_owned(),
            thread_share: 0.5,
            machine_share: 0.7,
            cores: 1.0,
            client: 0.6,
            server: Some(0.4),
        }
    }

    #[test]
    fn a_thread_without_time_is_the_limit() {
        assert_eq!(busy().limit(), None);
        let hot = Busy {
            thread_share: 0.93,
            ..busy()
        };
        let words = hot.limit().unwrap();
        assert!(words.contains("`viewers` used 93 % of a core"), "{words}");
    }

    #[test]
    fn on_a_full_machine_the_hungrier_one_is_the_limit() {
        let full = Busy {
            machine_share: 0.99,
            ..busy()
        };
        let words = full.limit().unwrap();
        assert!(
            words.contains("60 % of a core, more than the server's 40 %"),
            "{words}"
        );
        let server_is_it = Busy {
            server: Some(0.9),
            ..full
        };
        assert_eq!(server_is_it.limit(), None);
    }

    #[test]
    fn neither_is_the_limit_where_others_took_the_machine() {
        let shared = Busy {
            machine_share: 1.0,
            cores: 4.0,
            ..busy()
        };
        let words = shared.limit().unwrap();
        assert!(words.starts_with("Other programs were the limit: they used 300 %"));
        let unknown = Busy {
            server: None,
            ..shared
        };
        assert!(unknown.limit().unwrap().contains("--server-pid"));
    }

    #[test]
    fn the_busiest_thread_is_found_by_what_it_did_in_the_window() {
        let thread = |id: u32, name: &str, ms: u64| Thread {
            id,
            name: name.to_owned(),
            cpu: Duration::from_millis(ms),
        };
        let look = |threads: Vec<Thread>| Ourselves {
            threads,
            machine: None,
        };
        let before = look(vec![thread(1, "old", 9_000), thread(2, "viewers", 100)]);
        let after = look(vec![thread(1, "old", 9_100), thread(2, "viewers", 1_000)]);
        let busy = before.busy_until(&after, Duration::from_secs(1), 1.0, None);
        assert_eq!(busy.thread, "viewers");
        assert!((busy.thread_share - 0.9).abs() < 1e-9);
    }
}
