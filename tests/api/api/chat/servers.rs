//! A room that two servers share, by a PostgreSQL and a Redis.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use serde_json::{Value, json};
use tallylight::accounts::Role;
use tallylight::config::Config;
use tempfile::TempDir;
use tokio::time::timeout;

use crate::process::{Process, run};
use crate::support::{
    Account, Anonymous, Answer, Backend, OwnRedis, PASSWORD, Server, Talker, new_postgres,
};

/// Two servers with one database.
struct Pair {
    one: Server,
    two: Server,
    redis: OwnRedis,
}

impl Pair {
    async fn start() -> Self {
        let redis = OwnRedis::start().await;
        let database = tokio::task::spawn_blocking(new_postgres).await.unwrap();
        let shared = |config: &mut Config| {
            config.database.url.clone_from(&database);
            config.database.connections = 3;
            config.bus.url = redis.url();
        };
        let one = Server::start_with(Backend::Sqlite, shared).await;
        // The secret is one for all who share a database.
        let data = tempfile::tempdir().unwrap();
        fs::create_dir(data.path().join("data")).unwrap();
        fs::copy(one.file("pepper"), data.path().join("data/pepper")).unwrap();
        let two = Server::start_on(data, Backend::Sqlite, shared).await;
        Self { one, two, redis }
    }

    /// Somebody with an account, signed in at both.
    async fn account(&self, name: &str, role: Role) -> (Account, Account) {
        let at_one = self.one.account(name, role).await;
        (at_one, Account::sign_in(&self.two, name, PASSWORD).await)
    }

    /// Waits until each hears the other.
    async fn until_they_hear(&self) {
        let both = [&self.one, &self.two];
        for server in both {
            let rooms = || async { self.readers(server).await.filter(|readers| *readers >= 2) };
            server.wait_for("the other's readers", rooms).await;
        }
    }

    /// Of the room, as that server tells.
    async fn readers(&self, server: &Server) -> Option<u64> {
        let room = server.anonymous().get("/api/channels/ada/chat").await;
        room.json()["readers"].as_u64()
    }
}

async fn put(by: &Account, path: &str, body: Value) -> Answer {
    let json = [("content-type", "application/json")];
    let path = format!("/api/channels/ada/chat/{path}");
    by.send_body("PUT", &path, &json, body.to_string()).await
}

async fn post(by: &Account, path: &str, body: Value) -> Answer {
    by.post(&format!("/api/channels/ada/chat/{path}"), body)
        .await
}

/// What somebody gets who comes in now: ids and texts.
async fn history(at: &Anonymous) -> Vec<(i64, String)> {
    let mut talker = Talker::stranger(at, "ada", json!({})).await;
    let messages = talker.hello["messages"].as_array().unwrap().iter();
    let mut all: Vec<(i64, String)> = messages.map(id_and_text).collect();
    drain(&mut talker, &mut all).await;
    all
}

fn id_and_text(message: &Value) -> (i64, String) {
    let text = message["text"].as_str().unwrap().to_owned();
    (message["id"].as_i64().unwrap(), text)
}

