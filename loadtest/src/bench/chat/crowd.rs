//! Those who are in the room: by WebSocket and by data channel, those who read and those who write.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use str0m::net::Protocol;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{interval, sleep, timeout};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::super::{crowd::end_all, progress};
use crate::chat::frames::{self, Hello, Mark, Reading};
use crate::chat::seen::Ear;
use crate::chat::socket::{ChatError, Room, Socket, Who};
use crate::clock;
use crate::signalling::{Endpoint, Session};
use crate::{Driver, Sent, ViewerSpec, Watching};

/// All who are in the room. Dropped, those who read by WebSocket are gone.
#[derive(Debug)]
pub(super) struct Crowd {
    room: Room,
    pub(super) reading: Arc<Reading>,
    mark: Mark,
    tasks: JoinSet<()>,
    pub(super) readers: Vec<Ear>,
    pub(super) watchers: Vec<Ear>,
    pub(super) writers: Vec<Writer>,
    drivers: Vec<Driver>,
    sessions: Vec<Session>,
}

/// Somebody who may write, and does when told to.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) ear: Ear,
    orders: mpsc::Sender<Order>,
}

/// Somebody on their way into the room.
type Entered = Result<(Socket, Ear), ChatError>;

/// What somebody is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Say that message of the run.
    Say(u64),
    React,
}

/// Connections that are being made at once.
const MOST_JOINING: usize = 128;
/// Orders of one that wait to be done; more are lost, and this client was the limit.
const MOST_ORDERS: usize = 16;
/// A data channel is open, and `join` answered, in this time.
const HELLO_WITHIN: Duration = Duration::from_secs(15);
/// Leaving a server that does not answer takes no longer.
const LEAVE_WITHIN: Duration = Duration::from_secs(20);

impl Crowd {
    pub(super) fn new(room: Room, mark: Mark) -> Self {
        Self {
            room,
            reading: Arc::new(Reading::new(mark)),
            mark,
            tasks: JoinSet::new(),
            readers: Vec::new(),
            watchers: Vec::new(),
            writers: Vec::new(),
            drivers: Vec::new(),
            sessions: Vec::new(),
        }
    }

    pub(super) fn room(&self) -> &Room {
        &self.room
    }

    /// Everybody's ear.
    pub(super) fn ears(&self) -> impl Iterator<Item = &Ear> {
        let writers = self.writers.iter().map(|writer| &writer.ear);
        self.readers.iter().chain(&self.watchers).chain(writers)
    }

    /// Lets those in who write.
    pub(super) async fn add_writers(&mut self, tokens: &[String]) -> anyhow::Result<()> {
        for (number, token) in tokens.iter().enumerate() {
            let who = Who::Token(token.clone());
            let joined = join(&self.room, who, &self.reading).await;
            let (socket, ear) =
                joined.with_context(|| format!("cannot come in with token {}", number + 1))?;
            self.attend_as_writer(socket, ear);
        }
        Ok(())
    }

    /// How one finds the room who only reads.
    pub(super) async fn look_in(&self) -> anyhow::Result<Hello> {
        let joined = join(&self.room, Who::Reader, &self.reading).await?;
        let hello = joined.1.seen().hello.clone();
        hello.map(|hello| *hello).ok_or_else(|| anyhow!("no hello"))
    }

