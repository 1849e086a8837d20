//! A tap beside viewers: what a publisher encoded comes out as it went in.

use std::time::Duration;

use loadtest::h264;
use loadtest::source::{Frame, MadeUp, Source};
use loadtest::{PublisherSpec, Publishing};
use sfu::{AccessUnit, StreamId, Tap, TapCodec, TapTrack, Tapped, Track};

use crate::support::{SPS_428X240, SPS_854X480, SPS_1280X720, Server};

const DEADLINE: Duration = Duration::from_secs(20);

/// Three layers as a browser makes them, or OBS with parameter sets in packets of their own.
fn layers(aggregates: bool) -> Source {
    let layer = |rid, sps, bitrate| MadeUp {
        rid: Some(rid),
        sps,
        bitrate,
        keyframe_every: 60,
        aggregates,
    };
    Source::made_up(&[
        layer("l", SPS_428X240, 300_000),
        layer("m", SPS_854X480, 600_000),
        layer("h", SPS_1280X720, 900_000),
    ])
}

/// A server that does not tap the stream itself.
async fn alone() -> Server {
    Server::with(|config| config.hls.enabled = false).await
}

async fn tapped(server: &Server, source: Source) -> (Publishing, StreamId, Tap) {
    let publisher = server.on_air(&PublisherSpec::browser(source)).await;
    let live = server.app.services.streams.live_on(server.channel.id).await;
    let stream = live.expect("it is live").stream;
    let tap = server.sfu.tap(stream).await;
    (publisher, stream, tap.expect("it is known"))
}

/// Listens until there are so many units of every track that was told of.
async fn listen(tap: &mut Tap, count: usize) -> (Vec<TapTrack>, Vec<AccessUnit>) {
    let (mut tracks, mut units) = (Vec::new(), Vec::<AccessUnit>::new());
    let listening = async {
        loop {
            match tap.next().await.expect("it is live") {
                Tapped::Tracks(told) => tracks = told,
                Tapped::Unit(unit) => units.push(unit),
            }
            let has_all = |track: &TapTrack| of(&units, track.track).count() >= count;
            if tracks.len() == 4 && tracks.iter().all(has_all) {
                break;
            }
        }
    };
    let listened = tokio::time::timeout(DEADLINE, listening).await;
    listened.expect("units of all tracks");
    (tracks, units)
}

fn of(units: &[AccessUnit], track: Track) -> impl Iterator<Item = &AccessUnit> {
    units.iter().filter(move |unit| unit.track == track)
}

/// Which picture of its encoding a unit is.
fn number(unit: &AccessUnit, frames: &[Frame], aggregates: bool) -> usize {
    let pictures = h264::pictures(&unit.bytes);
    let [picture] = &pictures[..] else {
        panic!("{} pictures in a unit", pictures.len());
    };
    let payloads: Vec<Vec<u8>> = if aggregates {
        h264::packetize(picture)
    } else {
        let alone = picture.nals.iter().map(|nal| h264::Picture {
            nals: vec![nal.clone()],
        });
        alone.flat_map(|nal| h264::packetize(&nal)).collect()
    };
    let is_it = |frame: &Frame| frame.payloads.iter().map(|p| &p[..]).eq(payloads.iter());
    frames.iter().position(is_it).expect("it was sent")
}

#[tokio::test]
async fn tap_gives_every_picture_of_every_layer_and_all_sound() {
    for aggregates in [true, false] {
        let server = alone().await;
        let source = layers(aggregates);
        let (_publisher, stream, mut tap) = tapped(&server, source.clone()).await;
        let (tracks, units) = listen(&mut tap, 90).await;
        for track in &tracks {
            let units: Vec<_> = of(&units, track.track).collect();
            assert!(units.windows(2).all(|pair| pair[0].pts < pair[1].pts));
            let Track::Video(_) = track.track else {
                assert_eq!(track.codec, TapCodec::Opus);
                for unit in units {
                    assert!(source.audio.iter().any(|sent| sent[..] == unit.bytes[..]));
                }
                continue;
            };
            assert_eq!(track.codec, TapCodec::H264);
            let rid = track.rid.as_deref();
            let mut layers = source.layers.iter();
            let layer = layers.find(|layer| layer.rid.as_deref() == rid);
            let frames = &layer.expect("it was sent").frames;
            assert!(units[0].keyframe);
            let mut last = None;
            for unit in units {
                let number = number(unit, frames, aggregates);
                assert_eq!(unit.keyframe, frames[number].is_key);
                assert_eq!(unit.size.is_some(), unit.keyframe);
                assert!(number == 0 || last == Some(number - 1), "{last:?} {number}");
                last = Some(number);
            }
        }
        let stats = server.sfu.stream_stats(stream).await.expect("it is live");
        assert_eq!(stats.tap_lost, 0);
    }
}

#[tokio::test]
async fn tap_ends_when_its_stream_does_or_another_takes_its_place() {
    let server = alone().await;
    let (_publisher, stream, mut first) = tapped(&server, layers(true)).await;
    let second = server.sfu.tap(stream).await;
    let mut second = second.expect("it is known");
    let ended = async { while first.next().await.is_some() {} };
    tokio::time::timeout(DEADLINE, ended)
        .await
        .expect("it ends");
    listen(&mut second, 3).await;
    server.sfu.end_stream(stream).await;
    let ended = async { while second.next().await.is_some() {} };
    tokio::time::timeout(DEADLINE, ended)
        .await
        .expect("it ends");
    assert!(server.sfu.tap(stream).await.is_none(), "it is not known");
}
