//! Lines of the chat that tell who supports the channel.

use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Chat;
use super::message::MessageKind;
use super::room::Draft;
use crate::accounts::Account;
use crate::channels::Channel;
use crate::db::StoreError;

/// What somebody gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ChatSupport)]
pub struct Support {
    /// What it is.
    pub what: SupportKind,
    /// Of memberships, 1 to 3.
    pub tier: Option<i64>,
    /// Of gifts: how many.
    pub quantity: Option<i64>,
    /// Of tips, in the smallest unit of the currency.
    pub amount: Option<i64>,
    /// Of tips, such as `eur`.
    pub currency: Option<String>,
    /// Of gifts that are not all taken: the purchase, for `POST /api/purchases/{id}/claim`.
    pub claim: Option<Uuid>,
}

/// What kind of support it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ChatSupportKind)]
pub enum SupportKind {
    /// They are a member from now on.
    Membership,
    /// They give memberships to others.
    Gift,
    /// They send money, with words perhaps.
    Tip,
}

impl Chat {
    /// Says in a channel's room that somebody supports it, once for each reference. The text is one that the
    /// room's rules let pass, or empty. Who may not write there is not named.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn thank(
        &self,
        channel: &Channel,
        account: &Account,
        support: Support,
        text: &str,
        reference: String,
    ) -> Result<(), StoreError> {
        let hall = self.hall(channel).await?;
        let nowhere = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let person = self.member(channel, account, nowhere).await?;
        let draft = Draft {
            reference: Some(reference),
            text: text.to_owned(),
            kind: MessageKind::Support,
            support: Some(support),
            ..Draft::default()
        };
        if let Err(refusal) = self.say(&hall, &person, draft) {
            tracing::debug!("A line of thanks was not said: {}", refusal.code);
        }
        Ok(())
    }
}
