//! [`Quota`]: how much of the API one account, or one address, may use in a minute, told with every
//! answer (draft-ietf-httpapi-ratelimit-headers-10).

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::accounts::{AccountId, Asker};
use crate::clock::Clock;
use crate::config::Limits;
use crate::error::Problem;
use crate::rate::{Rate, household};
use crate::request::Client;

/// The budgets of all who ask: cheap to clone, all clones are one.
#[derive(Debug, Clone)]
pub struct Quota {
    clock: Clock,
    limits: Limits,
    used: Arc<Rate<(Budget, Who)>>,
}

/// What a request is counted as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Budget {
    Reads,
    Writes,
    /// Reads that are dear.
    Searches,
}

/// Whom a request is counted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Who {
    Account(AccountId),
    Address(IpAddr),
}

const MINUTE: Duration = Duration::from_secs(60);
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LEFT: HeaderName = HeaderName::from_static("ratelimit");

impl Quota {
    /// By section `[limits]`.
    #[must_use]
    pub fn new(limits: &Limits, clock: Clock) -> Self {
        Self {
            clock,
            limits: limits.clone(),
            used: Arc::new(Rate::new(MINUTE)),
        }
    }

    fn most(&self, budget: Budget, client: &Client) -> u32 {
        let limits = &self.limits;
        let most = match budget {
            Budget::Reads => limits.api_reads_per_minute,
            Budget::Writes => limits.api_writes_per_minute,
            Budget::Searches => limits.api_searches_per_minute,
        };
        match client.is_local() {
            true => most.saturating_mul(limits.loopback_factor),
            false => most,
        }
    }
}

impl Budget {
    fn of(request: &Request) -> Self {
        match request.uri().path() {
            _ if !request.method().is_safe() => Self::Writes,
            "/api/search" => Self::Searches,
            _ => Self::Reads,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Reads => "reads",
            Self::Writes => "writes",
            Self::Searches => "searches",
        }
    }
}

/// Middleware: counts a request, refuses it when the budget is used up, and tells what is left. It
/// stands behind `accounts::identify`, where that is.
pub async fn count(
    State(quota): State<Quota>,
    client: Client,
    request: Request,
    next: Next,
) -> Response {
    let budget = Budget::of(&request);
    let asker = request.extensions().get::<Asker>();
    let account = asker.and_then(|asker| asker.account.as_ref());
    let who = match account {
        Some(account) => Who::Account(account.id),
        None => Who::Address(household(client.address)),
    };
    let most = quota.most(budget, &client);
    let counted = quota
        .used
        .count(&(budget, who), most, quota.clock.instant());
    let (mut response, left, seconds) = match counted {
        Ok(room) => (next.run(request).await, room.left, room.fresh_in),
        Err(wait) => (Problem::too_many(wait).into_response(), 0, wait),
    };
    tell(response.headers_mut(), budget, most, left, seconds);
    response
}

fn tell(headers: &mut HeaderMap, budget: Budget, most: u32, left: u32, fresh_in: Duration) {
    let name = budget.name();
    let seconds = fresh_in.as_secs() + u64::from(fresh_in.subsec_nanos() > 0);
    let window = MINUTE.as_secs();
    for (header, text) in [
        (POLICY, format!("\"{name}\";q={most};w={window}")),
        (LEFT, format!("\"{name}\";r={left};t={seconds}")),
    ] {
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(header, value);
        }
    }
}
