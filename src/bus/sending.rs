//! Says what waits, in order, as soon as Redis is there.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Pipeline, RedisError, Value};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    ALL, ANSWER_WITHIN, FIRST_PAUSE, Inner, KEPT_FOR, LONGEST_PAUSE, Lasting, MOST_KEPT, Saying,
    WIRE,
};

/// Words that are said in one go.
const BATCH: usize = 200;

pub(super) async fn run(
    inner: Arc<Inner>,
    mut waiting: mpsc::Receiver<Saying>,
    stop: CancellationToken,
) {
    let mut batch = Vec::new();
    let mut pause = FIRST_PAUSE;
    loop {
        let spoken = tokio::select! {
            spoken = speak(&inner, &mut waiting, &mut batch, &mut pause) => spoken,
            () = stop.cancelled() => break,
        };
        inner.sends.store(false, Ordering::Release);
        *inner.connection() = None;
        batch.retain(|saying| saying.lasting != Lasting::Fleeting);
        if pause == FIRST_PAUSE {
            tracing::warn!(
                error = %spoken,
                "Redis does not take what this server says: {spoken}; is it running, and are address \
                 and password in bus.url right?"
            );
        }
        tokio::select! {
            () = sleep(pause) => {}
            () = stop.cancelled() => break,
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    say_the_rest(&inner, waiting, batch).await;
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

/// Says words that Redis may refuse, as it does when it has no memory left: then they are not waited for.
async fn say(
    inner: &Inner,
    connection: &mut MultiplexedConnection,
    batch: &[Saying],
) -> Result<(), RedisError> {
    let mut pipe = Pipeline::with_capacity(batch.len() * 3);
    let mut publishes = Vec::with_capacity(batch.len());
    for saying in batch {
        if saying.lasting == Lasting::Kept {
            let kept = inner.kept_name(&saying.topic);
            pipe.cmd("XADD").arg(&kept);
            pipe.arg("MAXLEN").arg("~").arg(MOST_KEPT);
            pipe.arg("*").arg(WIRE).arg(&saying.wire);
            pipe.expire(&kept, KEPT_FOR);
        }
        publishes.push(pipe.len());
        pipe.publish(inner.name(&saying.topic), &saying.wire);
    }
    pipe.ignore_errors();
    let answers: Vec<Result<Value, RedisError>> = pipe.query_async(connection).await?;
    let refused = answers.iter().find_map(|answer| answer.as_ref().err());
    let was_refused = inner.is_refused.swap(refused.is_some(), Ordering::AcqRel);
    if let Some(error) = refused.filter(|_| !was_refused) {
        tracing::error!(
            %error,
            "Redis refuses what this server says: {error}; see to its memory, its disk, and the rights \
             of the user in bus.url. Until it takes them, servers tell one another by the database"
        );
    }
    let is_unsaid = |at: &usize| answers.get(*at).is_none_or(Result::is_err);
    if publishes.iter().any(is_unsaid) {
        inner.has_lost.store(true, Ordering::Release);
    }
    Ok(())
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
    batch.retain(|saying| saying.lasting != Lasting::Fleeting);
    if batch.is_empty() {
        return;
    }
    let connection = inner.connection().take();
    let said = match connection {
        Some(mut connection) => {
            let said = say(inner, &mut connection, &batch);
            matches!(timeout(ANSWER_WITHIN, said).await, Ok(Ok(())))
        }
        None => false,
    };
    if !said {
        tracing::warn!("Redis was away at the end; other servers learn the rest from the database");
    }
}
