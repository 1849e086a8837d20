//! What a request for low-latency HLS allocates, by a counting allocator, from the socket to the socket.
//!
//! A binary of its own with one test, because the allocator counts for the whole process. The stream
//! has ended, so that nothing else is at work; what is read is still there, in memory.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking, and prints what it counted"
)]

use std::alloc::System;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use loadtest::signalling::Endpoint;
use loadtest::source::Source;
use loadtest::{Driver, PublisherSpec, Sent};
use sfu::Sfu;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tallylight::accounts::{Passwords, Role};
use tallylight::app::{self, App, Parts};
use tallylight::clock::Clock;
use tallylight::config::Config;
use tallylight::secret::Secret;
use tallylight::telemetry;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Requests that are counted. What the process does beside them is spread over all.
const REQUESTS: usize = 2_000;
/// Connections that are counted, with one request each.
const CONNECTIONS: usize = 200;
/// Allocations of a request for a playlist: it was 59 while it went by axum's routes.
const MOST_PLAYLIST: f64 = 14.0;
/// Allocations of a request for a part; it was 65.
const MOST_PART: f64 = 17.0;
/// Bytes that a connection and its request for a part allocate, most of them the connection's own: far
/// fewer than the part has, which nobody copies, be it into a buffer that stays with the connection.
const MOST_BYTES: f64 = 44_000.0;

async fn start(data: &std::path::Path) -> (App, Secret) {
    let mut config = Config {
        data: data.join("data"),
        ..Config::default()
    };
    config.http.listen = "127.0.0.1:0".parse().unwrap();
    config.http.admin_listen = "127.0.0.1:0".parse().unwrap();
    config.rtmp.listen = "off".to_owned();
    config.turn.listen = "off".to_owned();
    config.media.bind = "127.0.0.1".parse().unwrap();
    config.media.port = 0;
    config.media.threads = 1;
    // As an operator has it.
    telemetry::start_logging(&config.log).unwrap();
    let parts = Parts {
        clock: Clock::system(),
        passwords: Passwords::cheap(),
        sfu: Sfu::start(app::sfu_config(&config)).unwrap(),
        program: env!("CARGO_BIN_EXE_tallylight").into(),
    };
    let listener = app::listen("the HTTP port", config.http.listen, "--http").await;
    let app = App::assemble(config, parts, listener.unwrap())
        .await
        .unwrap();
    let services = &app.services;
    let password = Secret::new("correct horse");
    let ada = services
        .accounts
        .create("ada", &password, Role::Admin)
        .await;
    let ada = ada.unwrap();
    let channel = services.channels.create(&ada, "ada", "Ada").await;
    let channel = channel.unwrap().id;
    let key = services.channels.create_stream_key(channel, "test").await;
    (app, key.unwrap().1)
}

/// A client that allocates nothing while it asks.
struct Client {
    socket: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    fn connect(server: SocketAddr, buffer: Vec<u8>) -> Self {
        let socket = TcpStream::connect(server).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        Self { socket, buffer }
    }

    /// Asks for what `request` says; gives the head's length, and that of all.
    fn ask(&mut self, request: &[u8]) -> (usize, usize) {
        self.socket.write_all(request).unwrap();
        let mut came = 0;
        loop {
            let read = self.socket.read(&mut self.buffer[came..]).unwrap();
            assert!(read > 0, "the server closed");
            came += read;
            let so_far = &self.buffer[..came];
            let Some(end) = so_far.windows(4).position(|four| four == b"\r\n\r\n") else {
                continue;
            };
            let head = std::str::from_utf8(&so_far[..end]).unwrap();
            assert!(head.starts_with("HTTP/1.1 200"), "{head}");
            let length = head
                .lines()
                .find_map(|l| l.strip_prefix("content-length: "));
            let whole = end + 4 + length.unwrap().parse::<usize>().unwrap();
            if came == whole {
                return (end + 4, whole);
            }
        }
    }

    fn text(&mut self, path: &str) -> String {
        let (head, whole) = self.ask(&request(path, "identity"));
        String::from_utf8(self.buffer[head..whole].to_vec()).unwrap()
    }
}

fn request(path: &str, coding: &str) -> Vec<u8> {
    // What a browser sends, but for its longer words.
    let head = format!(
        "GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nuser-agent: test\r\naccept: */*\r\n\
         accept-encoding: {coding}\r\naccept-language: en\r\nreferer: http://127.0.0.1/\r\n\r\n"
    );
    head.into_bytes()
}

