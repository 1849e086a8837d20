//! How much of the API each may use.

use crate::support::{Anonymous, Backend, Server};

async fn with_three_reads() -> Server {
    Server::start_with(Backend::Sqlite, |config| {
        config.limits.api_reads_per_minute = 3;
        config.limits.api_writes_per_minute = 2;
        config.limits.loopback_factor = 1;
    })
    .await
}

/// Reads from an address behind the proxy of this machine; gives the status.
async fn read_from(person: &Anonymous, address: &str) -> u16 {
    let headers = [("x-forwarded-for", address)];
    person
        .send("GET", "/api/channels", &headers)
        .await
        .status
        .as_u16()
}

#[tokio::test]
async fn every_answer_tells_what_is_left_and_429_when_to_come_back() {
    let server = with_three_reads().await;
    let person = server.anonymous();
    for left in [2, 1, 0] {
        let answer = person.get("/api/channels").await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("ratelimit-policy"), "\"reads\";q=3;w=60");
        let told = answer.header("ratelimit");
        assert!(
            told.starts_with(&format!("\"reads\";r={left};t=")),
            "{told}"
        );
    }
    let answer = person.get("/api/channels").await;
    assert_eq!(answer.status, 429);
    assert_eq!(answer.code(), "too_many_requests");
    let wait: u64 = answer.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert!(answer.header("ratelimit").starts_with("\"reads\";r=0;t="));
    server.clock.advance(std::time::Duration::from_secs(120));
    assert_eq!(person.get("/api/channels").await.status, 200);
}

#[tokio::test]
async fn reads_and_writes_accounts_and_addresses_have_budgets_of_their_own() {
    let server = with_three_reads().await;
    let ada = server.creator().await;
    let person = server.anonymous();
    for _ in 0..3 {
        assert_eq!(person.get("/api/channels").await.status, 200);
    }
    assert_eq!(person.get("/api/channels").await.status, 429);
    let answer = ada.get("/api/channels").await;
    assert_eq!(answer.status, 200, "she is counted by her account");
    let answer = ada.send("POST", "/api/channels", &[]).await;
    assert_eq!(answer.status, 415);
    assert_eq!(answer.header("ratelimit-policy"), "\"writes\";q=2;w=60");
}

#[tokio::test]
async fn a_network_of_ipv6_is_one_address() {
    let server = with_three_reads().await;
    let person = server.anonymous();
    for address in ["2001:db8::1", "2001:db8::2", "2001:db8::ffff:1"] {
        assert_eq!(read_from(&person, address).await, 200);
    }
    assert_eq!(read_from(&person, "2001:db8::3").await, 429);
    assert_eq!(read_from(&person, "2001:db8:0:1::1").await, 200);
}

#[tokio::test]
async fn media_and_pages_are_not_counted() {
    let server = with_three_reads().await;
    let person = server.anonymous();
    for path in ["/", "/hls/ada/index.m3u8", "/api/openapi.json"] {
        for _ in 0..5 {
            let answer = person.get(path).await;
            assert_ne!(answer.status, 429, "{path}");
            assert_eq!(answer.header("ratelimit"), "", "{path}");
        }
    }
}
