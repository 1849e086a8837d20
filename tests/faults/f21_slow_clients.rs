//! F21: clients that are slow with their words, take nothing, or say nothing, while others want to be answered.

use std::time::{Duration, Instant};

use loadtest::process::Process as Watched;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::fault::{Fault, now};
use crate::process::Process;
use crate::site::{Site, playlist_uri};
use crate::support::{until, until_within};

const IDLE: usize = 2_000;
const SLOW: usize = 200;
const DEAF: u64 = 80;
/// Files that have nothing to do with them.
const OTHERS: u64 = 8;
/// Answers of a megabyte or so that each of the deaf asks for, which is more than the system takes for them.
const MUCH: usize = 20;
/// They come so many at a time, and of the earlier ones so many may be gone meanwhile.
const WAVE: u64 = 200;
const FEW: u64 = 50;
/// They say a byte so often.
const BYTE_EVERY: Duration = Duration::from_secs(1);
/// Answers that tell how it goes without them, and the pause between two.
const ENOUGH: usize = 100;
const PAUSE: Duration = Duration::from_millis(20);
/// By docs/RELIABILITY.md: a head within 10 s, also the first one; an answer within 30 s, its body included; what is not taken is
/// given up after 60 s, at the latest after 120, and has 5 s to finish. And what a busy machine is late.
const HEAD: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(30);
const UNTAKEN: Duration = Duration::from_secs(120);
/// Until a busy machine has given them all that the system takes.
const MOVES: Duration = Duration::from_secs(60);
const FINISH: Duration = Duration::from_secs(5);
const LATE: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn slow_and_silent_clients_are_let_go_and_hold_up_nobody() {
    let mut fault = Fault::of("F21", "slow and silent").await;
    let site = tokio::task::block_in_place(Site::new);
    let mut server = tokio::task::block_in_place(|| site.start());
    loadtest::process::allow_files(u64::try_from(IDLE + 3 * SLOW + 500).unwrap()).unwrap();
    let alone = ask(url(&site), |answered| answered.times.len() >= ENOUGH).await;
    let good = Good::start(&site);
    let mut bad = JoinSet::new();
    let post = format!(
        "POST /whep/ada HTTP/1.1\r\nHost: {}\r\nContent-Type: application/sdp\r\nContent-Length: 10000\r\n\r\n",
        site.http
    );
    let kinds = [
        (
            IDLE,
            Bad {
                kind: "idle",
                first: String::new(),
                word: "",
            },
        ),
        (
            SLOW,
            Bad {
                kind: "slow_head",
                first: "GET /api/channels/ada HTTP/1.1\r\n".to_owned(),
                word: "X-Slow: y\r\n",
            },
        ),
        (
            SLOW,
            Bad {
                kind: "slow_body",
                first: post,
                word: "v",
            },
        ),
    ];
    for (count, kind) in kinds {
        for socket in connect(&site, &server, count).await {
            bad.spawn(kind.clone().stay(socket, now()));
        }
    }
    let mut times = [
        ("idle", Vec::new()),
        ("slow_head", Vec::new()),
        ("slow_body", Vec::new()),
    ];
    while let Some(ended) = bad.join_next().await {
        let (kind, time) = ended.unwrap();
        let of_kind = times.iter_mut().find(|(name, _)| *name == kind).unwrap();
        of_kind.1.push(time);
    }
    let beside = good.end().await;
    for (kind, times) in times {
        let longest = if kind == "slow_body" { ANSWER } else { HEAD };
        let late = times.iter().filter(|time| **time > longest + LATE).count();
        assert_eq!(
            late, 0,
            "{kind} stay for longer than {longest:?}: {times:?}"
        );
        fault.spread(&format!("{kind}_closed_after"), times);
    }
    assert!(
        alone.wrong.is_empty() && beside.wrong.is_empty(),
        "{:?}",
        beside.wrong
    );
    assert!(beside.times.len() > ENOUGH, "{}", beside.times.len());
    fault.spread("good_alone", alone.times);
    fault.spread("good_beside", beside.times);
    fault.saw("good_failed", beside.wrong.len());
    tokio::task::block_in_place(|| server.terminate());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "who takes nothing is given up after one to two minutes"]
