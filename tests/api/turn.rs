//! TURN in the server: who is told of it, and for how long; within HTTPS as well. Browsers are in the browser tests, and
//! what it refuses is in the tests of `turn/`.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;

use crate::secure;
use crate::support::{Answer, Backend, Server, publish_offer};

const SDP: [(&str, &str); 1] = [("content-type", "application/sdp")];

/// A server of ICE as an answer tells of it.
#[derive(Debug, Clone)]
struct Told {
    url: String,
    username: String,
    credential: String,
}

fn told(answer: &Answer) -> Vec<Told> {
    let links = answer.headers.get_all("link").iter();
    let links = links.map(|link| link.to_str().unwrap());
    let links = links.filter(|link| link.contains("rel=\"ice-server\""));
    let told = links.map(|link| {
        let quoted = |name: &str| {
            let (_, rest) = link.split_once(&format!("{name}=\"")).unwrap();
            rest.split_once('"').unwrap().0.to_owned()
        };
        Told {
            url: link[1..].split_once('>').unwrap().0.to_owned(),
            username: quoted("username"),
            credential: quoted("credential"),
        }
    });
    told.collect()
}

async fn start() -> Server {
    let server = Server::start_with(Backend::Sqlite, |config| {
        config.turn.listen = "127.0.0.1:0".to_owned();
    });
    server.await
}

