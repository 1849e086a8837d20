//! [`Renditions`]: which of the publisher's layers feeds which rendition. Pure.
//!
//! A rendition stays for as long as the stream does, because players read the list of renditions
//! once. Layers come and go: browsers pause the large ones when their uplink is poor, and another
//! encoder takes over with other layers. While a rendition's own layer is silent, the nearest one
//! stands in for it, from a key frame on.

use std::collections::BTreeMap;
use std::time::Duration;

/// A layer as the tap tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LayerFacts {
    /// Its number with this publisher.
    pub(super) layer: usize,
    pub(super) rid: Option<String>,
    pub(super) size: Option<(u32, u32)>,
}

/// What becomes of a picture.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Route {
    /// Numbers of the renditions that it goes to.
    pub(super) renditions: Vec<u8>,
    /// Some rendition waits for a key frame of this layer.
    pub(super) wants_keyframe: bool,
}

/// All renditions with pictures.
#[derive(Debug, Default)]
pub(super) struct Renditions {
    slots: Vec<Slot>,
    layers: BTreeMap<usize, Layer>,
    newest: Duration,
}

#[derive(Debug)]
struct Slot {
    rid: Option<String>,
    /// Pixels of a picture of its own layer, once known.
    area: u64,
    own: Option<usize>,
    source: Option<usize>,
}

#[derive(Debug)]
struct Layer {
    rid: Option<String>,
    area: u64,
    last: Option<Duration>,
    /// Pictures of other layers since its last.
    passed_by: u32,
}

/// A layer is silent when it lags by this much,
const SILENT_AFTER: Duration = Duration::from_millis(500);
/// and when every other layer had so many pictures meanwhile: a shared screen has few.
const PASSED_BY: u32 = 12;
/// One that never sent a whole picture gets more time: its key frame may be on the way.
const PASSED_BY_FIRST: u32 = 60;

impl Renditions {
    /// Takes the publisher's layers as they are now. Returns the numbers of new renditions.
    pub(super) fn take_layers(&mut self, facts: &[LayerFacts]) -> Vec<u8> {
        let mut before = std::mem::take(&mut self.layers);
        for layer in facts {
            let known = before.remove(&layer.layer).filter(|l| l.rid == layer.rid);
            let mut now = known.unwrap_or_else(|| Layer {
                rid: layer.rid.clone(),
                area: 0,
                last: None,
                passed_by: 0,
            });
            now.area = layer.size.map_or(now.area, area);
            self.layers.insert(layer.layer, now);
        }
        self.find_owners()
    }

    /// A picture came: where does it go?
    pub(super) fn route(&mut self, layer: usize, pts: Duration, keyframe: bool) -> Route {
        if !self.note(layer, pts) {
            return Route::default();
        }
        let mut route = Route::default();
        for at in 0..self.slots.len() {
            let best = self.slots.get(at).and_then(|slot| self.best_for(slot));
            let Some(slot) = self.slots.get_mut(at) else {
                continue;
            };
            if slot.source != Some(layer) && best == Some(layer) {
                if keyframe {
                    slot.source = Some(layer);
                } else {
                    route.wants_keyframe = true;
                }
            }
            if slot.source == Some(layer) {
                route.renditions.extend(u8::try_from(at));
            }
        }
        route
    }

    /// The rendition that a layer is the first choice of.
    pub(super) fn rendition_of(&self, layer: usize) -> Option<u8> {
        let at = self.slots.iter().position(|slot| slot.own == Some(layer))?;
        u8::try_from(at).ok()
    }

    /// Something of a rendition was lost: it goes on from a key frame.
    pub(super) fn broken(&mut self, rendition: u8) {
        if let Some(slot) = self.slots.get_mut(usize::from(rendition)) {
            slot.source = None;
        }
    }

    fn note(&mut self, layer: usize, pts: Duration) -> bool {
        let Some(now) = self.layers.get_mut(&layer) else {
            return false;
        };
        now.last = Some(pts);
        now.passed_by = 0;
        // A new publisher's time may lie before that of the last one's.
        self.newest = pts;
        for (_, other) in self.layers.iter_mut().filter(|(id, _)| **id != layer) {
            other.passed_by = other.passed_by.saturating_add(1);
        }
        true
    }

    /// Gives every rendition the layer of its rid; what is left over takes what is free, and opens
    /// more renditions.
    fn find_owners(&mut self) -> Vec<u8> {
        let layers = &self.layers;
        for slot in &mut self.slots {
            slot.own = layers
                .iter()
                .find(|(_, layer)| layer.rid == slot.rid)
                .map(|(id, _)| *id);
            if slot.source.is_some_and(|id| !layers.contains_key(&id)) {
                slot.source = None;
            }
        }
        let mut opened = Vec::new();
        for (id, layer) in layers {
            if let Some(slot) = self.slots.iter_mut().find(|slot| slot.own == Some(*id)) {
                slot.area = layer.area;
                continue;
            }
            let free = self.slots.iter_mut().find(|slot| slot.own.is_none());
            if let Some(slot) = free {
                slot.own = Some(*id);
                slot.rid.clone_from(&layer.rid);
                continue;
            }
            opened.extend(u8::try_from(self.slots.len()));
            self.slots.push(Slot {
                rid: layer.rid.clone(),
                area: layer.area,
                own: Some(*id),
                source: None,
            });
        }
        opened
    }

