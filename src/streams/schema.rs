//! How `sfu`'s figures look in the API's description. The SFU knows nothing of OpenAPI; a test
//! holds these against what it really sends.
#![expect(dead_code, reason = "only their schemas are used")]

use utoipa::ToSchema;

/// What a stream's publisher sends and how many watch it.
#[derive(ToSchema)]
pub(super) struct StreamStats {
    /// None while the publisher is away.
    publisher: Option<PublisherStats>,
    /// Largest picture first.
    layers: Vec<LayerStats>,
    audio: Option<AudioStats>,
    viewers: u32,
    /// Packets that packaging had no room for.
    tap_lost: u64,
}

/// The connection of a publisher.
#[derive(ToSchema)]
pub(super) struct PublisherStats {
    session: String,
    /// `udp` or `tcp`; `none` for one that is no peer, as by RTMP.
    transport: String,
    connected: bool,
    rtt_ms: Option<f64>,
    /// Share of packets lost, 0 to 1.
    loss: Option<f64>,
    connected_ms: u64,
    /// Milliseconds since the last media packet.
    media_age_ms: Option<u64>,
    /// Longest time without media in the last ten seconds.
    longest_gap_ms: Option<u64>,
    /// Pictures and sounds of one that is no peer which the server had no room for.
    dropped: u64,
    /// Milliseconds since it went on after the last of them.
    dropped_age_ms: Option<u64>,
    /// Whether it answers key frame requests.
    answers_pli: Option<bool>,
}

/// One simulcast encoding as it arrives.
#[derive(ToSchema)]
pub(super) struct LayerStats {
    /// None without simulcast.
    rid: Option<String>,
    codec: String,
    /// Profile and level, such as `High, level 4.0`, once the bit stream told.
    profile: Option<String>,
    width: Option<u32>,
    height: Option<u32>,
    fps: f64,
    /// Bit/s.
    bitrate: u64,
    /// How even that was; unknown at first.
    lately: Option<Lately>,
    keyframe_interval_ms: Option<u64>,
    packets: u64,
    lost: u64,
    nacks: u64,
    plis: u64,
    active: bool,
    /// Whether pictures come in another order than they are shown in; left out where they do not.
    b_frames: Option<bool>,
    /// Whether the server makes it of what the publisher sends; left out where it does not.
    made: Option<bool>,
}

/// The least and the most of the last ten seconds, in steps of two.
#[derive(ToSchema)]
pub(super) struct Lately {
    /// Bit/s.
    least_bitrate: u64,
    /// Bit/s.
    most_bitrate: u64,
    least_fps: f64,
    most_fps: f64,
}

/// The audio track as it arrives.
#[derive(ToSchema)]
pub(super) struct AudioStats {
    codec: String,
    /// Bit/s.
    bitrate: u64,
    /// The most of the last ten seconds, in steps of two; unknown at first.
    peak_bitrate: Option<u64>,
    packets: u64,
    lost: u64,
    active: bool,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde::Serialize;
    use serde_json::{Value, to_value};
    use utoipa::PartialSchema;

    use super::*;

    fn names(value: &Value) -> BTreeSet<String> {
        value.as_object().unwrap().keys().cloned().collect()
    }

    fn described<T: PartialSchema>() -> BTreeSet<String> {
        names(&to_value(T::schema()).unwrap()["properties"])
    }

    fn sent(stats: &impl Serialize) -> BTreeSet<String> {
        names(&to_value(stats).unwrap())
    }

    #[test]
    fn what_is_described_is_what_is_sent() {
        let publisher = sfu::PublisherStats {
            session: String::new(),
            transport: "udp",
            connected: true,
            rtt_ms: None,
            loss: None,
            connected_ms: 0,
            media_age_ms: None,
            longest_gap_ms: None,
            dropped: 0,
            dropped_age_ms: None,
            answers_pli: None,
        };
        assert_eq!(described::<PublisherStats>(), sent(&publisher));
        assert_eq!(
            described::<StreamStats>(),
            sent(&sfu::StreamStats::default())
        );
        let made = sfu::LayerStats {
            made: true,
            b_frames: true,
            ..sfu::LayerStats::default()
        };
        assert_eq!(described::<LayerStats>(), sent(&made));
        let lately = sfu::Lately {
            least_bitrate: 0,
            most_bitrate: 0,
            least_fps: 0.0,
            most_fps: 0.0,
        };
        assert_eq!(described::<Lately>(), sent(&lately));
        assert_eq!(described::<AudioStats>(), sent(&sfu::AudioStats::default()));
    }
}
