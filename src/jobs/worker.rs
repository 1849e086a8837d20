//! [`Worker`]: does what is due.

use std::collections::HashMap;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use jiff::{SignedDuration, Timestamp};
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;
use tracing::field::Empty;
use uuid::Uuid;

use super::{Job, Jobs, store};
use crate::error::log_store_error;

/// The worker looks for due jobs at least this often.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Jobs that run at once.
const AT_ONCE: usize = 8;
/// Of them of one kind: receivers of pushes or webhooks that are slow hold up each other, and no mail.
const AT_ONCE_OF_A_KIND: usize = 4;
/// A job that takes longer is stopped and tried again.
const LONGEST: Duration = Duration::from_secs(60);
/// How long a taken job is out of reach of other workers.
const LEASE: Duration = Duration::from_secs(120);
/// The first pause after a failure; each further one is four times as long.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(6 * 3600);
/// What was given up is kept for the operator to see.
const KEEP_FAILED: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Why a job did not succeed, in words for the operator; no secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JobError {
    /// It may succeed later.
    #[error("{0}")]
    Retry(String),
    /// It will never succeed.
    #[error("{0}")]
    GiveUp(String),
}

/// Which try of a job this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Try {
    /// 1 for the first.
    pub number: u32,
    /// Whether no other follows if it fails.
    pub is_last: bool,
}

type Working = Pin<Box<dyn Future<Output = Result<(), JobError>> + Send>>;

/// Begins the work on a payload.
type Work = dyn Fn(&str, Try) -> Working + Send + Sync;

/// How one kind of job is done.
struct Kind {
    work: Box<Work>,
    patience: Duration,
    longest_pause: Duration,
}

/// Does what is due. Kinds are told with [`Worker::on`].
pub struct Worker {
    jobs: Jobs,
    kinds: HashMap<&'static str, Arc<Kind>>,
    server: Option<Uuid>,
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds: Vec<_> = self.kinds.keys().collect();
        f.debug_struct("Worker").field("kinds", &kinds).finish()
    }
}

impl Worker {
    /// A worker that knows no kind yet.
    #[must_use]
    pub fn new(jobs: Jobs) -> Self {
        Self {
            jobs,
            kinds: HashMap::new(),
            server: None,
        }
    }

    /// At that server: what it had taken when it was killed is done again as soon as it runs.
    #[must_use]
    pub fn at(mut self, server: Uuid) -> Self {
        self.server = Some(server);
        self
    }

    /// Tells how a kind is done; a job that fails for longer than `patience` is given up.
    #[must_use]
    pub fn on<P, F>(
        mut self,
        kind: &'static str,
        patience: Duration,
        work: impl Fn(P, Try) -> F + Send + Sync + 'static,
    ) -> Self
    where
        P: DeserializeOwned,
        F: Future<Output = Result<(), JobError>> + Send + 'static,
    {
        let work = move |payload: &str, attempt: Try| -> Working {
            match serde_json::from_str(payload) {
                Ok(payload) => Box::pin(work(payload, attempt)),
                Err(error) => {
                    let words = format!("the payload is not that of such a job: {error}");
                    Box::pin(std::future::ready(Err(JobError::GiveUp(words))))
                }
            }
        };
        let work = Box::new(work);
        let doing = Kind {
            work,
            patience,
            longest_pause: LONGEST_PAUSE,
        };
        self.kinds.insert(kind, Arc::new(doing));
        self
    }

    /// Tries a kind, which was told before, again after so long at the latest.
    #[must_use]
    pub fn hurry(mut self, kind: &'static str, longest_pause: Duration) -> Self {
        if let Some(doing) = self.kinds.get_mut(kind).and_then(Arc::get_mut) {
            doing.longest_pause = longest_pause;
        }
        self
    }

    /// Runs until the token is cancelled; what runs then is finished.
    pub async fn run(self, stop: CancellationToken) {
        let mut running: JoinSet<String> = JoinSet::new();
        let mut counts: HashMap<String, usize> = HashMap::new();
        let mut swept = None;
        self.take_back().await;
        while !stop.is_cancelled() {
            self.sweep(&mut swept).await;
            let full = running.len() >= AT_ONCE;
            let taken = match full {
                true => None,
                false => self.take(&busy(&counts)).await,
            };
            if let Some(job) = taken {
                *counts.entry(job.kind.clone()).or_default() += 1;
                running.spawn(self.doing(job));
                continue;
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.jobs.wake.notified(), if !full => {}
                Some(ended) = running.join_next() => {
                    if let Some(count) = ended.ok().and_then(|kind| counts.get_mut(&kind)) {
                        *count = count.saturating_sub(1);
                    }
                }
                () = sleep(LOOK_EVERY), if !full => {}
            }
        }
        while running.join_next().await.is_some() {}
    }

    async fn take_back(&self) {
        let Some(server) = self.server else { return };
        let now = self.jobs.clock.now();
        if let Err(error) = store::take_back(&self.jobs.db, server, now).await {
            // They are done when their leases end.
            log_store_error(&error);
        }
    }

