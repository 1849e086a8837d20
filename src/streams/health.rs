//! What arrives from a publisher, in words: what it is, and what is wrong and what to do about it.

use std::time::Duration;

use sfu::{LayerStats, StreamStats};

use super::IngestPublisher;

/// A publisher that has this much time and still sends nothing has a problem.
const PATIENCE: Duration = Duration::from_secs(5);
/// Viewers of a stream with key frames further apart than this wait too long for a new layer.
const LONG_KEYFRAME_INTERVAL_MS: u64 = 4_500;
/// Share of packets lost on the way in that viewers notice.
const HEAVY_LOSS: f64 = 0.03;

/// How far a publisher is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum IngestState {
    /// Nobody publishes.
    Waiting,
    /// The offer was answered; media is not there yet.
    Connecting,
    /// Media arrives.
    Receiving,
    /// The publisher is away within the reconnect window.
    Reconnecting,
}

/// One line that says what is going on.
pub(super) fn summary(state: IngestState, stats: Option<&StreamStats>) -> String {
    match state {
        IngestState::Waiting => "waiting for media…".to_owned(),
        IngestState::Connecting => "connecting…".to_owned(),
        IngestState::Reconnecting => {
            "the publisher is away; waiting for it to come back".to_owned()
        }
        IngestState::Receiving => stats.map_or_else(|| "receiving".to_owned(), receiving),
    }
}

/// What is wrong and what to do, if anything is.
pub(super) fn problem(
    publisher: Option<IngestPublisher>,
    stats: Option<&StreamStats>,
    media_port: u16,
) -> Option<String> {
    let publisher = publisher?;
    let late = publisher.age >= PATIENCE;
    if !publisher.connected {
        return late.then(|| {
            format!(
                "no media packets arrive: UDP port {media_port} seems closed between the encoder \
                 and this server; open it (UDP and TCP) in the firewall, and behind NAT set \
                 media.public_ips"
            )
        });
    }
    if !publisher.flowing {
        return late.then(|| {
            "connected, but no media arrives; is the encoder paused, or is the upload cut off?"
                .to_owned()
        });
    }
    stats.and_then(|stats| problem_of_media(stats, late))
}

fn receiving(stats: &StreamStats) -> String {
    let audio = stats.audio.as_ref().filter(|audio| audio.active);
    let video = sent_layers(stats).filter(|layer| layer.active);
    let bitrate: u64 = video.clone().map(|layer| layer.bitrate).sum::<u64>()
        + audio.map_or(0, |audio| audio.bitrate);
    let mut parts: Vec<String> = video.clone().next().map(picture).into_iter().collect();
    if let Some(audio) = audio {
        parts.push(codec_name(&audio.codec));
    }
    if parts.is_empty() {
        return "receiving".to_owned();
    }
    let more = match video.count() {
        0 | 1 => String::new(),
        layers => format!(", {layers} layers"),
    };
    format!(
        "receiving {}{more}, {}",
        parts.join(" + "),
        in_megabits(bitrate)
    )
}

/// What the publisher sends, without what the server makes of it.
fn sent_layers(stats: &StreamStats) -> impl Iterator<Item = &LayerStats> + Clone {
    stats.layers.iter().filter(|layer| !layer.made)
}

fn picture(layer: &LayerStats) -> String {
    let codec = codec_name(&layer.codec);
    let size = layer
        .width
        .zip(layer.height)
        .map(|(width, height)| format!("{width}x{height} "))
        .unwrap_or_default();
    format!("{size}{codec} {:.0} fps", layer.fps)
}

fn codec_name(codec: &str) -> String {
    if codec.eq_ignore_ascii_case("opus") {
        "Opus".to_owned()
    } else {
        codec.to_owned()
    }
}

fn in_megabits(bitrate: u64) -> String {
    // Tenths are enough, and whole numbers print alike everywhere.
    let tenths = (bitrate + 50_000) / 100_000;
    if tenths == 0 {
        return format!("{} kbit/s", bitrate / 1_000);
    }
    format!("{}.{} Mbit/s", tenths / 10, tenths % 10)
}

