//! The program itself: what it says at the start, when it cannot start, and how it stops.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::json;

use crate::secure;
use crate::support::{Account, Anonymous, OwnRedis, Server, publish_offer, view_offer};

fn program(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tallylight"));
    command.env_clear().current_dir(data);
    command.env("TALLYLIGHT_DATA", data.join("data"));
    command.env("TALLYLIGHT_HTTP", "127.0.0.1:0");
    command.env("TALLYLIGHT_MEDIA_PORT", "0");
    command.env("TALLYLIGHT_ADMIN_LISTEN", "off");
    command.env("TALLYLIGHT_RTMP_LISTEN", "127.0.0.1:0");
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
    start_as(&mut program(data))
}

fn start_as(program: &mut Command) -> (Child, String) {
    let mut child = program
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
fn without_its_default_port_it_starts_without_rtmp_and_says_so() {
    let data = tempfile::tempdir().unwrap();
    // Where this fails another program has it already, which does as well.
    let held = TcpListener::bind("0.0.0.0:1935");
    let mut program = program(data.path());
    let (child, said) = start_as(program.env_remove("TALLYLIGHT_RTMP_LISTEN"));
    let words = "RTMP is off: port 1935 is taken; set rtmp.listen";
    assert!(said.contains(words), "{said}");
    let id = child.id().to_string();
    assert!(Command::new("kill").arg(&id).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert!(text(&output.stderr).contains(words), "{output:?}");

    let chosen = run(data.path(), &["--rtmp", "0.0.0.0:1935"]);
    assert!(!chosen.status.success());
    let error = text(&chosen.stderr);
    assert!(
        error.contains("in use") && error.contains("--rtmp"),
        "{error}"
    );
    drop(held);
}

#[test]
fn rtmp_is_on_and_can_be_turned_off() {
    let data = tempfile::tempdir().unwrap();
    let (mut child, said) = start(data.path());
    assert!(said.contains("Publish (RTMP)  port "), "{said}");
    child.kill().unwrap();
    child.wait().unwrap();
    for off in ["off", ""] {
        let output = run(data.path(), &["--rtmp", off, "config", "print"]);
        let printed = text(&output.stdout);
        assert!(printed.contains("[rtmp]\nlisten = \"off\""), "{printed}");
    }
    let mut command = program(data.path());
    let (mut child, said) = start_as(command.args(["--rtmp", "off"]));
    assert!(!said.contains("RTMP"), "{said}");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn https_and_rtmps_without_a_certificate_are_one_line_that_says_what_to_set() {
    for key in ["http.tls_listen", "rtmp.tls_listen"] {
        what_is_missing_is_said(key);
    }
}

fn what_is_missing_is_said(key: &str) {
    let data = tempfile::tempdir().unwrap();
    let variable = format!("TALLYLIGHT_{}", key.replace('.', "_").to_uppercase());
    let run = |variables: &[(&str, &str)]| {
        let mut command = program(data.path());
        command.env(&variable, "127.0.0.1:0");
        command.envs(variables.iter().copied());
        let output = command.output().unwrap();
        assert!(!output.status.success());
        let error = text(&output.stderr);
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(error.contains(key), "{error}");
        error
    };
    let error = run(&[]);
    assert!(
        error.contains("tls.certificate and tls.private_key"),
        "{error}"
    );
    let error = run(&[
        ("TALLYLIGHT_TLS_CERTIFICATE", "/nowhere/chain.pem"),
        ("TALLYLIGHT_TLS_PRIVATE_KEY", "/nowhere/key.pem"),
    ]);
    assert!(error.contains("cannot read tls.certificate"), "{error}");
    assert!(error.contains("/nowhere/chain.pem"), "{error}");
}

#[test]
fn it_says_where_it_is_over_tls() {
    let data = tempfile::tempdir().unwrap();
    let tls = secure::issue(data.path());
    let mut command = program(data.path());
    command.env("TALLYLIGHT_HTTP_TLS_LISTEN", "127.0.0.1:0");
    command.env("TALLYLIGHT_TLS_CERTIFICATE", &tls.certificate);
    command.env("TALLYLIGHT_TLS_PRIVATE_KEY", &tls.private_key);
    let (mut child, said) = start_as(&mut command);
    assert!(said.contains("Pages and API   http://127.0.0.1:"), "{said}");
    assert!(
        said.contains("Over TLS        https://127.0.0.1:"),
        "{said}"
    );
    child.kill().unwrap();
    child.wait().unwrap();
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
    let create = ["token", "create", "ada", "--scopes"];
    let token = run(
        data.path(),
        &[&create[..], &["streams:read,streams:write"]].concat(),
    );
    assert!(text(&token.stdout).starts_with("tlp_"), "{token:?}");
    let wrong = run(data.path(), &[&create[..], &["cakes:read"]].concat());
    assert!(text(&wrong.stderr).contains("streams:read"), "{wrong:?}");
    let unknown = run(data.path(), &["stream-key", "new", "nobody"]);
    assert!(!unknown.status.success());
    let error = text(&unknown.stderr);
    assert!(
        error.contains("tallylight channel create nobody"),
        "{error}"
    );
    let twice = run(data.path(), &["channel", "create", "ada", "--owner", "ada"]);
    assert!(text(&twice.stderr).contains("@ada is taken"));
    std::fs::remove_file(data.path().join("data/pepper")).unwrap();
    let lost = run(data.path(), &["stream-key", "new", "ada"]);
    assert!(!lost.status.success(), "the key would be worthless");
    let error = text(&lost.stderr);
    assert!(error.contains("is not the secret"), "{error}");
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
fn the_doctor_knows_whose_the_ports_are() {
    let data = tempfile::tempdir().unwrap();
    let (mut child, said) = start(data.path());
    let address = said.split_once("http://").unwrap().1;
    let held = address.split_once('/').unwrap().0;
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = free.local_addr().unwrap().to_string();
    let told = |http: &str| {
        let output = run(data.path(), &["doctor", "--http", http]);
        let words = text(&output.stdout);
        let line = words.lines().find(|line| line.contains("HTTP port"));
        (output.status.success(), line.unwrap().to_owned())
    };
    let (_, by_us) = told(held);
    let (may_start, by_another) = told(&taken);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(by_us.starts_with("ok"), "{by_us}");
    assert!(
        by_us.contains("held by the Tallylight that runs"),
        "{by_us}"
    );
    assert!(!may_start, "{by_another}");
    let another = format!("process {}:", std::process::id());
    assert!(by_another.contains(&another), "{by_another}");
}

#[tokio::test]
async fn the_doctor_asks_redis_also_over_tls() {
    let data = tempfile::tempdir().unwrap();
    let certificate = secure::issue(data.path());
    let asked = |url: &str| {
        let output = program(data.path())
            .env(
                "TALLYLIGHT_DATABASE_URL",
                "postgres://nobody@127.0.0.1:1/none",
            )
            .env("TALLYLIGHT_BUS_URL", url)
            .env("SSL_CERT_FILE", data.path().join("chain.pem"))
            .arg("doctor")
            .output();
        let words = text(&output.unwrap().stdout);
        let line = words.lines().find(|line| line.contains("Redis"));
        line.unwrap_or_else(|| panic!("{words}")).to_owned()
    };
    let plain = OwnRedis::start().await;
    assert!(
        asked(&plain.url()).starts_with("ok"),
        "{}",
        asked(&plain.url())
    );
    let secure = OwnRedis::start_with_tls(certificate).await;
    assert!(
        asked(&secure.url()).starts_with("ok"),
        "{}",
        asked(&secure.url())
    );
    let wrong = asked(&plain.url().replace("hush", "wrong"));
    assert!(
        wrong.starts_with("BAD") && !wrong.contains("wrong"),
        "{wrong}"
    );
}

#[test]
fn migrations_run_twice_without_change() {
    let data = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let output = run(data.path(), &["migrate"]);
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
}

/// Whatever is shown to one person once must be nowhere in the log, however much is logged.
#[tokio::test]
async fn no_secret_reaches_the_log() {
    let data = tempfile::tempdir().unwrap();
    let log = data.path().join("log");
    let mut child = program(data.path())
        .env("TALLYLIGHT_LOG", "trace,hyper=info")
        .stdout(Stdio::piped())
        .stderr(std::fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let link = first_line_with(&mut child, "/setup#");
    let (base, token) = link.trim().split_once("/setup#").unwrap();
    let person = Anonymous::at(base);
    let wish = json!({
        "token": token, "name": "Ada", "password": "canary of a password", "handle": "ada",
    });
    let made = person.post("/api/setup", wish).await;
    assert_eq!(made.status, 201, "{made:?}");
    let ada = Account::with_cookie_of(person.clone(), &made);
    let key = ada
        .post("/api/channels/ada/stream_keys", json!({ "name": "x" }))
        .await;
    let key = key.json()["key"].as_str().unwrap().to_owned();
    let headers = [
        ("content-type", "application/sdp"),
        ("authorization", key.as_str()),
    ];
    let published = person
        .send_body("POST", "/whip", &headers, publish_offer())
        .await;
    assert_eq!(published.status, 201);
    let session = published.header("location").rsplit('/').next().unwrap();
    let wrong = json!({ "name": "Ada", "password": "canary of a wrong one" });
    assert_eq!(person.post("/api/auth/login", wrong).await.status, 401);
    let id = child.id().to_string();
    assert!(Command::new("kill").arg(&id).status().unwrap().success());
    assert!(child.wait().unwrap().success());
    let log = std::fs::read_to_string(&log).unwrap();
    assert!(log.contains("begins to publish"), "the log is there");
    let cookie = made.header("set-cookie");
    let cookie = cookie.split(['=', ';']).nth(1).unwrap();
    for secret in [
        token,
        "canary",
        key.as_str(),
        session,
        cookie,
        "ice-ufrag",
        "127.0.0.1",
    ] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}

/// Up to `publish` with a key that is none, behind a plain handshake.
fn publish_with_a_wrong_key(address: &str) -> TcpStream {
    let connect = b"\x03\0\0\0\0\0\x23\x14\0\0\0\0\
        \x02\0\x07connect\0\x3f\xf0\0\0\0\0\0\0\
        \x03\0\x03app\x02\0\x04live\0\0\x09";
    let publish = b"\x03\0\0\0\0\0\x24\x14\x01\0\0\0\
        \x02\0\x07publish\0\x40\0\0\0\0\0\0\0\x05\
        \x02\0\x06canary\x02\0\x04live";
    let mut socket = TcpStream::connect(address).unwrap();
    let handshake = [&[3][..], &[0; 1_536], &[0; 1_536]].concat();
    let said = [&handshake, &connect[..], publish].concat();
    socket.write_all(&said).unwrap();
    socket
}

/// What shuts out addresses that try keys reads the log.
#[tokio::test]
async fn who_tries_keys_by_rtmp_is_in_the_log_and_the_key_is_not() {
    let data = tempfile::tempdir().unwrap();
    let free = || TcpListener::bind("127.0.0.1:0").unwrap();
    let [admin, rtmp] = [free(), free()].map(|held| held.local_addr().unwrap().to_string());
    let log = data.path().join("log");
    let mut child = program(data.path())
        .env("TALLYLIGHT_ADMIN_LISTEN", &admin)
        .env("TALLYLIGHT_RTMP_LISTEN", &rtmp)
        .stdout(Stdio::piped())
        .stderr(std::fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    first_line_with(&mut child, "/setup#");
    // One stays without a key.
    let _stranger = TcpStream::connect(&rtmp).unwrap();
    let answered = tokio::task::spawn_blocking(move || {
        let mut answer = Vec::new();
        let mut socket = publish_with_a_wrong_key(&rtmp);
        socket.read_to_end(&mut answer).map(|_| answer)
    });
    let answer = text(&answered.await.unwrap().unwrap());
    assert!(
        answer.contains("NetStream.Publish.Unauthorized"),
        "{answer}"
    );
    let operator = Anonymous::at(&format!("http://{admin}"));
    let metrics = operator.get("/metrics").await.text;
    for line in [
        "tallylight_rtmp_refused_total{reason=\"wrong_key\"} 1",
        "tallylight_rtmp_connections{state=\"unverified\"} ",
        "tallylight_rtmp_connections{state=\"publishing\"} 0",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
    let id = child.id().to_string();
    assert!(Command::new("kill").arg(&id).status().unwrap().success());
    assert!(child.wait().unwrap().success());
    let log = std::fs::read_to_string(&log).unwrap();
    let mut lines = log.lines();
    let line = lines.find(|line| line.contains("was turned away"));
    let line = line.expect("a line of it");
    let found = "client.address=127.0.0.1 reason=\"wrong_key\"";
    assert!(line.contains(found), "{line}");
    assert!(!log.contains("canary"), "{log}");
}

fn first_line_with(child: &mut Child, part: &str) -> String {
    let out = child.stdout.take().unwrap();
    let mut lines = BufReader::new(out).lines().map(Result::unwrap);
    lines
        .find(|line| line.contains(part))
        .expect("the line comes")
}

#[tokio::test]
async fn shutting_down_ends_what_is_open_and_the_books() {
    let server = Server::plain().await;
    let (_, publisher) = server.on_air().await;
    let player = server.player();
    let answer = player.view("ada", view_offer()).await;
    let events = format!("{}/events", answer.header("location"));
    let events = player
        .http
        .request(reqwest::Method::GET, &events)
        .send()
        .await
        .unwrap();
    let db = server.app.services.db.clone();
    let accounts = server.app.services.accounts.clone();
    let person = server.anonymous();
    server.shut_down().await;
    let told = events.text().await.unwrap();
    assert!(told.contains("event: reconnect"), "{told}");
    assert!(
        !told.contains("event: ended"),
        "viewers shall come back: {told}"
    );
    let url = format!("{}/healthz", person.base);
    assert!(
        reqwest::get(&url).await.is_err(),
        "{publisher} and all others are gone"
    );
    assert!(
        accounts.is_setup_needed().await.is_err(),
        "the database is closed"
    );
    drop(db);
}

/// docs/METRICS.md has whatever a scrape shows; that nothing else is there is looked at by `scripts/deploy-check.sh`.
#[test]
fn every_metric_is_described() {
    let data = tempfile::tempdir().unwrap();
    let mut command = program(data.path());
    command.env("TALLYLIGHT_ADMIN_LISTEN", "127.0.0.1:0");
    command.env("TALLYLIGHT_TURN_LISTEN", "127.0.0.1:0");
    let (mut child, said) = start_as(&mut command);
    let url = said
        .split_whitespace()
        .find(|word| word.ends_with("/metrics"));
    let asking = async {
        reqwest::get(url.unwrap())
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
    };
    let runtime = tokio::runtime::Builder::new_current_thread();
    let shown = { runtime }.enable_all().build().unwrap().block_on(asking);
    child.kill().unwrap();
    child.wait().unwrap();
    let described = include_str!("../../docs/METRICS.md");
    let mut names = Vec::new();
    for line in shown.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        let base = ["_bucket", "_sum", "_count"];
        let base = base
            .iter()
            .find_map(|end| name.strip_suffix(end))
            .unwrap_or(name);
        let is_there = |name: &str| described.contains(&format!("| `{name}` |"));
        assert!(
            name.is_empty() || is_there(name) || is_there(base),
            "{name}"
        );
        names.push(name.to_owned());
    }
    for expected in [
        "tallylight_turn_allocations",
        "tallylight_thread_cpu_seconds",
        "tallylight_resident_bytes",
        "tallylight_disk_free_bytes",
        "tallylight_jobs",
        "tallylight_sfu_relays",
    ] {
        assert!(
            names.iter().any(|name| name == expected),
            "{expected} in {shown}"
        );
    }
}
