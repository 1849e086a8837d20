//! [`Site`]: where the program is run, ended and run again on the same ports, with the channel `@ada`; and who publishes and plays
//! there all the while.

#![allow(dead_code, reason = "each test program uses a part")]

use std::net::TcpListener;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use loadtest::signalling::Endpoint;
use serde_json::Value;
use tallylight::clock::Clock;
use tokio::process::Command;
use tokio::task::JoinHandle;

use crate::checker::Playlist;
use crate::process::{self, Process};
use crate::support::until;

/// Where a server is, before and after.
pub(crate) struct Site {
    pub(crate) data: tempfile::TempDir,
    /// `host:port`, as the next two.
    pub(crate) http: String,
    pub(crate) rtmp: String,
    pub(crate) admin: String,
    pub(crate) key: String,
    /// A personal token of ada's.
    pub(crate) token: String,
    settings: Vec<(String, String)>,
}

/// Ada's.
pub(crate) const PASSWORD: &str = "correct horse";
const SCOPES: &str = "streams:write,channels:write,chat:read,chat:write";

impl Site {
    pub(crate) fn new() -> Self {
        Self::with(&[])
    }

    /// One whose program has those variables, beside the ports.
    pub(crate) fn with(settings: &[(&str, &str)]) -> Self {
        let data = tempfile::tempdir().unwrap();
        let run = |arguments: &[&str]| process::run(data.path(), arguments, settings, PASSWORD);
        run(&["account", "create", "ada", "--admin", "--password-stdin"]);
        run(&["channel", "create", "ada", "--owner", "ada"]);
        let key = run(&["stream-key", "new", "ada"]);
        let token = run(&["token", "create", "ada", "--scopes", SCOPES]);
        let held = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let [http, rtmp, admin] = held.each_ref().map(|held| held.local_addr().unwrap());
        Self {
            http: http.to_string(),
            rtmp: rtmp.to_string(),
            admin: admin.to_string(),
            data,
            key,
            token,
            settings: owned(settings),
        }
    }

    pub(crate) fn start(&self) -> Process {
        self.start_with(&[])
    }

    /// With more variables, this time.
    pub(crate) fn start_with(&self, more: &[(&str, &str)]) -> Process {
        let own = [
            ("TALLYLIGHT_HTTP", self.http.as_str()),
            ("TALLYLIGHT_RTMP_LISTEN", self.rtmp.as_str()),
            ("TALLYLIGHT_ADMIN_LISTEN", self.admin.as_str()),
        ];
        let settings = self.settings.iter();
        let settings = settings.map(|(name, value)| (name.as_str(), value.as_str()));
        let all: Vec<_> = own
            .into_iter()
            .chain(settings)
            .chain(more.iter().copied())
            .collect();
        Process::start(self.data.path(), &all)
    }

    /// Another channel of ada's; gives a stream key of it.
    pub(crate) fn channel(&self, handle: &str) -> String {
        let settings = self.settings.iter();
        let settings: Vec<_> = settings
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let run = |arguments: &[&str]| process::run(self.data.path(), arguments, &settings, "");
        run(&["channel", "create", handle, "--owner", "ada"]);
        run(&["stream-key", "new", handle])
    }

    pub(crate) fn base(&self) -> String {
        format!("http://{}", self.http)
    }

    pub(crate) fn metrics(&self) -> String {
        format!("http://{}/metrics", self.admin)
    }

    /// What the server's metrics say of a name without labels; 0 for what never happened.
    pub(crate) async fn metric(&self, name: &str) -> u64 {
        self.counted(&format!("{name} ")).await
    }

    /// The same of one with a label.
    pub(crate) async fn metric_of(&self, name: &str, label: &str) -> u64 {
        self.counted(&format!("{name}{{{label}}} ")).await
    }

    async fn counted(&self, beginning: &str) -> u64 {
        let page = loadtest::signalling::get(&self.metrics()).await.unwrap();
        loadtest::report::counter(&page, beginning).unwrap_or(0)
    }

    pub(crate) fn whip(&self) -> Endpoint {
        Endpoint::new(&format!("{}/whip", self.base()), Some(&self.key)).unwrap()
    }

