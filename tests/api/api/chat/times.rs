//! What is said while a stream is on air carries its time.

use std::time::Duration;

use serde_json::json;
use tallylight::accounts::Role;
use tallylight::streams::stream_uuid;

use crate::support::{Account, PASSWORD, Server, Talker, on_both_databases};

on_both_databases! {
    async fn messages_carry_the_time_of_the_picture_and_are_replayed_by_it(server) {
        server.on_air().await;
        let ada = Account::sign_in(server, "ada", PASSWORD).await;
        let stream = stream_uuid(server.stream_of("ada").await);
        let vic = server.account("vic", Role::Viewer).await;
        let (mut talks, mut late) = (Talker::of(&vic, "ada").await, Talker::of(&ada, "ada").await);
        assert_eq!(talks.hello["stream"]["id"], stream.to_string());
        server.clock.advance(Duration::from_secs(100));
        let now = talks.spoken("now").await["stream_time_ms"].as_i64().unwrap();
        assert!((100_000..110_000).contains(&now), "{now}");
        // Six seconds behind: that is the picture that is answered.
        let seen = now - 6_000;
        late.send(json!({ "type": "send", "ref": "r", "text": "then", "seen_ms": seen })).await;
        let then = talks.next("message").await;
        assert_eq!(then["message"]["stream_time_ms"], seen);
        assert_eq!(then["message"]["stream"], stream.to_string());
        late.send(json!({ "type": "send", "ref": "s", "text": "long ago", "seen_ms": 0 })).await;
        let ago = talks.next("message").await["message"]["stream_time_ms"].as_i64().unwrap();
        assert!(ago >= now - 60_000 && ago < now - 50_000, "no further back than a minute: {ago}");
        let path = format!("/api/streams/{stream}/chat");
        let replay = vic.get(&path).await.json();
        let texts: Vec<&str> = replay["items"].as_array().unwrap().iter()
            .map(|message| message["text"].as_str().unwrap()).collect();
        assert_eq!(texts, ["long ago", "then", "now"]);
        let part = format!("{path}?from_ms={seen}&to_ms={now}");
        let part = vic.get(&part).await.json();
        assert_eq!(part["items"].as_array().unwrap().len(), 1);
        let first = vic.get(&format!("{path}?limit=2")).await.json();
        let after = first["next_after"].as_str().unwrap();
        let rest = vic.get(&format!("{path}?limit=2&after={after}")).await.json();
        assert_eq!(rest["items"][0]["text"], "now");
        assert_eq!(rest["next_after"], json!(null));
        // What a moderator takes away is gone from the replay.
        let gone = then["message"]["id"].as_i64().unwrap();
        assert_eq!(ada.delete(&format!("{path}/{gone}")).await.status, 204);
        assert_eq!(vic.get(&path).await.json()["items"].as_array().unwrap().len(), 2);
        // Programs say, react and pin by the stream as well.
        let said = vic.post(&path, json!({ "text": "by the stream" })).await;
        assert_eq!(said.status, 201, "{said:?}");
        let id = said.json()["id"].as_i64().unwrap();
        let json_type = [("content-type", "application/json")];
        let pin = json!({ "message": id }).to_string();
        let pin = ada.send_body("PUT", &format!("{path}/pin"), &json_type, pin).await;
        assert_eq!(pin.status, 204, "{pin:?}");
        assert_eq!(talks.next("pinned").await["message"]["id"], id);
        let react = vic.post(&format!("{path}/reactions"), json!({ "emoji": "🔥" })).await;
        assert_eq!(react.status, 204, "{react:?}");
        let event = talks.next("reactions").await;
        assert_eq!(event["counts"]["🔥"], 1);
        assert!(event["stream_time_ms"].as_i64().unwrap() >= now);
        let counted = server.wait_for("the reaction to be kept", || async {
            let all = vic.get(&format!("{path}/reactions")).await.json();
            let items = all["items"].as_array().unwrap();
            (!items.is_empty()).then(|| items[0].clone())
        }).await;
        assert_eq!(counted["counts"]["🔥"], 1);
        assert_eq!(counted["stream_time_ms"].as_i64().unwrap() % 1_000, 0);
        // Late viewers vote as long as their picture shows the poll.
        let poll = json!({ "question": "q", "options": ["a", "b"], "seconds": 10 });
        let poll = ada.post("/api/channels/ada/chat/polls", poll).await.json();
        let closes = poll["closes_ms"].as_i64().unwrap();
        let vote = format!("/api/channels/ada/chat/polls/{}/vote", poll["id"].as_str().unwrap());
        server.clock.advance(Duration::from_secs(20));
        let behind = json!({ "option": 0, "seen_ms": closes - 500 }).to_string();
        let voted = vic.send_body("PUT", &vote, &json_type, behind).await;
        assert_eq!(voted.status, 204, "{voted:?}");
        let ahead = json!({ "option": 0, "seen_ms": closes + 500 }).to_string();
        let refused = ada.send_body("PUT", &vote, &json_type, ahead).await;
        assert_eq!(refused.code(), "poll_ended");
        talks.next_where("poll", |event| event["poll"]["options"][0]["votes"] == 1).await;
        // After the stream the room stays, without its time.
        assert_eq!(ada.post("/api/channels/ada/end", json!({})).await.status, 204);
        assert_eq!(talks.next("stream").await["stream"], json!(null));
        let said = vic.post(&path, json!({ "text": "too late" })).await;
        assert_eq!(said.code(), "not_live");
        let after = talks.spoken("still talking").await;
        assert_eq!(after["stream_time_ms"], json!(null));
    }
}
