//! `/api/instance`: how the server introduces itself.

use serde_json::json;

use crate::support::{Backend, Server, on_both_databases};

on_both_databases! {
    async fn everybody_learns_how_the_server_calls_itself(server) {
        let admin = server.creator().await;
        let edit = json!({ "name": "Radio", "imprint_url": "https://radio.example/imprint" });
        assert_eq!(admin.patch("/api/admin/settings", edit).await.status, 200);
        let body = server.anonymous().get("/api/instance").await.json();
        assert_eq!(body["name"], "Radio");
        assert_eq!(body["registration"], "invite");
        assert_eq!(body["links"]["imprint"], "https://radio.example/imprint");
        assert_eq!(body["links"]["rules"], json!(null));
        assert_eq!(body["version"], env!("CARGO_PKG_VERSION"));
    }
}

#[tokio::test]
async fn what_admins_set_outlives_the_server() {
    let server = Server::plain().await;
    let admin = server.creator().await;
    let edit = json!({ "announcement": "Back at noon" });
    assert_eq!(admin.patch("/api/admin/settings", edit).await.status, 200);
    let data = server.stop().await;
    let server = Server::start_on(data, Backend::Sqlite, |_| {}).await;
    let body = server.anonymous().get("/api/instance").await.json();
    assert_eq!(body["announcement"], "Back at noon");
}
