//! The audit log, on both databases. Its pages are for admins.

use serde_json::json;
use tallylight::audit::Soundness;
use uuid::Uuid;

use crate::support::{Server, on_both_databases};

on_both_databases! {
    async fn entries_come_back_newest_first_and_make_a_whole_chain(server) {
        let audit = &server.app.services.audit;
        let before = audit.page(None, 100).await.unwrap().len() as i64;
        let actor = Uuid::now_v7();
        for number in 0..5 {
            let detail = json!({ "number": number });
            audit.note_now(Some(actor), "test.done", "somebody", &detail).await.unwrap();
        }
        assert_eq!(audit.check().await.unwrap(), Soundness::Whole(before + 5));
        let page = audit.page(None, 2).await.unwrap();
        let numbers: Vec<_> = page.iter().map(|entry| &entry.detail["number"]).collect();
        assert_eq!(numbers, [4, 3]);
        let next = audit.page(Some(page[1].seq), 2).await.unwrap();
        assert_eq!(next[0].detail["number"], 2);
        assert_eq!(next[0].actor, Some(actor));
        assert_eq!(audit.of(actor, 10).await.unwrap().len(), 5);
    }

    async fn what_is_rolled_back_leaves_no_gap(server) {
        let services = &server.app.services;
        let mut tx = services.db.begin().await.unwrap();
        services.audit.note(&mut tx, None, "test.lost", "x", &json!({})).await.unwrap();
        drop(tx);
        services.audit.note_now(None, "test.kept", "x", &json!({})).await.unwrap();
        assert!(matches!(services.audit.check().await.unwrap(), Soundness::Whole(_)));
        assert_eq!(services.audit.page(None, 1).await.unwrap()[0].action, "test.kept");
    }

    async fn many_at_once_make_one_chain(server) {
        let audit = &server.app.services.audit;
        let notes = (0..20).map(|_| {
            let audit = audit.clone();
            tokio::spawn(async move { audit.note_now(None, "test.rush", "x", &json!({})).await })
        });
        for note in notes.collect::<Vec<_>>() {
            note.await.unwrap().unwrap();
        }
        assert!(matches!(audit.check().await.unwrap(), Soundness::Whole(count) if count >= 20));
    }
}

/// Changes the file behind the server's back.
async fn tamper(server: &Server, sql: &'static str) {
    let url = format!("sqlite://{}", server.file("tallylight.sqlite").display());
    let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
    sqlx::query(sql).execute(&pool).await.unwrap();
    pool.close().await;
}

#[tokio::test]
async fn what_was_changed_or_cut_off_shows() {
    let server = Server::plain().await;
    let audit = &server.app.services.audit;
    for _ in 0..4 {
        audit
            .note_now(None, "test.done", "x", &json!({ "by": "ada" }))
            .await
            .unwrap();
    }
    tamper(
        &server,
        "UPDATE audit SET detail = '{\"by\":\"eve\"}' WHERE seq = 3",
    )
    .await;
    assert_eq!(audit.check().await.unwrap(), Soundness::BrokenAt(3));
    tamper(
        &server,
        "UPDATE audit SET detail = '{\"by\":\"ada\"}' WHERE seq = 3",
    )
    .await;
    assert_eq!(audit.check().await.unwrap(), Soundness::Whole(4));
    tamper(&server, "DELETE FROM audit WHERE seq = 4").await;
    assert_eq!(audit.check().await.unwrap(), Soundness::BrokenAt(4));
    tamper(&server, "DELETE FROM audit WHERE seq = 1").await;
    assert_eq!(audit.check().await.unwrap(), Soundness::BrokenAt(1));
}
