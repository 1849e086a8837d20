//! `/api/admin/mail_test`: whether mail arrives.

use axum::extract::State;
use axum::http::StatusCode;
use serde_json::json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Offices;
use crate::accounts::{Accounts, IsAdmin};
use crate::audit::Audit;
use crate::error::{ApiError, Problem};
use crate::jobs::Jobs;
use crate::mail::{Letter, Mail};

pub(super) fn routes() -> OpenApiRouter<Offices> {
    OpenApiRouter::new().routes(routes!(test_mail))
}

fn letter(name: &str, to: String) -> Letter {
    Letter {
        to,
        subject: "Mail from your server arrives".to_owned(),
        paragraphs: vec![
            format!("Hello {name},"),
            "you asked for this on the settings page of your server. Since you read it, mail works."
                .to_owned(),
        ],
        ..Letter::default()
    }
}

/// Send a mail to the own address. Whether it left is to be seen among the jobs.
#[utoipa::path(
    post, path = "/api/admin/mail_test", tag = "admin",
    responses(
        (status = 202, description = "It is on its way"),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 409, body = Problem),
    ),
)]
async fn test_mail(
    State(accounts): State<Accounts>,
    State(audit): State<Audit>,
    State(mail): State<Mail>,
    State(jobs): State<Jobs>,
    IsAdmin(admin): IsAdmin,
) -> Result<StatusCode, ApiError> {
    let conflict = |code, detail: &str| ApiError::Conflict {
        code,
        detail: detail.to_owned(),
    };
    if !mail.is_configured() {
        let words = "this server sends no mail; set mail.host in the configuration";
        return Err(conflict("mail_not_configured", words));
    }
    let Some(email) = accounts.profile(admin.id).await?.email else {
        let words = "your account has no address; give it one in your settings";
        return Err(conflict("email_missing", words));
    };
    let mut tx = accounts.begin().await?;
    mail.send(&mut tx, &letter(&admin.name, email)).await?;
    let actor = Some(admin.id.0);
    audit
        .note(&mut tx, actor, "mail.tested", "mail", &json!({}))
        .await?;
    tx.commit().await?;
    jobs.wake();
    Ok(StatusCode::ACCEPTED)
}
