//! Chat over data channels: who sends what on a session of the SFU, and what goes out there.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sfu::SessionId;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::Chat;
use super::message::Person;
use super::outbox::Outbox;
use super::protocol::Event;
use super::refusal::Refusal;
use super::visit::{Credential, JOIN_WITHIN, RENEW, Visit, Way, closing, read_join, refusing};
use crate::channels::{Channel, ChannelId};
use crate::error::ApiError;
use crate::streams::PeerData;

/// The label of the channel that carries what must arrive.
const CHAT: &str = "chat";
/// What may be lost has a channel of its own, where the client opened one.
const MAY_BE_LOST: &[&str] = &["reactions", CHAT];
const MUST_ARRIVE: &[&str] = &[CHAT];

/// Bytes of what was said that a newcomer gets in one frame: not all clients take messages on data
/// channels above 16 KiB, and ours take 64.
const HISTORY_BYTES: usize = 8 * 1024;
/// Frames of one session that wait to be read.
const WAITING: usize = 64;
/// A peer takes what it is sent within this time.
const TAKEN_WITHIN: Duration = Duration::from_secs(10);
/// Goodbyes are on their way within this time.
const SAID_WITHIN: Duration = Duration::from_secs(1);
/// Its buffer is full: it is tried again after this time.
const PAUSE: Duration = Duration::from_millis(50);

/// Somebody who waits until all are told that their sessions end.
pub(super) type Parting = oneshot::Sender<()>;

/// A session with a data channel for chat.
struct Peer {
    frames: mpsc::Sender<Bytes>,
}

/// Reads what peers send until the token is cancelled.
pub(super) async fn run(
    chat: Chat,
    mut data: mpsc::Receiver<PeerData>,
    mut partings: mpsc::Receiver<Parting>,
    stop: CancellationToken,
) {
    let mut peers: HashMap<SessionId, Peer> = HashMap::new();
    loop {
        let came = tokio::select! {
            came = data.recv() => came,
            Some(said) = partings.recv() => {
                let sessions: Vec<SessionId> = peers.keys().copied().collect();
                tokio::spawn(send_off(chat.clone(), sessions, said));
                continue;
            }
            () = stop.cancelled() => return,
        };
        match came {
            Some(PeerData::Opened {
                session,
                channel,
                address,
                label,
                is_preview,
            }) if label == CHAT => {
                let (frames, waiting) = mpsc::channel(WAITING);
                let line = Line {
                    chat: chat.clone(),
                    session,
                    is_preview,
                };
                tokio::spawn(line.run(channel, address, waiting));
                peers.insert(session, Peer { frames });
            }
            Some(PeerData::Opened { .. }) => {}
            Some(PeerData::Came { session, payload }) => {
                if let Some(peer) = peers.get(&session) {
                    // Who sends faster than it is read loses what it sends.
                    let _ = peer.frames.try_send(payload);
                }
            }
            Some(PeerData::Closed { session }) => {
                peers.remove(&session);
            }
            None => return,
        }
    }
}

/// Tells sessions that they end, and who waits for that.
async fn send_off(chat: Chat, sessions: Vec<SessionId>, said: Parting) {
    let frame = Event::Reconnect.encode();
    let mut sending = JoinSet::new();
    for session in sessions {
        let (sfu, frame) = (chat.0.sfu.clone(), frame.clone());
        sending.spawn(async move { sfu.send_data(session, MUST_ARRIVE, frame).await });
    }
    // Who has no room for it hears it by the end of its session.
    let _ = timeout(SAID_WITHIN, sending.join_all()).await;
    let _ = said.send(());
}

/// One session's chat.
struct Line {
    chat: Chat,
    session: SessionId,
    is_preview: bool,
}

impl Line {
    async fn run(self, channel: ChannelId, address: IpAddr, mut frames: mpsc::Receiver<Bytes>) {
        let entered = tokio::select! {
            entered = Box::pin(self.enter(channel, address, &mut frames)) => entered,
            () = self.chat.0.stop.cancelled() => return,
        };
        match entered {
            Ok(Some(visit)) => {
                let chat = self.chat.clone();
                chat.0.threads.spawn(self.converse(visit, frames));
            }
            Ok(None) => {}
            Err(refusal) => {
                self.send(MUST_ARRIVE, refusing(&refusal)).await;
            }
        }
    }

