//! What somebody who wants to watch is told: whether they may, what is lacking, and the pass of a player.

use axum::http::HeaderMap;
use axum::http::header::SET_COOKIE;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::preview::{Watcher, seconds_until};
use super::{By, Gates, Place, is_previewed};
use crate::accounts::Account;
use crate::channels::{Access, Barred};
use crate::error::ApiError;
use crate::payments::Gate;
use crate::request::Client;
use crate::secret::Secret;

/// Whether whoever asks may watch, and what is lacking.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Entry {
    access: Access,
    /// From which tier on one must be a member, where that is lacking.
    tier: Option<u8>,
    /// Whether it is the channel that asks for that, and not the stream or recording alone.
    is_of_channel: bool,
    /// What is left of a free preview; null where there is none, or it is over.
    preview_seconds: Option<u32>,
}

/// The pass of a player.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PassBody {
    /// Behind a dot in the path of media: `/hls/{handle}/{token}.{pass}/…`, `/vod/{id}.{pass}/…`. Null where
    /// nothing stands before them.
    pass: Option<String>,
    /// After how long to ask for the next.
    renew_in_seconds: Option<u32>,
    /// What is left of the free preview, when that is what let them in.
    preview_seconds: Option<u32>,
}

/// A password that somebody gives to watch.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordGiven {
    #[schema(value_type = String)]
    password: Secret,
}

impl Gates {
    /// Whether somebody may watch, and what is lacking. No preview begins.
    ///
    /// # Errors
    /// When that cannot be told.
    pub async fn entry(
        &self,
        place: &Place,
        account: Option<&Account>,
        client: &Client,
        headers: &HeaderMap,
    ) -> Result<Entry, ApiError> {
        let Err(lacking) = self.admit_fully(place, account, client, headers).await else {
            return Ok(Entry {
                access: Access::Granted,
                tier: None,
                is_of_channel: false,
                preview_seconds: None,
            });
        };
        let is_of_channel = match &lacking {
            Barred::Password => true,
            Barred::Members(_) => !matches!(place.lock.gate, Gate::Members { .. }),
            _ => false,
        };
        let preview_seconds = match is_previewed(place, &lacking) {
            true => {
                let watcher = Watcher::new(account, client, headers);
                Some(self.preview_left(place, watcher).await)
            }
            false => None,
        };
        Ok(Entry {
            tier: lacking.tier(),
            access: lacking.access()?,
            is_of_channel,
            preview_seconds: preview_seconds.filter(|left| *left > 0),
        })
    }

    async fn preview_left(&self, place: &Place, watcher: Watcher) -> u32 {
        let seconds = place.lock.preview_s;
        if place.is_recorded {
            return seconds;
        }
        let now = self.0.clock.now();
        let left = self.0.previews.left(place.id, watcher, seconds, now);
        left.await
    }

    /// A pass for whoever may watch. With it a preview begins, where there is something to be seen.
    ///
    /// # Errors
    /// With what is lacking.
    pub async fn issue(
        &self,
        place: &Place,
        is_seen: bool,
        account: Option<&Account>,
        (client, headers): (&Client, &HeaderMap),
    ) -> Result<PassBody, Barred> {
        let by = match is_seen {
            true => self.admit_as(place, account, client, headers).await?,
            false => self.admit_fully(place, account, client, headers).await?,
        };
        let pass = self.pass(place, by, client.address, headers);
        let (pass, renew) = match pass {
            Some(pass) => (Some(pass.text), Some(pass.renew_in_seconds)),
            None => (None, None),
        };
        let now = self.0.clock.now();
        Ok(PassBody {
            pass,
            renew_in_seconds: renew,
            preview_seconds: match by {
                By::Preview(_) if place.is_recorded => Some(place.lock.preview_s),
                By::Preview(until) => Some(seconds_until(until, now)),
                _ => None,
            },
        })
    }

    /// The cookie of somebody who gave the password of a stream or recording.
    ///
    /// # Errors
    /// When it is another, or none is asked for.
    pub async fn unlock(
        &self,
        place: &Place,
        given: &PasswordGiven,
        client: &Client,
    ) -> Result<HeaderMap, ApiError> {
        if place.lock.gate != Gate::Password {
            return Err(ApiError::Conflict {
                code: "no_password_wanted",
                detail: "this asks for no password".to_owned(),
            });
        }
        let channels = &self.0.channels;
        let door = channels.door(place.door, place.lock.password_hash.clone());
        let cookie = channels.unlock(&door, &given.password, client).await?;
        Ok(cookie
            .map(|cookie| (SET_COOKIE, cookie))
            .into_iter()
            .collect())
    }
}
