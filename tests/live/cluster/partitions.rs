//! Servers that do not hear of Redis, of one another, or of anybody.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::json;

use super::fleet::Fleet;
use super::network::Way;
use super::report;
use crate::support::until;

/// Redis away from the origin alone: nobody notices, and nobody else may publish.
#[test]
fn a_server_that_redis_does_not_hear_of_keeps_its_stream() {
    Fleet::run(3, async |fleet| {
        apart_for(fleet, Duration::from_secs(12)).await
    });
}

#[test]
#[ignore = "it takes a minute and a half; `make fault F=F24`"]
fn a_server_apart_for_a_minute_keeps_its_stream() {
    Fleet::run(3, async |fleet| {
        apart_for(fleet, Duration::from_secs(60)).await
    });
}

async fn apart_for(fleet: Fleet, time: Duration) {
    let [a, b, c] = [0, 1, 2];
    let _publishing = fleet.publish(a);
    fleet.until_live(&[a, b, c]).await;
    let viewer = fleet.watch(c).await;
    viewer.sees_more(60, "pictures").await;
    let stream = fleet.stream(c).await;

    fleet.cut(a, Way::ToRedis);
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
    fleet.mend(a, Way::ToRedis);
    until("all to be one again", || async {
        fleet.metric(a, "tallylight_bus_up").await == 1.0
    })
    .await;
    viewer.sees_more(60, "pictures afterwards").await;
    fleet.until_state(&[a, b, c], "live").await;
    assert_eq!(fleet.stream(c).await, stream);
    report(&json!({
        "id": "F24", "apart_s": time.as_secs(), "network": fleet.network.name(), "pass": true,
        "refused": refused,
    }));
}

/// Redis away from all, and empty when it is back.
#[test]
fn all_go_on_without_redis_and_after_it_was_emptied() {
    Fleet::run(2, async |mut fleet| {
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
    });
}

/// Redis away before anybody publishes: words, and no half of it.
#[test]
fn nobody_goes_live_while_servers_cannot_agree() {
    Fleet::run(2, async |fleet| {
        fleet.cut(0, Way::ToRedis);
        until("a refusal in words", || async {
            fleet.try_to_publish(0).await == 503
        })
        .await;
        fleet.mend(0, Way::ToRedis);
        until("it to work again", || async {
            fleet.try_to_publish(0).await == 201
        })
        .await;
    });
}

/// An edge that its origin is out of reach for says so, and nobody else notices.
#[test]
#[ignore = "with others it takes too long; `make fault F=F24`"]
fn an_edge_that_cannot_reach_the_origin_says_so_until_it_can() {
    Fleet::run_in_namespaces(3, async |fleet| {
        let [a, b, c] = [0, 1, 2];
        let _publishing = fleet.publish(a);
        fleet.until_live(&[a, b, c]).await;
        let (at_b, at_c) = (fleet.watch(b).await, fleet.watch(c).await);
        at_c.sees_more(60, "pictures").await;
        let ingest = "/api/channels/ada/ingest";
        let told = fleet.get_as_owner(c, ingest).await;
        assert_eq!(told["state"], "receiving", "{told}");
        let stream = fleet.stream(c).await;

        fleet.cut(a, Way::To(fleet.host(c)));
        let clock = tallylight::clock::Clock::system();
        let began = clock.instant();
        fleet.until_state(&[c], "reconnecting").await;
        let told = began.elapsed();
        // What it cannot ask it does not know, and says so.
        let asked = clock.instant();
        let away = fleet.get_as_owner(c, ingest).await;
        let answered = asked.elapsed();
        assert_eq!(away["code"], "server_away", "{away}");
        // Longer than the session by which it pulls lasts without an answer.
        while began.elapsed() < Duration::from_secs(30) {
            at_b.sees_more(30, "pictures at the other edge").await;
            let states = [
                fleet.state(a).await,
                fleet.state(b).await,
                fleet.state(c).await,
            ];
            assert_eq!(
                states,
                ["live", "live", "reconnecting"],
                "{:?}",
                began.elapsed()
            );
        }
        // Who comes meanwhile waits with the others.
        let late = fleet.watch(c).await;
        assert_eq!(fleet.try_to_publish(c).await, 409, "it is on air");

        fleet.mend(a, Way::To(fleet.host(c)));
        let mended = began.elapsed();
        fleet.until_live(&[a, b, c]).await;
        for viewer in [&at_c, &late] {
            viewer.sees_more(60, "pictures again").await;
        }
        let back = began.elapsed() - mended;
        assert_eq!(fleet.stream(c).await, stream, "the same stream");
        assert!(!at_c.report().await.closed, "the same session");
        until("one session an edge", || async {
            fleet.metric(a, "tallylight_sfu_relays").await == 2.0
        })
        .await;
        report(&json!({
            "id": "F24", "unreachable_s": mended.as_secs_f64(), "network": fleet.network.name(),
            "pass": true, "told_s": told.as_secs_f64(), "answered_s": answered.as_secs_f64(),
            "whep_again_s": back.as_secs_f64(),
        }));
    });
}

