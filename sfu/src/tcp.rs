//! ICE-TCP (RFC 6544): connections that carry STUN, DTLS and SRTP in frames (RFC 4571).
//!
//! Who opens one is a stranger until a session takes a frame of it. A stranger may say little: a
//! STUN request is all that can be said yet.

use std::collections::{HashMap, VecDeque};
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use mio::net::TcpStream;

use crate::socket::canonical;

/// One accepted connection.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    pub(crate) peer: SocketAddr,
    pub(crate) local: Option<IpAddr>,
    pub(crate) incoming: Frames,
    outgoing: VecDeque<u8>,
    opened: Instant,
    /// Whether a session took a frame of it.
    pub(crate) is_known: bool,
}

/// How far a read came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Nothing is left: the system tells when there is more.
    Drained,
    /// There may be more, and the system will not tell again.
    More,
    Closed,
}

/// Bytes of a peer, cut into frames (RFC 4571 §2: 16 bit length, then the packet).
#[derive(Debug, Default)]
pub(crate) struct Frames {
    bytes: Vec<u8>,
    /// Up to here they are read.
    read: usize,
}

/// A frame that nobody has a reason to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadFrame;

/// How many strangers' connections each address has; whole networks for IPv6.
#[derive(Debug, Default)]
pub(crate) struct Strangers {
    counts: HashMap<IpAddr, usize>,
}

/// What may wait for a slow peer, in bytes; whole frames beyond it are dropped.
const MOST_OUTGOING: usize = 512 * 1024;
const READ_BYTES: usize = 16 * 1024;
/// Longest frame of a stranger: more than any STUN request needs.
const MOST_STRANGE: usize = 2 * 1024;
/// Bytes of the length in front of a frame.
const LENGTH: usize = 2;
/// A connection that no session knows after this long is closed.
const UNKNOWN_FOR: Duration = Duration::from_secs(10);
/// Connections of strangers from one address, for each shard. Many viewers may share an address, but
/// they are strangers for a moment only.
const MOST_STRANGERS: usize = 64;

impl Connection {
    pub(crate) fn new(stream: TcpStream, peer: SocketAddr, now: Instant) -> Self {
        let local = stream.local_addr().ok().map(|a| canonical(a).ip());
        // Media must not wait for acknowledgements (Nagle).
        let _ = stream.set_nodelay(true);
        Self {
            stream,
            peer: canonical(peer),
            local,
            incoming: Frames::default(),
            outgoing: VecDeque::new(),
            opened: now,
            is_known: false,
        }
    }

    /// Reads until nothing is left or the longest frame has room; the frames are to be taken then.
    pub(crate) fn read(&mut self) -> Progress {
        let most = self.most_frame();
        self.incoming.fill(&mut self.stream, most)
    }

