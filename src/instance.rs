//! `/api/instance`: how the server introduces itself to everybody, before anybody signs in.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::config::Registration;
use crate::settings::{SettingValues, Settings};

/// The routes of this module.
pub fn routes(settings: Settings) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(show_instance))
        .with_state(settings)
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

impl From<&SettingValues> for Instance {
    fn from(values: &SettingValues) -> Self {
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
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

/// How the server introduces itself.
#[utoipa::path(
    get, path = "/api/instance", tag = "instance",
    responses((status = 200, body = Instance)),
)]
async fn show_instance(State(settings): State<Settings>) -> Json<Instance> {
    Json(Instance::from(&*settings.now()))
}
