//! Large audiences with real media: several CDNs that players change between, and segments on the object
//! store.

use loadtest::signalling::Endpoint;
use loadtest::source::{MadeUp, Source};
use loadtest::{Driver, PublisherSpec, Publishing, Sent};
use serde_json::{Value, json};
use tallylight::channels::StreamKey;
use tallylight::clock::Clock;
use tallylight::config::Config;

use crate::checker::{Multivariant, Playlist};
use crate::support::{
    Account, Anonymous, Answer, Backend, Fault, OwnRedis, S3, Server, new_postgres,
};

/// H264 of 854x480, as x264 has it.
const SPS: &[u8] = &[
    0x67, 0x64, 0x00, 0x1f, 0xac, 0xb2, 0x01, 0xb0, 0x7b, 0xcd, 0xe0, 0x22, 0x00, 0x00, 0x03, 0x00,
    0x02, 0x00, 0x00, 0x03, 0x00, 0x78, 0x1e, 0x30, 0x64, 0x90,
];

/// `@ada` on air, with a segment a second.
struct OnAir {
    server: Server,
    ada: Account,
    player: Anonymous,
    clients: Driver,
    publishing: Option<Publishing>,
}

impl OnAir {
    async fn start(change: impl FnOnce(&mut Config)) -> Self {
        let server = Server::start_with(Backend::Sqlite, |config| {
            config.hls.segment_ms = 1_000;
            config.hls.window_seconds = 60;
            change(config);
        })
        .await;
        let ada = server.creator().await;
        let mut on_air = Self {
            player: server.player().http,
            server,
            ada,
            clients: Driver::start("clients").unwrap(),
            publishing: None,
        };
        on_air.publish().await;
        on_air
    }

    async fn publish(&mut self) {
        let channels = &self.server.app.services.channels;
        let channel = channels.expect("ada").await.unwrap();
        let (_, key): (StreamKey, _) = channels
            .create_stream_key(channel.id, "camera")
            .await
            .unwrap();
        let url = format!("http://{}/whip", self.server.app.http);
        let endpoint = Endpoint::new(&url, Some(key.reveal())).unwrap();
        let spec = PublisherSpec::browser(Source::made_up(&[MadeUp {
            rid: None,
            sps: SPS,
            bitrate: 300_000,
            keyframe_every: 30,
            aggregates: true,
        }]));
        let published = loadtest::publish(&self.clients, &endpoint, &spec, &Sent::default()).await;
        self.publishing = Some(published.unwrap());
        self.server
            .wait_for("the first parts", || async {
                let page = self.ada.get("/api/channels/ada").await.json();
                (page["hls"]["state"] == "ready").then_some(())
            })
            .await;
    }

    async fn multivariant(&self, who: &Anonymous) -> Multivariant {
        let answer = who.get("/hls/ada/index.m3u8").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        Multivariant::checked(&answer.text)
    }

    /// Path of the folder of the picture's files.
    async fn folder(&self) -> String {
        let listed = self.multivariant(&self.player).await;
        let (folder, _) = listed.variants[0].1.rsplit_once('/').unwrap();
        format!("/hls/ada/{folder}/")
    }

    async fn playlist(&self, path: &str) -> Playlist {
        let answer = self.player.get(path).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        Playlist::checked(&answer.text)
    }

    /// Waits until so many segments are complete.
    async fn until_segments(&self, folder: &str, count: u64) -> Playlist {
        let path = format!("{folder}index.m3u8");
        self.server
            .wait_for("more segments", || async {
                let playlist = self.playlist(&path).await;
                (playlist.end() > count).then_some(playlist)
            })
            .await
    }

    async fn edit(&self, edit: Value) {
        let page = self.ada.get("/api/channels/ada").await.json();
        let path = format!("/api/streams/{}", page["stream"]["id"].as_str().unwrap());
        let edited = self.ada.patch(&path, edit).await;
        assert_eq!(edited.status, 200, "{edited:?}");
    }
}

fn two_cdns(config: &mut Config) {
    let urls = ["https://cdn-a.example/", "https://cdn-b.example"];
    config.hls.segment_urls = urls.map(str::to_owned).to_vec();
}