fn problem_of_media(stats: &StreamStats, late: bool) -> Option<String> {
    let largest = sent_layers(stats).find(|layer| layer.active);
    let audio = stats.audio.as_ref().filter(|audio| audio.active);
    if late && stats.layers.is_empty() && audio.is_some() {
        return Some("only audio arrives; add a video source if there should be a picture".into());
    }
    if late && audio.is_none() && largest.is_some() {
        return Some("no audio arrives; unmute or add an audio source in the encoder".into());
    }
    let loss = stats.publisher.as_ref().and_then(|by| by.loss);
    if let Some(loss) = loss.filter(|loss| *loss >= HEAVY_LOSS) {
        return Some(format!(
            "{:.0} % of the packets are lost on the way here; lower the bitrate or use a cable",
            loss * 100.0
        ));
    }
    let largest = largest?;
    let interval = largest.keyframe_interval_ms.unwrap_or_default();
    // An encoder that makes key frames on request needs none at intervals.
    let listens = stats.publisher.as_ref().and_then(|by| by.answers_pli) == Some(true);
    if interval > LONG_KEYFRAME_INTERVAL_MS && !listens {
        return Some(format!(
            "key frames come every {} s; set the keyframe interval to 2 s in the encoder, so that \
             viewers can switch quality",
            (interval + 500) / 1_000
        ));
    }
    if ["H265", "HEVC"].contains(&largest.codec.to_uppercase().as_str()) {
        return Some("H265 plays in few browsers; set the encoder to H264".into());
    }
    None
}

#[cfg(test)]
mod tests {
    use sfu::{AudioStats, PublisherStats};

    use super::*;

    const FLOWING: IngestPublisher = IngestPublisher {
        connected: true,
        flowing: true,
        age: Duration::from_secs(60),
    };

    fn stats() -> StreamStats {
        StreamStats {
            layers: vec![LayerStats {
                codec: "H264".to_owned(),
                width: Some(1280),
                height: Some(720),
                fps: 29.97,
                bitrate: 2_272_000,
                keyframe_interval_ms: Some(2_000),
                active: true,
                ..LayerStats::default()
            }],
            audio: Some(AudioStats {
                codec: "opus".to_owned(),
                bitrate: 128_000,
                active: true,
                ..AudioStats::default()
            }),
            ..StreamStats::default()
        }
    }

    #[test]
    fn what_arrives_is_one_line() {
        assert_eq!(
            summary(IngestState::Receiving, Some(&stats())),
            "receiving 1280x720 H264 30 fps + Opus, 2.4 Mbit/s"
        );
        assert_eq!(
            summary(IngestState::Receiving, Some(&StreamStats::default())),
            "receiving"
        );
    }

    #[test]
    fn a_healthy_stream_has_no_problem() {
        assert_eq!(problem(Some(FLOWING), Some(&stats()), 8189), None);
        assert_eq!(problem(None, None, 8189), None);
    }

    #[test]
    fn a_closed_port_is_named_after_a_while() {
        let silent = |seconds| IngestPublisher {
            connected: false,
            flowing: false,
            age: Duration::from_secs(seconds),
        };
        assert_eq!(problem(Some(silent(1)), None, 8189), None);
        let words = problem(Some(silent(6)), None, 8189).unwrap();
        assert!(words.contains("UDP port 8189"), "{words}");
    }

    #[test]
    fn each_fault_says_what_to_do() {
        let words = |change: fn(&mut StreamStats)| {
            let mut stats = stats();
            change(&mut stats);
            problem(Some(FLOWING), Some(&stats), 8189).unwrap()
        };
        assert!(words(|s| s.audio = None).contains("no audio"));
        assert!(words(|s| s.layers.clear()).contains("only audio"));
        let slow = |s: &mut StreamStats| s.layers[0].keyframe_interval_ms = Some(10_000);
        assert!(words(slow).contains("every 10 s"));
        assert!(words(|s| s.layers[0].codec = "H265".into()).contains("H264"));
        let lossy = |s: &mut StreamStats| {
            s.publisher = Some(PublisherStats {
                session: String::new(),
                transport: "udp",
                connected: true,
                rtt_ms: None,
                loss: Some(0.05),
                connected_ms: 0,
                media_age_ms: None,
                answers_pli: None,
            });
        };
        assert!(words(lossy).contains("5 %"));
    }
}
