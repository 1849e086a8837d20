//! The socket of one client: UDP with the kernel's receive time stamps and merged datagrams, ICE-TCP
//! with frames (RFC 4571), or either of them to a TURN server.

use std::io::{self, IoSliceMut, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd as _;
use std::time::Duration;

use mio::event::Source;
use mio::net::{TcpStream, UdpSocket};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;
use rtc::shared::turn_framing::TurnStreamDecoder;
use str0m::Candidate;
use str0m::net::{Protocol, TcpType};

use crate::clock;
use crate::relay::{Relay, TurnServer};

/// Where datagrams go and come from.
#[derive(Debug)]
pub(crate) struct Link {
    socket: Socket,
    /// Our address, as the server may see it.
    pub(crate) local: SocketAddr,
    /// The server's media address.
    pub(crate) remote: SocketAddr,
}

#[derive(Debug)]
enum Socket {
    Udp(UdpSocket),
    Tcp(Box<Framed>),
    Relayed(Box<Relay>),
}

#[derive(Debug)]
struct Framed {
    stream: TcpStream,
    incoming: Incoming,
    outgoing: Vec<u8>,
}

/// What has come of a stream, and how it is cut into datagrams.
#[derive(Debug)]
enum Incoming {
    /// Each after its length (RFC 4571).
    Prefixed(Vec<u8>),
    /// Messages of TURN, which tell their length themselves (RFC 8656 §3.1).
    Turn(TurnStreamDecoder),
}

/// Space to receive into, shared by all links of a thread.
#[derive(Debug)]
pub(crate) struct Buffers {
    bytes: Vec<u8>,
    control: Vec<u8>,
}

/// What one receive brought.
#[derive(Debug)]
pub(crate) struct Arrival<'a> {
    /// Since 1970, by the kernel where it says so.
    pub(crate) at: Duration,
    bytes: &'a [u8],
    segment: usize,
}

impl Arrival<'_> {
    pub(crate) fn datagrams(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.chunks(self.segment.max(1))
    }
}

impl Buffers {
    pub(crate) fn new() -> Self {
        Self {
            bytes: vec![0; 65_536],
            control: nix::cmsg_space!(TimeSpec, i32),
        }
    }

    /// One datagram that was read elsewhere.
    pub(crate) fn arrival(&mut self, at: Duration, datagram: &[u8]) -> Option<Arrival<'_>> {
        let bytes = self.bytes.get_mut(..datagram.len())?;
        bytes.copy_from_slice(datagram);
        Some(Arrival {
            at,
            bytes,
            segment: datagram.len(),
        })
    }
}

impl Link {
    /// Opens a way to that media address.
    pub(crate) fn open(protocol: Protocol, remote: SocketAddr) -> io::Result<Self> {
        match protocol {
            Protocol::Tcp => Self::open_tcp(remote, Incoming::Prefixed(Vec::new())),
            _ => Self::open_udp(remote),
        }
    }

    /// Opens a way to that media address through a TURN server. Blocks until that has answered.
    pub(crate) fn open_through(server: &TurnServer, remote: SocketAddr) -> io::Result<Self> {
        let relay = Relay::open(server, remote)?;
        Ok(Self {
            local: relay.relayed,
            socket: Socket::Relayed(Box::new(relay)),
            remote,
        })
    }

    /// Opens a way to a TURN server, for its messages.
    pub(crate) fn open_to_turn(protocol: Protocol, server: SocketAddr) -> io::Result<Self> {
        match protocol {
            Protocol::Tcp => Self::open_tcp(server, Incoming::Turn(TurnStreamDecoder::new())),
            _ => Self::open_udp(server),
        }
    }

    /// Opens another way to the same media address, as after a change of network.
    pub(crate) fn opened_anew(&self) -> io::Result<Self> {
        match self.socket {
            Socket::Relayed(_) => Err(io::ErrorKind::Unsupported.into()),
            _ => Self::open(self.protocol(), self.remote),
        }
    }

