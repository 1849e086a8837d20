//! What admins send, and what of it fits.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::config::{Instance, NewAccounts, NewRecordings, Registration};
use crate::error::ApiError;
use crate::form::{Form, line, paragraph};

/// Settings to change; what is left out stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InstanceSettingsEdit {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    announcement: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    imprint_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rules_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    privacy_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    accent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    registration: Option<Registration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    new_accounts: Option<NewAccounts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    require_email: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recording_visibility: Option<NewRecordings>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keep_days: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quota_mb: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    embed_ancestors: Option<String>,
}

/// A hundred years.
const MOST_DAYS: u32 = 36_500;
/// An exabyte, which JSON's numbers still hold.
const MOST_MB: u64 = 1_000_000_000_000;

impl InstanceSettingsEdit {
    /// The fields that it has, as they are kept.
    pub(super) fn checked(
        mut self,
        has_mail: bool,
        key_that_fixes: impl Fn(&str) -> Option<&'static str>,
    ) -> Result<Map<String, Value>, ApiError> {
        let mut form = Form::new();
        self.check_words(&mut form);
        self.check_links(&mut form);
        self.check_rules(&mut form, has_mail);
        let map = match serde_json::to_value(self) {
            Ok(Value::Object(map)) => map,
            _ => Map::new(),
        };
        for (field, key) in map.keys().filter_map(|f| Some((f, key_that_fixes(f)?))) {
            let words = format!("the configuration sets this by {key}; change it there");
            form.add(field, "setting_fixed", words);
        }
        form.done()?;
        Ok(map)
    }

    fn check_words(&mut self, form: &mut Form) {
        let name = self.name.take();
        self.name = form.take_some("name", name, |name| line("name_invalid", &name, 1, 60));
        let description = self.description.take();
        self.description = form.take_some("description", description, |text| {
            paragraph("description_invalid", &text, 1_000)
        });
        let announcement = self.announcement.take();
        self.announcement = form.take_some("announcement", announcement, |text| {
            line("announcement_invalid", &text, 0, 300)
        });
    }

    fn check_links(&mut self, form: &mut Form) {
        let links = [
            ("imprint_url", &mut self.imprint_url),
            ("rules_url", &mut self.rules_url),
            ("privacy_url", &mut self.privacy_url),
        ];
        for (field, link) in links {
            let text = link.take();
            *link = form.take_some(field, text, |text| checked_link(&text));
        }
    }

    fn check_rules(&mut self, form: &mut Form, has_mail: bool) {
        let accent = self.accent.take();
        self.accent = form.take_some("accent", accent, |text| checked_accent(&text));
        let sites = self.embed_ancestors.take();
        self.embed_ancestors =
            form.take_some("embed_ancestors", sites, |text| checked_ancestors(&text));
        if self.require_email == Some(true) && !has_mail {
            let words = "addresses can be confirmed only where the configuration sets mail.host";
            form.add("require_email", "mail_missing", words);
        }
        if self.keep_days > Some(MOST_DAYS) {
            let words = format!("at most {MOST_DAYS} days; 0 keeps recordings for ever");
            form.add("keep_days", "keep_days_invalid", words);
        }
        if self.quota_mb > Some(MOST_MB) {
            form.add("quota_mb", "quota_invalid", format!("at most {MOST_MB}"));
        }
    }
}

fn checked_link(text: &str) -> Result<String, ApiError> {
    let text = text.trim();
    match text.is_empty() || Instance::is_link(text) {
        true => Ok(text.to_owned()),
        false => Err(ApiError::Invalid {
            code: "link_invalid",
            detail: "an address such as https://example.org/imprint, or nothing".to_owned(),
        }),
    }
}

fn checked_accent(text: &str) -> Result<String, ApiError> {
    let text = text.trim();
    match text.is_empty() || Instance::is_colour(text) {
        true => Ok(text.to_lowercase()),
        false => Err(ApiError::Invalid {
            code: "accent_invalid",
            detail: "a colour such as #ff6a3d, or nothing".to_owned(),
        }),
    }
}

/// The text becomes a part of a header, and must stay that part.
fn checked_ancestors(text: &str) -> Result<String, ApiError> {
    let text = text.trim();
    match text.len() <= 2_000 && crate::config::Http::are_ancestors(text) {
        true => Ok(text.to_owned()),
        false => Err(ApiError::Invalid {
            code: "embed_ancestors_invalid",
            detail: "sites with spaces between them, such as https://blog.example, or * or 'none'"
                .to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rules(edit: Value) -> Vec<&'static str> {
        let edit: InstanceSettingsEdit = serde_json::from_value(edit).unwrap();
        let fixed = |field: &str| (field == "keep_days").then_some("recordings.keep_days");
        match edit.checked(false, fixed) {
            Ok(_) => Vec::new(),
            Err(ApiError::Fields(problems)) => problems.iter().map(|p| p.rule).collect(),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn each_value_that_does_not_fit_is_named() {
        let edit = json!({
            "name": "", "announcement": "two\nlines", "imprint_url": "javascript:alert(1)",
            "accent": "red", "embed_ancestors": "*; script-src *", "require_email": true,
            "quota_mb": 1_000_000_000_001_u64,
        });
        assert_eq!(
            rules(edit),
            [
                "name_invalid",
                "announcement_invalid",
                "link_invalid",
                "accent_invalid",
                "embed_ancestors_invalid",
                "mail_missing",
                "quota_invalid",
            ]
        );
        assert_eq!(rules(json!({ "keep_days": 3 })), ["setting_fixed"]);
        assert!(rules(json!({ "name": "Radio", "imprint_url": "" })).is_empty());
    }
}