/// A server and an encoder beside it see nobody else: its channel goes on at another with another encoder, and
/// what it still has when it is back is not mixed with that.
#[test]
#[ignore = "it takes a minute; `make fault F=F24`"]
fn a_server_that_was_cut_off_from_all_lets_go_of_its_stream() {
    Fleet::run_in_namespaces(3, async |fleet| {
        is_cut_off_from_all(fleet, Duration::from_secs(20), true).await;
    });
}

/// For longer than the reconnect window, with an encoder that is switched off at once: that it is over there
/// ends it nowhere else.
#[test]
#[ignore = "it takes a minute; `make fault F=F24`"]
fn what_ended_at_a_server_that_was_cut_off_goes_on_at_another() {
    Fleet::run_in_namespaces(3, async |fleet| {
        is_cut_off_from_all(fleet, Duration::from_secs(36), false).await;
    });
}

async fn is_cut_off_from_all(fleet: Fleet, time: Duration, encoder_stays: bool) {
    let [a, b, c] = [0, 1, 2];
    let mut beside = Some(fleet.publish_beside(a));
    fleet.until_live(&[a, b, c]).await;
    let viewer = fleet.watch(c).await;
    viewer.sees_more(60, "pictures").await;
    let uri = fleet.playlist_uri(c).await;
    let before = fleet.playlist_of(c, &uri, 2).await;
    let stream = fleet.stream(c).await;

    fleet.cut(a, Way::Any);
    beside = beside.filter(|_| encoder_stays);
    let clock = tallylight::clock::Clock::system();
    let began = clock.instant();
    fleet.until_state(&[b, c], "reconnecting").await;
    let told = began.elapsed();
    let _publishing = fleet.publish(b);
    fleet.until_publishing(b).await;
    let published = began.elapsed();
    viewer.sees_more(60, "pictures of the new origin").await;
    let watched = began.elapsed();
    while began.elapsed() < time {
        viewer.sees_more(30, "pictures while it is cut off").await;
    }
    assert_eq!(fleet.metric(b, "tallylight_cluster_leases").await, 1.0);

    fleet.mend(a, Way::Any);
    let mended = began.elapsed();
    until("it to let go", || async {
        fleet.metric(a, "tallylight_cluster_leases").await == 0.0
            && fleet.metric(a, "tallylight_sfu_publishers").await == 0.0
            && fleet.state(a).await == "live"
    })
    .await;
    let let_go = began.elapsed() - mended;
    // The encoder beside it asks again twice a second.
    let late = fleet.watch(a).await;
    for viewer in [&viewer, &late] {
        viewer.sees_more(150, "pictures of the one publisher").await;
    }
    for server in [a, b, c] {
        assert_eq!(fleet.stream(server).await, stream, "the same stream");
        let held = fleet.metric(server, "tallylight_cluster_leases").await;
        assert_eq!(held, f64::from(u8::from(server == b)), "{server}");
        until("its HLS to be of the one publisher", || async {
            let of_one = initialisations(&fleet, b, &uri, before.end()).await;
            of_one.len() == 1 && initialisations(&fleet, server, &uri, before.end()).await == of_one
        })
        .await;
    }
    assert!(!viewer.report().await.closed, "the same session");
    drop(beside);
    report(&json!({
        "id": "F24", "encoder_stays": encoder_stays,
        "cut_off_s": mended.as_secs_f64(), "network": fleet.network.name(),
        "pass": true, "told_s": told.as_secs_f64(), "published_again_s": published.as_secs_f64(),
        "whep_again_s": watched.as_secs_f64(), "let_go_s": let_go.as_secs_f64(),
    }));
}

/// Those of the segments since then: each beginning of a packager has others.
async fn initialisations(fleet: &Fleet, server: usize, uri: &str, since: u64) -> HashSet<String> {
    let playlist = fleet.playlist(server, uri).await;
    let segments = playlist
        .map(|playlist| playlist.segments)
        .unwrap_or_default();
    let newer = segments.into_iter().filter(|one| one.msn > since);
    newer.map(|one| one.map).collect()
}
