//! `/api/account` and what stands below it.

use std::time::Duration;

use serde_json::{Value, json};
use tallylight::accounts::{Need, Role, need};
use tallylight::audit::Soundness;

use crate::support::{Account, PASSWORD, Program, Server, on_both_databases};

on_both_databases! {
    async fn name_language_and_address_are_changed(server) {
        let ada = server.creator().await;
        let edit = json!({ "name": "Ada L.", "language": "en-GB" });
        let body = ada.patch("/api/account", edit).await.json();
        assert_eq!((&body["name"], &body["language"]), (&json!("Ada L."), &json!("en-GB")));
        let edit = json!({ "email": "ada@example.org" });
        let answer = ada.patch("/api/account", edit.clone()).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (403, "confirmation_wrong"));
        let mut confirmed = edit;
        confirmed["current_password"] = PASSWORD.into();
        let body = ada.patch("/api/account", confirmed).await.json();
        assert_eq!(body["email"], "ada@example.org", "without mail nobody could confirm it");
        assert_eq!(body["is_email_confirmed"], false);
        let body = ada.get("/api/account").await.json();
        assert_eq!(body["email"], "ada@example.org");
        Account::sign_in(server, "ada l.", PASSWORD).await;
    }

    async fn a_new_password_ends_all_other_sessions_and_renews_this_one(server) {
        let ada = server.creator().await;
        let elsewhere = Account::sign_in(server, "ada", PASSWORD).await;
        let edit = json!({ "password": "battery staple", "current_password": "wrong" });
        assert_eq!(ada.patch("/api/account", edit).await.code(), "confirmation_wrong");
        let edit = json!({ "password": "battery staple", "current_password": PASSWORD });
        let answer = ada.patch("/api/account", edit).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let renewed = Account::with_cookie_of(server.anonymous(), &answer);
        assert!(renewed.is_signed_in().await);
        assert!(!ada.is_signed_in().await, "the old token is worth nothing");
        assert!(!elsewhere.is_signed_in().await);
        Account::sign_in(server, "ada", "battery staple").await;
    }

    async fn sessions_are_listed_and_ended(server) {
        let ada = server.creator().await;
        let other = Account::sign_in(server, "ada", PASSWORD).await;
        let third = Account::sign_in(server, "ada", PASSWORD).await;
        let list = ada.get("/api/account/sessions").await.json();
        let items = list["items"].as_array().unwrap();
        assert_eq!(items.len(), 3);
        assert_eq!(items.iter().filter(|item| item["is_current"] == true).count(), 1);
        assert_eq!(items[0]["address"], "127.0.0.x");
        let of_other = other.get("/api/account/sessions").await.json();
        let of_other = of_other["items"].as_array().unwrap();
        let id = of_other.iter().find(|item| item["is_current"] == true).unwrap()["id"].clone();
        let path = format!("/api/account/sessions/{}", id.as_str().unwrap());
        let eve = server.account("eve", Role::Creator).await;
        assert_eq!(eve.delete(&path).await.code(), "session_not_found");
        assert_eq!(ada.delete(&path).await.status, 204);
        assert!(!other.is_signed_in().await && third.is_signed_in().await);
        assert_eq!(ada.delete("/api/account/sessions").await.status, 204);
        assert!(ada.is_signed_in().await && !third.is_signed_in().await);
    }

    async fn an_account_leaves_with_all_that_is_its_own(server) {
        server.creator().await;
        let eve = server.account("eve", Role::Creator).await;
        let program = Program::of(server, &eve, &["channels:read"]).await;
        let encoder = server.encoder("eve").await;
        let answer = encoder.publish(crate::support::publish_offer()).await;
        let session = answer.session();
        server.media_connects("eve", session).await;
        let wrong = eve.delete_with("/api/account", json!({ "password": "wrong" })).await;
        assert_eq!((wrong.status.as_u16(), wrong.code().as_str()), (403, "confirmation_wrong"));
        let answer = eve.delete_with("/api/account", json!({ "password": PASSWORD })).await;
        assert_eq!(answer.status, 204, "{answer:?}");
        assert!(!eve.is_signed_in().await);
        assert_eq!(program.get("/api/channels").await.code(), "token_invalid");
        assert_eq!(server.anonymous().get("/api/channels/eve").await.status, 404);
        assert_eq!(server.live("eve").await.map(|live| live.stream), None);
        let answer = encoder.publish(crate::support::publish_offer()).await;
        assert_eq!(answer.status, 401, "its key is worth nothing");
        let body = json!({ "name": "eve", "password": PASSWORD });
        assert_eq!(server.anonymous().post("/api/auth/login", body).await.status, 401);
        let audit = &server.app.services.audit;
        assert_eq!(audit.page(None, 1).await.unwrap()[0].action, "account.deleted");
        assert!(matches!(audit.check().await.unwrap(), Soundness::Whole(_)));
    }

    async fn the_last_admin_stays(server) {
        let ada = server.creator().await;
        let answer = ada.delete_with("/api/account", json!({ "password": PASSWORD })).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (409, "last_admin"));
        assert!(ada.is_signed_in().await);
        server.account("bob", Role::Admin).await;
        let answer = ada.delete_with("/api/account", json!({ "password": PASSWORD })).await;
        assert_eq!(answer.status, 204, "{answer:?}");
    }

    async fn the_export_holds_what_is_there_and_no_secrets(server) {
        let ada = server.creator().await;
        server.encoder("ada").await;
        let eve = server.account("eve", Role::Creator).await;
        let wish = json!({ "handle": "eves", "name": "Eve" });
        assert_eq!(eve.post("/api/channels", wish).await.status, 201);
        let moderator = eve.send("PUT", "/api/channels/eves/moderators/ada", &[]).await;
        assert!(moderator.status.is_success(), "{moderator:?}");
        let follow = ada.send("PUT", "/api/channels/eves/follow", &[]).await;
        assert!(follow.status.is_success(), "{follow:?}");
        let mute = ada.send("PUT", "/api/account/muted-channels/eves", &[]).await;
        assert_eq!(mute.status, 204);
        let hook = json!({ "url": "https://hooks.example/", "kinds": ["stream.started"] });
        let hook = ada.post("/api/channels/ada/webhooks", hook).await;
        assert_eq!(hook.status, 201, "{hook:?}");
        let program = Program::of(server, &ada, &["account:read"]).await;
        let answer = program.get("/api/account/export").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.header("content-disposition").contains("attachment"));
        let export = answer.json();
        assert_eq!(export["account"]["name"], "ada");
        assert_eq!(export["channels"][0]["handle"], "ada");
        assert_eq!(export["channels"][0]["stream_keys"][0]["name"], "test");
        assert_eq!(export["tokens"][0]["scopes"], "account:read");
        assert_eq!(export["sessions"].as_array().unwrap().len(), 1);
        assert_eq!((&export["streams"], &export["recordings"]), (&json!([]), &json!([])));
        assert_eq!(export["ties"]["follows"][0]["channel"], "eves");
        assert_eq!(export["ties"]["moderates"], json!(["eves"]));
        assert_eq!(export["webhooks"][0]["url"], "https://hooks.example/");
        assert_eq!(export["notifications"]["muted"], json!(["eves"]));
        assert_eq!(export["watched"], json!([]));
        assert!(!answer.text.contains("$argon2") && !answer.text.contains(&program.token));
    }

    async fn a_token_does_what_its_scopes_say(server) {
        let ada = server.creator().await;
        let program = Program::of(server, &ada, &["channels:write", "account:read"]).await;
        let wish = json!({ "handle": "second", "name": "Second" });
        let answer = program.send("POST", "/api/channels", &wish).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let answer = program.get("/api/channels/ada/stream_keys").await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (403, "scope_missing"));
        assert!(answer.text.contains("channels:read"), "{answer:?}");
        for (method, path, body) in [
            ("PATCH", "/api/account", json!({ "name": "eve" })),
            ("DELETE", "/api/account", json!({ "password": PASSWORD })),
            ("POST", "/api/account/tokens", json!({ "name": "x", "scopes": ["admin:write"] })),
            ("POST", "/api/auth/logout", json!({})),
        ] {
            let answer = program.send(method, path, &body).await;
            assert_eq!((answer.status.as_u16(), answer.code().as_str()), (403, "token_refused"), "{path}");
        }
        let list = ada.get("/api/account/tokens").await.json();
        assert_ne!(list["items"][0]["last_used_at"], Value::Null);
        assert!(program.token.starts_with(list["items"][0]["prefix"].as_str().unwrap()));
    }

    async fn a_token_ends_by_its_time_or_by_its_owner(server) {
        let ada = server.creator().await;
        let wish = json!({ "name": "short", "scopes": ["channels:read"], "days": 1 });
        let answer = ada.post("/api/account/tokens", wish).await.json();
        let program = Program::new(server, answer["token"].as_str().unwrap());
        assert_eq!(program.get("/api/channels").await.status, 200);
        server.clock.advance(Duration::from_secs(24 * 3600));
        let answer_then = program.get("/api/channels").await;
        assert_eq!((answer_then.status.as_u16(), answer_then.code().as_str()), (401, "token_expired"));
        let path = format!("/api/account/tokens/{}", answer["id"].as_str().unwrap());
        let eve = server.account("eve", Role::Creator).await;
        assert_eq!(eve.delete(&path).await.code(), "token_not_found");
        assert_eq!(ada.delete(&path).await.status, 204);
        assert_eq!(program.get("/api/channels").await.code(), "token_invalid");
    }
}