    /// Longest frame that the peer may send, in bytes.
    pub(crate) fn most_frame(&self) -> usize {
        if self.is_known {
            usize::from(u16::MAX)
        } else {
            MOST_STRANGE
        }
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

impl Frames {
    /// Reads until nothing is left or a frame of `most` bytes has room.
    fn fill(&mut self, stream: &mut impl Read, most: usize) -> Progress {
        let mut buffer = [0; READ_BYTES];
        loop {
            let room = (LENGTH + most).saturating_sub(self.bytes.len());
            let Some(space) = buffer.get_mut(..room.min(READ_BYTES)) else {
                return Progress::More;
            };
            if space.is_empty() {
                return Progress::More;
            }
            match stream.read(space) {
                Ok(0) => return Progress::Closed,
                Ok(read) => self
                    .bytes
                    .extend_from_slice(space.get(..read).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Progress::Drained;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Progress::Closed,
            }
        }
    }

    /// The next whole frame, of at most `most` bytes. It stays until [`Self::forget_read`].
    ///
    /// # Errors
    /// For a frame that is longer, or empty: neither holds a packet.
    pub(crate) fn next(&mut self, most: usize) -> Result<Option<&[u8]>, BadFrame> {
        let unread = self.bytes.get(self.read..).unwrap_or_default();
        let Some((header, rest)) = unread.split_first_chunk::<LENGTH>() else {
            return Ok(None);
        };
        let length = usize::from(u16::from_be_bytes(*header));
        if length == 0 || length > most {
            return Err(BadFrame);
        }
        let frame = rest.get(..length);
        if frame.is_some() {
            self.read += LENGTH + length;
        }
        Ok(frame)
    }

    /// Makes room for what is to come.
    pub(crate) fn forget_read(&mut self) {
        self.bytes.drain(..self.read);
        self.read = 0;
    }
}

impl Strangers {
    /// Whether another may come from this address.
    pub(crate) fn has_room(&self, ip: IpAddr) -> bool {
        let count = self.counts.get(&neighbourhood(ip));
        count.is_none_or(|count| *count < MOST_STRANGERS)
    }

    pub(crate) fn come(&mut self, ip: IpAddr) {
        *self.counts.entry(neighbourhood(ip)).or_default() += 1;
    }

    /// One left, or is a stranger no more.
    pub(crate) fn leave(&mut self, ip: IpAddr) {
        let ip = neighbourhood(ip);
        if let Some(count) = self.counts.get_mut(&ip) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.counts.remove(&ip);
            }
        }
    }
}

/// The address by which somebody is counted: all of an IPv4 address, the /64 of an IPv6 address,
/// because a household has that many to choose from (RFC 6177 §2).
#[must_use]
pub fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(ip) if !ip.is_loopback() => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Gives its bytes in pieces, then would block.
    struct Wire<'a> {
        bytes: &'a [u8],
        piece: usize,
        reads: usize,
    }

    impl Read for Wire<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.reads += 1;
            if self.bytes.is_empty() {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let length = self.piece.min(buffer.len()).min(self.bytes.len());
            let (now, later) = self.bytes.split_at(length);
            buffer[..length].copy_from_slice(now);
            self.bytes = later;
            Ok(length)
        }
    }

    fn framed(packets: &[Vec<u8>]) -> Vec<u8> {
        let length = |p: &Vec<u8>| u16::try_from(p.len()).expect("short").to_be_bytes();
        packets
            .iter()
            .flat_map(|packet| [&length(packet)[..], packet].concat())
            .collect()
    }

    #[test]
    fn empty_frame_and_long_frame_of_a_stranger_are_refused() {
        let mut frames = Frames::default();
        let mut wire = Wire {
            bytes: &[0; 80 * 1024],
            piece: 80 * 1024,
            reads: 0,
        };
        assert_eq!(frames.fill(&mut wire, MOST_STRANGE), Progress::More);
        assert_eq!(frames.bytes.len(), LENGTH + MOST_STRANGE);
        assert_eq!(frames.next(MOST_STRANGE), Err(BadFrame));

        let mut frames = Frames::default();
        let bytes = framed(&[vec![1; MOST_STRANGE + 1]]);
        let mut wire = Wire {
            bytes: &bytes,
            piece: 9_000,
            reads: 0,
        };
        frames.fill(&mut wire, MOST_STRANGE);
        assert_eq!(frames.next(MOST_STRANGE), Err(BadFrame));
        assert_eq!(frames.next(usize::from(u16::MAX)), Ok(None));
    }

    #[test]
    fn a_household_counts_as_one() {
        let of = |text: &str| neighbourhood(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::7"), of("2001:db8:1:2:ffff::1"));
        assert_ne!(of("2001:db8:1:2::7"), of("2001:db8:1:3::7"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert!(of("::1").is_loopback());
    }

    #[test]
    fn one_address_has_a_bounded_number_of_strangers() {
        let mut strangers = Strangers::default();
        let one: IpAddr = "2001:db8::1".parse().expect("an address");
        let neighbour: IpAddr = "2001:db8::2".parse().expect("an address");
        let other: IpAddr = "2001:db8:1::1".parse().expect("an address");
        for _ in 0..MOST_STRANGERS {
            assert!(strangers.has_room(one));
            strangers.come(one);
        }
        assert!(!strangers.has_room(neighbour));
        assert!(strangers.has_room(other));
        strangers.leave(neighbour);
        assert!(strangers.has_room(one));
        for _ in 0..MOST_STRANGERS {
            strangers.leave(one);
        }
        assert!(strangers.counts.is_empty());
    }

    proptest! {
        /// Whatever the pieces: each frame comes once, in order, and the reading goes on until the
        /// system has nothing left.
        #[test]
        fn frames_come_whole_and_none_is_left(
            packets in proptest::collection::vec(
                proptest::collection::vec(any::<u8>(), 1..MOST_STRANGE), 0..40
            ),
            piece in 1usize..5_000,
        ) {
            let bytes = framed(&packets);
            let mut wire = Wire { bytes: &bytes, piece, reads: 0 };
            let mut frames = Frames::default();
            let mut taken = Vec::new();
            loop {
                let progress = frames.fill(&mut wire, MOST_STRANGE);
                while let Some(frame) = frames.next(MOST_STRANGE).expect("they are good") {
                    taken.push(frame.to_vec());
                }
                frames.forget_read();
                if progress == Progress::Drained {
                    break;
                }
                prop_assert_eq!(progress, Progress::More);
            }
            prop_assert_eq!(taken, packets);
            prop_assert!(frames.bytes.is_empty());
            // Each read makes progress: pieces, and those that the bound cut.
            prop_assert!(wire.reads <= bytes.len() / piece + bytes.len() / MOST_STRANGE * 2 + 3);
        }
    }
}