#[tokio::test]
async fn players_are_told_of_several_cdns_and_which_to_begin_with() {
    let on_air = OnAir::start(two_cdns).await;
    let listed = on_air.multivariant(&on_air.player).await;
    let (manifest, first) = listed.steering.clone().unwrap();
    let pathways = listed.pathways();
    assert_eq!(pathways[0], first);
    assert_eq!(pathways.len(), 2);
    let path = format!("/hls/ada/{manifest}?_HLS_pathway=%22cdn1%22&_HLS_throughput=1");
    let steering = on_air.player.get(&path).await;
    assert_eq!(
        steering.json(),
        json!({ "VERSION": 1, "TTL": 300, "PATHWAY-PRIORITY": pathways })
    );
    assert_eq!(steering.header("content-type"), "application/json");
    assert_eq!(steering.header("access-control-allow-origin"), "*");
    assert_eq!(steering.header("cache-control"), "public, max-age=30");

    // Each has playlists of its own, with its own segments.
    for (attributes, uri) in &listed.variants {
        let host = match attributes["PATHWAY-ID"].as_str() {
            "cdn1" => "https://cdn-a.example",
            _ => "https://cdn-b.example",
        };
        for handle in ["ada", "%61da"] {
            let playlist = on_air.playlist(&format!("/hls/{handle}/{uri}")).await;
            let folder = uri.rsplit_once('/').unwrap().0;
            let hint = playlist.hint.unwrap();
            let expected = format!("{host}/hls/ada/{folder}/");
            assert!(hint.starts_with(&expected), "{hint}: {expected}");
        }
    }
    // Who knows of none is at the first.
    let folder = on_air.folder().await;
    let plain = on_air.playlist(&format!("{folder}index.m3u8")).await;
    let of_first = &listed.variants[0].1;
    let begun = on_air.playlist(&format!("/hls/ada/{of_first}")).await;
    let host = |hint: Option<String>| hint.unwrap().split("/hls/").next().unwrap().to_owned();
    assert_eq!(host(plain.hint), host(begun.hint));
    let absent = format!("{folder}index.cdn3.m3u8");
    assert_eq!(on_air.player.get(&absent).await.status, 404);
    let policy = on_air.player.get("/").await;
    let policy = policy.header("content-security-policy");
    assert!(policy.contains("connect-src 'self' https://cdn-a.example https://cdn-b.example;"));

    // What has a gate is at no CDN, and steered to none.
    on_air.edit(json!({ "gate": { "who": "followers" } })).await;
    let gated = on_air.multivariant(&on_air.ada).await;
    assert_eq!(gated.steering, None);
    let uri = format!("/hls/ada/{}", gated.variants[0].1);
    on_air
        .server
        .wait_for("a playlist rendered since", || async {
            let playlist = on_air.player.get(&uri).await.text;
            (!playlist.contains("https://")).then_some(())
        })
        .await;
    assert_eq!(
        on_air.player.get("/hls/ada/steering.json").await.status,
        403
    );
    assert_eq!(on_air.ada.get("/hls/ada/steering.json").await.status, 404);
}

#[tokio::test]
async fn caches_in_front_are_told_how_long_they_may_keep_what() {
    let on_air = OnAir::start(|_| {}).await;
    assert_eq!(
        on_air.player.get("/hls/ada/steering.json").await.status,
        404
    );
    let folder = on_air.folder().await;
    let playlist = on_air.until_segments(&folder, 1).await;
    let live = "public, max-age=1, stale-while-revalidate=1, stale-if-error=60";
    for path in ["/hls/ada/index.m3u8", &format!("{folder}index.m3u8")] {
        let answer = on_air.player.get(path).await;
        assert_eq!(answer.header("cache-control"), live, "{path}");
        assert_eq!(answer.header("vary"), "accept-encoding", "{path}");
    }
    let waited_for = format!("{folder}index.m3u8?_HLS_msn={}", playlist.end());
    let answer = on_air.player.get(&waited_for).await;
    assert_eq!(answer.header("cache-control"), "public, max-age=12");
    let segment = format!("{folder}{}", playlist.segments[0].uri);
    let answer = on_air.player.get(&segment).await;
    let for_ever = "public, max-age=31536000, immutable";
    assert_eq!(answer.header("cache-control"), for_ever);
    assert!(!answer.headers.contains_key("vary"), "one for all");
    for absent in ["/hls/nobody/index.m3u8", &format!("{folder}9999.m4s")] {
        let answer = on_air.player.get(absent).await;
        assert_eq!(answer.status, 404);
        assert_eq!(answer.header("cache-control"), "public, max-age=1");
    }
}

fn with_store(s3: &S3, config: &mut Config) {
    S3::configure(s3.address, config);
    config.storage.public_url = "https://media.example/".to_owned();
    config.hls.store = true;
}

/// Objects of live streams, in the order of their names.
fn live_objects(s3: &S3) -> Vec<String> {
    let live = s3.object("live", "");
    let mut found: Vec<_> = crate::storage::files(&live).into_keys().collect();
    found.sort();
    found
}

/// Waits until a segment is asked for at the store.
async fn until_sent(on_air: &OnAir, path: &str) -> Answer {
    on_air
        .server
        .wait_for("a redirect", || async {
            let answer = on_air.player.get(path).await;
            assert!([200, 307].contains(&answer.status.as_u16()), "{answer:?}");
            (answer.status == 307).then_some(answer)
        })
        .await
}

