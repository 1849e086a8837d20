//! The program itself: what it says at the start, when it cannot start, and how it stops.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

fn program(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tallylight"));
    command.env_clear().current_dir(data);
    command.env("TALLYLIGHT_DATA", data.join("data"));
    command.env("TALLYLIGHT_HTTP", "127.0.0.1:0");
    command.env("TALLYLIGHT_MEDIA_PORT", "0");
    command.env("TALLYLIGHT_ADMIN_LISTEN", "off");
    command
}

fn run(data: &Path, args: &[&str]) -> Output {
    program(data).args(args).output().expect("the program runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Starts the server and reads what it says until the last line of its greeting.
fn start(data: &Path) -> (Child, String) {
    let mut child = program(data)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut said = String::new();
    let out = child.stdout.take().unwrap();
    for line in BufReader::new(out).lines() {
        said.push_str(&line.unwrap());
        said.push('\n');
        if said.contains("/setup#") {
            break;
        }
    }
    (child, said)
}

#[test]
fn it_says_its_addresses_and_the_set_up_link_and_stops_in_order() {
    let data = tempfile::tempdir().unwrap();
    let (mut child, said) = start(data.path());
    assert!(said.contains("Pages and API   http://127.0.0.1:"), "{said}");
    assert!(said.contains("Publish (WHIP)  http://127.0.0.1:"), "{said}");
    assert!(said.contains("UDP and TCP"), "{said}");
    assert!(said.contains("/setup#"), "{said}");
    let id = child.id().to_string();
    assert!(Command::new("kill").arg(&id).status().unwrap().success());
    assert!(child.wait().unwrap().success(), "SIGTERM is an orderly end");
    let mut log = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut log).unwrap();
    let token = said.rsplit('#').next().unwrap().trim();
    assert!(
        !log.contains(token),
        "the set-up token is no matter for logs"
    );
}

#[test]
fn a_taken_port_is_one_clear_line() {
    let data = tempfile::tempdir().unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = tcp.local_addr().unwrap().to_string();
    let http = run(data.path(), &["--http", &address]);
    let udp = UdpSocket::bind("0.0.0.0:0").unwrap();
    let port = udp.local_addr().unwrap().port().to_string();
    let media = run(data.path(), &["--media-port", &port]);
    for (output, flag) in [(http, "--http"), (media, "--media-port")] {
        assert!(!output.status.success());
        let error = text(&output.stderr);
        let lines: Vec<&str> = error.lines().collect();
        assert_eq!(lines.len(), 1, "{error}");
        assert!(error.contains("in use") && error.contains(flag), "{error}");
        assert_eq!(error.matches("in use").count(), 1, "{error}");
        assert_eq!(text(&output.stdout), "");
    }
}

#[test]
fn an_unknown_key_stops_the_start_and_names_the_nearest() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("x.toml");
    std::fs::write(&file, "[media]\nprot = 1\n").unwrap();
    for command in [&["serve"][..], &["config", "check"]] {
        let mut args = vec!["--config", file.to_str().unwrap()];
        args.extend(command);
        let output = run(data.path(), &args);
        assert!(!output.status.success());
        let error = text(&output.stderr);
        assert!(error.contains("did you mean `media.port`?"), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn the_configuration_is_checked_printed_and_exemplified() {
    let data = tempfile::tempdir().unwrap();
    assert!(run(data.path(), &["config", "check"]).status.success());
    let example = text(&run(data.path(), &["config", "example"]).stdout);
    assert!(example.contains("reconnect_window_seconds = 30"));
    let output = program(data.path())
        .env("TALLYLIGHT_DATABASE_URL", "postgres://u:hush@db/x")
        .args(["config", "print"])
        .output()
        .unwrap();
    let printed = text(&output.stdout);
    assert!(printed.contains("u:(hidden)@db/x"), "{printed}");
    assert!(!printed.contains("hush"), "{printed}");
}

#[test]
fn a_server_is_set_up_by_a_script() {
    let data = tempfile::tempdir().unwrap();
    let mut child = program(data.path())
        .args(["account", "create", "Ada", "--admin", "--password-stdin"])
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"correct horse\n").unwrap();
    drop(stdin);
    assert!(child.wait().unwrap().success());
    let made = run(data.path(), &["channel", "create", "ada", "--owner", "ada"]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let key = text(&run(data.path(), &["stream-key", "new", "ada"]).stdout);
    assert!(key.starts_with("tl_") && key.lines().count() == 1, "{key}");
    let unknown = run(data.path(), &["stream-key", "new", "nobody"]);
    assert!(!unknown.status.success());
    let twice = run(data.path(), &["channel", "create", "ada", "--owner", "ada"]);
    assert!(text(&twice.stderr).contains("@ada is taken"));
}

#[test]
fn the_doctor_says_what_it_finds() {
    let data = tempfile::tempdir().unwrap();
    let output = run(data.path(), &["doctor"]);
    let words = text(&output.stdout);
    for subject in [
        "HTTP port",
        "media port",
        "addresses",
        "data folder",
        "clock",
        "open files",
    ] {
        assert!(words.contains(subject), "{words}");
    }
    assert!(output.status.success(), "{words}");
}

#[test]
fn migrations_run_twice_without_change() {
    let data = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let output = run(data.path(), &["migrate"]);
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
}
