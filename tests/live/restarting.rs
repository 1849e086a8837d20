//! The program, stopped or killed and started again while somebody publishes and somebody plays
//! (RELIABILITY P5, P7): the same stream, the same address, one recording.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tallylight::clock::Clock;
use tokio::task::JoinHandle;

use crate::checker::Playlist;
use crate::process::{self, Process};
use crate::recording::{assert_decodes, probe};
use crate::support::until;

/// Where a server is, before and after.
struct Site {
    data: tempfile::TempDir,
    http: String,
    rtmp: String,
    key: String,
    token: String,
}

impl Site {
    fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        let run = |arguments: &[&str]| process::run(data.path(), arguments, &[], "");
        run(&["account", "create", "ada", "--admin"]);
        run(&["channel", "create", "ada", "--owner", "ada"]);
        let key = run(&["stream-key", "new", "ada"]);
        let token = run(&[
            "token",
            "create",
            "ada",
            "--scopes",
            "streams:write,channels:write",
        ]);
        let [http, rtmp] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let address = |held: &TcpListener| held.local_addr().unwrap().to_string();
        Self {
            http: address(&http),
            rtmp: address(&rtmp),
            data,
            key,
            token,
        }
    }

    fn start(&self) -> Process {
        let settings = [
            ("TALLYLIGHT_HTTP", self.http.as_str()),
            ("TALLYLIGHT_RTMP_LISTEN", self.rtmp.as_str()),
        ];
        Process::start(self.data.path(), &settings)
    }

    async fn get(&self, path: &str) -> Option<String> {
        let response = reqwest::get(format!("http://{}{path}", self.http))
            .await
            .ok()?;
        response.error_for_status().ok()?.text().await.ok()
    }

    async fn items(&self, path: &str) -> Vec<Value> {
        let text = self.get(path).await.unwrap();
        let all: Value = serde_json::from_str(&text).unwrap();
        all["items"].as_array().unwrap().clone()
    }

    async fn end(&self) {
        let url = format!("http://{}/api/channels/ada/end", self.http);
        let asked = reqwest::Client::new().post(url).bearer_auth(&self.token);
        let answer = asked.send().await.unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
    }

    async fn do_not_record(&self) {
        let url = format!("http://{}/api/channels/ada", self.http);
        let wish = serde_json::json!({ "record": false });
        let asked = reqwest::Client::new().patch(url).bearer_auth(&self.token);
        let answer = asked.json(&wish).send().await.unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
    }

    async fn state(&self) -> Value {
        let text = self.get("/api/channels/ada").await.unwrap();
        let channel: Value = serde_json::from_str(&text).unwrap();
        channel["state"].clone()
    }

    async fn playlist(&self, uri: &str) -> Option<Playlist> {
        let text = self.get(&format!("/hls/ada/{uri}")).await?;
        Some(Playlist::checked(&text))
    }

    /// Of each segment that is listed, whether it is served.
    async fn assert_served(&self, uri: &str, playlist: &Playlist) {
        for segment in &playlist.segments {
            let path = format!("/hls/ada/{}", uri.replace("index.m3u8", &segment.uri));
            assert_eq!(self.get(&path).await.is_none(), segment.gap, "{path}");
        }
    }

    /// An encoder that comes back whenever it is cut off.
    fn publish(&self) -> Publishing {
        let url = format!("rtmp://{}/live/{}", self.rtmp, self.key);
        Publishing(tokio::spawn(async move {
            loop {
                let mut command = tokio::process::Command::new("ffmpeg");
                command.args(["-v", "error", "-nostdin", "-re"]);
                command.args(["-f", "lavfi", "-i", "testsrc2=s=320x180:r=30"]);
                command.args(["-f", "lavfi", "-i", "sine=f=440:r=44100"]);
                command.args([
                    "-c:v",
                    "libx264",
                    "-preset",
                    "ultrafast",
                    "-tune",
                    "zerolatency",
                ]);
                command.args(["-pix_fmt", "yuv420p", "-g", "30", "-b:v", "300k"]);
                command.args(["-c:a", "aac", "-b:a", "96k", "-ac", "1", "-f", "flv", &url]);
                command.stdout(Stdio::null()).stderr(Stdio::null());
                let _ = command.kill_on_drop(true).status().await;
                tokio::time::sleep(RETRY).await;
            }
        }))
    }
}