#[tokio::test]
async fn segments_go_to_the_store_and_who_is_behind_is_sent_there() {
    let s3 = S3::start().await;
    let on_air = OnAir::start(|config| {
        with_store(&s3, config);
        config.hls.window_seconds = 20;
    })
    .await;
    let folder = on_air.folder().await;
    let first = on_air.until_segments(&folder, 1).await.segments[0].clone();
    let path = format!("{folder}{}", first.uri);
    let bytes = on_air.player.get(&path).await.bytes;
    let sent = until_sent(&on_air, &path).await;
    // Once it is sent away it is there, whole.
    let token = folder.split('/').nth(3).unwrap();
    let object = s3.object(format!("live/{token}/v0"), &first.uri);
    assert!(std::fs::read(&object).unwrap() == bytes);
    assert_eq!(
        sent.header("location"),
        format!(
            "https://media.example/tally/light/live/{token}/v0/{}",
            first.uri
        )
    );
    assert_eq!(sent.header("cache-control"), "public, max-age=10");
    assert_eq!(sent.header("access-control-allow-origin"), "*");
    // The newest are here, whatever the store has, and so are parts and initialisations.
    let playlist = on_air.playlist(&format!("{folder}index.m3u8")).await;
    let newest = playlist.segments.last().unwrap();
    let part = &newest.parts[0].uri;
    for name in [&newest.uri, part, &newest.map] {
        let answer = on_air.player.get(&format!("{folder}{name}")).await;
        assert_eq!(answer.status, 200, "{name}");
    }
    // What has left the window leaves the store.
    on_air.until_segments(&folder, 25).await;
    on_air
        .server
        .wait_for("the object to go", || async {
            (!object.exists()).then_some(())
        })
        .await;
    assert_eq!(on_air.player.get(&path).await.status, 404);
    assert!(!live_objects(&s3).is_empty());
    let puts = s3.puts();
    assert!(puts.values().all(|times| *times == 1), "{puts:?}");
}

#[tokio::test]
async fn what_has_a_gate_is_never_at_the_store() {
    let s3 = S3::start().await;
    let mut on_air = OnAir::start(|config| with_store(&s3, config)).await;
    let folder = on_air.folder().await;
    on_air
        .server
        .wait_for("objects", || async {
            (!live_objects(&s3).is_empty()).then_some(())
        })
        .await;
    on_air.edit(json!({ "gate": { "who": "followers" } })).await;
    on_air
        .server
        .wait_for("them to go", || async {
            live_objects(&s3).is_empty().then_some(())
        })
        .await;
    // The next stream begins as the last was: behind the gate.
    on_air.publishing = None;
    on_air.ada.post("/api/channels/ada/end", Value::Null).await;
    on_air
        .server
        .wait_for("the end", || async {
            on_air.server.live("ada").await.is_none().then_some(())
        })
        .await;
    let live = |puts: &std::collections::HashMap<String, u32>| {
        puts.keys().filter(|key| key.contains("/live/")).count()
    };
    let before = live(&s3.puts());
    on_air.publish().await;
    let listed = on_air.multivariant(&on_air.ada).await;
    let playlist = format!("/hls/ada/{}", listed.variants[0].1);
    assert!(!playlist.starts_with(&folder), "it is another stream");
    on_air
        .server
        .wait_for("three segments", || async {
            let answer = on_air.player.get(&playlist).await;
            (Playlist::checked(&answer.text).end() > 3).then_some(())
        })
        .await;
    let puts = s3.puts();
    assert!(live(&puts) == before, "{puts:?}");
    assert_eq!(live_objects(&s3), Vec::<String>::new());
    // Open to all, it goes there.
    on_air.edit(json!({ "gate": { "who": "everyone" } })).await;
    on_air
        .server
        .wait_for("objects", || async {
            (!live_objects(&s3).is_empty()).then_some(())
        })
        .await;
}

#[tokio::test]
async fn a_store_that_fails_or_hangs_hurts_nobody() {
    for fault in [Fault::Error, Fault::Hang] {
        let s3 = S3::start().await;
        s3.fail(fault);
        let on_air = OnAir::start(|config| with_store(&s3, config)).await;
        let folder = on_air.folder().await;
        // Old enough to be sent away, and it is not.
        let playlist = on_air.until_segments(&folder, 11).await;
        let oldest = format!("{folder}{}", playlist.segments[0].uri);
        let answer = on_air.player.get(&oldest).await;
        assert_eq!(answer.status, 200, "{fault:?}");
        assert!(playlist.segments.iter().all(|segment| !segment.gap));
        // It works again, and gets what is still in the window.
        s3.fail(Fault::None);
        let newest = format!("{folder}{}", playlist.segments.last().unwrap().uri);
        until_sent(&on_air, &newest).await;
        // It fails again, and nobody is sent there.
        s3.fail(fault);
        on_air
            .server
            .wait_for("the server's own", || async {
                let playlist = on_air.playlist(&format!("{folder}index.m3u8")).await;
                let oldest = format!("{folder}{}", playlist.segments[0].uri);
                let answer = on_air.player.get(&oldest).await;
                (answer.status == 200).then_some(())
            })
            .await;
    }
}

