//! A way to a server's media through its TURN server (RFC 8656), on the client of webrtc-rs: an allocation, a
//! permission for the media address, and a channel to it.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::time::Duration;

use bytes::BytesMut;
use mio::event::Source;
use mio::{Events, Interest, Poll, Token};
use rtc::sansio::Protocol as _;
use rtc::shared::{TransportContext, TransportMessage, TransportProtocol};
use rtc::turn::client::{Client, ClientConfig, Event};
use str0m::net::Protocol;

use crate::clock;
use crate::link::{Arrival, Buffers, Link};

/// A TURN server, and what opens it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnServer {
    /// How it is reached: UDP or TCP.
    pub protocol: Protocol,
    /// Host and port.
    pub address: String,
    /// For an hour or so.
    pub username: String,
    /// The password.
    pub credential: String,
}

/// An allocation that reaches one media address.
pub(crate) struct Relay {
    client: Client,
    /// To the TURN server.
    carrier: Link,
    context: TransportContext,
    /// Where our datagrams come from, as the media address sees it.
    pub(crate) relayed: SocketAddr,
    peer: SocketAddr,
    /// When what was read last came, since 1970.
    came_at: Duration,
}

/// For an allocation and a permission.
const WITHIN: Duration = Duration::from_secs(10);
/// Requests are sent anew about this often.
const TICK: Duration = Duration::from_millis(100);

impl TurnServer {
    /// The server of a `Link` header (RFC 9725 §4.6), such as
    /// `<turn:host:3478?transport=udp>; rel="ice-server"; username="u"; credential="p"`. None for those
    /// within TLS, and for all other links.
    #[must_use]
    pub fn of_link(link: &str) -> Option<Self> {
        let (url, parameters) = link.strip_prefix("<turn:")?.split_once('>')?;
        let (address, protocol) = match url.split_once("?transport=") {
            Some((address, "tcp")) => (address, Protocol::Tcp),
            Some((address, "udp")) => (address, Protocol::Udp),
            Some(_) => return None,
            None => (url, Protocol::Udp),
        };
        let parameter = |name: &str| {
            let mut pairs = parameters.split(';').filter_map(|p| p.split_once('='));
            let (_, value) = pairs.find(|(key, _)| key.trim() == name)?;
            Some(value.trim().trim_matches('"').to_owned())
        };
        (parameter("rel")? == "ice-server").then_some(Self {
            protocol,
            address: address.to_owned(),
            username: parameter("username")?,
            credential: parameter("credential")?,
        })
    }
}

impl Relay {
    /// Makes an allocation that reaches that media address. Blocks until it is there.
    pub(crate) fn open(server: &TurnServer, peer: SocketAddr) -> io::Result<Self> {
        let address = server.address.to_socket_addrs()?.next();
        let address = address.ok_or_else(|| io::Error::other("the TURN server has no address"))?;
        let carrier = Link::open_to_turn(server.protocol, address)?;
        let context = TransportContext {
            local_addr: carrier.local,
            peer_addr: address,
            transport_protocol: match server.protocol {
                Protocol::Tcp => TransportProtocol::TCP,
                _ => TransportProtocol::UDP,
            },
            ecn: None,
        };
        let config = ClientConfig {
            turn_serv_addr: address.to_string(),
            local_addr: context.local_addr,
            transport_protocol: context.transport_protocol,
            username: server.username.clone(),
            password: server.credential.clone(),
            ..ClientConfig::default()
        };
        let provider = rtc::crypto::default_provider().map_err(failed)?;
        let mut relay = Self {
            client: Client::new(config, provider).map_err(failed)?,
            relayed: carrier.local,
            carrier,
            context,
            peer,
            came_at: Duration::ZERO,
        };
        relay.allocate()?;
        Ok(relay)
    }