#[tokio::test]
async fn with_a_token_the_cookie_does_not_count() {
    let server = Server::plain().await;
    let ada = server.creator().await;
    let eve = server.account("eve", Role::Viewer).await;
    let program = Program::of(&server, &eve, &["account:read"]).await;
    let authorization = format!("Bearer {}", program.token);
    let headers = [("authorization", authorization.as_str())];
    let answer = ada.send("GET", "/api/session", &headers).await;
    assert_eq!(answer.json()["account"]["name"], "eve");
    let headers = [("authorization", "Bearer nonsense")];
    let answer = ada.send("GET", "/api/session", &headers).await;
    assert_eq!(
        (answer.status.as_u16(), answer.code().as_str()),
        (401, "token_invalid")
    );
}

#[tokio::test]
async fn a_viewers_token_for_admins_opens_nothing() {
    let server = Server::plain().await;
    server.creator().await;
    let eve = server.account("eve", Role::Creator).await;
    let program = Program::of(&server, &eve, &["admin:read", "admin:write"]).await;
    assert_eq!(program.get("/api/admin/invites").await.code(), "forbidden");
}

#[tokio::test]
async fn tokens_with_unknown_scopes_or_none_are_refused() {
    let server = Server::plain().await;
    let ada = server.creator().await;
    for scopes in [
        json!([]),
        json!(["everything"]),
        json!(["channels:read", "x"]),
    ] {
        let wish = json!({ "name": "x", "scopes": scopes });
        let answer = ada.post("/api/account/tokens", wish).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (422, "scopes_invalid")
        );
    }
}