/// coturn's client makes an allocation; whether it got one.
async fn allocates(server: &Server, at: SocketAddr, who: &Told, flags: &[&str]) -> bool {
    let made = || server.app.services.ice.stats().unwrap().allocations_made;
    let before = made();
    let mut client = Command::new("turnutils_uclient");
    client
        .args([
            "-c",
            "-y",
            "-n",
            "1",
            "-m",
            "1",
            "-p",
            &at.port().to_string(),
        ])
        .args(["-u", &who.username, "-w", &who.credential])
        .args(flags)
        .arg(at.ip().to_string())
        .kill_on_drop(true);
    // It wants a peer that answers, which ours is not; so it is not waited for where it got in.
    let mut running = client
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("turnutils_uclient is installed; `make setup` installs it (Debian package coturn)");
    let got_in = async {
        while made() == before {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let allocated = tokio::select! {
        () = got_in => true,
        _ = running.wait() => made() > before,
        () = tokio::time::sleep(Duration::from_secs(20)) => panic!("neither in nor refused"),
    };
    let _ = running.kill().await;
    allocated
}

#[tokio::test]
async fn who_has_a_session_is_told_of_turn_and_has_it_as_long() {
    let server = start().await;
    server.creator().await;
    let turn = server.app.services.ice.ports().plain.unwrap();
    let encoder = server.encoder("ada").await;
    let published = encoder.publish(publish_offer()).await;
    assert_eq!(published.status, 201, "{published:?}");
    let servers = told(&published);
    let urls: Vec<&str> = servers.iter().map(|server| server.url.as_str()).collect();
    let port = turn.port();
    let udp = format!("turn:127.0.0.1:{port}?transport=udp");
    let tcp = format!("turn:127.0.0.1:{port}?transport=tcp");
    assert_eq!(urls, [udp, tcp]);
    let first = &servers[0];
    let location = published.header("location").to_owned();
    let id = location.rsplit('/').next().unwrap();
    assert!(
        !first.username.contains(id),
        "the session's address is a secret"
    );
    assert!(allocates(&server, turn, first, &[]).await);
    assert!(allocates(&server, turn, first, &["-t"]).await);
    let wrong = Told {
        credential: "AAAAAAAAAAAAAAAAAAAAAAAAAAA=".to_owned(),
        ..first.clone()
    };
    assert!(!allocates(&server, turn, &wrong, &[]).await);

    let anybody = server.anonymous();
    assert_eq!(anybody.delete(&location).await.status, 200);
    let ended = || async { (!allocates(&server, turn, first, &[]).await).then_some(()) };
    server
        .wait_for("the credentials to end with the session", ended)
        .await;
}

#[tokio::test]
async fn who_may_know_is_told_before_there_is_a_session() {
    let server = start().await;
    let (encoder, _) = server.on_air().await;
    let viewer = server.anonymous();
    let options = viewer.send("OPTIONS", "/whep/ada", &[]).await;
    assert_eq!(told(&options).len(), 2, "{options:?}");
    let preflight = [("access-control-request-method", "POST")];
    let preflight = viewer.send("OPTIONS", "/whep/ada", &preflight).await;
    assert!(told(&preflight).is_empty());
    assert!(told(&viewer.send("OPTIONS", "/whip", &[]).await).is_empty());
    assert_eq!(
        told(
            &encoder
                .http
                .send(
                    "OPTIONS",
                    "/whip",
                    &[("authorization", encoder.bearer().as_str())]
                )
                .await
        )
        .len(),
        2
    );
    let turn = server.app.services.ice.ports().plain.unwrap();
    assert!(allocates(&server, turn, &told(&options)[0], &[]).await);
}

#[tokio::test]
async fn it_is_within_https_for_those_who_say_so_and_those_who_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let trusted = secure::issue(folder.path());
    let tls = trusted.clone();
    let server = Server::start_with(Backend::Sqlite, |config| {
        config.turn.listen = "127.0.0.1:0".to_owned();
        config.http.tls_listen = "127.0.0.1:0".to_owned();
        config.server.domain = "localhost".to_owned();
        config.http.public_url = "https://localhost".to_owned();
        config.tls = tls;
    });
    let server = server.await;
    let https = server.app.https.unwrap();
    let servers = server.app.services.ice.of_session("somebody");
    let server_told = servers.last().unwrap();
    let last = Told {
        url: server_told.urls.last().unwrap().clone(),
        username: server_told.username.clone(),
        credential: server_told.credential.clone(),
    };
    assert_eq!(last.url, "turns:localhost:443?transport=tcp");
    assert!(allocates(&server, https, &last, &["-t", "-S"]).await);
    // Requests go on as ever.
    let client = secure::client(&trusted, https).build().unwrap();
    let url = format!("https://localhost:{}/healthz", https.port());
    assert_eq!(client.get(url).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn an_admin_tries_the_way_of_media() {
    let server = start().await;
    let ada = server.creator().await;
    let checks = ada.get("/api/admin/checks").await.json();
    let items = checks["items"].as_array().unwrap();
    let of = |subject: &str| items.iter().find(|item| item["subject"] == subject);
    assert_eq!(of("database").unwrap()["verdict"], "good", "{checks}");
    assert!(
        of("TURN").unwrap()["detail"]
            .as_str()
            .unwrap()
            .contains("port")
    );
    for item in items {
        assert_ne!(item["detail"], Value::Null);
    }
    let tried = ada
        .send_body("POST", "/api/admin/connectivity", &SDP, publish_offer())
        .await;
    assert_eq!(tried.status, 201, "{tried:?}");
    assert!(tried.text.contains("a=candidate"), "{}", tried.text);
    assert_eq!(told(&tried).len(), 2);
    let trial = tried.header("location").to_owned();
    assert_eq!(ada.delete(&trial).await.status, 204);
    assert_eq!(ada.delete(&trial).await.code(), "trial_not_found");
    let refused = ada
        .send_body("POST", "/api/admin/connectivity", &SDP, "v=0".to_owned())
        .await;
    assert_eq!(refused.code(), "offer_refused");
    // Nobody goes live by it, and what nobody ends is over by itself.
    let left = ada
        .send_body("POST", "/api/admin/connectivity", &SDP, publish_offer())
        .await;
    assert_eq!(
        ada.get("/api/channels/ada").await.json()["state"],
        "offline"
    );
    server.clock.advance(Duration::from_secs(31));
    ada.send_body("POST", "/api/admin/connectivity", &SDP, publish_offer())
        .await;
    let path = left.header("location");
    assert_eq!(ada.delete(path).await.code(), "trial_not_found");
}
