//! The state machine in virtual time, with sockets that are numbers.

mod allocations;
mod bounds;
mod credentials;

use super::*;
use crate::config::{IsAlive, Limits, RelayAddress, Secret};
use crate::credentials::Credentials;
use crate::peers::Peers;

#[allow(
    dead_code,
    unreachable_pub,
    reason = "tests of sockets use all of them, and these most"
)]
#[path = "../../../tests/sockets/support/messages.rs"]
mod messages;

use messages::*;

const REALM_NAME: &str = "tallylight";
const SECRET: &str = "a secret of tests";
/// When the server started, since 1970.
const START: Duration = Duration::from_secs(1_795_780_000);
const HOUR: Duration = Duration::from_secs(3_600);

/// Each socket has the next port.
#[derive(Default)]
struct Ports {
    next: u16,
    are_gone: bool,
}

impl Bind for Ports {
    type Socket = u16;

    fn bind(&mut self, _: IpAddr, is_even: bool) -> io::Result<(u16, u16)> {
        if self.are_gone {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        self.next += 1;
        if is_even {
            self.next = self.next.next_multiple_of(2);
        }
        let port = 50_000 + self.next;
        Ok((port, port))
    }
}

struct World {
    relay: Relay<Ports>,
    at: Duration,
}

/// What came of a message, owned.
#[derive(Debug)]
enum Came {
    Nothing,
    Answer(Reply),
    Relayed(u16, SocketAddr, Vec<u8>),
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn sfu() -> SocketAddr {
    address("203.0.113.5:8189")
}

fn local() -> SocketAddr {
    address("127.0.0.1:8189")
}

fn client() -> SocketAddr {
    address("198.51.100.1:40000")
}

fn config() -> Config {
    let peers = Peers::new([
        (sfu(), local()),
        (address("[2001:db8::5]:8189"), address("[::1]:8189")),
    ]);
    let relay = RelayAddress {
        bind: address("127.0.0.1:0").ip(),
        announced: sfu().ip(),
    };
    Config::new(REALM_NAME, Secret::new(SECRET), peers, vec![relay])
}

impl World {
    fn new() -> Self {
        Self::with(config())
    }

    fn with(config: Config) -> Self {
        let house = Arc::new(House::new(config, [7; 32]));
        Self {
            relay: Relay::new(house, Ports::default()),
            at: Duration::from_secs(1_000),
        }
    }

    fn limited(change: impl FnOnce(&mut Limits)) -> Self {
        let mut config = config();
        change(&mut config.limits);
        Self::with(config)
    }

    fn now(&self) -> Now {
        Now {
            at: self.at,
            unix: START + self.at,
        }
    }

    fn wait(&mut self, seconds: u64) {
        self.at += Duration::from_secs(seconds);
    }

    fn send_from(&mut self, client: SocketAddr, message: &[u8]) -> Came {
        let now = self.now();
        match self.relay.receive(client, message, now) {
            Outcome::Nothing => Came::Nothing,
            Outcome::Answer(answer) | Outcome::Opened { answer, .. } => Came::Answer(Reply(answer)),
            Outcome::Relay {
                socket,
                to,
                payload,
            } => Came::Relayed(*socket, to, payload.to_vec()),
        }
    }

    fn ask_from(&mut self, client: SocketAddr, message: &[u8]) -> Reply {
        match self.send_from(client, message) {
            Came::Answer(reply) => reply,
            came => panic!("no answer: {came:?}"),
        }
    }

    fn ask(&mut self, message: &[u8]) -> Reply {
        self.ask_from(client(), message)
    }

    fn nonce(&mut self, client: SocketAddr) -> String {
        let reply = self.ask_from(client, &allocate().finish());
        assert_eq!(reply.code(), Some(401));
        assert_eq!(reply.text(REALM), REALM_NAME);
        reply.text(NONCE)
    }

    fn credentials(&self, id: &str, lifetime: Duration) -> Credentials {
        let unix = self.now().unix;
        Credentials::issue(&Secret::new(SECRET), id, unix, lifetime).unwrap()
    }

    fn signer_from(&mut self, client: SocketAddr, id: &str, lifetime: Duration) -> Signer {
        let Credentials { username, password } = self.credentials(id, lifetime);
        let nonce = self.nonce(client);
        Signer::new(&username, &password, REALM_NAME, &nonce)
    }

    fn signer(&mut self) -> Signer {
        self.signer_from(client(), "alice", HOUR)
    }

    /// With an allocation.
    fn allocated(&mut self) -> Signer {
        let signer = self.signer();
        let reply = self.ask(&allocate().signed(&signer));
        assert!(reply.is_success(), "{reply:?}");
        signer
    }

    /// With an allocation of that client and user.
    fn allocate_from(&mut self, client: SocketAddr, id: &str) -> Option<u16> {
        let signer = self.signer_from(client, id, HOUR);
        self.ask_from(client, &allocate().signed(&signer)).code()
    }

    fn refresh(&mut self, signer: &Signer, seconds: Option<u32>) -> Reply {
        let draft = Draft::request(REFRESH);
        let draft = match seconds {
            Some(seconds) => draft.with(LIFETIME, &seconds.to_be_bytes()),
            None => draft,
        };
        self.ask(&draft.signed(signer))
    }

    fn permit(&mut self, signer: &Signer, peer: SocketAddr) -> Option<u16> {
        let draft = Draft::request(CREATE_PERMISSION).with_peer(peer);
        self.ask(&draft.signed(signer)).code()
    }

    fn bind(&mut self, signer: &Signer, number: u16, peer: SocketAddr) -> Option<u16> {
        let draft = Draft::request(CHANNEL_BIND).with_channel(number);
        self.ask(&draft.with_peer(peer).signed(signer)).code()
    }

    /// Where it went.
    fn send_indication(&mut self, peer: SocketAddr) -> Option<SocketAddr> {
        let draft = Draft::indication(SEND).with_peer(peer);
        self.data(&draft.with(DATA, b"hello").finish())
    }

    fn data(&mut self, message: &[u8]) -> Option<SocketAddr> {
        match self.send_from(client(), message) {
            Came::Relayed(socket, to, payload) => {
                assert_eq!((socket, &payload[..]), (50_001, &b"hello"[..]));
                Some(to)
            }
            Came::Nothing => None,
            Came::Answer(reply) => panic!("data is not answered: {reply:?}"),
        }
    }

    fn counters(&self) -> crate::Stats {
        let house = &self.relay.house;
        house.counters.read(house.ledger.count(), 0)
    }
}
