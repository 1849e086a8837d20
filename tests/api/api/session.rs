//! `/api/session`, and `/api/auth/login` and `logout`.

use std::time::Duration;

use serde_json::json;

use crate::support::{Account, Backend, Server, on_both_databases};

on_both_databases! {
    async fn signing_in_and_out(server) {
        let ada = server.creator().await;
        let body = ada.get("/api/session").await.json();
        assert_eq!(body["account"]["name"], "ada");
        assert_eq!(body["channels"], json!([{ "handle": "ada", "name": "ada", "record": true }]));
        assert_eq!(ada.send("POST", "/api/auth/logout", &[]).await.status, 204);
        let answer = ada.get("/api/session").await;
        assert_eq!(answer.status, 401);
        assert_eq!(answer.code(), "not_signed_in");
    }

    async fn a_name_that_no_database_could_hold_is_a_wrong_one(server) {
        server.creator().await;
        let body = json!({ "name": "a\u{0}da", "password": "correct horse" });
        let answer = server.anonymous().post("/api/auth/login", body).await;
        assert_eq!(answer.code(), "wrong_password", "{answer:?}");
    }

    async fn a_login_ends_after_its_time(server) {
        let ada = server.creator().await;
        server.clock.advance(Duration::from_secs(29 * 24 * 3600));
        assert!(ada.is_signed_in().await);
        server.clock.advance(Duration::from_secs(2 * 24 * 3600));
        assert!(!ada.is_signed_in().await);
    }
}

#[tokio::test]
async fn names_are_found_however_they_are_written() {
    let server = Server::plain().await;
    server.creator().await;
    Account::sign_in(&server, " ADA ", "correct horse").await;
}

#[tokio::test]
async fn wrong_names_and_wrong_passwords_look_alike() {
    let server = Server::plain().await;
    server.creator().await;
    let person = server.anonymous();
    let mut answers = Vec::new();
    for (name, password) in [("ada", "wrong"), ("nobody", "correct horse")] {
        let body = json!({ "name": name, "password": password });
        answers.push(person.post("/api/auth/login", body).await);
    }
    assert_eq!(answers[0].status, 401);
    assert_eq!(answers[0].code(), "wrong_password");
    assert_eq!(answers[0].text, answers[1].text);
}

#[tokio::test]
async fn the_sixth_try_in_a_quarter_of_an_hour_waits() {
    let server = Server::plain().await;
    server.creator().await;
    let person = server.anonymous();
    let wrong = json!({ "name": "ada", "password": "wrong" });
    let right = json!({ "name": "ada", "password": "correct horse" });
    for _ in 0..5 {
        assert_eq!(
            person.post("/api/auth/login", wrong.clone()).await.status,
            401
        );
    }
    let answer = person.post("/api/auth/login", right.clone()).await;
    assert_eq!(answer.status, 429);
    assert_eq!(answer.code(), "too_many_requests");
    let seconds: u64 = answer.header("retry-after").parse().unwrap();
    assert!((1..=900).contains(&seconds));
    server.clock.advance(Duration::from_secs(31 * 60));
    assert_eq!(person.post("/api/auth/login", right).await.status, 200);
}

#[tokio::test]
async fn many_tries_at_once_are_many() {
    let server = Server::plain().await;
    server.creator().await;
    let wrong = json!({ "name": "ada", "password": "wrong" });
    let tries: Vec<_> = (0..20)
        .map(|_| {
            let (person, wrong) = (server.anonymous(), wrong.clone());
            tokio::spawn(async move { person.post("/api/auth/login", wrong).await.status })
        })
        .collect();
    let mut statuses = Vec::new();
    for tried in tries {
        statuses.push(tried.await.unwrap());
    }
    let looked_at = statuses.iter().filter(|status| **status == 401).count();
    assert_eq!(looked_at, 5, "{statuses:?}");
}

#[tokio::test]
async fn right_passwords_of_a_household_do_not_count() {
    let server = Server::plain().await;
    server.creator().await;
    for _ in 0..40 {
        Account::sign_in(&server, "ada", "correct horse").await;
    }
}

