//! What a run found, as a table for people and as JSON.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};

use crate::counts::{Milestones, ViewerReport};
use crate::process::Usage;

/// All that a run found.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Report {
    /// `str0m` or `webrtc-rs`.
    pub stack: String,
    /// Simulcast layers published.
    pub layers: usize,
    /// Viewers asked for.
    pub viewers: usize,
    /// Viewers that were shown a picture.
    pub joined: usize,
    /// Viewers whose session the server ended.
    pub closed: usize,
    /// Length of the window in seconds.
    pub seconds: f64,
    /// Packets that all viewers received in the window, audio included.
    pub packets: u64,
    /// Payload of them.
    #[serde(serialize_with = "rounded")]
    pub megabits_per_second: f64,
    /// Share of video packets that never came, 0 to 1.
    pub loss: f64,
    /// Whole frames a second and viewer, mean and lowest.
    pub frames_per_second: f64,
    /// The viewer with the fewest.
    pub fewest_frames_per_second: f64,
    /// What the publisher sent in the same window: fewer than 30 is the client's fault.
    pub published_frames_per_second: f64,
    /// From sending to the kernel's receive time stamp, all frames.
    pub delivery: Spread,
    /// The same for key frames.
    pub key_frame_delivery: Spread,
    /// How joins went.
    pub join: Joins,
    /// Key frames that the publisher was asked for, and made.
    pub keyframe_requests: u64,
    /// Key frames made because of them.
    pub forced_keyframes: u64,
    /// The server's process, where its id was given.
    pub server: Option<ServerCost>,
    /// System calls and datagrams, where its metrics were given.
    pub calls: Option<Calls>,
    /// Our own cost.
    pub client: Cost,
    /// The busiest of our threads, in per cent of a core.
    #[serde(serialize_with = "rounded")]
    pub busiest_thread_percent: f64,
    /// The whole machine, in per cent of all its cores.
    #[serde(serialize_with = "rounded")]
    pub machine_percent: f64,
    /// One sentence, when we and not the server were the limit.
    pub client_limit: Option<String>,
}

/// Percentiles in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// How many values.
    pub count: usize,
    /// Median.
    #[serde(serialize_with = "rounded")]
    pub p50_ms: f64,
    /// 95 of 100 are below.
    #[serde(serialize_with = "rounded")]
    pub p95_ms: f64,
    /// 99 of 100 are below.
    #[serde(serialize_with = "rounded")]
    pub p99_ms: f64,
    /// The largest.
    #[serde(serialize_with = "rounded")]
    pub max_ms: f64,
}

/// Milestones of joins, counted from the moment the offer was made.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Joins {
    /// The answer came.
    pub answer: Spread,
    /// ICE was connected.
    pub ice: Spread,
    /// DTLS was up.
    pub dtls: Spread,
    /// The first media packet came.
    pub first_packet: Spread,
    /// The first whole key frame was there.
    pub first_key_frame: Spread,
}

/// CPU of a process in the window.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Cost {
    /// Per cent of one core.
    #[serde(serialize_with = "rounded")]
    pub cpu_percent: f64,
    /// Microseconds for each packet that a viewer received.
    #[serde(serialize_with = "rounded")]
    pub cpu_us_per_packet: f64,
}

/// CPU and memory of the server.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct ServerCost {
    /// CPU, ingest and the kernel's share on loopback included.
    #[serde(flatten)]
    pub cost: Cost,
    /// Resident memory at the end of the window, in KiB.
    pub rss_kib: u64,
    /// Growth since before the first viewer, for each viewer, in KiB.
    pub rss_kib_per_viewer: u64,
}

/// The server's own counters in the window.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Calls {
    /// Packets it forwarded.
    pub forwarded: u64,
    /// Send calls for each of them.
    #[serde(serialize_with = "rounded")]
    pub send_calls_per_packet: f64,
    /// Datagrams in one send call.
    #[serde(serialize_with = "rounded")]
    pub datagrams_per_send_call: f64,
    /// Calls of all kinds that media takes (send, receive, wait) for each, where the server counts
    /// them.
    pub calls_per_packet: Option<f64>,
}

impl Spread {
    /// Percentiles of those values.
    #[must_use]
    pub fn of(values: impl IntoIterator<Item = Duration>) -> Self {
        let mut values: Vec<Duration> = values.into_iter().collect();
        values.sort_unstable();
        let at = |share: usize| {
            let index = (values.len() * share / 100).min(values.len().saturating_sub(1));
            values
                .get(index)
                .map_or(0.0, |value| value.as_secs_f64() * 1e3)
        };
        Self {
            count: values.len(),
            p50_ms: at(50),
            p95_ms: at(95),
            p99_ms: at(99),
            max_ms: at(100),
        }
    }
}

impl Joins {
    /// Percentiles of each milestone.
    #[must_use]
    pub fn of(viewers: &[ViewerReport]) -> Self {
        let spread = |of: fn(&Milestones) -> Option<Duration>| {
            Spread::of(viewers.iter().filter_map(|viewer| of(&viewer.milestones)))
        };
        Self {
            answer: spread(|m| m.answer),
            ice: spread(|m| m.ice),
            dtls: spread(|m| m.dtls),
            first_packet: spread(|m| m.first_packet),
            first_key_frame: spread(|m| m.first_key_frame),
        }
    }
}

impl Cost {
    /// What was used between two looks at a process.
    #[must_use]
    pub fn between(before: Usage, after: Usage, window: Duration, packets: u64) -> Self {
        let cpu = after.cpu.saturating_sub(before.cpu).as_secs_f64();
        Self {
            cpu_percent: cpu / window.as_secs_f64().max(1e-9) * 100.0,
            cpu_us_per_packet: cpu * 1e6 / float(packets.max(1)),
        }
    }
}

