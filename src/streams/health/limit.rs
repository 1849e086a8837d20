//! The bound that a creator set for a stream, held against what arrives: browsers keep to it by
//! themselves, encoders do not read it.

use sfu::StreamStats;

use super::checks::{CheckName, CheckState, total_bitrate};
use super::{Check, words};

/// A little more is no news.
const LEEWAY_PERCENT: u64 = 110;

/// Says in the line of the bitrate that more comes than the stream is to have.
pub(in crate::streams) fn hold(checks: &mut [Check], stats: &StreamStats, most_kbps: u32) {
    let most = u64::from(most_kbps) * 1_000;
    if total_bitrate(stats) * 100 <= most * LEEWAY_PERCENT {
        return;
    }
    let of_bitrate = |check: &&mut Check| check.name == CheckName::Bitrate;
    if let Some(check) = checks.iter_mut().find(of_bitrate) {
        check.state = CheckState::Warn;
        check.advice = Some(format!(
            "this stream is limited to {}; set the encoder's bitrate to that, or lift the limit in \
             the schedule",
            words::rate(most)
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_the_limit_is_told_and_a_little_more_is_not() {
        let stats = |bitrate| StreamStats {
            layers: vec![sfu::LayerStats {
                bitrate,
                active: true,
                ..sfu::LayerStats::default()
            }],
            ..StreamStats::default()
        };
        let mut checks = [Check {
            name: CheckName::Bitrate,
            state: CheckState::Ok,
            value: String::new(),
            advice: None,
        }];
        hold(&mut checks, &stats(2_100_000), 2_000);
        assert_eq!(checks[0].advice, None);
        hold(&mut checks, &stats(3_000_000), 2_000);
        assert_eq!(checks[0].state, CheckState::Warn);
        let advice = checks[0].advice.as_deref().unwrap();
        assert!(advice.contains("2.0 Mbit/s"), "{advice}");
    }
}
