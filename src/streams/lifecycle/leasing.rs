//! Who publishes where, as servers agree: before a publisher's offer is answered its channel is claimed.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use sfu::{Answer, StreamId};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::super::live::Live;
use super::super::{IngestSource, Publish, Receive, Refused, Stream, catalogue};
use super::{Done, Lifecycle, answer, in_time};
use crate::channels::{Channel, ChannelId};
use crate::clock::Clock;
use crate::cluster::{ClaimError, Cluster, Lease, Standing};
use crate::config::SecondPublisher;
use crate::db::Db;
use crate::nodes::Node;

/// A publisher who wants to begin, and where they are told whether they may.
pub(super) enum Wanted {
    Publish(Publish, oneshot::Sender<Result<Answer, Refused>>),
    Receive(Receive, oneshot::Sender<Result<sfu::Ingest, Refused>>),
}

/// What servers agreed on.
pub(super) struct Leased {
    wanted: Wanted,
    result: Result<Agreed, Refused>,
}

/// A channel may be on air here.
struct Agreed {
    about: Arc<Stream>,
    fence: u64,
    /// The stream was on air at another server: names the folder of its media here.
    taken_over: Option<StreamId>,
}

/// A server whose publisher was there so short a time ago in the database may have it still, whatever
/// Redis says: it writes that about every five seconds.
pub(super) const SEEN_WITHIN: SignedDuration = SignedDuration::from_secs(6);
/// A stream that nobody has is gone on with for the reconnect window, and this much longer for what was
/// not written down.
const UNWRITTEN: SignedDuration = SignedDuration::from_secs(10);

impl Wanted {
    pub(super) fn channel(&self) -> &Channel {
        match self {
            Self::Publish(publish, _) => &publish.channel,
            Self::Receive(receive, _) => &receive.channel,
        }
    }

    pub(super) fn address(&self) -> std::net::IpAddr {
        match self {
            Self::Publish(publish, _) => publish.address,
            Self::Receive(receive, _) => receive.address,
        }
    }

    fn source(&self) -> IngestSource {
        match self {
            Self::Publish(..) => IngestSource::Whip,
            Self::Receive(..) => IngestSource::Rtmp,
        }
    }

    pub(super) fn refuse(self, refused: Refused) {
        match self {
            Self::Publish(_, reply) => answer(reply, Err(refused)),
            Self::Receive(_, reply) => answer(reply, Err(refused)),
        }
    }
}

impl Lifecycle {
    /// Claims the channel, unless it is here already, and goes on.
    pub(super) fn agree(&mut self, wanted: Wanted, about: Arc<Stream>) {
        let channel = wanted.channel().id;
        let live = self.live.get(channel);
        let is_here = live.is_some_and(Live::is_here);
        if !self.others.cluster.is_shared() || is_here {
            return self.proceed(wanted, about);
        }
        if !self.others.claiming.insert(channel) {
            self.note_second(channel);
            return wanted.refuse(Refused::AlreadyLive);
        }
        let asking = Asking {
            cluster: self.others.cluster.clone(),
            db: self.others.db().clone(),
            node: self.others.node,
            clock: self.clock.clone(),
            rule: self.second_publisher,
            window: self.live.window(),
            instead_of: self.may_take_from(channel),
        };
        self.calls.spawn(async move {
            let result = asking.ask(channel, about, wanted.source()).await;
            Done::Leased(Leased { wanted, result })
        });
    }

    /// The lease of the server that has the channel, if it may be taken from that.
    fn may_take_from(&self, channel: ChannelId) -> Option<u64> {
        let directory = self.others.cluster.directory();
        let (_, on_air) = directory.origin_of(channel.0)?;
        let may = match self.second_publisher {
            SecondPublisher::Takeover => true,
            SecondPublisher::Reject => false,
            SecondPublisher::AfterSilence => on_air.standing != Standing::Live,
        };
        may.then_some(on_air.fence)
    }

