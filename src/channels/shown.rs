//! A channel as pages and programs see it.

use serde::Serialize;
use utoipa::ToSchema;

use super::blocks::{self, Block};
use super::categories::{CATEGORIES, Category};
use super::{Channel, Channels, Link, Panel, Rights, Visibility};
use crate::accounts::Account;
use crate::db::StoreError;
use crate::images::ImageId;

/// What a channel says of itself, to whoever asks.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ChannelProfile {
    handle: String,
    name: String,
    description: String,
    /// `#rrggbb`.
    accent: Option<String>,
    /// A language tag (BCP 47).
    language: Option<String>,
    category: Option<Category>,
    #[schema(inline)]
    visibility: Visibility,
    avatar_url: Option<String>,
    banner_url: Option<String>,
    links: Vec<ShownLink>,
    panels: Vec<ShownPanel>,
    tags: Vec<String>,
    /// How many follow it.
    followers: u64,
    /// Whether whoever asks follows it.
    following: bool,
    rights: ShownRights,
    /// Whether its streams are recorded.
    record: bool,
}

/// What whoever asks may do with the channel.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
struct ShownRights {
    /// Change it.
    edit: bool,
    /// Look after it.
    moderate: bool,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
struct ShownLink {
    label: String,
    url: String,
    /// Of which well-known site it is; null for others.
    site: Option<&'static str>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
struct ShownPanel {
    title: String,
    /// What it says, to be drawn.
    blocks: Vec<Block>,
    /// What it was written as; for who may change it, else null.
    markdown: Option<String>,
}

/// Sites that links are told by: the end of the host's name, and a word for it.
const SITES: [(&str, &str); 16] = [
    ("bsky.app", "bluesky"),
    ("discord.com", "discord"),
    ("discord.gg", "discord"),
    ("facebook.com", "facebook"),
    ("github.com", "github"),
    ("gitlab.com", "gitlab"),
    ("instagram.com", "instagram"),
    ("ko-fi.com", "ko-fi"),
    ("linkedin.com", "linkedin"),
    ("mastodon.social", "mastodon"),
    ("patreon.com", "patreon"),
    ("soundcloud.com", "soundcloud"),
    ("tiktok.com", "tiktok"),
    ("twitch.tv", "twitch"),
    ("x.com", "x"),
    ("youtube.com", "youtube"),
];

impl Channels {
    /// What a channel says of itself to an account, or to nobody in particular.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn profile(
        &self,
        channel: &Channel,
        account: Option<&Account>,
    ) -> Result<ChannelProfile, StoreError> {
        let about = self.about(channel.id).await?;
        let rights = self.rights(channel, account).await?;
        let following = match account {
            Some(account) => self.is_following(channel.id, account.id).await?,
            None => false,
        };
        let of_slug = |slug: &String| CATEGORIES.iter().find(|known| known.slug == slug).copied();
        Ok(ChannelProfile {
            handle: channel.handle.clone(),
            name: channel.name.clone(),
            description: channel.description.clone(),
            accent: channel.accent.clone(),
            language: channel.language.clone(),
            category: channel.category.as_ref().and_then(of_slug),
            visibility: channel.visibility,
            avatar_url: channel.avatar.as_ref().map(ImageId::url),
            banner_url: channel.banner.as_ref().map(ImageId::url),
            links: about.links.into_iter().map(ShownLink::from).collect(),
            panels: about
                .panels
                .into_iter()
                .map(|panel| ShownPanel::new(panel, rights))
                .collect(),
            tags: about.tags,
            followers: self.follower_count(channel.id).await?,
            following,
            rights: ShownRights {
                edit: rights.may_edit(),
                moderate: rights.may_moderate(),
            },
            record: channel.record,
        })
    }
}

impl From<Link> for ShownLink {
    fn from(link: Link) -> Self {
        Self {
            site: site(&link.url),
            label: link.label,
            url: link.url,
        }
    }
}

impl ShownPanel {
    fn new(panel: Panel, rights: Rights) -> Self {
        Self {
            blocks: blocks::read(&panel.markdown),
            title: panel.title,
            markdown: rights.may_edit().then_some(panel.markdown),
        }
    }
}

/// Of which well-known site an address is.
fn site(url: &str) -> Option<&'static str> {
    let host = url
        .strip_prefix("https://")?
        .split(['/', '?', '#', ':'])
        .next()?;
    let is_of = |site: &str| {
        let before = host.strip_suffix(site);
        before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
    };
    SITES
        .iter()
        .find(|(host, _)| is_of(host))
        .map(|(_, word)| *word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sites_are_told_by_their_host_alone() {
        assert_eq!(site("https://github.com/ada"), Some("github"));
        assert_eq!(site("https://www.youtube.com/@ada"), Some("youtube"));
        for other in [
            "https://github.com.evil.example/",
            "https://notgithub.com/",
            "https://evil.example/github.com",
            "http://github.com/",
        ] {
            assert_eq!(site(other), None, "{other}");
        }
    }
}
