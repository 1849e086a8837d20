//! [`Fleet`]: servers with one database and one Redis.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use loadtest::signalling::Endpoint;
use loadtest::{Driver, PublisherSpec, Sent, ViewerReport, ViewerSpec, Watching};
use reqwest::StatusCode;
use serde_json::{Value, json};
use str0m::net::Protocol;
use tokio::process::Command;
use tokio::task::JoinHandle;

use super::network::{Host, Network, Way};
use super::report;
use crate::checker::Playlist;
use crate::process::{self, Process};
use crate::redis::OwnRedis;
use crate::support::{single, until};

/// Servers, and an account `ada` with the channel `@ada`.
pub(crate) struct Fleet {
    pub(crate) network: Network,
    servers: Vec<One>,
    key: String,
    token: String,
    clients: Driver,
    sent: Sent,
    pub(crate) redis: OwnRedis,
}

struct One {
    process: Option<Process>,
    host: Host,
    base: String,
    rtmp: String,
    admin: String,
    _data: tempfile::TempDir,
}

/// Somebody who watches by WHEP.
pub(crate) struct Viewer(Watching);

/// An encoder that comes back whenever it is cut off.
pub(crate) struct Publishing(JoinHandle<()>);

impl Drop for Publishing {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Fleet {
    /// Runs a test with so many servers.
    pub(crate) fn run(count: usize, test: impl AsyncFnOnce(Self) + Send) {
        Self::run_at(Network::here(), count, test);
    }

    /// The same, where any way can be cut; on loopback nothing is tested.
    pub(crate) fn run_in_namespaces(count: usize, test: impl AsyncFnOnce(Self) + Send) {
        match Network::here() {
            Network::Loopback => report(&json!({ "id": "F24", "skipped": "it needs namespaces" })),
            network => Self::run_at(network, count, test),
        }
    }

    fn run_at(network: Network, count: usize, test: impl AsyncFnOnce(Self) + Send) {
        network.run(async |network| test(Self::start(network, count).await).await);
    }

    async fn start(network: Network, count: usize) -> Self {
        let redis = network.redis().await;
        let database = tokio::task::block_in_place(|| network.new_database());
        let pepper = tempfile::tempdir().unwrap();
        let mut servers = Vec::new();
        let (mut key, mut token) = (String::new(), String::new());
        for index in 0..count {
            let mut host = network.new_host(&redis).await;
            let data = tempfile::tempdir().unwrap();
            let [http, rtmp, admin] = host.listens.clone();
            let (url, bus) = (format!("http://{http}"), host.bus(&redis));
            let address = host.address.to_string();
            let settings = [
                ("TALLYLIGHT_DATABASE_URL", database.as_str()),
                ("TALLYLIGHT_DATABASE_CONNECTIONS", "4"),
                ("TALLYLIGHT_BUS_URL", bus.as_str()),
                ("TALLYLIGHT_CLUSTER_URL", url.as_str()),
                ("TALLYLIGHT_HTTP", http.as_str()),
                ("TALLYLIGHT_RTMP_LISTEN", rtmp.as_str()),
                ("TALLYLIGHT_ADMIN_LISTEN", admin.as_str()),
                ("TALLYLIGHT_MEDIA_BIND", address.as_str()),
                ("TALLYLIGHT_MEDIA_THREADS", "1"),
                // Tests ask again and again, and not from loopback.
                ("TALLYLIGHT_LIMITS_PUBLISHES_PER_MINUTE", "100000"),
                ("TALLYLIGHT_LIMITS_API_READS_PER_MINUTE", "100000"),
            ];
            let secret = data.path().join("data/pepper");
            let process = tokio::task::block_in_place(|| {
                if index == 0 {
                    let run =
                        |arguments: &[&str]| process::run(data.path(), arguments, &settings, "");
                    run(&["account", "create", "ada", "--admin"]);
                    run(&["channel", "create", "ada", "--owner", "ada"]);
                    key = run(&["stream-key", "new", "ada"]);
                    let scopes = "streams:write,channels:write,channels:read,recordings:read";
                    token = run(&["token", "create", "ada", "--scopes", scopes]);
                    fs::copy(&secret, pepper.path().join("pepper")).unwrap();
                } else {
                    fs::create_dir(data.path().join("data")).unwrap();
                    fs::copy(pepper.path().join("pepper"), &secret).unwrap();
                }
                host.start(data.path(), &settings)
            });
            servers.push(One {
                process: Some(process),
                host,
                base: url,
                rtmp,
                admin,
                _data: data,
            });
        }
        let fleet = Self {
            network,
            servers,
            key,
            token,
            clients: Driver::start("clients").unwrap(),
            sent: Sent::default(),
            redis,
        };
        until("servers to see Redis", || async {
            for server in 0..count {
                if fleet.metric(server, "tallylight_bus_up").await != 1.0 {
                    return false;
                }
            }
            true
        })
        .await;
        fleet
    }

