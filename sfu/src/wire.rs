//! Sending: many runs in one system call, each split by the kernel or the card.
//!
//! Runs of one segment size that follow each other go into one `sendmmsg` with `UDP_SEGMENT`. What the
//! kernel refuses that way goes out one by one.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::Arc;

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{ControlMessage, MsgFlags, MultiHeaders, SockaddrStorage, sendmmsg};
use quinn_udp::{Transmit, UdpSockRef, UdpSocketState};
use str0m::net::Protocol;

use crate::egress::{Run, TransmitQueue};
use crate::registry::Registry;
use crate::settings::Settings;
use crate::stats::{count, count_by};

/// Where datagrams leave, also while more of them are being made.
pub(crate) trait Wire: fmt::Debug + Send {
    /// Sends the runs over UDP at the front of the queue, as far as there is room.
    fn send(&mut self, queue: &mut TransmitQueue);

    /// There is room again.
    fn unblock(&mut self);

    /// What comes from this port of ours leaves by its own socket.
    fn open(&mut self, port: u16, socket: UdpSocket);

    /// The port is of no use any more.
    fn close(&mut self, port: u16);
}

/// The sending side of a media socket.
#[derive(Debug)]
pub(crate) struct UdpWire {
    socket: UdpSocket,
    /// For what goes out one by one.
    state: UdpSocketState,
    /// Those of single sessions, by their port.
    others: HashMap<u16, UdpSocket>,
    is_ipv6: bool,
    is_blocked: bool,
    /// Whether the kernel takes `UDP_SEGMENT`.
    splits: bool,
    settings: Arc<Settings>,
    registry: Arc<Registry>,
}

/// Runs in one call.
const MOST_RUNS: usize = 64;

/// What was done at the front of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    /// So many runs have left.
    Runs(usize),
    /// So many datagrams of the first run are done with, and counted.
    OfFirst(usize),
}

/// What all runs of a call have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Kind {
    /// Bytes of a segment, where any run has several.
    segment: Option<u16>,
    /// The address to send from, where it is ours.
    local: Option<IpAddr>,
}

impl Wire for UdpWire {
    fn send(&mut self, queue: &mut TransmitQueue) {
        while !self.is_blocked {
            let runs: Vec<(Run, &[u8])> = queue
                .runs()
                .take(MOST_RUNS)
                .take_while(|(run, _)| {
                    run.path.protocol == Protocol::Udp && self.other(run).is_none()
                })
                .map(|(run, bytes)| (*run, bytes))
                .collect();
            if runs.is_empty() {
                if self.send_from_other(queue) {
                    continue;
                }
                return;
            }
            match self.send_some(&runs) {
                Sent::Runs(sent) => {
                    let done = runs.iter().take(sent);
                    let (datagrams, bytes) =
                        done.fold((0, 0), |(datagrams, bytes), (run, sent)| {
                            (
                                datagrams + run.datagrams() as u64,
                                bytes + sent.len() as u64,
                            )
                        });
                    count_by(&self.registry.counters.datagrams_out, datagrams);
                    count_by(&self.registry.counters.bytes_out, bytes);
                    queue.forget(sent);
                }
                Sent::OfFirst(datagrams) => queue.forget_of_first(datagrams),
            }
        }
    }

    fn unblock(&mut self) {
        self.is_blocked = false;
    }

    fn open(&mut self, port: u16, socket: UdpSocket) {
        self.others.insert(port, socket);
    }

    fn close(&mut self, port: u16) {
        self.others.remove(&port);
    }
}

impl UdpWire {
    pub(crate) fn new(
        socket: UdpSocket,
        settings: Arc<Settings>,
        registry: Arc<Registry>,
    ) -> io::Result<Self> {
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        Ok(Self {
            is_ipv6: socket.local_addr()?.is_ipv6(),
            splits: state.max_gso_segments() > 1,
            socket,
            state,
            others: HashMap::new(),
            is_blocked: false,
            settings,
            registry,
        })
    }

