//! Several servers, each in a network namespace of its own, with a PostgreSQL and a Redis: what is on air at
//! one is watched at all, and goes on when that one is gone, stops, or is cut off (RELIABILITY P7, P8, F10, F24).

pub(crate) mod fleet;
mod line;
mod network;
mod partitions;

use serde_json::{Value, json};

use crate::support::until;

use fleet::Fleet;

/// Two viewers at one server, one at another: one session each from the origin.
#[test]
fn what_is_on_air_at_one_server_is_watched_at_all() {
    Fleet::run(3, async |fleet| {
        let [a, b, c] = [0, 1, 2];
        let publishing = fleet.publish(a);
        fleet.until_live(&[a, b, c]).await;
        let at_b = [fleet.watch(b).await, fleet.watch(b).await];
        let at_c = fleet.watch(c).await;
        for viewer in at_b.iter().chain([&at_c]) {
            viewer.sees_more(60, "pictures of another server").await;
        }
        assert_eq!(
            fleet.metric(a, "tallylight_sfu_relays").await,
            2.0,
            "one an edge"
        );
        until("all to count all", || async {
            let counts = [
                fleet.viewers(a).await,
                fleet.viewers(b).await,
                fleet.viewers(c).await,
            ];
            counts.iter().all(|count| *count >= 3)
        })
        .await;

        // Its playlists and segments are the same everywhere, and each is fetched once.
        let uri = fleet.playlist_uri(a).await;
        for server in [b, c] {
            assert_eq!(fleet.playlist_uri(server).await, uri);
            let playlist = fleet.playlist_of(server, &uri, 3).await;
            let segment = uri.replace("index.m3u8", &playlist.segments[0].uri);
            let here = fleet
                .bytes(a, &format!("/hls/ada/{segment}"))
                .await
                .unwrap();
            for _ in 0..3 {
                let there = fleet.bytes(server, &format!("/hls/ada/{segment}")).await;
                assert_eq!(there.as_ref(), Some(&here));
            }
        }

        // Any server may be asked about a session of another, and about what arrives.
        let id = at_c.session_path();
        for server in [a, b, c] {
            let told = fleet.first_event(server, &format!("{id}/events")).await;
            assert!(told.starts_with("event: "), "{told}");
        }
        let at_a = fleet.delete(a, &id).await;
        assert_eq!(at_a, 200, "{id}");
        let ingest = fleet.get_as_owner(b, "/api/channels/ada/ingest").await;
        assert_eq!(ingest["state"], "receiving", "{ingest}");

        // Whoever ends it at one server ends it.
        drop(publishing);
        let ended = fleet
            .post_as_owner(b, "/api/channels/ada/end", json!({}))
            .await;
        assert!(ended.is_success(), "{ended}");
        fleet.until_state(&[a, b, c], "offline").await;
    });
}

#[test]
fn who_watches_goes_on_watching_when_the_origin_dies() {
    Fleet::run(3, async |fleet| {
        goes_on_without(fleet, "killed", Fleet::kill).await;
    });
}

#[test]
fn who_watches_goes_on_watching_when_the_origin_stops() {
    Fleet::run(3, async |fleet| {
        goes_on_without(fleet, "stopped", Fleet::terminate).await;
    });
}

/// The encoder finds another server; who watches at a third notices a pause.
async fn goes_on_without(mut fleet: Fleet, how: &str, end: impl Fn(&mut Fleet, usize)) {
    let [a, b, c] = [0, 1, 2];
    let publishing = fleet.publish(a);
    fleet.until_live(&[a, b, c]).await;
    let viewer = fleet.watch(c).await;
    viewer.sees_more(60, "pictures").await;
    let uri = fleet.playlist_uri(c).await;
    let before = fleet.playlist_of(c, &uri, 2).await;
    let stream = fleet.stream(c).await;

    let clock = tallylight::clock::Clock::system();
    let began = clock.instant();
    tokio::task::block_in_place(|| end(&mut fleet, a));
    drop(publishing);
    let _publishing = fleet.publish(b);
    fleet.until_publishing(b).await;
    let published = began.elapsed();
    viewer.sees_more(60, "pictures of the new origin").await;
    let watched = began.elapsed();
    assert_eq!(fleet.stream(c).await, stream, "the same stream");
    assert!(!viewer.report().await.closed, "the same session");
    until("its HLS to go on", || async {
        let playlist = fleet.playlist(c, &uri).await;
        playlist.is_some_and(|now| now.end() > before.end() && now.segments.len() >= 2)
    })
    .await;
    let after = fleet.playlist(c, &uri).await.unwrap();
    // Numbers that the other server may have given are not given again, so that there is a leap.
    let first = after
        .segments
        .iter()
        .find(|segment| segment.msn > before.end());
    assert!(!after.ended && first.is_some(), "{after:?}");
    let played = began.elapsed();
    report(&json!({
        "id": "F24", "origin": how, "network": fleet.network.name(), "pass": true,
        "published_again_s": published.as_secs_f64(),
        "whep_again_s": watched.as_secs_f64(),
        "hls_again_s": played.as_secs_f64(),
    }));
}

/// Two want one channel at the same moment, at two servers: one gets it.
#[test]
fn two_publishers_at_two_servers_never_mix() {
    Fleet::run(2, async |fleet| {
        let (one, two) = tokio::join!(fleet.try_to_publish(0), fleet.try_to_publish(1));
        let mut statuses = [one, two];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409]);
    });
}

/// Strangers have no way into what servers ask one another.
#[test]
fn what_servers_ask_one_another_is_for_nobody_else() {
    Fleet::run(2, async |fleet| {
        let stream = uuid::Uuid::now_v7();
        for path in [
            format!("/cluster/relay/{stream}?fence=1"),
            format!("/cluster/streams/{stream}/end"),
        ] {
            let url = format!("{}{path}", fleet.base(0));
            let plain = reqwest::Client::new().post(&url).body("v=0");
            let forged = reqwest::Client::new()
                .post(&url)
                .header("x-tallylight-server", "1.abc");
            for asked in [plain, forged] {
                let answer = asked.send().await.unwrap();
                assert_eq!(answer.status(), 404);
                let words: Value = answer.json().await.unwrap();
                assert_eq!(words["code"], "not_found");
            }
        }
    });
}

#[expect(
    clippy::print_stdout,
    reason = "figures of a fault, for who asked for it"
)]
pub(crate) fn report(figures: &Value) {
    println!("{figures}");
}
