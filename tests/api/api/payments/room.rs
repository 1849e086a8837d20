//! What the chat's room sees of payments: lines of thanks, gifts for those who are there, emotes of members.

use serde_json::{Value, json};

use crate::support::{Backend, Talker, Till};

fn membership(tier: i64) -> Value {
    json!({ "kind": "membership", "tier": tier, "period": "month" })
}

async fn thanks(talker: &mut Talker) -> Value {
    let is_thanks = |event: &Value| event["message"]["kind"] == "support";
    let event = talker.next_where("message", is_thanks).await;
    event["message"].clone()
}

#[tokio::test]
async fn the_room_hears_who_supports_the_channel() {
    let till = Till::open(Backend::Sqlite).await;
    let bob = till.viewer("bob").await;
    let mut ada = Talker::of(&till.ada, "ada").await;
    till.buy(&bob, membership(2)).await;
    let joined = thanks(&mut ada).await;
    assert_eq!(joined["from"]["name"], "bob");
    assert_eq!(joined["text"], "");
    let expected = json!({
        "what": "membership", "tier": 2, "quantity": null, "amount": null, "currency": null,
        "claim": null,
    });
    assert_eq!(joined["support"], expected);

    let tip = |message: &str| json!({ "kind": "tip", "amount": 700, "currency": "eur", "message": message });
    till.buy(&bob, tip("Play it again")).await;
    let tipped = thanks(&mut ada).await;
    assert_eq!(tipped["text"], "Play it again");
    assert_eq!(tipped["support"]["amount"], 700);
    let terms = json!({ "kind": "blocked", "term": "rubbish" });
    let blocked = till.ada.post("/api/channels/ada/chat/terms", terms).await;
    assert_eq!(blocked.status, 201, "{blocked:?}");
    till.buy(&bob, tip("What rubbish")).await;
    let tipped = thanks(&mut ada).await;
    assert_eq!(tipped["text"], "", "the money counts, the words do not");

    let history = till.ada.get("/api/channels/ada/chat/messages").await.json();
    let lines = history["items"].as_array().unwrap();
    let kept = lines.iter().filter(|line| line["kind"] == "support");
    assert_eq!(kept.count(), 3, "{history}");
}

#[tokio::test]
async fn nobody_thanks_by_hand() {
    let till = Till::open(Backend::Sqlite).await;
    let path = "/api/channels/ada/chat/messages";
    let forged = json!({ "text": "I gave a fortune", "kind": "support" });
    assert_eq!(till.ada.post(path, forged).await.code(), "not_allowed");
    let forged = json!({ "text": "I gave", "support": { "what": "tip" } });
    assert_eq!(till.ada.post(path, forged).await.status, 422);
}

#[tokio::test]
async fn gifts_go_to_who_is_there_and_the_rest_is_to_be_claimed() {
    let till = Till::open(Backend::Sqlite).await;
    let bob = till.viewer("bob").await;
    let cat = till.viewer("cat").await;
    let mut there = Talker::of(&cat, "ada").await;
    let gift = json!({ "kind": "gift", "tier": 1, "quantity": 2 });
    let left = async || {
        let own = bob.get("/api/account/purchases").await.json();
        own["items"][0]["gifts_left"].clone()
    };
    till.buy(&bob, gift).await;
    let told = thanks(&mut there).await;
    assert_eq!(told["support"]["quantity"], 2);
    till.wait_for_tier(&cat, json!(1)).await;
    assert_eq!(left().await, 1);
    let claim = told["support"]["claim"].as_str().unwrap();
    let claim = format!("/api/purchases/{claim}/claim");
    assert_eq!(cat.post(&claim, json!({})).await.code(), "already_member");
    let dan = till.viewer("dan").await;
    assert_eq!(dan.post(&claim, json!({})).await.status, 204);
    assert_eq!(till.tier(&dan).await, 1);
    assert_eq!(left().await, 0);
    let eve = till.viewer("eve").await;
    assert_eq!(eve.post(&claim, json!({})).await.code(), "gifts_gone");
}

#[tokio::test]
async fn emotes_of_members_are_for_members_from_their_tier_on() {
    let till = Till::open(Backend::Sqlite).await;
    let mut picture = std::io::Cursor::new(Vec::new());
    image::RgbImage::new(32, 32)
        .write_to(&mut picture, image::ImageFormat::Png)
        .unwrap();
    let put = async |path: &str| {
        let headers = [("content-type", "image/png")];
        till.ada
            .send_body("PUT", path, &headers, picture.get_ref().clone())
            .await
    };
    let path = "/api/channels/ada/chat/emotes/party";
    let made = put(&format!("{path}?tier=2")).await;
    assert_eq!(made.json()["tier"], 2, "{made:?}");
    assert_eq!(put(&format!("{path}?tier=4")).await.status, 422);
    let bob = till.viewer("bob").await;
    let mut talker = Talker::of(&bob, "ada").await;
    assert_eq!(talker.refused("hey :party:").await["code"], "emote_locked");
    talker.said("hey :unknown: party").await;
    till.buy(&bob, membership(1)).await;
    till.wait_for_tier(&bob, json!(1)).await;
    let you = |event: &Value| event["you"]["role"] != Value::Null;
    talker.next_where("you", you).await;
    let refused = talker.refused(":party:").await;
    assert_eq!(refused["code"], "emote_locked", "{refused}");
    assert!(refused["detail"].as_str().unwrap().contains("tier 2"));
    let up = bob
        .put("/api/channels/ada/membership", json!({ "tier": 2 }))
        .await;
    assert_eq!(up.status, 204, "{up:?}");
    till.wait_for_tier(&bob, json!(2)).await;
    talker.next_where("you", you).await;
    talker.said("now :party:").await;
}
