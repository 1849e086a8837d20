//! [`Analytics`]: what is kept of audiences and of how well streams arrived.
//!
//! One task (`keeper`) asks the streams who watches and how their media arrives, and writes it down in
//! batches. Rows are small and many, so that a database that is away loses some of them rather than
//! holding anybody up.

mod belonging;
mod device;
mod health;
mod keeper;
mod pending;
mod routes;
mod store;

use sfu::StreamId;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

use crate::accounts::Accounts;
use crate::channels::{Channels, Pepper};
use crate::clock::Clock;
use crate::config::Limits;
use crate::db::Db;
use crate::streams::Streams;

use health::Moment;
use keeper::{Command, Keeper};

/// The service: cheap to clone, all clones are one.
#[derive(Debug, Clone)]
pub struct Analytics {
    db: Db,
    clock: Clock,
    streams: Streams,
    channels: Channels,
    commands: mpsc::Sender<Command>,
    limits: routes::Limiter,
}

/// The task that writes.
#[derive(Debug)]
pub struct Task {
    task: JoinHandle<()>,
    stop: CancellationToken,
}

/// Commands wait here for the task; when it is full, requests wait.
const COMMANDS: usize = 64;

impl Analytics {
    /// Starts to keep.
    #[must_use]
    pub fn start(
        db: Db,
        streams: Streams,
        channels: Channels,
        clock: Clock,
        pepper: Pepper,
        limits: &Limits,
    ) -> (Self, Task) {
        let (commands, receiver) = mpsc::channel(COMMANDS);
        let keeper = Keeper::new(db.clone(), streams.clone(), clock.clone(), pepper);
        let stop = CancellationToken::new();
        let task = tokio::spawn(keeper.run(receiver, stop.clone()));
        let analytics = Self {
            db,
            clock,
            streams,
            channels,
            commands,
            limits: routes::Limiter::new(limits),
        };
        (analytics, Task { task, stop })
    }

    /// The routes under `/api` that pages of ours ask.
    pub fn routes(&self) -> OpenApiRouter {
        routes::routes(self.clone())
    }

    /// Where players tell that they play, on whatever page they stand.
    pub fn presence(&self, accounts: &Accounts) -> OpenApiRouter {
        routes::presence(self.clone(), accounts.clone())
    }

    /// Writes down at once what else would be written in the next seconds.
    pub async fn write_now(&self) {
        self.ask(Command::WriteNow).await;
    }

    /// Looks at all streams on air as if it were time to.
    pub async fn sample_now(&self) {
        self.ask(Command::SampleNow).await;
    }

    /// Makes old figures fewer as if it were time to.
    pub async fn thin_now(&self) {
        self.ask(Command::ThinNow).await;
    }

    /// What is not written yet of how a stream arrives.
    async fn unwritten(&self, stream: Uuid) -> Vec<Moment> {
        let asked = self.ask(|reply| Command::Unwritten(stream, reply)).await;
        asked.unwrap_or_default()
    }

    /// Sends a command with a reply channel. `None`: the task is gone.
    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.ok()?;
        answer.await.ok()
    }
}

impl Task {
    /// Writes down what is known and ends. The streams must still be there.
    pub async fn join(self) {
        self.stop.cancel();
        if let Err(error) = self.task.await {
            tracing::error!(%error, "The keeping of figures failed: {error}");
        }
    }
}

/// How rows name a stream.
fn row_id(stream: StreamId) -> Uuid {
    Uuid::from_u128(stream.into())
}
