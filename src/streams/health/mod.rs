//! What arrives from a publisher, in words: what it is, and what is wrong and what to do about it.

mod checks;
mod limit;
mod sample;
mod words;

use std::time::Duration;

use sfu::{LayerStats, StreamStats};

use super::IngestPublisher;

use checks::CheckState;

pub(super) use checks::Check;
pub(super) use limit::hold;
pub(super) use sample::AlertNow;
pub(crate) use sample::{Alert, Sample};

/// A publisher that has this much time and still sends nothing, or half of it, has a problem.
const LATE: Duration = Duration::from_secs(5);

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

/// What there is to say of the media, one line each; nothing while none arrives.
pub(super) fn checks(
    publisher: Option<IngestPublisher>,
    stats: Option<&StreamStats>,
) -> Vec<Check> {
    let flowing = publisher.filter(|by| by.flowing);
    let both = flowing.zip(stats);
    both.map_or_else(Vec::new, |(by, stats)| checks::checks(stats, by.age))
}

/// What is wrong and what to do, if anything is: the worst first. `packaging` is what is wrong with HLS
/// and the recording.
pub(super) fn problem(
    publisher: Option<IngestPublisher>,
    checks: &[Check],
    packaging: Option<String>,
    media_port: u16,
) -> Option<String> {
    let first = |state| {
        let check = checks.iter().find(|check| check.state == state)?;
        check.advice.clone()
    };
    publisher
        .and_then(|publisher| problem_of_connection(publisher, media_port))
        .or_else(|| first(CheckState::Bad))
        .or(packaging)
        .or_else(|| first(CheckState::Warn))
}

fn problem_of_connection(publisher: IngestPublisher, media_port: u16) -> Option<String> {
    if publisher.age < LATE {
        return None;
    }
    if !publisher.connected {
        return Some(format!(
            "no media packets arrive: UDP port {media_port} seems closed between the encoder \
             and this server; open it (UDP and TCP) in the firewall, and behind NAT set \
             media.public_ips"
        ));
    }
    (!publisher.flowing).then(|| {
        "connected, but no media arrives; is the encoder paused, or is the upload cut off?"
            .to_owned()
    })
}

fn receiving(stats: &StreamStats) -> String {
    let audio = stats.audio.as_ref().filter(|audio| audio.active);
    let video = sent_layers(stats).filter(|layer| layer.active);
    let mut parts: Vec<String> = video.clone().next().map(picture).into_iter().collect();
    if let Some(audio) = audio {
        parts.push(words::codec(&audio.codec));
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
        words::rate(checks::total_bitrate(stats))
    )
}

/// What the publisher sends, without what the server makes of it.
fn sent_layers(stats: &StreamStats) -> impl Iterator<Item = &LayerStats> + Clone {
    stats.layers.iter().filter(|layer| !layer.made)
}

fn picture(layer: &LayerStats) -> String {
    let codec = words::codec(&layer.codec);
    let size = words::size(layer).map(|size| size + " ");
    format!("{}{codec} {:.0} fps", size.unwrap_or_default(), layer.fps)
}

#[cfg(test)]
mod testing {
    //! Figures of a stream that has nothing wrong.

    use sfu::{AudioStats, Lately, PublisherStats};

    use super::{LayerStats, StreamStats};

    pub(super) fn stats() -> StreamStats {
        StreamStats {
            publisher: Some(publisher()),
            layers: vec![LayerStats {
                codec: "H264".to_owned(),
                profile: Some("High, level 3.1".to_owned()),
                width: Some(1280),
                height: Some(720),
                fps: 29.97,
                bitrate: 2_272_000,
                lately: Some(Lately {
                    least_bitrate: 2_100_000,
                    most_bitrate: 2_600_000,
                    least_fps: 29.5,
                    most_fps: 30.0,
                }),
                keyframe_interval_ms: Some(2_000),
                active: true,
                ..LayerStats::default()
            }],
            audio: Some(AudioStats {
                codec: "opus".to_owned(),
                bitrate: 128_000,
                peak_bitrate: Some(130_000),
                active: true,
                ..AudioStats::default()
            }),
            ..StreamStats::default()
        }
    }

    pub(super) fn publisher() -> PublisherStats {
        PublisherStats {
            session: String::new(),
            transport: "udp",
            connected: true,
            rtt_ms: None,
            loss: Some(0.0),
            connected_ms: 60_000,
            media_age_ms: Some(10),
            longest_gap_ms: Some(40),
            dropped: 0,
            dropped_age_ms: None,
            answers_pli: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::IngestSource;
    use super::testing::stats;
    use super::*;

    const FLOWING: IngestPublisher = IngestPublisher {
        source: IngestSource::Whip,
        connected: true,
        flowing: true,
        age: Duration::from_secs(60),
    };

    fn words(by: IngestPublisher, stats: &StreamStats, packaging: Option<&str>) -> Option<String> {
        let checks = checks(Some(by), Some(stats));
        problem(Some(by), &checks, packaging.map(str::to_owned), 8189)
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
        assert_eq!(words(FLOWING, &stats(), None), None);
        assert_eq!(problem(None, &[], None, 8189), None);
        assert!(checks(None, Some(&stats())).is_empty());
    }

    #[test]
    fn a_closed_port_is_named_after_a_while() {
        let silent = |seconds| IngestPublisher {
            connected: false,
            flowing: false,
            age: Duration::from_secs(seconds),
            ..FLOWING
        };
        assert_eq!(words(silent(1), &stats(), None), None);
        let told = words(silent(6), &stats(), None).unwrap();
        assert!(told.contains("UDP port 8189"), "{told}");
        assert!(checks(Some(silent(6)), Some(&stats())).is_empty());
    }

    #[test]
    fn a_publisher_that_sends_nothing_is_asked_why() {
        let paused = IngestPublisher {
            flowing: false,
            ..FLOWING
        };
        let told = words(paused, &stats(), None).unwrap();
        assert!(told.contains("no media arrives"), "{told}");
    }

    #[test]
    fn the_worst_is_told_first() {
        let mut stats = stats();
        stats.audio = None;
        let told = words(FLOWING, &stats, None).unwrap();
        assert!(told.contains("no audio"), "{told}");
        let told = words(FLOWING, &stats, Some("no HLS")).unwrap();
        assert_eq!(told, "no HLS");
        stats.layers[0].profile = Some("High 10, level 4.0".to_owned());
        let told = words(FLOWING, &stats, Some("no HLS")).unwrap();
        assert!(told.contains("no browser"), "{told}");
    }
}
