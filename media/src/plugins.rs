//! What packaging needs of GStreamer, and what of it is not there.

use gstreamer as gst;
use gstreamer::prelude::*;

/// Elements, and the Debian package that each is in.
const NEEDED: [(&str, &str); 13] = [
    ("appsink", "gstreamer1.0-plugins-base"),
    ("opusdec", "gstreamer1.0-plugins-base"),
    ("audioconvert", "gstreamer1.0-plugins-base"),
    ("audioresample", "gstreamer1.0-plugins-base"),
    ("audiorate", "gstreamer1.0-plugins-base"),
    ("opusenc", "gstreamer1.0-plugins-base"),
    ("avenc_aac", "gstreamer1.0-libav"),
    ("avdec_aac", "gstreamer1.0-libav"),
    ("avdec_h264", "gstreamer1.0-libav"),
    ("videoconvert", "gstreamer1.0-plugins-base"),
    ("videoscale", "gstreamer1.0-plugins-base"),
    ("jpegenc", "gstreamer1.0-plugins-good"),
    ("cmafmux", "tallylight itself"),
];

/// Starts GStreamer in this process, with the muxer that is linked in.
pub(crate) fn start() -> Result<(), String> {
    gst::init().map_err(|error| format!("cannot start GStreamer: {error}"))?;
    gstfmp4::plugin_register_static().map_err(|error| format!("cannot register the muxer: {error}"))
}

/// Loads the libraries of all that is needed, as far as they are there.
pub(crate) fn load() {
    for (element, _) in NEEDED {
        load_element(element);
    }
}

/// Loads what transcoding needs beyond that.
pub(crate) fn load_transcoding(encoder: &str) {
    for element in ["vp8dec", encoder] {
        load_element(element);
    }
}

fn load_element(name: &str) {
    // Its first instance initialises what it stands on.
    if let Ok(element) = gst::ElementFactory::make(name).build() {
        // Hardware is looked at when it gets ready.
        let _ = element.set_state(gst::State::Ready);
        let _ = element.set_state(gst::State::Null);
    }
}

/// What is missing for packaging, each in words that say which package has it. Starts GStreamer in
/// this process if need be.
#[must_use]
pub fn missing_plugins() -> Vec<String> {
    if let Err(problem) = start() {
        return vec![problem];
    }
    NEEDED
        .iter()
        .filter(|(element, _)| gst::ElementFactory::find(element).is_none())
        .map(|(element, package)| format!("{element} (package {package})"))
        .collect()
}