/// Whatever is closed to tokens is so on purpose.
const CLOSED: [&str; 4] = [
    "/api/auth/",
    "/api/setup",
    "/api/unsubscribe/",
    // It moves money.
    "/api/channels/{handle}/membership",
];
const CLOSED_BELOW_ACCOUNT: [&str; 9] = [
    "billing",
    "identities",
    "memberships",
    "payouts",
    "purchases",
    "push",
    "second_step",
    "sessions",
    "tokens",
];

#[tokio::test]
async fn every_route_has_a_scope_or_is_closed_on_purpose() {
    let server = Server::plain().await;
    let served = server.anonymous().get("/api/openapi.json").await.json();
    for (path, methods) in served["paths"].as_object().unwrap() {
        if !path.starts_with("/api/") {
            continue;
        }
        for method in methods.as_object().unwrap().keys() {
            let Ok(method) = method.to_uppercase().parse() else {
                continue;
            };
            let below = path.strip_prefix("/api/account/").unwrap_or_default();
            let is_meant = CLOSED.iter().any(|start| path.starts_with(start))
                || path == "/api/account"
                || CLOSED_BELOW_ACCOUNT
                    .iter()
                    .any(|start| below.starts_with(start));
            let is_closed = need(&method, path) == Need::Never;
            assert!(
                !is_closed || is_meant,
                "{method} {path} has no scope: tell src/accounts/scope.rs"
            );
        }
    }
}
