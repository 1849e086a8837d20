//! The server through real sockets: round trips to an SFU over each transport, and what strangers,
//! slow clients and those who misbehave get.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::support::messages::*;
use crate::support::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use turn::{Config, Peers, Secret, Server, Sockets};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn datagrams_reach_the_sfu_and_come_back_over_each_transport() {
    let world = World::new().await;
    for transport in TRANSPORTS {
        let mut client = world.allocated(transport, "alice").await;
        assert_eq!(client.permit(SFU).await, None);
        for length in [0, 1, 2, 3, 4, 1_200, 1_471] {
            client.echo_by_indication(&vec![7; length]).await;
        }
        assert_eq!(client.bind(0x4000, SFU).await, None);
        for length in [0, 1, 2, 3, 4, 1_200, 1_471] {
            client.echo_by_channel(0x4000, &vec![8; length]).await;
        }
    }
    let stats = world.server.stats();
    assert_eq!((stats.packets_to_peers, stats.packets_to_clients), (42, 42));
    assert_eq!(stats.bytes_to_peers, stats.bytes_to_clients);
    assert_eq!(stats.bytes_to_peers, 6 * (1 + 2 + 3 + 4 + 1_200 + 1_471));
    assert_eq!(stats.allocations_made, 3);
}

#[tokio::test]
async fn allocations_end_when_they_are_refreshed_for_no_time() {
    let world = World::new().await;
    for transport in TRANSPORTS {
        let mut client = world.allocated(transport, "alice").await;
        let ending = Draft::request(REFRESH).with(LIFETIME, &[0; 4]);
        assert!(client.ask(ending).await.is_success());
        assert_eq!(world.server.stats().allocations, 0);
        let begin = client.ask(allocate()).await;
        assert!(begin.is_success(), "and may begin again");
        if transport == Transport::Udp {
            let ending = Draft::request(REFRESH).with(LIFETIME, &[0; 4]);
            assert!(client.ask(ending).await.is_success());
        }
        // With a connection, its allocation ends.
        drop(client);
        world.until("ended", |stats| stats.allocations == 0).await;
    }
}

#[tokio::test]
async fn messages_of_a_stream_may_be_cut_anywhere() {
    let world = World::new().await;
    for transport in [Transport::Tcp, Transport::Tls] {
        let mut client = world.allocated(transport, "alice").await;
        assert_eq!(client.bind(0x4000, SFU).await, None);
        let data = |payload| {
            let mut data = channel_data(0x4000, payload);
            data.resize(data.len().next_multiple_of(4), 0);
            data
        };
        let indication = Draft::indication(SEND).with_peer(SFU).with(DATA, b"three");
        let all = [data(b"1"), data(b"twotwo"), indication.finish()].concat();
        for byte in &all {
            client.wire.send_raw(&[*byte]).await;
        }
        client.wire.send_raw(&[&all[..], &all[..]].concat()).await;
        let wanted = ["1", "twotwo", "three"].map(|payload| {
            let payload = payload.as_bytes();
            channel_data(0x4000, payload)
        });
        for _ in 0..3 {
            for wanted in &wanted {
                assert_eq!(client.wire.receive().await, *wanted);
            }
        }
    }
}