#[tokio::test]
async fn what_is_said_and_done_at_one_server_is_so_at_the_other() {
    let pair = Pair::start().await;
    let (ada, ada_too) = pair.account("ada", Role::Admin).await;
    let (vic, vic_too) = pair.account("vic", Role::Viewer).await;
    let mut here = Talker::of(&vic, "ada").await;
    let mut there = Talker::of(&ada_too, "ada").await;
    // Said there, answered here.
    let question = there.said("who is here?").await;
    assert_eq!(here.heard().await, "who is here?");
    here.send(json!({ "type": "send", "ref": "r", "text": "me", "reply_to": question }))
        .await;
    let is_answer = |event: &Value| event["message"]["text"] == "me";
    let answer = there.next_where("message", is_answer).await["message"].clone();
    assert_eq!(answer["reply_to"]["name"], "ada");
    let answer = answer["id"].as_i64().unwrap();
    assert!(answer > question);
    // At once, before anything is written: a newcomer gets both at either.
    let all = history(&pair.one.anonymous()).await;
    assert_eq!(
        all.iter().map(|(id, _)| *id).collect::<Vec<_>>(),
        [question, answer]
    );
    assert_eq!(history(&pair.two.anonymous()).await, all);
    // How the room is set.
    let slow = json!({ "slow_seconds": 30 });
    assert_eq!(ada.patch("/api/channels/ada/chat", slow).await.status, 200);
    assert_eq!(there.next("modes").await["modes"]["slow_seconds"], 30);
    // What was written here holds its writer up there.
    let mut vic_there = Talker::of(&vic_too, "ada").await;
    assert_eq!(vic_there.refused("again").await["code"], "slow_mode");
    let links = json!({ "links_blocked": true });
    assert_eq!(
        ada_too.patch("/api/channels/ada/chat", links).await.status,
        200
    );
    let is_blocked = |event: &Value| event["modes"]["links_blocked"] == true;
    let modes = here.next_where("modes", is_blocked).await;
    assert_eq!(modes["modes"]["slow_seconds"], 30, "nothing is set back");
    assert_eq!(
        put(&ada, "pin", json!({ "message": answer })).await.status,
        204
    );
    assert_eq!(there.next("pinned").await["message"]["text"], "me");
    // What is taken away there is gone here.
    let path = format!("/api/channels/ada/chat/messages/{question}");
    assert_eq!(ada_too.delete(&path).await.status, 204);
    assert_eq!(here.next("deleted").await["ids"], json!([question]));
    // Reactions are counted together.
    there.send(json!({ "type": "react", "emoji": "🎉" })).await;
    assert_eq!(here.next("reactions").await["counts"]["🎉"], 1);
    // A poll, with a vote at each.
    let wish = json!({ "question": "Which?", "options": ["tea", "coffee"], "seconds": 60 });
    let poll = post(&ada, "polls", wish).await.json();
    let vote = format!("polls/{}/vote", poll["id"].as_str().unwrap());
    assert_eq!(there.next("poll").await["poll"]["question"], "Which?");
    assert_eq!(put(&vic, &vote, json!({ "option": 1 })).await.status, 204);
    let again = put(&vic_too, &vote, json!({ "option": 0 })).await;
    assert_eq!(again.code(), "voted_already");
    assert_eq!(
        put(&ada_too, &vote, json!({ "option": 1 })).await.status,
        204
    );
    let has_both = |event: &Value| event["poll"]["options"][1]["votes"] == 2;
    here.next_where("poll", has_both).await;
    there.next_where("poll", has_both).await;
    // Questions.
    let off = json!({ "slow_seconds": 0 });
    assert_eq!(ada.patch("/api/channels/ada/chat", off).await.status, 200);
    there.next("modes").await;
    let asked = post(&vic, "questions", json!({ "text": "How long?" })).await;
    assert_eq!(asked.status, 201, "{asked:?}");
    let shown = there.next("question").await;
    assert_eq!(shown["question"]["text"], "How long?");
    // Who is warned or banned there is so here.
    assert_eq!(
        post(
            &ada_too,
            "warnings",
            json!({ "subject": "vic", "reason": "loud" })
        )
        .await
        .status,
        204
    );
    assert_eq!(here.next("warned").await["reason"], "loud");
    let ban = json!({ "kind": "ban", "reason": "louder" });
    assert_eq!(put(&ada_too, "restraints/vic", ban).await.status, 204);
    let is_banned = |event: &Value| event["you"]["restraint"]["kind"] == "ban";
    here.next_where("you", is_banned).await;
    assert_eq!(here.refused("why?").await["code"], "banned");
    assert!(
        history(&pair.one.anonymous()).await.is_empty()
            && history(&pair.two.anonymous()).await.is_empty()
    );
}

