//! [`Settings`]: what admins may change while the server runs.
//!
//! A value comes from the configuration where somebody set its key there: it is fixed then. Else it
//! comes from the table that the admins' page writes, else it is the default. Readers get a whole set at
//! once from memory; it is renewed after each change and every [`RENEW_EVERY`], for what another server
//! on the same database changed.

mod form;
mod store;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::time::interval;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;
use uuid::Uuid;

pub use form::InstanceSettingsEdit;

use crate::audit::Audit;
use crate::clock::Clock;
use crate::config::{Config, Given, NewAccounts, NewRecordings, Registration};
use crate::db::{Db, StoreError};
use crate::error::{ApiError, log_store_error};

/// The settings: cheap to clone, all clones are one.
#[derive(Debug, Clone)]
pub struct Settings(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    db: Db,
    clock: Clock,
    audit: Audit,
    configured: SettingValues,
    given: Given,
    has_mail: bool,
    now: RwLock<Arc<SettingValues>>,
}

/// All settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SettingValues {
    /// Name of the server, on pages and in mails.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// A line above all pages; empty: none.
    pub announcement: String,
    /// Page that says who runs it; empty: none.
    pub imprint_url: String,
    /// Page with the rules of the house; empty: none.
    pub rules_url: String,
    /// Page that says what is kept about people; empty: none.
    pub privacy_url: String,
    /// Accent colour, such as `#ff6a3d`; empty: ours.
    pub accent: String,
    /// Who may sign up.
    pub registration: Registration,
    /// What new accounts may do, unless their invite says more.
    pub new_accounts: NewAccounts,
    /// Whether signing up needs an e-mail address that is confirmed.
    pub require_email: bool,
    /// Who may watch a recording until its owner says otherwise.
    pub recording_visibility: NewRecordings,
    /// Recordings are deleted so many days after their end; 0 keeps them for ever.
    pub keep_days: u32,
    /// The bound on all recordings together, in megabytes; 0: none.
    pub quota_mb: u64,
    /// Sites that may show the player in a frame: `*`, `'none'`, or such as `https://blog.example`.
    pub embed_ancestors: String,
}

/// A setting that the configuration fixes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FixedSetting {
    /// Its name here.
    pub field: String,
    /// The key that sets it, in the file, in the environment or by a flag.
    pub key: String,
}

/// A setting that an admin changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ChangedSetting {
    /// Its name.
    pub field: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub changed_at: Timestamp,
    /// Who.
    pub changed_by: Option<Uuid>,
}

/// Each setting and the key of the configuration that fixes it.
const KEYS: [(&str, &str); 14] = [
    ("name", "instance.name"),
    ("description", "instance.description"),
    ("announcement", "instance.announcement"),
    ("imprint_url", "instance.imprint_url"),
    ("rules_url", "instance.rules_url"),
    ("privacy_url", "instance.privacy_url"),
    ("accent", "instance.accent"),
    ("registration", "accounts.registration"),
    ("new_accounts", "accounts.new_accounts"),
    ("require_email", "accounts.require_email"),
    ("recording_visibility", "recordings.visibility"),
    ("keep_days", "recordings.keep_days"),
    ("quota_mb", "recordings.quota_mb"),
    ("embed_ancestors", "http.embed_ancestors"),
];

/// How old the set in memory may be.
const RENEW_EVERY: Duration = Duration::from_secs(10);

impl SettingValues {
    /// As the configuration has them.
    #[must_use]
    pub fn configured(config: &Config) -> Self {
        let (instance, accounts) = (config.instance.clone(), &config.accounts);
        Self {
            name: instance.name,
            description: instance.description,
            announcement: instance.announcement,
            imprint_url: instance.imprint_url,
            rules_url: instance.rules_url,
            privacy_url: instance.privacy_url,
            accent: instance.accent,
            registration: accounts.registration,
            new_accounts: accounts.new_accounts,
            require_email: accounts.require_email,
            recording_visibility: config.recordings.visibility,
            keep_days: config.recordings.keep_days,
            quota_mb: config.recordings.quota_mb,
            embed_ancestors: config.http.embed_ancestors.clone(),
        }
    }

    /// How long recordings stay, unless for ever.
    #[must_use]
    pub fn keep(&self) -> Option<Duration> {
        let day = Duration::from_secs(24 * 3_600);
        (self.keep_days > 0).then(|| day * self.keep_days)
    }

    /// How large all recordings may be together, if there is a bound.
    #[must_use]
    pub fn quota_bytes(&self) -> Option<u64> {
        (self.quota_mb > 0).then(|| self.quota_mb.saturating_mul(1_000_000))
    }

    /// Whether pages of other sites may show the player in a frame.
    #[must_use]
    pub fn embeds(&self) -> bool {
        !matches!(self.embed_ancestors.trim(), "" | "'none'" | "'self'")
    }

    fn as_map(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(map)) => map,
            _ => Map::new(),
        }
    }

    /// With one value in the place of its own; none when it does not fit.
    fn with(&self, field: &str, value: Value) -> Option<Self> {
        let mut map = self.as_map();
        map.insert(field.to_owned(), value)?;
        serde_json::from_value(Value::Object(map)).ok()
    }
}

