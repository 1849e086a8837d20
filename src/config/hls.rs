//! Section `[hls]`: packaging for large audiences, and how far back viewers can go.

use std::iter::repeat;
use std::time::Duration;

use hls::MOST_PATHWAYS;
use serde::{Deserialize, Serialize};

use super::cdns::Cdn;
use super::{ConfigError, Storage, invalid};

/// Packaging for large audiences.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hls {
    /// Whether streams are packaged at all. Without it there is WebRTC alone, and no recording.
    pub enabled: bool,
    /// Longest part, in milliseconds: low-latency players are about four of them behind.
    pub part_ms: u64,
    /// Length of a segment, in milliseconds, where key frames allow it.
    pub segment_ms: u64,
    /// How far back viewers can go in a live stream, in seconds. It is kept on disk.
    pub window_seconds: u64,
    /// Where players find segments, such as `https://cdn.example`; none: on this server. What asks
    /// there must come here, path and all. Of several, each stream begins with one, and players change
    /// between them by themselves.
    pub segment_urls: Vec<String>,
    /// How many streams begin with each of them, in proportion; 0: none, while another works. Empty: as
    /// many with each.
    pub segment_weights: Vec<u32>,
    /// Whether segments of open streams go to the store of [`super::Storage`] as well, and are fetched from
    /// there once they are not the newest.
    pub store: bool,
    /// Bit rate of the AAC sound.
    pub audio_kbits: u32,
    /// Requests that may wait for one stream's next part.
    pub waiters: usize,
}

impl Default for Hls {
    fn default() -> Self {
        Self {
            enabled: true,
            part_ms: 334,
            segment_ms: 2_000,
            window_seconds: 2 * 3_600,
            segment_urls: Vec::new(),
            segment_weights: Vec::new(),
            store: false,
            audio_kbits: 128,
            waiters: 20_000,
        }
    }
}

impl Hls {
    /// Longest part.
    #[must_use]
    pub fn part(&self) -> Duration {
        Duration::from_millis(self.part_ms)
    }

    /// Length of a segment.
    #[must_use]
    pub fn segment(&self) -> Duration {
        Duration::from_millis(self.segment_ms)
    }

    /// What players are told that no segment is longer than: two of them, since encoders that do not
    /// listen make key frames when they like.
    #[must_use]
    pub fn target_duration(&self) -> Duration {
        Duration::from_secs(self.segment_ms.div_ceil(1_000) * 2)
    }

    /// How far back viewers can go.
    #[must_use]
    pub fn window(&self) -> Duration {
        Duration::from_secs(self.window_seconds)
    }

    /// Where segments are found, in the order of the file.
    #[must_use]
    pub fn cdns(&self) -> Vec<Cdn> {
        let weights = self.segment_weights.iter().copied().chain(repeat(1));
        let numbered = (1_u8..).zip(&self.segment_urls).zip(weights);
        let cdns = numbered.map(|((number, url), weight)| Cdn {
            number,
            url: url.trim_end_matches('/').to_owned(),
            weight,
        });
        cdns.collect()
    }

    pub(super) fn check(&self, storage: &Storage) -> Result<(), ConfigError> {
        if self.store && (!storage.is_used() || storage.public_url.is_empty()) {
            return Err(invalid(
                "hls.store",
                "it needs storage.bucket and storage.public_url",
            ));
        }
        let bounds = [
            ("part_ms", self.part_ms, 100, 1_000),
            ("segment_ms", self.segment_ms, 1_000, 10_000),
            ("window_seconds", self.window_seconds, 30, 24 * 3_600),
            ("audio_kbits", self.audio_kbits.into(), 32, 320),
        ];
        for (key, value, least, most) in bounds {
            if !(least..=most).contains(&value) {
                return Err(invalid(
                    &format!("hls.{key}"),
                    format!("it must lie between {least} and {most}"),
                ));
            }
        }
        if self.part_ms * 2 > self.segment_ms {
            return Err(invalid(
                "hls.part_ms",
                "a segment must hold two parts or more",
            ));
        }
        if self.waiters == 0 {
            return Err(invalid("hls.waiters", "it must be at least 1"));
        }
        let (urls, weights) = (self.segment_urls.len(), self.segment_weights.len());
        if urls > MOST_PATHWAYS {
            return Err(invalid(
                "hls.segment_urls",
                format!("there may be {MOST_PATHWAYS} at most"),
            ));
        }
        for url in &self.segment_urls {
            check_base(url, "hls.segment_urls")?;
        }
        if weights != 0 && (weights != urls || self.segment_weights.iter().all(|one| *one == 0)) {
            return Err(invalid(
                "hls.segment_weights",
                "there is one for each of hls.segment_urls, and one of them is above 0",
            ));
        }
        Ok(())
    }
}

/// A URL that paths are put behind.
pub(super) fn check_base(url: &str, key: &str) -> Result<(), ConfigError> {
    let schemes = ["https://", "http://"];
    let rest = schemes.iter().find_map(|scheme| url.strip_prefix(scheme));
    let hostile = ['?', '#', '@', ' ', '"', ';', ',', '\''];
    match rest {
        Some(rest) if !rest.is_empty() && !rest.starts_with('/') && !rest.contains(hostile) => {
            Ok(())
        }
        _ => Err(invalid(
            key,
            "it must begin with https:// or http:// and have no query, such as \
             https://cdn.example",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(urls: &[&str], weights: &[u32]) -> Hls {
        Hls {
            segment_urls: urls.iter().map(|url| (*url).to_owned()).collect(),
            segment_weights: weights.to_vec(),
            ..Hls::default()
        }
    }

    #[test]
    fn the_store_of_segments_must_be_there_and_have_an_address() {
        let hls = Hls {
            store: true,
            ..Hls::default()
        };
        let mut storage = Storage::default();
        assert!(hls.check(&storage).is_err());
        storage.bucket = "media".to_owned();
        assert!(hls.check(&storage).is_err());
        storage.public_url = "https://media.example".to_owned();
        assert!(hls.check(&storage).is_ok());
    }

    #[test]
    fn what_cannot_be_a_cdn_is_named() {
        let (a, b) = ("https://cdn-a.example/", "http://cdn-b.example:8080/x");
        for (urls, weights) in [
            (vec![], vec![]),
            (vec![a], vec![]),
            (vec![a, b], vec![3, 0]),
        ] {
            assert!(
                with(&urls, &weights).check(&Storage::default()).is_ok(),
                "{urls:?}"
            );
        }
        for (urls, weights) in [
            (vec!["cdn.example"], vec![]),
            (vec!["https://"], vec![]),
            (vec!["https:///x"], vec![]),
            (vec!["https://cdn.example/?x"], vec![]),
            (vec!["https://u@cdn.example"], vec![]),
            (vec![a, "https://cdn.example;x"], vec![]),
            (vec![a, b], vec![1]),
            (vec![a, b], vec![0, 0]),
            (vec![], vec![1]),
            (vec![a; 5], vec![]),
        ] {
            assert!(
                with(&urls, &weights).check(&Storage::default()).is_err(),
                "{urls:?} {weights:?}"
            );
        }
        let [first, second] = with(&[a, b], &[3, 0]).cdns().try_into().unwrap();
        assert_eq!(
            (first.number, first.url.as_str(), first.weight),
            (1, "https://cdn-a.example", 3)
        );
        assert_eq!(
            (second.number, second.url.as_str(), second.weight),
            (2, b, 0)
        );
    }
}
