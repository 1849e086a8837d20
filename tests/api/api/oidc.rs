//! `/api/auth/oidc` and `/api/account/identities`, against a small provider.

use std::time::Duration;

use openidconnect::url::Url;
use serde_json::{Value, json};
use tallylight::accounts::Role;
use tallylight::config::Registration;

use crate::support::{Account, Anonymous, Answer, Backend, Provider, Server, Smtp};

async fn server(backend: Backend, provider: &Provider) -> Server {
    let server = Server::start_with(backend, |config| {
        config.oidc.providers.push(provider.config());
        config.accounts.registration = Registration::Open;
    })
    .await;
    // Nobody signs up before the first account is made.
    server.creator().await;
    server
}

/// A sign-in that has been at the provider: the way back, and the cookie.
struct Journey {
    back: String,
    cookie: String,
}

fn cookie_of(answer: &Answer, name: &str) -> Option<String> {
    let cookies = answer.all("set-cookie").into_iter();
    let pairs = cookies.map(|text| text.split(';').next().unwrap().to_owned());
    pairs
        .into_iter()
        .find(|pair| pair.starts_with(&format!("{name}=")))
}

/// At the provider, which sends the browser back.
async fn visit(url: &str) -> String {
    let browser = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let answer = browser.get(url).send().await.unwrap();
    let back = answer.headers()["location"].to_str().unwrap();
    let back = Url::parse(back).unwrap();
    format!("{}?{}", back.path(), back.query().unwrap())
}

async fn depart(person: &Anonymous, next: &str) -> Journey {
    let path = format!("/api/auth/oidc/work?next={next}");
    let answer = person.get(&path).await;
    assert_eq!(answer.status, 303, "{answer:?}");
    Journey {
        back: visit(answer.header("location")).await,
        cookie: cookie_of(&answer, "tallylight-oidc").unwrap(),
    }
}

async fn come_back(person: &Anonymous, journey: &Journey) -> Answer {
    let headers = [("cookie", journey.cookie.as_str())];
    let answer = person.send("GET", &journey.back, &headers).await;
    assert_eq!(answer.status, 303, "{answer:?}");
    answer
}

async fn sign_in(server: &Server) -> Answer {
    let person = server.anonymous();
    come_back(&person, &depart(&person, "/@ada").await).await
}

/// Who the answer signed in.
async fn whoami(server: &Server, answer: &Answer) -> Value {
    let login = cookie_of(answer, "tallylight").expect("a login");
    let headers = [("cookie", login.as_str())];
    let session = server
        .anonymous()
        .send("GET", "/api/session", &headers)
        .await;
    assert_eq!(session.status, 200, "{session:?}");
    session.json()["account"].clone()
}

fn is_refused(answer: &Answer, code: &str) -> bool {
    cookie_of(answer, "tallylight").is_none()
        && answer.header("location") == format!("/login?problem={code}")
}

async fn the_first_visit_makes_an_account_and_the_next_finds_it(backend: Backend) {
    let provider = Provider::start().await;
    let server = server(backend, &provider).await;
    let choices = server.anonymous().get("/api/instance").await.json()["providers"].clone();
    assert_eq!(
        choices,
        json!([{ "name": "work", "label": "Work account" }])
    );

    let answer = sign_in(&server).await;
    assert_eq!(answer.header("location"), "/@ada");
    let account = whoami(&server, &answer).await;
    assert_eq!(
        (&account["name"], &account["role"]),
        (&json!("Ada Lovelace"), &json!("viewer"))
    );

    // The name at the provider may change; the account stays.
    provider.say(json!({ "preferred_username": "Countess" }));
    let again = whoami(&server, &sign_in(&server).await).await;
    assert_eq!(again["id"], account["id"]);

    // Somebody else of the same name gets a name of their own.
    provider.say(json!({ "sub": "ada-2" }));
    let other = whoami(&server, &sign_in(&server).await).await;
    assert_ne!(other["id"], account["id"]);
    assert_eq!(other["name"], "Ada Lovelace 2");
}

#[tokio::test]
async fn the_first_visit_makes_an_account_on_sqlite() {
    the_first_visit_makes_an_account_and_the_next_finds_it(Backend::Sqlite).await;
}

#[tokio::test]
async fn the_first_visit_makes_an_account_on_postgres() {
    the_first_visit_makes_an_account_and_the_next_finds_it(Backend::Postgres).await;
}

