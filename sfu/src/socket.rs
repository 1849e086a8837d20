//! The media port: one UDP socket a shard on the same number, and an ICE-TCP listener beside it.
//!
//! Batches on the way in (recvmmsg with GRO) are quinn-udp's; for the way out see [`crate::wire`].

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};

use mio::net::{TcpListener, UdpSocket};
use quinn_udp::{BATCH_SIZE, RecvMeta, UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::calls::StartError;

/// The sockets of one shard.
#[derive(Debug)]
pub(crate) struct MediaSockets {
    pub(crate) udp: MediaSocket,
    /// The same socket, for sending.
    pub(crate) sender: std::net::UdpSocket,
    pub(crate) tcp: Option<TcpListener>,
}

/// A UDP socket with its batches.
#[derive(Debug)]
pub(crate) struct MediaSocket {
    pub(crate) socket: UdpSocket,
    state: UdpSocketState,
    buffers: Vec<Vec<u8>>,
}

/// Bytes asked for to receive; the kernel gives as much as `net.core.rmem_max` allows.
pub const RECEIVE_BUFFER: usize = 8 * 1024 * 1024;
/// Bytes asked for to send; the kernel gives as much as `net.core.wmem_max` allows.
pub const SEND_BUFFER: usize = 4 * 1024 * 1024;
const TCP_BACKLOG: i32 = 128;
/// A receive buffer holds what GRO may merge.
const GRO_BYTES: usize = 65_535;
const TRIES_FOR_FREE_PORT: usize = 16;

/// Opens the media port once a shard. Returns the port, too, which 0 lets the system pick.
pub(crate) fn open(
    bind: IpAddr,
    port: u16,
    shards: usize,
    with_tcp: bool,
) -> Result<(u16, Vec<MediaSockets>), StartError> {
    let mut tries = if port == 0 { TRIES_FOR_FREE_PORT } else { 1 };
    loop {
        tries -= 1;
        match open_all(bind, port, shards, with_tcp) {
            // UDP got a port whose TCP twin is taken.
            Err(StartError::Bind { .. }) if tries > 0 => {}
            result => return result,
        }
    }
}

fn open_all(
    bind: IpAddr,
    port: u16,
    shards: usize,
    with_tcp: bool,
) -> Result<(u16, Vec<MediaSockets>), StartError> {
    // SO_REUSEPORT would let two servers share the port in silence: the first bind goes without.
    let probe = bind_socket(SocketAddr::new(bind, port), Type::DGRAM, false)?;
    let port = probe
        .local_addr()?
        .as_socket()
        .map_or(port, |address| address.port());
    let address = SocketAddr::new(bind, port);
    if with_tcp {
        bind_socket(address, Type::STREAM, false)?
            .listen(1)
            .map_err(|source| StartError::Bind {
                address,
                protocol: "tcp",
                source,
            })?;
    }
    drop(probe);
    let sockets = (0..shards)
        .map(|_| open_one(address, with_tcp))
        .collect::<Result<_, _>>()?;
    Ok((port, sockets))
}

/// Opens a port for one pull.
pub(crate) fn open_own(bind: IpAddr) -> Result<MediaSockets, StartError> {
    open_one(SocketAddr::new(bind, 0), false)
}

fn open_one(address: SocketAddr, with_tcp: bool) -> Result<MediaSockets, StartError> {
    let socket = bind_socket(address, Type::DGRAM, true)?;
    // Smaller buffers than asked for are no reason not to start; `doctor` names the limits.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    let _ = socket.set_send_buffer_size(SEND_BUFFER);
    let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
    let sender = socket.try_clone()?.into();
    let batch = BATCH_SIZE;
    let tcp = if with_tcp {
        let listener = bind_socket(address, Type::STREAM, true)?;
        listener.listen(TCP_BACKLOG)?;
        Some(TcpListener::from_std(listener.into()))
    } else {
        None
    };
    Ok(MediaSockets {
        udp: MediaSocket {
            socket: UdpSocket::from_std(socket.into()),
            state,
            buffers: vec![vec![0; GRO_BYTES]; batch],
        },
        sender,
        tcp,
    })
}

fn bind_socket(address: SocketAddr, kind: Type, shared: bool) -> Result<Socket, StartError> {
    let is_udp = kind == Type::DGRAM;
    let protocol = if is_udp { Protocol::UDP } else { Protocol::TCP };
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    socket.set_nonblocking(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    if !is_udp {
        socket.set_reuse_address(true)?;
    }
    if shared {
        socket.set_reuse_port(true)?;
    }
    socket
        .bind(&SockAddr::from(address))
        .map_err(|source| StartError::Bind {
            address,
            protocol: if is_udp { "udp" } else { "tcp" },
            source,
        })?;
    Ok(socket)
}

impl MediaSocket {
    /// Receives one batch. Calls `each` with the peer, our address where known, and the datagram.
    /// Returns whether more may be waiting.
    pub(crate) fn receive(
        &mut self,
        mut each: impl FnMut(SocketAddr, Option<IpAddr>, &[u8]),
    ) -> io::Result<bool> {
        let mut metas = [RecvMeta::default(); BATCH_SIZE];
        let mut slices: Vec<IoSliceMut<'_>> = self
            .buffers
            .iter_mut()
            .map(|buffer| IoSliceMut::new(buffer))
            .collect();
        let socket = UdpSockRef::from(&self.socket);
        let received = match self.state.recv(socket, &mut slices, &mut metas) {
            Ok(received) => received,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        };
        drop(slices);
        for (meta, buffer) in metas.iter().zip(&self.buffers).take(received) {
            let contents = buffer.get(..meta.len).unwrap_or_default();
            for datagram in contents.chunks(meta.stride.max(1)) {
                each(
                    canonical(meta.addr),
                    meta.dst_ip.map(canonical_ip),
                    datagram,
                );
            }
        }
        Ok(received == BATCH_SIZE)
    }
}

/// IPv4 addresses as such, also when a dual-stack socket reports them.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(canonical_ip(address.ip()), address.port())
}

fn canonical_ip(ip: IpAddr) -> IpAddr {
    ip.to_canonical()
}
