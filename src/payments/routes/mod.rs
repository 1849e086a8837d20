//! `/api/…/payments`: what people pay, what creators earn, and what the operator sees of it.
#![allow(
    unused_qualifications,
    reason = "utoipa writes the type of a query out in full beside its handler"
)]

mod creator;
mod earnings;
mod operator;
mod payouts;
mod viewer;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Payments, alerts, webhook};

pub(super) fn routes(payments: Payments) -> OpenApiRouter {
    OpenApiRouter::new()
        .merge(viewer::routes())
        .merge(creator::routes())
        .merge(earnings::routes())
        .merge(payouts::routes())
        .merge(operator::routes())
        .with_state(payments)
}

pub(super) fn outside(payments: Payments) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(webhook::take_event))
        .routes(routes!(alerts::follow_alerts))
        .with_state(payments)
}
