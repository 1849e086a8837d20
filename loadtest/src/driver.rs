//! The thread that runs light clients: it alone touches them, others ask it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token, Waker};
use tokio::sync::oneshot;

use crate::clock;
use crate::counts::{Milestones, ViewerReport};
use crate::link::Buffers;
use crate::peer::Peer;
use crate::publisher::PublishReport;

/// A thread with light clients. Clones share it; it ends with the last of them.
#[derive(Debug, Clone)]
pub struct Driver {
    orders: Sender<Order>,
    waker: Arc<Waker>,
}

/// Which client of a driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerId(usize);

/// How far the viewers of a driver have come; each number counts those before it, too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// All of them.
    pub viewers: usize,
    /// DTLS is up.
    pub connected: usize,
    /// A media packet came.
    pub receiving: usize,
    /// A whole key frame came: there is a picture.
    pub seeing: usize,
    /// The session is over.
    pub closed: usize,
}

impl Tally {
    /// Counts one more.
    pub fn add(&mut self, milestones: &Milestones, is_closed: bool) {
        self.viewers += 1;
        self.connected += usize::from(milestones.dtls.is_some());
        self.receiving += usize::from(milestones.first_packet.is_some());
        self.seeing += usize::from(milestones.first_key_frame.is_some());
        self.closed += usize::from(is_closed);
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.viewers += other.viewers;
        self.connected += other.connected;
        self.receiving += other.receiving;
        self.seeing += other.seeing;
        self.closed += other.closed;
    }
}

/// The thread is gone, or never came.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DriverError {
    /// It could not be started.
    #[error("cannot start a thread of clients: {0}")]
    Start(#[from] io::Error),
    /// It stopped.
    #[error("the thread of clients is gone")]
    Gone,
}

type Act = Box<dyn FnOnce(&mut Peer) + Send>;

enum Order {
    Add(Box<Peer>, oneshot::Sender<PeerId>),
    /// Does something with one client, or all.
    Act(PeerId, Act),
    Remove(PeerId, oneshot::Sender<()>),
    Reports(oneshot::Sender<Vec<ViewerReport>>),
    Tally(oneshot::Sender<Tally>),
    StartWindow(oneshot::Sender<()>),
    CloseAll(oneshot::Sender<()>),
}

struct Thread {
    poll: Poll,
    orders: Receiver<Order>,
    /// None where a client was taken out.
    peers: Vec<Option<Peer>>,
    /// When each client is looked at next; entries that came too early are put back.
    schedule: BinaryHeap<Reverse<(Instant, usize)>>,
    scheduled: Vec<Instant>,
    buffers: Buffers,
}

const WAKE: Token = Token(usize::MAX);
const LONGEST_WAIT: Duration = Duration::from_secs(1);

impl Driver {
    /// Starts a thread.
    ///
    /// # Errors
    /// When the system has no thread or no files for it.
    pub fn start(name: &str) -> Result<Self, DriverError> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let (sender, orders) = channel();
        let thread = Thread {
            poll,
            orders,
            peers: Vec::new(),
            schedule: BinaryHeap::new(),
            scheduled: Vec::new(),
            buffers: Buffers::new(),
        };
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || thread.run())?;
        Ok(Self {
            orders: sender,
            waker,
        })
    }

    /// Takes a client in.
    ///
    /// # Errors
    /// When the thread is gone.
    pub async fn add(&self, peer: Peer) -> Result<PeerId, DriverError> {
        let (sender, id) = oneshot::channel();
        self.order(Order::Add(Box::new(peer), sender))?;
        id.await.map_err(|_| DriverError::Gone)
    }

    /// Does something with a client, on its thread. Cancelling does not take it back.
    ///
    /// # Errors
    /// When the thread is gone.
    pub async fn with<T: Send + 'static>(
        &self,
        id: PeerId,
        act: impl FnOnce(&mut Peer) -> T + Send + 'static,
    ) -> Result<T, DriverError> {
        let (sender, result) = oneshot::channel();
        let act = Box::new(move |peer: &mut Peer| {
            // Nobody waits for the result when the asker was cancelled.
            let _ = sender.send(act(peer));
        });
        self.order(Order::Act(id, act))?;
        result.await.map_err(|_| DriverError::Gone)
    }

    /// Takes a client out without a word to the server, as one that lost its network.
    ///
    /// # Errors
    /// When the thread is gone.
    pub async fn remove(&self, id: PeerId) -> Result<(), DriverError> {
        self.ask(|reply| Order::Remove(id, reply)).await
    }

    /// What a viewer saw.
    ///
    /// # Errors
    /// When the thread is gone.
    pub async fn view_report(&self, id: PeerId) -> Result<ViewerReport, DriverError> {
        let report = self.with(id, |peer| view_report(peer).unwrap_or_default());
        report.await
    }

    /// What a publisher did.
    ///
    /// # Errors
    /// When the thread is gone.
    pub async fn publish_report(&self, id: PeerId) -> Result<PublishReport, DriverError> {
        self.with(id, publish_report).await
    }

    /// What each viewer saw.
    ///
    /// # Errors
    /// When the thread is gone.
    pub async fn view_reports(&self) -> Result<Vec<ViewerReport>, DriverError> {
        self.ask(Order::Reports).await
    }

    /// How far the viewers have come. Unlike their reports this costs the thread next to nothing.
    ///
    /// # Errors
    /// When the thread is gone.
    pub async fn tally(&self) -> Result<Tally, DriverError> {
        self.ask(Order::Tally).await
    }

    /// Lets every viewer count from now on.
    ///
    /// # Errors
    /// When the thread is gone.
    pub async fn start_window(&self) -> Result<(), DriverError> {
        self.ask(Order::StartWindow).await
    }

    /// Ends the DTLS of every client, for servers that do not hear of it otherwise.
    ///
    /// # Errors
    /// When the thread is gone.
    pub async fn close_all(&self) -> Result<(), DriverError> {
        self.ask(Order::CloseAll).await
    }

    async fn ask<T>(
        &self,
        order: impl FnOnce(oneshot::Sender<T>) -> Order,
    ) -> Result<T, DriverError> {
        let (sender, reply) = oneshot::channel();
        self.order(order(sender))?;
        reply.await.map_err(|_| DriverError::Gone)
    }

    fn order(&self, order: Order) -> Result<(), DriverError> {
        self.orders.send(order).map_err(|_| DriverError::Gone)?;
        self.waker.wake().map_err(DriverError::Start)
    }
}

