//! The state machine in virtual time, with sockets that are numbers.

use super::*;
use crate::config::{IsAlive, Limits, RelayAddress, Secret};
use crate::credentials::Credentials;
use crate::peers::Peers;

#[allow(
    dead_code,
    unreachable_pub,
    reason = "tests of sockets use all of them, and these most"
)]
#[path = "../../tests/support/messages.rs"]
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

#[test]
fn an_allocation_says_where_it_is_and_for_how_long() {
    let mut world = World::new();
    let signer = world.signer();
    let reply = world.ask(&allocate().signed(&signer));
    assert!(reply.is_success() && reply.is_signed_by(&signer));
    assert_eq!(
        reply.address(XOR_RELAYED_ADDRESS),
        Some(address("203.0.113.5:50001"))
    );
    assert_eq!(reply.address(XOR_MAPPED_ADDRESS), Some(client()));
    assert_eq!(reply.lifetime(), Some(600));
    assert!(reply.get(0x8022).is_none(), "no SOFTWARE");
    assert!(reply.get(0x8028).is_none(), "no FINGERPRINT");
    assert_eq!(world.counters().allocations, 1);
}

#[test]
fn an_even_port_is_had() {
    let mut world = World::new();
    let signer = world.signer();
    let reply = world.ask(&allocate().with(0x0018, &[0]).signed(&signer));
    let relayed = reply.address(XOR_RELAYED_ADDRESS);
    assert_eq!(relayed, Some(address("203.0.113.5:50002")));
}

#[test]
fn an_allocation_ends_unless_it_is_refreshed() {
    let mut world = World::new();
    let signer = world.allocated();
    world.wait(599);
    assert_eq!(world.refresh(&signer, Some(600)).lifetime(), Some(600));
    world.wait(599);
    // More than there is, and less than is of use.
    assert_eq!(world.refresh(&signer, Some(36_000)).lifetime(), Some(600));
    world.wait(599);
    assert_eq!(world.refresh(&signer, Some(1)).lifetime(), Some(600));
    world.wait(600);
    assert_eq!(world.refresh(&signer, None).code(), Some(437));
    assert_eq!(world.counters().allocations, 1, "until it is looked for");
    let now = world.now();
    world.relay.expire(now);
    assert_eq!(world.counters().allocations, 0);
    assert!(world.relay.is_empty());
}

#[test]
fn refreshing_for_no_time_ends_it() {
    let mut world = World::new();
    let signer = world.allocated();
    assert_eq!(world.permit(&signer, sfu()), None);
    let reply = world.refresh(&signer, Some(0));
    assert_eq!((reply.is_success(), reply.lifetime()), (true, Some(0)));
    assert_eq!(world.send_indication(sfu()), None);
    assert_eq!(world.refresh(&signer, Some(0)).code(), Some(437));
    assert_eq!(world.counters().allocations, 0);
    assert!(world.ask(&allocate().signed(&signer)).is_success(), "again");
}

#[test]
fn an_answer_that_was_lost_comes_again() {
    let mut world = World::new();
    let signer = world.signer();
    let request = allocate().signed(&signer);
    let first = world.ask(&request);
    world.wait(5);
    let second = world.ask(&request);
    let relayed = first.address(XOR_RELAYED_ADDRESS);
    assert_eq!(second.address(XOR_RELAYED_ADDRESS), relayed);
    assert_eq!(second.lifetime(), Some(595));
    let other = world.ask(&allocate().signed(&signer));
    assert_eq!(other.code(), Some(437));
    assert_eq!(world.counters().allocations_made, 1);
    world.wait(595);
    assert!(world.ask(&allocate().signed(&signer)).is_success());
}

