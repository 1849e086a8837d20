//! H.264 encoders: which there are, how each is told the same things, and which of them works.
//!
//! That an element exists does not say that it encodes: hardware may be missing, taken, or too old.
//! So the first that passes a trial is taken.

use std::time::Duration;

use bytes::Bytes;
use gstreamer as gst;
use gstreamer::prelude::*;

use crate::coding;
use crate::message::{Codec, Rung};
use crate::plugins;
use crate::rung::{Picture, RungEncoder};

/// An encoder, by its element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Encoder {
    pub(crate) name: &'static str,
    /// Whether it needs a device.
    pub(crate) is_hardware: bool,
    /// Properties, and what each of them is to be.
    properties: &'static [(&'static str, Value)],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value {
    /// As GStreamer writes it.
    Word(&'static str),
    /// The rung's bits a second,
    Bits,
    /// or thousands of them.
    Kilobits,
}

use Value::{Bits, Kilobits, Word};

/// More pictures than any group has: when key frames come is ours to say.
const ENDLESS: Value = Word("100000");

/// The best first: hardware, then what looks better for its price.
const ENCODERS: [Encoder; 6] = [
    Encoder {
        name: "nvh264enc",
        is_hardware: true,
        properties: &[
            ("bitrate", Kilobits),
            ("gop-size", ENDLESS),
            ("bframes", Word("0")),
            ("zerolatency", Word("true")),
            ("rc-mode", Word("cbr")),
            ("repeat-sequence-header", Word("true")),
        ],
    },
    Encoder {
        name: "vah264enc",
        is_hardware: true,
        properties: &[
            ("bitrate", Kilobits),
            ("key-int-max", Word("1024")),
            ("b-frames", Word("0")),
            ("rate-control", Word("cbr")),
        ],
    },
    Encoder {
        name: "qsvh264enc",
        is_hardware: true,
        properties: &[
            ("bitrate", Kilobits),
            ("gop-size", ENDLESS),
            ("b-frames", Word("0")),
            ("low-latency", Word("true")),
            ("rate-control", Word("cbr")),
        ],
    },
    Encoder {
        name: "v4l2h264enc",
        is_hardware: true,
        properties: &[],
    },
    Encoder {
        name: "x264enc",
        is_hardware: false,
        properties: &[
            ("bitrate", Kilobits),
            ("key-int-max", ENDLESS),
            ("bframes", Word("0")),
            ("tune", Word("zerolatency")),
            ("speed-preset", Word("superfast")),
            ("threads", Word("1")),
            // Key frames only where all rungs have theirs.
            ("option-string", Word("scenecut=0")),
            ("byte-stream", Word("true")),
        ],
    },
    Encoder {
        name: "openh264enc",
        is_hardware: false,
        properties: &[
            ("bitrate", Bits),
            ("gop-size", ENDLESS),
            ("complexity", Word("low")),
            ("rate-control", Word("bitrate")),
            ("scene-change-detection", Word("false")),
            ("multi-thread", Word("1")),
        ],
    },
];

impl Encoder {
    /// The encoder of that element's name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        ENCODERS.into_iter().find(|encoder| encoder.name == name)
    }

    /// The element, set for a rung.
    ///
    /// # Errors
    /// In words, where it is not there.
    pub(crate) fn element(&self, rung: &Rung) -> Result<gst::Element, String> {
        let made = gst::ElementFactory::make(self.name).build();
        let element = made.map_err(|error| error.to_string())?;
        for (property, value) in self.properties {
            // Versions differ in what they have.
            if element.find_property(property).is_some() {
                let words = match value {
                    Word(words) => (*words).to_owned(),
                    Bits => rung.bits_a_second.to_string(),
                    Kilobits => (rung.bits_a_second / 1_000).to_string(),
                };
                element.set_property_from_str(property, &words);
            }
        }
        Ok(element)
    }

    /// Encodes a few pictures.
    ///
    /// # Errors
    /// In words, when it does not encode, or not as it is told.
    fn try_out(self) -> Result<(), String> {
        let rung = Rung {
            track: 0,
            width: 320,
            height: 240,
            bits_a_second: 300_000,
            is_baseline: true,
        };
        let mut encoder = RungEncoder::open(self, &rung, 30)?;
        let mut made = Vec::new();
        for number in 0..TRIAL {
            made.extend(encoder.push(grey(&rung, number))?);
        }
        made.extend(encoder.finish());
        let keys: Vec<_> = made.iter().filter(|unit| unit.keyframe).collect();
        let complete = keys.iter().all(|unit| {
            coding::take_apart(Codec::H264, &unit.bytes)
                .is_some_and(|picture| picture.parameters.is_some())
        });
        match (made.len(), keys.len(), complete) {
            (TRIAL_LENGTH, 2, true) => Ok(()),
            (pictures, keys, true) => Err(format!(
                "of {TRIAL} pictures with 2 key frames it made {pictures} with {keys}"
            )),
            (_, _, false) => Err("its key frames lack parameter sets".to_owned()),
        }
    }
}

/// Pictures of a trial; the first and the middle one are to be key frames.
const TRIAL: u32 = 10;
const TRIAL_LENGTH: usize = TRIAL as usize;

/// One picture of a trial, in one shade.
fn grey(rung: &Rung, number: u32) -> Picture {
    let pixels = usize::from(rung.width) * usize::from(rung.height);
    let shade = u8::try_from(40 + number * 10).unwrap_or(u8::MAX);
    let caps = gst::Caps::builder("video/x-raw")
        .field("format", "I420")
        .field("width", i32::from(rung.width))
        .field("height", i32::from(rung.height))
        .field("framerate", gst::Fraction::new(30, 1))
        .build();
    Picture {
        caps,
        buffer: gst::Buffer::from_slice(Bytes::from(vec![shade; pixels * 3 / 2])),
        pts: Duration::from_millis(33) * number,
        is_key: number == 0 || number == TRIAL / 2,
    }
}

/// The best encoder that works on this machine, by the name of its element. Starts GStreamer in this
/// process.
///
/// # Errors
/// In words that say what to install.
pub fn find_encoder() -> Result<&'static str, String> {
    plugins::start()?;
    let mut problems = Vec::new();
    for encoder in ENCODERS {
        if gst::ElementFactory::find(encoder.name).is_none() {
            continue;
        }
        match encoder.try_out() {
            Ok(()) => return Ok(encoder.name),
            Err(problem) => problems.push(format!("{} does not work: {problem}", encoder.name)),
        }
    }
    problems.push(
        "no encoder of H264 is installed: x264enc is in the package gstreamer1.0-plugins-ugly, \
         openh264enc in gstreamer1.0-plugins-bad"
            .to_owned(),
    );
    Err(problems.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn software_encoders_pass_the_trial() {
        plugins::start().unwrap();
        for name in ["x264enc", "openh264enc"] {
            let encoder = Encoder::named(name).unwrap();
            assert_eq!(encoder.try_out(), Ok(()), "{name}");
        }
        assert!(find_encoder().is_ok());
    }

    #[test]
    fn an_element_that_is_no_encoder_of_ours_is_none() {
        assert_eq!(Encoder::named("identity"), None);
    }
}