    /// The socket of a run that does not leave from the media port.
    fn other(&self, run: &Run) -> Option<&UdpSocket> {
        if self.others.is_empty() {
            return None;
        }
        self.others.get(&run.path.source.port())
    }

    /// Sends the first run, where it leaves from another port: a report now and then. What finds no room
    /// is lost, as on the way.
    fn send_from_other(&self, queue: &mut TransmitQueue) -> bool {
        let Some((run, bytes)) = queue.runs().next() else {
            return false;
        };
        let is_udp = run.path.protocol == Protocol::Udp;
        let Some(socket) = self.other(run).filter(|_| is_udp) else {
            return false;
        };
        for datagram in bytes.chunks(run.segment.max(1)) {
            count(&self.registry.counters.send_calls);
            let sent = socket.send_to(datagram, self.mapped(run.path.destination));
            self.count_sent(datagram, sent.is_ok());
        }
        queue.forget(1);
        true
    }

    /// Sends from the front.
    fn send_some(&mut self, runs: &[(Run, &[u8])]) -> Sent {
        let Some((first, bytes)) = runs.first() else {
            return Sent::Runs(0);
        };
        if first.datagrams() > 1 && !self.splits {
            return self.send_singly(first, bytes);
        }
        let alike = self.alike(runs);
        let some = runs.get(..alike.0).unwrap_or_default();
        count(&self.registry.counters.send_calls);
        match self.send_together(some, alike.1) {
            Ok(sent) => Sent::Runs(sent),
            Err(Errno::EAGAIN) => {
                self.is_blocked = true;
                Sent::Runs(0)
            }
            Err(Errno::EINTR) => Sent::Runs(0),
            Err(error) => {
                if error == Errno::EIO && alike.1.segment.is_some() {
                    tracing::info!(
                        "The network card takes no datagrams together; they go out one by one"
                    );
                    self.splits = false;
                }
                // Or the first peer cannot be reached: the others go on.
                self.send_singly(first, bytes)
            }
        }
    }

    /// How many runs at the front can go into one call, and what they have in common.
    fn alike(&self, runs: &[(Run, &[u8])]) -> (usize, Kind) {
        let mut kind = Kind {
            segment: None,
            local: None,
        };
        let mut longest_single = 0;
        for (count, (run, bytes)) in runs.iter().enumerate() {
            let local = self.local_of(run);
            let is_split = run.datagrams() > 1;
            let segment = u16::try_from(run.segment).ok().filter(|_| is_split);
            if is_split && !self.splits || count > 0 && local != kind.local {
                return (count, kind);
            }
            let (joint, longest) = match segment {
                Some(_) => (kind.segment.or(segment), longest_single),
                None => (kind.segment, longest_single.max(bytes.len())),
            };
            let is_alike = segment.is_none_or(|segment| joint == Some(segment))
                && joint.is_none_or(|joint| longest <= usize::from(joint));
            if !is_alike {
                return (count, kind);
            }
            (kind.segment, longest_single) = (joint, longest);
            kind.local = local;
        }
        (runs.len(), kind)
    }

    fn local_of(&self, run: &Run) -> Option<IpAddr> {
        let ip = run.path.source.ip();
        self.settings.local_ips.contains(&ip).then_some(ip)
    }

