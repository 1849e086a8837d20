//! The socket of one client: UDP with the kernel's receive time stamps and merged datagrams, or
//! ICE-TCP with frames (RFC 4571).

use std::io::{self, IoSliceMut, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd as _;
use std::time::Duration;

use mio::event::Source;
use mio::net::{TcpStream, UdpSocket};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;
use str0m::Candidate;
use str0m::net::{Protocol, TcpType};

use crate::clock;

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
}

#[derive(Debug)]
struct Framed {
    stream: TcpStream,
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
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
}

impl Link {
    /// Opens a way to that media address.
    pub(crate) fn open(protocol: Protocol, remote: SocketAddr) -> io::Result<Self> {
        match protocol {
            Protocol::Tcp => Self::open_tcp(remote),
            _ => Self::open_udp(remote),
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

    fn open_tcp(remote: SocketAddr) -> io::Result<Self> {
        let stream = std::net::TcpStream::connect_timeout(&remote, Duration::from_secs(5))?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let local = stream.local_addr()?;
        let framed = Framed {
            stream: TcpStream::from_std(stream),
            incoming: Vec::new(),
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

    pub(crate) fn protocol(&self) -> Protocol {
        match self.socket {
            Socket::Udp(_) => Protocol::Udp,
            Socket::Tcp(_) => Protocol::Tcp,
        }
    }

    /// Our end as a candidate.
    pub(crate) fn candidate(&self) -> Option<Candidate> {
        match self.socket {
            Socket::Udp(_) => Candidate::host(self.local, "udp").ok(),
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
        }
    }

    /// Sends one datagram. What the socket does not take is lost, as on any network.
    pub(crate) fn send(&mut self, datagram: &[u8]) {
        match &mut self.socket {
            Socket::Udp(socket) => {
                let _ = socket.send(datagram);
            }
            Socket::Tcp(framed) => framed.send(datagram),
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
        }
    }

    /// Sends on what a TCP connection did not take at once.
    pub(crate) fn flush(&mut self) {
        if let Socket::Tcp(framed) = &mut self.socket {
            framed.flush();
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
        let Ok(length) = u16::try_from(datagram.len()) else {
            return;
        };
        self.outgoing.extend(length.to_be_bytes());
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
            if let Some((header, rest)) = self.incoming.split_first_chunk::<2>() {
                let length = usize::from(u16::from_be_bytes(*header));
                if let Some(frame) = rest.get(..length) {
                    into.get_mut(..length)?.copy_from_slice(frame);
                    self.incoming.drain(..2 + length);
                    return Some(length);
                }
            }
            match self.stream.read(into) {
                Ok(read) if read > 0 => self.incoming.extend_from_slice(into.get(..read)?),
                _ => return None,
            }
        }
    }
}
