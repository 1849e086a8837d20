//! `tallylight bench` against servers that refuse, mislead or show nothing: one line that says what
//! to do, no traffic elsewhere, and no session left behind.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod scripted;

use clap::Parser;
use loadtest::bench::Benchmark;

use scripted::{Reply, Script, Scripted};

#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    benchmark: Benchmark,
}

/// Runs the command with the addresses of that server. Returns its one line, if it failed.
async fn bench(server: &Scripted, arguments: &str) -> Result<(), String> {
    let (whip, whep) = (server.url("/whip"), server.url("/whep"));
    let words = arguments.split_whitespace();
    let (command, options) = (words.clone().take(1), words.skip(1));
    let addresses = ["--whip", &whip, "--whep", &whep];
    run(command.chain(addresses).chain(options)).await
}

async fn run(arguments: impl Iterator<Item = &str>) -> Result<(), String> {
    let cli = Cli::try_parse_from(["bench"].into_iter().chain(arguments)).unwrap();
    let done = cli.benchmark.run().await;
    done.map_err(|error| {
        let line = format!("{error:#}");
        assert!(!line.contains('\n'), "{line}");
        line
    })
}

#[tokio::test]
async fn a_refusal_of_the_publisher_is_one_line() {
    for (status, advice) in [
        (401, "--key"),
        (404, "the address of WHIP"),
        (409, "somebody publishes there already"),
        (503, "--ramp"),
        (500, "answered 500"),
    ] {
        let server = Scripted::start(Script {
            whip: Some(Reply::status(status)),
            ..Script::default()
        })
        .await;
        let line = bench(&server, "webrtc --viewers 1").await.unwrap_err();
        assert!(line.starts_with("cannot publish: http://"), "{line}");
        assert!(line.contains(advice), "{line}");
        assert_eq!(server.seen(), ["POST /whip"]);
    }
}

#[tokio::test]
async fn a_reason_of_the_server_is_shown_without_its_lines() {
    let mut reply = Reply::status(409);
    reply.body = r#"{"detail":"taken\nby another"}"#.to_owned();
    let server = Scripted::start(Script {
        whip: Some(reply),
        ..Script::default()
    })
    .await;
    let line = bench(&server, "capacity").await.unwrap_err();
    assert!(line.ends_with("answered 409: taken by another"), "{line}");
}

#[tokio::test]
async fn a_dead_server_is_one_line() {
    let server = Scripted::start(Script::default()).await;
    server.stop().await;
    let joins = format!("joins --server-pid {}", std::process::id());
    for command in ["webrtc", "capacity", &joins] {
        let line = bench(&server, command).await.unwrap_err();
        assert!(line.contains("cannot reach http://127.0.0.1"), "{line}");
        assert!(line.contains("does the server run"), "{line}");
    }
}