#[test]
fn data_goes_to_the_local_address_of_a_permitted_peer_alone() {
    let mut world = World::new();
    assert_eq!(world.send_indication(sfu()), None, "no allocation");
    let signer = world.allocated();
    assert_eq!(world.send_indication(sfu()), None, "no permission");
    // The port of a permission does not count.
    assert_eq!(world.permit(&signer, address("203.0.113.5:1")), None);
    assert_eq!(world.send_indication(sfu()), Some(local()));
    assert_eq!(world.send_indication(address("203.0.113.5:8190")), None);
    assert_eq!(world.send_indication(local()), None);
    let by_ipv6 = address("[::ffff:203.0.113.5]:8189");
    assert_eq!(world.send_indication(by_ipv6), Some(local()));
    world.wait(299);
    assert_eq!(world.send_indication(sfu()), Some(local()));
    world.wait(1);
    assert_eq!(world.send_indication(sfu()), None);
    assert_eq!(world.counters().dropped_peers, 4);
}

#[test]
fn channels_are_bound_for_ten_minutes_and_permit_for_five() {
    let mut world = World::new();
    let signer = world.allocated();
    let data = channel_data(0x4000, b"hello");
    assert_eq!(world.data(&data), None);
    assert_eq!(world.bind(&signer, 0x4000, sfu()), None);
    assert_eq!(world.data(&data), Some(local()));
    // UDP need not pad, and may.
    let padded = [&data[..], &[0; 3]].concat();
    assert_eq!(world.data(&padded), Some(local()));
    assert_eq!(world.data(&channel_data(0x4001, b"hello")), None);
    assert_eq!(world.data(&data[..8]), None, "cut off");
    assert_eq!(world.bind(&signer, 0x4001, sfu()), Some(400));
    world.wait(300);
    assert_eq!(world.data(&data), None, "the permission ended");
    assert_eq!(world.bind(&signer, 0x4000, sfu()), None);
    assert_eq!(world.data(&data), Some(local()));
    for odd in [0x0000, 0x3fff, 0x8000, 0xffff] {
        assert_eq!(world.bind(&signer, odd, sfu()), Some(400));
    }
}

#[test]
fn what_is_not_ours_is_forbidden_and_the_allocation_lives_on() {
    let mut world = World::new();
    let signer = world.allocated();
    assert_eq!(world.permit(&signer, address("10.0.0.1:8189")), Some(403));
    assert_eq!(world.permit(&signer, local()), Some(403));
    assert_eq!(
        world.bind(&signer, 0x4000, address("203.0.113.5:8190")),
        Some(403)
    );
    // One of several spoils all.
    let several = Draft::request(CREATE_PERMISSION)
        .with_peer(sfu())
        .with_peer(address("10.0.0.1:8189"));
    assert_eq!(world.ask(&several.signed(&signer)).code(), Some(403));
    assert_eq!(world.send_indication(sfu()), None);
    assert_eq!(world.permit(&signer, sfu()), None);
    assert_eq!(world.send_indication(sfu()), Some(local()));
    assert_eq!(world.counters().refused_peers, 4);
    // Ours, but not from an allocation of IPv4.
    let ours = address("[2001:db8::5]:8189");
    assert_eq!(world.permit(&signer, ours), Some(443));
    assert_eq!(world.bind(&signer, 0x4000, ours), Some(443));
}