    /// Waits for `join`. None: the session is over.
    async fn enter(
        &self,
        channel: ChannelId,
        address: IpAddr,
        frames: &mut mpsc::Receiver<Bytes>,
    ) -> Result<Option<Visit>, Refusal> {
        let late = || Refusal::new("join_missing", "send `join` within ten seconds");
        if self.is_preview {
            let words = "the chat is for who may watch: a preview does not show it";
            return Err(Refusal::new("preview_only", words));
        }
        // Before it is known whose room it is.
        let doors = self.chat.doors();
        let first = timeout(JOIN_WITHIN, frames.recv()).await;
        let Some(first) = first.map_err(|_| late())? else {
            return Ok(None);
        };
        let malformed = || Refusal::new("malformed", "frames are JSON in UTF-8");
        let join = read_join(std::str::from_utf8(&first).map_err(|_| malformed())?)?;
        let found = self.chat.0.channels.by_id(channel).await;
        let found = found.map_err(|error| Refusal::from(ApiError::from(error)))?;
        let Some(channel) = found else {
            return Ok(None);
        };
        let person = match &join.token {
            Some(token) => self.chat.by_token(&channel, token, address).await?,
            None => self.chat.stranger(&join, address).await?,
        };
        let outbox = Arc::new(Outbox::default());
        let way = Way {
            credential: Credential::None,
            doors,
            most_history: HISTORY_BYTES,
        };
        let visit = self
            .chat
            .visit(Arc::new(channel), person, join.after, outbox, way);
        visit.await.map(Some)
    }

    async fn converse(self, mut visit: Visit, mut frames: mpsc::Receiver<Bytes>) {
        let outbox = Arc::clone(&visit.outbox);
        let mut renew = tokio::time::interval(RENEW);
        renew.reset();
        let why = loop {
            tokio::select! {
                biased;
                came = frames.recv() => match came {
                    Some(frame) => match std::str::from_utf8(&frame) {
                        Ok(text) => visit.take(text),
                        Err(_) => visit.take(""),
                    },
                    None => return,
                },
                ready = outbox.take() => match ready {
                    Ok(ready) => {
                        for frame in ready {
                            let labels = match frame.is_droppable {
                                true => MAY_BE_LOST,
                                false => MUST_ARRIVE,
                            };
                            if !self.send(labels, frame.text).await && !frame.is_droppable {
                                return;
                            }
                        }
                    }
                    Err(closed) => break closed,
                },
                _ = renew.tick() => visit.renew(),
            }
        };
        drop(visit);
        self.send(MUST_ARRIVE, closing(why)).await;
    }

    /// Sends a frame. What may be lost is tried once.
    async fn send(&self, labels: &'static [&'static str], frame: Bytes) -> bool {
        let sfu = &self.chat.0.sfu;
        let sent = async {
            while !sfu.send_data(self.session, labels, frame.clone()).await {
                if labels == MAY_BE_LOST {
                    return false;
                }
                tokio::time::sleep(PAUSE).await;
            }
            true
        };
        timeout(TAKEN_WITHIN, sent).await.unwrap_or(false)
    }
}

impl Chat {
    /// Tells everybody with a data channel to connect again, since their sessions are about to end. Returns once
    /// that has left, or should have.
    pub async fn say_goodbye(&self) {
        let (said, heard) = oneshot::channel();
        if self.0.partings.send(said).await.is_ok() {
            let _ = timeout(SAID_WITHIN * 2, heard).await;
        }
    }

    /// Whom a token names.
    pub(super) async fn by_token(
        &self,
        channel: &Channel,
        token: &str,
        address: IpAddr,
    ) -> Result<Person, Refusal> {
        let account = self.0.tokens.take(token, channel.id, self.0.clock.now())?;
        let found = async {
            let account = self.0.accounts.unsuspended(account).await?;
            match account {
                Some(account) => self.member(channel, &account, address).await.map(Some),
                None => Ok(None),
            }
        };
        let found = found.await;
        let found = found.map_err(|error| Refusal::from(ApiError::from(error)))?;
        found.ok_or_else(|| Refusal::new("token_invalid", "this account is no more"))
    }
}