#[tokio::test]
async fn a_token_that_is_not_for_this_sign_in_signs_nobody_in() {
    let provider = Provider::start().await;
    let server = server(Backend::Sqlite, &provider).await;
    let past = jiff::Timestamp::now().as_second() - 600;
    for lie in [
        json!({ "nonce": "another" }),
        json!({ "exp": past }),
        json!({ "aud": "another-client" }),
        json!({ "iss": "https://elsewhere.example" }),
        json!({ "at_hash": "AAAAAAAAAAAAAAAAAAAAAA" }),
    ] {
        let before = provider.redeemed();
        provider.say(lie.clone());
        let answer = sign_in(&server).await;
        assert_eq!(
            provider.redeemed(),
            before + 1,
            "it came to the token: {lie}"
        );
        let is_kept_out = is_refused(&answer, "oidc_refused");
        // The crate that signs for the test writes the true hash over this lie.
        assert!(
            is_kept_out || lie.get("at_hash").is_some(),
            "{lie}: {answer:?}"
        );
    }
    provider.say(json!({}));
    provider.sign_by_stranger();
    assert!(is_refused(&sign_in(&server).await, "oidc_refused"));
}

#[tokio::test]
async fn a_state_is_good_once_in_its_own_browser_for_ten_minutes() {
    let provider = Provider::start().await;
    let server = server(Backend::Sqlite, &provider).await;
    let person = server.anonymous();

    let journey = depart(&person, "/").await;
    assert!(cookie_of(&come_back(&person, &journey).await, "tallylight").is_some());
    assert!(
        is_refused(&come_back(&person, &journey).await, "oidc_over"),
        "replayed"
    );

    let (mine, theirs) = (depart(&person, "/").await, depart(&person, "/").await);
    let mixed = Journey {
        back: theirs.back.clone(),
        cookie: mine.cookie,
    };
    assert!(
        is_refused(&come_back(&person, &mixed).await, "oidc_over"),
        "another's state"
    );
    let without = Journey {
        back: theirs.back.clone(),
        cookie: "x=y".to_owned(),
    };
    assert!(
        is_refused(&come_back(&person, &without).await, "oidc_over"),
        "another browser"
    );

    let late = depart(&person, "/").await;
    server.clock.advance(Duration::from_secs(601));
    assert!(
        is_refused(&come_back(&person, &late).await, "oidc_over"),
        "too late"
    );
    assert_eq!(provider.redeemed(), 1);
}

#[tokio::test]
async fn who_says_no_or_comes_from_another_issuer_is_not_signed_in() {
    let provider = Provider::start().await;
    let server = server(Backend::Sqlite, &provider).await;
    let person = server.anonymous();
    let mut journey = depart(&person, "/").await;
    let (path, query) = journey.back.split_once('?').unwrap();
    let state = query.rsplit_once("state=").unwrap().1;
    journey.back = format!("{path}?error=access_denied&state={state}");
    assert!(is_refused(
        &come_back(&person, &journey).await,
        "oidc_denied"
    ));
    let mut journey = depart(&person, "/").await;
    journey.back += "&iss=https://elsewhere.example";
    assert!(is_refused(&come_back(&person, &journey).await, "oidc_over"));
}

#[tokio::test]
async fn nobody_is_led_to_another_site() {
    let provider = Provider::start().await;
    let server = server(Backend::Sqlite, &provider).await;
    let person = server.anonymous();
    for next in [
        "//evil.example",
        "https://evil.example",
        "/%5Cevil.example",
        "",
    ] {
        let answer = come_back(&person, &depart(&person, next).await).await;
        assert_eq!(answer.header("location"), "/", "{next}");
    }
}

#[tokio::test]
async fn an_address_never_leads_to_an_account_and_sign_up_keeps_to_its_rules() {
    let provider = Provider::start().await;
    let server = server(Backend::Sqlite, &provider).await;
    let ada = Account::sign_in(&server, "ada", crate::support::PASSWORD).await;
    let said = json!({ "email": "ada@example.org", "email_verified": true });
    provider.say(said.clone());
    let first = whoami(&server, &sign_in(&server).await).await;
    let own = ada.get("/api/session").await.json()["account"]["id"].clone();
    assert_ne!(first["id"], own);

    // A second person who says the same gets an account without that address.
    provider.say(json!({ "sub": "mallory", "email": "ada@example.org", "email_verified": true }));
    let second = whoami(&server, &sign_in(&server).await).await;
    assert_ne!(second["id"], first["id"]);

    let edit = json!({ "registration": "invite" });
    assert_eq!(ada.patch("/api/admin/settings", edit).await.status, 200);
    provider.say(json!({ "sub": "nobody-yet" }));
    assert!(is_refused(&sign_in(&server).await, "oidc_no_sign_up"));
    // Who is here already still comes in.
    provider.say(json!({}));
    assert_eq!(
        whoami(&server, &sign_in(&server).await).await["id"],
        first["id"]
    );
}

