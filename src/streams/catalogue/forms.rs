//! What people write of a stream, and what of it can be.

use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    ChatMode, Details, Latency, Schedule, Stream, StreamSettings, StreamVisibility, times,
};
use crate::channels::{CATEGORIES, LANGUAGES};
use crate::error::ApiError;
use crate::form::{Form, given, line, paragraph};
use crate::gates::{Gates, StreamGateEdit};
use jiff::Timestamp;

/// A stream to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewStream {
    /// Handle of an own channel.
    pub(super) channel: String,
    /// Up to 200 characters.
    #[serde(default)]
    pub(super) title: String,
    /// Up to 5000 characters.
    #[serde(default)]
    pub(super) description: String,
    /// Slug of a category.
    pub(super) category: Option<String>,
    /// Up to 10, each of up to 30 characters.
    #[serde(default)]
    pub(super) tags: Vec<String>,
    /// Such as `en` or `pt-BR`.
    pub(super) language: Option<String>,
    /// Null: as the channel.
    pub(super) visibility: Option<StreamVisibility>,
    /// Unlisted until it is published by hand.
    #[serde(default)]
    pub(super) publish_at_button: bool,
    /// Such as `2026-05-01T18:00:00Z`, or `2026-05-01T20:00` on the clocks of the zone. Without it the
    /// stream is one that is being prepared.
    pub(super) scheduled_at: Option<String>,
    /// Such as `Europe/Berlin`; UTC where it is left out.
    pub(super) time_zone: Option<String>,
    /// Everyone, where it is left out.
    pub(super) gate: Option<StreamGateEdit>,
    /// So long everybody may watch for nothing: up to 600.
    #[serde(default)]
    pub(super) preview_seconds: u32,
    #[serde(default)]
    pub(super) settings: StreamSettingsEdit,
}

/// What is to change of a stream; what is left out stays.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StreamEdit {
    /// Up to 200 characters.
    pub(super) title: Option<String>,
    /// Up to 5000 characters.
    pub(super) description: Option<String>,
    /// Slug of a category; null: none.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    pub(super) category: Option<Option<String>>,
    /// Up to 10, each of up to 30 characters.
    pub(super) tags: Option<Vec<String>>,
    /// Such as `en` or `pt-BR`; null: none.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    pub(super) language: Option<Option<String>>,
    /// Null: as the channel.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<StreamVisibility>)]
    pub(super) visibility: Option<Option<StreamVisibility>>,
    /// Unlisted until it is published by hand.
    pub(super) publish_at_button: Option<bool>,
    /// Such as `2026-05-01T18:00:00Z`, or `2026-05-01T20:00` on the clocks of the zone.
    pub(super) scheduled_at: Option<String>,
    /// Such as `Europe/Berlin`.
    pub(super) time_zone: Option<String>,
    /// Who may watch, of those whom the channel lets in.
    pub(super) gate: Option<StreamGateEdit>,
    /// So long everybody may watch for nothing: up to 600; 0: not at all.
    pub(super) preview_seconds: Option<u32>,
    #[serde(default)]
    pub(super) settings: StreamSettingsEdit,
}

/// What is to change of how a stream is made and watched; what is left out stays.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StreamSettingsEdit {
    /// Whether it is recorded; null: as the channel has it.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<bool>)]
    record: Option<Option<bool>>,
    /// Layers that the studio sends, 1 to 3; null: as many as it can.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u8>)]
    max_layers: Option<Option<u8>>,
    /// What the publisher should send, 200 to 100000 kbit/s; null: what it likes.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u32>)]
    max_bitrate_kbps: Option<Option<u32>>,
    latency: Option<Latency>,
    chat: Option<ChatMode>,
}

const LONGEST_TITLE: usize = 200;
const LONGEST_DESCRIPTION: usize = 5_000;
const MOST_TAGS: usize = 10;
const LONGEST_TAG: usize = 30;
const LONGEST_PREVIEW_S: u32 = 600;
const LAYERS: std::ops::RangeInclusive<u8> = 1..=3;
const KBPS: std::ops::RangeInclusive<u32> = 200..=100_000;

impl NewStream {
    /// As an edit of a stream that nothing is said of.
    pub(super) fn into_edit(self) -> StreamEdit {
        StreamEdit {
            title: Some(self.title),
            description: Some(self.description),
            category: Some(self.category),
            tags: Some(self.tags),
            language: Some(self.language),
            visibility: Some(self.visibility),
            publish_at_button: Some(self.publish_at_button),
            scheduled_at: self.scheduled_at,
            time_zone: self.time_zone,
            gate: self.gate,
            preview_seconds: Some(self.preview_seconds),
            settings: self.settings,
        }
    }
}

impl StreamEdit {
    /// Whether it is about the title and nothing else.
    pub(super) fn is_of_title_alone(&self) -> bool {
        let Self {
            title: _,
            description,
            category,
            tags,
            language,
            visibility,
            publish_at_button,
            scheduled_at,
            time_zone,
            gate,
            preview_seconds,
            settings,
        } = self;
        description.is_none()
            && category.is_none()
            && tags.is_none()
            && language.is_none()
            && visibility.is_none()
            && publish_at_button.is_none()
            && scheduled_at.is_none()
            && time_zone.is_none()
            && gate.is_none()
            && preview_seconds.is_none()
            && settings.is_empty()
    }

    /// Holds a gate against what this server has, and hashes its password.
    ///
    /// # Errors
    /// With what is wrong.
    pub(super) async fn prepare(&mut self, gates: &Gates) -> Result<(), ApiError> {
        match &mut self.gate {
            Some(gate) => gate.prepare(gates).await,
            None => Ok(()),
        }
    }

