//! Datagrams of strangers on the media port: no answer, and nobody is disturbed.

use std::net::{SocketAddr, UdpSocket};

use loadtest::sdp;
use str0m::ice::{StunMessage, TransId};

use crate::support::{Server, single, until, until_more};

/// A binding request signed with `mac` instead of the right key.
fn stun(username: &str, mac: Option<[u8; 20]>) -> Vec<u8> {
    let message = StunMessage::binding_request(username, TransId::new(), true, 7, 1, true);
    let mut bytes = vec![0; 512];
    let password = mac.is_some().then_some(b"wrong".as_slice());
    let length = message.to_bytes(password, &mut bytes, |_, _| mac.unwrap_or_default());
    bytes.truncate(length.unwrap());
    bytes
}

/// The head of a DTLS 1.2 ClientHello record (RFC 6347 §4.2.2).
fn client_hello() -> Vec<u8> {
    let mut record = vec![22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 60];
    record.extend([1, 0, 0, 48, 0, 0, 0, 0, 0, 0, 0, 48, 0xfe, 0xfd]);
    record.resize(73, 0x55);
    record
}

#[tokio::test]
async fn strangers_get_no_answer_and_disturb_nobody() {
    let server = Server::start().await;
    let publisher = server.on_air(&single(60)).await;
    let viewer = server.watch().await;
    until_more(&viewer, 10).await;

    let media: SocketAddr = server.app.services.sfu.media_addresses()[0];
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    stranger.set_nonblocking(true).unwrap();
    let users = [&publisher.answer, &viewer.answer].map(|answer| {
        let (ufrag, _) = sdp::credentials(answer).unwrap();
        format!("{ufrag}:abcd")
    });
    let mut datagrams = vec![
        client_hello(),
        stun("nobody:here", Some([1; 20])),
        // A media packet and a report.
        [&[0x80, 96, 0, 1][..], &[7; 60]].concat(),
        [&[0x80, 200, 0, 6][..], &[7; 24]].concat(),
        vec![],
        vec![0xff; 1_200],
    ];
    for user in &users {
        datagrams.extend([stun(user, Some([2; 20])), stun(user, None)]);
    }
    let dropped = || server.app.services.sfu.totals().datagrams_dropped;
    let before = dropped();
    for datagram in &datagrams {
        stranger.send_to(datagram, media).unwrap();
    }
    // An empty datagram is not even looked at.
    let looked_at = u64::try_from(datagrams.len()).unwrap() - 1;
    until("the server to have seen them all", || async {
        dropped() >= before + looked_at
    })
    .await;
    let answer = stranger.recv_from(&mut [0; 2_000]);
    assert_eq!(answer.unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    until_more(&viewer, 30).await;
    let seen = viewer.report().await.unwrap();
    assert_eq!((seen.lost, seen.frames), (0, seen.whole_frames));
    assert!(!publisher.report().await.unwrap().closed);
}
