//! The smaller pages: channels, streams, storage, jobs, audit, mail, overview.

use serde_json::json;
use tallylight::accounts::Role;

use crate::support::{Account, PASSWORD, Server, on_both_databases};

on_both_databases! {
    async fn a_hidden_channel_stands_in_no_list_whatever_its_owner_says(server) {
        let admin = server.creator().await;
        let eve = server.account("eve", Role::Creator).await;
        let listed = || async {
            let body = server.anonymous().get("/api/channels").await.json();
            body["items"].as_array().unwrap().iter().any(|channel| channel["handle"] == "eve")
        };
        assert!(listed().await);
        let answer = admin.patch("/api/admin/channels/eve", json!({ "is_hidden": true })).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["is_hidden"]), (200, &json!(true)));
        assert!(!listed().await);
        assert_eq!(server.anonymous().get("/api/channels/eve").await.status, 200);
        let edit = json!({ "visibility": "public", "name": "Eve's" });
        assert_eq!(eve.patch("/api/channels/eve", edit).await.status, 200);
        assert!(!listed().await);
        let found = admin.get("/api/admin/channels?q=@EVE").await.json();
        assert_eq!(found["items"][0]["owner"]["name"], "eve");
        let answer = admin.patch("/api/admin/channels/eve", json!({ "is_hidden": false })).await;
        assert_eq!(answer.status, 200);
        assert!(listed().await);
        let log = server.app.services.audit.page(None, 2).await.unwrap();
        let acts: Vec<_> = log.iter().map(|entry| entry.action.as_str()).collect();
        assert_eq!(acts, ["channel.shown", "channel.hidden"]);
    }

    async fn the_log_is_read_in_pages_by_what_was_done_and_checked(server) {
        let admin = server.creator().await;
        let audit = &server.app.services.audit;
        for number in 0..60 {
            let action = if number % 2 == 0 { "test.even" } else { "test.odd" };
            audit.note_now(None, action, "x", &json!({ "number": number })).await.unwrap();
        }
        let page = admin.get("/api/admin/audit?action=test.").await.json();
        assert_eq!(page["items"].as_array().unwrap().len(), 50);
        assert_eq!(page["items"][0]["detail"]["number"], 59);
        let next = page["next_cursor"].as_str().unwrap();
        let rest = admin.get(&format!("/api/admin/audit?action=test.&cursor={next}")).await.json();
        assert_eq!(rest["items"].as_array().unwrap().len(), 10);
        assert_eq!(rest["next_cursor"], json!(null));
        let odd = admin.get("/api/admin/audit?action=test.odd").await.json();
        assert_eq!(odd["items"].as_array().unwrap().len(), 30);
        assert_eq!(admin.get("/api/admin/audit?cursor=x").await.code(), "cursor_invalid");
        let check = admin.get("/api/admin/audit/check").await.json();
        assert_eq!((&check["is_whole"], &check["broken_at"]), (&json!(true), &json!(null)));
    }

    async fn storage_jobs_and_overview_tell_how_the_server_is(server) {
        let admin = server.creator().await;
        server.account("eve", Role::Viewer).await;
        let storage = admin.get("/api/admin/storage").await.json();
        assert!(storage["database_bytes"].as_u64().unwrap() > 10_000, "{storage}");
        assert!(storage["disk_free_bytes"].as_u64().unwrap() > 0);
        assert_eq!((&storage["recordings_bytes"], &storage["channels"]), (&json!(0), &json!([])));
        let overview = admin.get("/api/admin/overview").await.json();
        assert_eq!((&overview["admins"], &overview["viewers"]), (&json!(1), &json!(1)));
        let jobs = admin.get("/api/admin/jobs").await.json();
        assert_eq!((&jobs["failed"], &jobs["items"]), (&json!(0), &json!([])));
    }

    async fn a_job_that_was_given_up_is_tried_again(server) {
        let admin = server.creator().await;
        // A request that no worker can read.
        server.app.services.jobs.enqueue_now("password_reset", &json!({})).await.unwrap();
        let failed = server.wait_for("the job to be given up", || async {
            let jobs = admin.get("/api/admin/jobs").await.json();
            jobs["items"].as_array().unwrap().first().cloned()
        }).await;
        assert_eq!(failed["kind"], "password_reset");
        let path = format!("/api/admin/jobs/{}/retry", failed["id"].as_str().unwrap());
        assert_eq!(admin.send("POST", &path, &[]).await.status, 204);
        let log = server.app.services.audit.page(None, 1).await.unwrap();
        assert_eq!(log[0].action, "job.retried");
        let unknown = "/api/admin/jobs/00000000-0000-0000-0000-000000000000/retry";
        assert_eq!(admin.send("POST", unknown, &[]).await.code(), "job_not_found");
    }
}

#[tokio::test]
async fn an_admin_ends_a_stream_and_the_log_tells_of_it() {
    let server = Server::plain().await;
    server.on_air().await;
    server.account("root", Role::Admin).await;
    let root = Account::sign_in(&server, "root", PASSWORD).await;
    let live = root.get("/api/admin/streams").await.json();
    assert_eq!(live["items"][0]["handle"], "ada");
    let path = format!(
        "/api/admin/streams/{}/end",
        live["items"][0]["id"].as_str().unwrap()
    );
    assert_eq!(root.send("POST", &path, &[]).await.status, 204);
    server
        .wait_for("@ada to be off the air", || async {
            server.live("ada").await.is_none().then_some(())
        })
        .await;
    assert_eq!(
        root.send("POST", &path, &[]).await.code(),
        "stream_not_live"
    );
    let entry = server.app.services.audit.page(None, 1).await.unwrap();
    assert_eq!(
        (entry[0].action.as_str(), &entry[0].detail["handle"]),
        ("stream.ended", &json!("ada"))
    );
}

#[tokio::test]
async fn a_mail_is_tested_only_where_it_can_be_sent() {
    let server = Server::plain().await;
    let admin = server.creator().await;
    let answer = admin.send("POST", "/api/admin/mail_test", &[]).await;
    assert_eq!(answer.code(), "mail_not_configured");
}

#[tokio::test]
async fn nothing_below_admin_is_for_others() {
    let server = Server::plain().await;
    let admin = server.creator().await;
    let creator = server.account("eve", Role::Creator).await;
    let description = admin.get("/api/openapi.json").await.json();
    let nobody = "00000000-0000-0000-0000-000000000000";
    let mut asked = 0;
    for (path, item) in description["paths"].as_object().unwrap() {
        if !path.starts_with("/api/admin/") {
            continue;
        }
        let at = path.replace("{id}", nobody).replace("{handle}", "ada");
        for method in item.as_object().unwrap().keys() {
            if !["get", "post", "put", "patch", "delete"].contains(&method.as_str()) {
                continue;
            }
            let method = method.to_uppercase();
            let anybody = server.anonymous();
            assert_eq!(
                anybody.send(&method, &at, &[]).await.status,
                401,
                "{method} {at}"
            );
            assert_eq!(
                creator.send(&method, &at, &[]).await.status,
                403,
                "{method} {at}"
            );
            asked += 1;
        }
    }
    assert!(asked > 15, "{asked}");
}
