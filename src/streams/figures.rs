//! Figures of live channels for Prometheus. They are written at each scrape and not kept, so that
//! a channel that goes off leaves no stale series behind.

use std::fmt::Write as _;

use sfu::StreamStats;

use super::LiveChannel;

/// Channels in one scrape, at most.
pub(super) const MOST_CHANNELS: usize = 200;

type Figure = fn(&LiveChannel, &StreamStats) -> Option<f64>;

const FIGURES: [(&str, &str, Figure); 6] = [
    ("viewers", "Viewers connected", |live, _| {
        Some(f64::from(live.viewers))
    }),
    (
        "bitrate_bits",
        "Bit/s that arrive, all layers and audio",
        |_, stats| {
            let audio = stats.audio.as_ref().map_or(0, |audio| audio.bitrate);
            let video: u64 = stats.layers.iter().map(|layer| layer.bitrate).sum();
            as_float(video + audio)
        },
    ),
    ("layers", "Layers that arrive", |_, stats| {
        as_float(stats.layers.iter().filter(|layer| layer.active).count())
    }),
    ("fps", "Frames a second of the largest layer", |_, stats| {
        stats
            .layers
            .iter()
            .find(|layer| layer.active)
            .map(|layer| layer.fps)
    }),
    (
        "loss_ratio",
        "Share of packets lost on the way in",
        |_, stats| stats.publisher.as_ref()?.loss,
    ),
    (
        "rtt_seconds",
        "Round trip time to the publisher",
        |_, stats| Some(stats.publisher.as_ref()?.rtt_ms? / 1_000.0),
    ),
];

/// Prometheus' text format. Handles are plain words, so that nothing needs escaping.
pub(super) fn in_text(streams: &[(LiveChannel, StreamStats)]) -> String {
    let mut text = String::new();
    for (name, help, figure) in FIGURES {
        let name = format!("tallylight_channel_{name}");
        let _ = writeln!(text, "\n# HELP {name} {help}\n# TYPE {name} gauge");
        for (live, stats) in streams {
            if let Some(value) = figure(live, stats) {
                let handle = &live.channel.handle;
                let _ = writeln!(text, "{name}{{channel=\"{handle}\"}} {value}");
            }
        }
    }
    text
}

fn as_float(number: impl TryInto<u32>) -> Option<f64> {
    number.try_into().ok().map(f64::from)
}