#[tokio::test]
async fn what_other_servers_do_with_channels_counts_here() {
    let pair = Pair::start().await;
    let (ada, _) = pair.account("ada", Role::Admin).await;
    let (_, vic) = pair.account("vic", Role::Viewer).await;
    let mut there = Talker::of(&vic, "ada").await;
    let added = ada
        .send("PUT", "/api/channels/ada/moderators/vic", &[])
        .await;
    assert_eq!(added.status, 204, "{added:?}");
    let may = |event: &Value| event["you"]["may_moderate"] == true;
    there.next_where("you", may).await;
    // A door that is shut here is shut there.
    let gate = json!({ "visibility": "password", "password": "sesame" });
    let shut = ada.patch("/api/channels/ada", gate).await;
    assert_eq!(shut.status, 200, "{shut:?}");
    assert_eq!(there.closed().await, "door_changed");
    let stranger = pair.two.anonymous().get("/api/channels/ada/chat").await;
    assert_eq!(stranger.code(), "channel_password_required");
    // What is on air here is on air in the room there, also for who comes first.
    let open = json!({ "visibility": "public" });
    assert_eq!(ada.patch("/api/channels/ada", open).await.status, 200);
    let opened = || async {
        let room = pair.two.anonymous().get("/api/channels/ada/chat").await;
        (room.status == 200).then_some(())
    };
    pair.two.wait_for("the door to open", opened).await;
    let mut there = Talker::of(&vic, "ada").await;
    assert_eq!(there.hello["stream"], json!(null));
    let encoder = pair.one.encoder("ada").await;
    let session = pair.one.go_live(&encoder).await;
    let stream = there.next("stream").await["stream"].clone();
    assert!(stream["id"].is_string(), "{stream}");
    let said = there.spoken("I see you").await;
    assert_eq!(said["stream"], stream["id"]);
    assert!(said["stream_time_ms"].as_i64().is_some(), "{said}");
    // A server that starts meanwhile leaves alone what is on air at another.
    assert_eq!(pair.two.close_unfinished().await, 0);
    pair.one.media_is_lost(session).await;
}

#[tokio::test]
async fn all_servers_have_one_order_of_what_is_said() {
    const WRITERS: usize = 4;
    const EACH: usize = 5;
    let pair = Pair::start().await;
    pair.account("ada", Role::Admin).await;
    let mut reads = [
        Talker::stranger(&pair.one.anonymous(), "ada", json!({})).await,
        Talker::stranger(&pair.two.anonymous(), "ada", json!({})).await,
    ];
    pair.until_they_hear().await;
    let mut writing = Vec::new();
    for writer in 0..WRITERS {
        let name = format!("writer{writer}");
        let (here, there) = pair.account(&name, Role::Viewer).await;
        let account = if writer % 2 == 0 { here } else { there };
        let mut talker = Talker::of(&account, "ada").await;
        writing.push(tokio::spawn(async move {
            for message in 0..EACH {
                talker.said(&format!("{name} {message}")).await;
            }
        }));
    }
    for writes in writing {
        writes.await.unwrap();
    }
    let mut heard = Vec::new();
    for reader in &mut reads {
        let mut all = Vec::new();
        for _ in 0..WRITERS * EACH {
            all.push(id_and_text(&reader.next("message").await["message"]));
        }
        let ids: BTreeSet<i64> = all.iter().map(|(id, _)| *id).collect();
        assert_eq!(ids.len(), WRITERS * EACH, "no id twice: {all:?}");
        // Each writer's messages come as they were said.
        for writer in 0..WRITERS {
            let name = format!("writer{writer}");
            let of_writer = all.iter().filter(|(_, text)| text.starts_with(&name));
            let of_writer: Vec<&(i64, String)> = of_writer.collect();
            assert!(of_writer.is_sorted(), "{of_writer:?}");
            assert_eq!(of_writer.len(), EACH);
        }
        all.sort();
        heard.push(all);
    }
    assert_eq!(heard[0], heard[1]);
    assert_eq!(history(&pair.one.anonymous()).await, heard[0]);
    assert_eq!(history(&pair.two.anonymous()).await, heard[0]);
}

#[tokio::test]
async fn who_writes_at_two_servers_has_one_pace() {
    let pair = Pair::start().await;
    pair.account("ada", Role::Admin).await;
    let (vic, vic_too) = pair.account("vic", Role::Viewer).await;
    let (mut here, mut there) = (
        Talker::of(&vic, "ada").await,
        Talker::of(&vic_too, "ada").await,
    );
    for text in ["one", "two", "three", "four", "five"] {
        here.said(text).await;
    }
    while there.heard().await != "five" {}
    assert_eq!(there.refused("six").await["code"], "too_fast");
    // The same message, sent again where its writer is now, is said once.
    let again = there.said("five").await;
    assert_eq!(
        history(&pair.two.anonymous()).await.last().unwrap().0,
        again
    );
    assert_eq!(history(&pair.one.anonymous()).await.len(), 5);
}

