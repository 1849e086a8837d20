//! The task that delivers events to the webhook: each signed, each until it is answered with 2xx.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::task::JoinSet;

use crate::clock::{instant, wall};
use crate::fields::Fields;
use crate::post::Delivery;
use crate::world::{Shared, World, public};

/// The header `Stripe-Signature` for a payload: HMAC-SHA256 over `timestamp.payload`, keyed with the whole
/// secret, `whsec_` included.
#[must_use]
pub fn sign(payload: &str, timestamp: i64, secret: &str) -> String {
    // A MAC of HMAC takes a key of any length; without one the signature fits nothing, which is what is meant.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        return String::new();
    };
    mac.update(format!("{timestamp}.{payload}").as_bytes());
    let bytes = mac.finalize().into_bytes();
    let v1: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={timestamp},v1={v1}")
}

/// The client that deliveries are made with. It goes straight to the receiver, whatever proxy the environment
/// names.
pub(crate) fn client() -> Result<reqwest::Client, reqwest::Error> {
    let redirects = reqwest::redirect::Policy::none();
    let client = reqwest::Client::builder().no_proxy().redirect(redirects);
    client.timeout(LONGEST).build()
}

/// Delivers what is due, for ever.
pub(crate) async fn run(shared: Shared, client: reqwest::Client) {
    loop {
        match shared.quietly(|world| world.post.take(instant())) {
            Ok(deliveries) => deliver(&shared, &client, deliveries).await,
            Err(wait) => {
                // Either way it is time to look again.
                let _ = tokio::time::timeout(wait, shared.mail.notified()).await;
            }
        }
    }
}

async fn deliver(shared: &Shared, client: &reqwest::Client, deliveries: Vec<Delivery>) {
    let mut under_way = JoinSet::new();
    for delivery in deliveries {
        let letter = shared.quietly(|world| letter(world, &delivery));
        let client = client.clone();
        under_way.spawn(async move {
            let status = match letter {
                Some(letter) => attempt(&client, letter).await,
                None => 0,
            };
            (delivery, status)
        });
    }
    while let Some(Ok((delivery, status))) = under_way.join_next().await {
        shared.quietly(|world| note(world, delivery, status));
    }
}

/// What one attempt sends.
struct Letter {
    url: String,
    signature: String,
    body: String,
}

/// Writes an event for the receiver of this moment; none without a receiver.
fn letter(world: &World, delivery: &Delivery) -> Option<Letter> {
    let url = world.post.url.clone()?;
    let event = world.find(&json!(delivery.event()));
    let body = public(event).to_string();
    let time = if world.post.sign_by_fake_clock {
        world.now()
    } else {
        wall()
    };
    let signature = sign(&body, time, &world.post.secret);
    Some(Letter {
        url,
        signature,
        body,
    })
}

/// The status of the answer; 0 where there was none.
async fn attempt(client: &reqwest::Client, letter: Letter) -> u16 {
    let request = client
        .post(letter.url)
        .header("content-type", "application/json; charset=utf-8")
        .header("user-agent", "Stripe/1.0 (fake)")
        .header("stripe-signature", letter.signature)
        .body(letter.body);
    let answer = request.send().await;
    answer.map_or(0, |answer| answer.status().as_u16())
}

fn note(world: &mut World, delivery: Delivery, status: u16) {
    world.change(delivery.event(), |event| {
        if let Some(answers) = event.at_mut("_fake.answers").and_then(Value::as_array_mut) {
            answers.push(json!(status));
        }
        if (200..300).contains(&status) {
            event.set("pending_webhooks", json!(0));
        }
    });
    world.post.note(delivery, status, instant());
}

/// How long a receiver may take.
const LONGEST: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_stripes() {
        let theirs =
            stripe_webhook::Webhook::generate_test_header("{\"a\":1}", "whsec_x", Some(42));
        assert_eq!(sign("{\"a\":1}", 42, "whsec_x"), theirs);
    }
}
