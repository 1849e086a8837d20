//! `/api/admin`: what admins of the server do. Every change is written into the audit log.

mod accounts;
mod audit;
mod channels;
mod jobs;
mod mail_test;
mod overview;
mod settings;
mod storage;
mod streams;
mod system;

use std::path::PathBuf;

use axum::extract::FromRef;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

use crate::accounts::{AccountId, Accounts};
use crate::audit::Audit;
use crate::channels::Channels;
use crate::db::{Db, StoreError};
use crate::doctor::Checkup;
use crate::images::Images;
use crate::jobs::Jobs;
use crate::mail::Mail;
use crate::recordings::Recordings;
use crate::settings::Settings;
use crate::streams::Streams;

pub use system::Trials;

/// What the routes of admins stand on.
#[derive(Debug, Clone, FromRef)]
pub struct Offices {
    /// The database.
    pub db: Db,
    /// Who did what.
    pub audit: Audit,
    /// What admins may change.
    pub settings: Settings,
    /// Who may sign in.
    pub accounts: Accounts,
    /// Where one goes live.
    pub channels: Channels,
    /// Who is live.
    pub streams: Streams,
    /// What is kept of streams.
    pub recordings: Recordings,
    /// Pictures.
    pub images: Images,
    /// Work that outlives its request.
    pub jobs: Jobs,
    /// Letters.
    pub mail: Mail,
    /// Whether the machine is well.
    pub checkup: Checkup,
    /// Connections that admins try.
    pub trials: Trials,
    /// The data folder.
    pub data: DataFolder,
}

/// The data folder, of which admins see how full it is.
#[derive(Debug, Clone)]
pub struct DataFolder(pub PathBuf);

/// An account by its id and, while it is there, its name.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct Named {
    id: Uuid,
    /// Null when the account is gone.
    name: Option<String>,
}

impl Named {
    async fn find(accounts: &Accounts, id: Uuid) -> Result<Self, StoreError> {
        let account = accounts.by_id(AccountId(id)).await?;
        Ok(Self {
            id,
            name: account.map(|account| account.name),
        })
    }
}

/// The routes of this module.
pub fn routes(offices: Offices) -> OpenApiRouter {
    OpenApiRouter::new()
        .merge(overview::routes())
        .merge(accounts::routes())
        .merge(channels::routes())
        .merge(streams::routes())
        .merge(storage::routes())
        .merge(jobs::routes())
        .merge(settings::routes())
        .merge(audit::routes())
        .merge(mail_test::routes())
        .merge(system::routes())
        .with_state(offices)
}
