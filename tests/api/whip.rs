//! `/whip`: RFC 9725 as INTEROP has it.

use std::time::Duration;

use tallylight::accounts::Role;
use tallylight::config::{IceServer, SecondPublisher};
use tallylight::streams::ChannelState;

use crate::support::{Account, Backend, Server, publish_offer, simulcast_offer};

const SDP: (&str, &str) = ("content-type", "application/sdp");
const FRAGMENT: (&str, &str) = ("content-type", "application/trickle-ice-sdpfrag");
const TRICKLE: &str = "a=ice-ufrag:wxyz\r\na=ice-pwd:0123456789abcdefghijklmn\r\n\
    m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n\
    a=candidate:1 1 udp 2130706431 abc.local 50000 typ host\r\n";
const RESTART: &str = "a=ice-ufrag:new1\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\n\
    m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n";

async fn with_ice_server() -> Server {
    Server::start_with(Backend::Sqlite, |config| {
        config.ice.servers = vec![IceServer {
            urls: vec!["turn:turn.example:3478".into(), "stun:stun.example".into()],
            username: "u".into(),
            credential: "p".into(),
        }];
    })
    .await
}

#[tokio::test]
async fn an_offer_gets_201_with_all_that_clients_need() {
    let server = with_ice_server().await;
    server.creator().await;
    let answer = server.encoder("ada").await.publish(publish_offer()).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.header("content-type"), "application/sdp");
    assert!(answer.text.starts_with("v=0\r\n"));
    assert!(answer.text.contains("a=recvonly"));
    assert!(answer.text.len() < 8192);
    let location = answer.header("location");
    assert!(location.starts_with("/whip/sessions/"), "{location}");
    let tag = answer.header("etag");
    assert!(
        tag.starts_with('"') && tag.ends_with('"') && tag.len() > 2,
        "{tag}"
    );
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert!(
        answer
            .header("access-control-expose-headers")
            .contains("Location")
    );
    assert_eq!(answer.all("link").len(), 2, "one header a server");
    assert!(answer.all("link").iter().all(|link| link.starts_with('<')));
}

#[tokio::test]
async fn every_layer_of_obs_is_accepted() {
    let server = Server::plain().await;
    server.creator().await;
    let answer = server.encoder("ada").await.publish(simulcast_offer()).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert!(
        answer.text.contains("a=simulcast:recv 0;1;2\r\n"),
        "{}",
        answer.text
    );
}

#[tokio::test]
async fn the_key_comes_with_and_without_bearer() {
    let server = Server::plain().await;
    server.creator().await;
    let encoder = server.encoder("ada").await;
    for authorization in [encoder.bearer(), encoder.key.clone()] {
        let answer = encoder
            .publish_at("/whip/ada", &authorization, publish_offer())
            .await;
        assert_eq!(answer.status, 201, "{answer:?}");
        assert_eq!(
            encoder.http.delete(answer.header("location")).await.status,
            200
        );
    }
}