    /// The layer that should feed a rendition now.
    fn best_for(&self, slot: &Slot) -> Option<usize> {
        let own = slot.own.and_then(|id| Some((id, self.layers.get(&id)?)));
        if let Some((id, layer)) = own
            && !self.is_silent(layer)
        {
            return Some(id);
        }
        let stand_ins = self
            .layers
            .iter()
            .filter(|(_, layer)| layer.last.is_some() && !self.is_silent(layer));
        // The largest that is no larger than its own, else the smallest.
        let (id, _) = stand_ins.min_by_key(|(_, layer)| {
            let too_large = slot.area > 0 && layer.area > slot.area;
            (too_large, layer.area.abs_diff(slot.area))
        })?;
        Some(*id)
    }

    fn is_silent(&self, layer: &Layer) -> bool {
        let others = u32::try_from(self.layers.len().saturating_sub(1)).unwrap_or(u32::MAX);
        match layer.last {
            None => others > 0 && layer.passed_by > PASSED_BY_FIRST.saturating_mul(others),
            Some(last) => {
                layer.passed_by > PASSED_BY.saturating_mul(others)
                    && self.newest.saturating_sub(last) > SILENT_AFTER
            }
        }
    }
}

fn area((width, height): (u32, u32)) -> u64 {
    u64::from(width) * u64::from(height)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Duration = Duration::from_millis(33);

    fn facts(layer: usize, rid: &str, height: u32) -> LayerFacts {
        LayerFacts {
            layer,
            rid: (!rid.is_empty()).then(|| rid.to_owned()),
            size: Some((height * 16 / 9, height)),
        }
    }

    fn both() -> Vec<LayerFacts> {
        vec![facts(0, "l", 180), facts(1, "h", 720)]
    }

    /// Frames of both layers, with a key frame first.
    fn play(renditions: &mut Renditions, layers: &[usize], from: u32, frames: u32) {
        for number in from..from + frames {
            for layer in layers {
                renditions.route(*layer, FRAME * number, number == from);
            }
        }
    }

    fn to(route: &Route) -> &[u8] {
        &route.renditions
    }

    #[test]
    fn each_layer_feeds_its_own_rendition_from_a_key_frame_on() {
        let mut renditions = Renditions::default();
        assert_eq!(renditions.take_layers(&[facts(0, "l", 180)]), [0]);
        assert_eq!(renditions.take_layers(&both()), [1], "one came later");
        assert!(renditions.take_layers(&both()).is_empty());
        let early = renditions.route(1, FRAME, false);
        assert!(early.renditions.is_empty() && early.wants_keyframe);
        assert_eq!(to(&renditions.route(1, FRAME, true)), [1]);
        assert_eq!(to(&renditions.route(1, FRAME * 2, false)), [1]);
        assert_eq!(to(&renditions.route(0, FRAME * 2, true)), [0]);
    }

    #[test]
    fn the_nearest_layer_stands_in_for_one_that_pauses_and_steps_back() {
        let mut renditions = Renditions::default();
        renditions.take_layers(&both());
        play(&mut renditions, &[0, 1], 0, 30);
        play(&mut renditions, &[0], 30, 20);
        let waiting = renditions.route(0, FRAME * 50, false);
        assert_eq!(to(&waiting), [0]);
        assert!(waiting.wants_keyframe, "the large rendition stands still");
        assert_eq!(to(&renditions.route(0, FRAME * 51, true)), [0, 1]);
        assert_eq!(to(&renditions.route(0, FRAME * 52, false)), [0, 1]);
        assert_eq!(to(&renditions.route(1, FRAME * 53, true)), [1]);
        assert_eq!(to(&renditions.route(0, FRAME * 53, false)), [0]);
    }

    #[test]
    fn a_shared_screen_with_few_pictures_is_not_taken_for_silent() {
        let mut renditions = Renditions::default();
        renditions.take_layers(&both());
        for second in 0..20 {
            for layer in [0, 1] {
                let pts = Duration::from_secs(second);
                let route = renditions.route(layer, pts, second == 0);
                assert_eq!(to(&route).len(), 1, "second {second}, layer {layer}");
            }
        }
    }

    #[test]
    fn one_layer_of_another_encoder_feeds_every_rendition() {
        let mut renditions = Renditions::default();
        renditions.take_layers(&both());
        play(&mut renditions, &[0, 1], 0, 30);
        assert!(renditions.take_layers(&[facts(0, "", 1080)]).is_empty());
        assert_eq!(to(&renditions.route(0, FRAME, true)), [0, 1]);
        assert_eq!(to(&renditions.route(0, FRAME * 2, false)), [0, 1]);
        // And back again.
        assert!(renditions.take_layers(&both()).is_empty());
        assert_eq!(to(&renditions.route(1, FRAME * 3, true)).len(), 1);
    }

    #[test]
    fn a_broken_rendition_waits_for_a_key_frame() {
        let mut renditions = Renditions::default();
        renditions.take_layers(&both());
        play(&mut renditions, &[0, 1], 0, 3);
        renditions.broken(1);
        assert!(to(&renditions.route(1, FRAME * 4, false)).is_empty());
        assert_eq!(to(&renditions.route(1, FRAME * 5, true)), [1]);
    }
}
