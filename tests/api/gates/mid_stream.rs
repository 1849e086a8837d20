//! Who may watch no more, while they do.

use serde_json::{Value, json};

use super::stage::{Stage, membership, sell_ticket};
use super::{media_playlist, outcome, view};
use crate::support::{Account, Follower, Talker};

/// All ways at once: a session, a player with a pass, a place in the chat.
struct Watching {
    bob: Account,
    session: String,
    playlist: String,
    talker: Talker,
}

impl Watching {
    async fn begin(stage: &Stage, bob: Account) -> Self {
        let viewed = view(&bob).await;
        assert_eq!(viewed.status, 201, "{viewed:?}");
        let playlist = media_playlist(&bob).await;
        let player = stage.till.server.anonymous();
        assert_eq!(outcome(&player.get(&playlist).await), "yes");
        let talker = Talker::of(&bob, "ada").await;
        Self {
            session: viewed.header("location").to_owned(),
            playlist,
            talker,
            bob,
        }
    }

    /// All of them end; in words that the session's events tell.
    async fn end(mut self, stage: &Stage, why: impl Future<Output = ()>, code: &str) {
        // Before anything happens: who asks afterwards finds no session.
        let events = format!("{}/events", self.session);
        let mut events = Follower::of(&self.bob, &events, None).await;
        why.await;
        // WHEP within five seconds, of the machine's own.
        let barred = events.until("barred").await;
        assert_eq!(barred["code"], "access_ended", "{barred:?}");
        events.end().await;
        let player = stage.till.server.anonymous();
        assert_ne!(outcome(&player.get(&self.playlist).await), "yes");
        assert_eq!(outcome(&self.bob.get(&self.playlist).await), code);
        assert_eq!(outcome(&view(&self.bob).await), code);
        assert_eq!(self.talker.closed().await, "door_changed");
    }
}

#[tokio::test]
async fn a_refund_ends_a_membership_everywhere() {
    let stage = Stage::set().await;
    let gate = json!({ "gate": { "who": "members", "tier": 2 } });
    stage.gate(&gate).await;
    let bob = stage.till.viewer("bob").await;
    stage.till.buy(&bob, membership(2)).await;
    let watching = Watching::begin(&stage, bob).await;
    let refund = async {
        let charge = stage.till.newest_charge().await;
        stage.till.fake.refund(&charge, None).await.unwrap();
    };
    watching.end(&stage, refund, "members_only").await;
}

#[tokio::test]
async fn a_refund_ends_a_ticket_everywhere() {
    let stage = Stage::set().await;
    stage.gate(&json!({ "gate": { "who": "ticket" } })).await;
    let bob = stage.till.viewer("bob").await;
    let order = sell_ticket(&stage.till, &[stage.stream.as_str()]).await;
    stage.till.buy(&bob, order).await;
    let watching = Watching::begin(&stage, bob).await;
    let refund = async {
        let charge = stage.till.newest_charge().await;
        stage.till.fake.refund(&charge, None).await.unwrap();
    };
    watching.end(&stage, refund, "ticket_required").await;
}

#[tokio::test]
async fn who_is_banned_or_follows_no_more_is_shown_out() {
    let stage = Stage::set().await;
    stage.gate(&json!({ "gate": { "who": "followers" } })).await;
    let follow = "/api/channels/ada/follow";
    for (name, code) in [("bob", "followers_only"), ("eve", "banned")] {
        let who = stage.till.viewer(name).await;
        assert_eq!(view(&who).await.code(), "followers_only");
        who.put(follow, Value::Null).await;
        let watching = Watching::begin(&stage, who.clone()).await;
        let why = async {
            let restraint = format!("/api/channels/ada/chat/restraints/{name}");
            let answer = match code {
                "banned" => {
                    stage
                        .till
                        .ada
                        .put(&restraint, json!({ "kind": "ban" }))
                        .await
                }
                _ => who.delete(follow).await,
            };
            assert!(answer.status.is_success(), "{answer:?}");
        };
        watching.end(&stage, why, code).await;
    }
}

/// Who came when it was open to all stays only if they may.
#[tokio::test]
async fn a_gate_that_comes_while_on_air_lets_nobody_stay_who_may_not() {
    let stage = Stage::set().await;
    let bob = stage.till.viewer("bob").await;
    let watching = Watching::begin(&stage, bob).await;
    let gate = json!({ "gate": { "who": "members", "tier": 1 } });
    watching
        .end(&stage, stage.gate(&gate), "members_only")
        .await;
}
