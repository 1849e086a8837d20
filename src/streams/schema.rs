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
    /// `udp` or `tcp`.
    transport: String,
    connected: bool,
    rtt_ms: Option<f64>,
    /// Share of packets lost, 0 to 1.
    loss: Option<f64>,
    connected_ms: u64,
    /// Milliseconds since the last media packet.
    media_age_ms: Option<u64>,
    /// Whether it answers key frame requests.
    answers_pli: Option<bool>,
}

/// One simulcast encoding as it arrives.
#[derive(ToSchema)]
pub(super) struct LayerStats {
    /// None without simulcast.
    rid: Option<String>,
    codec: String,
    width: Option<u32>,
    height: Option<u32>,
    fps: f64,
    /// Bit/s.
    bitrate: u64,
    keyframe_interval_ms: Option<u64>,
    packets: u64,
    lost: u64,
    nacks: u64,
    plis: u64,
    active: bool,
    /// Whether the server makes it of what the publisher sends; left out where it does not.
    made: Option<bool>,
}

/// The audio track as it arrives.
#[derive(ToSchema)]
pub(super) struct AudioStats {
    codec: String,
    /// Bit/s.
    bitrate: u64,
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
            answers_pli: None,
        };
        assert_eq!(described::<PublisherStats>(), sent(&publisher));
        assert_eq!(
            described::<StreamStats>(),
            sent(&sfu::StreamStats::default())
        );
        let made = sfu::LayerStats {
            made: true,
            ..sfu::LayerStats::default()
        };
        assert_eq!(described::<LayerStats>(), sent(&made));
        assert_eq!(described::<AudioStats>(), sent(&sfu::AudioStats::default()));
    }
}
