//! From the wish to publish to a session in the books: by WHIP, and of who is no peer of ours.

use std::sync::Arc;

use sfu::{Answer, CloseReason, OfferError, Role, SessionId, StreamId};
use tokio::sync::oneshot;

use super::super::{IngestSource, Publish, Receive, Refused, SessionFacts, Stream, signalling};
use super::leasing::Wanted;
use super::{Done, Lifecycle, answer, facts, in_time};
use crate::channels::{Channel, ChannelId};

impl Lifecycle {
    /// Somebody wants to publish; about the stream that they get unless the channel is live.
    pub(super) fn start(&mut self, wanted: Wanted, about: Arc<Stream>) {
        let room = self.check_room(wanted.address());
        let room = room.and_then(|()| self.check_publisher(wanted.channel().id));
        match room {
            Ok(()) => self.agree(wanted, about),
            Err(refused) => wanted.refuse(refused),
        }
    }

    /// No other server has the channel.
    pub(super) fn proceed(&mut self, wanted: Wanted, about: Arc<Stream>) {
        let continued = match &wanted {
            Wanted::Publish(..) => None,
            Wanted::Receive(receive, _) => receive.continued,
        };
        let Some(stream) = self.claim(wanted.channel(), about, continued) else {
            return wanted.refuse(Refused::AlreadyLive);
        };
        let sfu = self.sfu.clone();
        match wanted {
            Wanted::Publish(publish, reply) => self.calls.spawn(async move {
                let result = in_time(sfu.publish(stream, &publish.offer)).await;
                Done::Published {
                    publish,
                    stream,
                    result,
                    reply,
                }
            }),
            Wanted::Receive(receive, reply) => self.calls.spawn(async move {
                let result = in_time(sfu.ingest(stream, receive.tracks)).await;
                Done::Received {
                    receive,
                    stream,
                    result,
                    reply,
                }
            }),
        };
    }

    fn claim(
        &mut self,
        channel: &Channel,
        about: Arc<Stream>,
        continued: Option<SessionId>,
    ) -> Option<StreamId> {
        let now = self.clock.instant();
        let claim = self.live.claim(channel, about, continued, now);
        if claim.is_err() {
            self.note_second(channel.id);
        }
        claim.ok()
    }

    pub(super) fn note_second(&mut self, channel: ChannelId) {
        let detail = "a second publisher tried to connect while the channel was live";
        let at = self.clock.now();
        self.attempts.note(at, channel, detail.to_owned());
    }

    pub(super) fn published(
        &mut self,
        publish: Publish,
        stream: StreamId,
        result: Result<Answer, OfferError>,
        reply: oneshot::Sender<Result<Answer, Refused>>,
    ) {
        let mut given = match result {
            Ok(given) => given,
            Err(error) => {
                self.refused(&publish.channel, stream, &error);
                return answer(reply, Err(Refused::Offer(error)));
            }
        };
        let about = self.live.of_stream(stream).map(|live| &live.about);
        let of_stream = about.and_then(|about| about.settings.max_bitrate_kbps);
        if let Some(most) = self.limits.publisher_kbits_told(of_stream) {
            given.sdp = signalling::with_video_limit(&given.sdp, most);
        }
        let session = given.session;
        let facts = facts(
            Role::Publisher,
            publish.channel.id,
            stream,
            &given,
            &publish.offer,
        );
        self.remember(session, facts, publish.key, publish.address);
        self.begins(&publish.channel, stream, session);
        if reply.send(Ok(given)).is_err() {
            self.close(session, CloseReason::Requested);
        }
    }

    pub(super) fn received(
        &mut self,
        receive: Receive,
        stream: StreamId,
        result: Result<sfu::Ingest, OfferError>,
        reply: oneshot::Sender<Result<sfu::Ingest, Refused>>,
    ) {
        let ingest = match result {
            Ok(ingest) => ingest,
            Err(error) => {
                self.refused(&receive.channel, stream, &error);
                return answer(reply, Err(Refused::Offer(error)));
            }
        };
        let session = ingest.session();
        let facts = SessionFacts {
            source: IngestSource::Rtmp,
            ..SessionFacts::new(Role::Publisher, receive.channel.id, stream)
        };
        self.remember(session, facts, Some(receive.key), receive.address);
        self.begins(&receive.channel, stream, session);
        // Where nobody waits for it any more, it ends by itself.
        let _ = reply.send(Ok(ingest));
    }

    fn refused(&mut self, channel: &Channel, stream: StreamId, error: &OfferError) {
        let effects = self.live.refused(stream);
        self.carry_out(effects);
        let at = self.clock.now();
        self.attempts.note(at, channel.id, error.to_string());
    }

    fn begins(&mut self, channel: &Channel, stream: StreamId, session: SessionId) {
        tracing::info!(
            stream.id = %stream, session.id = %session, channel.id = %channel.id,
            channel.handle = %channel.handle,
            "Session {session} begins to publish on @{}", channel.handle
        );
        let effects = (self.live).publishing(stream, session, self.clock.instant());
        self.carry_out(effects);
    }
}
