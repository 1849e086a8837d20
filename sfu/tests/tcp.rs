//! ICE-TCP towards strangers, over loopback.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use sfu::{Config, Sfu};

/// A connection that stays open longer than this is kept.
const PATIENCE: Duration = Duration::from_secs(20);

fn started() -> (Sfu, SocketAddr) {
    let config = Config {
        bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
        port: 0,
        shards: 1,
        ..Config::default()
    };
    let (sfu, _events) = Sfu::start(config).expect("it starts");
    let address = sfu.media_addresses()[0];
    (sfu, address)
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the port is open");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    stream
}

/// Waits for the end. A connection that is closed with bytes unread is reset.
fn is_closed(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0; 16]) {
        Ok(read) => read == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

#[tokio::test]
async fn stranger_that_sends_no_packets_is_cut_off_at_once() {
    let (sfu, address) = started();
    for says in [&[0, 0, 0, 0][..], &[0x10, 0, 1, 2, 3]] {
        let mut stream = connect(address);
        stream.write_all(says).expect("it is open");
        // Long before the ten seconds that a silent stranger has.
        stream
            .set_read_timeout(Some(Duration::from_secs(5)))
            .expect("a time-out");
        assert!(is_closed(&mut stream), "after {says:?}");
    }
    sfu.shutdown().await;
}

#[tokio::test]
async fn one_address_cannot_take_all_connections() {
    let (sfu, address) = started();
    let mut streams: Vec<_> = (0..80).map(|_| connect(address)).collect();
    // The first sixteen too many are refused while those before them wait for their ten seconds.
    for stream in &mut streams[64..] {
        stream
            .set_read_timeout(Some(Duration::from_secs(5)))
            .expect("a time-out");
        assert!(is_closed(stream));
    }
    let kept = &mut streams[0];
    kept.set_nonblocking(true).expect("it can be asked");
    let unread = kept.read(&mut [0; 16]).expect_err("it is open");
    assert_eq!(unread.kind(), ErrorKind::WouldBlock);
    sfu.shutdown().await;
}