    async fn take(&self, busy: &[&str]) -> Option<Job> {
        let now = self.jobs.clock.now();
        match store::take(&self.jobs.db, now, now + LEASE, busy, self.server).await {
            Ok(job) => job,
            Err(error) => {
                log_store_error(&error);
                None
            }
        }
    }

    async fn sweep(&self, swept: &mut Option<Timestamp>) {
        let now = self.jobs.clock.now();
        if swept.is_some_and(|at| now.duration_since(at) < SignedDuration::from_hours(1)) {
            return;
        }
        *swept = Some(now);
        if let Err(error) = store::sweep(&self.jobs.db, now - KEEP_FAILED).await {
            log_store_error(&error);
        }
    }

    /// Does a job, and gives its kind.
    fn doing(&self, job: Job) -> impl Future<Output = String> + Send + 'static {
        let kind = self.kinds.get(job.kind.as_str()).cloned();
        let jobs = self.jobs.clone();
        async move {
            let longest = kind.as_ref().map(|kind| kind.longest_pause);
            let pause = pause_after(job.attempts).min(longest.unwrap_or(LONGEST_PAUSE));
            let age = jobs.clock.now().duration_since(job.created_at);
            let age = Duration::try_from(age).unwrap_or_default();
            let result = match &kind {
                None => Err(JobError::Retry(format!("nobody does `{}` here", job.kind))),
                Some(kind) => {
                    let attempt = Try {
                        number: job.attempts,
                        is_last: age + pause > kind.patience,
                    };
                    done(kind, &job, attempt).await
                }
            };
            let patience = kind.map_or(LONGEST_PAUSE, |kind| kind.patience);
            let is_over = age + pause > patience;
            jobs.settle(&job, result, is_over, pause).await;
            job.kind
        }
    }
}

/// Kinds of which no more may run.
fn busy(counts: &HashMap<String, usize>) -> Vec<&str> {
    let full = counts
        .iter()
        .filter(|(_, count)| **count >= AT_ONCE_OF_A_KIND);
    full.map(|(kind, _)| kind.as_str()).collect()
}

/// A job's work, in time and whatever happens.
async fn done(kind: &Kind, job: &Job, attempt: Try) -> Result<(), JobError> {
    let work = AssertUnwindSafe((kind.work)(&job.payload, attempt)).catch_unwind();
    let span = tracing::info_span!("job", job.id = %job.id, job.kind = job.kind, result = Empty);
    let result = timeout(LONGEST, work.instrument(span.clone())).await;
    let result = match result {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(JobError::Retry("it panicked; the log has more".to_owned())),
        Err(_) => Err(JobError::Retry(format!("no end within {LONGEST:?}"))),
    };
    span.record("result", if result.is_ok() { "done" } else { "failed" });
    result
}

impl Jobs {
    /// Writes down how a job ended. Where that fails the lease ends and it is done again.
    async fn settle(
        &self,
        job: &Job,
        result: Result<(), JobError>,
        is_over: bool,
        pause: Duration,
    ) {
        let (id, kind, now) = (job.id, &job.kind, self.clock.now());
        let told = match &result {
            Ok(()) => "done",
            Err(JobError::Retry(_)) if !is_over => "again",
            Err(_) => "given_up",
        };
        metrics::counter!("tallylight_jobs_run_total", "kind" => kind.clone(), "result" => told)
            .increment(1);
        let written = match result {
            Ok(()) => store::delete(&self.db, id).await,
            Err(JobError::Retry(problem)) if !is_over => {
                tracing::debug!(job.id = %id, kind, "Job {id} waits for another try: {problem}");
                store::put_off(&self.db, id, now + pause, &problem).await
            }
            Err(JobError::Retry(problem) | JobError::GiveUp(problem)) => {
                tracing::warn!(job.id = %id, kind, "Gave up job {id} ({kind}): {problem}");
                store::give_up(&self.db, id, now, &problem).await
            }
        };
        if let Err(error) = written {
            log_store_error(&error);
        }
    }
}

