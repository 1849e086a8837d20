//! What a channel's page says: links, panels, tags; and how all of it is changed.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Channel, ChannelEvent, ChannelId, Channels, Visibility, accent, categories, checked_name, store,
};
use crate::accounts::Account;
use crate::db::StoreError;
use crate::error::ApiError;
use crate::form::{self, Form};
use crate::images::{ImageId, Shape};
use crate::secret::Secret;

/// A way to somewhere else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ChannelLink)]
pub struct Link {
    /// What it says, 1 to 40 characters.
    pub label: String,
    /// Where it leads, by https.
    pub url: String,
}

/// A piece of the page, written in Markdown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ChannelPanel)]
pub struct Panel {
    /// Above it, up to 80 characters.
    pub title: String,
    /// Up to 5000 characters.
    pub markdown: String,
}

/// What a channel's page says beside the channel itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// In order.
    pub links: Vec<Link>,
    /// In order.
    pub panels: Vec<Panel>,
    /// In lower case, in order.
    pub tags: Vec<String>,
}

/// A change of a channel. What is left out stays.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChannelEdit {
    /// 1 to 80 characters.
    name: Option<String>,
    /// Up to 500 characters.
    description: Option<String>,
    /// Whether streams are recorded, from the next one on.
    record: Option<bool>,
    /// A colour as `#rrggbb` that dark and light pages can show, or null for none.
    #[serde(default, deserialize_with = "form::given")]
    #[schema(value_type = Option<String>)]
    accent: Option<Option<String>>,
    /// One of `/api/languages`, or null.
    #[serde(default, deserialize_with = "form::given")]
    #[schema(value_type = Option<String>)]
    language: Option<Option<String>>,
    /// The slug of one of `/api/categories`, or null.
    #[serde(default, deserialize_with = "form::given")]
    #[schema(value_type = Option<String>)]
    category: Option<Option<String>>,
    /// Who may watch.
    visibility: Option<Visibility>,
    /// For viewers, where `visibility` is `password`: 4 to 200 characters. Nobody can read it back.
    password: Option<String>,
    /// Up to 10, all of them.
    links: Option<Vec<Link>>,
    /// Up to 12, all of them.
    panels: Option<Vec<Panel>>,
    /// Up to 10, all of them: letters, digits, hyphens, underscores.
    tags: Option<Vec<String>>,
}

/// A change that fits the rules.
#[derive(Debug, Default)]
pub(super) struct Checked {
    pub(super) name: Option<String>,
    pub(super) description: Option<String>,
    pub(super) record: Option<bool>,
    pub(super) accent: Option<Option<String>>,
    pub(super) language: Option<Option<String>>,
    pub(super) category: Option<Option<String>>,
    pub(super) visibility: Option<Visibility>,
    pub(super) password_hash: Option<String>,
    pub(super) links: Option<Vec<Link>>,
    pub(super) panels: Option<Vec<Panel>>,
    pub(super) tags: Option<Vec<String>>,
}

const MOST_LINKS: usize = 10;
const MOST_PANELS: usize = 12;
const MOST_TAGS: usize = 10;
const LONGEST_TAG: usize = 30;
const LONGEST_URL: usize = 500;
const MOST_UPLOADS_AN_HOUR: u32 = 60;

impl ChannelEdit {
    /// The change, held against the rules; and the password that viewers shall give.
    fn checked(self) -> Result<(Checked, Option<Secret>), ApiError> {
        let mut form = Form::new();
        let some = |check: fn(&str) -> Result<String, ApiError>| {
            move |value: Option<String>| value.as_deref().map(check).transpose()
        };
        let password = form.take("password", self.password.map(checked_password).transpose());
        let checked = Checked {
            name: form.take_some("name", self.name, |name| checked_name(&name)),
            description: form.take_some("description", self.description, |text| {
                form::paragraph("description_invalid", &text, 500)
            }),
            record: self.record,
            accent: form.take_some("accent", self.accent, some(accent::checked)),
            language: form.take_some(
                "language",
                self.language,
                some(categories::checked_language),
            ),
            category: form.take_some(
                "category",
                self.category,
                some(categories::checked_category),
            ),
            visibility: self.visibility,
            password_hash: None,
            links: self.links.map(|links| checked_links(&mut form, links)),
            panels: self.panels.map(|panels| checked_panels(&mut form, panels)),
            tags: self.tags.map(|tags| checked_tags(&mut form, &tags)),
        };
        form.done()?;
        Ok((checked, password))
    }
}

