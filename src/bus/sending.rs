//! Says what waits, in order, as soon as Redis is there.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Pipeline, RedisError};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    ALL, ANSWER_WITHIN, FIRST_PAUSE, Inner, KEPT_FOR, LONGEST_PAUSE, Lasting, MOST_KEPT, Saying,
    WIRE,
};

/// Words that are said in one go.
const BATCH: usize = 200;
/// Redis answers, but will not take these words: they are given up after so many tries.
const TRIES: u32 = 5;

pub(super) async fn run(
    inner: Arc<Inner>,
    mut waiting: mpsc::Receiver<Saying>,
    stop: CancellationToken,
) {
    let mut batch = Vec::new();
    let mut pause = FIRST_PAUSE;
    let mut tries = 0;
    loop {
        let spoken = tokio::select! {
            spoken = speak(&inner, &mut waiting, &mut batch, &mut pause) => spoken,
            () = stop.cancelled() => break,
        };
        inner.sends.store(false, Ordering::Release);
        *inner.connection() = None;
        batch.retain(|saying| saying.lasting != Lasting::Fleeting);
        if pause == FIRST_PAUSE {
            tracing::warn!(error = %spoken, "Redis does not take what this server says: {spoken}");
        }
        tries = if is_refusal(&spoken) { tries + 1 } else { 0 };
        if tries >= TRIES {
            tries = 0;
            let lost = batch.len();
            tracing::error!(
                lost,
                "Redis refuses what this server says: {spoken}; it is given up"
            );
            batch.clear();
            inner.has_lost.store(true, Ordering::Release);
        }
        tokio::select! {
            () = sleep(pause) => {}
            () = stop.cancelled() => break,
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    say_the_rest(&inner, waiting, batch).await;
}

/// Whether Redis is there, and will not: not what passes by itself, such as its loading at the start.
fn is_refusal(error: &RedisError) -> bool {
    error.code().is_some_and(|code| code == "WRONGTYPE")
}

/// Speaks until that fails.
async fn speak(
    inner: &Inner,
    waiting: &mut mpsc::Receiver<Saying>,
    batch: &mut Vec<Saying>,
    pause: &mut Duration,
) -> RedisError {
    let connected = inner
        .client
        .get_multiplexed_async_connection_with_config(&Inner::config())
        .await;
    let mut connection = match connected {
        Ok(connection) => connection,
        Err(error) => return error,
    };
    *inner.connection() = Some(connection.clone());
    loop {
        if !batch.is_empty()
            && let Err(error) = say(inner, &mut connection, batch).await
        {
            return error;
        }
        batch.clear();
        if inner.is_lost()
            && let Err(error) = tell_of_loss(inner, &mut connection).await
        {
            inner.has_lost.store(true, Ordering::Release);
            return error;
        }
        inner.sends.store(true, Ordering::Release);
        *pause = FIRST_PAUSE;
        waiting.recv_many(batch, BATCH).await;
    }
}

async fn say(
    inner: &Inner,
    connection: &mut MultiplexedConnection,
    batch: &[Saying],
) -> Result<(), RedisError> {
    let mut pipe = Pipeline::with_capacity(batch.len() * 3);
    for saying in batch {
        if saying.lasting == Lasting::Kept {
            let kept = inner.kept_name(&saying.topic);
            pipe.cmd("XADD")
                .arg(&kept)
                .arg("MAXLEN")
                .arg("~")
                .arg(MOST_KEPT);
            pipe.arg("*").arg(WIRE).arg(&saying.wire).ignore();
            pipe.expire(&kept, KEPT_FOR).ignore();
        }
        pipe.publish(inner.name(&saying.topic), &saying.wire)
            .ignore();
    }
    pipe.query_async(connection).await
}

/// All servers look anew at what they know: something was not told to them.
async fn tell_of_loss(
    inner: &Inner,
    connection: &mut MultiplexedConnection,
) -> Result<(), RedisError> {
    let wire = format!("{} 0\nlost", inner.me.simple());
    let mut pipe = Pipeline::new();
    pipe.publish(inner.name(ALL), wire).ignore();
    pipe.query_async(connection).await
}

/// At the end of the server: what waits is said, if Redis is there.
async fn say_the_rest(inner: &Inner, mut waiting: mpsc::Receiver<Saying>, mut batch: Vec<Saying>) {
    waiting.close();
    while let Ok(saying) = waiting.try_recv() {
        batch.push(saying);
    }
    let connection = inner.connection().take();
    if let Some(mut connection) = connection
        && !batch.is_empty()
    {
        let said = timeout(ANSWER_WITHIN, say(inner, &mut connection, &batch)).await;
        if !matches!(said, Ok(Ok(()))) {
            tracing::warn!("Redis was away at the end; other servers were not told all");
        }
    }
}
