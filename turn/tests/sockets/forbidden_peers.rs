//! Nobody is relayed to anywhere but to the SFU: every address that an attacker would try is refused, by
//! permission, by channel and by data, and the allocation lives on.

use std::net::{IpAddr, SocketAddr};

use crate::support::messages::*;
use crate::support::*;

/// The IANA special-purpose registries (RFC 6890) at their edges, other ways of writing loopback and our
/// own address, and hosts that are simply others.
const FORBIDDEN: &[&str] = &[
    // "This network" (RFC 791), which Linux takes for loopback: CVE-2020-26262.
    "0.0.0.0",
    "0.0.0.1",
    "0.255.255.255",
    // Private use (RFC 1918).
    "10.0.0.0",
    "10.0.0.1",
    "10.255.255.255",
    "172.16.0.0",
    "172.17.0.1",
    "172.31.255.255",
    "192.168.0.0",
    "192.168.1.1",
    "192.168.255.255",
    // Shared address space (RFC 6598).
    "100.64.0.0",
    "100.100.100.200",
    "100.127.255.255",
    // Loopback.
    "127.0.0.0",
    "127.0.0.1",
    "127.0.0.53",
    "127.1.2.3",
    "127.255.255.255",
    // Link local, and the metadata of clouds.
    "169.254.0.0",
    "169.254.0.1",
    "169.254.169.254",
    "169.254.170.2",
    "169.254.255.255",
    // IETF protocol assignments (RFC 6890), DS-Lite, PCP, TURN anycast, NAT64 discovery.
    "192.0.0.0",
    "192.0.0.1",
    "192.0.0.8",
    "192.0.0.9",
    "192.0.0.10",
    "192.0.0.170",
    "192.0.0.171",
    // Documentation (RFC 5737), neighbours of ours among them.
    "192.0.2.1",
    "198.51.100.1",
    "203.0.113.0",
    "203.0.113.4",
    "203.0.113.6",
    "203.0.113.255",
    // AS112, AMT, 6to4 anycast.
    "192.31.196.1",
    "192.52.193.1",
    "192.88.99.1",
    "192.175.48.1",
    // Benchmarking (RFC 2544).
    "198.18.0.1",
    "198.19.255.255",
    // Multicast.
    "224.0.0.1",
    "224.0.0.251",
    "232.1.2.3",
    "239.255.255.250",
    // Reserved, and broadcast.
    "240.0.0.1",
    "254.0.0.1",
    "255.255.255.254",
    "255.255.255.255",
    // Others.
    "1.1.1.1",
    "8.8.8.8",
    "9.9.9.9",
    // Unspecified and loopback.
    "::",
    "::1",
    // IPv4 within IPv6: mapped (CVE-2026-27624), compatible, translated.
    "::ffff:0.0.0.0",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:192.168.1.1",
    "::ffff:255.255.255.255",
    "::127.0.0.1",
    "::203.0.113.5",
    "::ffff:0:127.0.0.1",
    "::ffff:0:203.0.113.5",
    // NAT64 (RFC 6052, RFC 8215).
    "64:ff9b::127.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b::203.0.113.5",
    "64:ff9b:1::127.0.0.1",
    "64:ff9b:1::203.0.113.5",
    // 6to4 of loopback, of private addresses, of ours.
    "2002:7f00:1::",
    "2002:a00:1::1",
    "2002:c0a8:101::1",
    "2002:cb00:7105::1",
    // Teredo, with ours as server and as client.
    "2001::1",
    "2001:0:cb00:7105:0:e000:34ff:8efa",
    "2001:0:7f00:1::",
    // ISATAP.
    "fe80::5efe:127.0.0.1",
    "2001:db8::5efe:203.0.113.5",
    // Discard, dummy, ORCHID, benchmarking, documentation, SRv6.
    "100::1",
    "100:0:0:1::1",
    "2001:1::1",
    "2001:2::1",
    "2001:3::1",
    "2001:4:112::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "3fff::1",
    "5f00::1",
    "2620:4f:8000::1",
    // Unique local, with the metadata of one cloud; link local; site local.
    "fc00::",
    "fc00::1",
    "fd00::1",
    "fd00:ec2::254",
    "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "fe80::1",
    "febf::1",
    "fec0::1",
    // Multicast.
    "ff01::1",
    "ff02::1",
    "ff02::fb",
    "ff05::2",
    "ff0e::1",
    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    // Others.
    "2606:4700:4700::1111",
    "2001:4860:4860::8888",
];

fn forbidden() -> impl Iterator<Item = IpAddr> {
    FORBIDDEN.iter().map(|text| text.parse().unwrap())
}

#[tokio::test]
async fn every_other_address_is_forbidden_on_each_transport() {
    assert!(FORBIDDEN.len() >= 60);
    let world = World::new().await;
    let mut refused = 0;
    for transport in TRANSPORTS {
        let mut client = world.allocated(transport, "mallory").await;
        for ip in forbidden() {
            for port in [SFU.port(), world.local.port(), 0] {
                let peer = SocketAddr::new(ip, port);
                assert_eq!(client.permit(peer).await, Some(403), "{peer}");
                assert_eq!(client.bind(0x4000, peer).await, Some(403), "{peer}");
                refused += 2;
                let draft = Draft::indication(SEND).with_peer(peer);
                client.wire.send(&draft.with(DATA, b"GET /").finish()).await;
            }
        }
        // Ours, among others, is not had either.
        let both = Draft::request(CREATE_PERMISSION).with_peer(SFU);
        let both = both.with_peer("127.0.0.1:80".parse().unwrap());
        assert_eq!(client.ask(both).await.code(), Some(403));
        refused += 1;
        // It was all in vain, and no harm.
        assert_eq!(client.permit(SFU).await, None);
        client.echo_by_indication(b"hello").await;
    }
    let stats = world.server.stats();
    assert_eq!(stats.refused_peers, refused);
    assert_eq!(stats.packets_to_peers, 3);
    let data = u64::try_from(3 * 3 * FORBIDDEN.len()).unwrap();
    assert_eq!(stats.dropped_peers, data);
}

#[tokio::test]
async fn other_ports_of_the_sfu_are_not_reached() {
    let world = World::new().await;
    let mut client = world.allocated(Transport::Udp, "mallory").await;
    assert_eq!(client.permit(SFU).await, None);
    for port in [0, 1, 22, 53, 80, 443, 6_379, 8_188, 8_190, 9_090, 65_535] {
        let peer = SocketAddr::new(SFU.ip(), port);
        assert_eq!(client.bind(0x4000, peer).await, Some(403), "{peer}");
        let draft = Draft::indication(SEND).with_peer(peer);
        client.wire.send(&draft.with(DATA, b"GET /").finish()).await;
    }
    client.echo_by_indication(b"hello").await;
    let stats = world.server.stats();
    assert_eq!((stats.dropped_peers, stats.packets_to_peers), (11, 1));
}