#[tokio::test]
async fn a_new_login_replaces_the_old_one() {
    let server = Server::plain().await;
    let ada = server.creator().await;
    let body = json!({ "name": "ada", "password": "correct horse" });
    let answer = ada.post("/api/auth/login", body).await;
    let again = Account::with_cookie_of(server.anonymous(), &answer);
    assert!(again.is_signed_in().await);
    assert!(!ada.is_signed_in().await);
}

#[tokio::test]
async fn the_cookie_is_out_of_reach_for_scripts_and_other_sites() {
    let server = Server::plain().await;
    server.creator().await;
    let body = json!({ "name": "ada", "password": "correct horse" });
    let answer = server
        .anonymous()
        .post("/api/auth/login", body.clone())
        .await;
    let cookie = answer.header("set-cookie");
    assert!(cookie.starts_with("tallylight="), "{cookie}");
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"),
        "{cookie}"
    );
    assert!(
        !cookie.contains("Secure"),
        "browsers would drop it on http: {cookie}"
    );
    let headers = [
        ("content-type", "application/json"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "live.example"),
    ];
    let over_tls = server.anonymous().of_origin(Some("https://live.example"));
    let answer = over_tls
        .send_body("POST", "/api/auth/login", &headers, body.to_string())
        .await;
    let cookie = answer.header("set-cookie");
    assert!(cookie.starts_with("__Host-tallylight="), "{cookie}");
    assert!(cookie.contains("; Secure"), "{cookie}");
    assert!(!answer.header("strict-transport-security").is_empty());
}

#[tokio::test]
async fn only_our_own_pages_may_change_things() {
    let server = Server::plain().await;
    let ada = server.creator().await;
    let base = ada.base.clone();
    let evil = format!("{base}.evil.example");
    for origin in [
        None,
        Some("null"),
        Some("https://evil.example"),
        Some(evil.as_str()),
    ] {
        let foreign = Account(ada.0.clone().of_origin(origin));
        let answer = foreign.send("POST", "/api/auth/logout", &[]).await;
        assert_eq!(answer.status, 403, "{origin:?}");
        assert_eq!(answer.code(), "origin_refused");
        assert_eq!(answer.header("access-control-allow-origin"), "");
    }
    let quiet = Account(ada.0.clone().of_origin(None));
    let own = [("sec-fetch-site", "same-origin")];
    assert_eq!(
        quiet.send("POST", "/api/auth/logout", &own).await.status,
        204
    );
}

#[tokio::test]
async fn bodies_that_are_no_json_are_refused_as_problems() {
    let server = Server::plain().await;
    let person = server.anonymous();
    let json: &[(&str, &str)] = &[("content-type", "application/json")];
    let send = |headers: &'static [(&str, &str)], body: String| {
        let person = person.clone();
        async move {
            person
                .send_body("POST", "/api/auth/login", headers, body)
                .await
        }
    };
    let text: &[(&str, &str)] = &[("content-type", "text/plain")];
    assert_eq!(send(text, "{}".into()).await.status, 415);
    assert_eq!(send(json, "{".into()).await.status, 400);
    assert_eq!(send(json, "{}".into()).await.code(), "missing_field");
    let deep = "[".repeat(10_000);
    assert!(send(json, deep).await.status.is_client_error());
    let long = format!("{{\"name\":\"{}\"}}", "x".repeat(2 * 1024 * 1024));
    assert_eq!(send(json, long).await.status, 413);
}

#[tokio::test]
async fn a_proxy_names_the_address_that_is_counted() {
    let server = Server::start_with(Backend::Sqlite, |config| {
        config.limits.sign_ins_per_quarter_hour = 1;
    })
    .await;
    server.creator().await;
    let person = server.anonymous();
    let body = json!({ "name": "ada", "password": "wrong" }).to_string();
    let from = |address: &'static str| {
        let (person, body) = (person.clone(), body.clone());
        async move {
            let headers = [
                ("content-type", "application/json"),
                ("x-forwarded-for", address),
            ];
            person
                .send_body("POST", "/api/auth/login", &headers, body)
                .await
        }
    };
    assert_eq!(from("203.0.113.7").await.status, 401);
    assert_eq!(from("203.0.113.7").await.status, 429);
    assert_eq!(from("203.0.113.8").await.status, 401);
}