impl Calls {
    /// The differences of two pages of the server's metrics; none when they lack the counters.
    #[must_use]
    pub fn between(before: &str, after: &str) -> Option<Self> {
        let grown = |name: &str| {
            let (before, after) = (counter(before, name)?, counter(after, name)?);
            Some(after.saturating_sub(before))
        };
        let forwarded = grown("tallylight_sfu_packets_forwarded_total")?;
        let calls = grown("tallylight_sfu_send_calls_total")?;
        let datagrams = grown("tallylight_sfu_datagrams_out_total")?;
        Some(Self {
            forwarded,
            send_calls_per_packet: float(calls) / float(forwarded.max(1)),
            datagrams_per_send_call: float(datagrams) / float(calls.max(1)),
            calls_per_packet: grown("tallylight_sfu_receive_calls_total")
                .zip(grown("tallylight_sfu_waits_total"))
                .map(|(received, waits)| float(calls + received + waits) / float(forwarded.max(1))),
        })
    }
}

/// A counter or gauge of whole numbers in Prometheus' text format.
#[must_use]
pub fn counter(page: &str, name: &str) -> Option<u64> {
    let of_name = |line: &str| line.strip_prefix(name)?.trim().parse().ok();
    page.lines().find_map(of_name)
}

/// Counts here are far below the 2^53 up to which this is exact.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
#[must_use]
pub fn float(count: u64) -> f64 {
    count as f64
}

fn rounded<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((value * 1_000.0).round() / 1_000.0)
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.count == 0 {
            return f.write_str("       -");
        }
        let Self {
            p50_ms,
            p95_ms,
            p99_ms,
            max_ms,
            ..
        } = self;
        write!(f, "{p50_ms:8.1} {p95_ms:8.1} {p99_ms:8.1} {max_ms:8.1}")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.layers > 1 {
            "simulcast"
        } else {
            "single layer"
        };
        writeln!(
            f,
            "{} of {} viewers ({}, {kind}), {:.1} s",
            self.joined, self.viewers, self.stack, self.seconds
        )?;
        if self.closed > 0 {
            writeln!(f, "  sessions      {} ended by the server", self.closed)?;
        }
        writeln!(
            f,
            "  packets       {:.1} k/s, {:.1} Mbit/s, {:.3} % lost",
            float(self.packets) / self.seconds.max(1e-9) / 1e3,
            self.megabits_per_second,
            self.loss * 100.0
        )?;
        writeln!(
            f,
            "  frames        {:.2} /s a viewer, at least {:.2}; {:.2} /s published",
            self.frames_per_second, self.fewest_frames_per_second, self.published_frames_per_second
        )?;
        writeln!(
            f,
            "  key frames    {} asked for, {} made for it",
            self.keyframe_requests, self.forced_keyframes
        )?;
        writeln!(f, "  ms                 p50      p95      p99      max")?;
        for (name, spread) in [
            ("delivery", &self.delivery),
            ("of key frames", &self.key_frame_delivery),
            ("join: answer", &self.join.answer),
            ("ICE", &self.join.ice),
            ("DTLS", &self.join.dtls),
            ("first packet", &self.join.first_packet),
            ("first key", &self.join.first_key_frame),
        ] {
            writeln!(f, "  {name:13} {spread}")?;
        }
        if let Some(server) = &self.server {
            writeln!(
                f,
                "  server        {:.2} us CPU a packet, {:.1} % of a core; {} KiB a viewer, {} KiB in all",
                server.cost.cpu_us_per_packet,
                server.cost.cpu_percent,
                server.rss_kib_per_viewer,
                server.rss_kib
            )?;
        }
        if let Some(calls) = &self.calls {
            writeln!(
                f,
                "  send calls    {:.3} a forwarded packet, {:.1} datagrams each",
                calls.send_calls_per_packet, calls.datagrams_per_send_call
            )?;
            if let Some(all) = calls.calls_per_packet {
                writeln!(f, "  all calls     {all:.3} a forwarded packet")?;
            }
        }
        write!(
            f,
            "  this client   {:.2} us CPU a packet, {:.1} % of a core, its busiest thread {:.1} %",
            self.client.cpu_us_per_packet, self.client.cpu_percent, self.busiest_thread_percent
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_sorted_values() {
        let spread = Spread::of((1..=100).rev().map(Duration::from_millis));
        assert_eq!(
            (spread.p50_ms, spread.p95_ms, spread.max_ms),
            (51.0, 96.0, 100.0)
        );
        assert_eq!(Spread::of([]), Spread::default());
    }

    #[test]
    fn counters_are_differences() {
        let page = |packets: u64| {
            format!(
                "# TYPE x counter\ntallylight_sfu_packets_forwarded_total {packets}\n\
                 tallylight_sfu_send_calls_total {}\ntallylight_sfu_datagrams_out_total {packets}\n",
                packets / 4
            )
        };
        let calls = Calls::between(&page(400), &page(1_200)).unwrap();
        assert_eq!(calls.forwarded, 800);
        assert!((calls.send_calls_per_packet - 0.25).abs() < 1e-9);
        assert_eq!(calls.calls_per_packet, None);
        assert!(Calls::between("", &page(1)).is_none());
        let whole = |packets: u64| {
            page(packets)
                + &format!("tallylight_sfu_receive_calls_total {packets}\n")
                + "tallylight_sfu_waits_total 7\n"
        };
        let calls = Calls::between(&whole(400), &whole(1_200)).unwrap();
        assert!((calls.calls_per_packet.unwrap() - 1.25).abs() < 1e-9);
    }
}
