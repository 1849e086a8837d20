//! The multivariant playlist: renditions, for which it waits as far as it must, and pathways.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod checker;
mod feed;

use std::time::Duration;

use bytes::Bytes;
use checker::{Multivariant, Playlist, now, playlist};
use feed::{Feed, PART, audio, config, init, video};
use futures_util::FutureExt as _;
use hls::{Chunk, Origin, Pathway, PlaylistRequest, ReadError};

/// The names of the renditions in a multivariant playlist, and whether asking took any time.
async fn renditions(origin: &Origin) -> (Vec<String>, bool) {
    let asked = tokio::time::Instant::now();
    let text = origin.multivariant("").await.unwrap().text();
    let waited = asked.elapsed() > Duration::ZERO;
    let lines = std::str::from_utf8(&text).unwrap().lines();
    let uris = lines.filter_map(|line| line.strip_suffix("/index.m3u8"));
    (uris.map(str::to_owned).collect(), waited)
}

#[tokio::test(start_paused = true)]
async fn the_multivariant_playlist_waits_for_every_rendition() {
    let origin = Origin::new(config(), "");
    let mut sound = Feed::new(&origin, "audio", audio());
    let mut feed = Feed::new(&origin, "v0", video());
    sound.parts(1);
    let waiting = tokio::spawn({
        let origin = origin.clone();
        async move { renditions(&origin).await.0 }
    });
    tokio::time::sleep(Duration::from_millis(2_800)).await;
    assert!(!waiting.is_finished(), "sound alone is not all");
    feed.parts(1);
    assert_eq!(waiting.await.unwrap(), ["v0", "audio"]);
    assert_eq!(
        renditions(&origin).await,
        (vec!["v0".into(), "audio".into()], false)
    );
    let nothing = Origin::new(config(), "");
    assert_eq!(nothing.multivariant("").await.err(), Some(ReadError::Late));
}

#[tokio::test(start_paused = true)]
async fn a_layer_that_never_sends_is_waited_for_once_and_not_for_long() {
    let origin = Origin::new(config(), "");
    let _silent = origin.writer("v1");
    let mut sound = Feed::new(&origin, "audio", audio());
    let mut feed = Feed::new(&origin, "v0", video());
    feed.parts(1);
    let waiting = tokio::spawn({
        let origin = origin.clone();
        async move { renditions(&origin).await.0 }
    });
    tokio::time::sleep(Duration::from_millis(1_400)).await;
    sound.parts(1);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!waiting.is_finished(), "the other layer may come");
    assert_eq!(waiting.await.unwrap(), ["v0", "audio"]);
    let (names, waited) = renditions(&origin).await;
    assert_eq!((names.len(), waited), (2, false));
}

#[tokio::test(start_paused = true)]
async fn sound_without_a_picture_is_played_and_a_late_picture_added() {
    let origin = Origin::new(config(), "");
    let mut late = origin.writer("v0");
    let mut sound = Feed::new(&origin, "audio", audio());
    assert!(!origin.is_ready());
    sound.parts(1);
    assert!(origin.is_ready());
    assert_eq!(renditions(&origin).await, (vec!["audio".into()], true));
    late.begin(init(video())).unwrap();
    assert_eq!(renditions(&origin).await, (vec!["audio".into()], false));
    let chunk = Chunk {
        bytes: Bytes::from_static(b"x"),
        start: Duration::ZERO,
        duration: PART,
        independent: true,
        ends_segment: false,
    };
    late.push(chunk).unwrap();
    assert_eq!(renditions(&origin).await.0, ["v0", "audio"]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_waited_for_when_all_is_over() {
    let origin = Origin::new(config(), "");
    origin.writer("v0").end();
    let asked = origin.multivariant("").now_or_never();
    assert_eq!(asked.unwrap().err(), Some(ReadError::NotFound));
}

fn cdns(bases: [&str; 2]) -> Vec<Pathway> {
    let pathways = [2, 1].into_iter().zip(bases);
    let pathways = pathways.map(|(number, base)| Pathway {
        number,
        base: base.to_owned(),
    });
    pathways.collect()
}

#[tokio::test]
async fn each_pathway_has_playlists_of_its_own_that_all_share() {
    let origin = Origin::new(config(), "");
    origin.set_pathways(cdns(["https://b.example/t/", "https://a.example/t/"]));
    let mut sound = Feed::new(&origin, "audio", audio());
    let mut feed = Feed::new(&origin, "v0", video());
    feed.parts(20);
    sound.parts(20);
    let listed = origin.multivariant("t/").await.unwrap();
    let listed = Multivariant::checked(std::str::from_utf8(&listed.text()).unwrap());
    assert_eq!(
        listed.steering,
        Some(("steering.json".to_owned(), "cdn2".to_owned()))
    );
    assert_eq!(listed.pathways(), ["cdn2", "cdn1"]);
    let uris: Vec<_> = listed
        .variants
        .iter()
        .map(|(_, uri)| uri.as_str())
        .collect();
    assert_eq!(uris[0], "t/v0/index.cdn2.m3u8");
    assert_eq!(uris[2], "t/v0/index.cdn1.m3u8");
    let of = async |pathway| {
        let request = PlaylistRequest {
            pathway,
            ..PlaylistRequest::default()
        };
        let rendered = origin.playlist("v0", request).await?;
        let text = String::from_utf8(rendered.text().to_vec()).unwrap();
        Ok::<_, ReadError>((Playlist::checked(&text), rendered.text().as_ptr()))
    };
    for (pathway, host, report) in [
        (None, "https://b.example", "../audio/index.m3u8"),
        (Some(2), "https://b.example", "../audio/index.cdn2.m3u8"),
        (Some(1), "https://a.example", "../audio/index.cdn1.m3u8"),
    ] {
        let (playlist, at) = of(pathway).await.unwrap();
        let first = &playlist.segments[0];
        assert_eq!(first.uri, format!("{host}/t/v0/1.m4s"));
        assert_eq!(first.map, format!("{host}/t/v0/init0.mp4"));
        assert_eq!(playlist.hint, Some(format!("{host}/t/v0/4.2.m4s")));
        assert_eq!(playlist.reports[0]["URI"], report);
        assert_eq!(of(pathway).await.unwrap().1, at, "it is rendered once");
    }
    assert_eq!(of(Some(3)).await.unwrap_err(), ReadError::NotFound);
    assert!(origin.file("v0", "1.m4s").await.is_ok());
}

#[tokio::test]
async fn what_may_not_be_at_a_cdn_is_beside_the_playlists_of_all_pathways() {
    let origin = Origin::new(config(), "");
    origin.set_pathways(cdns(["https://b.example/t/", "https://a.example/t/"]));
    let mut feed = Feed::new(&origin, "v0", video());
    feed.parts(8);
    origin.set_pathways(cdns(["", ""]));
    feed.parts(1);
    assert_eq!(now(&origin).segments[0].uri, "1.m4s");
    let request = PlaylistRequest {
        pathway: Some(1),
        ..PlaylistRequest::default()
    };
    let playlist = playlist(&origin, request).await.unwrap();
    assert_eq!(playlist.segments[0].uri, "1.m4s", "who is at it goes on");
    let listed = origin.multivariant("t/").await.unwrap();
    let listed = Multivariant::checked(std::str::from_utf8(&listed.text()).unwrap());
    assert_eq!(listed.steering, None);
    assert_eq!(listed.variants[0].1, "t/v0/index.m3u8");
}
