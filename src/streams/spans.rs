//! Spans of what is done with a stream, for traces. Their names are those of the log's fields.

use sfu::{SessionId, StreamId};
use tracing::Span;
use tracing::field::{Empty, display};

use super::SessionFacts;
use crate::channels::Channel;
use crate::gates::Place;

/// From the wish to publish to a session.
pub(super) fn publish(channel: &Channel, source: &'static str) -> Span {
    tracing::info_span!(
        "publish",
        channel.handle = %channel.handle,
        source,
        stream.id = Empty,
        session.id = Empty,
    )
}

/// From the wish to watch to a session.
pub(super) fn view(place: &Place) -> Span {
    tracing::info_span!(
        "view",
        channel.handle = %place.handle,
        stream.id = %place.id.simple(),
        session.id = Empty,
    )
}

/// The moment in which a stream is on air.
pub(super) fn go_live(stream: StreamId) -> Span {
    tracing::info_span!("go_live", stream.id = %stream)
}

/// A connection by RTMP; of what stream it is becomes known.
pub(super) fn rtmp() -> Span {
    tracing::info_span!(
        "rtmp",
        channel.handle = Empty,
        stream.id = Empty,
        session.id = Empty,
    )
}

/// From the stream's beginning on air to all of it on disk.
pub(super) fn packaging(stream: StreamId, handle: &str) -> Span {
    tracing::info_span!("packaging", stream.id = %stream, channel.handle = handle)
}

/// From there to the first that can be packaged.
pub(super) fn start_packaging(stream: StreamId, handle: &str) -> Span {
    tracing::info_span!("start_packaging", stream.id = %stream, channel.handle = handle)
}

/// Notes in the span that is open which channel it is about.
pub(super) fn about(handle: &str) {
    Span::current().record("channel.handle", handle);
}

/// Notes in a span what came of the wish to publish.
pub(super) fn note(span: &Span, session: SessionId, facts: Option<&SessionFacts>) {
    span.record("session.id", display(session));
    if let Some(facts) = facts {
        span.record("stream.id", display(facts.stream));
    }
}
