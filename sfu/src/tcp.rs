//! ICE-TCP (RFC 6544): connections that carry STUN, DTLS and SRTP in frames (RFC 4571).

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use mio::net::TcpStream;

use crate::socket::canonical;

/// One accepted connection.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    pub(crate) peer: SocketAddr,
    pub(crate) local: Option<IpAddr>,
    incoming: Vec<u8>,
    outgoing: VecDeque<u8>,
    opened: Instant,
    /// Whether a session took a frame of it.
    pub(crate) is_known: bool,
}

/// What may wait for a slow peer, in bytes; whole frames beyond it are dropped.
const MOST_OUTGOING: usize = 512 * 1024;
const READ_BYTES: usize = 16 * 1024;
/// A connection that no session knows after this long is closed.
const UNKNOWN_FOR: Duration = Duration::from_secs(10);

impl Connection {
    pub(crate) fn new(stream: TcpStream, peer: SocketAddr, now: Instant) -> Self {
        let local = stream.local_addr().ok().map(|a| canonical(a).ip());
        // Media must not wait for acknowledgements (Nagle).
        let _ = stream.set_nodelay(true);
        Self {
            stream,
            peer: canonical(peer),
            local,
            incoming: Vec::new(),
            outgoing: VecDeque::new(),
            opened: now,
            is_known: false,
        }
    }

    /// Reads what there is. Returns whether the connection is still open.
    pub(crate) fn read(&mut self) -> bool {
        let mut buffer = [0; READ_BYTES];
        loop {
            // One length field reaches no further than this: enough to make progress.
            if self.incoming.len() > usize::from(u16::MAX) + READ_BYTES {
                return true;
            }
            match self.stream.read(&mut buffer) {
                Ok(0) => return false,
                Ok(read) => self
                    .incoming
                    .extend_from_slice(buffer.get(..read).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
    }

    /// The next whole frame (RFC 4571 §2: 16 bit length, then the packet).
    pub(crate) fn next_frame(&mut self) -> Option<Vec<u8>> {
        let (header, rest) = self.incoming.split_first_chunk::<2>()?;
        let length = usize::from(u16::from_be_bytes(*header));
        let frame = rest.get(..length)?.to_vec();
        self.incoming.drain(..2 + length);
        Some(frame)
    }

    /// Queues a packet as a frame. A peer that is too slow loses it, as on any network.
    pub(crate) fn push(&mut self, packet: &[u8]) {
        let Ok(length) = u16::try_from(packet.len()) else {
            return;
        };
        if self.outgoing.len() + packet.len() > MOST_OUTGOING {
            return;
        }
        self.outgoing.extend(length.to_be_bytes());
        self.outgoing.extend(packet);
    }

    /// Writes what the peer takes. Returns whether the connection is still open.
    pub(crate) fn write(&mut self) -> bool {
        while !self.outgoing.is_empty() {
            let (front, _) = self.outgoing.as_slices();
            match self.stream.write(front) {
                Ok(0) => return false,
                Ok(written) => {
                    self.outgoing.drain(..written);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
        true
    }

    /// Whether it was opened by someone who never said anything valid.
    pub(crate) fn is_idle(&self, now: Instant) -> bool {
        !self.is_known && now.saturating_duration_since(self.opened) > UNKNOWN_FOR
    }
}
