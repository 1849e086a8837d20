//! Comings and goings: afterwards the server, a process of its own, is as it was before.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};

use loadtest::signalling::Endpoint;
use loadtest::{Driver, Sent};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::{single, until};

const PROGRAM: &str = env!("CARGO_BIN_EXE_tallylight");

/// The program as an operator runs it, with the channel `@ada`; it is killed with the test.
struct Program {
    child: Child,
    whip: String,
    metrics: String,
    key: String,
    _data: tempfile::TempDir,
}

fn tallylight(data: &Path) -> std::process::Command {
    let mut command = std::process::Command::new(PROGRAM);
    command.arg("--data").arg(data.join("data"));
    command.args(["--http", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    command.args(["--rtmp", "off", "--media-port", "0", "--log", "error"]);
    command.args(["--public-ip", "127.0.0.1"]);
    // What packaging holds comes and goes with the stream, and not with viewers.
    command.env("TALLYLIGHT_HLS_ENABLED", "false");
    command
}

fn output(data: &Path, arguments: &[&str]) -> String {
    let output = tallylight(data).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

impl Program {
    fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        output(data.path(), &["account", "create", "ada", "--admin"]);
        output(data.path(), &["channel", "create", "ada", "--owner", "ada"]);
        let key = output(data.path(), &["stream-key", "new", "ada"]);
        let mut serve = tallylight(data.path());
        let mut child = serve.arg("serve").stdout(Stdio::piped()).spawn().unwrap();
        let greeting = BufReader::new(child.stdout.take().unwrap());
        let mut addresses = HashMap::new();
        for line in greeting.lines() {
            let line = line.unwrap();
            for name in ["(WHIP)", "Metrics"] {
                if let Some((_, address)) = line.split_once(name) {
                    addresses.insert(name, address.trim().to_owned());
                }
            }
            if addresses.len() == 2 {
                break;
            }
        }
        Self {
            child,
            whip: addresses["(WHIP)"].clone(),
            metrics: addresses["Metrics"].clone(),
            key,
            _data: data,
        }
    }

    /// Lets so many come and go over one live stream. Returns what was found.
    async fn come_and_go(&self, options: &str) -> Value {
        let clients = Driver::start("publisher").unwrap();
        let whip = Endpoint::new(&self.whip, Some(&self.key)).unwrap();
        let (spec, sent) = (single(30), Sent::default());
        let publisher = loadtest::publish(&clients, &whip, &spec, &sent)
            .await
            .unwrap();
        until("media to flow", || async {
            publisher.report().await.unwrap().frames > 30
        })
        .await;
        let pid = self.child.id().to_string();
        let run = Command::new(PROGRAM)
            .args(["bench", "joins", "--json", "--tcp", "--join-within", "60"])
            .args(["--whep", &self.whip.replace("/whip", "/whep/ada")])
            .args(["--metrics", &self.metrics, "--server-pid", &pid])
            .args(options.split_whitespace())
            .kill_on_drop(true)
            .output();
        let output = run.await.unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        let report = serde_json::from_slice(&output.stdout);
        report.unwrap_or_else(|error| panic!("{error}: {errors}"))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// That all were seen to come and go, and that nothing is left of them.
fn assert_all_is_as_before(report: &Value, joins: u64) {
    assert_eq!(report["left_behind"], json!([]), "{report}");
    let rounds = report["rounds"].as_array().unwrap();
    let joined = rounds.iter().map(|round| round["joined"].as_u64().unwrap());
    // On a machine that has no time, some do not get through their handshake; they have to leave
    // nothing behind either.
    assert!(joined.sum::<u64>() * 10 > joins * 9, "{report}");
    for at in [&report["before"], &rounds.last().unwrap()["after"]] {
        // The publisher alone.
        assert_eq!((&at["sessions"], &at["viewers"]), (&json!(1), &json!(0)));
        for kind in ["rss_kib", "files", "threads", "tasks", "unclosed"] {
            assert!(at[kind].is_u64(), "{kind}: {report}");
        }
    }
}

#[tokio::test]
async fn viewers_who_come_and_go_leave_nothing_behind() {
    let server = Program::start();
    let run = "--joins 600 --rounds 2 --at-once 30 --stay-ms 100";
    assert_all_is_as_before(&server.come_and_go(run).await, 600);
}

#[tokio::test]
#[ignore = "takes minutes"]
async fn ten_thousand_who_come_and_go_leave_nothing_behind() {
    let server = Program::start();
    let run = "--joins 10000 --rounds 4 --at-once 60 --stay-ms 100";
    assert_all_is_as_before(&server.come_and_go(run).await, 10_000);
}
