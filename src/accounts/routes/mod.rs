//! `/api/account` and what stands below it, and `/api/admin/invites`.

mod account;
mod avatar;
mod invites;
mod second_step;
mod sessions;
mod tokens;

use axum::extract::FromRef;
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderValue};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Accounts;
use crate::images::Images;

#[derive(Clone, FromRef)]
struct Services {
    accounts: Accounts,
    images: Images,
}

/// The routes of this domain.
pub fn routes(accounts: Accounts, images: Images) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(
            account::show_account,
            account::edit_account,
            account::delete_account
        ))
        .routes(routes!(account::export_account))
        .routes(routes!(avatar::set_avatar, avatar::remove_avatar))
        .routes(routes!(
            sessions::list_sessions,
            sessions::end_other_sessions
        ))
        .routes(routes!(sessions::end_session))
        .routes(routes!(
            second_step::begin_second_step,
            second_step::end_second_step
        ))
        .routes(routes!(second_step::confirm_second_step))
        .routes(routes!(second_step::renew_recovery_codes))
        .routes(routes!(tokens::list_tokens, tokens::create_token))
        .routes(routes!(tokens::delete_token))
        .routes(routes!(invites::list_invites, invites::create_invite))
        .routes(routes!(invites::delete_invite))
        .with_state(Services { accounts, images })
}

fn cookie_header(cookie: Option<HeaderValue>) -> HeaderMap {
    cookie
        .map(|cookie| (SET_COOKIE, cookie))
        .into_iter()
        .collect()
}
