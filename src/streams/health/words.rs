//! Figures of what arrives, as people read them.

use std::time::Duration;

use sfu::LayerStats;

/// `1280x720`, once the bit stream told it.
pub(super) fn size(layer: &LayerStats) -> Option<String> {
    let (width, height) = layer.width.zip(layer.height)?;
    Some(format!("{width}x{height}"))
}

/// A codec as people know it.
pub(super) fn codec(name: &str) -> String {
    if name.eq_ignore_ascii_case("opus") {
        "Opus".to_owned()
    } else {
        name.to_owned()
    }
}

/// Bit/s.
pub(super) fn rate(bitrate: u64) -> String {
    // Tenths are enough, and whole numbers print alike everywhere.
    let tenths = (bitrate + 50_000) / 100_000;
    if tenths == 0 {
        return format!("{} kbit/s", bitrate / 1_000);
    }
    format!("{}.{} Mbit/s", tenths / 10, tenths % 10)
}

/// Of sound, whose rates are small.
pub(super) fn audio_rate(bitrate: u64) -> String {
    format!("{} kbit/s", (bitrate + 500) / 1_000)
}

/// A share of 0 to 1.
pub(super) fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// `40 ms`, `1.4 s`.
pub(super) fn pause(duration: Duration) -> String {
    if duration < Duration::from_secs(1) {
        return format!("{} ms", duration.as_millis());
    }
    format!("{:.1} s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_pauses_are_short() {
        assert_eq!(rate(2_272_000), "2.3 Mbit/s");
        assert_eq!(rate(49_999), "49 kbit/s");
        assert_eq!(audio_rate(127_600), "128 kbit/s");
        assert_eq!(pause(Duration::from_millis(999)), "999 ms");
        assert_eq!(pause(Duration::from_millis(1_449)), "1.4 s");
    }
}