impl Channels {
    /// What a channel's page says beside the channel itself.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn about(&self, channel: ChannelId) -> Result<About, StoreError> {
        store::about(&self.db, channel).await
    }

    /// Changes a channel.
    pub(super) async fn edit(&self, id: ChannelId, edit: ChannelEdit) -> Result<Channel, ApiError> {
        let (mut checked, password) = edit.checked()?;
        if let Some(password) = password {
            checked.password_hash = Some(self.passwords.hash(&password).await?);
        }
        // One at a time, so that the gate in memory is that of the last change.
        let _turn = self.gates.turn.lock().await;
        let mut tx = self.db.begin().await?;
        store::update_channel(&mut tx, id, &checked).await?;
        if let Some(tags) = &checked.tags {
            store::replace_tags(&mut tx, id, tags).await?;
        }
        let changed = store::channel_in(&mut tx, id).await?;
        let (channel, password_hash) = changed.ok_or_else(super::no_such_channel)?;
        if channel.visibility == Visibility::Password && password_hash.is_none() {
            let mut form = Form::new();
            let words = "choose the password that viewers shall give";
            form.add("password", "password_missing", words);
            form.done()?;
        }
        tx.commit().await?;
        let is_changed = self.set_gate(channel.clone(), password_hash);
        self.tell_updated(&channel).await;
        if is_changed {
            self.tell_of_door(id).await;
        }
        Ok(channel)
    }

    /// The lists of what is live have a copy, and hear of it before anything that is asked later.
    pub(super) async fn tell_updated(&self, channel: &Channel) {
        let channel = Arc::new(channel.clone());
        self.tell_streams(ChannelEvent::Updated { channel }).await;
    }

    /// Who watches a channel that is not open to all has to come in anew.
    pub(super) async fn tell_of_door(&self, channel: ChannelId) {
        self.tell_streams(ChannelEvent::DoorChanged { channel })
            .await;
    }

    /// Counts an upload of a picture.
    ///
    /// # Errors
    /// When there were too many within the hour.
    pub fn note_upload(&self, account: &Account) -> Result<(), ApiError> {
        let now = self.clock.instant();
        let taken = self.uploads.take(&account.id, MOST_UPLOADS_AN_HOUR, now);
        taken.map_err(ApiError::TooMany)
    }

    /// Sets or takes away a channel's picture.
    pub(super) async fn set_picture(
        &self,
        id: ChannelId,
        shape: Shape,
        picture: Option<&ImageId>,
    ) -> Result<(), StoreError> {
        let picture = picture.map(ImageId::as_str);
        match shape {
            Shape::Banner => store::set_banner(&self.db, id, picture).await?,
            _ => store::set_avatar(&self.db, id, picture).await?,
        }
        if let Some(channel) = self.by_id(id).await? {
            self.tell_updated(&channel).await;
        }
        Ok(())
    }

    /// Deletes a channel: nobody finds it any more, its keys work no longer, its stream ends, and its
    /// recordings go as deleted ones do. An empty row stays, to which the books of its streams refer.
    pub(super) async fn delete(&self, channel: &Channel) -> Result<(), StoreError> {
        let _turn = self.gates.turn.lock().await;
        let mut tx = self.db.begin().await?;
        store::bury_channel(&mut tx, channel.id, self.clock.now()).await?;
        tx.commit().await?;
        self.gates.remove(&channel.handle);
        self.tell_streams(ChannelEvent::Deleted {
            channel: channel.id,
        })
        .await;
        Ok(())
    }
}

fn checked_password(password: String) -> Result<Secret, ApiError> {
    let length = password.chars().count();
    match (4..=200).contains(&length) {
        true => Ok(Secret::new(password)),
        false => Err(ApiError::Invalid {
            code: "password_invalid",
            detail: "4 to 200 characters".to_owned(),
        }),
    }
}

fn checked_links(form: &mut Form, links: Vec<Link>) -> Vec<Link> {
    if links.len() > MOST_LINKS {
        form.add(
            "links",
            "too_many_links",
            format!("at most {MOST_LINKS} links"),
        );
    }
    let checked = links.into_iter().enumerate().map(|(at, link)| {
        let field = |name: &str| format!("links.{at}.{name}");
        let label = form::line("label_invalid", &link.label, 1, 40);
        Link {
            label: form.take(&field("label"), label),
            url: form.take(&field("url"), checked_url(&link.url)),
        }
    });
    checked.collect()
}

