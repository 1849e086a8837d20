//! [`Feed`]: which of a stream's units go to its media-worker, and as which rendition.

use media::{Codec, Packager, TrackKind, Unit};
use sfu::{AccessUnit, Tap, TapCodec, TapTrack, Tapped, Track};
use tokio_util::sync::CancellationToken;

use super::OnAir;
use super::ladder::{Ladder, Step, Tools};
use super::sources::{LayerFacts, Renditions};

/// Of one stream, over all its publishers.
pub(super) struct Feed<'a> {
    on_air: &'a OnAir,
    packager: Packager,
    renditions: Renditions,
    has_sound: bool,
    /// What the publisher's sound is coded in, if there is any,
    sound: Option<Codec>,
    /// and pictures.
    sends_pictures: bool,
    /// What they are coded in, where all are coded alike.
    codec: Option<Codec>,
    /// Whether pictures are shown in another order than they are decoded.
    reordered: bool,
    /// The publisher's layers, where they are packaged as they come.
    layers: Vec<LayerFacts>,
    tools: Option<Tools>,
    ladder: Option<Ladder>,
}

/// Number of the rendition that holds the sound; those with pictures count from zero.
const SOUND: u8 = 100;

impl<'a> Feed<'a> {
    /// Without tools there are no ladders.
    pub(super) fn new(on_air: &'a OnAir, packager: Packager, tools: Option<Tools>) -> Self {
        Self {
            on_air,
            packager,
            renditions: Renditions::default(),
            has_sound: false,
            sound: None,
            sends_pictures: false,
            codec: None,
            reordered: false,
            layers: Vec::new(),
            tools,
            ladder: None,
        }
    }

    /// Feeds the worker until the stream ends or is another server's, and waits until all of it is packaged.
    pub(super) async fn run(mut self, mut tap: Tap, handed_over: &CancellationToken) {
        loop {
            tokio::select! {
                tapped = tap.next() => match tapped {
                    Some(Tapped::Tracks(tracks)) => self.take_tracks(&tracks),
                    Some(Tapped::Unit(unit)) => self.take(unit, &tap),
                    None => break,
                },
                step = next(&mut self.ladder) => self.take_step(step, &tap),
                () = handed_over.cancelled() => break,
            }
        }
        drop(self.ladder);
        self.packager.finish().await;
    }

    fn take_tracks(&mut self, tracks: &[TapTrack]) {
        self.sound = tracks
            .iter()
            .find(|track| track.track == Track::Audio)
            .map(|track| codec_of(track.codec));
        let layers: Vec<_> = tracks.iter().filter_map(facts).collect();
        let pictures = tracks.iter().filter(|track| track.track != Track::Audio);
        let mut codecs = pictures.map(|track| track.codec);
        let codec = codecs.next();
        self.sends_pictures = codec.is_some();
        self.reordered = tracks.iter().any(|track| track.reordered);
        let common = codec.filter(|codec| codecs.all(|other| other == *codec));
        self.codec = common.map(codec_of);
        self.layers = match self.codec {
            None | Some(Codec::Vp8) => Vec::new(),
            Some(_) => layers.clone(),
        };
        self.climb(layers);
        self.update();
        let unplayable = codec.filter(|_| !self.is_playable());
        self.on_air
            .set_unavailable(unplayable.map(|codec| self.explain(codec)));
    }

    /// Sees to the ladder that these layers are to have.
    fn climb(&mut self, layers: Vec<LayerFacts>) {
        let wanted = self.codec.map(|codec| (codec, self.reordered));
        let kept = self.ladder.take();
        let kept = kept.filter(|ladder| wanted.is_some_and(|wanted| ladder.fits(wanted, &layers)));
        self.ladder = kept.or_else(|| Ladder::new(self.tools.clone()?, wanted?, layers));
    }

    /// Opens renditions that are new.
    fn update(&mut self) {
        let mut layers = self.layers.clone();
        layers.extend(self.ladder.iter().flat_map(Ladder::layers));
        for rendition in self.renditions.take_layers(&layers) {
            let name = format!("v{rendition}");
            self.packager
                .add_track(rendition, TrackKind::Pictures, &name);
        }
        if self.is_playable() && self.sound.is_some() && !self.has_sound {
            self.has_sound = true;
            self.packager.add_track(SOUND, TrackKind::Sound, "audio");
        }
    }

