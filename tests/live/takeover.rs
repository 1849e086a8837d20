//! Who watches by HLS while a stream goes from one server to another gets no error, at either.

use std::time::Duration;

use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::checker::Playlist;
use crate::cluster::fleet::Fleet;
use crate::support::until;

/// A player that is a few segments behind, of one rendition.
struct Reader {
    base: String,
    uri: String,
    /// How many segments it reads of each playlist, the newest.
    newest: usize,
    first_msn: u64,
    segments_of_other: usize,
    discontinuities: Vec<u64>,
}

impl Reader {
    /// Reads the playlist once, and both ends of what it lists.
    async fn read(&mut self) {
        let text = self.get(&self.uri).await;
        let playlist = Playlist::checked(&text);
        assert!(!playlist.ended, "{text}");
        let first = playlist.media_sequence;
        assert!(
            first >= self.first_msn,
            "{first} after {}: {text}",
            self.first_msn
        );
        self.first_msn = first;
        // Those that left the playlist, and those in it.
        let listed = text.matches("#EXT-X-DISCONTINUITY\n").count();
        self.discontinuities
            .push(playlist.discontinuity_sequence + u64::try_from(listed).unwrap());
        // Numbers that leap are those of the other.
        let of_other = playlist.segments.iter().filter(|one| one.msn > 100);
        self.segments_of_other = of_other.count();
        for segment in playlist.segments.iter().rev().take(self.newest) {
            let uri = self.uri.replace("index.m3u8", &segment.uri);
            self.get(&uri).await;
        }
    }

    async fn get(&self, uri: &str) -> String {
        let url = format!("{}/hls/ada/{uri}", self.base);
        let answer = reqwest::get(&url).await.unwrap();
        let status = answer.status();
        let bytes = answer.bytes().await.unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert_eq!(status, 200, "{url}: {text}");
        text
    }
}

/// A reader that reads until it is two segments into what the other server made.
fn read(fleet: &Fleet, server: usize, uri: &str, newest: usize) -> JoinHandle<Reader> {
    let mut reader = Reader {
        base: fleet.base(server).to_owned(),
        uri: uri.to_owned(),
        newest,
        first_msn: 0,
        segments_of_other: 0,
        discontinuities: Vec::new(),
    };
    tokio::spawn(async move {
        while reader.segments_of_other < 2 {
            reader.read().await;
        }
        reader
    })
}

#[test]
fn hls_goes_on_without_an_error_while_another_server_takes_over() {
    Fleet::run(2, async |fleet| {
        let [a, b] = [0, 1];
        let publishing = fleet.publish(a);
        fleet.until_live(&[a, b]).await;
        let uri = fleet.playlist_uri(a).await;
        fleet.playlist_of(a, &uri, 3).await;
        let sound = uri.replace("/v0/", "/audio/");
        let mut reading = vec![read(&fleet, a, &uri, 3), read(&fleet, a, &sound, 3)];
        drop(publishing);
        let _publishing = fleet.publish(b);
        fleet.until_publishing(b).await;
        // Nobody has read there before, as when a balancer sends somebody there now.
        reading.push(read(&fleet, b, &uri, 3));
        for reader in reading {
            let reader = timeout(PATIENCE, reader).await.expect("it goes on");
            let reader = reader.unwrap();
            let told = &reader.discontinuities;
            // Whoever came late may have seen nothing of before.
            let is_late = reader.base == fleet.base(b);
            assert!(
                told.is_sorted() && (is_late || told.first() < told.last()),
                "{told:?}"
            );
        }
        // Each server has recorded a part of the one stream, in whose time its chat is told.
        let recordings = fleet.get_as_owner(a, "/api/channels/ada/recordings").await;
        let [second, first] = &recordings["items"].as_array().unwrap()[..] else {
            panic!("{recordings}");
        };
        assert_eq!(first["stream"], fleet.stream(a).await, "{recordings}");
        assert_eq!(second["stream"], first["stream"], "{recordings}");
        assert_eq!(second["stream_started_at"], first["started_at"]);
        assert_ne!(second["started_at"], first["started_at"]);
    });
}

/// There each request is passed on, to the one server or the other.
#[test]
fn behind_a_gate_hls_goes_on_at_a_third_server() {
    Fleet::run(3, async |fleet| {
        let [a, b, c] = [0, 1, 2];
        let publishing = fleet.publish(a);
        fleet.until_live(&[a, b, c]).await;
        let open = fleet.playlist_uri(a).await;
        fleet.playlist_of(a, &open, 3).await;
        let stream = fleet.stream(c).await;
        let path = format!("/api/streams/{}", stream.as_str().unwrap());
        let gate = json!({ "gate": { "who": "followers" }, "preview_seconds": 600 });
        assert_eq!(fleet.patch_as_owner(a, &path, gate).await, 200);
        // Files are named by a pass then, which players need nothing beside.
        let uri = std::sync::Mutex::new(open.clone());
        until("files to be named by a pass", || async {
            let now = fleet.playlist_uri(c).await;
            let is_other = now != open;
            *uri.lock().unwrap() = now;
            is_other
        })
        .await;
        let uri = uri.into_inner().unwrap();
        let sound = uri.replace("/v0/", "/audio/");
        // A free preview is of now.
        let reading = [read(&fleet, c, &uri, 1), read(&fleet, c, &sound, 1)];
        drop(publishing);
        let _publishing = fleet.publish(b);
        fleet.until_publishing(b).await;
        for reader in reading {
            let reader = timeout(PATIENCE, reader).await.expect("it goes on");
            let told = reader.unwrap().discontinuities;
            assert!(told.is_sorted() && told.first() < told.last(), "{told:?}");
        }
        let now = fleet.playlist_uri(c).await;
        assert_ne!(now, open, "the gate is there still");
    });
}

const PATIENCE: Duration = Duration::from_secs(60);
