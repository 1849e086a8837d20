//! `/api/channels/{handle}/chat` and `/api/streams/{id}/chat`.

mod emotes;
mod interaction;
mod messages;
mod moderation;
mod people;
mod room;
mod streams;

use std::collections::BTreeMap;

use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use utoipa::IntoResponses;
use utoipa::openapi::response::Response as Described;
use utoipa::openapi::{Content, Ref, RefOr, ResponseBuilder};
use utoipa_axum::router::OpenApiRouter;

use super::Chat;
use super::message::Person;
use super::refusal::Refusal;
use crate::accounts::{Account, Asker};
use crate::channels::{Barred, Channel};
use crate::db::StoreError;
use crate::error::ApiError;
use crate::request::Client;

pub(super) fn routes(chat: Chat) -> OpenApiRouter {
    OpenApiRouter::new()
        .merge(room::routes())
        .merge(messages::routes())
        .merge(moderation::routes())
        .merge(people::routes())
        .merge(interaction::routes())
        .merge(emotes::routes())
        .merge(streams::routes())
        .with_state(chat)
}

/// Why a request to a room comes to nothing.
#[derive(Debug)]
enum Denied {
    Api(ApiError),
    Barred(Barred),
    Refused(Refusal),
}

impl IntoResponse for Denied {
    fn into_response(self) -> Response {
        match self {
            Self::Api(error) => error.into_response(),
            Self::Barred(barred) => barred.into_response(),
            Self::Refused(refusal) => refusal.problem().into_response(),
        }
    }
}

impl From<ApiError> for Denied {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

impl From<StoreError> for Denied {
    fn from(error: StoreError) -> Self {
        Self::Api(error.into())
    }
}

impl From<Barred> for Denied {
    fn from(barred: Barred) -> Self {
        Self::Barred(barred)
    }
}

impl From<Refusal> for Denied {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// How requests to rooms are refused, for the description of the API.
#[derive(Debug)]
struct Refusals;

impl IntoResponses for Refusals {
    fn responses() -> BTreeMap<String, RefOr<Described>> {
        let all = [
            ("400", "The request cannot be read."),
            ("401", "Nobody is signed in."),
            ("403", "Who asks may not."),
            ("404", "It is not there."),
            ("409", "Not as things stand."),
            ("413", "The body is too long."),
            ("415", "The body is of another kind."),
            ("422", "Something in it is wrong."),
            ("429", "Too often."),
            ("503", "The database is away."),
        ];
        let described = all.map(|(status, words)| {
            let content = Content::new(Some(Ref::from_schema_name("Problem")));
            let response = ResponseBuilder::new()
                .description(words)
                .content("application/json", content)
                .build();
            (status.to_owned(), RefOr::T(response))
        });
        described.into()
    }
}

impl Chat {
    /// A channel on which whoever asks may watch what is on air.
    async fn watched(
        &self,
        handle: &str,
        asker: &Asker,
        client: &Client,
        headers: &HeaderMap,
    ) -> Result<Channel, Denied> {
        let channels = &self.0.channels;
        let channel = channels.expect(handle).await?;
        self.check_watching(&channel, asker, client, headers)
            .await?;
        Ok(channel)
    }

    async fn check_watching(
        &self,
        channel: &Channel,
        asker: &Asker,
        client: &Client,
        headers: &HeaderMap,
    ) -> Result<(), Denied> {
        let (streams, account) = (&self.0.streams, asker.account.as_ref());
        let place = streams.place_on(channel).await?;
        let admitted = streams
            .gates()
            .admit_fully(&place, account, client, headers);
        admitted.await?;
        Ok(())
    }

    /// A channel that an account moderates.
    async fn moderated(&self, handle: &str, account: &Account) -> Result<Channel, ApiError> {
        let channel = self.0.channels.expect(handle).await?;
        self.check_moderating(&channel, account).await?;
        Ok(channel)
    }

    async fn check_moderating(&self, channel: &Channel, account: &Account) -> Result<(), ApiError> {
        let rights = self.0.channels.rights(channel, Some(account)).await?;
        match rights.may_moderate() {
            true => Ok(()),
            false => Err(ApiError::Forbidden(
                "only the channel's owner and moderators may do that",
            )),
        }
    }

    /// Who asks, as somebody in a room.
    async fn asking(
        &self,
        channel: &Channel,
        account: &Account,
        client: &Client,
    ) -> Result<Person, StoreError> {
        self.member(channel, account, client.address).await
    }
}
