//! F15: two publishers with one stream key, by WHIP and by RTMP.

use std::time::Duration;

use loadtest::rtmp::{Address, Clip, Progress, PublishError, Publisher};
use loadtest::source::Source;
use loadtest::{Driver, JoinError, PublisherSpec, Publishing, Sent};
use tokio::process::Child;

use crate::crowd::watch;
use crate::fault::{Fault, now};
use crate::site::{Player, Site, playlist_uri, seams};
use crate::support::{until, until_more};

/// How often the second one asks while the first publishes.
const ATTEMPTS: usize = 8;
/// A publisher that is silent for so long may be replaced, and no other.
const SILENCE: Duration = Duration::from_millis(1_500);

#[tokio::test(flavor = "multi_thread")]
async fn a_second_publisher_waits_until_the_first_is_silent() {
    let mut fault = Fault::of("F15", "one key").await;
    let site = tokio::task::block_in_place(Site::new);
    let mut server = tokio::task::block_in_place(|| site.start());
    let clip = Clip::load(true).unwrap();
    let clients = Driver::start("clients").unwrap();

    // By WHIP, a picture of 720p.
    let first = whip(&site, &clients).await.unwrap();
    let uri = playlist_uri(&site).await;
    let player = Player::start(format!("{}/hls/ada/{uri}", site.base()));
    player
        .until("a segment", |seen| !seen.segments.is_empty())
        .await;
    let viewer = watch(&clients, &site.whep()).await.unwrap();
    until_more(&viewer, 30).await;
    for _ in 0..ATTEMPTS {
        let refused = rtmp(&site, &clip).await;
        assert!(is_bad_name(&refused), "{refused:?}");
        let refused = whip(&site, &clients).await.unwrap_err();
        assert_eq!(status(&refused), Some(409), "{refused}");
    }
    until_more(&viewer, 30).await;
    let told = end(&player);
    player
        .until("two segments more", |seen| seen.end() >= told + 2)
        .await;
    assert_eq!(seams(&newest(&player)), [0_u64; 0], "nothing of the second");
    assert!(!first.report().await.unwrap().closed);

    // The first is silent: the second, by RTMP, takes its place, 180p.
    first.pause(true).await.unwrap();
    let silent = now();
    let mut encoder = encoder_in_place_of(&first, &site).await;
    let replaced = silent.elapsed();
    assert!(replaced >= SILENCE, "{replaced:?}");
    until_more(&viewer, 60).await;
    let told = end(&player);
    player
        .until("two segments more", |seen| seen.end() >= told + 2)
        .await;
    let seen = newest(&player);
    let seam = seams(&seen);
    assert_eq!(seam.len(), 1, "{seen:?}");
    for segment in &seen.segments {
        let size = size(&site, &uri, &segment.map).await;
        let expected = if segment.msn < seam[0] {
            "1280,720"
        } else {
            "320,180"
        };
        assert!(
            size.contains(expected),
            "{} of {}: {size}",
            segment.msn,
            seam[0]
        );
    }

    // And the other way about.
    for _ in 0..ATTEMPTS {
        let refused = whip(&site, &clients).await.unwrap_err();
        assert_eq!(status(&refused), Some(409), "{refused}");
        assert!(encoder.try_wait().unwrap().is_none(), "it goes on");
    }
    signal(&encoder, "-STOP");
    let silent = now();
    let third = loop {
        match whip(&site, &clients).await {
            Ok(third) => break third,
            Err(refused) => assert_eq!(status(&refused), Some(409), "{refused}"),
        }
        assert!(silent.elapsed() < Duration::from_secs(20), "never free");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let replaced_again = silent.elapsed();
    assert!(replaced_again >= SILENCE, "{replaced_again:?}");
    // What the one before sends when it wakes up is not heard.
    signal(&encoder, "-CONT");
    until("the second to be cut", || {
        let ended = encoder.try_wait().unwrap().is_some();
        async move { ended }
    })
    .await;
    until_more(&viewer, 60).await;
    let told = end(&player);
    player
        .until("two segments more", |seen| seen.end() >= told + 2)
        .await;
    let seen = newest(&player);
    let seams = seams(&seen);
    assert_eq!(seams.len(), 2, "{seen:?}");
    for segment in seen.segments.iter().filter(|one| one.msn >= seams[1]) {
        let size = size(&site, &uri, &segment.map).await;
        assert!(size.contains("1280,720"), "{}: {size}", segment.msn);
    }
    assert!(!third.report().await.unwrap().closed);
    assert!(
        !viewer.report().await.unwrap().closed,
        "one session all the time"
    );
    let streams = site.items("/api/streams?channel=ada").await;
    assert_eq!(streams.len(), 1, "{streams:?}");
    fault.saw("refused", ATTEMPTS * 3);
    fault.took("whip_replaced_by_rtmp", replaced);
    fault.took("rtmp_replaced_by_whip", replaced_again);
    fault.saw("seams", seams.len());
    fault.saw("mixed", 0);
    tokio::task::block_in_place(|| server.terminate());
}

async fn whip(site: &Site, clients: &Driver) -> Result<Publishing, JoinError> {
    let spec = PublisherSpec::browser(Source::clip(1).unwrap());
    loadtest::publish(clients, &site.whip(), &spec, &Sent::default()).await
}

/// What becomes of one who publishes by RTMP, whose media decide.
async fn rtmp(site: &Site, clip: &Clip) -> Result<(), PublishError> {
    let address = Address::parse(&format!("rtmp://{}/live", site.rtmp)).unwrap();
    let publisher = Publisher::connect(&address, &site.key).await?;
    let ends = now() + Duration::from_secs(20);
    publisher.send(clip, ends, &Progress::default()).await
}

fn is_bad_name(ended: &Result<(), PublishError>) -> bool {
    matches!(ended, Err(PublishError::Refused(code)) if code == "NetStream.Publish.BadName")
}

fn status(error: &JoinError) -> Option<u16> {
    match error {
        JoinError::Http(error) => error.status(),
        _ => None,
    }
}

/// ffmpeg, once the first has been cut off for it: it ends where it is not let in.
async fn encoder_in_place_of(first: &Publishing, site: &Site) -> Child {
    for _ in 0..100 {
        let mut encoder = site.encoder().spawn().unwrap();
        let cut = async {
            while !first.report().await.unwrap().closed {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            () = cut => return encoder,
            _ = encoder.wait() => {}
        }
    }
    panic!("it is never let in");
}

fn signal(encoder: &Child, signal: &str) {
    let id = encoder.id().unwrap().to_string();
    let sent = std::process::Command::new("kill")
        .args([signal, &id])
        .status();
    assert!(sent.unwrap().success());
}

fn newest(player: &Player) -> crate::checker::Playlist {
    player.1.lock().unwrap().newest.clone()
}

fn end(player: &Player) -> u64 {
    newest(player).end()
}

/// Of the pictures behind an initialisation.
async fn size(site: &Site, uri: &str, map: &str) -> String {
    let url = format!("{}/hls/ada/{}", site.base(), uri.replace("index.m3u8", map));
    let mut probe = tokio::process::Command::new("ffprobe");
    probe.args([
        "-v",
        "error",
        "-of",
        "csv=p=0",
        "-show_entries",
        "stream=width,height",
        &url,
    ]);
    String::from_utf8(probe.output().await.unwrap().stdout).unwrap()
}