#[tokio::test]
async fn joins_of_a_server_that_tells_nothing_of_itself_are_refused() {
    let server = Scripted::start(Script::default()).await;
    let line = bench(&server, "joins").await.unwrap_err();
    assert!(line.contains("--server-pid and --metrics"), "{line}");
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_dead_server_of_playlists_or_encoders_is_one_line() {
    let server = Scripted::start(Script::default()).await;
    server.stop().await;
    let playlist = server.url("/hls/ada/index.m3u8");
    let line = run(["hls", "--url", &playlist].into_iter()).await;
    let line = line.unwrap_err();
    assert!(line.contains("does the server run"), "{line}");

    let name = format!("bench-keys-{}", std::process::id());
    let keys = std::env::temp_dir().join(name);
    std::fs::write(&keys, "a\nb\n").unwrap();
    let (keys_file, url) = (keys.to_str().unwrap(), server.url("/live"));
    let url = url.replace("http://", "rtmp://");
    let options = ["rtmp", "--url", &url, "--keys", keys_file, "--publishers"];
    let two = options.into_iter().chain(["2", "--ramp", "100"]);
    let line = run(two).await.unwrap_err();
    assert!(line.starts_with("nobody can publish: "), "{line}");
    let line = run(options.into_iter().chain(["3"])).await.unwrap_err();
    assert!(
        line.contains("holds 2 stream keys for 3 publishers"),
        "{line}"
    );
    std::fs::remove_file(&keys).unwrap();
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = Scripted::start(Script::default()).await;
    let mut reply = Reply::status(307);
    reply.location = Some(elsewhere.url("/whip"));
    let server = Scripted::start(Script {
        whip: Some(reply),
        ..Script::default()
    })
    .await;
    let line = bench(&server, "webrtc").await.unwrap_err();
    let target = elsewhere.url("/whip");
    let expected = format!("answered 307 and points to {target}, where nothing is sent");
    assert!(line.contains(&expected), "{line}");
    assert_eq!(elsewhere.seen(), [""; 0]);
}

#[tokio::test]
async fn a_session_on_another_host_is_refused() {
    let elsewhere = Scripted::start(Script::default()).await;
    let server = Scripted::start(Script {
        sessions_at: Some(elsewhere.url("")),
        ..Script::default()
    })
    .await;
    let line = bench(&server, "webrtc").await.unwrap_err();
    assert!(line.contains("made a session on another host"), "{line}");
    assert_eq!(elsewhere.seen(), [""; 0]);
}

#[tokio::test]
async fn a_wrong_process_shows_before_any_load() {
    let server = Scripted::start(Script::default()).await;
    let line = bench(&server, "webrtc --server-pid 4294967295").await;
    let line = line.unwrap_err();
    assert_eq!(line, "--server-pid: there is no process 4294967295");
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn an_answer_that_is_no_sdp_is_one_line_and_its_session_is_ended() {
    let mut reply = Reply::status(201);
    reply.location = Some("/session/1".to_owned());
    reply.body = "hello".to_owned();
    let server = Scripted::start(Script {
        whip: Some(reply),
        ..Script::default()
    })
    .await;
    let line = bench(&server, "webrtc").await.unwrap_err();
    assert!(line.contains("no candidate to connect to"), "{line}");
    assert_eq!(server.seen(), ["POST /whip", "DELETE /session/1"]);
}

#[tokio::test]
async fn a_server_that_shows_nothing_is_found_out_and_left() {
    let server = Scripted::start(Script {
        shows_another_stream: true,
        ..Script::default()
    })
    .await;
    let line = bench(&server, "webrtc --viewers 3 --join-within 2").await;
    let line = line.unwrap_err();
    assert!(
        line.starts_with("3 viewers are connected, but the server sent them nothing within 2 s"),
        "{line}"
    );
    assert_eq!(server.sessions(), (4, 0));
}

#[tokio::test]
async fn viewers_that_are_refused_end_the_run_and_all_sessions() {
    let server = Scripted::start(Script {
        most_viewers: 2,
        ..Script::default()
    })
    .await;
    let line = bench(&server, "webrtc --viewers 9 --ramp 5").await;
    let line = line.unwrap_err();
    assert!(line.starts_with("cannot watch (viewer 3): "), "{line}");
    assert!(line.contains("answered 503: full"), "{line}");
    assert_eq!(server.sessions(), (3, 0));
}

#[tokio::test]
async fn a_refusal_above_a_step_that_went_well_is_an_answer() {
    let server = Scripted::start(Script {
        most_viewers: 2,
        ..Script::default()
    })
    .await;
    let run = "capacity --step 2 --most 6 --step-duration 1";
    assert_eq!(bench(&server, run).await, Ok(()));
    assert_eq!(server.sessions(), (3, 0));
}

#[tokio::test]
async fn a_run_that_goes_well_leaves_nothing() {
    let server = Scripted::start(Script::default()).await;
    let run = "webrtc --viewers 3 --duration 1 --json";
    let ended = bench(&server, run).await;
    // Beside other programs the machine may be full, which is told in words.
    let is_full = |line: &String| line.contains("the limit");
    assert!(ended.as_ref().err().is_none_or(is_full), "{ended:?}");
    assert_eq!(server.sessions(), (4, 0));
}