#[test]
fn requests_that_make_no_sense_are_told_so() {
    let mut world = World::new();
    let signer = world.signer();
    let code = |world: &mut World, draft: Draft| world.ask(&draft.signed(&signer)).code();
    for method in [REFRESH, CREATE_PERMISSION, CHANNEL_BIND] {
        let early = Draft::request(method).with_peer(sfu()).with_channel(0x4000);
        assert_eq!(code(&mut world, early), Some(437));
    }
    let draft = |transport| Draft::request(ALLOCATE).with(REQUESTED_TRANSPORT, transport);
    assert_eq!(code(&mut world, Draft::request(ALLOCATE)), Some(400));
    assert_eq!(code(&mut world, draft(&[17])), Some(400));
    assert_eq!(code(&mut world, draft(&[6, 0, 0, 0])), Some(442), "TCP");
    assert_eq!(code(&mut world, draft(&[0; 4])), Some(442));
    assert_eq!(code(&mut world, allocate().with(LIFETIME, &[1])), Some(400));
    let family = |value| allocate().with(REQUESTED_ADDRESS_FAMILY, value);
    assert_eq!(code(&mut world, family(&[2, 0, 0, 0])), Some(440), "IPv6");
    assert_eq!(code(&mut world, family(&[9, 0, 0, 0])), Some(440));
    assert_eq!(code(&mut world, family(&[1])), Some(400));
    let even = |value| allocate().with(0x0018, value);
    assert_eq!(code(&mut world, even(&[0x80])), Some(508), "a reservation");
    assert_eq!(code(&mut world, even(&[0; 4])), Some(400));
    for unknown in [0x0022_u16, 0x001a, 0x001e, 0x7fff] {
        let reply = world.ask(&allocate().with(unknown, &[0; 8]).signed(&signer));
        assert_eq!(reply.code(), Some(420));
        assert_eq!(reply.get(0x000a), Some(unknown.to_be_bytes().to_vec()));
        assert!(reply.is_signed_by(&signer));
    }
    assert_eq!(
        code(&mut world, allocate().with(0x8123, &[])),
        None,
        "need not be known"
    );
    for method in [CREATE_PERMISSION, CHANNEL_BIND] {
        assert_eq!(code(&mut world, Draft::request(method)), Some(400));
        let odd = Draft::request(method).with_channel(0x4000);
        assert_eq!(
            code(&mut world, odd.with(XOR_PEER_ADDRESS, &[0; 5])),
            Some(400)
        );
    }
    let odd = Draft::request(CHANNEL_BIND).with_peer(sfu());
    assert_eq!(
        code(&mut world, odd.with(CHANNEL_NUMBER, &[0x40])),
        Some(400)
    );
    let other = Draft::request(REFRESH).with(REQUESTED_ADDRESS_FAMILY, &[2, 0, 0, 0]);
    assert_eq!(code(&mut world, other), Some(443));
    // RFC 6062, and answers that nobody asked for.
    let connect = Draft::request(CONNECT).with_peer(sfu()).signed(&signer);
    assert!(matches!(world.send_from(client(), &connect), Came::Nothing));
    let echo = world.refresh(&signer, None).0;
    assert!(matches!(world.send_from(client(), &echo), Came::Nothing));
    let unknown = Draft::indication(SEND)
        .with_peer(sfu())
        .with(0x0022, &[0; 8]);
    assert_eq!(world.permit(&signer, sfu()), None);
    assert_eq!(world.data(&unknown.with(DATA, b"hello").finish()), None);
}

#[test]
fn ipv6_is_served_where_there_is_an_address_for_it() {
    let mut config = config();
    config.relays.push(address("[::1]:0").ip().into());
    let mut world = World::with(config);
    let signer = world.signer();
    let draft = allocate().with(REQUESTED_ADDRESS_FAMILY, &[2, 0, 0, 0]);
    let reply = world.ask(&draft.signed(&signer));
    assert_eq!(
        reply.address(XOR_RELAYED_ADDRESS),
        Some(address("[::1]:50001"))
    );
    let peer = address("[2001:db8::5]:8189");
    assert_eq!(world.permit(&signer, sfu()), Some(443));
    assert_eq!(world.permit(&signer, peer), None);
    assert_eq!(world.send_indication(peer), Some(address("[::1]:8189")));
}

#[test]
fn credentials_end_and_what_they_opened_goes_on_until_its_user_ends() {
    let mut world = World::new();
    let signer = world.signer_from(client(), "alice", HOUR);
    world.wait(3_000);
    let nonce = world.nonce(client());
    let signer = Signer { nonce, ..signer };
    assert_eq!(world.ask(&allocate().signed(&signer)).lifetime(), Some(600));
    world.wait(300);
    assert_eq!(world.refresh(&signer, Some(600)).lifetime(), Some(600));
    // Past their hour, and what clocks may be apart.
    world.wait(400);
    assert_eq!(world.refresh(&signer, Some(600)).lifetime(), Some(600));
    assert_eq!(world.permit(&signer, sfu()), None);
    assert_eq!(world.send_indication(sfu()), Some(local()));
    // They open nothing more.
    assert_eq!(world.refresh(&signer, Some(0)).lifetime(), Some(0));
    assert_eq!(world.ask(&allocate().signed(&signer)).code(), Some(401));
    assert_eq!(world.refresh(&signer, Some(600)).code(), Some(401));
    assert_eq!(world.counters().refused_credentials, 2);
}