#[tokio::test]
async fn wrong_and_missing_keys_are_refused_in_words() {
    let server = Server::plain().await;
    server.creator().await;
    server.account("eve", Role::Creator).await;
    let encoder = server.encoder("ada").await;
    let wrong = format!("Bearer tl_{}", "a".repeat(40));
    for authorization in [
        wrong.as_str(),
        "Bearer undefined",
        "undefined",
        "Bearer ",
        "Bearer tl_short",
    ] {
        let answer = encoder
            .publish_at("/whip", authorization, publish_offer())
            .await;
        assert_eq!(answer.status, 401, "{authorization}");
        assert_eq!(answer.code(), "stream_key_invalid");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
    let answer = encoder
        .http
        .send_body("POST", "/whip", &[SDP], publish_offer())
        .await;
    assert_eq!(answer.code(), "stream_key_missing");
    let bearer = encoder.bearer();
    let answer = encoder
        .publish_at("/whip/eve", &bearer, publish_offer())
        .await;
    assert_eq!(answer.status, 401, "the key of another channel");
    let answer = encoder
        .publish_at("/whip/nobody", &bearer, publish_offer())
        .await;
    assert_eq!(answer.code(), "channel_not_found");
    let query = format!("/whip?key={}", encoder.key);
    let answer = encoder
        .http
        .send_body("POST", &query, &[SDP], publish_offer())
        .await;
    assert_eq!(answer.status, 401, "never by query string");
}

#[tokio::test]
async fn the_studio_page_publishes_by_its_owners_login() {
    let server = Server::plain().await;
    let ada = server.creator().await;
    let eve = server.account("eve", Role::Creator).await;
    let publish = |who: &Account| {
        let who = who.clone();
        async move {
            who.send_body("POST", "/whip/ada", &[SDP], publish_offer())
                .await
        }
    };
    assert_eq!(publish(&eve).await.code(), "forbidden");
    let foreign = Account(ada.0.clone().of_origin(Some("https://evil.example")));
    assert_eq!(publish(&foreign).await.code(), "origin_refused");
    let no_page = Account(ada.0.clone().of_origin(None));
    assert_eq!(publish(&no_page).await.code(), "origin_refused");
    assert_eq!(publish(&ada).await.status, 201);
}

#[tokio::test]
async fn what_is_no_offer_is_named() {
    let server = Server::plain().await;
    server.creator().await;
    let encoder = server.encoder("ada").await;
    let bearer = encoder.bearer();
    let send = |content_type: &'static str, body: String| {
        let (http, bearer) = (encoder.http.clone(), bearer.clone());
        async move {
            let headers = [("content-type", content_type), ("authorization", &*bearer)];
            http.send_body("POST", "/whip", &headers, body).await
        }
    };
    assert_eq!(send("text/plain", publish_offer()).await.status, 415);
    let with_charset = "application/sdp; charset=utf-8";
    assert_eq!(
        send(with_charset, "nonsense".into()).await.code(),
        "sdp_invalid"
    );
    assert_eq!(send("application/sdp", String::new()).await.status, 400);
    let long = "v=0\r\n".repeat(14_000);
    let answer = send("application/sdp", long).await;
    assert_eq!(answer.status, 413);
    assert_eq!(answer.code(), "body_too_long");
    let two_videos = publish_offer();
    let video = two_videos.find("m=video").unwrap();
    let second = two_videos[video..].replace("a=mid:1", "a=mid:2");
    let answer = send("application/sdp", format!("{two_videos}{second}")).await;
    assert_eq!(answer.status, 422);
    assert_eq!(answer.code(), "too_many_tracks");
    let no_codec = publish_offer()
        .replace("H264/", "H999/")
        .replace("VP8/", "VP0/");
    assert_eq!(
        send("application/sdp", no_codec).await.code(),
        "no_usable_codec"
    );
    let receiving = publish_offer().replace("sendonly", "recvonly");
    assert_eq!(
        send("application/sdp", receiving).await.code(),
        "direction_wrong"
    );
    assert_eq!(
        server.live("ada").await.map(|live| live.state),
        None,
        "no refused offer leaves anything behind"
    );
    assert_eq!(encoder.publish(publish_offer()).await.status, 201);
}