/// Two servers that pass streams on to one another.
#[tokio::test]
async fn who_is_behind_at_another_server_is_sent_to_the_store_as_well() {
    let s3 = S3::start().await;
    let redis = OwnRedis::start().await;
    let database = tokio::task::spawn_blocking(new_postgres).await.unwrap();
    let ports = [(); 2].map(|()| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let ports = ports.map(|held| held.local_addr().unwrap());
    let shared = |at: std::net::SocketAddr, config: &mut Config| {
        with_store(&s3, config);
        config.database.url.clone_from(&database);
        config.database.connections = 3;
        config.bus.url = redis.url();
        config.http.listen = at;
        config.cluster.url = format!("http://{at}");
    };
    let on_air = OnAir::start(|config| shared(ports[0], config)).await;
    let data = tempfile::tempdir().unwrap();
    std::fs::create_dir(data.path().join("data")).unwrap();
    let pepper = on_air.server.file("pepper");
    std::fs::copy(pepper, data.path().join("data/pepper")).unwrap();
    let edge = Server::start_on(data, Backend::Sqlite, |config| shared(ports[1], config)).await;
    let folder = on_air.folder().await;
    let first = on_air.until_segments(&folder, 1).await.segments[0].clone();
    let path = format!("{folder}{}", first.uri);
    let player = edge.player().http;
    edge.wait_for("the stream at the edge", || async {
        let answer = player.get("/hls/ada/index.m3u8").await;
        (answer.status == 200).then_some(())
    })
    .await;
    let sent = until_sent(&on_air, &path).await;
    let sent_there = player.get(&path).await;
    assert_eq!(sent_there.status, 307, "{sent_there:?}");
    for name in ["location", "cache-control", "access-control-allow-origin"] {
        assert_eq!(sent_there.header(name), sent.header(name), "{name}");
    }
    // The newest come from the edge itself.
    let playlist = on_air.playlist(&format!("{folder}index.m3u8")).await;
    let newest = &playlist.segments.last().unwrap().uri;
    let answer = player.get(&format!("{folder}{newest}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn what_is_over_leaves_the_store_once_nobody_plays_it() {
    let s3 = S3::start().await;
    let mut on_air = OnAir::start(|config| with_store(&s3, config)).await;
    let server = &on_air.server;
    server
        .wait_for("objects", || async {
            (!live_objects(&s3).is_empty()).then_some(())
        })
        .await;
    on_air.publishing = None;
    on_air.ada.post("/api/channels/ada/end", Value::Null).await;
    let server = &on_air.server;
    server
        .wait_for("the end", || async {
            server.live("ada").await.is_none().then_some(())
        })
        .await;
    assert!(!live_objects(&s3).is_empty(), "somebody is behind");
    server
        .wait_for("them to go", || async {
            server.clock.advance(std::time::Duration::from_secs(30));
            live_objects(&s3).is_empty().then_some(())
        })
        .await;
}

#[tokio::test]
async fn what_a_server_that_died_left_at_the_store_is_swept() {
    let s3 = S3::start().await;
    let put = |name: &str, age_s: u64| {
        let object = s3.object("live/gone/v0", name);
        std::fs::create_dir_all(object.parent().unwrap()).unwrap();
        std::fs::write(&object, "media").unwrap();
        let file = std::fs::File::options().write(true).open(&object).unwrap();
        let at = Clock::system().now() - std::time::Duration::from_secs(age_s);
        file.set_modified(at.into()).unwrap();
        object
    };
    // The window is a minute, and who plays what is cached may be an hour behind.
    let (old, young) = (put("1.m4s", 3_700), put("2.m4s", 3_000));
    let server = Server::start_with(Backend::Sqlite, |config| {
        with_store(&s3, config);
        config.hls.window_seconds = 60;
    })
    .await;
    server
        .wait_for("the old one to go", || async {
            (!old.exists()).then_some(())
        })
        .await;
    assert!(young.exists());
    server.clock.advance(std::time::Duration::from_secs(3_601));
    server
        .wait_for("the next sweep", || async {
            (!young.exists()).then_some(())
        })
        .await;
}