impl Settings {
    /// Reads what admins set.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open(
        config: &Config,
        db: Db,
        clock: Clock,
        audit: Audit,
    ) -> Result<Self, StoreError> {
        let configured = SettingValues::configured(config);
        let settings = Self(Arc::new(Inner {
            db,
            clock,
            audit,
            now: RwLock::new(Arc::new(configured.clone())),
            configured,
            given: config.given.clone(),
            has_mail: config.mail.is_configured(),
        }));
        settings.renew().await?;
        Ok(settings)
    }

    /// All settings as they are now.
    #[must_use]
    pub fn now(&self) -> Arc<SettingValues> {
        let now = self.0.now.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&now)
    }

    /// Reads them again and again, until told to stop.
    pub async fn keep_fresh(self, stop: CancellationToken) {
        let mut renew = interval(RENEW_EVERY);
        loop {
            tokio::select! {
                _ = renew.tick() => {
                    // What is in memory holds on while the database is away.
                    if let Err(error) = self.renew().await {
                        log_store_error(&error);
                    }
                }
                () = stop.cancelled() => return,
            }
        }
    }

    /// Those that the configuration fixes.
    #[must_use]
    pub fn fixed(&self) -> Vec<FixedSetting> {
        let given = KEYS.iter().filter(|(_, key)| self.0.given.has(key));
        let fixed = given.map(|(field, key)| FixedSetting {
            field: (*field).to_owned(),
            key: (*key).to_owned(),
        });
        fixed.collect()
    }

    /// Those that admins changed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn changed(&self) -> Result<Vec<ChangedSetting>, StoreError> {
        let rows = store::all_of(&self.0.db).await?;
        let known = rows.into_iter().filter(|row| key_of(&row.key).is_some());
        Ok(known.map(store::Row::into_changed).collect())
    }

    /// Changes some, as an admin, and writes that down.
    ///
    /// # Errors
    /// When a value does not fit, its setting is fixed, or the database fails.
    pub async fn change(&self, actor: Uuid, edit: InstanceSettingsEdit) -> Result<(), ApiError> {
        let inner = &self.0;
        let edit = edit.checked(inner.has_mail, |field| self.key_that_fixes(field))?;
        let (before, now) = (self.now().as_map(), inner.clock.now());
        let changes: Map<String, Value> = edit
            .into_iter()
            .filter(|(field, value)| before.get(field) != Some(value))
            .collect();
        if changes.is_empty() {
            return Ok(());
        }
        let mut tx = inner.db.begin().await?;
        for (field, value) in &changes {
            store::set(&mut tx, field, &value.to_string(), now, actor).await?;
        }
        let audit = &inner.audit;
        audit
            .note(
                &mut tx,
                Some(actor),
                "settings.changed",
                "settings",
                &changes,
            )
            .await?;
        tx.commit().await?;
        Ok(self.renew().await?)
    }

    /// Forgets what admins set for one, so that it is as the configuration has it. Once more changes
    /// nothing.
    ///
    /// # Errors
    /// When there is no such setting, or the database fails.
    pub async fn reset(&self, actor: Uuid, field: &str) -> Result<(), ApiError> {
        if key_of(field).is_none() {
            return Err(ApiError::NotFound {
                code: "setting_not_found",
                detail: "there is no such setting",
            });
        }
        let inner = &self.0;
        let mut tx = inner.db.begin().await?;
        if !store::delete(&mut tx, field).await? {
            return Ok(());
        }
        let was = json!({ field: "as configured" });
        let audit = &inner.audit;
        audit
            .note(&mut tx, Some(actor), "settings.changed", "settings", &was)
            .await?;
        tx.commit().await?;
        Ok(self.renew().await?)
    }

    fn key_that_fixes(&self, field: &str) -> Option<&'static str> {
        key_of(field).filter(|key| self.0.given.has(key))
    }

    async fn renew(&self) -> Result<(), StoreError> {
        let mut values = self.0.configured.clone();
        for row in store::all_of(&self.0.db).await? {
            // A key of a newer or an older server says nothing to this one.
            if key_of(&row.key).is_none() || self.key_that_fixes(&row.key).is_some() {
                continue;
            }
            let value = serde_json::from_str(&row.value).ok();
            match value.and_then(|value| values.with(&row.key, value)) {
                Some(with) => values = with,
                None => tracing::warn!("The setting {} holds what it cannot", row.key),
            }
        }
        let mut now = self.0.now.write().unwrap_or_else(PoisonError::into_inner);
        *now = Arc::new(values);
        Ok(())
    }
}

fn key_of(field: &str) -> Option<&'static str> {
    let found = KEYS.iter().find(|(known, _)| *known == field);
    found.map(|(_, key)| *key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_has_a_key_and_every_key_a_setting() {
        let values = SettingValues::configured(&Config::default());
        let fields: Vec<String> = values.as_map().keys().cloned().collect();
        let mut known: Vec<&str> = KEYS.iter().map(|(field, _)| *field).collect();
        known.sort_unstable();
        let mut sorted = fields;
        sorted.sort();
        assert_eq!(sorted, known);
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        let values = SettingValues::configured(&Config::default());
        let changed = values.with("keep_days", json!(7)).unwrap();
        assert_eq!(changed.keep(), Some(Duration::from_secs(7 * 24 * 3_600)));
        assert_eq!(values.with("keep_days", json!("many")), None);
        assert_eq!(values.with("registration", json!("some")), None);
        assert_eq!(values.with("colour", json!("red")), None);
    }
}