#[tokio::test]
async fn patch_trickles_with_whatever_if_match_clients_send() {
    let server = Server::plain().await;
    server.creator().await;
    let encoder = server.encoder("ada").await;
    let answer = encoder.publish(publish_offer()).await;
    let (url, tag) = (answer.header("location"), answer.header("etag"));
    for matching in [None, Some("*"), Some("\"*\""), Some(tag)] {
        let mut headers = vec![FRAGMENT];
        headers.extend(matching.map(|tag| ("if-match", tag)));
        let answer = encoder
            .http
            .send_body("PATCH", url, &headers, TRICKLE)
            .await;
        assert_eq!(answer.status, 204, "{matching:?} {answer:?}");
        assert_eq!(answer.text, "");
        assert_eq!(answer.header("etag"), "", "trickling changes no tag");
    }
    let stale = [FRAGMENT, ("if-match", "\"old\"")];
    let answer = encoder.http.send_body("PATCH", url, &stale, TRICKLE).await;
    assert_eq!(answer.status, 412);
    let answer = encoder.http.send_body("PATCH", url, &[SDP], TRICKLE).await;
    assert_eq!(answer.status, 415);
    let unknown = format!("/whip/sessions/{}", "0".repeat(32));
    let answer = encoder
        .http
        .send_body("PATCH", &unknown, &[FRAGMENT], TRICKLE)
        .await;
    assert_eq!(answer.code(), "session_not_found");
}

#[tokio::test]
async fn new_credentials_restart_ice_and_change_the_tag() {
    let server = Server::plain().await;
    server.creator().await;
    let encoder = server.encoder("ada").await;
    let answer = encoder.publish(publish_offer()).await;
    let (url, tag) = (answer.header("location"), answer.header("etag"));
    let restart = |headers: Vec<(&'static str, String)>| {
        let (http, url) = (encoder.http.clone(), url.to_owned());
        async move {
            let headers: Vec<_> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
            http.send_body("PATCH", &url, &headers, RESTART).await
        }
    };
    let fragment = || (FRAGMENT.0, FRAGMENT.1.to_owned());
    assert_eq!(restart(vec![fragment()]).await.status, 428);
    let restarted = restart(vec![fragment(), ("if-match", tag.to_owned())]).await;
    assert_eq!(restarted.status, 200, "{restarted:?}");
    assert_eq!(restarted.header("content-type"), FRAGMENT.1);
    assert!(
        restarted.text.contains("a=ice-ufrag:"),
        "{}",
        restarted.text
    );
    let new_tag = restarted.header("etag");
    assert!(new_tag.starts_with('"') && new_tag != tag);
    let stale = [FRAGMENT, ("if-match", tag)];
    let answer = encoder.http.send_body("PATCH", url, &stale, TRICKLE).await;
    assert_eq!(answer.status, 412);
}

#[tokio::test]
async fn an_indented_fragment_restarts_ice_like_any_other() {
    let server = Server::plain().await;
    server.creator().await;
    let encoder = server.encoder("ada").await;
    let answer = encoder.publish(publish_offer()).await;
    let (url, tag) = (answer.header("location"), answer.header("etag"));
    let indented = RESTART.replace("a=ice", " a=ice");
    let without_tag = [FRAGMENT];
    let with_tag = [FRAGMENT, ("if-match", tag)];
    for (headers, status) in [(&without_tag[..], 428), (&with_tag[..], 200)] {
        let answer = encoder
            .http
            .send_body("PATCH", url, headers, indented.clone())
            .await;
        assert_eq!(answer.status, status, "{answer:?}");
    }
}

#[tokio::test]
async fn a_key_revoked_while_its_offer_is_under_way_publishes_nothing() {
    let server = Server::plain().await;
    let ada = server.creator().await;
    let encoder = server.encoder("ada").await;
    let (release, held) = tokio::sync::oneshot::channel::<()>();
    let body = futures_util::stream::once(async move {
        held.await.unwrap();
        Ok::<_, std::io::Error>(publish_offer())
    });
    let publishing = tokio::spawn({
        let (http, bearer) = (encoder.http.clone(), encoder.bearer());
        async move {
            let headers = [SDP, ("authorization", bearer.as_str())];
            let body = reqwest::Body::wrap_stream(body);
            http.send_body("POST", "/whip", &headers, body).await
        }
    });
    let keys = ada.get("/api/channels/ada/stream_keys").await.json();
    let id = keys["items"][0]["id"].as_str().unwrap().to_owned();
    let url = format!("/api/channels/ada/stream_keys/{id}");
    assert_eq!(ada.delete(&url).await.status, 204);
    release.send(()).unwrap();
    let answer = publishing.await.unwrap();
    assert_eq!(answer.status, 401, "{answer:?}");
    assert_eq!(answer.code(), "stream_key_invalid");
}

