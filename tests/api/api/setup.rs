//! `/api/setup`.

use serde_json::{Value, json};

use crate::support::{Account, Server, on_both_databases};

fn wish(server: &Server) -> Value {
    let token = server.app.setup.as_ref().unwrap().reveal();
    json!({ "token": token, "name": "Ada", "password": "correct horse", "handle": "Ada" })
}

on_both_databases! {
    async fn the_link_makes_the_first_account_once(server) {
        let person = server.anonymous();
        assert_eq!(person.get("/api/setup").await.json(), json!({ "needed": true }));
        let answer = person.post("/api/setup", wish(server)).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let body = answer.json();
        assert_eq!(body["account"]["role"], "admin");
        assert_eq!(body["channels"][0]["handle"], "ada");
        assert!(Account::with_cookie_of(person.clone(), &answer).is_signed_in().await);
        assert_eq!(person.get("/api/setup").await.json(), json!({ "needed": false }));
        let again = person.post("/api/setup", wish(server)).await;
        assert_eq!(again.status, 403);
        assert_eq!(again.code(), "setup_token_invalid");
    }
}

#[tokio::test]
async fn a_wrong_token_is_refused() {
    let server = Server::plain().await;
    let mut wish = wish(&server);
    wish["token"] = "x".into();
    let answer = server.anonymous().post("/api/setup", wish).await;
    assert_eq!(answer.code(), "setup_token_invalid");
}

#[tokio::test]
async fn a_refused_wish_leaves_the_link_good_and_nothing_behind() {
    let server = Server::plain().await;
    let person = server.anonymous();
    for (field, value, code) in [
        ("password", "short", "password_invalid"),
        ("name", "", "name_invalid"),
        ("handle", "a b", "handle_invalid"),
        ("handle", "studio", "handle_invalid"),
    ] {
        let mut wrong = wish(&server);
        wrong[field] = value.into();
        let answer = person.post("/api/setup", wrong).await;
        assert_eq!(answer.status, 422);
        assert_eq!(answer.code(), code);
    }
    let answer = person.post("/api/setup", wish(&server)).await;
    assert_eq!(answer.status, 201, "{answer:?}");
}

#[tokio::test]
async fn two_at_once_do_not_both_succeed() {
    let server = Server::plain().await;
    let (one, two) = (server.anonymous(), server.anonymous());
    let mut other = wish(&server);
    other["name"] = "Eve".into();
    other["handle"] = "eve".into();
    let (one, two) = tokio::join!(
        one.post("/api/setup", wish(&server)),
        two.post("/api/setup", other)
    );
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 403]);
}

#[tokio::test]
async fn the_link_is_armed_only_without_accounts() {
    let server = Server::plain().await;
    server.creator().await;
    let accounts = &server.app.services.accounts;
    assert!(accounts.arm_setup().await.unwrap().is_none());
    let answer = server.anonymous().post("/api/setup", wish(&server)).await;
    assert_eq!(
        answer.status, 403,
        "an account was made on the command line"
    );
}