/// An address that may stand on our pages: https, a host, nobody's password.
fn checked_url(text: &str) -> Result<String, ApiError> {
    let invalid = |detail: &str| {
        Err(ApiError::Invalid {
            code: "url_invalid",
            detail: detail.to_owned(),
        })
    };
    let text = text.trim();
    if text.len() > LONGEST_URL {
        return invalid("an address has at most 500 characters");
    }
    let Ok(url) = reqwest::Url::parse(text) else {
        return invalid("give a whole address, such as https://example.com/me");
    };
    if url.scheme() != "https" {
        return invalid("an address begins with https://");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return invalid("an address must not hold a name or a password");
    }
    // What the parser makes of it has no characters that reorder text or hide.
    Ok(url.into())
}

fn checked_panels(form: &mut Form, panels: Vec<Panel>) -> Vec<Panel> {
    if panels.len() > MOST_PANELS {
        form.add(
            "panels",
            "too_many_panels",
            format!("at most {MOST_PANELS} panels"),
        );
    }
    let checked = panels.into_iter().enumerate().map(|(at, panel)| {
        let field = |name: &str| format!("panels.{at}.{name}");
        let title = form::line("title_invalid", &panel.title, 0, 80);
        let markdown = form::paragraph("markdown_invalid", &panel.markdown, 5_000);
        Panel {
            title: form.take(&field("title"), title),
            markdown: form.take(&field("markdown"), markdown),
        }
    });
    checked.collect()
}

fn checked_tags(form: &mut Form, tags: &[String]) -> Vec<String> {
    let mut checked: Vec<String> = Vec::new();
    for (at, tag) in tags.iter().enumerate() {
        let tag = form.take(&format!("tags.{at}"), folded_tag(tag));
        if !checked.contains(&tag) {
            checked.push(tag);
        }
    }
    if checked.len() > MOST_TAGS {
        form.add("tags", "too_many_tags", format!("at most {MOST_TAGS} tags"));
    }
    checked
}

/// A tag in the one spelling that it is found by.
fn folded_tag(text: &str) -> Result<String, ApiError> {
    let text = text.trim();
    let tag = text.strip_prefix('#').unwrap_or(text).to_lowercase();
    let is_plain = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    let fits = (1..=LONGEST_TAG).contains(&tag.chars().count()) && tag.chars().all(is_plain);
    match fits {
        true => Ok(tag),
        false => Err(ApiError::Invalid {
            code: "tag_invalid",
            detail: "a tag has 1 to 30 letters, digits, hyphens or underscores".to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_https_and_carry_no_password() {
        assert_eq!(
            checked_url(" https://Example.com ").unwrap(),
            "https://example.com/"
        );
        for url in [
            "",
            "example.com",
            "http://example.com",
            "javascript:alert(1)",
            "data:text/html,x",
            "https://",
            "https://ada:secret@example.com",
            "//example.com",
            &format!("https://example.com/{}", "x".repeat(500)),
        ] {
            assert!(checked_url(url).is_err(), "{url}");
        }
        let reordered = checked_url("https://example.com/\u{202E}gpj").unwrap();
        assert!(reordered.is_ascii(), "{reordered}");
    }

    #[test]
    fn tags_are_folded_and_stand_there_once() {
        let mut form = Form::new();
        let tags = ["#Rust", "rust", "LIVE-coding", "日本語"].map(str::to_owned);
        assert_eq!(
            checked_tags(&mut form, &tags),
            ["rust", "live-coding", "日本語"]
        );
        form.done().unwrap();
        for tag in ["", "#", "two words", "a\u{202E}b", "<b>", &"x".repeat(31)] {
            assert!(folded_tag(tag).is_err(), "{tag:?}");
        }
    }

    #[test]
    fn null_is_told_from_left_out() {
        let read = |text| serde_json::from_str::<ChannelEdit>(text);
        assert_eq!(read("{}").unwrap().accent, None);
        assert_eq!(read(r#"{"accent":null}"#).unwrap().accent, Some(None));
        assert!(read(r#"{"acent":null}"#).is_err());
    }
}