#[test]
fn a_nonce_ends_and_another_comes_with_the_refusal() {
    let mut world = World::new();
    let old = world.nonce(client());
    world.wait(3_600);
    let Credentials { username, password } = world.credentials("alice", HOUR);
    let signer = Signer::new(&username, &password, REALM_NAME, &old);
    let reply = world.ask(&allocate().signed(&signer));
    assert_eq!(reply.code(), Some(438));
    let nonce = reply.text(NONCE);
    let signer = Signer { nonce, ..signer };
    assert!(world.ask(&allocate().signed(&signer)).is_success());
    // It is this client's alone.
    let other = address("198.51.100.2:40000");
    let reply = world.ask_from(other, &allocate().signed(&signer));
    assert_eq!(reply.code(), Some(438));
}

#[test]
fn credentials_that_are_not_ours_get_nothing() {
    let mut world = World::new();
    let Credentials { username, password } = world.credentials("alice", HOUR);
    let nonce = world.nonce(client());
    let later = username.replacen('1', "2", 1);
    let wrong = [
        (username.as_str(), "password", REALM_NAME),
        (username.as_str(), "", REALM_NAME),
        (later.as_str(), password.as_str(), REALM_NAME),
        ("alice", password.as_str(), REALM_NAME),
        ("", password.as_str(), REALM_NAME),
        (username.as_str(), password.as_str(), "elsewhere"),
    ];
    for (username, password, realm) in wrong {
        let signer = Signer::new(username, password, realm, &nonce);
        let reply = world.ask(&allocate().signed(&signer));
        assert_eq!(reply.code(), Some(401), "{username}");
        assert!(reply.get(NONCE).is_some() && !reply.is_signed_by(&signer));
    }
    assert_eq!(world.counters().refused_credentials, 6);
    let signer = Signer::new(&username, &password, REALM_NAME, &nonce);
    let unnamed = allocate().signed_alone(&signer);
    assert_eq!(world.ask(&unnamed).code(), Some(400));
    let mut signed = allocate().signed(&signer);
    for at in 24..signed.len() {
        signed[at] ^= 1;
        match world.send_from(client(), &signed) {
            Came::Nothing => {}
            Came::Answer(reply) => assert!(!reply.is_success(), "byte {at}"),
            Came::Relayed(..) => panic!("nothing is relayed"),
        }
        signed[at] ^= 1;
        world.wait(1);
    }
    assert_eq!(world.counters().allocations_made, 0);
    assert!(world.ask(&signed).is_success());
}

#[test]
fn what_stands_behind_the_signature_is_not_believed() {
    let mut world = World::new();
    let signer = world.allocated();
    let mut message = Draft::request(REFRESH).signed(&signer);
    message.extend([0, 0x0d, 0, 4, 0, 0, 0, 0]);
    let length = u16::try_from(message.len() - 20).unwrap();
    message[2..4].copy_from_slice(&length.to_be_bytes());
    assert!(matches!(world.send_from(client(), &message), Came::Nothing));
    assert_eq!(world.counters().allocations, 1);
}

#[test]
fn an_allocation_is_of_who_made_it() {
    let mut world = World::new();
    let alice = world.allocated();
    let bob = world.signer_from(client(), "bob", HOUR);
    assert_eq!(world.refresh(&bob, Some(0)).code(), Some(441));
    assert_eq!(world.permit(&bob, sfu()), Some(441));
    assert_eq!(world.bind(&bob, 0x4000, sfu()), Some(441));
    assert_eq!(world.refresh(&alice, Some(600)).code(), None);
    assert_eq!(world.counters().refused_credentials, 3);
}

