//! `/api/admin/settings`.

use serde_json::json;
use tallylight::accounts::Role;
use tallylight::config::Registration;

use crate::support::{Backend, Server, on_both_databases};

const PATH: &str = "/api/admin/settings";

on_both_databases! {
    async fn an_admin_changes_settings_and_the_log_tells_of_it(server) {
        let admin = server.creator().await;
        let before = admin.get(PATH).await.json();
        assert_eq!(before["values"]["registration"], "invite");
        assert_eq!((&before["fixed"], &before["changed"]), (&json!([]), &json!([])));

        let edit = json!({ "registration": "open", "keep_days": 30, "name": "Tallylight" });
        let answer = admin.patch(PATH, edit).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let body = answer.json();
        assert_eq!(body["values"]["registration"], "open");
        assert_eq!(body["values"]["keep_days"], 30);
        // The name was that already.
        let changed: Vec<_> = body["changed"].as_array().unwrap().iter().map(|c| &c["field"]).collect();
        assert_eq!(changed, ["keep_days", "registration"]);
        assert_eq!(server.app.services.settings.now().registration, Registration::Open);
        let entry = &server.app.services.audit.page(None, 1).await.unwrap()[0];
        assert_eq!(entry.action, "settings.changed");
        assert_eq!(entry.detail, json!({ "keep_days": 30, "registration": "open" }));

        // One is put back; once more changes nothing, and one that is not there is told.
        for _ in 0..2 {
            let body = admin.delete(&format!("{PATH}/registration")).await.json();
            assert_eq!(body["values"]["registration"], "invite");
            assert_eq!(body["changed"].as_array().unwrap().len(), 1);
        }
        assert_eq!(server.app.services.settings.now().registration, Registration::Invite);
        let log = server.app.services.audit.page(None, 10).await.unwrap();
        let changes = log.iter().filter(|entry| entry.action == "settings.changed");
        assert_eq!(changes.count(), 2);
        assert_eq!(admin.delete(&format!("{PATH}/colour")).await.code(), "setting_not_found");
    }

    async fn only_admins_see_and_change_settings(server) {
        let anybody = server.anonymous();
        assert_eq!(anybody.get(PATH).await.status, 401);
        assert_eq!(anybody.patch(PATH, json!({})).await.status, 401);
        let creator = server.account("eve", Role::Creator).await;
        assert_eq!(creator.get(PATH).await.status, 403);
        assert_eq!(creator.patch(PATH, json!({ "name": "Eve's" })).await.status, 403);
        assert_eq!(server.app.services.settings.now().name, "Tallylight");
    }
}

#[tokio::test]
async fn what_does_not_fit_changes_nothing() {
    let server = Server::plain().await;
    let admin = server.creator().await;
    let edit = json!({ "name": "Radio", "accent": "red", "imprint_url": "javascript:alert(1)" });
    let answer = admin.patch(PATH, edit).await;
    assert_eq!(answer.status, 422);
    let fields: Vec<_> = answer.json()["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["field"].clone())
        .collect();
    assert_eq!(fields, ["imprint_url", "accent"]);
    for edit in [
        json!({ "colour": "red" }),
        json!({ "registration": "some" }),
        json!({ "keep_days": -1 }),
        json!({ "require_email": true }),
    ] {
        assert_eq!(admin.patch(PATH, edit.clone()).await.status, 422, "{edit}");
    }
    assert_eq!(server.app.services.settings.now().name, "Tallylight");
}

#[tokio::test]
async fn what_the_configuration_sets_is_fixed() {
    let server = Server::start_with(Backend::Sqlite, |config| {
        config.accounts.registration = Registration::Closed;
        config.given = ["accounts.registration"].into_iter().collect();
    })
    .await;
    let admin = server.creator().await;
    let body = admin.get(PATH).await.json();
    let fixed = json!([{ "field": "registration", "key": "accounts.registration" }]);
    assert_eq!(body["fixed"], fixed);
    let answer = admin.patch(PATH, json!({ "registration": "open" })).await;
    assert_eq!(answer.status, 422);
    assert_eq!(answer.code(), "setting_fixed");
    assert_eq!(
        server.app.services.settings.now().registration,
        Registration::Closed
    );
}
