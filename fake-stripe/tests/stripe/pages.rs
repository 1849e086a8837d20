//! The pages, as a browser without scripts uses them, and the control API as a shell does.

use reqwest::{Client, Response};
use serde_json::{Value, json};
use stripe_billing::billing_portal_session::CreateBillingPortalSession;

use crate::support::{fake, kinds, one_off, subscribed};

fn browser() -> Client {
    let client = Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy();
    client.build().unwrap()
}

async fn press(url: &str, body: &str) -> Response {
    let request = browser().post(url).body(body.to_owned());
    let form = "application/x-www-form-urlencoded";
    request.header("content-type", form).send().await.unwrap()
}

async fn read(url: &str) -> String {
    browser()
        .get(url)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap()
}

fn location(response: &Response) -> &str {
    assert_eq!(response.status().as_u16(), 303);
    response.headers()["location"].to_str().unwrap()
}

#[tokio::test]
async fn a_person_pays_once() {
    let (fake, client) = fake().await;
    let session = one_off(1_250).send(&client).await.unwrap();
    let url = session.url.unwrap();
    let page = read(&url).await;
    for text in [
        "test checkout, no money moves",
        "A tip",
        "Pay 12.50 EUR",
        "Decline",
        "Cancel",
    ] {
        assert!(page.contains(text), "{text}");
    }
    assert_eq!(
        location(&press(&url, "do=cancel").await),
        "http://127.0.0.1:1/left"
    );
    let declined = press(&url, "do=decline").await.text().await.unwrap();
    assert!(declined.contains("Your card was declined."));
    let paid = press(&url, "do=pay").await;
    let thanks = format!("http://127.0.0.1:1/thanks?session={}", session.id);
    assert_eq!(location(&paid), thanks);
    let again = press(&url, "do=pay").await;
    assert_eq!(again.status().as_u16(), 400);
    assert!(
        again
            .text()
            .await
            .unwrap()
            .contains("This checkout is complete.")
    );
    let page = read(&url).await;
    assert!(page.contains("This checkout is complete.") && !page.contains("<button"));
    assert_eq!(fake.state().await["counts"]["charges"], 1);
}

#[tokio::test]
async fn a_customer_cancels_and_resumes_in_the_portal() {
    let (fake, client) = fake().await;
    let (id, customer) = subscribed(&fake, &client, 499).await;
    let portal = CreateBillingPortalSession::new().customer(customer.as_str());
    let portal = portal
        .return_url("http://127.0.0.1:1/back")
        .send(&client)
        .await
        .unwrap();
    let page = read(&portal.url).await;
    assert!(page.contains("Membership") && page.contains("href=\"http://127.0.0.1:1/back\""));
    for (wish, ends) in [("cancel", true), ("resume", false)] {
        press(&portal.url, &format!("do={wish}&subscription={id}")).await;
        assert_eq!(fake.object(&id).await["cancel_at_period_end"], ends);
    }
    press(&portal.url, "do=card_fails").await;
    assert!(read(&portal.url).await.contains("Card works again"));
    press(&portal.url, &format!("do=cancel_now&subscription={id}")).await;
    assert_eq!(fake.object(&id).await["status"], "canceled");
    assert_eq!(
        kinds(&fake).await.last().unwrap(),
        "customer.subscription.deleted"
    );
}

#[tokio::test]
async fn the_home_page_has_buttons_for_what_there_is() {
    let (fake, client) = fake().await;
    let (id, customer) = subscribed(&fake, &client, 499).await;
    one_off(500).send(&client).await.unwrap();
    let home = format!("{}/", fake.url());
    let page = read(&home).await;
    for text in [
        id.as_str(),
        "A month on",
        "Refund",
        "Dispute",
        "Card fails",
        "Pay page",
    ] {
        assert!(page.contains(text), "{text}");
    }
    let pressed = format!("{}/pressed", fake.url());
    let card = format!("path=customers/{customer}/card&works=false");
    assert_eq!(location(&press(&pressed, &card).await), "/");
    press(&pressed, "path=clock&advance_seconds=2678400").await;
    assert_eq!(fake.object(&id).await["status"], "past_due");
    assert!(read(&home).await.contains("past_due"));
}

#[tokio::test]
async fn the_controls_speak_json() {
    let (fake, client) = fake().await;
    let (id, customer) = subscribed(&fake, &client, 499).await;
    let control = async |path: &str, body: Value| -> Value {
        let request = browser()
            .post(format!("{}/_fake/{path}", fake.url()))
            .body(body.to_string());
        let text = request.send().await.unwrap().text().await.unwrap();
        serde_json::from_str(&text).unwrap()
    };
    let look = async |path: &str| -> Value {
        serde_json::from_str(&read(&format!("{}/_fake/{path}", fake.url())).await).unwrap()
    };
    let state = look("state").await;
    let charge = state["ids"]["charges"][0].as_str().unwrap().to_owned();
    let refund = control(&format!("charges/{charge}/refund"), json!({ "amount": 99 })).await;
    assert_eq!(refund["amount"], 99);
    control(
        "webhooks",
        json!({ "url": "http://127.0.0.1:1/", "hold": true, "secret": "whsec_b" }),
    )
    .await;
    let dispute = control(&format!("charges/{charge}/dispute"), json!({})).await;
    assert_eq!(
        look("webhooks/held").await[0]["type"],
        "charge.dispute.created"
    );
    let closed = format!("disputes/{}/close", dispute["id"].as_str().unwrap());
    assert_eq!(
        control(&closed, json!({ "won": true })).await["status"],
        "won"
    );
    let released = control("webhooks/release", json!({ "order": null })).await;
    assert_eq!(released["released"].as_array().unwrap().len(), 2);
    control(
        &format!("customers/{customer}/card"),
        json!({ "works": false }),
    )
    .await;
    control("clock", json!({ "advance_seconds": 31 * 86_400 })).await;
    assert_eq!(fake.object(&id).await["status"], "past_due");
    control("trouble", json!({ "mode": "down" })).await;
    let wrong = control("trouble", json!({ "mode": "sideways" })).await;
    assert_eq!(wrong["error"]["param"], "mode");
    let events = look("events").await;
    let event = events[0]["id"].as_str().unwrap();
    assert_eq!(
        control(&format!("events/{event}/resend"), json!({})).await["id"],
        event
    );
    assert_eq!(look("requests").await[0]["path"], "/v1/products");
}
