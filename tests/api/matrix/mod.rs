//! Who may do what: every operation of the description, asked by everybody there is.
//!
//! `table.txt` holds what is expected. An operation that it lacks fails the test, which prints the line
//! that would tell how things are: read it before it goes into the table.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tallylight::accounts::{Need, Role, need};
use tallylight::config::Config;
use tallylight::secret::Secret;

use crate::support::{Account, Anonymous, Backend, PASSWORD, Program, Server, sell};

/// In the order of the table's columns.
const ACTORS: [&str; 6] = [
    "anonymous",
    "viewer",
    "another",
    "moderator",
    "owner",
    "admin",
];
const TABLE: &str = "tests/api/matrix/table.txt";

/// What an operation is asked with, and what each gets.
#[derive(Debug, Clone, PartialEq)]
struct Line {
    body: Option<String>,
    expected: Vec<u16>,
}

/// Lines of `METHOD PATH [JSON] | status …`.
fn table() -> BTreeMap<String, Line> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(TABLE);
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    let read = lines.map(|line| {
        let (asked, expected) = line.rsplit_once('|').unwrap_or_else(|| panic!("{line}"));
        let mut words = asked.trim().splitn(3, char::is_whitespace);
        let (method, path) = (words.next().unwrap(), words.next().unwrap());
        let body = words.next().map(|body| body.trim().to_owned());
        let expected = expected
            .split_whitespace()
            .map(|status| status.parse().unwrap());
        let line = Line {
            body,
            expected: expected.collect(),
        };
        (format!("{method} {path}"), line)
    });
    read.collect()
}

struct House {
    server: Server,
    owner: Account,
    admin: Account,
    actors: Vec<Anonymous>,
    recording: String,
    /// A stream that is planned.
    planned: String,
}

impl House {
    async fn new() -> Self {
        // Nobody listens there: what asks Stripe is told that it is away.
        let sell = |config: &mut Config| sell(config, "http://127.0.0.1:9");
        let server = Server::start_with(Backend::Sqlite, sell).await;
        let owner = server.account("ada", Role::Creator).await;
        let kept = server.record(&owner).await;
        let accounts = &server.app.services.accounts;
        let password = Secret::new(PASSWORD);
        accounts
            .create("vic", &password, Role::Viewer)
            .await
            .unwrap();
        let viewer = Account::sign_in(&server, "vic", PASSWORD).await;
        let another = server.account("eve", Role::Creator).await;
        let moderator = server.account("mo", Role::Creator).await;
        let made = owner
            .send("PUT", "/api/channels/ada/moderators/mo", &[])
            .await;
        assert!(made.status.is_success(), "{made:?}");
        let admin = server.account("root", Role::Admin).await;
        let accounts = [&viewer, &another, &moderator, &owner, &admin];
        let mut actors = vec![server.anonymous()];
        actors.extend(accounts.map(|account| account.0.clone()));
        let mut house = Self {
            owner,
            admin,
            actors,
            recording: kept.id,
            planned: String::new(),
            server,
        };
        house.planned = house.plan().await["id"].as_str().unwrap().to_owned();
        house
    }

    /// The address with things of the owner in it, made anew where they can be used up.
    async fn filled(&self, path: &str) -> String {
        let path = path
            .replace("{handle}", "ada")
            .replace("{subject}", "vic")
            .replace("{message}", "1")
            .replace("{code}", "wave");
        if !path.contains("{id}") {
            return path;
        }
        let made = match path.as_str() {
            path if path.starts_with("/api/channels/ada/stream_keys/") => {
                let body = json!({ "name": "OBS" });
                self.owner
                    .post("/api/channels/ada/stream_keys", body)
                    .await
                    .json()
            }
            // Nothing there uses a stream up, and a channel has only so many ahead.
            path if path.starts_with("/api/streams/{id}/chat") => json!({ "id": self.planned }),
            path if path.starts_with("/api/streams/") => self.plan().await,
            path if path.starts_with("/api/recordings/") => json!({ "id": self.recording }),
            _ => json!({ "id": "00000000-0000-7000-8000-000000000000" }),
        };
        let id = made["id"]
            .as_str()
            .unwrap_or_else(|| panic!("{path}: {made}"));
        path.replace("{id}", id)
    }

    async fn plan(&self) -> Value {
        let body = json!({
            "channel": "ada", "title": "Later",
            "scheduled_at": self.tomorrow(), "time_zone": "UTC",
        });
        self.owner.post("/api/streams", body).await.json()
    }

