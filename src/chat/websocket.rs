//! Chat over a WebSocket (RFC 6455).

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{Message as Frame, Utf8Bytes, WebSocket, WebSocketUpgrade};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt as _};
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

use super::Chat;
use super::message::Person;
use super::outbox::{self, Closed, Outbox};
use super::protocol::{Join, MOST_FRAME};
use super::refusal::Refusal;
use super::visit::{Credential, JOIN_WITHIN, RENEW, Visit, Way, closing, read_join, refusing};
use crate::channels::Channel;

/// Who opened it, as far as the request told.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) opener: Opener,
    pub(super) credential: Credential,
    /// How many doors had been shut before they were looked at.
    pub(super) doors: u64,
}

/// Somebody with an account, or not.
#[derive(Debug)]
pub(super) enum Opener {
    /// Somebody with an account.
    Member(Person),
    /// Somebody at this address.
    Stranger(IpAddr),
}

/// How often we ask whether somebody is there.
const PING: Duration = Duration::from_secs(25);
/// Who says nothing for so long, not even that they are there, is gone.
const SILENCE: Duration = Duration::from_secs(60);
/// A peer that was told that it is over has gone by then.
const LEAVES_WITHIN: Duration = Duration::from_secs(2);
/// A client takes what it is sent within this time.
const TAKEN_WITHIN: Duration = Duration::from_secs(10);
/// Bytes of what was said that a newcomer gets in one frame: a connection keeps room for its largest.
const HISTORY_BYTES: usize = 4 * 1024;
/// Most that is read at once: frames are small, and most connections are idle.
const READ_BUFFER: usize = 4 * 1024;

impl Chat {
    /// Goes over to WebSocket.
    pub(super) fn open_socket(
        self,
        upgrade: WebSocketUpgrade,
        channel: Channel,
        opening: Opening,
    ) -> axum::response::Response {
        upgrade
            .max_message_size(MOST_FRAME)
            .max_frame_size(MOST_FRAME)
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(0)
            .on_upgrade(move |socket| async move {
                let entered = self.welcome(socket, channel, opening).await;
                if let Some((visit, socket)) = entered {
                    self.0.threads.spawn(converse(visit, socket));
                }
            })
    }

    async fn welcome(
        &self,
        mut socket: WebSocket,
        channel: Channel,
        opening: Opening,
    ) -> Option<(Visit, WebSocket)> {
        let entered = tokio::select! {
            entered = self.enter(&mut socket, channel, opening) => entered,
            () = self.0.stop.cancelled() => return None,
        };
        match entered {
            Ok(visit) => Some((visit, socket)),
            Err(refusal) => {
                let last = async {
                    let _ = socket.send(text(refusing(&refusal))).await;
                    let _ = socket.send(Frame::Close(None)).await;
                };
                let _ = timeout(TAKEN_WITHIN, last).await;
                None
            }
        }
    }

    async fn enter(
        &self,
        socket: &mut WebSocket,
        channel: Channel,
        opening: Opening,
    ) -> Result<Visit, Refusal> {
        let Opening {
            opener,
            credential,
            doors,
        } = opening;
        let join = first_frame(socket).await?;
        let person = match opener {
            Opener::Member(person) => person,
            Opener::Stranger(address) => match &join.token {
                Some(token) => self.by_token(&channel, token, address).await?,
                None => self.stranger(&join, address).await?,
            },
        };
        let outbox = Arc::new(Outbox::default());
        let channel = Arc::new(channel);
        let way = Way {
            credential,
            doors,
            most_history: HISTORY_BYTES,
        };
        self.visit(channel, person, join.after, outbox, way).await
    }
}

async fn first_frame(socket: &mut WebSocket) -> Result<Join, Refusal> {
    let wait = async {
        loop {
            match socket.recv().await {
                Some(Ok(Frame::Text(text))) => return read_join(&text),
                Some(Ok(Frame::Ping(_) | Frame::Pong(_))) => {}
                _ => return Err(Refusal::new("malformed", "the first frame is `join`")),
            }
        }
    };
    let late = || Refusal::new("join_missing", "send `join` within ten seconds");
    timeout(JOIN_WITHIN, wait)
        .await
        .unwrap_or_else(|_| Err(late()))
}

/// Until either side ends it.
async fn converse(mut visit: Visit, socket: WebSocket) {
    let (mut sink, mut stream) = socket.split();
    let outbox = Arc::clone(&visit.outbox);
    let now = Instant::now();
    let mut ping = interval_at(now + PING, PING);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut heard, mut renewed) = (now, now);
    let why = loop {
        tokio::select! {
            biased;
            came = stream.next() => {
                heard = Instant::now();
                match came {
                    Some(Ok(Frame::Text(text))) => visit.take(&text),
                    Some(Ok(Frame::Ping(_) | Frame::Pong(_))) => {}
                    Some(Ok(Frame::Binary(_))) => break Some(Closed::Malformed),
                    Some(Ok(Frame::Close(_))) | None => break None,
                    Some(Err(error)) => break too_large(&error),
                }
            }
            frames = outbox.take() => match frames {
                Ok(frames) => {
                    if !matches!(timeout(TAKEN_WITHIN, send_all(&mut sink, frames)).await, Ok(Ok(()))) {
                        break None;
                    }
                }
                Err(closed) => break Some(closed),
            },
            _ = ping.tick() => {
                if heard.elapsed() > SILENCE {
                    break None;
                }
                if renewed.elapsed() > RENEW {
                    renewed = Instant::now();
                    visit.renew();
                }
                if !matches!(timeout(TAKEN_WITHIN, sink.send(Frame::Ping(Bytes::new()))).await, Ok(Ok(()))) {
                    break None;
                }
            }
        }
    };
    drop(visit);
    let Some(why) = why else {
        return;
    };
    let last = async {
        let _ = sink.send(text(closing(why))).await;
        let _ = sink.send(Frame::Close(None)).await;
    };
    if timeout(TAKEN_WITHIN, last).await.is_ok() {
        // What they had sent already, left unread, would be answered by a reset that takes our last words with it.
        let rest = async { while let Some(Ok(_)) = stream.next().await {} };
        let _ = timeout(LEAVES_WITHIN, rest).await;
    }
}

async fn send_all(
    sink: &mut (impl SinkExt<Frame, Error = axum::Error> + Unpin),
    frames: VecDeque<outbox::Frame>,
) -> Result<(), axum::Error> {
    for frame in frames {
        sink.feed(text(frame.text)).await?;
    }
    sink.flush().await
}

fn text(bytes: Bytes) -> Frame {
    // What we write is JSON.
    Frame::Text(Utf8Bytes::try_from(bytes).unwrap_or_default())
}

/// What the peer is told of a frame that could not be read.
fn too_large(error: &axum::Error) -> Option<Closed> {
    let words = error.to_string();
    (words.contains("too long") || words.contains("too large")).then_some(Closed::TooLarge)
}
