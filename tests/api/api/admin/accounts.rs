//! `/api/admin/accounts`.

use serde_json::{Value, json};
use tallylight::accounts::Role;
use tallylight::streams::ChannelState;

use crate::support::{Account, Anonymous, PASSWORD, Server, on_both_databases, publish_offer};

const PATH: &str = "/api/admin/accounts";

async fn find(admin: &Account, name: &str) -> Value {
    let found = admin.get(&format!("{PATH}?q={name}")).await.json();
    found["items"][0].clone()
}

fn path_of(account: &Value, act: &str) -> String {
    format!("{PATH}/{}{act}", account["id"].as_str().unwrap())
}

async fn last_act(server: &Server) -> (String, Value) {
    let entry = server
        .app
        .services
        .audit
        .page(None, 1)
        .await
        .unwrap()
        .remove(0);
    (entry.action, entry.detail)
}

on_both_databases! {
    async fn accounts_are_found_by_name_role_and_state(server) {
        let admin = server.creator().await;
        for name in ["eve", "bob_1", "bobby"] {
            server.account(name, Role::Viewer).await;
        }
        let names = |body: Value| -> Vec<String> {
            let items = body["items"].as_array().unwrap().clone();
            items.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(names(admin.get(PATH).await.json()), ["bobby", "bob_1", "eve", "ada"]);
        // An underscore is no wildcard.
        assert_eq!(names(admin.get(&format!("{PATH}?q=b_b")).await.json()), Vec::<String>::new());
        assert_eq!(names(admin.get(&format!("{PATH}?q=BOB_")).await.json()), ["bob_1"]);
        assert_eq!(names(admin.get(&format!("{PATH}?role=admin")).await.json()), ["ada"]);
        let eve = find(&admin, "eve").await;
        admin.post(&path_of(&eve, "/suspend"), json!({ "reason": "spam" })).await;
        assert_eq!(names(admin.get(&format!("{PATH}?suspended=true")).await.json()), ["eve"]);
        assert_eq!(names(admin.get(&format!("{PATH}?suspended=false&role=viewer")).await.json()), ["bobby", "bob_1"]);
    }

    async fn a_role_holds_at_once_and_is_written_down(server) {
        let admin = server.creator().await;
        let eve = server.account("eve", Role::Viewer).await;
        assert_eq!(eve.get(PATH).await.status, 403);
        let found = find(&admin, "eve").await;
        let answer = admin.patch(&path_of(&found, ""), json!({ "role": "admin" })).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["role"]), (200, &json!("admin")));
        assert_eq!(eve.get(PATH).await.status, 200);
        let detail = json!({ "name": "eve", "from": "viewer", "to": "admin" });
        assert_eq!(last_act(server).await, ("account.role_changed".to_owned(), detail));
    }

    async fn a_suspended_account_is_out_at_once_and_back_when_restored(server) {
        let admin = server.creator().await;
        let eve = server.account("eve", Role::Creator).await;
        let found = find(&admin, "eve").await;
        let answer = admin.post(&path_of(&found, "/suspend"), json!({ "reason": "  spam " })).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json()["suspended_reason"], "spam");
        assert!(!eve.is_signed_in().await);
        assert_eq!(last_act(server).await.0, "account.suspended");
        let anybody = Anonymous::new(server);
        let credentials = json!({ "name": "eve", "password": PASSWORD });
        let answer = anybody.post("/api/auth/login", credentials).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (403, "account_suspended"));
        assert_eq!(admin.post(&path_of(&found, "/restore"), json!({})).await.status, 200);
        Account::sign_in(server, "eve", PASSWORD).await;
    }

    async fn the_last_admin_stays(server) {
        let admin = server.creator().await;
        let own = find(&admin, "ada").await;
        let (path, reason) = (path_of(&own, "/suspend"), json!({ "reason": "tired" }));
        for answer in [
            admin.patch(&path_of(&own, ""), json!({ "role": "viewer" })).await,
            admin.post(&path, reason.clone()).await,
            admin.delete(&path_of(&own, "")).await,
        ] {
            assert_eq!((answer.status.as_u16(), answer.code().as_str()), (409, "last_admin"));
        }
        // Another one who is suspended is none.
        server.account("eve", Role::Admin).await;
        let eve = find(&admin, "eve").await;
        assert_eq!(admin.post(&path_of(&eve, "/suspend"), reason.clone()).await.status, 200);
        assert_eq!(admin.post(&path, reason.clone()).await.status, 409);
        assert_eq!(admin.post(&path_of(&eve, "/restore"), json!({})).await.status, 200);
        assert_eq!(admin.post(&path, reason).await.status, 200);
    }

    async fn a_deleted_account_leaves_nothing_but_its_trace(server) {
        let admin = server.creator().await;
        let eve = server.account("eve", Role::Creator).await;
        let found = find(&admin, "eve").await;
        assert_eq!(admin.delete(&path_of(&found, "")).await.status, 204);
        assert!(!eve.is_signed_in().await);
        assert_eq!(admin.get(&path_of(&found, "")).await.code(), "account_not_found");
        assert_eq!(admin.get("/api/channels/eve").await.status, 404);
        let log = server.app.services.audit.page(None, 5).await.unwrap();
        assert!(log.iter().any(|entry| entry.action == "account.deleted" && entry.detail["name"] == "eve"));
    }

    async fn a_link_sets_a_new_password_once(server) {
        let admin = server.creator().await;
        let eve = server.account("eve", Role::Viewer).await;
        let found = find(&admin, "eve").await;
        let answer = admin.send("POST", &path_of(&found, "/password_link"), &[]).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let body = answer.json();
        let (_, token) = body["url"].as_str().unwrap().split_once("/reset#").unwrap();
        let anybody = server.anonymous();
        let reset = json!({ "token": token, "password": "another horse" });
        assert_eq!(anybody.post("/api/auth/reset", reset.clone()).await.status, 204);
        assert_eq!(anybody.post("/api/auth/reset", reset).await.status, 403);
        assert!(!eve.is_signed_in().await);
        Account::sign_in(server, "eve", "another horse").await;
    }
}

#[tokio::test]
async fn the_streams_of_a_suspended_account_end_and_its_keys_are_refused() {
    let server = Server::plain().await;
    let (encoder, _) = server.on_air().await;
    server.account("root", Role::Admin).await;
    let root = Account::sign_in(&server, "root", PASSWORD).await;
    let ada = find(&root, "ada").await;
    let answer = root
        .post(&path_of(&ada, "/suspend"), json!({ "reason": "loud" }))
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    server
        .wait_for("@ada to be off the air", || async {
            server.live("ada").await.is_none().then_some(())
        })
        .await;
    assert_eq!(encoder.publish(publish_offer()).await.status, 401);
    assert_eq!(
        server
            .live("ada")
            .await
            .map(|live| live.state == ChannelState::Live),
        None
    );
}
