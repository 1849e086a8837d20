//! `/api/instance`: how the server introduces itself to everybody, before anybody signs in.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::accounts::oidc::OidcChoice;
use crate::config::Registration;
use crate::payments::Mode;
use crate::settings::{SettingValues, Settings};

/// The routes of this module.
pub fn routes(settings: Settings, providers: Vec<OidcChoice>, payments: Mode) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(show_instance))
        .with_state(Known {
            settings,
            providers: providers.into(),
            payments,
        })
}

/// What the route stands on.
#[derive(Debug, Clone)]
struct Known {
    settings: Settings,
    providers: Arc<[OidcChoice]>,
    payments: Mode,
}

/// How a server introduces itself.
#[derive(Debug, Serialize, ToSchema)]
struct Instance {
    /// Its name.
    name: String,
    /// What it is for.
    description: String,
    /// A line above all pages; empty: none.
    announcement: String,
    /// Accent colour, such as `#ff6a3d`; empty: ours.
    accent: String,
    /// Who may sign up.
    registration: Registration,
    /// Whether signing up needs an e-mail address that is confirmed.
    require_email: bool,
    /// Whether other sites may show the player in a frame.
    embeds: bool,
    links: InstanceLinks,
    /// Who signs people in, beside name and password.
    providers: Vec<OidcChoice>,
    /// Whether creators are paid here.
    payments: Mode,
    /// Of the program.
    version: &'static str,
}

/// Pages about the server; null where there is none.
#[derive(Debug, Serialize, ToSchema)]
struct InstanceLinks {
    /// Who runs it.
    imprint: Option<String>,
    /// The rules of the house.
    rules: Option<String>,
    /// What is kept about people.
    privacy: Option<String>,
}

impl Instance {
    fn new(values: &SettingValues, providers: &[OidcChoice], payments: Mode) -> Self {
        let link = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Self {
            name: values.name.clone(),
            description: values.description.clone(),
            announcement: values.announcement.clone(),
            accent: values.accent.clone(),
            registration: values.registration,
            require_email: values.require_email,
            embeds: values.embeds(),
            links: InstanceLinks {
                imprint: link(&values.imprint_url),
                rules: link(&values.rules_url),
                privacy: link(&values.privacy_url),
            },
            providers: providers.to_vec(),
            payments,
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

/// How the server introduces itself.
#[utoipa::path(
    get, path = "/api/instance", tag = "instance",
    responses((status = 200, body = Instance)),
)]
async fn show_instance(State(known): State<Known>) -> Json<Instance> {
    Json(Instance::new(
        &known.settings.now(),
        &known.providers,
        known.payments,
    ))
}
