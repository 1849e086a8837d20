//! The program itself, stopped as a service manager stops it.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use loadtest::signalling::Endpoint;
use loadtest::{Driver, Sent, ViewerSpec};
use str0m::net::Protocol;

use crate::support::{single, until, until_closed, until_cut, until_more};

/// A server that is killed with the test.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn tallylight(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tallylight"));
    command
        .arg("--data")
        .arg(data)
        .args([
            "--http",
            "127.0.0.1:0",
            "--admin-listen",
            "off",
            "--rtmp",
            "off",
            "--media-port",
            "0",
        ])
        .args(["--public-ip", "127.0.0.1", "--log", "warn"])
        .stderr(Stdio::null());
    command
}

fn output(data: &Path, arguments: &[&str]) -> String {
    let output = tallylight(data).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[tokio::test]
async fn sigterm_closes_every_session() {
    let data = tempfile::tempdir().unwrap();
    let data = data.path();
    output(data, &["account", "create", "ada", "--admin"]);
    output(data, &["channel", "create", "ada", "--owner", "ada"]);
    let key = output(data, &["stream-key", "new", "ada"]);
    let started = tallylight(data).arg("serve").stdout(Stdio::piped()).spawn();
    let mut program = Program(started.unwrap());
    let mut lines = BufReader::new(program.0.stdout.take().unwrap()).lines();
    let url = lines
        .find_map(|line| Some(line.unwrap().split_once("(WHIP)")?.1.trim().to_owned()))
        .unwrap();

    let clients = Driver::start("clients").unwrap();
    let sent = Sent::default();
    let whip = Endpoint::new(&url, Some(&key)).unwrap();
    let publisher = loadtest::publish(&clients, &whip, &single(60), &sent)
        .await
        .unwrap();
    let whep = Endpoint::new(&url.replace("/whip", "/whep/ada"), None).unwrap();
    let spec = ViewerSpec::default();
    until("media to flow", || async {
        publisher.report().await.unwrap().frames > 10
    })
    .await;
    let mut viewers = Vec::new();
    for protocol in [Protocol::Udp, Protocol::Tcp] {
        let viewer = loadtest::watch(&clients, &whep, &spec, protocol, &sent)
            .await
            .unwrap();
        until_more(&viewer, 10).await;
        viewers.push(viewer);
    }

    let process = program.0.id().to_string();
    let told = Command::new("kill").args(["-TERM", &process]).status();
    assert!(told.unwrap().success());
    until_cut(&publisher).await;
    for viewer in &viewers {
        until_closed(viewer).await;
    }
    until("the program to end", || {
        let ended = program.0.try_wait().unwrap();
        async move {
            assert!(ended.is_none_or(|status| status.success()), "{ended:?}");
            ended.is_some()
        }
    })
    .await;
}
