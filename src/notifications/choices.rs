//! What people are told of, by which ways, and what they get unless they choose. Pure.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What somebody is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = NotificationKind)]
pub enum Kind {
    /// A channel they follow is live.
    Live,
    /// A channel they follow plans a stream.
    Scheduled,
    /// A recording of their own can be watched.
    RecordingReady,
    /// Somebody follows their channel.
    NewFollower,
    /// They asked whether it works.
    Test,
}

/// How somebody is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// In the list behind the bell.
    InApp,
    /// By e-mail.
    Email,
    /// In the browser, also while no page is open.
    Push,
}

impl Kind {
    /// All that there is a choice about.
    pub const CHOSEN: [Self; 4] = [
        Self::Live,
        Self::Scheduled,
        Self::RecordingReady,
        Self::NewFollower,
    ];

    /// As the database has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Scheduled => "scheduled",
            Self::RecordingReady => "recording_ready",
            Self::NewFollower => "new_follower",
            Self::Test => "test",
        }
    }

    /// From the database.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut all = Self::CHOSEN.into_iter().chain([Self::Test]);
        all.find(|kind| kind.as_str() == text)
    }

    /// Whether it comes by this way unless its reader chooses: mail only for what one would be sorry
    /// to miss.
    #[must_use]
    pub fn is_wanted_by_default(self, way: Way) -> bool {
        match (self, way) {
            (_, Way::InApp) | (Self::Live | Self::Scheduled, _) => true,
            (Self::RecordingReady | Self::Test, Way::Push) => true,
            (Self::RecordingReady | Self::Test, Way::Email) | (Self::NewFollower, _) => false,
        }
    }

    /// What mails of it are called where they are called off.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Live => "channels that go live",
            Self::Scheduled => "planned streams",
            Self::RecordingReady => "recordings that are ready",
            Self::NewFollower => "new followers",
            Self::Test => "tests",
        }
    }
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::InApp, Self::Email, Self::Push];

    /// As the database has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InApp => "in_app",
            Self::Email => "email",
            Self::Push => "push",
        }
    }

    /// From the database.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|way| way.as_str() == text)
    }
}