#[tokio::test]
async fn nobody_gets_an_account_that_could_never_sign_in() {
    let provider = Provider::start().await;
    let smtp = Smtp::start().await;
    let server = Server::start_with(Backend::Sqlite, |config| {
        smtp.configure(config);
        config.oidc.providers.push(provider.config());
        config.accounts.registration = Registration::Open;
        config.accounts.require_email = true;
    })
    .await;
    server.creator().await;
    provider.say(json!({ "email": "ada@example.org", "email_verified": false }));
    assert!(is_refused(&sign_in(&server).await, "oidc_no_address"));
    // Nothing was made that would be in the way once the address is confirmed.
    provider.say(json!({ "email": "ada@example.org", "email_verified": true }));
    whoami(&server, &sign_in(&server).await).await;
}

#[tokio::test]
async fn an_account_is_linked_and_unlinked_but_never_locked_out() {
    let provider = Provider::start().await;
    let server = server(Backend::Sqlite, &provider).await;
    let eve = server.account("eve", Role::Viewer).await;
    let path = "/api/account/identities";
    let begun = eve.post(path, json!({ "provider": "work" })).await;
    assert_eq!(begun.status, 200, "{begun:?}");
    let back = visit(begun.json()["url"].as_str().unwrap()).await;
    let cookie = cookie_of(&begun, "tallylight-oidc").unwrap();

    // Somebody else's browser cannot finish it.
    let stranger = Journey {
        back: back.clone(),
        cookie: cookie.clone(),
    };
    let answer = come_back(&server.anonymous(), &stranger).await;
    assert_eq!(
        answer.header("location"),
        "/settings/security?problem=oidc_over"
    );

    let begun = eve.post(path, json!({ "provider": "work" })).await;
    let back = visit(begun.json()["url"].as_str().unwrap()).await;
    let cookie = cookie_of(&begun, "tallylight-oidc").unwrap();
    let both = format!("{cookie}; {}", eve.cookie());
    let journey = Journey { back, cookie: both };
    let answer = come_back(&server.anonymous(), &journey).await;
    assert_eq!(answer.header("location"), "/settings/security");
    let signed_in = whoami(&server, &sign_in(&server).await).await;
    assert_eq!(signed_in["name"], "eve");

    let list = eve.get(path).await.json();
    assert_eq!(list["items"][0]["label"], "Ada Lovelace");
    let id = list["items"][0]["id"].as_str().unwrap();
    let other = server.account("bob", Role::Viewer).await;
    assert_eq!(other.delete(&format!("{path}/{id}")).await.status, 404);
    assert_eq!(eve.delete(&format!("{path}/{id}")).await.status, 204);

    // Who has nothing else keeps it.
    let newcomer = sign_in(&server).await;
    let login = cookie_of(&newcomer, "tallylight").unwrap();
    let headers = [("cookie", login.as_str())];
    let person = server.anonymous();
    let list = person.send("GET", path, &headers).await.json();
    let id = list["items"][0]["id"].as_str().unwrap();
    let answer = person
        .send("DELETE", &format!("{path}/{id}"), &headers)
        .await;
    assert_eq!(
        (answer.status.as_u16(), answer.code().as_str()),
        (409, "last_way_in")
    );
}

#[tokio::test]
async fn who_has_no_password_proves_to_be_the_owner_by_a_new_sign_in() {
    let provider = Provider::start().await;
    let server = server(Backend::Sqlite, &provider).await;
    let person = server.anonymous();
    let leave = async |answer: &Answer| {
        let login = cookie_of(answer, "tallylight").unwrap();
        let headers = [("cookie", login.as_str())];
        let account = person.send("GET", "/api/account", &headers).await.json();
        assert_eq!(account["has_password"], false);
        let headers = [
            ("cookie", login.as_str()),
            ("content-type", "application/json"),
        ];
        person
            .send_body("DELETE", "/api/account", &headers, "{}")
            .await
    };
    let old = sign_in(&server).await;
    server.clock.advance(Duration::from_secs(601));
    let refused = leave(&old).await;
    assert_eq!(
        (refused.status.as_u16(), refused.code().as_str()),
        (403, "sign_in_again")
    );
    assert_eq!(leave(&sign_in(&server).await).await.status, 204);
}

#[tokio::test]
async fn a_provider_that_is_away_is_told_in_words() {
    let provider = Provider::start().await;
    let mut config = provider.config();
    config.issuer = "http://127.0.0.1:9".to_owned();
    let server = Server::start_with(Backend::Sqlite, |all| all.oidc.providers.push(config)).await;
    let answer = server.anonymous().get("/api/auth/oidc/work").await;
    assert_eq!(answer.header("location"), "/login?problem=oidc_unreachable");
    let answer = server.anonymous().get("/api/auth/oidc/nobody").await;
    assert_eq!(
        (answer.status.as_u16(), answer.code().as_str()),
        (404, "provider_not_found")
    );
}