    pub(crate) fn base(&self, server: usize) -> &str {
        &self.servers[server].base
    }

    pub(crate) fn kill(&mut self, server: usize) {
        self.servers[server].process.take().unwrap().kill();
    }

    pub(crate) fn terminate(&mut self, server: usize) {
        self.servers[server].process.take().unwrap().terminate();
    }

    /// What that server says by some way goes no further, and nothing comes.
    pub(crate) fn cut(&self, server: usize, way: Way) {
        self.servers[server].host.cut(way);
    }

    pub(crate) fn mend(&self, server: usize, way: Way) {
        self.servers[server].host.mend(way);
    }

    pub(crate) fn host(&self, server: usize) -> &Host {
        &self.servers[server].host
    }

    /// By RTMP, with sound.
    pub(crate) fn publish(&self, server: usize) -> Publishing {
        self.publish_by(server, Command::new("ffmpeg"))
    }

    /// The same, from where that server is.
    pub(crate) fn publish_beside(&self, server: usize) -> Publishing {
        let process = self.servers[server].process.as_ref().unwrap();
        let namespace = format!("--net=/proc/{}/ns/net", process.id());
        let mut command = Command::new("nsenter");
        command.args([&namespace, "ffmpeg"]);
        self.publish_by(server, command)
    }

