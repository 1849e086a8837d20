//! [`Ladder`]: smaller renditions of a stream that has only one, or renditions of a codec that HLS
//! players cannot play.
//!
//! It looks at the publisher's pictures for a moment, decides what to make of them, waits until the
//! server has room, and then gives units that go the way of the publisher's own. What is made of H264
//! is offered to WebRTC viewers too: where the source has B-frames it is all that they can get.

use std::time::{Duration, Instant};

use media::{Codec, Rung, Transcoder, Unit, Worker};
use sfu::{MadeLayer, Sfu, StreamId};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use super::restarts;
use super::rungs::{self, Audience, Source};
use super::sources::{LayerFacts, Renditions};
use super::transcoding::Transcoding;

/// What a ladder is given to work with.
#[derive(Debug, Clone)]
pub(super) struct Tools {
    pub(super) transcoding: Transcoding,
    pub(super) worker: Worker,
    pub(super) sfu: Sfu,
    pub(super) stream: StreamId,
    /// What times of units count from.
    pub(super) zero: Instant,
    /// Key frames of a source that is not packaged itself come so often.
    pub(super) segment: Duration,
}

/// Of one stream, as long as its publisher sends the same layers.
#[derive(Debug)]
pub(super) struct Ladder {
    tools: Tools,
    codec: Codec,
    /// Whether its pictures are shown in another order than they are decoded.
    reordered: bool,
    layers: Vec<LayerFacts>,
    looks: Vec<Look>,
    /// Which layer is decoded now: that of a rendition, or its stand-in.
    sources: Renditions,
    /// What came since the newest key frame, for a transcoder that starts: where viewers have nothing
    /// else, they wait for no other key frame.
    group: Vec<Unit>,
    state: State,
}

/// What has been seen of a layer.
#[derive(Debug)]
struct Look {
    layer: usize,
    size: Option<(u16, u16)>,
    first: Duration,
    last: Duration,
    pictures: u32,
}

#[derive(Debug)]
enum State {
    /// Nothing is decided.
    Looking,
    /// It is decided; the server may have no room yet.
    Starting(oneshot::Receiver<Running>),
    Running(Box<Running>),
    /// There is nothing to make.
    Idle,
}

/// What is made, and of which of the sources' renditions.
#[derive(Debug)]
struct Running {
    tools: Tools,
    rendition: u8,
    source: Source,
    rungs: Vec<Rung>,
    transcoder: Transcoder,
    made: mpsc::Receiver<Unit>,
    /// What WebRTC viewers get, a rung each; none where they were refused.
    offers: Vec<MadeLayer>,
    /// The next ones, and when they were asked for.
    offering: Option<oneshot::Receiver<Vec<MadeLayer>>>,
    asked: Duration,
    _room: OwnedSemaphorePermit,
}

/// What a ladder has to say.
#[derive(Debug)]
pub(super) enum Step {
    /// It has renditions now.
    Started,
    /// A unit of the layer of that number, which is one of them.
    Made(usize, Unit),
}

/// Numbers of made layers begin here, above those of any publisher's.
const FIRST_LAYER: usize = 1_000;
/// So many pictures tell a layer's rate,
const LOOK: u32 = 8;
/// and after so many of one, the others are not waited for.
const LONG_LOOK: u32 = 60;
/// Units that wait to be packaged.
const QUEUE: usize = 256;
/// Units of a group that are kept for the start, in numbers and bytes.
const MOST_KEPT: usize = 360;
const MOST_KEPT_BYTES: usize = 16 * 1024 * 1024;
/// Layers that could not be offered to WebRTC viewers, or whose publisher is gone, are offered again.
const OFFER_AGAIN: Duration = Duration::from_secs(1);
/// Where the source is packaged too, only its own key frames count: all renditions have theirs together.
const ENDLESS: Duration = Duration::from_secs(3_600);

impl Ladder {
    /// A ladder of these layers, if it is worth having one: of H264 only where there is one layer.
    pub(super) fn new(
        tools: Tools,
        (codec, reordered): (Codec, bool),
        layers: Vec<LayerFacts>,
    ) -> Option<Self> {
        let is_wanted = match codec {
            Codec::H264 => layers.len() == 1,
            Codec::Vp8 => !layers.is_empty(),
            _ => false,
        };
        let mut sources = Renditions::default();
        sources.take_layers(&layers);
        is_wanted.then_some(Self {
            tools,
            codec,
            reordered,
            layers,
            looks: Vec::new(),
            sources,
            group: Vec::new(),
            state: State::Looking,
        })
    }

