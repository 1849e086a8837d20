//! Connections in virtual time, with peers that are slow, silent or rude.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use rtmp::{Config, Connection, ConnectionError, Error, Event, Phase, Refusal};
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex,
};
use tokio::time::{Instant, sleep};

/// Format 0 on chunk stream 3: `connect` to `live`, in one chunk.
const CONNECT: &[u8] = b"\x03\0\0\0\0\0\x23\x14\0\0\0\0\
    \x02\0\x07connect\0\x3f\xf0\0\0\0\0\0\0\
    \x03\0\x03app\x02\0\x04live\0\0\x09";
/// `publish` with the key `tl_key`, on message stream 1.
const PUBLISH: &[u8] = b"\x03\0\0\0\0\0\x24\x14\x01\0\0\0\
    \x02\0\x07publish\0\x40\0\0\0\0\0\0\0\x05\
    \x02\0\x06tl_key\x02\0\x04live";
/// An AAC configuration of 44,100 Hz and two channels; a frame of AAC.
const CONFIGURATION: &[u8] = b"\x04\0\0\0\0\0\x04\x08\x01\0\0\0\xaf\0\x12\x10";
const FRAME: &[u8] = b"\x04\0\0\x17\0\0\x03\x08\x01\0\0\0\xaf\x01\x21";

fn pair() -> (Connection<DuplexStream>, DuplexStream) {
    let (server, client) = duplex(64 * 1024);
    (Connection::new(server, Config::default()), client)
}

async fn shake_hands(client: &mut DuplexStream) {
    client
        .write_all(&[&[3][..], &[0; 1_536]].concat())
        .await
        .expect("it reads");
    let mut answer = vec![0; 1 + 2 * 1_536];
    client.read_exact(&mut answer).await.expect("it answers");
    client.write_all(&answer[1..1_537]).await.expect("it reads");
}

/// Up to `publish`, accepted.
async fn publishing() -> (Connection<DuplexStream>, DuplexStream) {
    let (mut connection, mut client) = pair();
    let asking = async {
        shake_hands(&mut client).await;
        let commands = [CONNECT, PUBLISH].concat();
        client.write_all(&commands).await.expect("it reads");
    };
    let (asked, ()) = tokio::join!(connection.next(), asking);
    let Ok(Some(Event::PublishRequested(request))) = asked else {
        panic!("{asked:?}");
    };
    assert_eq!(request.key.reveal(), "tl_key");
    connection.accept();
    (connection, client)
}

fn timed_out(result: &Result<Option<Event>, ConnectionError>) -> Option<Phase> {
    match result {
        Err(ConnectionError::TimedOut(phase)) => Some(*phase),
        _ => None,
    }
}

/// A byte stream that calls its end an error, as TLS does when there was no farewell.
struct Curt(DuplexStream);

impl AsyncRead for Curt {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.0).poll_read(context, buffer);
        match read {
            Poll::Ready(Ok(())) if buffer.filled().len() == before => {
                Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()))
            }
            read => read,
        }
    }
}