    fn send_together(&self, runs: &[(Run, &[u8])], kind: Kind) -> nix::Result<usize> {
        let slices: Vec<[IoSlice<'_>; 1]> = runs
            .iter()
            .map(|(_, bytes)| [IoSlice::new(bytes)])
            .collect();
        let addresses: Vec<Option<SockaddrStorage>> = runs
            .iter()
            .map(|(run, _)| Some(self.mapped(run.path.destination).into()))
            .collect();
        let local = kind
            .local
            .map(|ip| self.mapped(SocketAddr::new(ip, 0)).ip());
        let (v4, v6) = (local.and_then(info_v4), local.and_then(info_v6));
        let mut controls = Vec::with_capacity(2);
        controls.extend(kind.segment.as_ref().map(ControlMessage::UdpGsoSegments));
        controls.extend(v4.as_ref().map(ControlMessage::Ipv4PacketInfo));
        controls.extend(v6.as_ref().map(ControlMessage::Ipv6PacketInfo));
        // As long as the controls are: the kernel reads all of it.
        let room = kind.segment.map_or(0, |_| space_of::<u16>())
            + v4.map_or(0, |_| space_of::<libc::in_pktinfo>())
            + v6.map_or(0, |_| space_of::<libc::in6_pktinfo>());
        let room = (room > 0).then(|| Vec::with_capacity(room));
        let mut headers = MultiHeaders::preallocate(runs.len(), room);
        let sent = sendmmsg(
            self.socket.as_raw_fd(),
            &mut headers,
            slices.iter(),
            &addresses,
            &controls,
            MsgFlags::MSG_DONTWAIT,
        )?;
        Ok(sent.count())
    }

    /// Sends a run datagram by datagram. A peer that cannot be reached is found out by its silence.
    fn send_singly(&mut self, run: &Run, bytes: &[u8]) -> Sent {
        let local = self.local_of(run);
        let mut done = 0;
        for datagram in bytes.chunks(run.segment.max(1)) {
            count(&self.registry.counters.send_calls);
            let transmit = Transmit {
                destination: self.mapped(run.path.destination),
                ecn: None,
                contents: datagram,
                segment_size: None,
                src_ip: local.map(|ip| self.mapped(SocketAddr::new(ip, 0)).ip()),
            };
            match self
                .state
                .try_send(UdpSockRef::from(&self.socket), &transmit)
            {
                Ok(()) => self.count_sent(datagram, true),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.is_blocked = true;
                    break;
                }
                Err(_) => self.count_sent(datagram, false),
            }
            done += 1;
        }
        Sent::OfFirst(done)
    }

    fn count_sent(&self, datagram: &[u8], has_left: bool) {
        let counters = &self.registry.counters;
        if has_left {
            count(&counters.datagrams_out);
            count_by(&counters.bytes_out, datagram.len() as u64);
        } else {
            count(&counters.datagrams_unsent);
        }
    }

    /// IPv4 addresses as a dual-stack socket wants them.
    fn mapped(&self, address: SocketAddr) -> SocketAddr {
        match address.ip() {
            IpAddr::V4(ip) if self.is_ipv6 => {
                SocketAddr::new(ip.to_ipv6_mapped().into(), address.port())
            }
            _ => address,
        }
    }
}

/// Bytes of a control message with a value of this type, alignment included (RFC 3542 §20.2).
const fn space_of<T>() -> usize {
    let align = size_of::<usize>();
    size_of::<libc::cmsghdr>().next_multiple_of(align) + size_of::<T>().next_multiple_of(align)
}

fn info_v4(ip: IpAddr) -> Option<libc::in_pktinfo> {
    let IpAddr::V4(ip) = ip else { return None };
    Some(libc::in_pktinfo {
        ipi_ifindex: 0,
        ipi_spec_dst: libc::in_addr {
            s_addr: u32::from_ne_bytes(ip.octets()),
        },
        ipi_addr: libc::in_addr { s_addr: 0 },
    })
}