    /// Whether it goes on when these are the publisher's layers.
    pub(super) fn fits(&self, (codec, reordered): (Codec, bool), layers: &[LayerFacts]) -> bool {
        let names = |layers: &[LayerFacts]| -> Vec<_> {
            let facts = layers.iter();
            facts
                .map(|facts| (facts.layer, facts.rid.clone()))
                .collect()
        };
        let is_closed = match &self.state {
            State::Running(running) => running.offers.iter().any(|offer| !offer.is_open()),
            // It was decided for the publisher before.
            State::Starting(_) => true,
            State::Looking | State::Idle => false,
        };
        let is_same = codec == self.codec && reordered == self.reordered;
        is_same && names(layers) == names(&self.layers) && !is_closed
    }

    /// Whether it has renditions.
    pub(super) fn is_running(&self) -> bool {
        matches!(self.state, State::Running(_))
    }

    /// What it makes for HLS, as layers.
    pub(super) fn layers(&self) -> Vec<LayerFacts> {
        let State::Running(running) = &self.state else {
            return Vec::new();
        };
        let rungs = running.rungs.iter();
        rungs
            .filter(|rung| running.source.is_packaged(rung))
            .map(|rung| LayerFacts {
                layer: layer_of(rung.track),
                rid: Some(rungs::name(rung)),
                size: Some((rung.width.into(), rung.height.into())),
            })
            .collect()
    }

    /// Takes a unit of the publisher. Returns whether it wants a key frame.
    pub(super) fn take(&mut self, layer: usize, unit: &Unit) -> bool {
        if matches!(self.state, State::Looking) {
            self.look(layer, unit);
            if let Some((rendition, source)) = self.decided() {
                self.start(rendition, source);
            }
        }
        let route = self.sources.route(layer, unit.dts, unit.keyframe);
        let running = match &self.state {
            State::Running(running) => running,
            State::Looking | State::Starting(_) => {
                self.keep(unit);
                return false;
            }
            State::Idle => return false,
        };
        if !route.renditions.contains(&running.rendition) {
            return route.wants_keyframe;
        }
        let fed = running.transcoder.push(unit.clone());
        if !fed {
            self.sources.broken(running.rendition);
        }
        !fed || route.wants_keyframe
    }

    /// The next thing that it says. Cancel safe.
    pub(super) async fn next(&mut self) -> Step {
        loop {
            match &mut self.state {
                State::Starting(started) => match started.await {
                    Ok(running) => {
                        for unit in std::mem::take(&mut self.group) {
                            running.transcoder.push(unit);
                        }
                        self.state = State::Running(Box::new(running));
                        return Step::Started;
                    }
                    Err(_) => self.rest(),
                },
                State::Running(running) => match running.made.recv().await {
                    Some(unit) => {
                        running.offer(&unit);
                        return Step::Made(layer_of(unit.track), unit);
                    }
                    None => self.rest(),
                },
                State::Looking | State::Idle => std::future::pending().await,
            }
        }
    }

    /// There is nothing to make.
    fn rest(&mut self) {
        self.state = State::Idle;
        self.group.clear();
    }

    /// Keeps a unit of the only layer, where viewers wait for what is made of it.
    fn keep(&mut self, unit: &Unit) {
        if !self.reordered || self.layers.len() > 1 {
            return;
        }
        if unit.keyframe {
            self.group.clear();
        } else if self.group.is_empty() {
            return;
        }
        self.group.push(unit.clone());
        let bytes: usize = self.group.iter().map(|unit| unit.bytes.len()).sum();
        if self.group.len() > MOST_KEPT || bytes > MOST_KEPT_BYTES {
            self.group.clear();
        }
    }

    fn look(&mut self, layer: usize, unit: &Unit) {
        let told = self.layers.iter().find(|facts| facts.layer == layer);
        let told = told.and_then(|facts| short_sides(facts.size?));
        let known = self.looks.iter().position(|look| look.layer == layer);
        let at = known.unwrap_or_else(|| {
            self.looks.push(Look {
                layer,
                size: told,
                first: unit.dts,
                last: unit.dts,
                pictures: 0,
            });
            self.looks.len() - 1
        });
        if let Some(look) = self.looks.get_mut(at) {
            look.size = unit.size.or(look.size);
            look.last = unit.dts;
            look.pictures += 1;
        }
    }

    /// The largest layer, once enough has been seen of all.
    fn decided(&self) -> Option<(u8, Source)> {
        let is_clear = |look: &Look| look.size.is_some() && look.pictures >= LOOK;
        let all = self.looks.len() == self.layers.len() && self.looks.iter().all(is_clear);
        let is_late = self.looks.iter().any(|look| look.pictures >= LONG_LOOK);
        if !all && !is_late {
            return None;
        }
        let clear = self.looks.iter().filter(|look| is_clear(look));
        let area = |look: &&Look| look.size.map_or(0, |(w, h)| u32::from(w) * u32::from(h));
        let look = clear.max_by_key(area)?;
        let (width, height) = look.size?;
        let source = Source {
            width,
            height,
            frame_rate: look.frame_rate(),
            audience: self.audience(),
        };
        Some((self.sources.rendition_of(look.layer)?, source))
    }