    fn tomorrow(&self) -> String {
        let day = Duration::from_secs(24 * 3600);
        (self.server.clock.now() + day).to_string()
    }

    async fn ask(&self, actor: usize, operation: &str, body: Option<&str>) -> u16 {
        let (method, path) = operation.split_once(' ').unwrap();
        let path = self.filled(path).await;
        let json = [("content-type", "application/json")];
        let person = &self.actors[actor];
        let answer = match body {
            Some(body) => {
                let body = body.replace("$N", &format!("{actor}"));
                let body = body.replace("$TOMORROW", &self.tomorrow());
                person.send_body(method, &path, &json, body).await
            }
            None => person.send(method, &path, &[]).await,
        };
        answer.status.as_u16()
    }
}

/// Operations that end what the others ask with: each is left out here and tested on its own.
fn is_apart(operation: &str) -> bool {
    ["/api/session", "/api/setup", "/api/auth"]
        .iter()
        .any(|root| operation.contains(root))
        // Streams of events do not end.
        || (operation.ends_with("/events") && !operation.contains("/admin/"))
}

fn operations(description: &Value) -> Vec<String> {
    let paths = description["paths"].as_object().unwrap().iter();
    let all = paths
        .filter(|(path, _)| path.starts_with("/api/"))
        .flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().keys();
            methods.map(move |method| format!("{} {path}", method.to_uppercase()))
        });
    let mut all: Vec<String> = all.filter(|operation| !is_apart(operation)).collect();
    // What deletes comes last.
    all.sort_by_key(|operation| operation.starts_with("DELETE"));
    all
}

#[tokio::test]
async fn everybody_may_do_what_the_table_says_and_no_more() {
    let house = House::new().await;
    let description = house
        .server
        .anonymous()
        .get("/api/openapi.json")
        .await
        .json();
    let (known, mut wrong) = (table(), Vec::new());
    let operations = operations(&description);
    for operation in &operations {
        let line = known.get(operation);
        let body = line.and_then(|line| line.body.as_deref());
        let mut found = Vec::new();
        for actor in 0..ACTORS.len() {
            found.push(house.ask(actor, operation, body).await);
        }
        if line.is_none_or(|line| line.expected != found) {
            let found: Vec<String> = found.iter().map(u16::to_string).collect();
            let body = body.unwrap_or_default();
            wrong.push(format!("{operation} {body} | {}", found.join(" ")));
        }
    }
    let gone = known
        .keys()
        .filter(|operation| !operations.contains(operation));
    let gone: Vec<&String> = gone.collect();
    assert!(
        gone.is_empty(),
        "{TABLE} tells of what is not there: {gone:#?}"
    );
    assert!(
        wrong.is_empty(),
        "{TABLE} ({}) says otherwise:\n{}",
        ACTORS.join(" "),
        wrong.join("\n")
    );
}

#[tokio::test]
async fn a_token_does_no_more_than_its_scopes_and_nothing_once_it_has_expired() {
    let house = House::new().await;
    let (server, root) = (&house.server, &house.admin);
    let expired = Program::lasting(server, root, &["admin:write"], 1).await;
    server.clock.advance(Duration::from_secs(2 * 24 * 3600));
    let (reader, writer) = (
        Program::of(server, root, &["follows:read"]).await,
        Program::of(server, root, &["webhooks:read"]).await,
    );
    let description = server.anonymous().get("/api/openapi.json").await.json();
    let mut wrong = Vec::new();
    for operation in operations(&description) {
        let (method, path) = operation.split_once(' ').unwrap();
        // These ask nobody who they are.
        if path == "/api/oembed" || path.starts_with("/api/unsubscribe/") {
            continue;
        }
        let need = need(&method.parse().unwrap(), path);
        let path = house.filled(path).await;
        let late = expired.send(method, &path, &Value::Null).await;
        if (late.status.as_u16(), late.code().as_str()) != (401, "token_expired") {
            wrong.push(format!("{operation}: {} of an expired token", late.status));
        }
        let (wanted, lacking) = match need {
            Need::Nothing => continue,
            Need::Never => ("token_refused", &reader),
            // The one of the two that lacks it.
            Need::Scope(scope) if scope.resource == "follows" => ("scope_missing", &writer),
            Need::Scope(_) => ("scope_missing", &reader),
        };
        let answer = lacking.send(method, &path, &Value::Null).await;
        if (answer.status.as_u16(), answer.code().as_str()) != (403, wanted) {
            wrong.push(format!("{operation}: {answer:?}, not {wanted}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
