//! [`Visit`]: somebody in a room, by whatever way they came.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Chat;
use super::connections::Seat;
use super::hall::{Hall, ReaderId};
use super::listener::ChatEvent;
use super::message::{Message, Person, Subject};
use super::outbox::{Closed, Outbox};
use super::protocol::{ClientFrame, Event, Join, VERSION, read};
use super::refusal::Refusal;
use super::room::{Draft, Given};
use crate::channels::Channel;
use crate::db::StoreError;
use crate::error::{ApiError, log_store_error};
use crate::secret::Secret;

/// Somebody in a room. Dropped, they have left.
#[derive(Debug)]
pub(super) struct Visit {
    chat: Chat,
    channel: Arc<Channel>,
    hall: Arc<Hall>,
    reader: ReaderId,
    pub(super) outbox: Arc<Outbox>,
    credential: Credential,
    strikes: u8,
    /// Frames of the present second.
    frames: (Instant, u32),
    _seat: Seat,
}

/// How somebody came.
#[derive(Debug)]
pub(super) struct Way {
    /// By what they were known.
    pub(super) credential: Credential,
    /// How many doors had been shut when they were looked at.
    pub(super) doors: u64,
    /// Bytes of what was said that they get in one frame.
    pub(super) most_history: usize,
}

/// What must still be good for somebody to stay.
#[derive(Debug, Clone)]
pub(super) enum Credential {
    /// A login's cookie.
    Login(Secret),
    /// A personal token.
    Token(Secret),
    /// Nothing of the kind: the account itself.
    None,
}

/// Malformed frames of one connection.
const MOST_STRIKES: u8 = 3;
/// Frames of one connection in a second, whatever they are.
const MOST_FRAMES: u32 = 100;
/// Who somebody is, and whether they still may, is looked up anew this often.
pub(super) const RENEW: Duration = Duration::from_secs(60);
/// Somebody who came in says who they are within this time.
pub(super) const JOIN_WITHIN: Duration = Duration::from_secs(10);

/// Reads the first frame.
///
/// # Errors
/// When it is no `join` of our version.
pub(super) fn read_join(text: &str) -> Result<Join, Refusal> {
    match read(text) {
        Ok(ClientFrame::Join(join)) if join.v == VERSION => Ok(join),
        Ok(ClientFrame::Join(_)) => {
            let words = format!("this server speaks version {VERSION}");
            Err(Refusal::new("version_unknown", words))
        }
        Ok(_) => Err(Refusal::new("malformed", "the first frame is `join`")),
        Err((code, words)) => Err(Refusal::new(code, words)),
    }
}

impl Chat {
    /// Lets somebody in, who was looked at when so many doors had been shut.
    ///
    /// # Errors
    /// When they have too many connections, or the database fails.
    pub(super) async fn visit(
        &self,
        channel: Arc<Channel>,
        person: Person,
        after: Option<i64>,
        outbox: Arc<Outbox>,
        way: Way,
    ) -> Result<Visit, Refusal> {
        let seat = self.0.connections.seat(&person).ok_or_else(|| {
            let (code, words) = Closed::TooMany.words();
            Refusal::new(code, words)
        })?;
        let hall = self.hall(&channel).await;
        let hall = hall.map_err(|error| Refusal::from(ApiError::from(error)))?;
        let reader = hall.enter(person, after, Arc::clone(&outbox), way.most_history);
        if way.doors != self.doors() {
            // They may be let in again, as whom they are now.
            outbox.close(Closed::Door);
        }
        Ok(Visit {
            chat: self.clone(),
            channel,
            hall,
            reader,
            outbox,
            credential: way.credential,
            strikes: 0,
            frames: (self.0.clock.instant(), 0),
            _seat: seat,
        })
    }

    /// Says something in a room; others hear of it.
    pub(super) fn say(
        &self,
        hall: &Arc<Hall>,
        who: &Person,
        draft: Draft,
    ) -> Result<(Given, Option<Arc<Message>>), Refusal> {
        let said = hall.say(who, draft)?;
        if let (Given::Shown(_), Some(message)) = &said
            && self.0.events.receiver_count() > 0
        {
            self.tell(ChatEvent::said(hall.channel, message));
        }
        Ok(said)
    }
}