impl AsyncWrite for Curt {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

#[tokio::test(start_paused = true)]
async fn who_leaves_without_a_farewell_has_left_and_is_no_error() {
    let (server, mut client) = duplex(64 * 1024);
    let mut connection = Connection::new(Curt(server), Config::default());
    let leaving = async {
        shake_hands(&mut client).await;
        client.write_all(CONNECT).await.expect("it reads");
        client.shutdown().await.expect("it ends");
    };
    let (left, ()) = tokio::join!(connection.next(), leaving);
    assert!(matches!(left, Ok(None)), "{left:?}");
}

#[tokio::test(start_paused = true)]
async fn half_a_handshake_is_not_waited_for() {
    let (mut connection, mut client) = pair();
    client.write_all(&[3; 700]).await.expect("it reads");
    let began = Instant::now();
    let result = connection.next().await;
    assert_eq!(timed_out(&result), Some(Phase::Handshake));
    assert_eq!(began.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_slow_handshake_wins_no_time() {
    let (mut connection, mut client) = pair();
    let trickle = tokio::spawn(async move {
        while client.write_all(&[3]).await.is_ok() {
            sleep(Duration::from_millis(100)).await;
        }
    });
    let began = Instant::now();
    assert_eq!(timed_out(&connection.next().await), Some(Phase::Handshake));
    assert_eq!(began.elapsed().as_secs(), 5);
    drop(connection);
    trickle.await.expect("it ends");
}

#[tokio::test(start_paused = true)]
async fn who_does_not_publish_is_not_waited_for() {
    let (mut connection, mut client) = pair();
    let began = Instant::now();
    let pinging = async move {
        shake_hands(&mut client).await;
        client.write_all(CONNECT).await.expect("it reads");
        let ping = b"\x02\0\0\0\0\0\x06\x04\0\0\0\0\0\x06\0\0\0\0";
        while client.write_all(ping).await.is_ok() {
            sleep(Duration::from_secs(1)).await;
        }
    };
    let pinging = tokio::spawn(pinging);
    assert_eq!(timed_out(&connection.next().await), Some(Phase::Publish));
    assert_eq!(began.elapsed().as_secs(), 10);
    drop(connection);
    pinging.await.expect("it ends");
}

#[tokio::test(start_paused = true)]
async fn a_publisher_without_whole_messages_is_not_waited_for() {
    let (mut connection, mut client) = publishing().await;
    client
        .write_all(&[CONFIGURATION, FRAME].concat())
        .await
        .expect("it reads");
    let event = connection.next().await;
    assert!(matches!(event, Ok(Some(Event::Audio(_)))), "{event:?}");
    let trickle = tokio::spawn(async move {
        // A video message of 64 KiB that never ends.
        let mut bytes = b"\x05\0\0\0\x01\0\0\x09\x01\0\0\0".to_vec();
        while client.write_all(&bytes).await.is_ok() {
            bytes = vec![0];
            sleep(Duration::from_millis(500)).await;
        }
    });
    let began = Instant::now();
    assert_eq!(timed_out(&connection.next().await), Some(Phase::Idle));
    assert_eq!(began.elapsed().as_secs(), 10);
    drop(connection);
    trickle.await.expect("it ends");
}

#[tokio::test(start_paused = true)]
async fn time_that_the_server_takes_is_not_the_publishers() {
    let (mut connection, mut client) = publishing().await;
    client.write_all(CONFIGURATION).await.expect("it reads");
    for _ in 0..3 {
        client.write_all(FRAME).await.expect("it reads");
        let event = connection.next().await;
        assert!(matches!(event, Ok(Some(Event::Audio(_)))), "{event:?}");
        sleep(Duration::from_secs(60)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_publisher_is_read_no_faster_than_its_events_are_taken() {
    let (mut connection, mut client) = publishing().await;
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&sent);
    let sending = tokio::spawn(async move {
        client.write_all(CONFIGURATION).await.expect("it reads");
        while client.write_all(FRAME).await.is_ok() {
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    for taken in 1..=20 {
        let event = connection.next().await;
        assert!(matches!(event, Ok(Some(Event::Audio(_)))), "{event:?}");
        sleep(Duration::from_secs(1)).await;
        // What the pipe holds, and what is read at once.
        let most = taken + (64 + 32) * 1_024 / FRAME.len();
        assert!(sent.load(Ordering::Relaxed) <= most);
    }
    drop(connection);
    sending.await.expect("it ends");
}

#[tokio::test(start_paused = true)]
async fn a_wait_given_up_again_and_again_still_ends() {
    let (mut connection, _client) = publishing().await;
    let began = Instant::now();
    let phase = loop {
        tokio::select! {
            result = connection.next() => break timed_out(&result),
            () = sleep(Duration::from_millis(700)) => {}
        }
    };
    assert_eq!(phase, Some(Phase::Idle));
    assert_eq!(began.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_reads_nothing_does_not_stall_the_server() {
    let (server, mut client) = duplex(1_537);
    let mut connection = Connection::new(server, Config::default());
    let hello = [&[3][..], &[0; 1_536]].concat();
    let (result, written) = tokio::join!(connection.next(), client.write_all(&hello));
    written.expect("it reads");
    assert_eq!(timed_out(&result), Some(Phase::Handshake));
}

#[tokio::test(start_paused = true)]
async fn one_byte_at_a_time_is_read() {
    let (mut connection, mut client) = publishing().await;
    let writing = async {
        for byte in [CONFIGURATION, FRAME].concat() {
            client.write_all(&[byte]).await.expect("it reads");
            tokio::task::yield_now().await;
        }
    };
    let (event, ()) = tokio::join!(connection.next(), writing);
    assert!(matches!(event, Ok(Some(Event::Audio(_)))), "{event:?}");
    drop(client);
    assert!(matches!(connection.next().await, Ok(None)), "closed");
}

#[tokio::test(start_paused = true)]
async fn words_reach_a_peer_before_the_connection_closes() {
    let (mut connection, mut client) = publishing().await;
    // MP3, which has no place.
    let mp3 = b"\x04\0\0\0\0\0\x01\x08\x01\0\0\0\x2f";
    client.write_all(mp3).await.expect("it reads");
    let result = connection.next().await;
    let Err(ConnectionError::Session(Error::Unsupported(_))) = result else {
        panic!("{result:?}");
    };
    let mut heard = Vec::new();
    client.read_to_end(&mut heard).await.expect("it closes");
    let heard = String::from_utf8_lossy(&heard).into_owned();
    assert!(heard.contains("NetStream.Publish.Failed") && heard.contains("MP3"));
    assert!(matches!(connection.next().await, Ok(None)), "it is over");
}

#[tokio::test(start_paused = true)]
async fn a_stream_beyond_the_bitrate_is_ended_with_words() {
    let (mut connection, mut client) = publishing().await;
    let sending = tokio::spawn(async move {
        // 100 Mbit/s of sound that is none.
        let message = [&b"\x04\0\0\0\0\0\x80\x08\x01\0\0\0"[..], &[0xaf; 128]].concat();
        let second = message.repeat(89_000);
        while client.write_all(&second).await.is_ok() {
            sleep(Duration::from_secs(1)).await;
        }
        let mut heard = Vec::new();
        let _ = client.read_to_end(&mut heard).await;
        String::from_utf8_lossy(&heard).into_owned()
    });
    let began = Instant::now();
    let result = connection.next().await;
    let Err(ConnectionError::Session(error @ Error::Bitrate(_))) = result else {
        panic!("{result:?}");
    };
    // Two seconds until there were too many, and two to say so.
    assert!((2..=4).contains(&began.elapsed().as_secs()));
    let words = "the stream has more than 20 Mbit/s: lower the bitrate of the encoder";
    assert_eq!(error.to_string(), words);
    drop(connection);
    assert!(sending.await.expect("it ends").contains(words));
}

#[tokio::test(start_paused = true)]
async fn a_publisher_can_be_ended_in_mid_stream() {
    let (connection, mut client) = publishing().await;
    let refusal = Refusal::Unauthorized("The key was revoked.".to_owned());
    let ending = tokio::spawn(async move { connection.refuse(&refusal).await });
    let mut heard = Vec::new();
    client.read_to_end(&mut heard).await.expect("it closes");
    drop(client);
    ending.await.expect("it ends");
    let heard = String::from_utf8_lossy(&heard).into_owned();
    assert!(heard.contains("NetStream.Publish.Unauthorized"));
    assert!(heard.contains("The key was revoked."));
}

#[tokio::test(start_paused = true)]
async fn what_is_no_rtmp_is_told_apart() {
    let (mut connection, mut client) = pair();
    client
        .write_all(b"GET / HTTP/1.1\r\n\r\n")
        .await
        .expect("it reads");
    let result = connection.next().await;
    let Err(ConnectionError::Session(Error::Handshake(_))) = result else {
        panic!("{result:?}");
    };
}