#[tokio::test]
async fn the_login_of_a_proxy_in_front_is_not_taken_for_a_stream_key() {
    let server = Server::plain().await;
    let ada = server.creator().await;
    let headers = [SDP, ("authorization", "Basic YTpi")];
    let answer = ada
        .send_body("POST", "/whip/ada", &headers, publish_offer())
        .await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let answer = server
        .anonymous()
        .send_body("POST", "/whip/ada", &headers, publish_offer())
        .await;
    assert_eq!(answer.code(), "stream_key_missing");
}

#[tokio::test]
async fn a_session_url_suffices_but_a_wrong_key_sent_along_is_refused() {
    let server = Server::plain().await;
    server.creator().await;
    server.account("eve", Role::Creator).await;
    let encoder = server.encoder("ada").await;
    let other = server.encoder("eve").await;
    let answer = encoder.publish(publish_offer()).await;
    let url = answer.header("location");
    let wrong = other.bearer();
    for authorization in [wrong.as_str(), "Bearer undefined", "nonsense"] {
        let headers = [FRAGMENT, ("authorization", authorization)];
        let answer = encoder
            .http
            .send_body("PATCH", url, &headers, TRICKLE)
            .await;
        assert_eq!(answer.status, 401, "{authorization}");
        let headers = [("authorization", authorization)];
        assert_eq!(encoder.http.send("DELETE", url, &headers).await.status, 401);
    }
    let headers = [
        ("authorization", encoder.key.as_str()),
        ("if-match", "\"old\""),
    ];
    assert_eq!(encoder.http.send("DELETE", url, &headers).await.status, 200);
    let gone = server
        .wait_for("the session to be gone", || async {
            let answer = encoder.http.delete(url).await;
            (answer.status == 404).then_some(answer)
        })
        .await;
    assert_eq!(gone.code(), "session_not_found");
}

#[tokio::test]
async fn a_viewers_url_is_no_publishers_url() {
    let server = Server::plain().await;
    let (encoder, session) = server.on_air().await;
    let url = format!("/whep/sessions/{}", session.reveal());
    assert_eq!(encoder.http.delete(&url).await.status, 404);
}

#[tokio::test]
async fn delete_ends_the_stream_at_once() {
    let server = Server::plain().await;
    let (encoder, session) = server.on_air().await;
    let url = format!("/whip/sessions/{}", session.reveal());
    assert_eq!(encoder.http.delete(&url).await.status, 200);
    assert!(server.live("ada").await.is_none());
}

#[tokio::test]
async fn a_second_publisher_is_refused_until_the_first_is_silent() {
    let server = Server::plain().await;
    let (encoder, first) = server.on_air().await;
    let refused = encoder.publish(publish_offer()).await;
    assert_eq!(refused.status, 409);
    assert_eq!(refused.code(), "already_live");
    assert_eq!(refused.header("retry-after"), "2");
    let stream = server.live("ada").await.unwrap().stream;
    server.media_stops(first).await;
    let second = server
        .wait_for("the second to take over", || async {
            let answer = encoder.publish(publish_offer()).await;
            (answer.status == 201).then(|| answer.session())
        })
        .await;
    assert_ne!(first, second);
    server.media_connects("ada", second).await;
    let now = server.wait_for_state("ada", ChannelState::Live).await;
    assert_eq!(now, stream, "it is the same stream");
    let url = format!("/whip/sessions/{first}");
    server
        .wait_for("the first to be closed", || async {
            (encoder.http.get(&url).await.status == 404).then_some(())
        })
        .await;
}

