//! Raids: the room goes over to another channel.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Chat;
use super::moderation::Desk;
use super::store::NewAction;
use super::words::Word;
use crate::error::ApiError;

/// Where a room goes over to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ChatRaid)]
pub(crate) struct Raid {
    pub(crate) handle: String,
    pub(crate) name: String,
    /// Until then it can be called off.
    pub(crate) in_seconds: u32,
    #[serde(skip)]
    pub(crate) goes_at: Timestamp,
}

impl Raid {
    /// As it is told to who comes now; not at all once it has gone.
    pub(crate) fn left(&self, now: Timestamp) -> Option<Self> {
        let left = Duration::try_from(self.goes_at.duration_since(now)).ok()?;
        let in_seconds = left.as_millis().div_ceil(1_000);
        let in_seconds = u32::try_from(in_seconds).unwrap_or(u32::MAX);
        (in_seconds > 0).then(|| Self {
            in_seconds,
            ..self.clone()
        })
    }
}

/// Until a raid goes, it can be called off.
pub(super) const RAID_IN: Duration = Duration::from_secs(10);
/// Whoever comes later than this after that has not been asked to go.
pub(super) const RAID_SHOWN: Duration = Duration::from_secs(5);

impl Chat {
    /// Lets the room go over to another channel, in ten seconds.
    pub(super) async fn begin_raid(&self, desk: Desk<'_>, to: &str) -> Result<Raid, ApiError> {
        let target = self.0.channels.expect(to.trim_start_matches('@')).await?;
        if target.id == desk.channel.id {
            return Err(ApiError::Conflict {
                code: "raid_of_oneself",
                detail: "name another channel".to_owned(),
            });
        }
        if !target.visibility.is_listed() {
            return Err(ApiError::Conflict {
                code: "raid_not_welcome",
                detail: "that channel is not open to all".to_owned(),
            });
        }
        let raid = Raid {
            handle: target.handle,
            name: target.name,
            in_seconds: u32::try_from(RAID_IN.as_secs()).unwrap_or(u32::MAX),
            goes_at: self.0.clock.now() + RAID_IN,
        };
        self.set_raid(desk, Some(raid.clone())).await?;
        Ok(raid)
    }

    /// Calls a raid off, or off the page when it went.
    pub(super) async fn set_raid(
        &self,
        desk: Desk<'_>,
        raid: Option<Raid>,
    ) -> Result<(), ApiError> {
        let hall = self.hall(desk.channel).await?;
        let _turn = hall.turn().await;
        let tx = self.0.db.begin().await?;
        let handle = raid.as_ref().map(|raid| raid.handle.clone());
        let action = NewAction {
            kind: if raid.is_some() { "raid" } else { "unraid" },
            subject_name: handle.as_deref(),
            ..NewAction::default()
        };
        self.commit(tx, desk, action).await?;
        hall.perform(&Word::Raid {
            goes_at: raid.as_ref().map(|raid| raid.goes_at),
            raid,
        });
        Ok(())
    }
}
