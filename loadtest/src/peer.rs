//! One light client: a str0m instance, its socket, and what it does with media.

use std::io;
use std::time::{Duration, Instant};

use mio::{Interest, Registry, Token};
use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::channel::ChannelId;
use str0m::net::{Protocol, Receive};
use str0m::{Event, IceConnectionState, Input, Output, Rtc};

use crate::clock;
use crate::link::{Buffers, Link};
use crate::publisher::Publisher;
use crate::relay::TurnServer;
use crate::sdp::{self, MediaAddress};
use crate::viewer::Viewer;

/// A client with an offer that waits for its answer.
#[derive(Debug)]
pub struct Prepared {
    /// Boxed: it is some 10 KiB, and travels through futures.
    rtc: Box<Rtc>,
    pending: SdpPendingOffer,
    role: Role,
    /// The offer.
    pub sdp: String,
    began: Instant,
    one_by_one: bool,
}

/// A client on its way to or in a session.
#[derive(Debug)]
pub struct Peer {
    rtc: Box<Rtc>,
    link: Link,
    is_registered: bool,
    pub(crate) role: Role,
    /// The answer in effect, with one candidate.
    answer: String,
    restart: Option<SdpPendingOffer>,
    began: Instant,
    deadline: Instant,
    progress: Progress,
}

/// What a client does with media.
#[derive(Debug)]
pub(crate) enum Role {
    Publisher(Box<Publisher>),
    Viewer(Box<Viewer>),
}

/// How far a connection has come, counted from the offer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress {
    pub(crate) answer: Option<Duration>,
    pub(crate) ice: Option<Duration>,
    pub(crate) dtls: Option<Duration>,
    pub(crate) is_closed: bool,
    /// Labels of data channels that opened.
    pub(crate) channels: Vec<(ChannelId, String)>,
}

/// str0m asks to be woken again at once while it has more to send.
const IMMEDIATE: Duration = Duration::from_micros(2);
const FAR: Duration = Duration::from_secs(3_600);

impl Prepared {
    pub(crate) fn new(rtc: Rtc, pending: SdpPendingOffer, role: Role, sdp: String) -> Self {
        Self {
            rtc: Box::new(rtc),
            pending,
            role,
            sdp,
            began: clock::now(),
            one_by_one: false,
        }
    }

    pub(crate) fn one_by_one(mut self, one_by_one: bool) -> Self {
        self.one_by_one = one_by_one;
        self
    }

    /// Takes the answer and opens a socket to the server's first address of that protocol.
    ///
    /// # Errors
    /// When the answer cannot be used or the socket cannot be opened.
    pub fn connect(self, answer: &str, protocol: Protocol) -> io::Result<Peer> {
        let address = address_in(answer, protocol)?;
        let link = Link::open(protocol, address.address)?;
        self.connect_over(link, answer, address)
    }

    /// Takes the answer and makes an allocation at that TURN server, for the server's first address of
    /// UDP. Blocks until the TURN server has answered.
    ///
    /// # Errors
    /// When the answer cannot be used or the TURN server refuses.
    pub fn connect_through(self, server: &TurnServer, answer: &str) -> io::Result<Peer> {
        let address = address_in(answer, Protocol::Udp)?;
        let link = Link::open_through(server, address.address)?;
        self.connect_over(link, answer, address)
    }

    fn connect_over(mut self, link: Link, answer: &str, address: MediaAddress) -> io::Result<Peer> {
        if self.one_by_one {
            link.take_one_by_one();
        }
        let candidate = link
            .candidate()
            .ok_or_else(|| unusable("no local address"))?;
        self.rtc.add_local_candidate(candidate);
        let answer = sdp::with_only(answer, address);
        accept(&mut self.rtc, self.pending, &answer)?;
        let now = clock::now();
        Ok(Peer {
            rtc: self.rtc,
            link,
            is_registered: false,
            role: self.role,
            answer,
            restart: None,
            began: self.began,
            deadline: now,
            progress: Progress {
                answer: Some(now.saturating_duration_since(self.began)),
                ..Progress::default()
            },
        })
    }
}

impl Peer {
    pub(crate) fn progress(&self) -> &Progress {
        &self.progress
    }

