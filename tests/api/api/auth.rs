//! `/api/auth`: signing up, in two steps, confirming addresses, new passwords.

use std::time::Duration;

use serde_json::{Value, json};
use tallylight::accounts::Role;
use tallylight::config::Registration;
use totp_rs::{Builder, Secret as TotpSecret};

use crate::support::{Account, Backend, Mood, PASSWORD, Server, Smtp, on_both_databases};

fn wish(name: &str) -> Value {
    json!({ "name": name, "password": PASSWORD })
}

async fn open(backend: Backend) -> Server {
    let server = Server::start_with(backend, |config| {
        config.accounts.registration = Registration::Open;
    })
    .await;
    server.creator().await;
    server
}

/// Makes an invite; gives its code.
async fn invite(admin: &Account, wish: Value) -> String {
    let answer = admin.post("/api/admin/invites", wish).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()["code"].as_str().unwrap().to_owned()
}

on_both_databases! {
    async fn an_invite_makes_as_many_accounts_as_it_says(server) {
        let ada = server.creator().await;
        let person = server.anonymous();
        let answer = person.post("/api/auth/register", wish("vic")).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (403, "invite_needed"));
        let code = invite(&ada, json!({ "note": "for Vic", "role": "creator" })).await;
        let mut with_code = wish("vic");
        with_code["invite"] = code.clone().into();
        let answer = person.post("/api/auth/register", with_code.clone()).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        assert_eq!(answer.json()["account"]["role"], "creator");
        assert!(Account::with_cookie_of(person.clone(), &answer).is_signed_in().await);
        with_code["name"] = "wim".into();
        let again = person.post("/api/auth/register", with_code).await;
        assert_eq!((again.status.as_u16(), again.code().as_str()), (403, "invite_invalid"));
        let list = ada.get("/api/admin/invites").await.json();
        assert_eq!(list["items"][0]["uses"], 1);
        assert_eq!(list["items"][0]["note"], "for Vic");
        assert!(!list.to_string().contains(&code), "a code is shown once");
    }

    async fn a_refused_sign_up_leaves_the_invite_good(server) {
        let ada = server.creator().await;
        let code = invite(&ada, json!({})).await;
        let person = server.anonymous();
        let mut taken = wish("ADA");
        taken["invite"] = code.clone().into();
        let answer = person.post("/api/auth/register", taken.clone()).await;
        assert_eq!(answer.code(), "name_taken");
        taken["name"] = "vic".into();
        assert_eq!(person.post("/api/auth/register", taken).await.status, 201);
    }

    async fn an_invite_that_was_taken_back_or_is_old_is_worth_nothing(server) {
        let ada = server.creator().await;
        let person = server.anonymous();
        let old = invite(&ada, json!({ "days": 1 })).await;
        let gone = invite(&ada, json!({})).await;
        let list = ada.get("/api/admin/invites").await.json();
        let id = list["items"][0]["id"].as_str().unwrap();
        assert_eq!(ada.delete(&format!("/api/admin/invites/{id}")).await.status, 204);
        let answer = ada.delete(&format!("/api/admin/invites/{id}")).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (404, "invite_not_found"));
        server.clock.advance(Duration::from_secs(25 * 3600));
        for code in [old, gone] {
            let mut with_code = wish("vic");
            with_code["invite"] = code.into();
            let answer = person.post("/api/auth/register", with_code).await;
            assert_eq!(answer.code(), "invite_invalid");
        }
    }

    async fn a_code_is_needed_once_the_app_is_confirmed_and_works_once(server) {
        let ada = server.creator().await;
        let totp = enrol(server, &ada).await;
        let (challenge, person) = (challenge(server).await, server.anonymous());
        assert_eq!(person.get("/api/session").await.status, 401);
        server.clock.advance(Duration::from_secs(30));
        let body = json!({ "challenge": challenge, "code": totp.now(server) });
        let answer = person.post("/api/auth/login/code", body.clone()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(Account::with_cookie_of(person.clone(), &answer).is_signed_in().await);
        let again = person.post("/api/auth/login/code", body.clone()).await;
        assert_eq!((again.status.as_u16(), again.code().as_str()), (401, "challenge_over"));
        let mut replayed = body;
        replayed["challenge"] = self::challenge(server).await.into();
        let answer = person.post("/api/auth/login/code", replayed).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (401, "code_wrong"));
    }

    async fn each_recovery_code_works_once(server) {
        let ada = server.creator().await;
        let totp = enrol(server, &ada).await;
        let person = server.anonymous();
        let written = totp.recovery[3].to_uppercase();
        for status in [200, 401] {
            let body = json!({ "challenge": challenge(server).await, "code": written });
            assert_eq!(person.post("/api/auth/login/code", body).await.status, status);
        }
        assert_eq!(ada.get("/api/account").await.json()["recovery_codes"], 9);
    }
}

