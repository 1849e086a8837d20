//! What is said, by whom: the shapes that all ways share.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::support::Support;
use crate::accounts::{Account, AccountId};
use crate::channels::Rights;

/// What was said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = ChatMessage)]
pub(crate) struct Message {
    /// Rises within a channel; safe in a JavaScript number.
    pub(crate) id: i64,
    /// When the server took it.
    pub(crate) at: Timestamp,
    pub(crate) kind: MessageKind,
    /// The stream that was on air.
    pub(crate) stream: Option<Uuid>,
    /// How long the stream had been on air in the picture that the writer saw.
    pub(crate) stream_time_ms: Option<i64>,
    pub(crate) from: Sender,
    /// Plain text, never markup.
    pub(crate) text: String,
    pub(crate) reply_to: Option<Quote>,
    /// What a line of thanks is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) support: Option<Support>,
}

/// What kind of message it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ChatMessageKind)]
pub(crate) enum MessageKind {
    /// Somebody says something.
    #[default]
    Text,
    /// A moderator says something that is to stand out.
    Announcement,
    /// Somebody supports the channel; the text is what they say with it, if they do.
    Support,
}

/// Who said it, as all see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ChatSender)]
pub(crate) struct Sender {
    /// The account's id, or `guest-` and letters.
    pub(crate) id: String,
    pub(crate) name: String,
    /// The id of the account's picture.
    pub(crate) avatar: Option<String>,
    pub(crate) badges: Vec<Badge>,
}

/// What stands beside a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ChatBadge)]
pub(crate) enum Badge {
    /// The channel's owner.
    Owner,
    /// One of its moderators.
    Moderator,
    /// Runs the server.
    Admin,
    /// A member of it.
    Member,
    /// Has no account.
    Guest,
}

/// What a message answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ChatQuote)]
pub(crate) struct Quote {
    pub(crate) id: i64,
    pub(crate) name: String,
    /// The beginning of it.
    pub(crate) text: String,
}

/// Whom moderators deal with.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Subject {
    /// Somebody with an account.
    Account(AccountId),
    /// Somebody without.
    Guest(String),
}

/// Somebody in a room.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Person {
    /// None: reads, and cannot write.
    pub(crate) subject: Option<Subject>,
    pub(crate) name: String,
    pub(crate) avatar: Option<String>,
    pub(crate) rights: Rights,
    /// Since when they follow the channel, if they do.
    pub(crate) follows_since: Option<Timestamp>,
    /// The tier of their membership, if they are a member.
    pub(crate) tier: Option<u8>,
    /// Whether the way in allows to write, as a token may not.
    pub(crate) may_write: bool,
    /// Where they come from: a household counts as one.
    pub(crate) address: IpAddr,
    /// A MAC of that, by which a guest who comes back by another name is known.
    pub(crate) network: Arc<str>,
}

impl MessageKind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Announcement => "announcement",
            Self::Support => "support",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let all = [Self::Text, Self::Announcement, Self::Support];
        all.into_iter().find(|kind| kind.as_str() == text)
    }
}

impl Badge {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Moderator => "moderator",
            Self::Admin => "admin",
            Self::Member => "member",
            Self::Guest => "guest",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let all = [
            Self::Owner,
            Self::Moderator,
            Self::Admin,
            Self::Member,
            Self::Guest,
        ];
        all.into_iter().find(|badge| badge.as_str() == text)
    }

    /// Whether who wears it moderates.
    pub(crate) fn moderates(self) -> bool {
        matches!(self, Self::Owner | Self::Moderator | Self::Admin)
    }
}

impl Message {
    /// The beginning of it, for who answers it.
    pub(crate) fn quote(&self) -> Quote {
        Quote {
            id: self.id,
            name: self.from.name.clone(),
            text: self.text.chars().take(QUOTED).collect(),
        }
    }
}

/// Characters of a quote.
pub(crate) const QUOTED: usize = 120;

impl Person {
    /// Somebody with an account.
    pub(crate) fn of_account(
        account: &Account,
        rights: Rights,
        follows_since: Option<Timestamp>,
        reader: Self,
    ) -> Self {
        Self {
            subject: Some(Subject::Account(account.id)),
            name: account.name.clone(),
            avatar: account.avatar.clone(),
            rights,
            follows_since,
            may_write: true,
            ..reader
        }
    }

    /// Somebody who only reads.
    pub(crate) fn reader(address: IpAddr, network: Arc<str>) -> Self {
        Self {
            subject: None,
            name: String::new(),
            avatar: None,
            rights: Rights::default(),
            follows_since: None,
            tier: None,
            may_write: false,
            address,
            network,
        }
    }

    /// Somebody without an account who wants to write.
    pub(crate) fn guest(id: String, name: String, reader: Self) -> Self {
        Self {
            subject: Some(Subject::Guest(id)),
            name,
            may_write: true,
            ..reader
        }
    }

    pub(crate) fn is_guest(&self) -> bool {
        matches!(self.subject, Some(Subject::Guest(_)))
    }

    pub(crate) fn may_moderate(&self) -> bool {
        self.may_write && self.rights.may_moderate()
    }

    /// As all see them. None: they only read.
    pub(crate) fn as_sender(&self) -> Option<Sender> {
        let subject = self.subject.as_ref()?;
        let badges = [
            (self.rights.owner, Badge::Owner),
            (self.rights.moderator, Badge::Moderator),
            (self.rights.admin && !self.rights.owner, Badge::Admin),
            (self.tier.is_some(), Badge::Member),
            (self.is_guest(), Badge::Guest),
        ];
        let worn = badges.into_iter().filter(|(is_worn, _)| *is_worn);
        Some(Sender {
            id: subject.to_string(),
            name: self.name.clone(),
            avatar: self.avatar.clone(),
            badges: worn.map(|(_, badge)| badge).collect(),
        })
    }
}

impl Subject {
    pub(crate) fn account(&self) -> Option<AccountId> {
        match self {
            Self::Account(account) => Some(*account),
            Self::Guest(_) => None,
        }
    }

    /// From what [`fmt::Display`] wrote.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix(GUEST) {
            Some(_) => Some(Self::Guest(text.to_owned())),
            None => {
                let id = Uuid::parse_str(text).ok()?;
                Some(Self::Account(AccountId(id)))
            }
        }
    }
}

/// How the ids of guests begin.
pub(crate) const GUEST: &str = "guest-";

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(account) => account.fmt(f),
            Self::Guest(id) => f.write_str(id),
        }
    }
}