    fn open_udp(remote: SocketAddr) -> io::Result<Self> {
        let any: IpAddr = match remote {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = UdpSocket::bind(SocketAddr::new(any, 0))?;
        // Connected: the kernel picks our address, and nobody else's datagrams come in.
        socket.connect(remote)?;
        // Both save time or tell more, and are missed where a kernel has them not.
        let _ = setsockopt(&socket, sockopt::ReceiveTimestampns, &true);
        let _ = setsockopt(&socket, sockopt::UdpGroSegment, &true);
        Ok(Self {
            local: socket.local_addr()?,
            socket: Socket::Udp(socket),
            remote,
        })
    }

    fn open_tcp(remote: SocketAddr, incoming: Incoming) -> io::Result<Self> {
        let stream = std::net::TcpStream::connect_timeout(&remote, Duration::from_secs(5))?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let local = stream.local_addr()?;
        let framed = Framed {
            stream: TcpStream::from_std(stream),
            incoming,
            outgoing: Vec::new(),
        };
        Ok(Self {
            socket: Socket::Tcp(Box::new(framed)),
            local,
            remote,
        })
    }

    /// Takes each datagram by itself.
    pub(crate) fn take_one_by_one(&self) {
        if let Socket::Udp(socket) = &self.socket {
            // A kernel that cannot merge does so already.
            let _ = setsockopt(socket, sockopt::UdpGroSegment, &false);
        }
    }

    /// What the media address sees: TURN relays UDP.
    pub(crate) fn protocol(&self) -> Protocol {
        match self.socket {
            Socket::Udp(_) | Socket::Relayed(_) => Protocol::Udp,
            Socket::Tcp(_) => Protocol::Tcp,
        }
    }

    /// Our end as a candidate.
    pub(crate) fn candidate(&self) -> Option<Candidate> {
        match &self.socket {
            Socket::Udp(_) => Candidate::host(self.local, "udp").ok(),
            Socket::Relayed(relay) => Candidate::relayed(self.local, relay.local(), "udp").ok(),
            Socket::Tcp(_) => Candidate::builder()
                .tcp()
                .host(self.local)
                .tcptype(TcpType::Active)
                .build()
                .ok(),
        }
    }

    pub(crate) fn source(&mut self) -> &mut dyn Source {
        match &mut self.socket {
            Socket::Udp(socket) => socket,
            Socket::Tcp(framed) => &mut framed.stream,
            Socket::Relayed(relay) => relay.source(),
        }
    }

    /// Sends one datagram. What the socket does not take is lost, as on any network.
    pub(crate) fn send(&mut self, datagram: &[u8]) {
        match &mut self.socket {
            Socket::Udp(socket) => {
                let _ = socket.send(datagram);
            }
            Socket::Tcp(framed) => framed.send(datagram),
            Socket::Relayed(relay) => relay.send(datagram),
        }
    }

    /// Receives what has come, at most one batch; none when there is nothing more.
    pub(crate) fn receive<'b>(&mut self, buffers: &'b mut Buffers) -> Option<Arrival<'b>> {
        match &mut self.socket {
            Socket::Udp(socket) => receive_udp(socket, buffers),
            Socket::Tcp(framed) => {
                let length = framed.next_frame(&mut buffers.bytes)?;
                Some(Arrival {
                    at: clock::since_1970(),
                    bytes: buffers.bytes.get(..length)?,
                    segment: length,
                })
            }
            Socket::Relayed(relay) => relay.receive(buffers),
        }
    }

    /// Sends on what a TCP connection did not take at once.
    pub(crate) fn flush(&mut self) {
        match &mut self.socket {
            Socket::Udp(_) => {}
            Socket::Tcp(framed) => framed.flush(),
            Socket::Relayed(relay) => relay.flush(),
        }
    }
}

fn receive_udp<'b>(socket: &UdpSocket, buffers: &'b mut Buffers) -> Option<Arrival<'b>> {
    let mut at = None;
    let mut segment = None;
    let length = {
        let mut slices = [IoSliceMut::new(&mut buffers.bytes)];
        let fd = socket.as_raw_fd();
        let control = Some(buffers.control.as_mut_slice());
        // An error is "nothing there" or an ICMP answer to an earlier send; both pass.
        let message = recvmsg::<()>(fd, &mut slices, control, MsgFlags::MSG_DONTWAIT).ok()?;
        for control in message.cmsgs().ok()? {
            match control {
                ControlMessageOwned::ScmTimestampns(time) => at = Some(Duration::from(time)),
                ControlMessageOwned::UdpGroSegments(size) => segment = usize::try_from(size).ok(),
                _ => {}
            }
        }
        message.bytes
    };
    Some(Arrival {
        at: at.unwrap_or_else(clock::since_1970),
        bytes: buffers.bytes.get(..length)?,
        segment: segment.unwrap_or(length),
    })
}

impl Framed {
    fn send(&mut self, datagram: &[u8]) {
        if let Incoming::Prefixed(_) = self.incoming {
            let Ok(length) = u16::try_from(datagram.len()) else {
                return;
            };
            self.outgoing.extend(length.to_be_bytes());
        }
        self.outgoing.extend_from_slice(datagram);
        self.flush();
    }

    fn flush(&mut self) {
        while !self.outgoing.is_empty() {
            match self.stream.write(&self.outgoing) {
                Ok(written) if written > 0 => drop(self.outgoing.drain(..written)),
                _ => return,
            }
        }
    }

    fn next_frame(&mut self, into: &mut [u8]) -> Option<usize> {
        loop {
            if let Some(length) = self.incoming.cut(into) {
                return Some(length);
            }
            match self.stream.read(into) {
                Ok(read) if read > 0 => self.incoming.extend(into.get(..read)?),
                _ => return None,
            }
        }
    }
}

impl Incoming {
    fn extend(&mut self, bytes: &[u8]) {
        match self {
            Self::Prefixed(incoming) => incoming.extend_from_slice(bytes),
            Self::Turn(decoder) => decoder.extend_from_slice(bytes),
        }
    }

    /// Takes the first datagram off, if it is all there. Returns its length.
    fn cut(&mut self, into: &mut [u8]) -> Option<usize> {
        match self {
            Self::Prefixed(incoming) => {
                let (header, rest) = incoming.split_first_chunk::<2>()?;
                let length = usize::from(u16::from_be_bytes(*header));
                into.get_mut(..length)?.copy_from_slice(rest.get(..length)?);
                incoming.drain(..2 + length);
                Some(length)
            }
            Self::Turn(decoder) => {
                // A stream that holds something else is silent from there on.
                let message = decoder.next_message().ok()??;
                into.get_mut(..message.len())?.copy_from_slice(&message);
                Some(message.len())
            }
        }
    }
}
