//! Hears what others say, and comes back after an outage.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::StreamExt as _;
use redis::aio::{PubSubSink, PubSubStream};
use redis::{Msg, RedisError, Value};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{ALL, ANSWER_WITHIN, Ask, FIRST_PAUSE, Heard, Inner, LONGEST_PAUSE};

/// A Redis that says nothing may hang: it is asked this often.
const PULSE: Duration = Duration::from_secs(2);

pub(super) async fn run(
    inner: Arc<Inner>,
    mut asks: mpsc::UnboundedReceiver<Ask>,
    stop: CancellationToken,
) {
    let mut pause = FIRST_PAUSE;
    loop {
        let listened = tokio::select! {
            listened = listen(&inner, &mut asks, &mut pause) => listened,
            () = stop.cancelled() => return,
        };
        inner.hears.store(false, Ordering::Release);
        metrics::gauge!("tallylight_bus_up").set(0.0);
        if pause == FIRST_PAUSE {
            tracing::warn!("Redis is away; this server goes on alone: {listened}");
        }
        tokio::select! {
            () = settle(&mut asks, pause) => {}
            () = stop.cancelled() => return,
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Waits; whoever wants to follow something is not kept waiting meanwhile.
async fn settle(asks: &mut mpsc::UnboundedReceiver<Ask>, pause: Duration) {
    let over = sleep(pause);
    tokio::pin!(over);
    loop {
        tokio::select! {
            () = &mut over => return,
            ask = asks.recv() => match ask {
                // All that is followed is asked for when Redis is back.
                Some(Ask::Follow(_, done)) => drop(done.send(())),
                Some(Ask::Leave(_)) => {}
                None => return over.await,
            }
        }
    }
}

/// Listens until that ends, and says why.
async fn listen(
    inner: &Inner,
    asks: &mut mpsc::UnboundedReceiver<Ask>,
    pause: &mut Duration,
) -> String {
    let (mut sink, mut stream) = match connect(inner).await {
        Ok(halves) => halves,
        Err(why) => return why,
    };
    *pause = FIRST_PAUSE;
    inner.hears.store(true, Ordering::Release);
    metrics::gauge!("tallylight_bus_up").set(1.0);
    tracing::info!("Redis is there");
    inner.tell(Heard::Back);
    let mut pulse = interval(PULSE);
    pulse.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let done = tokio::select! {
            message = stream.next() => match message {
                Some(message) => {
                    inner.take(&message);
                    Ok(())
                }
                None => return "the connection ended".to_owned(),
            },
            Some(ask) = asks.recv() => inner.follow(&mut sink, ask).await,
            _ = pulse.tick() => answered(sink.ping::<Value>()).await.map(drop),
        };
        if let Err(why) = done {
            return why;
        }
    }
}

async fn connect(inner: &Inner) -> Result<(PubSubSink, PubSubStream), String> {
    let (mut sink, stream) = answered(inner.client.get_async_pubsub()).await?.split();
    let mut names: Vec<String> = inner
        .topics()
        .iter()
        .map(|topic| inner.name(topic))
        .collect();
    names.push(inner.name(ALL));
    answered(sink.subscribe(names)).await?;
    Ok((sink, stream))
}

/// An answer within the time that Redis has for it.
async fn answered<T>(answer: impl Future<Output = Result<T, RedisError>>) -> Result<T, String> {
    match timeout(ANSWER_WITHIN, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} s", ANSWER_WITHIN.as_secs())),
    }
}

impl Inner {
    async fn follow(&self, sink: &mut PubSubSink, ask: Ask) -> Result<(), String> {
        match ask {
            Ask::Follow(topic, done) => {
                let followed = answered(sink.subscribe(self.name(&topic))).await;
                // Whoever asked may have given up.
                let _ = done.send(());
                followed
            }
            // Somebody may follow it again.
            Ask::Leave(topic) if self.topics().contains(&topic) => Ok(()),
            Ask::Leave(topic) => answered(sink.unsubscribe(self.name(&topic))).await,
        }
    }

    fn take(&self, message: &Msg) {
        let name = message.get_channel_name();
        let topic = (name.strip_prefix(&self.prefix)).and_then(|rest| rest.strip_prefix(':'));
        let Ok(wire) = message.get_payload::<String>() else {
            return;
        };
        let said = topic.and_then(|topic| self.read(topic, &wire));
        match said {
            Some(said) if said.topic == ALL => self.tell(Heard::Back),
            Some(said) => self.tell(Heard::Said(Arc::new(said))),
            None => {}
        }
    }

    fn tell(&self, heard: Heard) {
        // Nobody may be listening yet.
        let _ = self.heard.send(heard);
    }
}