    /// When it wants to be woken.
    pub(crate) fn deadline(&self) -> Instant {
        match &self.role {
            Role::Publisher(publisher) => publisher
                .deadline()
                .map_or(self.deadline, |at| at.min(self.deadline)),
            Role::Viewer(_) => self.deadline,
        }
    }

    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        if !self.is_registered {
            let interest = Interest::READABLE | Interest::WRITABLE;
            registry.register(self.link.source(), token, interest)?;
            self.is_registered = true;
        }
        Ok(())
    }

    /// Reads all that has come.
    pub(crate) fn receive(&mut self, now: Instant, buffers: &mut Buffers) {
        self.link.flush();
        let (protocol, source, destination) =
            (self.link.protocol(), self.link.remote, self.link.local);
        while let Some(arrival) = self.link.receive(buffers) {
            let at = arrival.at;
            for datagram in arrival.datagrams() {
                if let Ok(receive) = Receive::new(protocol, source, destination, datagram) {
                    // One input, then all output: a second would overwrite a waiting packet.
                    let taken = self.rtc.handle_input(Input::Receive(now, receive));
                    self.note_failure(taken.is_err());
                    self.drain(now, at);
                }
            }
        }
    }

    /// Does what is due.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if let Role::Publisher(publisher) = &mut self.role
            && self.progress.dtls.is_some()
            && !self.progress.is_closed
        {
            publisher.send_due(&mut self.rtc, now);
        }
        self.wake(now);
    }

    /// Lets str0m send what was given to it.
    pub(crate) fn wake(&mut self, now: Instant) {
        let taken = self.rtc.handle_input(Input::Timeout(now));
        self.note_failure(taken.is_err());
        self.drain(now, clock::since_1970());
    }

    fn drain(&mut self, now: Instant, at: Duration) {
        let mut time = now;
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Transmit(transmit)) => self.link.send(&transmit.contents),
                Ok(Output::Event(event)) => self.take(now, at, event),
                Ok(Output::Timeout(next)) if next <= time + IMMEDIATE => {
                    time = next.max(time + Duration::from_nanos(1));
                    if self.rtc.handle_input(Input::Timeout(time)).is_err() {
                        break self.note_failure(true);
                    }
                }
                Ok(Output::Timeout(next)) => break self.deadline = next,
                Err(_) => break self.note_failure(true),
            }
        }
    }

    fn note_failure(&mut self, failed: bool) {
        if failed || !self.rtc.is_alive() {
            self.progress.is_closed = true;
            self.deadline = clock::now() + FAR;
        }
    }

    fn take(&mut self, now: Instant, at: Duration, event: Event) {
        let since = now.saturating_duration_since(self.began);
        match event {
            Event::IceConnectionStateChange(
                IceConnectionState::Connected | IceConnectionState::Completed,
            ) => {
                self.progress.ice.get_or_insert(since);
            }
            Event::Connected => {
                self.progress.dtls.get_or_insert(since);
                if let Role::Publisher(publisher) = &mut self.role {
                    publisher.begin(now);
                }
            }
            Event::Closed => self.progress.is_closed = true,
            Event::ChannelOpen(id, label) => self.progress.channels.push((id, label)),
            other => match &mut self.role {
                Role::Publisher(publisher) => publisher.take(&other, now),
                Role::Viewer(viewer) => viewer.take(&mut self.rtc, &other, since, at),
            },
        }
    }

    /// Sends a text on the data channel of that label. Returns whether it is open.
    pub fn write(&mut self, label: &str, text: &str) -> bool {
        let found = self
            .progress
            .channels
            .iter()
            .find(|(_, known)| known == label);
        let Some((id, _)) = found else { return false };
        let written = self
            .rtc
            .channel(*id)
            .is_some_and(|mut channel| channel.write(false, text.as_bytes()).unwrap_or(false));
        self.wake(clock::now());
        written
    }

    /// Moves to a socket of its own choice and begins an ICE restart, as after a change of network.
    /// Returns the fragment for PATCH.
    ///
    /// # Errors
    /// When no socket can be opened, and of clients that came through TURN.
    pub fn begin_restart(&mut self) -> io::Result<String> {
        let link = self.link.opened_anew()?;
        let mut change = self.rtc.sdp_api();
        let credentials = change.ice_restart(false);
        let (_, pending) = change
            .apply()
            .ok_or_else(|| unusable("nothing to restart"))?;
        self.restart = Some(pending);
        self.link = link;
        self.is_registered = false;
        Ok(sdp::restart_fragment(&credentials.ufrag, &credentials.pass))
    }

    /// Takes the server's fragment of an ICE restart.
    ///
    /// # Errors
    /// When it cannot be used.
    pub fn finish_restart(&mut self, fragment: &str) -> io::Result<()> {
        let (ufrag, pwd) = sdp::credentials(fragment)
            .ok_or_else(|| unusable("the fragment has no ICE credentials"))?;
        let pending = self
            .restart
            .take()
            .ok_or_else(|| unusable("no restart was begun"))?;
        self.answer = sdp::with_credentials(&self.answer, &ufrag, &pwd);
        accept(&mut self.rtc, pending, &self.answer)?;
        // Not before: the restart forgets the candidates that there were.
        let candidate = self
            .link
            .candidate()
            .ok_or_else(|| unusable("no local address"))?;
        self.rtc.add_local_candidate(candidate);
        self.wake(clock::now());
        Ok(())
    }

    /// Ends the session as a closed tab does not: by closing DTLS.
    pub fn close(&mut self) {
        let _ = self.rtc.close();
        self.wake(clock::now());
    }

    /// The media address of the server.
    #[must_use]
    pub fn media_address(&self) -> MediaAddress {
        MediaAddress {
            protocol: self.link.protocol(),
            address: self.link.remote,
        }
    }

    /// The publisher, if it is one.
    pub fn publisher(&mut self) -> Option<&mut Publisher> {
        match &mut self.role {
            Role::Publisher(publisher) => Some(publisher),
            Role::Viewer(_) => None,
        }
    }

    /// The viewer, if it is one.
    pub fn viewer(&mut self) -> Option<&mut Viewer> {
        match &mut self.role {
            Role::Viewer(viewer) => Some(viewer),
            Role::Publisher(_) => None,
        }
    }
}

fn address_in(answer: &str, protocol: Protocol) -> io::Result<MediaAddress> {
    let addresses = sdp::media_addresses(answer);
    let address = addresses.into_iter().find(|a| a.protocol == protocol);
    address.ok_or_else(|| unusable("the answer has no candidate to connect to"))
}

fn accept(rtc: &mut Rtc, pending: SdpPendingOffer, answer: &str) -> io::Result<()> {
    // str0m reads one bound of a section, and of ours there are two (RFC 4566 §5.8 allows any number).
    let lines = answer.split_inclusive('\n');
    let answer: String = lines.filter(|line| !line.starts_with("b=")).collect();
    let answer = SdpAnswer::from_sdp_string(&answer)
        .map_err(|error| unusable(&format!("the answer is no SDP: {error}")))?;
    rtc.sdp_api()
        .accept_answer(pending, answer)
        .map_err(|error| unusable(&format!("the answer does not fit the offer: {error}")))
}

fn unusable(words: &str) -> io::Error {
    io::Error::other(words.to_owned())
}