/// An authenticator app.
struct App {
    secret: String,
    recovery: Vec<String>,
}

impl App {
    fn now(&self, server: &Server) -> String {
        let secret = TotpSecret::try_from_base32(&self.secret).unwrap();
        let totp = Builder::new()
            .with_secret(secret.as_bytes().to_vec())
            .build()
            .unwrap();
        let seconds = u64::try_from(server.clock.now().as_second()).unwrap();
        totp.generate(seconds).to_string()
    }
}

async fn enrol(server: &Server, ada: &Account) -> App {
    let confirmation = json!({ "password": PASSWORD });
    let answer = ada.post("/api/account/second_step", confirmation).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let body = answer.json();
    assert!(body["squares"].as_array().unwrap().len() > 20);
    let mut app = App {
        secret: body["secret"].as_str().unwrap().to_owned(),
        recovery: Vec::new(),
    };
    let wrong = ada
        .post("/api/account/second_step/confirm", json!({ "code": "000" }))
        .await;
    assert_eq!(wrong.code(), "code_wrong");
    let code = json!({ "code": app.now(server) });
    let answer = ada.post("/api/account/second_step/confirm", code).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let codes = answer.json()["codes"].as_array().unwrap().clone();
    app.recovery = codes
        .iter()
        .map(|code| code.as_str().unwrap().to_owned())
        .collect();
    app
}