    /// Lets so many readers in by WebSocket, `ramp` of them a second; as guests they may react.
    pub(super) async fn add_sockets(
        &mut self,
        count: u16,
        ramp: u16,
        as_guests: bool,
    ) -> anyhow::Result<()> {
        let mut pause = interval(Duration::from_secs(1) / u32::from(ramp));
        let mut joining = JoinSet::new();
        // No guest is there twice.
        let first = self.writers.len();
        for number in 0..count {
            pause.tick().await;
            let guest = first + usize::from(number);
            let who = match as_guests {
                true => Who::Guest(format!("guest-of-{:08x}-{guest:05}", self.mark.0)),
                false => Who::Reader,
            };
            let (room, reading) = (self.room.clone(), Arc::clone(&self.reading));
            joining.spawn(async move { join(&room, who, &reading).await });
            while joining.len() >= MOST_JOINING {
                self.take_joined(joining.join_next().await, as_guests)?;
            }
            while let Some(joined) = joining.try_join_next() {
                self.take_joined(Some(joined), as_guests)?;
            }
            if (number + 1).is_multiple_of(ramp) && number + 1 < count {
                progress(&format!("{} came in", number + 1));
            }
        }
        while !joining.is_empty() {
            self.take_joined(joining.join_next().await, as_guests)?;
        }
        Ok(())
    }

    fn take_joined(
        &mut self,
        joined: Option<Result<Entered, JoinError>>,
        as_guest: bool,
    ) -> anyhow::Result<()> {
        let Some(joined) = joined else {
            return Ok(());
        };
        let number = self.readers.len() + 1;
        let (socket, ear) = joined?.with_context(|| format!("cannot come in (reader {number})"))?;
        match as_guest {
            true => self.attend_as_writer(socket, ear),
            false => {
                self.readers.push(ear.clone());
                self.tasks.spawn(read(socket, ear));
            }
        }
        Ok(())
    }

    fn attend_as_writer(&mut self, socket: Socket, ear: Ear) {
        let (sender, orders) = mpsc::channel(MOST_ORDERS);
        self.writers.push(Writer {
            ear: ear.clone(),
            orders: sender,
        });
        self.tasks.spawn(write(socket, ear, orders, self.mark));
    }

    /// Lets so many watch, who read by data channel.
    pub(super) async fn add_watchers(
        &mut self,
        whep: &Endpoint,
        count: u16,
        ramp: u16,
        threads: u16,
    ) -> anyhow::Result<()> {
        let drivers = (0..threads).map(|_| Driver::start("viewers"));
        self.drivers = drivers.collect::<Result<_, _>>()?;
        let mut pause = interval(Duration::from_secs(1) / u32::from(ramp));
        let mut joining = JoinSet::new();
        for (number, driver) in (0..count).zip(self.drivers.clone().iter().cycle()) {
            pause.tick().await;
            let (driver, whep, ear) = (driver.clone(), whep.clone(), Ear::new(&self.reading));
            joining.spawn(async move {
                let watching = watch(&driver, &whep, &ear).await?;
                Ok::<_, anyhow::Error>((watching.session, ear))
            });
            while joining.len() >= MOST_JOINING {
                self.take_watching(joining.join_next().await)?;
            }
            while let Some(joined) = joining.try_join_next() {
                self.take_watching(Some(joined))?;
            }
            if (number + 1).is_multiple_of(ramp) && number + 1 < count {
                progress(&format!("{} watch", number + 1));
            }
        }
        while !joining.is_empty() {
            self.take_watching(joining.join_next().await)?;
        }
        Ok(())
    }

    fn take_watching(
        &mut self,
        joined: Option<Result<anyhow::Result<(Session, Ear)>, JoinError>>,
    ) -> anyhow::Result<()> {
        let Some(joined) = joined else {
            return Ok(());
        };
        let number = self.watchers.len() + 1;
        let (session, ear) = joined?.with_context(|| format!("cannot watch (viewer {number})"))?;
        self.sessions.push(session);
        self.watchers.push(ear);
        Ok(())
    }

    /// Everybody goes.
    pub(super) async fn leave(mut self) {
        self.tasks.shutdown().await;
        if timeout(LEAVE_WITHIN, end_all(self.sessions)).await.is_err() {
            progress("the server does not answer to the end of all sessions");
        }
        for driver in &self.drivers {
            let _ = driver.close_all().await;
        }
    }
}