/// Allocations of one of so many, and their bytes.
fn cost(times: usize, mut what: impl FnMut()) -> (f64, f64) {
    for _ in 0..50 {
        what();
    }
    let region = Region::new(ALLOCATOR);
    for _ in 0..times {
        what();
    }
    let change = region.change();
    let number = |count: usize| f64::from(u32::try_from(count).unwrap());
    (
        number(change.allocations + change.reallocations) / number(times),
        number(change.bytes_allocated) / number(times),
    )
}

/// Waits until that holds of the text behind the path; gives it.
fn until(client: &mut Client, path: &str, holds: impl Fn(&str) -> bool) -> String {
    for _ in 0..2_000 {
        let text = client.text(path);
        if holds(&text) {
            return text;
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
    panic!("waited in vain for {path}");
}

/// Name of the newest part that begins with a key frame, by which it is a large one.
fn named_with_key_frame(playlist: &str) -> Option<&str> {
    let mut lines = playlist.lines().rev();
    let part =
        lines.find(|line| line.starts_with("#EXT-X-PART:") && line.contains("INDEPENDENT=YES"))?;
    part.split("URI=\"").nth(1)?.split('"').next()
}

#[test]
fn a_request_allocates_little_and_nobody_copies_a_part() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let data = tempfile::tempdir().unwrap();
    let (app, key) = runtime.block_on(start(data.path()));
    let driver = Driver::start("publisher").unwrap();
    let whip = Endpoint::new(&format!("http://{}/whip", app.http), Some(key.reveal())).unwrap();
    let spec = PublisherSpec::browser(Source::clip(1).unwrap());
    let sent = Sent::default();
    let publishing = loadtest::publish(&driver, &whip, &spec, &sent);
    let publishing = runtime.block_on(publishing).unwrap();
    let mut client = Client::connect(app.http, vec![0; 1024 * 1024]);
    let is_live = |page: &str| page.contains("\"state\":\"ready\"");
    until(&mut client, "/api/channels/ada", is_live);
    let multivariant = client.text("/hls/ada/index.m3u8");
    let rendition = multivariant
        .lines()
        .find(|line| !line.starts_with('#'))
        .unwrap();
    let playlist = format!("/hls/ada/{rendition}");
    let with_key_frame = |text: &str| named_with_key_frame(text).is_some();
    let text = until(&mut client, &playlist, with_key_frame);
    let name = named_with_key_frame(&text).unwrap();
    let part = format!("{}/{name}", playlist.rsplit_once('/').unwrap().0);
    let (msn, number) = name.trim_end_matches(".m4s").split_once('.').unwrap();

    runtime.block_on(publishing.session.delete()).unwrap();
    until(&mut client, &playlist, |text| {
        text.contains("#EXT-X-ENDLIST")
    });
    drop(publishing);
    let (head, whole) = client.ask(&request(&part, "identity"));
    let size = whole - head;
    let blocking = format!("{playlist}?_HLS_msn={msn}&_HLS_part={number}&_HLS_skip=YES");
    let blocking = request(&blocking, "gzip, deflate, br");
    let of_playlist = cost(REQUESTS, || {
        client.ask(&blocking);
    });
    let part = request(&part, "gzip, deflate, br");
    let of_part = cost(REQUESTS, || {
        client.ask(&part);
    });
    let shown = Client::connect(app.admin.unwrap(), vec![0; 1024 * 1024]).text("/metrics");
    for name in ["index.m3u8", "{name}"] {
        let route = format!("/hls/{{handle}}/{{token}}/{{rendition}}/{name}");
        let labels = format!("{{method=\"GET\",route=\"{route}\",status=\"200\"}} ");
        let count = shown
            .split(&labels)
            .nth(1)
            .expect("it is counted by its route");
        let count: usize = count.lines().next().unwrap().parse().unwrap();
        assert!(count >= REQUESTS, "{route}: {count}");
    }
    // The client's buffer is taken before, so that only the server's are counted.
    let mut buffer = std::mem::take(&mut client.buffer);
    let server = app.http;
    let of_viewer = cost(CONNECTIONS, || {
        let mut client = Client::connect(server, std::mem::take(&mut buffer));
        client.ask(&part);
        buffer = client.buffer;
    });
    println!("playlist {of_playlist:?}, part of {size} bytes {of_part:?}, viewer {of_viewer:?}");
    assert!(size > 100_000, "a key frame is large: {size}");
    assert!(of_playlist.0 < MOST_PLAYLIST, "{of_playlist:?}");
    assert!(of_part.0 < MOST_PART, "{of_part:?}");
    assert!(of_viewer.1 < MOST_BYTES, "{of_viewer:?}");
}