/// Gives `@ada`'s password; a code is needed.
async fn challenge(server: &Server) -> String {
    let answer = server
        .anonymous()
        .post("/api/auth/login", wish("ada"))
        .await;
    assert_eq!(answer.status, 202, "{answer:?}");
    assert_eq!(answer.header("set-cookie"), "");
    assert_eq!(answer.json()["next"], "code");
    answer.json()["challenge"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn wrong_codes_count_and_end_the_challenge() {
    let server = Server::plain().await;
    let ada = server.creator().await;
    enrol(&server, &ada).await;
    let (challenge, person) = (challenge(&server).await, server.anonymous());
    let body = json!({ "challenge": challenge, "code": "123456" });
    let mut statuses = Vec::new();
    for _ in 0..6 {
        statuses.push(
            person
                .post("/api/auth/login/code", body.clone())
                .await
                .status
                .as_u16(),
        );
    }
    // The password itself was the first of five tries.
    assert_eq!(statuses, [401, 401, 401, 401, 429, 401]);
}

#[tokio::test]
async fn a_challenge_waits_five_minutes() {
    let server = Server::plain().await;
    let ada = server.creator().await;
    let app = enrol(&server, &ada).await;
    let challenge = challenge(&server).await;
    server.clock.advance(Duration::from_secs(301));
    let body = json!({ "challenge": challenge, "code": app.now(&server) });
    let answer = server.anonymous().post("/api/auth/login/code", body).await;
    assert_eq!(answer.code(), "challenge_over");
}

#[tokio::test]
async fn an_open_server_takes_everybody_as_a_viewer() {
    let server = open(Backend::Sqlite).await;
    let person = server.anonymous();
    let answer = person.post("/api/auth/register", wish("vic")).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.json()["account"]["role"], "viewer");
    let rules = person.get("/api/auth/registration").await.json();
    assert_eq!(
        rules,
        json!({ "mode": "open", "is_email_required": false, "has_mail": false })
    );
}

#[tokio::test]
async fn all_that_is_wrong_with_a_sign_up_is_told_at_once() {
    let server = open(Backend::Sqlite).await;
    let body = json!({ "name": "v@c", "password": "short", "email": "nobody", "language": "??" });
    let answer = server.anonymous().post("/api/auth/register", body).await;
    assert_eq!(
        (answer.status.as_u16(), answer.code().as_str()),
        (422, "fields_invalid")
    );
    let errors = answer.json()["errors"].as_array().unwrap().clone();
    let fields: Vec<_> = errors
        .iter()
        .map(|error| error["field"].as_str().unwrap())
        .collect();
    assert_eq!(fields, ["name", "password", "email", "language"]);
    let unknown = json!({ "name": "vic", "password": PASSWORD, "role": "admin" });
    let answer = server.anonymous().post("/api/auth/register", unknown).await;
    assert_eq!(
        (answer.status.as_u16(), answer.code().as_str()),
        (422, "unknown_field")
    );
}

#[tokio::test]
async fn a_closed_server_takes_nobody_and_says_whom_to_ask() {
    let server = Server::start_with(Backend::Sqlite, |config| {
        config.accounts.registration = Registration::Closed;
    })
    .await;
    let ada = server.creator().await;
    let code = invite(&ada, json!({})).await;
    let mut with_code = wish("vic");
    with_code["invite"] = code.into();
    let answer = server
        .anonymous()
        .post("/api/auth/register", with_code)
        .await;
    assert_eq!(
        (answer.status.as_u16(), answer.code().as_str()),
        (403, "registration_closed")
    );
    assert!(answer.text.contains("ask whoever runs"), "{answer:?}");
}

#[tokio::test]
async fn one_address_makes_ten_accounts_an_hour() {
    let server = open(Backend::Sqlite).await;
    let person = server.anonymous();
    let mut statuses = Vec::new();
    for number in 0..11 {
        let answer = person
            .post("/api/auth/register", wish(&format!("vic{number}")))
            .await;
        statuses.push(answer.status.as_u16());
    }
    assert_eq!(statuses[..10], [201; 10]);
    assert_eq!(statuses[10], 429);
}

#[tokio::test]
async fn before_the_first_account_nobody_signs_up() {
    let server = Server::start_with(Backend::Sqlite, |config| {
        config.accounts.registration = Registration::Open;
    })
    .await;
    let answer = server
        .anonymous()
        .post("/api/auth/register", wish("vic"))
        .await;
    assert_eq!(
        (answer.status.as_u16(), answer.code().as_str()),
        (403, "setup_needed")
    );
}

#[tokio::test]
async fn only_admins_invite() {
    let server = Server::plain().await;
    server.creator().await;
    let eve = server.account("eve", Role::Creator).await;
    for answer in [
        eve.post("/api/admin/invites", json!({})).await,
        eve.get("/api/admin/invites").await,
    ] {
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (403, "forbidden")
        );
    }
    assert_eq!(
        server.anonymous().get("/api/admin/invites").await.status,
        401
    );
}

async fn with_mail(backend: Backend, smtp: &Smtp, require_email: bool) -> Server {
    let server = Server::start_with(backend, |config| {
        smtp.configure(config);
        config.accounts.registration = Registration::Open;
        config.accounts.require_email = require_email;
    })
    .await;
    server.creator().await;
    server
}

async fn letter(server: &Server, smtp: &Smtp, to: &str, page: &str) -> String {
    server
        .wait_for("a letter", || async {
            let letters = smtp.letters(to);
            letters
                .iter()
                .rev()
                .find(|letter| letter.text.contains(page))
                .map(|it| it.token(page))
        })
        .await
}