#[tokio::test]
async fn what_is_over_does_not_come_back_with_who_comes_later() {
    let pair = Pair::start().await;
    let (ada, ada_too) = pair.account("ada", Role::Admin).await;
    let (vic, vic_too) = pair.account("vic", Role::Viewer).await;
    // Only at the first server, and over before anybody is at the second.
    let mut here = Talker::of(&vic, "ada").await;
    here.said("before").await;
    let time_out = json!({ "kind": "timeout", "seconds": 10, "reason": "" });
    assert_eq!(put(&ada, "restraints/vic", time_out).await.status, 204);
    assert_eq!(here.refused("now").await["code"], "timed_out");
    let free = ada.delete("/api/channels/ada/chat/restraints/vic").await;
    assert_eq!(free.status, 204);
    let after = here.said("after").await;
    let (gone, kept) = (here.said("gone").await, here.said("kept").await);
    let path = format!("/api/channels/ada/chat/messages/{gone}");
    assert_eq!(ada.delete(&path).await.status, 204);
    let mut there = Talker::of(&vic_too, "ada").await;
    until("the second server knows what stays", || async {
        let known = history(&pair.two.anonymous()).await;
        known.iter().map(|(id, _)| *id).eq([after, kept])
    })
    .await;
    // Not even when it has looked at all that was told lately.
    there.said("there").await;
    while here.heard().await != "there" {}
    for server in [&ada, &ada_too] {
        let known = history(server).await;
        let texts: Vec<&str> = known.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(texts, ["after", "kept", "there"]);
    }
    // The other server's words are written a moment later.
    until("all three to be written", || async {
        let page = ada.get("/api/channels/ada/chat/messages").await.json();
        page["items"].as_array().unwrap().len() == 3
    })
    .await;
}

#[tokio::test]
async fn what_waits_for_a_moderator_is_settled_at_any_server() {
    let pair = Pair::start().await;
    let (ada, ada_too) = pair.account("ada", Role::Admin).await;
    let (vic, _) = pair.account("vic", Role::Viewer).await;
    let held = json!({ "term": "spoiler", "kind": "held" });
    assert_eq!(post(&ada, "terms", held).await.status, 201);
    let mut here = Talker::of(&vic, "ada").await;
    let mut there = Talker::of(&ada_too, "ada").await;
    pair.until_they_hear().await;
    for (text, verdict) in [("a spoiler", "approve"), ("another spoiler", "deny")] {
        here.say(text).await;
        let id = here.next("held").await["id"].as_i64().unwrap();
        assert_eq!(there.next("hold").await["message"]["id"], id);
        let settle = || async {
            // Until what waits is written at the other server.
            post(&ada_too, &format!("holds/{id}/{verdict}"), json!({}))
                .await
                .status
                == 204
        };
        until("it to be settled", settle).await;
        match verdict {
            "approve" => assert_eq!(here.heard().await, text),
            _ => assert_eq!(here.next("deleted").await["ids"], json!([id])),
        }
    }
    let texts = history(&pair.one.anonymous()).await;
    assert_eq!(texts.len(), 1);
    assert_eq!(history(&pair.two.anonymous()).await, texts);
}

/// How long Redis is away, in turns of 700 ms: `REDIS_AWAY=60` for a minute.
fn turns() -> u64 {
    let given = std::env::var("REDIS_AWAY").ok();
    let seconds: u64 = given.map_or(3, |seconds| seconds.parse().unwrap());
    seconds * 1_000 / 700
}

/// Messages that a reader got, each time it got them.
async fn drain(reader: &mut Talker, heard: &mut Vec<(i64, String)>) {
    for event in reader.settled().await {
        if event["type"] == "message" {
            heard.push(id_and_text(&event["message"]));
        }
    }
}

/// Something is so in the end.
async fn until<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    let is_so = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let so = timeout(Duration::from_secs(20), is_so).await;
    so.unwrap_or_else(|_| panic!("{what} in vain"));
}