/// How long to wait after a try that failed.
fn pause_after(attempts: u32) -> Duration {
    let factor = 4_u32.saturating_pow(attempts.saturating_sub(1));
    FIRST_PAUSE.saturating_mul(factor).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::sync::mpsc;

    use super::*;
    use crate::clock::Clock;
    use crate::db::Db;

    async fn jobs() -> (Jobs, tempfile::TempDir) {
        let data = tempfile::tempdir().unwrap();
        let db = Db::open("", 1, data.path()).await.unwrap();
        db.migrate().await.unwrap();
        (Jobs::new(db, Clock::movable()), data)
    }

    /// Waits for the queue to hold so many that wait and so many that were given up.
    async fn until(jobs: &Jobs, wanted: (i64, i64)) {
        let reached = async {
            while jobs.count().await.unwrap() != wanted {
                tokio::task::yield_now().await;
            }
        };
        let found = timeout(Duration::from_secs(20), reached).await;
        assert!(found.is_ok(), "{:?}", jobs.count().await);
    }

    const DAY: Duration = Duration::from_secs(24 * 3600);

    #[tokio::test]
    async fn what_fails_is_tried_again_until_it_succeeds() {
        let (jobs, _data) = jobs().await;
        let (told, mut tries) = mpsc::unbounded_channel();
        let worker = Worker::new(jobs.clone()).on("greet", DAY, move |name: String, attempt| {
            told.send((name, attempt.number)).unwrap();
            async move {
                match attempt.number {
                    3 => Ok(()),
                    _ => Err(JobError::Retry("not yet".to_owned())),
                }
            }
        });
        let stop = CancellationToken::new();
        let running = tokio::spawn(worker.run(stop.clone()));
        jobs.enqueue_now("greet", &"Ada").await.unwrap();
        for number in 1..=3 {
            assert_eq!(tries.recv().await.unwrap(), ("Ada".to_owned(), number));
            jobs.clock.advance(pause_after(number) + LEASE);
            jobs.wake();
        }
        until(&jobs, (0, 0)).await;
        stop.cancel();
        running.await.unwrap();
    }

    #[tokio::test]
    async fn patience_ends_and_hopeless_jobs_are_given_up_at_once() {
        let (jobs, _data) = jobs().await;
        let tries = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&tries);
        let worker = Worker::new(jobs.clone())
            .on("hope", Duration::from_secs(1), move |(): (), attempt| {
                assert!(attempt.is_last);
                counted.fetch_add(1, Ordering::SeqCst);
                async { Err(JobError::Retry("away".to_owned())) }
            })
            .on("none", DAY, |(): (), _| async {
                Err(JobError::GiveUp("no such person".to_owned()))
            })
            .on("odd", DAY, |_: u32, _| async { panic!("never reached") });
        jobs.enqueue_now("hope", &()).await.unwrap();
        jobs.enqueue_now("none", &()).await.unwrap();
        jobs.enqueue_now("odd", &"no number").await.unwrap();
        let stop = CancellationToken::new();
        let running = tokio::spawn(worker.run(stop.clone()));
        until(&jobs, (0, 3)).await;
        assert_eq!(tries.load(Ordering::SeqCst), 1);
        stop.cancel();
        running.await.unwrap();
    }

    #[tokio::test]
    async fn slow_jobs_of_one_kind_hold_up_no_other() {
        let (jobs, _data) = jobs().await;
        let (began, mut beginnings) = mpsc::unbounded_channel();
        let (told, mut mails) = mpsc::unbounded_channel();
        let worker = Worker::new(jobs.clone())
            .on("push", DAY, move |(): (), _| {
                began.send(()).unwrap();
                std::future::pending()
            })
            .on("mail", DAY, move |(): (), _| {
                told.send(()).unwrap();
                async { Ok(()) }
            });
        for _ in 0..AT_ONCE {
            jobs.enqueue_now("push", &()).await.unwrap();
        }
        jobs.enqueue_now("mail", &()).await.unwrap();
        let running = tokio::spawn(worker.run(CancellationToken::new()));
        mails.recv().await.unwrap();
        let mut pushes = 0;
        while beginnings.try_recv().is_ok() {
            pushes += 1;
        }
        assert_eq!(pushes, AT_ONCE_OF_A_KIND);
        running.abort();
    }

    #[tokio::test]
    async fn what_a_killed_server_had_taken_is_due_when_it_is_back() {
        let (jobs, _data) = jobs().await;
        jobs.enqueue_now("greet", &"Ada").await.unwrap();
        let (now, server) = (jobs.clock.now(), Uuid::now_v7());
        let take = |by| store::take(&jobs.db, now, now + LEASE, &[], Some(by));
        assert!(take(server).await.unwrap().is_some());
        let other = Uuid::now_v7();
        assert_eq!(store::take_back(&jobs.db, other, now).await.unwrap(), 0);
        assert!(take(other).await.unwrap().is_none());
        assert_eq!(store::take_back(&jobs.db, server, now).await.unwrap(), 1);
        assert!(take(server).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn a_job_is_taken_once_until_its_lease_ends() {
        let (jobs, _data) = jobs().await;
        jobs.enqueue_now("greet", &"Ada").await.unwrap();
        let now = jobs.clock.now();
        let take = |at: Timestamp| store::take(&jobs.db, at, at + LEASE, &[], None);
        assert!(take(now).await.unwrap().is_some());
        assert!(take(now).await.unwrap().is_none());
        let again = take(now + LEASE).await.unwrap().unwrap();
        assert_eq!(again.attempts, 2);
    }

    #[test]
    fn pauses_grow_up_to_a_bound() {
        assert_eq!(pause_after(1), FIRST_PAUSE);
        assert_eq!(pause_after(2), FIRST_PAUSE * 4);
        assert_eq!(pause_after(60), LONGEST_PAUSE);
    }
}
