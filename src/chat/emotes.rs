//! A channel's own emotes.

use std::sync::Arc;

use axum::body::Body;
use axum::http::HeaderMap;
use serde::Serialize;
use utoipa::ToSchema;

use super::hall::Hall;
use super::moderation::Desk;
use super::store::NewAction;
use super::words::{Part, Word};
use super::{Chat, store};
use crate::error::ApiError;
use crate::form::Form;

/// A small picture with a code, such as `:wave:`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ChatEmote)]
pub(crate) struct Emote {
    /// Without the colons.
    pub(crate) code: String,
    pub(crate) url: String,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) animated: bool,
    /// From which tier of membership on it is to be used, 1 to 3; 0: by everybody.
    pub(crate) tier: u8,
}

impl Emote {
    pub(crate) fn for_whom(&self) -> String {
        match self.tier {
            0 | 1 => format!(":{}: is for members", self.code),
            tier => format!(":{}: is for members from tier {tier} on", self.code),
        }
    }
}

/// Emotes of one channel.
const MOST: i64 = 200;
const MOST_TIER: u8 = 3;

impl Chat {
    /// Adds an emote, or gives it another picture.
    pub(super) async fn put_emote(
        &self,
        desk: Desk<'_>,
        (code, tier): (&str, u8),
        headers: &HeaderMap,
        body: Body,
    ) -> Result<Emote, ApiError> {
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if !(2..=32).contains(&code.len()) || !code.chars().all(is_plain) {
            let mut form = Form::new();
            let words = "2 to 32 small letters, digits and _";
            form.add("code", "code_invalid", words);
            form.done()?;
        }
        if tier > MOST_TIER {
            let mut form = Form::new();
            form.add("tier", "out_of_range", "0 for everybody, or 1 to 3");
            form.done()?;
        }
        let channel = desk.channel;
        let image = self.0.images.take_emote(headers, body).await?;
        let hall = self.hall(channel).await?;
        let _turn = hall.turn().await;
        let known = store::emotes(&self.0.db, channel.id).await?;
        let is_known = known.iter().any(|emote| emote.code == code);
        if !is_known && store::count_emotes(&self.0.db, channel.id).await? >= MOST {
            return Err(ApiError::Conflict {
                code: "too_many_emotes",
                detail: format!("a channel has at most {MOST} emotes"),
            });
        }
        let emote = Emote {
            code: code.to_owned(),
            url: image.id.url(),
            width: image.width,
            height: image.height,
            animated: image.moves,
            tier,
        };
        let now = self.0.clock.now().as_millisecond();
        store::put_emote(&self.0.db, channel.id, &emote, image.id.as_str(), now).await?;
        self.note(desk, about("emote", code)).await?;
        self.renew_emotes(&hall).await?;
        Ok(emote)
    }

    pub(super) async fn take_emote_away(&self, desk: Desk<'_>, code: &str) -> Result<(), ApiError> {
        let channel = desk.channel;
        let hall = self.hall(channel).await?;
        let _turn = hall.turn().await;
        if !store::delete_emote(&self.0.db, channel.id, code).await? {
            return Err(ApiError::NotFound {
                code: "emote_not_found",
                detail: "the channel has no such emote",
            });
        }
        self.note(desk, about("unemote", code)).await?;
        self.renew_emotes(&hall).await
    }

    /// The caller has the turn.
    async fn renew_emotes(&self, hall: &Arc<Hall>) -> Result<(), ApiError> {
        self.reread_in_turn(hall, Part::Emotes).await?;
        hall.tell(&Word::Reset { part: Part::Emotes });
        Ok(())
    }
}

fn about<'a>(kind: &'static str, code: &'a str) -> NewAction<'a> {
    NewAction {
        kind,
        reason: code,
        ..NewAction::default()
    }
}