async fn addresses_are_confirmed_by_a_link_and_sign_in_then(backend: Backend) {
    let smtp = Smtp::start().await;
    let server = with_mail(backend, &smtp, true).await;
    let person = server.anonymous();
    let mut body = wish("vic");
    body["email"] = "Vic@example.org".into();
    let answer = person.post("/api/auth/register", body).await;
    assert_eq!(
        (
            answer.status.as_u16(),
            answer.json()["next"].as_str().unwrap()
        ),
        (202, "confirm_email")
    );
    assert_eq!(answer.header("set-cookie"), "");
    let answer = person.post("/api/auth/login", wish("vic")).await;
    assert_eq!(
        (answer.status.as_u16(), answer.code().as_str()),
        (403, "email_unconfirmed")
    );
    let token = letter(&server, &smtp, "Vic@example.org", "/verify").await;
    let received = &smtp.letters("Vic@example.org")[0];
    assert_eq!(received.from, "live@example.org");
    assert!(
        received.text.contains("https://live.example/verify#"),
        "{received:?}"
    );

    // The address was mistyped: the link goes to the right one, and the other leads nowhere.
    let again =
        |password: &str| json!({ "name": "VIC", "password": password, "email": "vic@example.com" });
    let ask = "/api/auth/verify-requests";
    assert_eq!(person.post(ask, again("wrong horse")).await.status, 401);
    assert_eq!(person.post(ask, again(PASSWORD)).await.status, 202);
    let right = letter(&server, &smtp, "vic@example.com", "/verify").await;
    for (token, wanted) in [(&token, 403), (&right, 204), (&right, 403)] {
        let answer = person
            .post("/api/auth/verify", json!({ "token": token }))
            .await;
        assert_eq!(answer.status, wanted);
    }
    let confirmed = person.post(ask, again(PASSWORD)).await;
    assert_eq!(confirmed.code(), "nothing_to_confirm");
    Account::sign_in(&server, "vic", PASSWORD).await;
    Account::sign_in(&server, "vic@EXAMPLE.com", PASSWORD).await;
}

/// The address leads to a new password: it takes what signing in takes.
#[tokio::test]
async fn a_password_alone_sends_no_link_where_signing_in_takes_a_code() {
    let smtp = Smtp::start().await;
    let server = with_mail(Backend::Sqlite, &smtp, false).await;
    let ada = Account::sign_in(&server, "ada", PASSWORD).await;
    let vic = server.account("vic", Role::Viewer).await;
    let ask = async |name: &str| {
        let body = json!({ "name": name, "password": PASSWORD, "email": "eve@example.org" });
        let nobody = server.anonymous();
        nobody.post("/api/auth/verify-requests", body).await
    };
    assert_eq!(ask("vic").await.code(), "nothing_to_confirm");
    enrol(&server, &vic).await;
    let edit = json!({ "require_email": true });
    assert_eq!(ada.patch("/api/admin/settings", edit).await.status, 200);
    assert_eq!(ask("vic").await.code(), "code_needed");
    assert!(smtp.letters("eve@example.org").is_empty());
}

async fn a_forgotten_password_is_chosen_anew_by_mail(backend: Backend) {
    let smtp = Smtp::start().await;
    let server = with_mail(backend, &smtp, false).await;
    let ada = Account::sign_in(&server, "ada", PASSWORD).await;
    let edit = json!({ "email": "ada@example.org", "current_password": PASSWORD });
    let answer = ada.patch("/api/account", edit).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["pending_email"], "ada@example.org");
    assert_eq!(answer.json()["email"], Value::Null);
    let person = server.anonymous();
    let token = letter(&server, &smtp, "ada@example.org", "/verify").await;
    let answer = person
        .post("/api/auth/verify", json!({ "token": token }))
        .await;
    assert_eq!(answer.status, 204);
    let mut answers = Vec::new();
    for email in ["ADA@example.org", "nobody@example.org"] {
        answers.push(
            person
                .post("/api/auth/reset-requests", json!({ "email": email }))
                .await,
        );
    }
    assert_eq!(answers[0].status, 202);
    assert_eq!(
        (answers[0].status, &answers[0].text),
        (answers[1].status, &answers[1].text)
    );
    let token = letter(&server, &smtp, "ADA@example.org", "/reset").await;
    let short = json!({ "token": token, "password": "short" });
    assert_eq!(
        person.post("/api/auth/reset", short).await.code(),
        "password_invalid"
    );
    let body = json!({ "token": token, "password": "battery staple" });
    assert_eq!(
        person.post("/api/auth/reset", body.clone()).await.status,
        204
    );
    assert_eq!(
        person.post("/api/auth/reset", body).await.code(),
        "link_invalid"
    );
    assert!(!ada.is_signed_in().await, "all sessions end");
    Account::sign_in(&server, "ada", "battery staple").await;
    server
        .wait_for("word of it", || async {
            let letters = smtp.letters("ada@example.org");
            letters
                .iter()
                .find(|letter| letter.text.contains("was changed"))
                .map(drop)
        })
        .await;
    assert!(smtp.letters("nobody@example.org").is_empty());
}

mod mail {
    use super::*;