    pub(super) fn leased(&mut self, Leased { wanted, result }: Leased) {
        let channel = wanted.channel().clone();
        self.others.claiming.remove(&channel.id);
        let agreed = match result {
            Ok(agreed) => agreed,
            Err(refused) => {
                if matches!(refused, Refused::AlreadyLive) {
                    self.note_second(channel.id);
                }
                return wanted.refuse(refused);
            }
        };
        let now = self.clock.instant();
        let before = self.live.get(channel.id);
        let before = before.map(|live| (live.stream, live.is_here()));
        if let Some((stream, false)) = before
            && stream != agreed.about.id
        {
            let effects = self.live.vanish(stream);
            self.carry_out(effects);
        }
        if let Some(media) = agreed.taken_over {
            let about = Arc::clone(&agreed.about);
            tracing::info!(stream.id = %about.id, "Stream {} is taken over from another server", about.id);
            self.audiences.open(about.id);
            self.live.take_over(&channel, about, media, now);
        }
        self.proceed(wanted, agreed.about);
        self.live.set_fence(channel.id, agreed.fence);
    }

    /// A channel that is here was claimed afterwards.
    pub(super) fn claimed(
        &mut self,
        channel: ChannelId,
        claimed: Result<Option<Lease>, ClaimError>,
    ) {
        self.others.claiming.remove(&channel);
        match claimed {
            Ok(lease) => self
                .live
                .set_fence(channel, lease.map_or(0, |lease| lease.fence)),
            Err(ClaimError::Held(_)) => self.hand_over(channel),
            // It is tried again.
            Err(_) => {}
        }
    }

    /// Another server wants a stream for its viewers.
    pub(super) fn start_relay(
        &mut self,
        stream: StreamId,
        fence: u64,
        offer: String,
        reply: oneshot::Sender<Result<Answer, Refused>>,
    ) {
        let live = self.live.of_stream(stream);
        let has_it = live.is_some_and(|live| live.is_here() && live.fence >= fence);
        if !has_it {
            return answer(reply, Err(Refused::NotLive));
        }
        let sfu = self.sfu.clone();
        self.calls.spawn(async move {
            let result = in_time(sfu.relay(stream, &offer)).await;
            answer(reply, result.map_err(Refused::Offer));
            Done::Nothing
        });
    }
}

/// What is needed to agree with other servers.
struct Asking {
    cluster: Cluster,
    db: Db,
    node: Node,
    clock: Clock,
    rule: SecondPublisher,
    window: Duration,
    instead_of: Option<u64>,
}

impl Asking {
    async fn ask(
        &self,
        channel: ChannelId,
        about: Arc<Stream>,
        source: IngestSource,
    ) -> Result<Agreed, Refused> {
        let claimed = self.cluster.claim(channel.0, self.instead_of).await;
        let lease = match claimed {
            Ok(Some(lease)) => lease,
            Ok(None) => Lease {
                fence: 0,
                is_unsure: false,
            },
            Err(ClaimError::Held(_)) => return Err(Refused::AlreadyLive),
            Err(ClaimError::Away(why)) => {
                tracing::warn!("Nobody can go live while Redis is away: {why}");
                return Err(Refused::Apart);
            }
        };
        let agreed = self.look(channel, about, source, lease).await;
        match agreed {
            Ok(_) => self.cluster.keep(channel.0),
            Err(_) => self.cluster.release(channel.0),
        }
        agreed
    }

    /// What the books say of the channel: a stream that is on air there goes on here.
    async fn look(
        &self,
        channel: ChannelId,
        about: Arc<Stream>,
        source: IngestSource,
        lease: Lease,
    ) -> Result<Agreed, Refused> {
        let fence = lease.fence;
        let now = self.clock.now();
        let found = catalogue::open_elsewhere(&self.db, channel, self.node).await?;
        let Some((stream, seen_at)) = found else {
            return Ok(Agreed {
                about,
                fence,
                taken_over: None,
            });
        };
        let age = now.duration_since(seen_at);
        if lease.is_unsure && age < SEEN_WITHIN && self.rule != SecondPublisher::Takeover {
            return Err(Refused::AlreadyLive);
        }
        let window = SignedDuration::try_from(self.window).unwrap_or(SignedDuration::MAX);
        let is_over = age > window.saturating_add(UNWRITTEN);
        let media = StreamId::from(Uuid::now_v7().as_u128());
        let by = (fence, media);
        if is_over || !catalogue::take_over(&self.db, stream.id, self.node, by, now).await? {
            return Ok(Agreed {
                about,
                fence,
                taken_over: None,
            });
        }
        Ok(Agreed {
            about: Arc::new(Stream {
                source: Some(source),
                ..stream
            }),
            fence,
            taken_over: Some(media),
        })
    }
}