    /// Whether it is about when the stream is.
    pub(super) fn is_of_time(&self) -> bool {
        self.scheduled_at.is_some() || self.time_zone.is_some()
    }

    /// The stream as it is afterwards.
    ///
    /// # Errors
    /// With all that is wrong.
    pub(super) fn apply(self, stream: &mut Stream, now: Timestamp) -> Result<(), ApiError> {
        let mut form = Form::new();
        if self.is_of_time() {
            let (at, zone) = (self.scheduled_at, self.time_zone);
            stream.schedule = planned(&mut form, stream.schedule.take(), at, zone, now);
        }
        let details = &mut stream.details;
        let title = form.take_some("title", self.title, |text| {
            line("title_invalid", &text, 0, LONGEST_TITLE)
        });
        let description = form.take_some("description", self.description, |text| {
            paragraph("description_invalid", &text, LONGEST_DESCRIPTION)
        });
        let tags = form.take_some("tags", self.tags, checked_tags);
        let category = form.take_some("category", self.category, checked_category);
        let language = form.take_some("language", self.language, checked_language);
        *details = Details {
            title: title.unwrap_or_else(|| std::mem::take(&mut details.title)),
            description: description.unwrap_or_else(|| std::mem::take(&mut details.description)),
            category: category.unwrap_or_else(|| details.category.take()),
            tags: tags.unwrap_or_else(|| std::mem::take(&mut details.tags)),
            language: language.unwrap_or_else(|| details.language.take()),
            thumbnail: details.thumbnail.take(),
            visibility: self.visibility.unwrap_or(details.visibility),
            lock: std::mem::take(&mut details.lock),
        };
        if let Some(gate) = self.gate {
            gate.apply(&mut details.lock, &mut form);
        }
        if let Some(seconds) = self.preview_seconds {
            if seconds > LONGEST_PREVIEW_S {
                form.add("preview_seconds", "out_of_range", "0 to 600 seconds");
            }
            details.lock.preview_s = seconds;
        }
        stream.publish_at_button = self.publish_at_button.unwrap_or(stream.publish_at_button);
        self.settings.apply(&mut stream.settings, &mut form);
        form.done()
    }
}

impl StreamSettingsEdit {
    fn is_empty(&self) -> bool {
        let Self {
            record,
            max_layers,
            max_bitrate_kbps,
            latency,
            chat,
        } = self;
        record.is_none()
            && max_layers.is_none()
            && max_bitrate_kbps.is_none()
            && latency.is_none()
            && chat.is_none()
    }

    fn apply(self, settings: &mut StreamSettings, form: &mut Form) {
        if let Some(Some(most)) = self.max_layers
            && !LAYERS.contains(&most)
        {
            form.add("settings.max_layers", "out_of_range", "1 to 3 layers");
        }
        if let Some(Some(most)) = self.max_bitrate_kbps
            && !KBPS.contains(&most)
        {
            let words = "200 to 100000 kbit/s";
            form.add("settings.max_bitrate_kbps", "out_of_range", words);
        }
        *settings = StreamSettings {
            record: self.record.unwrap_or(settings.record),
            max_layers: self.max_layers.unwrap_or(settings.max_layers),
            max_bitrate_kbps: self.max_bitrate_kbps.unwrap_or(settings.max_bitrate_kbps),
            latency: self.latency.unwrap_or(settings.latency),
            chat: self.chat.unwrap_or(settings.chat),
        };
    }
}

/// The plan with another time, or the same time on other clocks.
fn planned(
    form: &mut Form,
    before: Option<Schedule>,
    at: Option<String>,
    zone: Option<String>,
    now: Timestamp,
) -> Option<Schedule> {
    let old_zone = before.as_ref().map(|plan| plan.time_zone.clone());
    let zone = zone.or(old_zone).unwrap_or_else(|| "UTC".to_owned());
    let at = match (at, before) {
        (Some(at), _) => at,
        (None, Some(before)) => before.at.to_string(),
        (None, None) => {
            form.add("scheduled_at", "missing", "a zone needs a time");
            return None;
        }
    };
    match times::schedule(&at, &zone, now) {
        Ok(plan) => Some(plan),
        Err(ApiError::Fields(problems)) => {
            for problem in problems {
                form.add(&problem.field, problem.rule, problem.detail);
            }
            None
        }
        Err(_) => None,
    }
}

fn checked_tags(tags: Vec<String>) -> Result<Vec<String>, ApiError> {
    let mut checked: Vec<String> = Vec::new();
    for tag in tags {
        let tag = line("tag_invalid", &tag, 1, LONGEST_TAG)?.to_lowercase();
        if !checked.contains(&tag) {
            checked.push(tag);
        }
    }
    if checked.len() > MOST_TAGS {
        return Err(ApiError::Invalid {
            code: "too_many_tags",
            detail: format!("at most {MOST_TAGS} tags"),
        });
    }
    Ok(checked)
}

fn checked_category(slug: Option<String>) -> Result<Option<String>, ApiError> {
    let is_known = |slug: &String| CATEGORIES.iter().any(|known| known.slug == slug);
    match slug {
        Some(slug) if !is_known(&slug) => Err(ApiError::Invalid {
            code: "category_unknown",
            detail: "there is no such category; /api/categories lists them".to_owned(),
        }),
        other => Ok(other),
    }
}

fn checked_language(tag: Option<String>) -> Result<Option<String>, ApiError> {
    let Some(tag) = tag else {
        return Ok(None);
    };
    let mut known = LANGUAGES.iter();
    let known = known.find(|known| known.eq_ignore_ascii_case(&tag));
    known
        .map(|tag| Some((*tag).to_owned()))
        .ok_or(ApiError::Invalid {
            code: "language_unknown",
            detail: "there is no such language; /api/languages lists them".to_owned(),
        })
}