/// An encoder asks again so soon.
const RETRY: Duration = Duration::from_millis(500);
/// And a player: several times as often as they do.
const RELOAD: Duration = Duration::from_millis(200);

struct Publishing(JoinHandle<()>);

impl Drop for Publishing {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What a player saw, who reloads one playlist over and over.
#[derive(Debug, Default)]
struct Seen {
    newest: Playlist,
    /// From the last answer before the server was away to the first after it.
    away: Duration,
    /// The same of what is new in them.
    stood: Duration,
    wrong: Option<String>,
}

struct Player(JoinHandle<()>, Arc<Mutex<Seen>>);

impl Player {
    fn start(url: String) -> Self {
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

    async fn until(&self, what: &str, is_so: impl Fn(&Playlist) -> bool) {
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
fn there(playlist: &Playlist) -> usize {
    playlist.segments.iter().filter(|one| !one.gap).count()
}

fn seams(playlist: &Playlist) -> Vec<u64> {
    let segments = playlist.segments.iter();
    let seams = segments.filter(|segment| segment.discontinuity);
    seams.map(|segment| segment.msn).collect()
}

async fn playlist_uri(site: &Site) -> String {
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

fn mp4(data: &Path) -> Option<PathBuf> {
    let streams = std::fs::read_dir(data.join("data/media"))
        .unwrap()
        .flatten();
    let mut paths = streams.map(|entry| entry.path().join("recording.mp4"));
    paths.find(|path| path.exists())
}

async fn goes_on_after(how: &str, stop: impl Fn(&mut Process)) {
    let site = Site::new();
    let mut server = site.start();
    let publishing = site.publish();
    let uri = playlist_uri(&site).await;
    let player = Player::start(format!("http://{}/hls/ada/{uri}", site.http));
    player
        .until("three segments", |seen| seen.segments.len() >= 3)
        .await;
    let before = site.items("/api/streams?channel=ada").await;

    let began = Clock::system().instant();
    tokio::task::block_in_place(|| stop(&mut server));
    let stopped = began.elapsed();
    let mut server = site.start();
    let started = began.elapsed();
    assert_eq!(playlist_uri(&site).await, uri, "the address stays");
    player
        .until("two segments more", |seen| {
            let seam = seams(seen).first().copied();
            seam.is_some_and(|seam| seen.end() >= seam + 2)
        })
        .await;
    let seen = player.1.lock().unwrap().newest.clone();
    assert_eq!(seams(&seen).len(), 1, "{seen:?}");
    assert!(
        seen.segments.iter().any(|segment| segment.msn == 0),
        "the window of before"
    );
    report(how, stopped, started, &player);
    let after = site.items("/api/streams?channel=ada").await;
    assert_eq!((after.len(), &after[0]["id"]), (1, &before[0]["id"]));
    assert_eq!(after[0]["state"], "live");

    // What is listed is served.
    site.assert_served(&uri, &seen).await;
    drop((player, publishing));
    site.end().await;
    assert_recorded(&site).await;
    server.terminate();
}

/// One recording, of all of it.
async fn assert_recorded(site: &Site) {
    until("the recording", || async {
        let all = site.items("/api/channels/ada/recordings").await;
        all.len() == 1 && all[0]["state"] == "ready"
    })
    .await;
    let recording = site.items("/api/channels/ada/recordings").await.remove(0);
    let vod = recording["playlist_url"].as_str().unwrap();
    let multivariant = site.get(vod).await.unwrap();
    for uri in multivariant.lines().filter(|line| !line.starts_with('#')) {
        let playlist = site.get(&vod.replace("index.m3u8", uri)).await.unwrap();
        let playlist = Playlist::checked(&playlist);
        assert!(playlist.vod && playlist.ended);
        assert_eq!(seams(&playlist).len(), 1, "{uri}: {playlist:?}");
    }
    let seconds =
        f64::from(u32::try_from(recording["duration_ms"].as_u64().unwrap()).unwrap()) / 1e3;
    until("the MP4", || async { mp4(site.data.path()).is_some() }).await;
    let mp4 = mp4(site.data.path()).unwrap();
    let url = format!("http://{}{vod}", site.http);
    let length = tokio::task::spawn_blocking(move || {
        assert_decodes(&url);
        let path = mp4.to_str().unwrap();
        assert_decodes(path);
        probe(&["-show_entries", "format=duration"], path)
    });
    let length: f64 = length.await.unwrap().trim().parse().unwrap();
    assert!((length - seconds).abs() < 1.0, "{length} of {seconds}");
    assert!(length > 8.0, "what was before and after: {length}");
}

#[expect(clippy::print_stderr, reason = "what it measures")]
fn report(how: &str, stopped: Duration, started: Duration, player: &Player) {
    let seen = player.1.lock().unwrap();
    eprintln!(
        "{how}: ended after {stopped:?}, ports open again after {started:?}, playlists away {:?}, \
         nothing new in them for {:?}",
        seen.away, seen.stood
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_on_air_when_the_server_is_stopped_goes_on() {
    goes_on_after("SIGTERM", Process::terminate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_on_air_when_the_server_is_killed_goes_on() {
    goes_on_after("SIGKILL", Process::kill).await;
}

#[tokio::test]
async fn while_the_publisher_is_away_what_was_before_is_played() {
    let site = Site::new();
    let mut server = site.start();
    let publishing = site.publish();
    let uri = playlist_uri(&site).await;
    let enough = |seen: Option<Playlist>| seen.is_some_and(|seen| seen.segments.len() >= 2);
    until("two segments", || async {
        enough(site.playlist(&uri).await)
    })
    .await;
    drop(publishing);
    server.terminate();
    let mut server = site.start();
    assert_eq!(site.state().await, "reconnecting");
    let before = site.playlist(&uri).await.unwrap();
    assert!(!before.ended && before.segments.len() >= 2, "{before:?}");
    site.assert_served(&uri, &before).await;
    // Stopped once more meanwhile.
    server.terminate();
    let mut server = site.start();
    let again = site.playlist(&uri).await.unwrap();
    again.check_follows(&before);
    assert_eq!(again.segments, before.segments);
    let _publishing = site.publish();
    until("the next segment", || async {
        let now = site.playlist(&uri).await.unwrap();
        now.check_follows(&again);
        now.end() > again.end()
    })
    .await;
    assert_eq!(seams(&site.playlist(&uri).await.unwrap()), [again.end()]);
    assert_eq!(site.state().await, "live");
    server.terminate();
}

#[tokio::test]
async fn the_numbers_of_what_is_not_recorded_go_on() {
    let site = Site::new();
    let mut server = site.start();
    site.do_not_record().await;
    let publishing = site.publish();
    let uri = playlist_uri(&site).await;
    let enough = |seen: Option<Playlist>| seen.is_some_and(|seen| seen.segments.len() >= 2);
    until("two segments", || async {
        enough(site.playlist(&uri).await)
    })
    .await;
    let before = site.playlist(&uri).await.unwrap();
    server.terminate();
    let mut server = site.start();
    let after = Mutex::new(Playlist::default());
    until("what comes after", || async {
        let found = site.playlist(&uri).await;
        let is_there = found.as_ref().is_some_and(|now| !now.segments.is_empty());
        *after.lock().unwrap() = found.unwrap_or_default();
        is_there
    })
    .await;
    let after = after.into_inner().unwrap();
    assert!(
        after.media_sequence > before.end(),
        "{after:?} behind {before:?}"
    );
    assert!(after.discontinuity_sequence > before.discontinuity_sequence);
    assert_ne!(after.segments[0].map, before.segments[0].map);
    site.assert_served(&uri, &after).await;
    drop(publishing);
    site.end().await;
    assert!(site.items("/api/channels/ada/recordings").await.is_empty());
    server.terminate();
}