    fn publish_by(&self, server: usize, mut command: Command) -> Publishing {
        command.args(["-v", "error", "-nostdin", "-re"]);
        command.args(["-f", "lavfi", "-i", "testsrc2=s=320x180:r=30"]);
        command.args(["-f", "lavfi", "-i", "sine=f=440:r=44100"]);
        command.args(["-c:v", "libx264", "-preset", "ultrafast"]);
        command.args(["-tune", "zerolatency", "-pix_fmt", "yuv420p"]);
        command.args(["-g", "30", "-b:v", "300k", "-c:a", "aac", "-ac", "1"]);
        let (to, key) = (&self.servers[server].rtmp, &self.key);
        command.args(["-f", "flv", &format!("rtmp://{to}/live/{key}")]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.kill_on_drop(true);
        Publishing(tokio::spawn(async move {
            loop {
                let _ = command.status().await;
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        }))
    }

    /// By WHIP; gives the status. Who is let in goes at once.
    pub(crate) async fn try_to_publish(&self, server: usize) -> u16 {
        let spec: PublisherSpec = single(60);
        let prepared = spec.prepare(&Sent::default()).unwrap();
        let url = format!("{}/whip", self.base(server));
        let asked = reqwest::Client::new().post(url).bearer_auth(&self.key);
        let asked = asked.header("content-type", "application/sdp");
        let answer = asked.body(prepared.sdp.clone()).send().await.unwrap();
        answer.status().as_u16()
    }

    pub(crate) async fn watch(&self, server: usize) -> Viewer {
        let endpoint = Endpoint::new(&format!("{}/whep/ada", self.base(server)), None).unwrap();
        let spec = ViewerSpec::default();
        let watching =
            loadtest::watch(&self.clients, &endpoint, &spec, Protocol::Udp, &self.sent).await;
        Viewer(watching.unwrap())
    }

    pub(crate) async fn bytes(&self, server: usize, path: &str) -> Option<Vec<u8>> {
        let answer = reqwest::get(format!("{}{path}", self.base(server))).await;
        let answer = answer.ok()?.error_for_status().ok()?;
        Some(answer.bytes().await.ok()?.to_vec())
    }

    async fn text(&self, server: usize, path: &str) -> Option<String> {
        String::from_utf8(self.bytes(server, path).await?).ok()
    }

    /// Whether a stranger may watch there.
    pub(crate) async fn lets_in(&self, server: usize) -> bool {
        self.bytes(server, "/hls/ada/index.m3u8").await.is_some()
    }

    async fn channel(&self, server: usize) -> Value {
        let text = self.text(server, "/api/channels/ada").await;
        text.map_or(Value::Null, |text| serde_json::from_str(&text).unwrap())
    }

    pub(crate) async fn viewers(&self, server: usize) -> u64 {
        let channel = self.channel(server).await;
        channel["viewers"].as_u64().unwrap_or_default()
    }

    pub(crate) async fn stream(&self, server: usize) -> Value {
        self.channel(server).await["stream"]["id"].clone()
    }

    pub(crate) async fn state(&self, server: usize) -> Value {
        self.channel(server).await["state"].clone()
    }

    pub(crate) async fn until_live(&self, servers: &[usize]) {
        self.until_state(servers, "live").await;
    }

    pub(crate) async fn until_state(&self, servers: &[usize], state: &str) {
        until(&format!("all to be {state}"), || async {
            for server in servers {
                if self.state(*server).await != state {
                    return false;
                }
            }
            true
        })
        .await;
    }

    /// Until that server has the publisher.
    pub(crate) async fn until_publishing(&self, server: usize) {
        until("the publisher to be there", || async {
            self.metric(server, "tallylight_sfu_publishers").await >= 1.0
                && self.state(server).await == "live"
        })
        .await;
    }

    pub(crate) async fn playlist_uri(&self, server: usize) -> String {
        let uri = std::sync::Mutex::new(String::new());
        until("a multivariant playlist", || async {
            let Some(text) = self.text(server, "/hls/ada/index.m3u8").await else {
                return false;
            };
            let first = text.lines().find(|line| !line.starts_with('#'));
            uri.lock().unwrap().clone_from(&first.unwrap().to_owned());
            first.unwrap().contains("/v0/")
        })
        .await;
        uri.into_inner().unwrap()
    }

    pub(crate) async fn playlist(&self, server: usize, uri: &str) -> Option<Playlist> {
        let text = self.text(server, &format!("/hls/ada/{uri}")).await?;
        Some(Playlist::checked(&text))
    }

    /// The playlist, once it has so many segments.
    pub(crate) async fn playlist_of(&self, server: usize, uri: &str, segments: usize) -> Playlist {
        until(&format!("{segments} segments"), || async {
            let playlist = self.playlist(server, uri).await;
            playlist.is_some_and(|playlist| playlist.segments.len() >= segments)
        })
        .await;
        self.playlist(server, uri).await.unwrap()
    }

    pub(crate) async fn metric(&self, server: usize, name: &str) -> f64 {
        let url = format!("http://{}/metrics", self.servers[server].admin);
        let Ok(answer) = reqwest::get(url).await else {
            return -1.0;
        };
        let text = answer.text().await.unwrap_or_default();
        let line = text.lines().find(|line| {
            let rest = line.strip_prefix(name);
            rest.is_some_and(|rest| rest.starts_with([' ', '{']))
        });
        let value = line.and_then(|line| line.split_whitespace().last()?.parse().ok());
        value.unwrap_or(0.0)
    }

    /// What an event stream begins with.
    pub(crate) async fn first_event(&self, server: usize, path: &str) -> String {
        let mut answer = reqwest::get(format!("{}{path}", self.base(server)))
            .await
            .unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        let first = tokio::time::timeout(Duration::from_secs(10), answer.chunk()).await;
        let first = first.expect("it is told at once").unwrap().unwrap();
        String::from_utf8_lossy(&first).into_owned()
    }

    pub(crate) async fn delete(&self, server: usize, path: &str) -> u16 {
        let url = format!("{}{path}", self.base(server));
        let answer = reqwest::Client::new().delete(url).send().await.unwrap();
        answer.status().as_u16()
    }

    pub(crate) async fn get_as_owner(&self, server: usize, path: &str) -> Value {
        let url = format!("{}{path}", self.base(server));
        let asked = reqwest::Client::new().get(url).bearer_auth(&self.token);
        asked.send().await.unwrap().json().await.unwrap()
    }

    pub(crate) async fn patch_as_owner(
        &self,
        server: usize,
        path: &str,
        body: Value,
    ) -> StatusCode {
        let url = format!("{}{path}", self.base(server));
        let asked = reqwest::Client::new().patch(url).bearer_auth(&self.token);
        asked.json(&body).send().await.unwrap().status()
    }

    pub(crate) async fn post_as_owner(&self, server: usize, path: &str, body: Value) -> StatusCode {
        let url = format!("{}{path}", self.base(server));
        let asked = reqwest::Client::new().post(url).bearer_auth(&self.token);
        asked.json(&body).send().await.unwrap().status()
    }
}

impl Viewer {
    pub(crate) async fn report(&self) -> ViewerReport {
        self.0.report().await.unwrap()
    }

    /// Until so many frames more came whole.
    pub(crate) async fn sees_more(&self, frames: u64, what: &str) {
        let before = self.report().await.whole_frames;
        until(what, || async {
            self.report().await.whole_frames >= before + frames
        })
        .await;
    }

    /// The path of its session.
    pub(crate) fn session_path(&self) -> String {
        let url = reqwest::Url::parse(self.0.session.url()).unwrap();
        url.path().to_owned()
    }
}