impl Writer {
    /// Tells it what to do. Returns whether it can.
    pub(super) fn order(&self, order: Order) -> bool {
        self.orders.try_send(order).is_ok()
    }
}

async fn join(room: &Room, who: Who, reading: &Arc<Reading>) -> Entered {
    let ear = Ear::new(reading);
    let socket = Socket::join(room, &who, &ear).await?;
    Ok((socket, ear))
}

/// Reads until the connection ends.
async fn read(mut socket: Socket, ear: Ear) {
    loop {
        let came = socket.next().await;
        if !take(came, &ear) {
            return;
        }
    }
}

/// Hands on what came. Returns whether the connection goes on.
fn take(came: Result<Option<(Utf8Bytes, Duration)>, ChatError>, ear: &Ear) -> bool {
    let why = match came {
        Ok(Some((frame, at))) => {
            ear.hear(frame.as_bytes(), at);
            return true;
        }
        Ok(None) => "without a word".to_owned(),
        Err(error) => error.to_string(),
    };
    ear.seen().closed.get_or_insert(why);
    false
}

/// Reads, and writes when told to, until the connection ends.
async fn write(mut socket: Socket, ear: Ear, mut orders: mpsc::Receiver<Order>, mark: Mark) {
    let emoji = {
        let seen = ear.seen();
        let hello = seen.hello.as_ref();
        hello.and_then(|hello| hello.reactions.first().cloned())
    };
    loop {
        tokio::select! {
            biased;
            Some(order) = orders.recv() => {
                let frame = match order {
                    Order::Say(number) => {
                        let text = mark.text(number, clock::since_1970());
                        frames::send(&format!("{:08x}-{number}", mark.0), &text)
                    }
                    Order::React => frames::react(emoji.as_deref().unwrap_or_default()),
                };
                note(&ear, order);
                if let Err(error) = socket.send(frame).await {
                    ear.seen().closed.get_or_insert(error.to_string());
                    return;
                }
            }
            came = socket.next() => {
                if !take(came, &ear) {
                    return;
                }
            }
        }
    }
}

fn note(ear: &Ear, order: Order) {
    let did = &mut ear.seen().did;
    match order {
        Order::Say(_) => did.said += 1,
        Order::React => did.reacted += 1,
    }
}

/// Watches, and joins the chat by data channel.
async fn watch(driver: &Driver, whep: &Endpoint, ear: &Ear) -> anyhow::Result<Watching> {
    let spec = ViewerSpec {
        with_chat: true,
        ..ViewerSpec::default()
    };
    let watching = crate::watch(driver, whep, &spec, Protocol::Udp, &Sent::default()).await?;
    let entered = timeout(HELLO_WITHIN, enter(&watching, ear)).await;
    let entered = entered.unwrap_or_else(|_| {
        Err(anyhow!(
            "no `hello` came on the data channel within {} s",
            HELLO_WITHIN.as_secs()
        ))
    });
    match entered {
        Ok(()) => Ok(watching),
        Err(error) => {
            let _ = watching.session.delete().await;
            Err(error)
        }
    }
}

async fn enter(watching: &Watching, ear: &Ear) -> anyhow::Result<()> {
    let (driver, id) = (&watching.driver, watching.id);
    let theirs = ear.clone();
    let listens = driver.with(id, move |peer| {
        if let Some(viewer) = peer.viewer() {
            viewer.listen(move |frame, at| theirs.hear(frame, at));
        }
    });
    listens.await?;
    let join = frames::join(None);
    loop {
        let frame = join.clone();
        if driver
            .with(id, move |peer| peer.write("chat", &frame))
            .await?
        {
            break;
        }
        sleep(Duration::from_millis(20)).await;
    }
    loop {
        {
            let seen = ear.seen();
            if let Some(why) = &seen.closed {
                bail!("the server closed the chat: {why}");
            }
            if seen.hello.is_some() {
                return Ok(());
            }
        }
        sleep(Duration::from_millis(20)).await;
    }
}