#[test]
fn who_is_ended_loses_all_at_once() {
    let mut world = World::new();
    let signer = world.allocated();
    assert_eq!(world.permit(&signer, sfu()), None);
    let unix = world.now().unix;
    let ledger = Arc::clone(&world.relay.house.ledger);
    ledger.end_user("alice", unix + HOUR + Duration::from_secs(60), unix);
    assert_eq!(world.send_indication(sfu()), None);
    assert_eq!(world.refresh(&signer, None).code(), Some(401));
    assert_eq!(world.allocate_from(client(), "alice"), Some(401));
    assert_eq!(world.allocate_from(address("198.51.100.3:1"), "bob"), None);
}

#[test]
fn a_session_that_is_over_is_asked_about() {
    let mut config = config();
    config.is_alive = IsAlive::new(|id| id != "gone");
    let mut world = World::with(config);
    assert_eq!(world.allocate_from(client(), "gone"), Some(401));
    assert_eq!(world.allocate_from(client(), "here"), None);
}

#[test]
fn users_have_ten_allocations_and_sockets_end_in_words() {
    let mut world = World::new();
    for port in 1..=10 {
        let client = SocketAddr::new(client().ip(), port);
        assert_eq!(world.allocate_from(client, "alice"), None);
    }
    let more = address("198.51.100.77:1");
    assert_eq!(world.allocate_from(more, "alice"), Some(486));
    assert_eq!(world.allocate_from(more, "bob"), None);
    world.relay.bind.are_gone = true;
    let another = address("198.51.100.78:1");
    assert_eq!(world.allocate_from(another, "carol"), Some(508));
    let counters = world.counters();
    assert_eq!((counters.allocations, counters.refused_quota), (11, 2));
}

#[test]
fn addresses_and_the_server_have_so_many() {
    let mut world = World::limited(|limits| {
        limits.allocations = 4;
        limits.allocations_per_address = 2;
    });
    let mut codes = Vec::new();
    for (number, client) in ["192.0.2.1:1", "192.0.2.1:2", "192.0.2.1:3", "192.0.2.2:1"]
        .into_iter()
        .chain(["[2001:db8::1]:1", "192.0.2.9:1"])
        .enumerate()
    {
        codes.push(world.allocate_from(address(client), &format!("user-{number}")));
    }
    let (free, full) = (None, Some(486));
    assert_eq!(codes, [free, free, full, free, free, full]);
}

#[test]
fn strangers_get_no_more_than_three_times_what_they_send() {
    let signer = Signer::new("1:x", "y", REALM_NAME, "z");
    let long = format!("a{}", "b".repeat(62));
    for realm in ["t", REALM_NAME, "example.com.", &long] {
        let mut config = config();
        config.realm = realm.to_owned();
        let mut world = World::with(config);
        let mut questions: Vec<Vec<u8>> = [0, 1, 3, 4, 6, 7, 8, 9, 10, 0xfff]
            .into_iter()
            .flat_map(|method| {
                let transport = Draft::request(method).with(REQUESTED_TRANSPORT, &[17, 0, 0, 0]);
                let unknown = (0x7f00..0x7f40)
                    .fold(Draft::request(method), |draft, kind| draft.with(kind, &[]));
                [
                    Draft::request(method).finish(),
                    Draft::request(method).with_fingerprint(),
                    Draft::request(method).signed_alone(&signer),
                    Draft::request(method).signed(&signer),
                    Draft::request(method).with(0x7fff, &[]).finish(),
                    unknown.finish(),
                    transport.finish(),
                ]
            })
            .collect();
        questions.push(channel_data(0x4000, b""));
        questions.push(Vec::new());
        for client in [client(), address("[2001:db8::77]:9")] {
            for question in &questions {
                world.wait(1);
                let answer = match world.send_from(client, question) {
                    Came::Answer(reply) => reply.0.len(),
                    Came::Nothing => 0,
                    Came::Relayed(..) => panic!("nothing is relayed"),
                };
                assert!(answer <= 3 * question.len(), "{answer} for {question:x?}");
            }
        }
    }
    // What clients begin with is answered, with words where there is room.
    let mut world = World::new();
    let reply = world.ask(&allocate().finish());
    assert_eq!(&reply.get(ERROR_CODE).unwrap()[4..], b"Unauthorized");
    assert!(reply.0.len() <= 84);
}