    /// Whether something is packaged: pictures, or sound where there are none.
    fn is_playable(&self) -> bool {
        let is_made = self.ladder.as_ref().is_some_and(Ladder::is_running);
        !self.layers.is_empty() || is_made || !self.sends_pictures
    }

    fn explain(&self, codec: TapCodec) -> String {
        let name = name(codec);
        match self.ladder {
            Some(_) => format!(
                "the host sends {name}, which has to be transcoded for HLS, and the server is not \
                 there yet or busy with other streams"
            ),
            None => format!(
                "the host sends {name}, which HLS players cannot play; H264 can be watched by HLS"
            ),
        }
    }

    fn take(&mut self, unit: AccessUnit, tap: &Tap) {
        let Track::Video(layer) = unit.track else {
            if let Some(codec) = self.sound
                && self.has_sound
                && self.is_playable()
            {
                self.packager.push(worker_unit(unit, codec, SOUND));
            }
            return;
        };
        let Some(codec) = self.codec else {
            return;
        };
        let unit = worker_unit(unit, codec, 0);
        if let Some(ladder) = &mut self.ladder
            && ladder.take(layer, &unit)
        {
            tap.want_keyframes();
        }
        if !self.layers.is_empty() {
            self.package(layer, &unit, tap);
        }
    }

    fn take_step(&mut self, step: Step, tap: &Tap) {
        match step {
            Step::Started => {
                self.update();
                self.on_air.set_unavailable(None);
                tap.want_keyframes();
            }
            Step::Made(layer, unit) => self.package(layer, &unit, tap),
        }
    }

    fn package(&mut self, layer: usize, unit: &Unit, tap: &Tap) {
        let route = self.renditions.route(layer, unit.dts, unit.keyframe);
        let mut wants_keyframe = route.wants_keyframe;
        for rendition in route.renditions {
            let unit = Unit {
                track: rendition,
                ..unit.clone()
            };
            // What finds no room leaves a hole that only a key frame ends.
            if !self.packager.push(unit) {
                self.renditions.broken(rendition);
                wants_keyframe = true;
            }
        }
        if wants_keyframe {
            tap.want_keyframes();
        }
    }
}

/// What a ladder says next; without one, nothing ever.
async fn next(ladder: &mut Option<Ladder>) -> Step {
    match ladder {
        Some(ladder) => ladder.next().await,
        None => std::future::pending().await,
    }
}

fn facts(track: &TapTrack) -> Option<LayerFacts> {
    match track.track {
        Track::Video(layer) => Some(LayerFacts {
            layer,
            rid: track.rid.clone(),
            size: track.size,
        }),
        Track::Audio => None,
    }
}

fn worker_unit(unit: AccessUnit, codec: Codec, track: u8) -> Unit {
    Unit {
        track,
        codec,
        pts: unit.pts,
        dts: unit.dts,
        keyframe: unit.keyframe,
        size: unit.size,
        bytes: unit.bytes,
    }
}

/// What a media-worker knows it as.
fn codec_of(codec: TapCodec) -> Codec {
    match codec {
        TapCodec::Opus => Codec::Opus,
        TapCodec::Aac => Codec::Aac,
        TapCodec::H264 => Codec::H264,
        TapCodec::H265 => Codec::H265,
        TapCodec::Vp8 => Codec::Vp8,
        TapCodec::Vp9 => Codec::Vp9,
        TapCodec::Av1 => Codec::Av1,
    }
}

fn name(codec: TapCodec) -> &'static str {
    match codec {
        TapCodec::Opus => "Opus",
        TapCodec::Aac => "AAC",
        TapCodec::H264 => "H264",
        TapCodec::H265 => "H265",
        TapCodec::Vp8 => "VP8",
        TapCodec::Vp9 => "VP9",
        TapCodec::Av1 => "AV1",
    }
}
