//! Delivers: one try of one delivery.

use std::time::Duration;

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue};

use super::{Delivery, DeliveryState, Hook, KIND, Outcome, PING, Webhooks, Work, store};
use crate::db::StoreError;
use crate::jobs::{JobError, Try, Worker};
use crate::outgoing::{SIGNATURE, sign};

/// A receiver that is away for longer is given up.
const PATIENCE: Duration = Duration::from_secs(3 * 24 * 3600);
/// What the log keeps of an answer.
const MOST_KEPT: usize = 1024;

static EVENT: HeaderName = HeaderName::from_static("tallylight-event");
static DELIVERY: HeaderName = HeaderName::from_static("tallylight-delivery");

impl Webhooks {
    /// Makes a worker deliver.
    #[must_use]
    pub fn deliver_by(&self, worker: Worker) -> Worker {
        let webhooks = self.clone();
        worker.on(KIND, PATIENCE, move |work: Work, attempt| {
            let webhooks = webhooks.clone();
            async move { webhooks.deliver(&work, attempt).await }
        })
    }

    async fn deliver(&self, work: &Work, attempt: Try) -> Result<(), JobError> {
        let Some((hook, delivery)) = self.find(work).await.map_err(later)? else {
            return Ok(());
        };
        let is_test = delivery.kind == PING;
        if !hook.is_enabled && !is_test {
            let outcome = Outcome {
                problem: Some("the webhook is switched off".to_owned()),
                ..Outcome::default()
            };
            return self.note(&delivery, DeliveryState::Failed, &outcome).await;
        }
        let outcome = self.attempt(&hook, &delivery).await;
        let Some(problem) = outcome.problem.clone() else {
            return self
                .note(&delivery, DeliveryState::Delivered, &outcome)
                .await;
        };
        // Whoever tests looks at the result, and a late one would only confuse.
        if !is_test && !attempt.is_last {
            self.note(&delivery, DeliveryState::Waiting, &outcome)
                .await?;
            return Err(JobError::Retry(problem));
        }
        self.note(&delivery, DeliveryState::Failed, &outcome)
            .await?;
        if !is_test {
            let words = format!(
                "Switched off: for three days deliveries failed, the last because {problem}. Repair \
                 the receiver, switch the webhook on, and replay what is missing."
            );
            store::switch_off(&self.db, hook.id, &words)
                .await
                .map_err(later)?;
        }
        Ok(())
    }

    async fn find(&self, work: &Work) -> Result<Option<(Hook, Delivery)>, StoreError> {
        let Some(delivery) = store::delivery(&self.db, work.delivery).await? else {
            return Ok(None);
        };
        let hook = store::by_id(&self.db, delivery.hook).await?;
        Ok(hook.map(|hook| (hook, delivery)))
    }

    async fn attempt(&self, hook: &Hook, delivery: &Delivery) -> Outcome {
        let headers = self.headers(hook, delivery);
        let body = delivery.body.clone().into_bytes();
        match self.outgoing.post(&hook.url, headers, body).await {
            Ok(answer) => Outcome {
                status: Some(answer.status.into()),
                took_ms: i64::try_from(answer.took.as_millis()).ok(),
                answer: Some(answer.text(MOST_KEPT)),
                problem: problem_of(answer.status),
            },
            Err(error) => Outcome {
                problem: Some(error.to_string()),
                ..Outcome::default()
            },
        }
    }

    fn headers(&self, hook: &Hook, delivery: &Delivery) -> HeaderMap {
        let secret = self.secret(hook.id);
        // Of now, not of the event: receivers refuse what is old.
        let signature = sign(&secret, self.clock.now(), delivery.body.as_bytes());
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let ours = [
            (&SIGNATURE, signature),
            (&EVENT, delivery.kind.clone()),
            (&DELIVERY, delivery.id.to_string()),
        ];
        for (name, value) in ours {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        headers
    }

    async fn note(
        &self,
        delivery: &Delivery,
        state: DeliveryState,
        outcome: &Outcome,
    ) -> Result<(), JobError> {
        let now = self.clock.now();
        let noted = store::note(&self.db, delivery.id, state, now, outcome).await;
        noted.map_err(later)
    }
}

fn later(error: StoreError) -> JobError {
    JobError::Retry(error.to_string())
}

fn problem_of(status: u16) -> Option<String> {
    match status {
        200..300 => None,
        300..400 => Some(format!(
            "the receiver answered {status}: redirects are not followed; give the address itself"
        )),
        _ => Some(format!("the receiver answered {status}")),
    }
}