    #[tokio::test]
    async fn addresses_are_confirmed_sqlite() {
        addresses_are_confirmed_by_a_link_and_sign_in_then(Backend::Sqlite).await;
    }

    #[tokio::test]
    async fn addresses_are_confirmed_postgres() {
        addresses_are_confirmed_by_a_link_and_sign_in_then(Backend::Postgres).await;
    }

    #[tokio::test]
    async fn passwords_are_chosen_anew_sqlite() {
        a_forgotten_password_is_chosen_anew_by_mail(Backend::Sqlite).await;
    }

    #[tokio::test]
    async fn passwords_are_chosen_anew_postgres() {
        a_forgotten_password_is_chosen_anew_by_mail(Backend::Postgres).await;
    }

    #[tokio::test]
    async fn an_address_belongs_to_who_confirms_it_first_and_nobody_learns_of_it() {
        let smtp = Smtp::start().await;
        let server = with_mail(Backend::Sqlite, &smtp, false).await;
        let person = server.anonymous();
        let mut tokens = Vec::new();
        for name in ["vic", "wim"] {
            let mut body = wish(name);
            body["email"] = "vic@example.org".into();
            assert_eq!(person.post("/api/auth/register", body).await.status, 201);
            let count = tokens.len();
            let letters = server
                .wait_for("a letter", || async {
                    let letters = smtp.letters("vic@example.org");
                    (letters.len() > count).then_some(letters)
                })
                .await;
            tokens.push(letters[count].token("/verify"));
        }
        for (token, status) in tokens.iter().zip([204, 409]) {
            let answer = person
                .post("/api/auth/verify", json!({ "token": token }))
                .await;
            assert_eq!(answer.status, status);
        }
    }

    #[tokio::test]
    async fn a_busy_mail_server_is_asked_again_and_a_refusal_is_not() {
        let smtp = Smtp::start().await;
        let server = with_mail(Backend::Sqlite, &smtp, false).await;
        let person = server.anonymous();
        smtp.turn(Mood::Busy);
        let mut body = wish("vic");
        body["email"] = "vic@example.org".into();
        assert_eq!(person.post("/api/auth/register", body).await.status, 201);
        server
            .wait_for("the first try", || async {
                (smtp.refused() > 0).then_some(())
            })
            .await;
        smtp.turn(Mood::Takes);
        server
            .wait_for("the second", || async {
                server.clock.advance(Duration::from_secs(5));
                (!smtp.letters("vic@example.org").is_empty()).then_some(())
            })
            .await;
        smtp.turn(Mood::Refuses);
        let mut body = wish("wim");
        body["email"] = "wim@example.org".into();
        assert_eq!(person.post("/api/auth/register", body).await.status, 201);
        let jobs = &server.app.services.jobs;
        server
            .wait_for("giving up", || async {
                (jobs.count().await.unwrap() == (0, 1)).then_some(())
            })
            .await;
    }

    #[tokio::test]
    async fn links_for_new_passwords_end_after_an_hour() {
        let smtp = Smtp::start().await;
        let server = with_mail(Backend::Sqlite, &smtp, false).await;
        let ada = Account::sign_in(&server, "ada", PASSWORD).await;
        let edit = json!({ "email": "ada@example.org", "current_password": PASSWORD });
        ada.patch("/api/account", edit).await;
        let token = letter(&server, &smtp, "ada@example.org", "/verify").await;
        let person = server.anonymous();
        person
            .post("/api/auth/verify", json!({ "token": token }))
            .await;
        let asked = json!({ "email": "ada@example.org" });
        person.post("/api/auth/reset-requests", asked).await;
        let token = letter(&server, &smtp, "ada@example.org", "/reset").await;
        server.clock.advance(Duration::from_secs(3601));
        let body = json!({ "token": token, "password": "battery staple" });
        assert_eq!(
            person.post("/api/auth/reset", body).await.code(),
            "link_invalid"
        );
    }
}

#[tokio::test]
async fn without_mail_the_reset_says_whom_to_ask() {
    let server = Server::plain().await;
    server.creator().await;
    let body = json!({ "email": "ada@example.org" });
    let answer = server
        .anonymous()
        .post("/api/auth/reset-requests", body)
        .await;
    assert_eq!(
        (answer.status.as_u16(), answer.code().as_str()),
        (409, "mail_not_configured")
    );
}