#[tokio::test]
async fn a_connection_that_somebody_else_accepted_is_served() {
    let world = World::new().await;
    let listener = TcpListener::bind(any_port()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Arc::clone(&world.server);
    let acceptor = world.acceptor.clone();
    let serving = tokio::spawn(async move {
        let (stream, client) = listener.accept().await.unwrap();
        let stream = acceptor.accept(stream).await.unwrap();
        server.serve_stream(stream, client).await;
    });
    let stream = TcpStream::connect(address).await.unwrap();
    let mut wire = world.secure(stream).await;
    let signer = sign_in(&mut wire, "alice").await;
    let mut client = Client { wire, signer };
    assert!(client.ask(allocate()).await.is_success());
    assert_eq!(client.permit(SFU).await, None);
    client.echo_by_indication(b"hello").await;
    assert_eq!(world.server.stats().connections, 1);
    drop(client);
    soon(serving).await.unwrap();
    assert_eq!(world.server.stats().connections, 0);
}

#[tokio::test]
async fn nobody_but_the_sfu_reaches_a_client() {
    let world = World::new().await;
    let mut client = world.client(Transport::Udp, "alice").await;
    let reply = client.ask(allocate()).await;
    let relayed = reply.address(XOR_RELAYED_ADDRESS).unwrap();
    assert_eq!(client.permit(SFU).await, None);
    let stranger = UdpSocket::bind(any_port()).await.unwrap();
    stranger.send_to(b"forged", relayed).await.unwrap();
    world
        .until("dropped", |stats| stats.dropped_peers == 1)
        .await;
    client.echo_by_indication(b"the SFU's own").await;
    assert_eq!(world.server.stats().packets_to_clients, 1);
}

#[tokio::test(start_paused = true)]
async fn who_is_ended_hears_no_more_and_the_connection_closes() {
    let world = World::new().await;
    let mut client = world.allocated(Transport::Tcp, "alice").await;
    let mut other = world.allocated(Transport::Udp, "bob").await;
    world.server.end_user("alice");
    client.wire.is_closed().await;
    world.until("ended", |stats| stats.allocations == 1).await;
    let mut again = world.client(Transport::Udp, "alice").await;
    assert_eq!(again.ask(allocate()).await.code(), Some(401));
    assert_eq!(other.permit(SFU).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_does_nothing_is_closed() {
    let world = World::new().await;
    let start = tokio::time::Instant::now();
    let mut silent = world.connect(Transport::Tcp).await;
    silent.is_closed().await;
    assert!(start.elapsed() >= Duration::from_secs(10));
    // A handshake has less time.
    let start = tokio::time::Instant::now();
    let mut silent = TcpStream::connect(world.tls).await.unwrap();
    let read = silent.read(&mut [0; 16]).await;
    assert_eq!(read.unwrap_or(0), 0);
    let waited = start.elapsed();
    assert!((5..9).contains(&waited.as_secs()), "{waited:?}");
}

#[tokio::test]
async fn what_is_no_turn_closes_the_connection() {
    let world = World::new().await;
    for garbage in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[0xff; 64],
        &[0x40, 0, 0xff, 0xff],
    ] {
        let mut wire = world.connect(Transport::Tcp).await;
        wire.send_raw(garbage).await;
        wire.is_closed().await;
    }
    let mut stream = TcpStream::connect(world.tls).await.unwrap();
    stream.write_all(b"no TLS at all").await.unwrap();
    let mut answer = Vec::new();
    soon(stream.read_to_end(&mut answer)).await.unwrap();
    world.until("closed", |stats| stats.connections == 0).await;
}

#[tokio::test]
async fn connections_are_bounded() {
    let world = World::with(|config, _| config.limits.connections_per_address = 2).await;
    let first = world.allocated(Transport::Tcp, "alice").await;
    let _second = world.allocated(Transport::Tls, "alice").await;
    let mut third = world.connect(Transport::Tcp).await;
    third.is_closed().await;
    assert_eq!(world.server.stats().refused_connections, 1);
    drop(first);
    world.until("free", |stats| stats.connections == 1).await;
    world.allocated(Transport::Tcp, "alice").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_does_not_read_loses_datagrams_and_nobody_else_does() {
    let unbounded = |config: &mut Config, _| config.limits.bytes_per_second = 1_000_000_000;
    let world = World::with(unbounded).await;
    let mut slow = world.allocated(Transport::Tcp, "slow").await;
    assert_eq!(slow.bind(0x4000, SFU).await, None);
    let mut other = world.allocated(Transport::Udp, "other").await;
    assert_eq!(other.permit(SFU).await, None);
    let data = channel_data(0x4000, &[7; 1_200]);
    let flooding = async {
        while world.server.stats().dropped_full == 0 {
            slow.wire.send(&data).await;
        }
    };
    soon(flooding).await;
    other.echo_by_indication(b"hello").await;
    // What waited is heard whole, and behind it the connection is as before.
    for _ in 0..100 {
        assert_eq!(slow.wire.receive().await, data);
    }
}

#[tokio::test]
async fn the_bitrate_is_kept_in_each_direction() {
    let slow = |config: &mut Config, _| config.limits.bytes_per_second = 1_000;
    let world = World::with(slow).await;
    let mut client = world.allocated(Transport::Udp, "alice").await;
    assert_eq!(client.permit(SFU).await, None);
    client.echo_by_indication(&[1; 1_000]).await;
    let draft = Draft::indication(SEND).with_peer(SFU);
    let data = draft.with(DATA, &[2; 1_500]).finish();
    client.wire.send(&data).await;
    world
        .until("dropped", |stats| stats.dropped_rate == 1)
        .await;
    assert_eq!(world.server.stats().packets_to_peers, 1);
}

#[tokio::test]
async fn an_address_as_ipv4_and_ipv6_is_relayed_from_each() {
    let listener = UdpSocket::bind("[::1]:0").await.unwrap();
    let udp = listener.local_addr().unwrap();
    let sfu = UdpSocket::bind("[::1]:0").await.unwrap();
    let public: SocketAddr = "[2001:db8::5]:8189".parse().unwrap();
    let peers = Peers::new([(public, sfu.local_addr().unwrap())]);
    let relays = vec![udp.ip().into(), any_port().ip().into()];
    let config = Config::new(REALM_NAME, Secret::new(SECRET), peers, relays);
    let sockets = Sockets {
        udp: vec![listener],
        ..Sockets::default()
    };
    let server = Server::start(config, sockets).unwrap();
    let socket = UdpSocket::bind("[::1]:0").await.unwrap();
    let own = socket.local_addr().unwrap();
    socket.connect(udp).await.unwrap();
    let mut wire = Wire::Udp(socket);
    let signer = sign_in(&mut wire, "alice").await;
    let mut client = Client { wire, signer };
    let draft = allocate().with(REQUESTED_ADDRESS_FAMILY, &[2, 0, 0, 0]);
    let reply = client.ask(draft).await;
    assert_eq!(reply.address(XOR_MAPPED_ADDRESS), Some(own));
    let relayed = reply.address(XOR_RELAYED_ADDRESS).unwrap();
    assert_eq!(client.bind(0x4000, public).await, None);
    client.wire.send(&channel_data(0x4000, b"hello")).await;
    let mut buffer = [0; 100];
    let received = soon(sfu.recv_from(&mut buffer)).await.unwrap();
    assert_eq!((received, &buffer[..5]), ((5, relayed), &b"hello"[..]));
    sfu.send_to(b"hello", relayed).await.unwrap();
    assert_eq!(
        client.wire.receive().await[..9],
        channel_data(0x4000, b"hello")
    );
    server.shutdown().await;
}

#[tokio::test]
async fn everybody_is_asked_for_the_certificate_of_now() {
    let world = World::new().await;
    let tls = TcpListener::bind(any_port()).await.unwrap();
    let address = tls.local_addr().unwrap();
    let (asked, mut told) = tokio::sync::mpsc::unbounded_channel();
    let acceptor = world.acceptor.clone();
    let acceptors = turn::Acceptors::new(move || {
        asked.send(()).unwrap();
        std::future::ready(acceptor.clone())
    });
    let peers = Peers::new([(SFU, world.local)]);
    let relays = vec![any_port().ip().into()];
    let config = Config::new(REALM_NAME, Secret::new(SECRET), peers, relays);
    let sockets = Sockets {
        tls: vec![(tls, acceptors)],
        ..Sockets::default()
    };
    let server = Server::start(config, sockets).unwrap();
    for _ in 0..2 {
        let stream = TcpStream::connect(address).await.unwrap();
        sign_in(&mut world.secure(stream).await, "alice").await;
        assert_eq!(told.try_recv(), Ok(()));
    }
    server.shutdown().await;
}

#[tokio::test]
async fn nothing_is_left_after_a_shutdown() {
    let world = World::new().await;
    let mut clients = Vec::new();
    for transport in TRANSPORTS {
        let mut client = world.allocated(transport, "alice").await;
        assert_eq!(client.permit(SFU).await, None);
        client.echo_by_indication(b"hello").await;
        clients.push(client);
    }
    // One in the middle of its handshake, and one that was handed over.
    let _half = TcpStream::connect(world.tls).await.unwrap();
    let (near, far) = tokio::io::duplex(1_024);
    let server = Arc::clone(&world.server);
    let serving = tokio::spawn(async move { server.serve_stream(near, any_port()).await });
    let mut wire = Wire::stream(far);
    sign_in(&mut wire, "alice").await;
    soon(world.server.shutdown()).await;
    soon(serving).await.unwrap();
    let stats = world.server.stats();
    assert_eq!(
        (stats.allocations, stats.connections, stats.panics),
        (0, 0, 0)
    );
    for client in &mut clients {
        if let Wire::Stream(..) = client.wire {
            client.wire.is_closed().await;
        }
    }
    for address in [world.tcp, world.tls] {
        assert!(TcpStream::connect(address).await.is_err());
    }
    // The ports are free.
    UdpSocket::bind(world.udp).await.unwrap();
}
