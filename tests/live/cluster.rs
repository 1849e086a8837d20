//! Several servers, processes with a PostgreSQL and a Redis: what is on air at one is watched at all, and
//! goes on when that one is gone, stops, or loses Redis (RELIABILITY P7, P8, F10, F24).

pub(crate) mod fleet;
mod line;

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::until;

use fleet::Fleet;

/// Two viewers at one server, one at another: one session each from the origin.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_on_air_at_one_server_is_watched_at_all() {
    let fleet = Fleet::start(3).await;
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
        until("three segments", || async {
            let playlist = fleet.playlist(server, &uri).await;
            playlist.is_some_and(|playlist| playlist.segments.len() >= 3)
        })
        .await;
        let playlist = fleet.playlist(server, &uri).await.unwrap();
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
}

#[tokio::test(flavor = "multi_thread")]
async fn who_watches_goes_on_watching_when_the_origin_dies() {
    goes_on_without("killed", Fleet::kill).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_watches_goes_on_watching_when_the_origin_stops() {
    goes_on_without("stopped", Fleet::terminate).await;
}

/// The encoder finds another server; who watches at a third notices a pause.
async fn goes_on_without(how: &str, end: impl Fn(&mut Fleet, usize)) {
    let mut fleet = Fleet::start(3).await;
    let [a, b, c] = [0, 1, 2];
    let publishing = fleet.publish(a);
    fleet.until_live(&[a, b, c]).await;
    let viewer = fleet.watch(c).await;
    viewer.sees_more(60, "pictures").await;
    let uri = fleet.playlist_uri(c).await;
    until("segments", || async {
        let playlist = fleet.playlist(c, &uri).await;
        playlist.is_some_and(|playlist| playlist.segments.len() >= 2)
    })
    .await;
    let before = fleet.playlist(c, &uri).await.unwrap();
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
        "id": "F24", "origin": how, "pass": true,
        "published_again_s": published.as_secs_f64(),
        "whep_again_s": watched.as_secs_f64(),
        "hls_again_s": played.as_secs_f64(),
    }));
}

/// Redis away from the origin alone: nobody notices, and nobody else may publish.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_redis_does_not_hear_of_keeps_its_stream() {
    apart_for(Duration::from_secs(12)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it takes a minute and a half; `make fault F=F24`"]
async fn a_server_apart_for_a_minute_keeps_its_stream() {
    apart_for(Duration::from_secs(60)).await;
}

async fn apart_for(time: Duration) {
    let fleet = Fleet::start(3).await;
    let [a, b, c] = [0, 1, 2];
    let _publishing = fleet.publish(a);
    fleet.until_live(&[a, b, c]).await;
    let viewer = fleet.watch(c).await;
    viewer.sees_more(60, "pictures").await;
    let stream = fleet.stream(c).await;

    fleet.lines[a].cut();
    let clock = tallylight::clock::Clock::system();
    let began = clock.instant();
    let mut refused = 0;
    while began.elapsed() < time {
        viewer.sees_more(30, "pictures while they are apart").await;
        // Somebody else with the key.
        let status = fleet.try_to_publish(b).await;
        assert!(
            matches!(status, 409 | 503),
            "{status} after {:?}",
            began.elapsed()
        );
        refused += 1;
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    // Whoever comes meanwhile finds it where it was last.
    let late = fleet.watch(b).await;
    late.sees_more(30, "pictures for who came while they are apart")
        .await;
    fleet.lines[a].mend();
    until("all to be one again", || async {
        fleet.metric(a, "tallylight_bus_up").await == 1.0
    })
    .await;
    viewer.sees_more(60, "pictures afterwards").await;
    fleet.until_state(&[a, b, c], "live").await;
    assert_eq!(fleet.stream(c).await, stream);
    report(&json!({ "id": "F24", "apart_s": time.as_secs(), "pass": true, "refused": refused }));
}

/// Redis away from all, and empty when it is back.
#[tokio::test(flavor = "multi_thread")]
async fn all_go_on_without_redis_and_after_it_was_emptied() {
    let mut fleet = Fleet::start(2).await;
    let [a, b] = [0, 1];
    let _publishing = fleet.publish(a);
    fleet.until_live(&[a, b]).await;
    let viewer = fleet.watch(b).await;
    viewer.sees_more(60, "pictures").await;
    let stream = fleet.stream(b).await;
    fleet.redis.kill();
    until("them to miss Redis", || async {
        let up = [
            fleet.metric(a, "tallylight_bus_up").await,
            fleet.metric(b, "tallylight_bus_up").await,
        ];
        up == [0.0, 0.0]
    })
    .await;
    viewer.sees_more(150, "pictures without Redis").await;
    let late = fleet.watch(b).await;
    late.sees_more(30, "pictures for who came meanwhile").await;
    assert_eq!(fleet.try_to_publish(b).await, 503);
    fleet.redis.up().await;
    until(
        "somebody else to be refused for the right reason",
        || async { fleet.try_to_publish(b).await == 409 },
    )
    .await;
    viewer.sees_more(60, "pictures afterwards").await;
    assert_eq!(fleet.stream(b).await, stream);
    assert!(!viewer.report().await.closed && !late.report().await.closed);
}

/// Two want one channel at the same moment, at two servers: one gets it.
#[tokio::test(flavor = "multi_thread")]
async fn two_publishers_at_two_servers_never_mix() {
    let fleet = Fleet::start(2).await;
    let (one, two) = tokio::join!(fleet.try_to_publish(0), fleet.try_to_publish(1));
    let mut statuses = [one, two];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
}

/// Redis away before anybody publishes: words, and no half of it.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_goes_live_while_servers_cannot_agree() {
    let fleet = Fleet::start(2).await;
    fleet.lines[0].cut();
    until("a refusal in words", || async {
        fleet.try_to_publish(0).await == 503
    })
    .await;
    fleet.lines[0].mend();
    until("it to work again", || async {
        fleet.try_to_publish(0).await == 201
    })
    .await;
}

/// Strangers have no way into what servers ask one another.
#[tokio::test(flavor = "multi_thread")]
async fn what_servers_ask_one_another_is_for_nobody_else() {
    let fleet = Fleet::start(2).await;
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
}

#[expect(
    clippy::print_stdout,
    reason = "figures of a fault, for who asked for it"
)]
fn report(figures: &Value) {
    println!("{figures}");
}
