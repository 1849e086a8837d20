//! The shape of a raid: the room goes over to another channel.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// Where a room goes over to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
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
        let in_seconds = u32::try_from(left.as_secs()).unwrap_or(u32::MAX);
        (in_seconds > 0).then(|| Self {
            in_seconds,
            ..self.clone()
        })
    }
}