    pub(crate) fn whep(&self) -> Endpoint {
        Endpoint::new(&format!("{}/whep/ada", self.base()), None).unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Option<String> {
        let response = reqwest::get(format!("{}{path}", self.base())).await.ok()?;
        response.error_for_status().ok()?.text().await.ok()
    }

    pub(crate) async fn items(&self, path: &str) -> Vec<Value> {
        let text = self.get(path).await.unwrap();
        let all: Value = serde_json::from_str(&text).unwrap();
        all["items"].as_array().unwrap().clone()
    }

    pub(crate) async fn end(&self) {
        let url = format!("{}/api/channels/ada/end", self.base());
        let asked = reqwest::Client::new().post(url).bearer_auth(&self.token);
        let answer = asked.send().await.unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
    }

    pub(crate) async fn do_not_record(&self) {
        let url = format!("{}/api/channels/ada", self.base());
        let wish = serde_json::json!({ "record": false });
        let asked = reqwest::Client::new().patch(url).bearer_auth(&self.token);
        let answer = asked.json(&wish).send().await.unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
    }

    pub(crate) async fn state(&self) -> Value {
        let text = self.get("/api/channels/ada").await.unwrap();
        let channel: Value = serde_json::from_str(&text).unwrap();
        channel["state"].clone()
    }

    pub(crate) async fn playlist(&self, uri: &str) -> Option<Playlist> {
        let text = self.get(&format!("/hls/ada/{uri}")).await?;
        Some(Playlist::checked(&text))
    }

    /// Of each segment that is listed, whether it is served.
    pub(crate) async fn assert_served(&self, uri: &str, playlist: &Playlist) {
        for segment in &playlist.segments {
            let path = format!("/hls/ada/{}", uri.replace("index.m3u8", &segment.uri));
            assert_eq!(self.get(&path).await.is_none(), segment.gap, "{path}");
        }
    }

    /// An encoder by RTMP, which runs until it is cut off or dropped.
    pub(crate) fn encoder(&self) -> Command {
        let url = format!("rtmp://{}/live/{}", self.rtmp, self.key);
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-nostdin", "-re"]);
        command.args(["-f", "lavfi", "-i", "testsrc2=s=320x180:r=30"]);
        command.args(["-f", "lavfi", "-i", "sine=f=440:r=44100"]);
        command.args(["-c:v", "libx264", "-preset", "ultrafast", "-tune"]);
        command.args(["zerolatency", "-pix_fmt", "yuv420p", "-g", "30"]);
        command.args(["-b:v", "300k", "-c:a", "aac", "-b:a", "96k", "-ac", "1"]);
        command.args(["-f", "flv", &url]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.kill_on_drop(true);
        command
    }

    /// An encoder that comes back whenever it is cut off.
    pub(crate) fn publish(&self) -> Publishing {
        let mut command = self.encoder();
        Publishing(tokio::spawn(async move {
            loop {
                let _ = command.status().await;
                tokio::time::sleep(RETRY).await;
            }
        }))
    }
}

fn owned(settings: &[(&str, &str)]) -> Vec<(String, String)> {
    let settings = settings.iter();
    settings
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// An encoder asks again so soon.
const RETRY: Duration = Duration::from_millis(500);
/// And a player: several times as often as they do.
const RELOAD: Duration = Duration::from_millis(200);

/// It ends when it is dropped.
pub(crate) struct Publishing(JoinHandle<()>);

impl Drop for Publishing {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What a player saw, who reloads one playlist over and over.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) newest: Playlist,
    /// From the last answer before the server was away to the first after it.
    pub(crate) away: Duration,
    /// The same of what is new in them.
    pub(crate) stood: Duration,
    pub(crate) wrong: Option<String>,
}

pub(crate) struct Player(JoinHandle<()>, pub(crate) Arc<Mutex<Seen>>);

impl Player {
    pub(crate) fn start(url: String) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let sees = Arc::clone(&seen);
        let playing = tokio::spawn(async move {
            let (mut answered, mut new) = (Clock::system().instant(), Clock::system().instant());
            loop {
                match reload(&url).await {
                    Ok(Some(text)) => {
                        let playlist = Playlist::checked(&text);
                        let mut seen = sees.lock().unwrap();
                        if seen.newest.target_duration > 0.0 {
                            playlist.check_follows(&seen.newest);
                        }
                        seen.away = seen.away.max(answered.elapsed());
                        answered = Clock::system().instant();
                        let told = |one: &Playlist| (there(one), one.trailing.parts.len());
                        if told(&playlist) != told(&seen.newest) {
                            seen.stood = seen.stood.max(new.elapsed());
                            new = Clock::system().instant();
                        }
                        seen.newest = playlist;
                    }
                    Ok(None) => {}
                    Err(wrong) => sees.lock().unwrap().wrong = Some(wrong),
                }
                tokio::time::sleep(RELOAD).await;
            }
        });
        Self(playing, seen)
    }

    pub(crate) async fn until(&self, what: &str, is_so: impl Fn(&Playlist) -> bool) {
        until(what, || async {
            assert!(
                !self.0.is_finished(),
                "a playlist does not follow the one before"
            );
            let seen = self.1.lock().unwrap();
            assert_eq!(seen.wrong, None);
            is_so(&seen.newest)
        })
        .await;
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// None: the server is away for a moment.
async fn reload(url: &str) -> Result<Option<String>, String> {
    let Ok(response) = reqwest::get(url).await else {
        return Ok(None);
    };
    match response.status().as_u16() {
        200 => Ok(response.text().await.ok()),
        503 => Ok(None),
        status => Err(format!("{status}: {:?}", response.text().await)),
    }
}

/// Segments that are there.
pub(crate) fn there(playlist: &Playlist) -> usize {
    playlist.segments.iter().filter(|one| !one.gap).count()
}

pub(crate) fn seams(playlist: &Playlist) -> Vec<u64> {
    let segments = playlist.segments.iter();
    let seams = segments.filter(|segment| segment.discontinuity);
    seams.map(|segment| segment.msn).collect()
}

pub(crate) async fn playlist_uri(site: &Site) -> String {
    let uri = Mutex::new(String::new());
    until("a multivariant playlist", || async {
        let Some(text) = site.get("/hls/ada/index.m3u8").await else {
            return false;
        };
        let first = text.lines().find(|line| !line.starts_with('#')).unwrap();
        first.clone_into(&mut uri.lock().unwrap());
        first.contains("/v0/")
    })
    .await;
    uri.into_inner().unwrap()
}
