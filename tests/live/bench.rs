//! `tallylight bench`, as an operator runs it, against a whole server.

use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use crate::support::{Server, until};

const PROGRAM: &str = env!("CARGO_BIN_EXE_tallylight");

fn bench(server: &Server, command: &str) -> Command {
    let http = server.app.http;
    let mut program = Command::new(PROGRAM);
    program
        .arg("bench")
        .args(command.split_whitespace())
        .args(["--whip", &format!("http://{http}/whip")])
        .args(["--whep", &format!("http://{http}/whep/ada")])
        .env("TALLYLIGHT_BENCH_KEY", server.key())
        .env("RUST_BACKTRACE", "1")
        .kill_on_drop(true);
    program
}

/// The one line of the error, which is the last of standard error.
fn error_of(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(!said.contains("backtrace"), "{said}");
    let errors = said.lines().filter(|line| line.starts_with("tallylight: "));
    assert_eq!(errors.count(), 1, "{said}");
    said.lines().last().unwrap_or_default().to_owned()
}

async fn assert_everybody_left(server: &Server) {
    until("all sessions to be over", || async {
        let totals = server.sfu.totals();
        (totals.viewers, totals.publishers) == (0, 0)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn viewers_are_counted_and_leave() {
    let server = Server::start().await;
    let pid = std::process::id();
    let run = format!("webrtc --viewers 4 --duration 2 --json --server-pid {pid}");
    let output = bench(&server, &run).output().await.unwrap();
    // Beside other tests the machine may be full, which is told in words.
    let is_full = || error_of(&output).contains("the limit");
    assert!(output.status.success() || is_full(), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&report["viewers"], &report["joined"]),
        (&4.into(), &4.into())
    );
    assert!(report["packets"].as_u64().unwrap() > 1_000, "{report}");
    assert!(
        report["delivery"]["count"].as_u64().unwrap() > 100,
        "{report}"
    );
    assert!(
        report["server"]["rss_kib"].as_u64().unwrap() > 0,
        "{report}"
    );
    assert_everybody_left(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn viewers_through_turn_are_set_beside_those_who_come_straight() {
    let server = Server::with(|config| config.turn.listen = "127.0.0.1:0".to_owned()).await;
    let pid = std::process::id();
    let run = format!("turn --viewers 3 --duration 1 --rounds 1 --json --server-pid {pid}");
    let output = bench(&server, &run).output().await.unwrap();
    // Beside other tests the machine may be full, which is told in words.
    let is_full = || error_of(&output).contains("the limit");
    assert!(output.status.success() || is_full(), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let routes = report["routes"].as_array().unwrap();
    assert_eq!(routes.len(), 3, "{report}");
    for route in routes {
        let frames = route["frames_per_second"].as_f64().unwrap();
        assert!(frames > 5.0, "{report}");
    }
    // Those straight ones did not come by it, the others did.
    let relayed = server.app.services.ice.stats().unwrap();
    assert_eq!(relayed.allocations_made, 6, "{relayed:?}");
    assert!(relayed.packets_to_clients > 1_000, "{relayed:?}");
    assert_everybody_left(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn capacity_is_answered_in_one_sentence() {
    let server = Server::start().await;
    let run = "capacity --step 1 --most 2 --step-duration 1";
    let output = bench(&server, run).output().await.unwrap();
    let is_full = || error_of(&output).contains("could be measured");
    assert!(output.status.success() || is_full(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    let sentence = said.lines().last().unwrap();
    assert!(sentence.starts_with("This machine "), "{said}");
    assert!(sentence.contains(" Mbit/s stream"), "{said}");
    assert_everybody_left(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_interrupted_ends_its_sessions() {
    let server = Server::start().await;
    let mut run = bench(&server, "webrtc --viewers 3 --duration 600")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(run.stderr.take().unwrap()).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        if line.starts_with("measuring") {
            break;
        }
    }
    assert_eq!(server.sfu.totals().viewers, 3);
    let pid = run.id().unwrap().to_string();
    let killed = std::process::Command::new("kill")
        .args(["-INT", &pid])
        .status();
    assert!(killed.unwrap().success());
    assert_eq!(run.wait().await.unwrap().code(), Some(1));
    assert_eq!(server.sfu.totals().viewers, 0);
    let mut last = String::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        last = line;
    }
    assert_eq!(
        last,
        "tallylight: stopped before the end; what was opened is closed"
    );
    assert_everybody_left(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_few_files_are_found_before_anybody_joins() {
    let server = Server::start().await;
    let http = server.app.http;
    let script = format!(
        "ulimit -n 200; exec {PROGRAM} bench webrtc --whip http://{http}/whip \
         --whep http://{http}/whep/ada --viewers 500"
    );
    let output = Command::new("sh").args(["-c", &script]).output().await;
    let line = error_of(&output.unwrap());
    assert!(line.contains("ulimit -n 756"), "{line}");
    assert_eq!(server.sfu.totals().sessions_connected, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_ffmpeg_the_first_run_says_what_to_install() {
    let server = Server::start().await;
    let cache = tempfile::tempdir().unwrap();
    let output = bench(&server, "webrtc")
        .env("XDG_CACHE_HOME", cache.path())
        .env("PATH", "/nowhere")
        .output()
        .await;
    let line = error_of(&output.unwrap());
    assert!(line.contains("ffmpeg is needed once"), "{line}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_encoder_that_fails_leaves_no_half_a_clip() {
    let server = Server::start().await;
    let home = tempfile::tempdir().unwrap();
    let fake = home.path().join("ffmpeg");
    let script =
        "#!/bin/sh\nfor last; do :; done\n: >\"$last\"\necho 'Unknown encoder' >&2\nexit 1\n";
    write_program(&fake, script);
    let output = bench(&server, "webrtc")
        .env("XDG_CACHE_HOME", home.path())
        .env("PATH", home.path())
        .output()
        .await;
    let line = error_of(&output.unwrap());
    assert!(
        line.ends_with("could not make the clip: Unknown encoder"),
        "{line}"
    );
    let kept = std::fs::read_dir(home.path().join("tallylight-bench")).unwrap();
    assert_eq!(kept.count(), 0);
}

fn write_program(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, text).unwrap();
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(path, mode).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_in_a_chat_gets_all_that_is_said_once_and_in_order() {
    let server = Server::start().await;
    let tokens = server.data.path().join("tokens");
    std::fs::write(
        &tokens,
        server.personal_token(&["chat:read", "chat:write"]).await,
    )
    .unwrap();
    let http = server.app.http;
    let run = "bench chat --channel ada --sockets 50 --data-channels 0 --rate 3 --seconds 2 --json";
    let output = Command::new(PROGRAM)
        .args(run.split_whitespace())
        .args(["--server", &format!("http://{http}")])
        .arg("--tokens-file")
        .arg(&tokens)
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    // Beside other tests the machine may be full, which is told in words.
    let is_full = || error_of(&output).contains("the limit");
    assert!(output.status.success() || is_full(), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let number = |name: &str| {
        report[name]
            .as_u64()
            .unwrap_or_else(|| panic!("{name}: {report}"))
    };
    assert!(number("accepted") > 0, "{report}");
    assert_eq!(number("delivered"), number("accepted") * 51, "{report}");
    for wrong in ["lost", "duplicates", "disordered", "gone"] {
        assert_eq!(number(wrong), 0, "{wrong}: {report}");
    }
}
