//! The shape of a raid: the room goes over to another channel.

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
}