impl Visit {
    /// Takes a frame; what there is to say to it goes into the outbox, as does the end of the visit.
    pub(super) fn take(&mut self, text: &str) {
        let now = self.chat.0.clock.instant();
        if now.saturating_duration_since(self.frames.0) >= Duration::from_secs(1) {
            self.frames = (now, 0);
        }
        self.frames.1 += 1;
        if self.frames.1 > MOST_FRAMES {
            return self.outbox.close(Closed::Malformed);
        }
        match read(text) {
            Ok(frame) => self.act(frame),
            Err(("too_large", _)) => self.outbox.close(Closed::TooLarge),
            Err((code, words)) => {
                self.answer(&Event::refused(None, &Refusal::new(code, words)));
                self.strikes += 1;
                if self.strikes >= MOST_STRIKES {
                    self.outbox.close(Closed::Malformed);
                }
            }
        }
    }

    fn act(&self, frame: ClientFrame) {
        let Some(person) = self.hall.person(self.reader) else {
            return;
        };
        match frame {
            ClientFrame::Join(_) => {
                let refusal = Refusal::new("malformed", "you have come in already");
                self.answer(&Event::refused(None, &refusal));
            }
            ClientFrame::Send {
                reference,
                text,
                reply_to,
                seen_ms,
            } => {
                let draft = Draft {
                    reference: Some(reference.clone()),
                    text,
                    reply_to,
                    seen_ms,
                    ..Draft::default()
                };
                self.say(&person, draft, &reference);
            }
            ClientFrame::React { emoji, seen_ms } => {
                if let Err(refusal) = self.hall.react(&person, &emoji, seen_ms) {
                    self.answer(&Event::refused(None, &refusal));
                }
            }
            ClientFrame::Ping => self.answer(&Event::Pong),
        }
    }

    fn say(&self, person: &Person, draft: Draft, reference: &str) {
        match self.chat.say(&self.hall, person, draft) {
            Ok((Given::Shown(id), _)) => self.answer(&Event::Accepted { reference, id }),
            Ok((Given::Held(id), _)) => self.answer(&Event::Held { reference, id }),
            Err(refusal) => self.answer(&Event::refused(Some(reference), &refusal)),
        }
    }

    fn answer(&self, event: &Event<'_>) {
        self.outbox.push(event.encode(), false);
    }

    /// Looks up who they are anew, as an account that was suspended is nobody any more. While the database
    /// is away they stay who they were.
    pub(super) fn renew(&self) {
        let Some(person) = self.hall.person(self.reader) else {
            return;
        };
        let (chat, channel) = (self.chat.clone(), Arc::clone(&self.channel));
        let (hall, outbox) = (Arc::clone(&self.hall), Arc::clone(&self.outbox));
        let credential = self.credential.clone();
        let renewed = async move {
            let is_good = chat.is_good(&credential).await;
            if let Ok(false) = is_good {
                return outbox.close(Closed::Door);
            }
            if let Err(error) = chat.renew(&channel, &hall, &person, &outbox).await {
                log_store_error(&error);
            }
        };
        self.chat.0.threads.others().spawn(renewed);
    }
}

impl Chat {
    async fn renew(
        &self,
        channel: &Channel,
        hall: &Hall,
        person: &Person,
        outbox: &Outbox,
    ) -> Result<(), StoreError> {
        let Some(Subject::Account(id)) = person.subject else {
            return Ok(());
        };
        let Some(account) = self.0.accounts.unsuspended(id).await? else {
            outbox.close(Closed::Door);
            return Ok(());
        };
        let fresh = self.member(channel, &account, person.address).await?;
        hall.renew(&Subject::Account(id), |known| {
            *known = Person {
                may_write: known.may_write,
                address: known.address,
                network: Arc::clone(&known.network),
                ..fresh.clone()
            };
        });
        Ok(())
    }

    /// Whether a login or a token still is one. While that cannot be told, it is.
    async fn is_good(&self, credential: &Credential) -> Result<bool, StoreError> {
        match credential {
            Credential::None => Ok(true),
            Credential::Login(token) => Ok(self.0.accounts.signed_in(token).await?.is_some()),
            Credential::Token(token) => match self.0.accounts.by_token(token).await {
                Ok(_) => Ok(true),
                Err(ApiError::Store(error)) => Err(error),
                Err(_) => Ok(false),
            },
        }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.hall.leave(self.reader);
    }
}

/// The last frame of a connection.
pub(super) fn closing(why: Closed) -> bytes::Bytes {
    let (code, detail) = why.words();
    Event::Closed { code, detail }.encode()
}

/// The last frame of a connection that was not let in.
pub(super) fn refusing(refusal: &Refusal) -> bytes::Bytes {
    Event::Closed {
        code: refusal.code,
        detail: &refusal.detail,
    }
    .encode()
}
