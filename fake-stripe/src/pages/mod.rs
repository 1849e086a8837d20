//! The pages that people see, where Stripe has its own: plain HTML with forms, no script.

mod connect;
mod home;
mod html;
mod pay;
mod portal;

use axum::Router;
use axum::routing::{get, post};

use crate::world::Shared;

/// All pages and what their buttons do.
pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/", get(home::show))
        .route("/pay/{id}", get(pay::show).post(pay::act))
        .route("/portal/{id}", get(portal::show).post(portal::act))
        .route("/onboard/{id}", get(connect::onboarding).post(connect::act))
        .route("/express/{id}", get(connect::dashboard))
        .route("/pressed", post(home::pressed))
}