async fn who_takes_no_answer_is_let_go_and_holds_up_nobody() {
    let mut fault = Fault::of("F21", "slow to read").await;
    let site = tokio::task::block_in_place(Site::new);
    let mut server = tokio::task::block_in_place(|| site.start());
    let _publishing = site.publish();
    playlist_uri(&site).await;
    let good = Good::start(&site);
    let files = || Watched(server.id()).open_files().unwrap();
    let before = files();
    let mut deaf = Vec::new();
    for _ in 0..DEAF {
        deaf.push(take_nothing(&site.http).await);
    }
    until("all to be there", || async {
        files() + FEW >= before + DEAF
    })
    .await;
    let began = now();
    // The system keeps what it has for them for longer.
    until_within(
        MOVES + UNTAKEN + FINISH + LATE,
        "all to be let go",
        || async { files() <= before + OTHERS },
    )
    .await;
    let took = began.elapsed();
    let beside = good.end().await;
    assert!(beside.wrong.is_empty(), "{:?}", beside.wrong);
    drop(deaf);
    fault.saw("deaf", DEAF);
    fault.took("untaken_closed_after", took);
    fault.spread("good_beside", beside.times);
    tokio::task::block_in_place(|| server.terminate());
}

/// That many connections, which the server has accepted: what waits for that longer than the system keeps it is ended by nobody.
async fn connect(site: &Site, server: &Process, count: usize) -> Vec<TcpStream> {
    let mut sockets = Vec::new();
    let files = || Watched(server.id()).open_files().unwrap();
    while sockets.len() < count {
        let before = files();
        for _ in 0..WAVE {
            sockets.push(TcpStream::connect(&site.http).await.unwrap());
        }
        // Others end meanwhile, which are few.
        until("a wave to be accepted", || async {
            files() + FEW >= before + WAVE
        })
        .await;
    }
    sockets
}

/// A client that is slow.
#[derive(Debug, Clone)]
struct Bad {
    kind: &'static str,
    /// What it says at once, and then again and again.
    first: String,
    word: &'static str,
}

impl Bad {
    /// How long it takes until the server ends it.
    async fn stay(self, mut socket: TcpStream, began: Instant) -> (&'static str, Duration) {
        let _ = socket.write_all(self.first.as_bytes()).await;
        let mut answer = [0; 1_024];
        while began.elapsed() < UNTAKEN {
            match timeout(BYTE_EVERY, socket.read(&mut answer)).await {
                Ok(Ok(0) | Err(_)) => break,
                // What it is told in words comes before the end.
                Ok(Ok(_)) => {}
                Err(_) if self.word.is_empty() => {}
                Err(_) => {
                    // That it is over shows when it reads.
                    let _ = socket.write_all(self.word.as_bytes()).await;
                }
            }
        }
        (self.kind, began.elapsed())
    }
}

/// Asks for much on one connection, and is not going to read.
async fn take_nothing(host: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stream = socket.connect(host.parse().unwrap()).await.unwrap();
    let ask = format!("GET /api/openapi.json HTTP/1.1\r\nHost: {host}\r\n\r\n");
    stream.write_all(ask.repeat(MUCH).as_bytes()).await.unwrap();
    stream
}

/// Somebody who asks for an answer after the other, each on a connection of its own.
struct Good {
    asking: JoinHandle<Answered>,
    stop: CancellationToken,
}

#[derive(Debug, Default)]
struct Answered {
    times: Vec<Duration>,
    wrong: Vec<String>,
}

impl Good {
    fn start(site: &Site) -> Self {
        let stop = CancellationToken::new();
        let (url, stopped) = (url(site), stop.clone());
        let asking = tokio::spawn(ask(url, move |_| stopped.is_cancelled()));
        Self { asking, stop }
    }

    async fn end(self) -> Answered {
        self.stop.cancel();
        self.asking.await.unwrap()
    }
}

fn url(site: &Site) -> String {
    format!("{}/api/channels/ada", site.base())
}

async fn ask(url: String, is_enough: impl Fn(&Answered) -> bool) -> Answered {
    let mut answered = Answered::default();
    while !is_enough(&answered) {
        let began = now();
        match reqwest::get(&url).await {
            Ok(answer) if answer.status() == 200 => answered.times.push(began.elapsed()),
            Ok(answer) => answered.wrong.push(answer.status().to_string()),
            Err(error) => answered.wrong.push(error.to_string()),
        }
        tokio::time::sleep(PAUSE).await;
    }
    answered
}
