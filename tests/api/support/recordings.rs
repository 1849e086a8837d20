//! Streams that leave media behind, as their packager would.

use std::sync::OnceLock;
use std::time::Duration;

use hls::{Config, Origin};
use serde_json::Value;
use sfu::StreamId;
use tallylight::streams::ChannelState;

use super::{Account, Server};
use crate::clip::{self, Clip};

/// Unix time of the first sample, in milliseconds.
pub(crate) const ZERO: i64 = 1_700_000_000_000;

/// What is kept of a stream.
pub(crate) struct Kept {
    pub(crate) stream: StreamId,
    pub(crate) id: String,
}

fn clips() -> &'static (Clip, Clip) {
    static CLIPS: OnceLock<(Clip, Clip)> = OnceLock::new();
    CLIPS.get_or_init(|| (Clip::video("320x180", "0"), Clip::sound()))
}

impl Server {
    /// Writes four seconds of picture and sound for a stream, and three pictures for its seek bar.
    /// Without `close` it is as if the process died.
    pub(crate) async fn package(&self, stream: StreamId, close: bool) {
        let folder = self.media(stream);
        let (pictures, tone) = tokio::task::spawn_blocking(clips).await.unwrap();
        let config = Config {
            folder: Some(folder.clone()),
            keep: true,
            ..Config::default()
        };
        let origin = Origin::new(config, "");
        let (mut video, mut audio) = (origin.writer("v0"), origin.writer("audio"));
        let media = clip::video(320, 180);
        clip::push(&mut video, pictures, media, Duration::ZERO, &[]);
        clip::push(&mut audio, tone, clip::audio(), Duration::ZERO, &[]);
        let thumbs = folder.join("thumbs");
        std::fs::create_dir_all(&thumbs).unwrap();
        for unix_ms in [ZERO, ZERO + 10_000, ZERO + 20_000] {
            std::fs::write(
                thumbs.join(format!("{unix_ms}.jpg")),
                format!("at {unix_ms}"),
            )
            .unwrap();
        }
        origin.close().await;
        if !close {
            // The last line of an index tells that it is whole.
            for rendition in ["v0", "audio"] {
                let index = folder.join(rendition).join("index.jsonl");
                let text = std::fs::read_to_string(&index).unwrap();
                let cut = text
                    .strip_suffix("\"closed\"\n")
                    .expect("it is the last line");
                std::fs::write(&index, cut).unwrap();
            }
        }
    }

    /// `@ada` goes on air, leaves media behind and ends.
    pub(crate) async fn record(&self, ada: &Account) -> Kept {
        let before = newest(ada).await["id"].clone();
        let encoder = self.encoder("ada").await;
        self.go_live(&encoder).await;
        let stream = self.stream_of("ada").await;
        self.package(stream, true).await;
        let ended = ada.post("/api/channels/ada/end", Value::Null).await;
        assert_eq!(ended.status, 204, "{ended:?}");
        let id = self.finished(ada, &before).await;
        Kept { stream, id }
    }

    /// Waits until the newest recording of `@ada` is another than before, and ready; gives its id.
    pub(crate) async fn finished(&self, ada: &Account, before: &Value) -> String {
        self.wait_for("the recording to be ready", || async {
            let newest = newest(ada).await;
            let is_ready = newest["state"] == "ready" && newest["id"] != *before;
            is_ready.then(|| newest["id"].as_str().unwrap().to_owned())
        })
        .await
    }

    /// `@ada` goes on air and leaves media behind; then her publisher is lost.
    pub(crate) async fn record_until_lost(&self) -> StreamId {
        let encoder = self.encoder("ada").await;
        let session = self.go_live(&encoder).await;
        let stream = self.stream_of("ada").await;
        self.package(stream, false).await;
        self.media_is_lost(session).await;
        self.wait_for_state("ada", ChannelState::Reconnecting).await
    }
}

/// The newest recording of `@ada`; null before there is one.
async fn newest(ada: &Account) -> Value {
    let all = ada.get("/api/channels/ada/recordings").await.json();
    all["items"][0].clone()
}
