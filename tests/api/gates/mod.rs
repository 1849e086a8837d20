//! Who gets what through which gate, by every way of watching. Here media is real: a peer publishes, and the
//! media-worker makes parts of it.

mod changes;
mod mid_stream;
mod passes;
mod servers;
mod stage;

use serde_json::{Value, json};
use stage::Stage;
use tokio_tungstenite::tungstenite::Error;

use crate::support::{Anonymous, Answer, Talker, view_offer};

const TABLE: &str = include_str!("table.txt");
const SDP: [(&str, &str); 1] = [("content-type", "application/sdp")];

/// Where the media of what is on air lies, without a pass: somebody found out the address.
struct Addresses {
    playlist: String,
    segment: String,
    part: String,
    init: String,
}

impl Addresses {
    async fn of(stage: &Stage) -> Self {
        let ada = &stage.till.ada;
        let playlist = media_playlist(ada).await;
        let folder = playlist.strip_suffix("index.m3u8").unwrap().to_owned();
        let wait = "a whole segment";
        let text = stage.till.server.wait_for(wait, || async {
            let text = ada.get(&playlist).await.text;
            segment_of(&text).is_some().then_some(text)
        });
        let text = text.await;
        let uri = |tag: &str| {
            let line = text.lines().rfind(|line| line.starts_with(tag)).unwrap();
            let uri = line.split("URI=\"").nth(1).unwrap();
            format!("{folder}{}", uri.split('"').next().unwrap())
        };
        Self {
            segment: format!("{folder}{}", segment_of(&text).unwrap()),
            part: uri("#EXT-X-PART:"),
            init: uri("#EXT-X-MAP:"),
            playlist,
        }
    }
}

/// The newest whole segment of a playlist.
fn segment_of(playlist: &str) -> Option<&str> {
    playlist
        .lines()
        .rfind(|line| !line.starts_with('#') && line.ends_with(".m4s"))
}

/// Path of the first media playlist that somebody's multivariant playlist names.
async fn media_playlist(who: &Anonymous) -> String {
    let multivariant = who.get("/hls/ada/index.m3u8").await;
    assert_eq!(multivariant.status, 200, "{multivariant:?}");
    let first = multivariant
        .text
        .lines()
        .find(|line| !line.starts_with('#'));
    format!("/hls/ada/{}", first.unwrap())
}

/// `yes`, or the code of the refusal.
fn outcome(answer: &Answer) -> String {
    match answer.status.as_u16() {
        200..=206 => "yes".to_owned(),
        403 => answer.code(),
        other => format!("{other}"),
    }
}

async fn view(who: &Anonymous) -> Answer {
    who.send_body("POST", "/whep/ada", &SDP, view_offer()).await
}

async fn watch(who: &Anonymous) -> String {
    let viewed = view(who).await;
    if viewed.status == 201 {
        who.delete(viewed.header("location")).await;
    }
    outcome(&viewed)
}

async fn chat(who: &Anonymous) -> String {
    let origin = who.origin.clone().unwrap();
    let mut headers = vec![("origin", origin.as_str())];
    headers.extend(who.cookie().map(|cookie| ("cookie", cookie)));
    match Talker::open(&who.base, "ada", &headers).await {
        Ok(_) => "yes".to_owned(),
        Err(Error::Http(refused)) => {
            let body = refused.body().clone().unwrap_or_default();
            let problem: Value = serde_json::from_slice(&body).unwrap_or_default();
            problem["code"].as_str().unwrap_or_default().to_owned()
        }
        Err(other) => panic!("{other}"),
    }
}

/// What somebody gets by each way.
async fn ways(stage: &Stage, known: &Addresses, who: &Anonymous) -> Vec<(&'static str, String)> {
    let vod = |name: &str| format!("/vod/{}/{name}", stage.recording);
    let mut all = vec![
        ("WHEP", watch(who).await),
        ("chat", chat(who).await),
        (
            "pass",
            outcome(&who.post(&stage.stream_path("/pass"), json!({})).await),
        ),
        (
            "pass of the recording",
            outcome(&who.post(&stage.recording_path("/pass"), json!({})).await),
        ),
    ];
    for (way, path) in [
        ("multivariant playlist", "/hls/ada/index.m3u8".to_owned()),
        ("playlist", known.playlist.clone()),
        ("segment", known.segment.clone()),
        ("part", known.part.clone()),
        ("initialisation", known.init.clone()),
        ("thumbnail", "/hls/ada/thumbnail.jpg".to_owned()),
        ("storyboard", "/hls/ada/storyboard.json".to_owned()),
        ("VOD", vod("index.m3u8")),
        ("playlist of VOD", vod("v0/index.m3u8")),
        ("segment of VOD", vod("v0/1.m4s")),
        ("thumbnail of VOD", vod("thumbnail.jpg")),
        ("replay of the chat", stage.stream_path("/chat")),
    ] {
        all.push((way, outcome(&who.get(&path).await)));
    }
    all
}

/// What is denied to one must not be given to another by a cache.
async fn check_caching(known: &Addresses, who: &Anonymous, is_gated: bool) {
    for path in ["/hls/ada/index.m3u8", &known.playlist, &known.segment] {
        let answer = who.get(path).await;
        let caching = answer.header("cache-control");
        assert_eq!(
            caching == "private, no-store",
            is_gated,
            "{path}: {caching}"
        );
    }
}

#[tokio::test]
async fn every_gate_holds_by_every_way_for_everybody() {
    let stage = Stage::set().await;
    let known = Addresses::of(&stage).await;
    let people = stage.people().await;
    for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
        let (gate, cells) = line.split_once('|').unwrap();
        let (who, tier) = match gate.trim().split_once(' ') {
            Some((who, tier)) => (who, json!(tier.parse::<u8>().unwrap())),
            None => (gate.trim(), Value::Null),
        };
        let mut edit = json!({ "who": who });
        match who {
            "members" => edit["tier"] = tier,
            "password" => edit["password"] = json!("open sesame"),
            _ => {}
        }
        stage.gate(&json!({ "gate": edit })).await;
        check_caching(&known, &stage.till.ada, who != "everyone").await;
        for ((name, person), expected) in people.iter().zip(cells.split_whitespace()) {
            for (way, found) in ways(&stage, &known, person).await {
                assert_eq!(found, expected, "{gate} before {name}, by {way}");
            }
            // The file for editing is for who makes it, whatever the gate.
            let mp4 = person.get(&stage.recording_path("/mp4")).await;
            let makes_it = ["creator", "admin"].contains(name);
            let is_theirs = ![401, 403].contains(&mp4.status.as_u16());
            assert_eq!(makes_it, is_theirs, "{gate} before {name}, by MP4");
        }
    }
}
