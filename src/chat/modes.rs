//! How one may write in a room: what its moderators set.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::form::Form;

/// How one may write. Moderators may always.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
#[schema(as = ChatModes)]
pub(crate) struct Modes {
    /// Whether people without an account may write.
    pub(crate) guests: bool,
    /// One message of each in so many seconds; 0: no such rule.
    pub(crate) slow_seconds: u32,
    /// Only who has followed the channel for so many minutes; null: everybody.
    pub(crate) followers_minutes: Option<u32>,
    /// Only members; until memberships can be had, moderators alone.
    pub(crate) members_only: bool,
    /// Nothing but emotes and emoji.
    pub(crate) emote_only: bool,
    /// Nothing that was said a moment ago.
    pub(crate) unique_only: bool,
    /// No links.
    pub(crate) links_blocked: bool,
    /// How much is held for a moderator: 0 nothing, 1 the worst, 2 what offends, 3 what might.
    pub(crate) hold_level: u8,
    /// Whether the shield is up.
    pub(crate) shield: bool,
}

/// A change of some of them.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ChatModesEdit)]
pub(crate) struct ModesEdit {
    /// Whether people without an account may write.
    guests: Option<bool>,
    /// 0 to 3600.
    slow_seconds: Option<u32>,
    /// 0 to 129600; null switches it off.
    #[serde(default, deserialize_with = "crate::form::given")]
    #[schema(value_type = Option<u32>)]
    followers_minutes: Option<Option<u32>>,
    /// Only members.
    members_only: Option<bool>,
    /// Nothing but emotes and emoji.
    emote_only: Option<bool>,
    /// Nothing that was said a moment ago.
    unique_only: Option<bool>,
    /// No links.
    links_blocked: Option<bool>,
    /// 0 to 3.
    hold_level: Option<u8>,
}

const MOST_SLOW: u32 = 3_600;
const MOST_FOLLOWED: u32 = 90 * 24 * 60;
const MOST_HELD: u8 = 3;
/// What the shield asks for, at least.
const SHIELD_SLOW: u32 = 10;
const SHIELD_FOLLOWED: u32 = 10;

impl Modes {
    pub(crate) fn slow(&self) -> Duration {
        Duration::from_secs(self.slow_seconds.into())
    }

    /// With the shield up: what a room under attack needs, and nothing weaker than it had.
    pub(crate) fn shielded(&self) -> Self {
        Self {
            guests: false,
            slow_seconds: self.slow_seconds.max(SHIELD_SLOW),
            followers_minutes: Some(self.followers_minutes.unwrap_or(0).max(SHIELD_FOLLOWED)),
            links_blocked: true,
            unique_only: true,
            hold_level: MOST_HELD,
            shield: true,
            ..self.clone()
        }
    }
}

impl Modes {
    /// What is different, in words for the log.
    pub(crate) fn changes_since(&self, before: &Self) -> String {
        let switch = |on: &str, off: &str, now: bool, then: bool| {
            let words = if now { on } else { off };
            (now != then).then(|| words.to_owned())
        };
        let slow = (self.slow_seconds != before.slow_seconds).then(|| match self.slow_seconds {
            0 => "slow mode off".to_owned(),
            seconds => format!("slow mode {seconds} s"),
        });
        let followers = (self.followers_minutes != before.followers_minutes).then(|| {
            match self.followers_minutes {
                None => "followers only off".to_owned(),
                Some(minutes) => format!("followers only, for {minutes} min"),
            }
        });
        let held = (self.hold_level != before.hold_level).then(|| match self.hold_level {
            0 => "holding off".to_owned(),
            level => format!("holding level {level}"),
        });
        let all = [
            switch("guests may write", "no guests", self.guests, before.guests),
            slow,
            followers,
            switch(
                "members only",
                "members only off",
                self.members_only,
                before.members_only,
            ),
            switch(
                "emotes only",
                "emotes only off",
                self.emote_only,
                before.emote_only,
            ),
            switch(
                "nothing twice",
                "repeats allowed",
                self.unique_only,
                before.unique_only,
            ),
            switch(
                "links blocked",
                "links allowed",
                self.links_blocked,
                before.links_blocked,
            ),
            held,
        ];
        all.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

impl ModesEdit {
    /// The modes with the changes, where they are in bounds.
    ///
    /// # Errors
    /// With all that is wrong.
    pub(crate) fn apply(self, modes: &Modes) -> Result<Modes, crate::error::ApiError> {
        let mut form = Form::new();
        if self.slow_seconds.is_some_and(|slow| slow > MOST_SLOW) {
            let words = format!("0 to {MOST_SLOW} seconds");
            form.add("slow_seconds", "slow_invalid", words);
        }
        let followers = self.followers_minutes.flatten();
        if followers.is_some_and(|minutes| minutes > MOST_FOLLOWED) {
            let words = format!("0 to {MOST_FOLLOWED} minutes, or null");
            form.add("followers_minutes", "followers_invalid", words);
        }
        if self.hold_level.is_some_and(|level| level > MOST_HELD) {
            form.add("hold_level", "hold_level_invalid", "0 to 3");
        }
        form.done()?;
        Ok(Modes {
            guests: self.guests.unwrap_or(modes.guests),
            slow_seconds: self.slow_seconds.unwrap_or(modes.slow_seconds),
            followers_minutes: self.followers_minutes.unwrap_or(modes.followers_minutes),
            members_only: self.members_only.unwrap_or(modes.members_only),
            emote_only: self.emote_only.unwrap_or(modes.emote_only),
            unique_only: self.unique_only.unwrap_or(modes.unique_only),
            links_blocked: self.links_blocked.unwrap_or(modes.links_blocked),
            hold_level: self.hold_level.unwrap_or(modes.hold_level),
            shield: modes.shield,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(json: &str) -> ModesEdit {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn null_switches_off_and_what_is_missing_stays() {
        let modes = edit(r#"{"followers_minutes": 10, "slow_seconds": 5}"#)
            .apply(&Modes::default())
            .unwrap();
        assert_eq!(modes.followers_minutes, Some(10));
        let modes = edit("{}").apply(&modes).unwrap();
        assert_eq!((modes.followers_minutes, modes.slow_seconds), (Some(10), 5));
        let modes = edit(r#"{"followers_minutes": null}"#)
            .apply(&modes)
            .unwrap();
        assert_eq!(modes.followers_minutes, None);
        assert!(
            edit(r#"{"slow_seconds": 3601}"#)
                .apply(&Modes::default())
                .is_err()
        );
    }

    #[test]
    fn the_log_tells_what_is_different() {
        let now = Modes {
            slow_seconds: 10,
            links_blocked: true,
            ..Modes::default()
        };
        let words = now.changes_since(&Modes::default());
        assert_eq!(words, "slow mode 10 s, links blocked");
        let words = Modes::default().changes_since(&now);
        assert_eq!(words, "slow mode off, links allowed");
    }

    #[test]
    fn the_shield_weakens_nothing() {
        let strict = Modes {
            slow_seconds: 60,
            followers_minutes: Some(100),
            members_only: true,
            ..Modes::default()
        };
        let shielded = strict.shielded();
        assert_eq!(
            (shielded.slow_seconds, shielded.followers_minutes),
            (60, Some(100))
        );
        assert!(shielded.members_only && shielded.shield && shielded.hold_level == MOST_HELD);
    }
}