#[test]
fn networks_that_ask_too_often_are_not_answered() {
    let mut world = World::new();
    let question = Draft::request(BINDING).finish();
    let mut answered = 0;
    for number in 0..1_000_u16 {
        let [high, low] = number.to_be_bytes();
        let client = SocketAddr::from(([192, 0, 2, low], 1_000 + u16::from(high)));
        if let Came::Answer(reply) = world.send_from(client, &question) {
            assert_eq!(reply.address(XOR_MAPPED_ADDRESS), Some(client));
            answered += 1;
        }
        world.at += Duration::from_millis(1);
    }
    assert!((50..=100).contains(&answered), "{answered}");
    assert_eq!(world.counters().refused_rate, 1_000 - answered);
    assert!(matches!(
        world.send_from(client(), &question),
        Came::Answer(_)
    ));
    // Who has shown credentials is not counted.
    let signer = world.allocated();
    for _ in 0..1_000 {
        assert!(world.refresh(&signer, None).is_success());
    }
}

#[test]
fn an_office_that_joins_at_once_by_connections_is_answered() {
    let mut world = World::new();
    let house = Arc::clone(&world.relay.house);
    for _ in 0..500 {
        world.relay = Relay::of_connection(Arc::clone(&house), Ports::default());
        world.allocated();
    }
    let question = Draft::request(BINDING).finish();
    let answered = (0..1_000).filter(|_| {
        let came = world.send_from(client(), &question);
        matches!(came, Came::Answer(_))
    });
    assert!(answered.count() < 50);
}

#[test]
fn a_bitrate_is_kept_and_a_burst_of_two_seconds_passes() {
    let mut world = World::new();
    let signer = world.allocated();
    assert_eq!(world.bind(&signer, 0x4000, sfu()), None);
    let data = channel_data(0x4000, &[9; 1_250]);
    let mut relayed = 0_u64;
    for _ in 0..20_000 {
        if let Came::Relayed(..) = world.send_from(client(), &data) {
            relayed += 1;
        }
        world.at += Duration::from_micros(500);
    }
    // Ten seconds at 5 Mbit/s, and two that were saved.
    assert!((5_990..=6_000).contains(&relayed), "{relayed}");
    assert_eq!(world.counters().dropped_rate, 20_000 - relayed);
}

#[test]
fn fingerprints_are_checked_and_given_to_who_has_one() {
    let mut world = World::new();
    let mut question = Draft::request(BINDING).with_fingerprint();
    let reply = world.ask(&question);
    assert!(reply.get(0x8028).is_some());
    *question.last_mut().unwrap() ^= 1;
    assert!(matches!(
        world.send_from(client(), &question),
        Came::Nothing
    ));
}

#[test]
fn what_a_client_hears_is_enclosed_as_it_wants() {
    use crate::message::{ENVELOPE, enclose};
    use crate::routes::Envelope;

    let mut buffer = vec![0xff; ENVELOPE + 8];
    buffer[ENVELOPE..ENVELOPE + 5].copy_from_slice(b"hello");
    let channel = enclose(&mut buffer, 5, Envelope::Channel(0x4abc), [0; 12]);
    assert_eq!(channel, Some(&b"\x4a\xbc\0\x05hello\0\0\0"[..]));
    for peer in [sfu(), address("[2001:db8::5]:8189")] {
        let envelope = Envelope::Indication(peer);
        let sent = enclose(&mut buffer, 5, envelope, [3; 12]).unwrap();
        let reply = Reply(sent.to_vec());
        assert_eq!(reply.message().class(), MessageClass::Indication);
        assert_eq!(reply.message().method().value(), DATA_INDICATION);
        assert_eq!(reply.address(XOR_PEER_ADDRESS), Some(peer));
        assert_eq!(reply.get(DATA).unwrap(), b"hello");
    }
    assert_eq!(
        enclose(&mut buffer, 9, Envelope::Channel(0x4000), [0; 12]),
        None
    );
}
