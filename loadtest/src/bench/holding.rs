//! How much a server holds: memory, files, threads, tasks, sessions.

use std::fmt;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::Serialize;
use tokio::time::{Instant, interval};

use super::Joins;
use crate::process::Process;
use crate::report::counter;
use crate::signalling;

/// Where a server tells how much it holds.
pub(super) struct Sources<'a> {
    processes: Vec<Process>,
    metrics: Option<&'a str>,
}

/// How much a server holds; what nobody tells of is unknown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Holding {
    pub(super) rss_kib: Option<u64>,
    pub(super) files: Option<u64>,
    pub(super) threads: Option<u64>,
    /// Of its asynchronous runtime.
    pub(super) tasks: Option<u64>,
    /// Sessions in its books, those that publish included.
    pub(super) sessions: Option<u64>,
    /// Sessions that watch, as its media threads count them.
    pub(super) viewers: Option<u64>,
    /// Sessions that connected and are not closed, those that publish included.
    pub(super) unclosed: Option<u64>,
}

/// A server finds out in this time that somebody has vanished, and lets go of what it kept for a while.
const SETTLE_WITHIN: Duration = Duration::from_secs(60);
/// Connections, pooled threads and files that have nothing to do with viewers come and go.
const SLACK: u64 = 8;
impl<'a> Sources<'a> {
    pub(super) fn of(options: &'a Joins) -> anyhow::Result<Self> {
        let processes: Vec<_> = options.server_pid.iter().copied().map(Process).collect();
        let metrics = options.metrics.as_deref();
        if processes.is_empty() && metrics.is_none() {
            bail!("what the server holds is told by --server-pid and --metrics: give one, or both");
        }
        Ok(Self { processes, metrics })
    }

    pub(super) async fn look(&self) -> anyhow::Result<Holding> {
        let mut holding = match self.metrics {
            Some(url) => Holding::told_by(&signalling::get(url).await.context("--metrics")?),
            None => Holding::default(),
        };
        let add = |to: &mut Option<u64>, number: u64| {
            *to.get_or_insert_default() += number;
        };
        for process in &self.processes {
            let usage = process.usage().context("the server is gone")?;
            let threads = u64::try_from(process.threads().len()).unwrap_or(u64::MAX);
            add(&mut holding.rss_kib, usage.rss_kib);
            add(&mut holding.files, process.open_files()?);
            add(&mut holding.threads, threads);
        }
        Ok(holding)
    }

    /// Waits until the server holds no more than before, or too long.
    pub(super) async fn settled(&self, before: Holding) -> anyhow::Result<Holding> {
        let deadline = Instant::now() + SETTLE_WITHIN;
        let mut pause = interval(Duration::from_millis(250));
        loop {
            pause.tick().await;
            let now = self.look().await?;
            if now.more_than(before).is_empty() || Instant::now() > deadline {
                return Ok(now);
            }
        }
    }
}

impl Holding {
    /// Reads a page of metrics.
    fn told_by(page: &str) -> Self {
        let connected = counter(page, "tallylight_sfu_sessions_connected_total");
        let closed = counter(page, "tallylight_sfu_sessions_closed_total");
        Self {
            tasks: counter(page, "tallylight_tasks "),
            sessions: counter(page, "tallylight_sessions "),
            viewers: counter(page, "tallylight_sfu_viewers "),
            unclosed: connected
                .zip(closed)
                .map(|(from, to)| from.saturating_sub(to)),
            ..Self::default()
        }
    }

    /// What there is more of than before, memory aside.
    pub(super) fn more_than(self, before: Self) -> Vec<String> {
        let kinds = [
            ("open files", before.files, self.files, SLACK),
            ("threads", before.threads, self.threads, SLACK),
            ("tasks", before.tasks, self.tasks, SLACK),
            ("sessions in its books", before.sessions, self.sessions, 0),
            ("sessions that watch", before.viewers, self.viewers, 0),
            ("sessions not closed", before.unclosed, self.unclosed, 0),
        ];
        let more = kinds.into_iter().filter_map(|(what, before, now, slack)| {
            let (before, now) = before.zip(now)?;
            (now > before + slack).then(|| format!("it holds {now} {what}, {before} before"))
        });
        more.collect()
    }
}

impl fmt::Display for Holding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |number: Option<u64>| number.map_or("-".to_owned(), |n| n.to_string());
        write!(
            f,
            "{:>10} {:>6} {:>8} {:>6} {:>9}",
            shown(self.rss_kib),
            shown(self.files),
            shown(self.threads),
            shown(self.tasks),
            shown(self.sessions)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_metrics_is_read() {
        let page = "# TYPE tallylight_tasks gauge\ntallylight_tasks 12\ntallylight_sessions 2\n\
                    tallylight_sfu_viewers 3\ntallylight_sfu_sessions_connected_total 9\n\
                    tallylight_sfu_sessions_closed_total 5\n";
        let told = Holding::told_by(page);
        assert_eq!((told.tasks, told.sessions), (Some(12), Some(2)));
        assert_eq!((told.viewers, told.unclosed), (Some(3), Some(4)));
        assert_eq!(Holding::told_by(""), Holding::default());
    }
}