/// Waits until somebody has heard so many messages.
async fn all_heard(reader: &mut Talker, heard: &mut Vec<(i64, String)>, said: usize) {
    let all = async {
        while heard.len() < said {
            drain(reader, heard).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let all = timeout(Duration::from_secs(20), all).await;
    all.unwrap_or_else(|_| panic!("{} of {said}: {heard:#?}", heard.len()));
}

/// Redis is away for a while, during which two write, one at each server, and two read.
async fn goes_on_without_redis(servers: [Account; 2], mut redis: OwnRedis, hangs: bool) {
    let [at_one, at_two] = &servers;
    let (mut here, mut there) = (
        Talker::of(at_one, "ada").await,
        Talker::of(at_two, "ada").await,
    );
    let mut reads = [
        Talker::stranger(at_one, "ada", json!({})).await,
        Talker::stranger(at_two, "ada", json!({})).await,
    ];
    let mut heard = [Vec::new(), Vec::new()];
    here.said("before, here").await;
    there.said("before, there").await;
    // Else what is deleted below could be what one of them has not heard yet.
    for (reader, heard) in reads.iter_mut().zip(&mut heard) {
        all_heard(reader, heard, 2).await;
    }
    match hangs {
        true => redis.hang(),
        false => redis.kill(),
    }
    let mut said = 2;
    for turn in 0..turns() {
        for (talker, place) in [(&mut here, "here"), (&mut there, "there")] {
            let text = format!("{turn} while away, {place}");
            let accepted = timeout(Duration::from_secs(2), talker.said(&text)).await;
            accepted.expect("who writes does not notice");
            said += 1;
        }
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
    // What a moderator does meanwhile counts at both in the end, too.
    let (gone, _) = history(at_one).await[0].clone();
    let path = format!("/api/channels/ada/chat/messages/{gone}");
    assert_eq!(at_two.delete(&path).await.status, 204);
    match hangs {
        true => redis.go_on(),
        false => redis.up().await,
    }
    here.said("after, here").await;
    there.said("after, there").await;
    said += 2;
    for (reader, heard) in reads.iter_mut().zip(&mut heard) {
        all_heard(reader, heard, said).await;
    }
    for server in &servers {
        until("what was deleted goes", || async {
            !history(server).await.iter().any(|(id, _)| *id == gone)
        })
        .await;
    }
    // Somewhat later nothing has come twice: servers have looked into the database once more.
    tokio::time::sleep(Duration::from_secs(6)).await;
    for (reader, heard) in reads.iter_mut().zip(&mut heard) {
        drain(reader, heard).await;
        heard.sort();
        let ids: BTreeSet<i64> = heard.iter().map(|(id, _)| *id).collect();
        assert_eq!((heard.len(), ids.len()), (said, said), "{heard:#?}");
    }
    assert_eq!(heard[0], heard[1]);
    // And whoever comes now gets the same at both.
    heard[0].retain(|(id, _)| *id != gone);
    assert_eq!(history(at_one).await, heard[0]);
    assert_eq!(history(at_two).await, heard[0]);
    let live = here.said("live again").await;
    let is_it = |event: &Value| event["message"]["id"] == live;
    let came = timeout(Duration::from_secs(3), there.next_where("message", is_it)).await;
    came.expect("it is told, and not looked up in the database");
}

#[tokio::test]
async fn servers_go_on_when_redis_hangs_and_meet_again() {
    let pair = Pair::start().await;
    let (here, there) = pair.account("ada", Role::Admin).await;
    let Pair { one, two, redis } = pair;
    goes_on_without_redis([here, there], redis, true).await;
    drop((one, two));
}

/// The programs themselves, as an operator runs them.
#[tokio::test]
async fn processes_go_on_when_redis_is_killed_and_meet_again() {
    let redis = OwnRedis::start().await;
    let database = tokio::task::spawn_blocking(new_postgres).await.unwrap();
    let settings = [
        ("TALLYLIGHT_DATABASE_URL", database.as_str()),
        ("TALLYLIGHT_BUS_URL", &redis.url()),
    ];
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let [one, two] = folders.each_ref().map(TempDir::path);
    let create = ["account", "create", "ada", "--admin", "--password-stdin"];
    run(one, &create, &settings, PASSWORD);
    let create = ["channel", "create", "ada", "--owner", "ada"];
    run(one, &create, &settings, "");
    fs::create_dir(two.join("data")).unwrap();
    fs::copy(one.join("data/pepper"), two.join("data/pepper")).unwrap();
    let processes = [one, two].map(|data| Process::start(data, &settings));
    let mut people = Vec::new();
    for process in &processes {
        let ada = Anonymous::at(&process.base);
        people.push(Account::sign_in_by(ada, "ada", PASSWORD).await);
    }
    goes_on_without_redis(people.try_into().unwrap(), redis, false).await;
}