    fn audience(&self) -> Audience {
        match self.codec {
            Codec::H264 if self.reordered => Audience::Hls,
            Codec::H264 => Audience::All,
            _ => Audience::WebRtc,
        }
    }

    fn start(&mut self, rendition: u8, source: Source) {
        let rungs = rungs::rungs(source);
        if rungs.is_empty() {
            self.rest();
            return;
        }
        let (mut start, started) = oneshot::channel();
        let (tools, codec) = (self.tools.clone(), self.codec);
        // In a task of its own: the server may have no room for long.
        tokio::spawn(async move {
            let room = tokio::select! {
                room = tools.transcoding.room() => room,
                () = start.closed() => None,
            };
            if let Some(room) = room {
                let running = tools.run(codec, rendition, source, rungs, room);
                let _ = start.send(running.await);
            }
        });
        self.state = State::Starting(started);
    }
}

impl Tools {
    async fn run(
        self,
        codec: Codec,
        rendition: u8,
        source: Source,
        rungs: Vec<Rung>,
        room: OwnedSemaphorePermit,
    ) -> Running {
        let is_for_webrtc = source.audience.lets_webrtc_have_rungs();
        let offers = match is_for_webrtc {
            true => self.offer(&rungs).await,
            false => Vec::new(),
        };
        let (sender, made) = mpsc::channel(QUEUE);
        let ladder = media::Ladder {
            source: codec,
            frame_rate: source.frame_rate,
            longest_group: if is_for_webrtc { ENDLESS } else { self.segment },
            rungs: rungs.clone(),
        };
        let encoder = self.transcoding.encoder();
        let names: Vec<_> = rungs.iter().map(rungs::name).collect();
        tracing::info!(
            stream.id = %self.stream,
            "Stream {} is transcoded by {encoder} to {}",
            self.stream,
            names.join(", ")
        );
        let transcoder = Transcoder::start(self.worker.clone(), encoder, ladder, sender);
        restarts::count(transcoder.worker(), "transcode");
        Running {
            tools: self,
            rendition,
            source,
            transcoder,
            rungs,
            made,
            offers,
            offering: None,
            asked: Duration::ZERO,
            _room: room,
        }
    }

    /// Offers these to WebRTC viewers: all or none, as they are found by their place.
    async fn offer(&self, rungs: &[Rung]) -> Vec<MadeLayer> {
        let mut offers = Vec::new();
        for rung in rungs {
            let name = rungs::name(rung);
            let made = self.sfu.make_layer(self.stream, &name, self.zero).await;
            let Some(made) = made else {
                return Vec::new();
            };
            offers.push(made);
        }
        offers
    }
}

impl Running {
    /// Hands a made unit to WebRTC viewers.
    fn offer(&mut self, unit: &Unit) {
        if self.source.audience.lets_webrtc_have_rungs() {
            self.renew_offers(unit.pts);
        }
        if let Some(offer) = self.offers.get(usize::from(unit.track)) {
            offer.push(unit.pts, unit.keyframe, unit.bytes.clone());
        }
    }

    /// Sees to it that viewers of the present publisher have the layers.
    fn renew_offers(&mut self, now: Duration) {
        if let Some(offering) = &mut self.offering {
            match offering.try_recv() {
                Ok(offers) => self.offers = offers,
                Err(oneshot::error::TryRecvError::Empty) => return,
                Err(oneshot::error::TryRecvError::Closed) => {}
            }
            self.offering = None;
        }
        let stands = !self.offers.is_empty() && self.offers.iter().all(MadeLayer::is_open);
        if stands || now < self.asked + OFFER_AGAIN {
            return;
        }
        self.asked = now;
        self.offers.clear();
        let (offer, offering) = oneshot::channel();
        let (tools, rungs) = (self.tools.clone(), self.rungs.clone());
        tokio::spawn(async move { offer.send(tools.offer(&rungs).await) });
        self.offering = Some(offering);
    }
}

fn short_sides((width, height): (u32, u32)) -> Option<(u16, u16)> {
    Some((width.try_into().ok()?, height.try_into().ok()?))
}

/// Number of the layer that a rung is.
fn layer_of(rung: u8) -> usize {
    FIRST_LAYER + usize::from(rung)
}

impl Look {
    /// Pictures a second, as encoders are told.
    fn frame_rate(&self) -> u8 {
        let time = self.last.saturating_sub(self.first).as_secs_f64();
        let rate = f64::from(self.pictures.saturating_sub(1)) / time.max(0.01);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is bounded"
        )]
        let rate = rate.round().clamp(5.0, 60.0) as u8;
        rate
    }
}
