//! The program killed while it records (RELIABILITY F6): what was told to viewers is kept.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use loadtest::signalling::Endpoint;
use loadtest::source::Source;
use loadtest::{Driver, PublisherSpec, Sent};
use serde_json::Value;

use crate::checker::Playlist;
use crate::support::until;

/// Rounds in a run of all tests; more with this variable.
const ROUNDS: usize = 4;
const MORE: &str = "TALLYLIGHT_KILLS";

fn program(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tallylight"));
    command.current_dir(data).stderr(Stdio::null());
    command.args(["--data", "data", "--http", "127.0.0.1:0"]);
    command.args(["--media-port", "0", "--public-ip", "127.0.0.1"]);
    command.args(["--admin-listen", "off"]);
    command
}

fn run(data: &Path, arguments: &[&str]) -> String {
    let output = program(data).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A running server and its address.
struct Running {
    child: Child,
    url: String,
}

impl Running {
    fn start(data: &Path) -> Self {
        let mut child = program(data)
            .arg("serve")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let greeting = BufReader::new(child.stdout.take().unwrap());
        let mut lines = greeting.lines().map(Result::unwrap);
        let line = lines.find_map(|line| {
            let url = line.trim().strip_prefix("Pages and API")?;
            Some(url.trim().trim_end_matches('/').to_owned())
        });
        let url = line.expect("it greets");
        // The rest is not read: it fits the pipe.
        Self { child, url }
    }

    async fn get(&self, path: &str) -> Option<String> {
        let response = reqwest::get(format!("{}{path}", self.url)).await.ok()?;
        let response = response.error_for_status().ok()?;
        response.text().await.ok()
    }

    async fn json(&self, path: &str) -> Value {
        let text = self.get(path).await.expect("an answer");
        serde_json::from_str(&text).unwrap()
    }

    /// What viewers were told of the best rendition, in seconds.
    async fn told(&self) -> f64 {
        let Some(text) = self.get("/hls/ada/index.m3u8").await else {
            return 0.0;
        };
        let uri = text.lines().find(|line| !line.starts_with('#')).unwrap();
        let playlist = self.get(&format!("/hls/ada/{uri}")).await.unwrap();
        let playlist = Playlist::checked(&playlist);
        let parts = playlist.trailing.parts.iter().map(|part| part.duration);
        let whole = playlist.segments.iter().map(|segment| segment.duration);
        whole.chain(parts).sum()
    }

    fn kill(mut self) {
        // SIGKILL.
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn random_below(bound: u64) -> u64 {
    let id = u128::from(sfu::StreamId::random());
    u64::try_from(id % u128::from(bound)).unwrap()
}

#[tokio::test]
async fn what_viewers_were_told_of_outlives_a_kill_at_any_moment() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    run(data, &["account", "create", "ada", "--admin"]);
    run(data, &["channel", "create", "ada", "--owner", "ada"]);
    let key = run(data, &["stream-key", "new", "ada"]);
    let rounds = std::env::var(MORE).ok().and_then(|text| text.parse().ok());
    let source = Source::clip(3).unwrap();
    let mut server = Running::start(data);
    for round in 1..=rounds.unwrap_or(ROUNDS) {
        let clients = Driver::start("clients").unwrap();
        let whip = Endpoint::new(&format!("{}/whip", server.url), Some(&key)).unwrap();
        let spec = PublisherSpec::browser(source.clone());
        let sent = Sent::default();
        let publishing = loadtest::publish(&clients, &whip, &spec, &sent);
        let publishing = publishing.await.unwrap();
        until("a segment", || async { server.told().await > 1.0 }).await;
        let frames = publishing.report().await.unwrap().frames + random_below(90);
        until("a random moment", || async {
            publishing.report().await.unwrap().frames >= frames
        })
        .await;
        let told = server.told().await;
        server.kill();
        drop(publishing);
        server = Running::start(data);
        let recording = newest(&server, round).await;
        let kept = recording["duration_ms"].as_f64().unwrap() / 1_000.0;
        // At most the last part is lost (RELIABILITY P6).
        assert!(kept + 0.4 >= told, "round {round}: {kept} s of {told} s");
        plays_to_the_end(&server, recording["id"].as_str().unwrap(), kept).await;
    }
    server.kill();
}

/// The newest of so many recordings, once the books are closed.
async fn newest(server: &Running, count: usize) -> Value {
    let path = "/api/channels/ada/recordings";
    until("the recording to be ready", || async {
        let items = server.json(path).await["items"].clone();
        let ready = items.as_array().unwrap().iter();
        ready.filter(|item| item["state"] == "ready").count() == count
    })
    .await;
    server.json(path).await["items"][0].clone()
}

async fn plays_to_the_end(server: &Running, id: &str, seconds: f64) {
    let url = format!("{}/vod/{id}/index.m3u8", server.url);
    let playing = tokio::task::spawn_blocking(move || {
        Command::new("ffprobe")
            .args(["-v", "error", "-count_packets", "-of", "csv=p=0"])
            .args(["-select_streams", "v:0"])
            .args(["-show_entries", "stream=nb_read_packets", &url])
            .output()
            .expect("ffprobe runs")
    });
    let output = playing.await.unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(errors.is_empty(), "{errors}");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let count = text
        .split([',', '\n'])
        .find_map(|word| word.trim().parse::<u32>().ok());
    let expected = Duration::from_secs_f64(seconds).as_millis() / 34;
    let count = u128::from(count.unwrap_or_default());
    assert!(
        count + 15 >= expected,
        "{count} of {expected} pictures: {text}"
    );
}