#[tokio::test]
async fn a_lost_publisher_comes_back_to_the_same_stream_within_the_window() {
    let server = Server::plain().await;
    let (encoder, session) = server.on_air().await;
    let stream = server.live("ada").await.unwrap().stream;
    server.media_is_lost(session).await;
    server
        .wait_for_state("ada", ChannelState::Reconnecting)
        .await;
    server.clock.advance(Duration::from_secs(25));
    let back = encoder.publish(publish_offer()).await;
    assert_eq!(back.status, 201, "{back:?}");
    server.media_connects("ada", back.session()).await;
    let now = server.wait_for_state("ada", ChannelState::Live).await;
    assert_eq!(now, stream, "it is the same stream");
}

#[tokio::test]
async fn takeover_at_once_is_a_setting() {
    let server = Server::start_with(Backend::Sqlite, |config| {
        config.streams.second_publisher = SecondPublisher::Takeover;
    })
    .await;
    let (encoder, _) = server.on_air().await;
    assert_eq!(encoder.publish(publish_offer()).await.status, 201);
}

#[tokio::test]
async fn get_head_and_options_are_as_the_rfc_has_them() {
    let server = with_ice_server().await;
    server.creator().await;
    let encoder = server.encoder("ada").await;
    let answer = encoder.publish(publish_offer()).await;
    let url = answer.header("location");
    for path in ["/whip", "/whip/ada", url] {
        for method in ["GET", "HEAD"] {
            let answer = encoder.http.send(method, path, &[]).await;
            assert_eq!(answer.status, 204, "{method} {path}");
        }
        let put = encoder.http.send("PUT", path, &[]).await;
        assert_eq!(put.status, 405, "{path}");
        assert!(!put.header("allow").is_empty());
        let options = encoder.http.send("OPTIONS", path, &[]).await;
        assert_eq!(options.status, 200, "{path}");
        assert_eq!(options.header("accept-post"), "application/sdp");
        assert!(
            options
                .header("access-control-allow-methods")
                .contains("PATCH")
        );
        assert!(
            options
                .header("access-control-allow-headers")
                .contains("If-Match")
        );
        assert_eq!(options.all("link").len(), 0, "nobody said who they are");
    }
    let bearer = encoder.bearer();
    let known = [("authorization", bearer.as_str())];
    let options = encoder.http.send("OPTIONS", "/whip", &known).await;
    assert_eq!(options.all("link").len(), 2);
    let preflight = [known[0], ("access-control-request-method", "POST")];
    let options = encoder.http.send("OPTIONS", "/whip", &preflight).await;
    assert_eq!(options.all("link").len(), 0);
}

#[tokio::test]
async fn offers_are_limited_by_address() {
    let server = Server::start_with(Backend::Sqlite, |config| {
        config.limits.publishes_per_minute = 2;
        config.limits.loopback_factor = 1;
    })
    .await;
    server.creator().await;
    let encoder = server.encoder("ada").await;
    for _ in 0..2 {
        let answer = encoder.publish("nonsense".into()).await;
        assert_eq!(answer.code(), "sdp_invalid");
    }
    let answer = encoder.publish(publish_offer()).await;
    assert_eq!(answer.status, 429);
    assert!(!answer.header("retry-after").is_empty());
}

#[tokio::test]
async fn connections_that_never_come_about_are_limited() {
    let server = Server::start_with(Backend::Sqlite, |config| {
        config.limits.half_open_per_address = 1;
        config.limits.loopback_factor = 1;
        config.streams.second_publisher = SecondPublisher::Takeover;
    })
    .await;
    server.creator().await;
    let encoder = server.encoder("ada").await;
    assert_eq!(encoder.publish(publish_offer()).await.status, 201);
    let answer = encoder.publish(publish_offer()).await;
    assert_eq!(answer.code(), "too_many_half_open");
}

#[tokio::test]
async fn a_draining_server_takes_no_new_sessions() {
    let server = Server::plain().await;
    server.creator().await;
    server.app.services.streams.drain();
    let answer = server.encoder("ada").await.publish(publish_offer()).await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.code(), "shutting_down");
    assert!(!answer.header("retry-after").is_empty());
}
