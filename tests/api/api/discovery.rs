//! `/api/home`, `/api/browse`, `/api/search`: what there is to watch.

use serde_json::{Value, json};
use tallylight::accounts::Role;

use crate::support::{Account, Server, on_both_databases};

/// The values of one member of all items of a list.
fn all(list: &Value, member: &str) -> Vec<String> {
    let items = list.as_array().unwrap_or_else(|| panic!("no list: {list}"));
    let values = items
        .iter()
        .map(|item| item[member].as_str().unwrap().to_owned());
    values.collect()
}

async fn edit(account: &Account, handle: &str, change: Value) {
    let answer = account
        .patch(&format!("/api/channels/{handle}"), change)
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// Plans a stream for tomorrow.
async fn plan(account: &Account, server: &Server, handle: &str, title: &str) -> String {
    let at = server.clock.now() + std::time::Duration::from_secs(86_400);
    let wish = json!({
        "channel": handle, "title": title,
        "scheduled_at": at.to_string(), "time_zone": "Europe/Berlin",
    });
    let answer = account.post("/api/streams", wish).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()["id"].as_str().unwrap().to_owned()
}

async fn search(server: &Server, query: &str) -> Value {
    let answer = server
        .anonymous()
        .get(&format!("/api/search?q={query}"))
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

on_both_databases! {
    async fn the_home_page_shows_what_is_on_planned_and_recorded(server) {
        let empty = server.anonymous().get("/api/home").await.json();
        assert_eq!(empty["has_channels"], false);
        let ada = server.creator().await;
        let eve = server.account("eve", Role::Creator).await;
        edit(&ada, "ada", json!({ "category": "music" })).await;
        let kept = server.record(&ada).await;
        plan(&ada, server, "ada", "Tomorrow's concert").await;
        let encoder = server.encoder("ada").await;
        server.go_live(&encoder).await;

        let home = server.anonymous().get("/api/home").await.json();
        assert_eq!(all(&home["live"], "handle"), ["ada"]);
        assert_eq!(home["live"][0]["category"], "music");
        assert_eq!(home["live"][0]["is_followed"], false);
        assert_eq!(all(&home["upcoming"], "title"), ["Tomorrow's concert"]);
        assert_eq!(all(&home["recordings"], "id"), [kept.id]);
        assert_eq!(all(&home["categories"], "slug"), ["music"]);
        assert_eq!(home["categories"][0]["live"], 1);

        let followed = eve.send("PUT", "/api/channels/ada/follow", &[]).await;
        assert!(followed.status.is_success(), "{followed:?}");
        let home = eve.get("/api/home").await.json();
        assert_eq!(home["live"][0]["is_followed"], true);
    }

    async fn what_is_not_listed_is_found_by_nobody(server) {
        let ada = server.creator().await;
        plan(&ada, server, "ada", "Secret rehearsal").await;
        server.record(&ada).await;
        let encoder = server.encoder("ada").await;
        server.go_live(&encoder).await;
        let listed = ada.get("/api/home").await.json();
        assert_eq!(listed["live"].as_array().unwrap().len(), 1, "{listed}");
        // A stream on air as well, and at once.
        edit(&ada, "ada", json!({ "visibility": "unlisted", "category": "music" })).await;
        // Not even by its owner: lists are what everybody sees.
        for path in ["/api/home", "/api/browse?category=music", "/api/search?q=ada"] {
            let found = ada.get(path).await.json();
            for list in ["live", "upcoming", "recordings", "channels", "streams"] {
                let length = found[list].as_array().map_or(0, Vec::len);
                assert_eq!(length, 0, "{path}: {found}");
            }
        }
        edit(&ada, "ada", json!({ "visibility": "public" })).await;
        let found = search(server, "rehearsal").await;
        assert_eq!(all(&found["streams"], "title"), ["Secret rehearsal"]);
    }

    async fn words_are_found_by_their_beginning_whatever_their_case_and_accents(server) {
        let ada = server.creator().await;
        edit(&ada, "ada", json!({
            "name": "Ada Lovelace", "description": "Rechnen für Anfänger", "tags": ["maschinen"],
        })).await;
        server.account("babbage", Role::Creator).await;
        plan(&ada, server, "ada", "Émile & die Détektive").await;
        for words in ["ada", "LOVE", "love+ada", "anfanger", "fur", "maschin"] {
            assert_eq!(all(&search(server, words).await["channels"], "handle"), ["ada"], "{words}");
        }
        for words in ["emile", "%C3%89MILE", "detektive+emi"] {
            assert_eq!(search(server, words).await["streams"].as_array().unwrap().len(), 1, "{words}");
        }
        for words in ["babbage+ada", "lace", "zzz"] {
            assert_eq!(all(&search(server, words).await["channels"], "handle"), [""; 0], "{words}");
        }
        edit(&ada, "ada", json!({ "name": "Augusta", "tags": [] })).await;
        assert_eq!(all(&search(server, "lovelace").await["channels"], "handle"), [""; 0]);
        assert_eq!(all(&search(server, "maschin").await["channels"], "handle"), [""; 0]);
        assert_eq!(all(&search(server, "augu").await["channels"], "handle"), ["ada"]);
    }

    async fn what_is_deleted_is_not_found_any_more(server) {
        let ada = server.creator().await;
        let kept = server.record(&ada).await;
        let path = format!("/api/recordings/{}", kept.id);
        ada.patch(&path, json!({ "title": "Northern lights" })).await;
        let found = search(server, "northern").await;
        assert_eq!(all(&found["recordings"], "id"), [kept.id]);
        assert_eq!(ada.delete(&path).await.status, 204);
        assert_eq!(search(server, "northern").await["recordings"], json!([]));
    }

    async fn nothing_that_is_typed_breaks_the_search(server) {
        let ada = server.creator().await;
        plan(&ada, server, "ada", "A plan").await;
        for words in [
            "%22", "*", "a*", "NOT", "a%20OR%20b", "kind:stream", "%27%3B--", "(", "%F0%9F%98%80x", "a-b",
            "%E2%80%AE", "a%5Cb", "%25_",
        ] {
            let answer = server.anonymous().get(&format!("/api/search?q={words}")).await;
            assert!([200, 422].contains(&answer.status.as_u16()), "{words}: {answer:?}");
        }
        let long = "x".repeat(101);
        let answer = server.anonymous().get(&format!("/api/search?q={long}")).await;
        assert_eq!(answer.code(), "query_invalid");
        let answer = server.anonymous().get("/api/search?q=a&kind=channels&cursor=x").await;
        assert_eq!(answer.code(), "cursor_invalid");
    }

    async fn one_kind_is_found_page_by_page(server) {
        let ada = server.creator().await;
        for number in 0..30 {
            plan(&ada, server, "ada", &format!("Lesson {number}")).await;
        }
        let mut titles = Vec::new();
        let mut cursor = String::new();
        loop {
            let path = format!("/api/search?q=lesson&kind=streams&cursor={cursor}");
            let page = server.anonymous().get(&path).await.json();
            titles.extend(all(&page["streams"], "title"));
            match page["next_cursor"].as_str() {
                Some(next) => next.clone_into(&mut cursor),
                None => break,
            }
        }
        titles.sort();
        titles.dedup();
        assert_eq!(titles.len(), 30);
    }
}