fn view_report(peer: &mut Peer) -> Option<ViewerReport> {
    let mut report = peer.viewer()?.report();
    let progress = peer.progress();
    report.milestones.answer = progress.answer;
    report.milestones.ice = progress.ice;
    report.milestones.dtls = progress.dtls;
    report.closed = progress.is_closed;
    report.channels = progress
        .channels
        .iter()
        .map(|(_, label)| label.clone())
        .collect();
    Some(report)
}

fn publish_report(peer: &mut Peer) -> PublishReport {
    let (connected, closed) = (peer.progress().dtls.is_some(), peer.progress().is_closed);
    let report = peer.publisher().map(|publisher| publisher.report());
    PublishReport {
        connected,
        closed,
        ..report.unwrap_or_default()
    }
}

impl Thread {
    fn run(mut self) {
        let mut events = Events::with_capacity(1_024);
        loop {
            let next = self.schedule.peek().map(|Reverse((at, _))| *at);
            let wait = next.map_or(LONGEST_WAIT, |at| {
                at.saturating_duration_since(clock::now())
            });
            // An interrupted wait is a short one.
            let _ = self.poll.poll(&mut events, Some(wait.min(LONGEST_WAIT)));
            for event in &events {
                if event.token() != WAKE {
                    let now = clock::now();
                    let index = event.token().0;
                    if let Some(Some(peer)) = self.peers.get_mut(index) {
                        peer.receive(now, &mut self.buffers);
                    }
                    self.reschedule(index);
                }
            }
            self.do_what_is_due();
            if !self.take_orders() {
                return;
            }
        }
    }

    fn do_what_is_due(&mut self) {
        let now = clock::now();
        while let Some(Reverse((at, index))) = self.schedule.peek().copied() {
            if at > now {
                return;
            }
            self.schedule.pop();
            let Some(Some(peer)) = self.peers.get_mut(index) else {
                continue;
            };
            if peer.deadline() <= now {
                peer.handle_timeout(now);
            }
            if let Some(scheduled) = self.scheduled.get_mut(index) {
                let next = peer.deadline().max(now + Duration::from_micros(100));
                *scheduled = next;
                self.schedule.push(Reverse((next, index)));
            }
        }
    }

    /// Looks at a client sooner, when it wants that.
    fn reschedule(&mut self, index: usize) {
        if let (Some(Some(peer)), Some(scheduled)) =
            (self.peers.get(index), self.scheduled.get_mut(index))
            && peer.deadline() < *scheduled
        {
            *scheduled = peer.deadline();
            self.schedule.push(Reverse((*scheduled, index)));
        }
    }

    /// Returns whether anybody can still give orders.
    fn take_orders(&mut self) -> bool {
        loop {
            match self.orders.try_recv() {
                Ok(order) => self.obey(order),
                Err(std::sync::mpsc::TryRecvError::Empty) => return true,
                Err(std::sync::mpsc::TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn obey(&mut self, order: Order) {
        // Nobody waits for a reply when the asker was cancelled.
        match order {
            Order::Add(peer, reply) => {
                let index = self.peers.len();
                self.peers.push(Some(*peer));
                self.scheduled.push(clock::now());
                self.schedule.push(Reverse((clock::now(), index)));
                self.register(index);
                let _ = reply.send(PeerId(index));
            }
            Order::Act(PeerId(index), act) => {
                if let Some(Some(peer)) = self.peers.get_mut(index) {
                    act(peer);
                    self.register(index);
                    self.reschedule(index);
                }
            }
            Order::Remove(PeerId(index), reply) => {
                // With its socket: nothing more comes in or goes out.
                if let Some(peer) = self.peers.get_mut(index) {
                    *peer = None;
                }
                let _ = reply.send(());
            }
            Order::Reports(reply) => {
                let peers = self.peers.iter_mut().flatten();
                let reports = peers.filter_map(view_report).collect();
                let _ = reply.send(reports);
            }
            Order::Tally(reply) => {
                let _ = reply.send(self.tally());
            }
            Order::CloseAll(reply) => {
                self.peers.iter_mut().flatten().for_each(Peer::close);
                let _ = reply.send(());
            }
            Order::StartWindow(reply) => {
                for viewer in self.peers.iter_mut().flatten().filter_map(Peer::viewer) {
                    viewer.start_window();
                }
                let _ = reply.send(());
            }
        }
    }

    fn tally(&mut self) -> Tally {
        let mut tally = Tally::default();
        for peer in self.peers.iter_mut().flatten() {
            let (dtls, is_closed) = (peer.progress().dtls, peer.progress().is_closed);
            if let Some(viewer) = peer.viewer() {
                let milestones = Milestones {
                    dtls,
                    ..viewer.milestones()
                };
                tally.add(&milestones, is_closed);
            }
        }
        tally
    }

    fn register(&mut self, index: usize) {
        if let Some(Some(peer)) = self.peers.get_mut(index) {
            // A socket that cannot be waited for stays silent and shows as a failed join.
            let _ = peer.register(self.poll.registry(), Token(index));
        }
    }
}