fn info_v6(ip: IpAddr) -> Option<libc::in6_pktinfo> {
    let IpAddr::V6(ip) = ip else { return None };
    Some(libc::in6_pktinfo {
        ipi6_addr: libc::in6_addr {
            s6_addr: ip.octets(),
        },
        ipi6_ifindex: 0,
    })
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use super::*;
    use crate::config::Config;
    use crate::egress::Path;

    fn bound() -> UdpSocket {
        bound_to(Ipv4Addr::LOCALHOST.into())
    }

    fn bound_to(ip: IpAddr) -> UdpSocket {
        let socket = UdpSocket::bind((ip, 0)).expect("a port");
        socket
            .set_read_timeout(Some(Duration::from_secs(5)))
            .expect("a limit");
        socket
    }

    fn received(socket: &UdpSocket) -> Vec<u8> {
        let mut buffer = vec![0; 2_000];
        let (length, _) = socket.recv_from(&mut buffer).expect("a datagram");
        buffer.truncate(length);
        buffer
    }

    fn wire(local_ips: Vec<IpAddr>) -> (UdpWire, SocketAddr) {
        wire_of(bound(), local_ips)
    }

    fn wire_of(socket: UdpSocket, local_ips: Vec<IpAddr>) -> (UdpWire, SocketAddr) {
        let config = Config {
            bind: Ipv4Addr::LOCALHOST.into(),
            ..Config::default()
        };
        let address = socket.local_addr().expect("an address");
        let mut settings = Settings::new(config, address.port());
        settings.local_ips = local_ips;
        let wire = UdpWire::new(socket, Arc::new(settings), Arc::default());
        (wire.expect("a wire"), address)
    }

    /// Sends runs of several sizes to two peers; returns the calls that it took.
    fn sends_all(wire: UdpWire, source: SocketAddr) -> u64 {
        sends_all_to([bound(), bound()], wire, source)
    }

    fn sends_all_to(peers: [UdpSocket; 2], mut wire: UdpWire, source: SocketAddr) -> u64 {
        let mut queue = TransmitQueue::default();
        let mut sent = [Vec::new(), Vec::new()];
        for round in 0..3u8 {
            for (number, peer) in peers.iter().enumerate() {
                let path = Path {
                    protocol: Protocol::Udp,
                    source,
                    destination: peer.local_addr().expect("an address"),
                };
                for (size, value) in [(1_200, 1), (1_200, 2), (700, 3), (90, 4), (1_300, 5)] {
                    let datagram = vec![value + 10 * round; size];
                    assert!(queue.push(path, &datagram));
                    sent[number].push(datagram);
                }
            }
        }
        wire.send(&mut queue);
        assert!(queue.is_empty());
        for (peer, sent) in peers.iter().zip(sent) {
            for datagram in sent {
                assert_eq!(received(peer), datagram);
            }
        }
        let totals = wire.registry.counters.snapshot();
        assert_eq!(totals.datagrams_out, 30);
        totals.send_calls
    }

    #[test]
    fn datagrams_arrive_whole_and_in_order_in_few_calls() {
        let (wire, source) = wire(Vec::new());
        let calls = sends_all(wire, source);
        assert!(calls <= 12, "{calls}");
    }

    #[test]
    fn datagrams_leave_from_the_address_that_is_ours() {
        let (wire, source) = wire(vec![Ipv4Addr::LOCALHOST.into()]);
        sends_all(wire, source);
    }

    #[test]
    fn socket_for_both_families_reaches_both() {
        let v4: IpAddr = Ipv4Addr::LOCALHOST.into();
        let v6: IpAddr = std::net::Ipv6Addr::LOCALHOST.into();
        for ip in [v4, v6] {
            for local_ips in [Vec::new(), vec![ip]] {
                let socket = bound_to(std::net::Ipv6Addr::UNSPECIFIED.into());
                let (wire, address) = wire_of(socket, local_ips);
                let source = SocketAddr::new(ip, address.port());
                sends_all_to([bound_to(ip), bound_to(ip)], wire, source);
            }
        }
    }

    #[test]
    fn kernel_that_does_not_split_gets_them_one_by_one() {
        let (mut wire, source) = wire(Vec::new());
        wire.splits = false;
        assert!(sends_all(wire, source) > 12);
    }

    #[test]
    fn peer_that_cannot_be_reached_costs_no_other() {
        let (mut wire, source) = wire(Vec::new());
        let peer = bound();
        let mut queue = TransmitQueue::default();
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        for destination in [nowhere, peer.local_addr().expect("an address"), nowhere] {
            let path = Path {
                protocol: Protocol::Udp,
                source,
                destination,
            };
            assert!(queue.push(path, b"hello") && queue.push(path, b"there"));
        }
        wire.send(&mut queue);
        assert!(queue.is_empty());
        assert_eq!(received(&peer), b"hello");
        assert_eq!(received(&peer), b"there");
    }
}
