//! Recordings on an S3-compatible store, and what happens when that fails.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::support::{Account, Answer, Backend, Fault, Kept, S3, Server};

async fn server(s3: &S3) -> Server {
    let address = s3.address;
    Server::start_with(Backend::Sqlite, |config| S3::configure(address, config)).await
}

/// Names and contents of the files below a folder.
pub(crate) fn files(folder: &Path) -> HashMap<String, Vec<u8>> {
    let mut found = HashMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap();
                found.insert(name.to_owned(), std::fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// What stays on this side.
fn is_small(name: &str) -> bool {
    name.ends_with("index.jsonl") || name.starts_with("thumbs/")
}

/// Waits until the recording's segments are in the store alone.
async fn stored(server: &Server, kept: &Kept) {
    let folder = server.media(kept.stream);
    let waiting = async {
        while !files(&folder).keys().all(|name| is_small(name)) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(60), waiting).await;
    waited.expect("the recording comes to the store in time");
}

async fn vod(server: &Server, kept: &Kept, name: &str) -> Answer {
    server
        .player()
        .http
        .get(&format!("/vod/{}/{name}", kept.id))
        .await
}

/// Plays all of it, and the MP4.
async fn assert_played(server: &Server, ada: &Account, kept: &Kept, s3: &S3) {
    for name in ["v0/1.m4s", "v0/2.m4s", "v0/init0.mp4", "audio/1.m4s"] {
        let played = vod(server, kept, name).await;
        assert_eq!(played.status, 200, "{name}");
        let object = std::fs::read(s3.object(kept.stream, name)).unwrap();
        assert!(played.bytes == object, "{name}");
    }
    let playlist = vod(server, kept, "v0/index.m3u8").await;
    assert!(playlist.text.contains("#EXT-X-ENDLIST"));
    assert_eq!(
        vod(server, kept, "thumbnail.jpg").await.text,
        "at 1700000010000"
    );
    let object = std::fs::read(s3.object(kept.stream, "recording.mp4")).unwrap();
    let url = format!("/api/recordings/{}/mp4", kept.id);
    let mp4 = ada.get(&url).await;
    assert_eq!(mp4.status, 200, "{}", mp4.text);
    assert!(mp4.bytes == object);
    let part = ada.send("GET", &url, &[("range", "bytes=100-1099")]).await;
    assert_eq!(part.status, 206);
    assert!(part.bytes == object[100..1_100]);
}

fn assert_put_once(s3: &S3) {
    let puts = s3.puts();
    assert!(puts.len() > 10, "{puts:?}");
    for (object, times) in puts {
        assert_eq!(times, 1, "{object}");
    }
}

#[tokio::test]
async fn recordings_go_to_the_store_and_are_played_from_there() {
    let s3 = S3::start().await;
    let server = server(&s3).await;
    let ada = server.creator().await;
    let kept = server.record(&ada).await;
    stored(&server, &kept).await;
    assert_put_once(&s3);
    assert_played(&server, &ada, &kept, &s3).await;

    // A machine without the data folder plays it, too.
    std::fs::remove_dir_all(server.media(kept.stream)).unwrap();
    let data = server.stop().await;
    let address = s3.address;
    let server = Server::start_on(data, Backend::Sqlite, |config| {
        S3::configure(address, config)
    });
    let server = server.await;
    let ada = Account::sign_in(&server, "ada", crate::support::PASSWORD).await;
    assert_played(&server, &ada, &kept, &s3).await;

    let path = format!("/api/recordings/{}", kept.id);
    assert_eq!(ada.delete(&path).await.status, 204);
    let folder = s3.object(kept.stream, "");
    server
        .wait_for("the objects to go", || async {
            files(&folder).is_empty().then_some(())
        })
        .await;
}

/// Name of a picture that [`record_with`] puts into a recording.
const PICTURE: &str = "thumbs/1700000030000.jpg";

/// Records a stream whose folder has these bytes as well.
async fn record_with(server: &Server, ada: &Account, picture: &[u8]) -> Kept {
    let encoder = server.encoder("ada").await;
    server.go_live(&encoder).await;
    let stream = server.stream_of("ada").await;
    server.package(stream, true).await;
    std::fs::write(server.media(stream).join(PICTURE), picture).unwrap();
    ada.post("/api/channels/ada/end", Value::Null).await;
    let id = server.finished(ada, &Value::Null).await;
    Kept { stream, id }
}

#[tokio::test]
async fn a_file_too_large_for_one_request_goes_up_in_parts() {
    let s3 = S3::start().await;
    let server = server(&s3).await;
    let ada = server.creator().await;
    let mut large = vec![b'x'; 24_000_000];
    large[11_000_000] = b'y';
    let kept = record_with(&server, &ada, &large).await;
    stored(&server, &kept).await;
    assert!(std::fs::read(s3.object(kept.stream, PICTURE)).unwrap() == large);
}

#[tokio::test]
async fn a_store_that_fails_holds_up_nothing_and_gets_all_of_it_later() {
    for fault in [Fault::Error, Fault::Half] {
        let s3 = S3::start().await;
        s3.fail(fault);
        let server = server(&s3).await;
        let ada = server.creator().await;
        let kept = server.record(&ada).await;
        // It is played from here meanwhile, and the next stream goes on air.
        assert_eq!(
            vod(&server, &kept, "v0/1.m4s").await.status,
            200,
            "{fault:?}"
        );
        let next = server.record(&ada).await;
        assert!(server.media(kept.stream).join("v0/1.m4s").exists());
        s3.fail(Fault::None);
        for kept in [&kept, &next] {
            stored(&server, kept).await;
            assert_played(&server, &ada, kept, &s3).await;
        }
        assert_put_once(&s3);
    }
}

#[tokio::test]
async fn a_slow_store_holds_up_nothing_and_gets_each_object_once() {
    let s3 = S3::start().await;
    s3.fail(Fault::Slow);
    let server = server(&s3).await;
    let ada = server.creator().await;
    // Three seconds' worth.
    let kept = record_with(&server, &ada, &[b'x'; 300_000]).await;
    assert!(
        !s3.object(kept.stream, PICTURE).exists(),
        "it is on its way"
    );
    // Meanwhile it is played from here, and another stream comes and goes.
    assert_eq!(vod(&server, &kept, "v0/1.m4s").await.status, 200);
    let next = server.record(&ada).await;
    for kept in [&kept, &next] {
        stored(&server, kept).await;
    }
    assert_put_once(&s3);
}

#[tokio::test]
async fn a_store_that_hangs_or_is_not_there_is_found_again_after_a_restart() {
    let s3 = S3::start().await;
    s3.fail(Fault::Hang);
    let hanging = server(&s3).await;
    let ada = hanging.creator().await;
    let kept = hanging.record(&ada).await;
    let data = hanging.stop().await;

    // Nobody listens there.
    let nowhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = nowhere.local_addr().unwrap();
    drop(nowhere);
    let refused = Server::start_on(data, Backend::Sqlite, |config| {
        S3::configure(address, config);
    });
    let refused = refused.await;
    assert_eq!(vod(&refused, &kept, "v0/1.m4s").await.status, 200);
    let data = refused.stop().await;

    s3.fail(Fault::None);
    let address = s3.address;
    let server = Server::start_on(data, Backend::Sqlite, |config| {
        S3::configure(address, config)
    });
    let server = server.await;
    stored(&server, &kept).await;
    let ada = Account::sign_in(&server, "ada", crate::support::PASSWORD).await;
    assert_played(&server, &ada, &kept, &s3).await;
    assert_put_once(&s3);
}

#[tokio::test]
async fn an_mp4_of_what_is_in_the_store_alone_is_made_and_goes_there() {
    let s3 = S3::start().await;
    let address = s3.address;
    let server = Server::start_with(Backend::Sqlite, |config| {
        S3::configure(address, config);
        config.recordings.make_mp4 = false;
    })
    .await;
    let ada = server.creator().await;
    let kept = server.record(&ada).await;
    stored(&server, &kept).await;
    let path = format!("/api/recordings/{}", kept.id);
    let wish = ada.post(&format!("{path}/mp4"), Value::Null).await;
    assert_eq!(wish.json()["mp4"]["state"], "making");
    let object = s3.object(kept.stream, "recording.mp4");
    server
        .wait_for("the MP4 in the store", || async {
            let mp4 = ada.get(&path).await.json()["mp4"].clone();
            assert_ne!(mp4["state"], "failed", "{mp4}");
            (mp4["state"] == "ready" && object.exists()).then_some(())
        })
        .await;
    stored(&server, &kept).await;
    assert_played(&server, &ada, &kept, &s3).await;
    assert_put_once(&s3);
}
