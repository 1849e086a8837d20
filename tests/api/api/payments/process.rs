//! The program itself: killed between an event and its effect, and what its log says of money.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fake_stripe::{FakeStripe, Options, Trouble};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use crate::process::run;
use crate::support::{Account, Anonymous, PASSWORD};

const KEY: &str = "sk_test_canary_of_the_key";
const SECRET: &str = "whsec_canary_of_the_secret";
const MESSAGE: &str = "canary of the message";
const DEADLINE: Duration = Duration::from_secs(60);

/// A server in a process of its own, whose log goes to a file.
struct Shop {
    folder: TempDir,
    fake: FakeStripe,
    child: Child,
    base: String,
}

impl Shop {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let fake = FakeStripe::start(Options {
            listen: "127.0.0.1:0".parse().unwrap(),
            webhook_url: None,
            webhook_secret: SECRET.to_owned(),
            public_url: None,
        });
        let fake = fake.await.unwrap();
        let password = format!("{PASSWORD}\n");
        for (name, role) in [("ada", "admin"), ("bob", "viewer")] {
            let create = [
                "account",
                "create",
                name,
                "--role",
                role,
                "--password-stdin",
            ];
            run(folder.path(), &create, &[], &password);
        }
        let channel = ["channel", "create", "ada", "--owner", "ada"];
        run(folder.path(), &channel, &[], "");
        let (child, base) = serve(folder.path(), &fake);
        let shop = Self {
            folder,
            fake,
            child,
            base,
        };
        shop.aim().await;
        let tips = json!({ "takes_tips": true });
        let set = shop.ada().await.patch("/api/channels/ada/shop", tips).await;
        assert_eq!(set.status, 200, "{set:?}");
        shop
    }

    async fn aim(&self) {
        let webhook = format!("{}/webhooks/stripe", self.base);
        self.fake.aim(Some(&webhook), SECRET).await;
    }

    /// SIGKILL, and another process on the same data.
    async fn kill_and_start_again(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        (self.child, self.base) = serve(self.folder.path(), &self.fake);
        self.aim().await;
    }

    async fn account(&self, name: &str) -> Account {
        Account::sign_in_by(Anonymous::at(&self.base), name, PASSWORD).await
    }

    async fn ada(&self) -> Account {
        self.account("ada").await
    }

    /// Begins a tip of five euros; its Checkout session.
    async fn begin(&self, bob: &Account) -> String {
        let order = json!({
            "kind": "tip", "amount": 500, "currency": "eur", "message": MESSAGE,
        });
        let begun = bob.post("/api/channels/ada/purchases", order).await;
        assert_eq!(begun.status, 201, "{begun:?}");
        let url = begun.json()["url"].as_str().unwrap().to_owned();
        url.rsplit('/').next().unwrap().to_owned()
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn log_of(data: &Path) -> PathBuf {
    data.join("log")
}

fn serve(data: &Path, fake: &FakeStripe) -> (Child, String) {
    let log = File::options()
        .create(true)
        .append(true)
        .open(log_of(data))
        .unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_tallylight"))
        .arg("serve")
        .current_dir(data)
        .env("TALLYLIGHT_DATA", data.join("data"))
        .env("TALLYLIGHT_HTTP", "127.0.0.1:0")
        .env("TALLYLIGHT_MEDIA_BIND", "127.0.0.1")
        .env("TALLYLIGHT_MEDIA_PORT", "0")
        .env("TALLYLIGHT_ADMIN_LISTEN", "off")
        .env("TALLYLIGHT_RTMP_LISTEN", "off")
        .env("TALLYLIGHT_TURN_LISTEN", "off")
        .env("TALLYLIGHT_LOG", "debug")
        .env("TALLYLIGHT_PAYMENTS_SECRET_KEY", KEY)
        .env("TALLYLIGHT_PAYMENTS_WEBHOOK_SECRETS", SECRET)
        .env("TALLYLIGHT_PAYMENTS_STRIPE_URL", format!("{}/", fake.url()))
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut lines = lines.map(Result::unwrap);
    let line = lines.find(|line| line.contains("Pages and API")).unwrap();
    let base = line.split_whitespace().last().unwrap();
    (child, base.trim_end_matches('/').to_owned())
}

/// Asks again and again until there is an answer.
async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(found) = ask().await {
                return found;
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    let found = timeout(DEADLINE, asking).await;
    found.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

async fn ledger(ada: &Account) -> Vec<Value> {
    let ledger = ada.get("/api/channels/ada/ledger").await.json();
    ledger["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn what_an_event_asks_for_is_done_although_the_server_is_killed_before() {
    let mut shop = Shop::open().await;
    let (ada, bob) = (shop.ada().await, shop.account("bob").await);
    let session = shop.begin(&bob).await;
    // The event is taken, and what it is about cannot be read.
    shop.fake.trouble(Trouble::Down).await;
    shop.fake.pay(&session).await.unwrap();
    until("the event", async || {
        let events = ada.get("/api/admin/payments/events").await.json();
        let mut events = events["items"].as_array()?.iter();
        let taken = events.find(|event| event["kind"] == "checkout.session.completed")?;
        taken["done_at"].is_null().then_some(())
    })
    .await;
    shop.kill_and_start_again().await;
    shop.fake.trouble(Trouble::None).await;
    let ada = shop.ada().await;
    let ledger = until("the payment", async || {
        let ledger = ledger(&ada).await;
        (!ledger.is_empty()).then_some(ledger)
    })
    .await;
    assert_eq!(ledger.len(), 1, "once: {ledger:?}");
    assert_eq!(ledger[0]["amount"], 500);
}

/// What viewers of one stream are to give.
const WORD: &str = "canary-of-a-password";

/// Asks for what there is of a planned stream and fails, with secrets of all kinds; gives the pass.
async fn watch_behind_a_password(ada: &Account, bob: &Account) -> String {
    let new = json!({ "channel": "ada", "gate": { "who": "password", "password": WORD } });
    let made = ada.post("/api/streams", new).await;
    assert_eq!(made.status, 201, "{made:?}");
    let path = format!("/api/streams/{}", made.json()["id"].as_str().unwrap());
    let pass = ada.post(&format!("{path}/pass"), json!({})).await.json();
    let pass = pass["pass"].as_str().unwrap().to_owned();
    for word in ["canaryofapass", WORD] {
        let body = json!({ "password": word });
        bob.post(&format!("{path}/password"), body).await;
        let bearer = format!("Bearer {word}");
        let headers = [("authorization", bearer.as_str())];
        bob.send("GET", "/hls/ada/index.m3u8", &headers).await;
    }
    for pass in [pass.as_str(), "canaryofapass"] {
        for path in [
            format!("/hls/ada/token.{pass}/v0/index.m3u8"),
            format!("/hls/ada/token.{pass}/v0/1.m4s"),
            format!("/hls/ada/token.{pass}/v0/%31.m4s"),
            format!("/vod/{}.{pass}/v0/index.m3u8", uuid::Uuid::now_v7()),
        ] {
            let refused = bob.get(&path).await;
            assert!(!refused.status.is_success(), "{path}: {refused:?}");
        }
    }
    pass
}

#[tokio::test]
async fn the_log_tells_no_key_no_token_and_nothing_of_who_paid_what() {
    let shop = Shop::open().await;
    let (ada, bob) = (shop.ada().await, shop.account("bob").await);
    let alerts = ada.post("/api/channels/ada/alert_token", json!({})).await;
    let alerts = alerts.json()["token"].as_str().unwrap().to_owned();
    let following = reqwest::Client::new()
        .get(format!("{}/alerts/events", shop.base))
        .bearer_auth(&alerts)
        .send()
        .await
        .unwrap();
    assert_eq!(following.status(), 200);
    let session = shop.begin(&bob).await;
    shop.fake.pay(&session).await.unwrap();
    until("the payment", async || {
        (!ledger(&ada).await.is_empty()).then_some(())
    })
    .await;
    let pass = watch_behind_a_password(&ada, &bob).await;
    // Refusals are logged as well.
    let forged = Anonymous::at(&shop.base);
    let headers = [("stripe-signature", "t=1,v1=canaryofasignature")];
    let body = format!("{{\"message\":\"{MESSAGE}\"}}");
    forged
        .send_body("POST", "/webhooks/stripe", &headers, body)
        .await;
    shop.fake.trouble(Trouble::Down).await;
    let away = bob.post("/api/account/billing", json!({})).await;
    assert_eq!(away.code(), "stripe_unavailable");
    let log = std::fs::read_to_string(log_of(shop.folder.path())).unwrap();
    assert!(log.contains("An event of Stripe's was refused"), "{log}");
    let secrets = [
        KEY,
        SECRET,
        MESSAGE,
        "canaryofasignature",
        PASSWORD,
        &alerts,
        &pass,
        WORD,
        "canaryofapass",
        ada.cookie().rsplit('=').next().unwrap(),
        &format!("/pay/{session}"),
    ];
    for secret in secrets {
        assert!(!log.contains(secret), "{secret} stands in the log");
    }
}
