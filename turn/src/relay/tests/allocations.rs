//! Allocations, permissions, channels, and what is relayed by them.

use super::*;

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
