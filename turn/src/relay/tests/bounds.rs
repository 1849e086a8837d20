//! How much clients and strangers get.

use super::*;

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