    fn allocate(&mut self) -> io::Result<()> {
        let mut poll = Poll::new()?;
        let mut events = Events::with_capacity(4);
        poll.registry()
            .register(self.source(), Token(0), Interest::READABLE)?;
        let (mut buffers, ends) = (Buffers::new(), clock::now() + WITHIN);
        self.client.allocate(clock::now()).map_err(failed)?;
        while clock::now() < ends {
            self.write();
            poll.poll(&mut events, Some(TICK))?;
            while self.read(&mut buffers).is_some() {}
            while let Some(event) = self.client.poll_event() {
                if self.is_permitted_by(event)? {
                    return poll.registry().deregister(self.source());
                }
            }
            self.client.handle_timeout(clock::now()).map_err(failed)?;
        }
        Err(io::ErrorKind::TimedOut.into())
    }

    fn is_permitted_by(&mut self, event: Event) -> io::Result<bool> {
        match event {
            Event::AllocateResponse(_, relayed) => {
                self.relayed = relayed;
                let mut allocation = self.client.relay(relayed).map_err(failed)?;
                let asked = allocation.create_permission(clock::now(), self.peer);
                asked.map(|_| false).map_err(failed)
            }
            Event::CreatePermissionResponse(..) => Ok(true),
            Event::AllocateError(_, error) | Event::CreatePermissionError(_, error) => {
                Err(failed(error))
            }
            _ => Ok(false),
        }
    }

    /// Our end towards the TURN server.
    pub(crate) fn local(&self) -> SocketAddr {
        self.carrier.local
    }

    pub(crate) fn source(&mut self) -> &mut dyn Source {
        self.carrier.source()
    }

    pub(crate) fn send(&mut self, datagram: &[u8]) {
        let now = clock::now();
        // What must be renewed is, whenever something is sent: viewers report several times a second.
        let _ = self.client.handle_timeout(now);
        if let Ok(mut allocation) = self.client.relay(self.relayed) {
            // What it does not take is lost, as on any network.
            let _ = allocation.send_to(now, datagram, self.peer);
        }
        self.write();
    }

    pub(crate) fn receive<'b>(&mut self, buffers: &'b mut Buffers) -> Option<Arrival<'b>> {
        loop {
            while let Some(event) = self.client.poll_event() {
                if let Event::DataIndicationOrChannelData(_, _, datagram) = event {
                    return buffers.arrival(self.came_at, &datagram);
                }
            }
            self.read(buffers)?;
        }
    }

    pub(crate) fn flush(&mut self) {
        self.carrier.flush();
    }

    /// Hands what has come to the client, at most one batch; none when there is nothing more.
    fn read(&mut self, buffers: &mut Buffers) -> Option<()> {
        let arrival = self.carrier.receive(buffers)?;
        self.came_at = arrival.at;
        for message in arrival.datagrams() {
            // What makes no sense to it is dropped.
            let _ = self.client.handle_read(TransportMessage {
                now: clock::now(),
                transport: self.context,
                message: BytesMut::from(message),
            });
        }
        Some(())
    }

    fn write(&mut self) {
        while let Some(message) = self.client.poll_write() {
            self.carrier.send(&message.message);
        }
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay")
            .field("context", &self.context)
            .field("relayed", &self.relayed)
            .finish_non_exhaustive()
    }
}

fn failed(error: impl fmt::Display) -> io::Error {
    io::Error::other(format!("TURN: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_read_from_links() {
        let link = |url: &str| {
            format!(
                "<{url}>; rel=\"ice-server\"; username=\"1:ada\"; credential=\"a+b=\"; \
                 credential-type=\"password\""
            )
        };
        let server = TurnServer::of_link(&link("turn:[::1]:3478?transport=tcp")).unwrap();
        assert_eq!(
            server,
            TurnServer {
                protocol: Protocol::Tcp,
                address: "[::1]:3478".to_owned(),
                username: "1:ada".to_owned(),
                credential: "a+b=".to_owned(),
            }
        );
        let plain = TurnServer::of_link(&link("turn:host:3478")).unwrap();
        assert_eq!(plain.protocol, Protocol::Udp);
        assert_eq!(
            TurnServer::of_link(&link("turns:host:443?transport=tcp")),
            None
        );
        assert_eq!(TurnServer::of_link(&link("stun:host:3478")), None);
        assert_eq!(
            TurnServer::of_link("<turn:host:3478>; rel=\"ice-server\""),
            None
        );
        assert_eq!(TurnServer::of_link("</x>; rel=\"next\""), None);
    }
}
