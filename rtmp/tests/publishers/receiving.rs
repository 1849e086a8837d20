//! A server for one publisher.

use std::process::Stdio;
use std::time::Duration;

use rtmp::{
    AudioUnit, Config, Connection, Counts, Event, PublishRequest, Refusal, Reordering, VideoUnit,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// What came of a publisher.
pub(super) struct Received {
    pub(super) video: Vec<VideoUnit>,
    pub(super) audio: Vec<AudioUnit>,
    pub(super) encoder: Option<String>,
    pub(super) reordering: Reordering,
    /// Pictures until reordering was found.
    pub(super) found_after: Option<usize>,
    pub(super) counts: Counts,
    pub(super) ended: Ended,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Unpublished,
    Closed,
    Failed(String),
}

/// What publishes to a URL.
pub(super) type Publisher = Box<dyn FnOnce(&str) -> Command>;

/// With options for its inputs and encoders.
pub(super) fn ffmpeg(options: &str) -> Publisher {
    let options = options.to_owned();
    Box::new(move |url| {
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-nostdin"]);
        command.args(options.split_whitespace());
        command.args(["-f", "flv", url]);
        command
    })
}

/// With a command of the shell that says `URL` where it publishes.
pub(super) fn shell(script: &str) -> Publisher {
    let script = script.to_owned();
    Box::new(move |url| {
        let mut command = Command::new("sh");
        command.args(["-c", &script.replace("URL", url)]);
        command
    })
}

/// With a pipeline that says `URL` where it goes.
pub(super) fn gstreamer(pipeline: &str) -> Publisher {
    let pipeline = pipeline.to_owned();
    Box::new(move |url| {
        let mut command = Command::new("gst-launch-1.0");
        command.arg("-q");
        let words = pipeline.split_whitespace();
        command.args(words.map(|word| word.replace("URL", url)));
        command
    })
}

/// Takes all that a publisher sends with the key `tl_key` in its URL.
pub(super) async fn receive(publisher: Publisher, path: &str) -> Received {
    let (mut connection, request, publisher) = request(publisher, path).await;
    assert_eq!(request.app, "live");
    assert_eq!(request.key.reveal(), "tl_key");
    connection.accept();
    let received = timeout(LONGEST, read(&mut connection)).await;
    let received = received.expect("the publisher ends in time");
    let closing = tokio::spawn(connection.close());
    let output = timeout(LONGEST, publisher.wait_with_output()).await;
    let output = output.expect("it ends in time").expect("it ran");
    closing.await.expect("it closes");
    let said = String::from_utf8_lossy(&output.stderr);
    let has_failed = matches!(received.ended, Ended::Failed(_));
    assert!(output.status.success() || has_failed, "{said}");
    received
}

/// Refuses a publisher, and gives what it says to that.
pub(super) async fn refuse(publisher: Publisher, words: &str) -> String {
    let (connection, _, publisher) = request(publisher, "/live/tl_key").await;
    let refusal = Refusal::Unauthorized(words.to_owned());
    let closing = tokio::spawn(async move { connection.refuse(&refusal).await });
    let output = timeout(LONGEST, publisher.wait_with_output()).await;
    let output = output.expect("it ends in time").expect("it ran");
    closing.await.expect("it closes");
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Kills a publisher when it has sent a few pictures, and tells how the connection ends.
pub(super) async fn kill(publisher: Publisher) -> Ended {
    let (mut connection, _, mut publisher) = request(publisher, "/live/tl_key").await;
    connection.accept();
    let mut pictures = 0;
    while pictures < 5 {
        match connection.next().await.expect("it lives") {
            Some(Event::Video(_)) => pictures += 1,
            Some(_) => {}
            None => panic!("it goes on until it is killed"),
        }
    }
    publisher.kill().await.expect("it dies");
    let received = timeout(LONGEST, read(&mut connection)).await;
    received.expect("a dead peer is noticed").ended
}

/// Starts a publisher and waits for its request.
async fn request(
    publisher: Publisher,
    path: &str,
) -> (Connection<TcpStream>, PublishRequest, Child) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let mut command = publisher(&format!("rtmp://127.0.0.1:{port}{path}"));
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(Stdio::piped()).kill_on_drop(true);
    let publisher = command.spawn().expect("it is installed");
    let accepted = timeout(LONGEST, listener.accept()).await;
    let (stream, _) = accepted.expect("it comes").expect("it connects");
    // Machines that are busy with other tests are slow.
    let config = Config {
        handshake_timeout: LONGEST,
        publish_timeout: LONGEST,
        idle_timeout: LONGEST,
        ..Config::default()
    };
    let mut connection = Connection::new(stream, config);
    match connection.next().await.expect("it speaks RTMP") {
        Some(Event::PublishRequested(request)) => (connection, request, publisher),
        other => panic!("{other:?}"),
    }
}

async fn read(connection: &mut Connection<TcpStream>) -> Received {
    let (mut video, mut audio, mut encoder) = (Vec::new(), Vec::new(), None);
    let (mut reordering, mut found_after) = (Reordering::default(), None);
    let ended = loop {
        match connection.next().await {
            Ok(Some(Event::Video(unit))) => {
                video.push(unit);
                if reordering.observe(&video[video.len() - 1]) {
                    found_after.get_or_insert(video.len());
                }
            }
            Ok(Some(Event::Audio(unit))) => audio.push(unit),
            Ok(Some(Event::Metadata(metadata))) => encoder = metadata.encoder,
            Ok(Some(Event::Unpublished)) => break Ended::Unpublished,
            Ok(None) => break Ended::Closed,
            Ok(Some(other)) => panic!("{other:?}"),
            Err(error) => break Ended::Failed(error.to_string()),
        }
    };
    Received {
        video,
        audio,
        encoder,
        reordering,
        found_after,
        counts: connection.counts(),
        ended,
    }
}

/// Publishers take a second where nobody else works.
const LONGEST: Duration = Duration::from_secs(60);
