//! Logs to standard error, counters for Prometheus.
//!
//! Lines carry fields and never keys, tokens, cookies, SDP or chat text; addresses only of those who are
//! turned away by RTMP, so that they can be shut out.

use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use metrics::{Counter, SharedString};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use serde::Serialize;
use serde_json::Value;
use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};

/// Starts logging for the process.
///
/// # Errors
/// When the filter cannot be read.
pub fn start_logging(log: &Log) -> Result<(), String> {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter(log)?)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    // A second start in one process, as tests have it, keeps the first.
    let _ = match log.format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    Ok(())
}

/// Which lines there are.
pub(crate) fn filter(log: &Log) -> Result<EnvFilter, String> {
    EnvFilter::try_new(&log.filter)
        .map_err(|error| format!("log.filter `{}` cannot be read: {error}", log.filter))
}

/// An error with its causes, in one line: the outermost of a client of HTTP says no more than that it failed.
pub(crate) fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// The process's counters.
#[derive(Debug, Clone)]
pub struct Metrics {
    handle: Option<PrometheusHandle>,
}

impl Metrics {
    /// Installs the recorder for the process, unless it has one.
    #[must_use]
    pub fn install() -> Self {
        static FIRST: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
        let first = FIRST.get_or_init(|| {
            let handle = PrometheusBuilder::new().install_recorder().ok();
            describe();
            handle
        });
        Self {
            handle: first.clone(),
        }
    }

    /// The counters in Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> String {
        self.handle.as_ref().map_or_else(String::new, |handle| {
            let durations = [&HTTP_SECONDS, &HLS_PART_SECONDS, &JOIN_SECONDS];
            durations
                .iter()
                .fold(handle.render(), |text, all| text + &all.in_text())
        })
    }
}

/// Counts a request that was answered.
pub fn count_request(method: &'static str, route: String, status: u16) {
    request_counter(method, route.into(), status).increment(1);
}

fn request_counter(method: &'static str, route: SharedString, status: u16) -> Counter {
    metrics::counter!(
        "tallylight_http_requests_total",
        "method" => method,
        "route" => route,
        "status" => status.to_string(),
    )
}

/// Counts the GETs of one route like [`count_request`], without making labels for each of them.
#[derive(Debug)]
pub struct RouteCounter {
    route: &'static str,
    /// By the statuses of [`FREQUENT`].
    frequent: [OnceLock<Counter>; FREQUENT.len()],
}

/// Statuses that media is answered with.
const FREQUENT: [u16; 6] = [200, 206, 304, 400, 404, 503];

impl RouteCounter {
    /// Of that route. Counts go to the recorder that is there at the first of them.
    #[must_use]
    pub const fn new(route: &'static str) -> Self {
        Self {
            route,
            frequent: [const { OnceLock::new() }; FREQUENT.len()],
        }
    }

    /// Its route.
    #[must_use]
    pub fn route(&self) -> &'static str {
        self.route
    }

    /// Counts one.
    pub fn count(&self, status: u16) {
        let make = || request_counter("GET", self.route.into(), status);
        let at = FREQUENT.iter().position(|frequent| *frequent == status);
        match at.and_then(|at| self.frequent.get(at)) {
            Some(counter) => counter.get_or_init(make).increment(1),
            None => make().increment(1),
        }
    }
}

/// Shows every number of a flat structure: those named in `gauges` as `prefix_name`, all others as
/// counters, `prefix_name_total`.
pub fn show_numbers(prefix: &str, numbers: &impl Serialize, gauges: &[&str]) {
    let Ok(Value::Object(fields)) = serde_json::to_value(numbers) else {
        return;
    };
    for (name, value) in fields {
        if gauges.contains(&name.as_str()) {
            if let Some(value) = value.as_f64() {
                metrics::gauge!(format!("{prefix}_{name}")).set(value);
            }
        } else if let Some(value) = value.as_u64() {
            metrics::counter!(format!("{prefix}_{name}_total")).absolute(value);
        }
    }
}

/// Time from a request to the head of its answer.
pub static HTTP_SECONDS: Durations = Durations::new(
    "tallylight_http_request_seconds",
    "Time from a request to the head of its answer",
);

/// How far a part of HLS is behind what it shows when players can have it.
pub static HLS_PART_SECONDS: Durations = Durations::new(
    "tallylight_hls_part_seconds",
    "Time from the last picture or sound of a part to the moment in which players can have it",
);

/// Time from the answer to a viewer's offer to its connection.
pub static JOIN_SECONDS: Durations = Durations::new(
    "tallylight_join_seconds",
    "Time from the answer to a viewer's offer to its connection by WebRTC",
);

/// Counts somebody who begins to watch.
pub fn count_join(transport: &'static str) {
    metrics::counter!("tallylight_joins_total", "transport" => transport).increment(1);
}

/// A counter without labels that is added to often: its recorder is looked up once.
#[derive(Debug)]
pub struct Tally {
    counter: OnceLock<Counter>,
    make: fn() -> Counter,
}

impl Tally {
    const fn new(make: fn() -> Counter) -> Self {
        Self {
            counter: OnceLock::new(),
            make,
        }
    }

    /// Adds to it.
    pub fn add(&self, count: u64) {
        self.counter.get_or_init(self.make).increment(count);
    }
}

/// Bytes written to the connections of HTTP and HTTPS, TLS's own among them.
pub static HTTP_BYTES: Tally = Tally::new(|| metrics::counter!("tallylight_http_bytes_out_total"));

/// Bytes of media in answers to players of live HLS, and of recordings.
pub static HLS_BYTES: [Tally; 2] = [
    Tally::new(|| metrics::counter!("tallylight_hls_bytes_out_total", "of" => "live")),
    Tally::new(|| metrics::counter!("tallylight_hls_bytes_out_total", "of" => "recording")),
];

/// A histogram of how long something takes, of a fixed size: the recorder's own keeps every sample
/// until somebody reads the metrics, which may be never.
#[derive(Debug)]
pub struct Durations {
    name: &'static str,
    help: &'static str,
    /// How many took no longer than each of [`EDGES`], but longer than the one before; at the end,
    /// all others.
    counts: [AtomicU64; EDGES.len() + 1],
    micros: AtomicU64,
}

/// Upper edges, in seconds.
const EDGES: [f64; 8] = [0.001, 0.005, 0.02, 0.1, 0.25, 1.0, 5.0, 30.0];

impl Durations {
    const fn new(name: &'static str, help: &'static str) -> Self {
        Self {
            name,
            help,
            counts: [const { AtomicU64::new(0) }; EDGES.len() + 1],
            micros: AtomicU64::new(0),
        }
    }

    /// Counts one.
    pub fn record(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        let at = EDGES.partition_point(|edge| *edge < seconds);
        if let Some(count) = self.counts.get(at) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// In Prometheus' text format.
    fn in_text(&self) -> String {
        let Self { name, help, .. } = self;
        let mut text = format!("# HELP {name} {help}\n# TYPE {name} histogram\n");
        let edges = EDGES.iter().map(f64::to_string);
        let mut count = 0;
        for (edge, here) in edges.chain(["+Inf".to_owned()]).zip(&self.counts) {
            count += here.load(Ordering::Relaxed);
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{name}_bucket{{le=\"{edge}\"}} {count}");
        }
        let seconds = Duration::from_micros(self.micros.load(Ordering::Relaxed)).as_secs_f64();
        let _ = writeln!(text, "{name}_sum {seconds}\n{name}_count {count}");
        text
    }
}

fn describe() {
    metrics::describe_counter!("tallylight_http_requests_total", "HTTP requests answered");
    metrics::describe_gauge!("tallylight_streams_live", "Channels live now");
    metrics::describe_gauge!(
        "tallylight_sessions",
        "Sessions by WHIP and WHEP now, connected or not"
    );
    metrics::describe_gauge!("tallylight_tasks", "Tasks of the asynchronous runtime now");
    metrics::describe_gauge!("tallylight_viewers", "Viewers connected now by WebRTC");
    metrics::describe_gauge!("tallylight_hls_viewers", "About how many watch by HLS now");
    metrics::describe_counter!(
        "tallylight_media_worker_restarts_total",
        "Media-workers that died or stood still and were replaced, by work (package, transcode)"
    );
    metrics::describe_gauge!(
        "tallylight_rtmp_connections",
        "Connections by RTMP and RTMPS now, by state (unverified, publishing)"
    );
    metrics::describe_counter!(
        "tallylight_rtmp_refused_total",
        "Connections by RTMP turned away or cut off, by reason (no_place, wrong_key, attempts, name, \
         protocol, bitrate, timeout)"
    );
    metrics::describe_counter!(
        "tallylight_rtmp_broken_total",
        "Media by RTMP dropped because it was broken or came before its configuration"
    );
    metrics::describe_counter!(
        "tallylight_uploads_total",
        "Recordings taken to the store, or not, by result (stored, failed)"
    );
    metrics::describe_counter!(
        "tallylight_uploaded_bytes_total",
        "Bytes of recordings put into the store"
    );
    metrics::describe_counter!(
        "tallylight_jobs_run_total",
        "Jobs that were tried, by kind and result (done, again, given_up)"
    );
    describe_media();
    metrics::describe_counter!(
        "tallylight_playback_changes_total",
        "Players that changed the way of watching, by reason"
    );
}

fn describe_media() {
    metrics::describe_counter!(
        "tallylight_joins_total",
        "Viewers who began to watch, by transport (webrtc, hls)"
    );
    metrics::describe_counter!(
        "tallylight_hls_parts_late_total",
        "Parts of HLS that came later than low-latency players hold back"
    );
    metrics::describe_counter!(
        "tallylight_hls_bytes_out_total",
        "Bytes of media answered with by HLS, of what (live, recording)"
    );
    metrics::describe_counter!(
        "tallylight_http_bytes_out_total",
        "Bytes written to connections of HTTP and HTTPS"
    );
    metrics::describe_counter!(
        "tallylight_layer_bytes_total",
        "Bytes of media by way (in, out) and layer (1 is the largest; sound)"
    );
    metrics::describe_counter!(
        "tallylight_layer_packets_total",
        "Packets of media by way and layer"
    );
    metrics::describe_counter!(
        "tallylight_layer_lost_total",
        "Packets of media that were lost, by way and layer"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_counted_up_to_each_edge() {
        let durations = Durations::new("waited", "How long");
        for millis in [1, 2, 300, 60_000] {
            durations.record(Duration::from_millis(millis));
        }
        let text = durations.in_text();
        for line in [
            "# TYPE waited histogram",
            "waited_bucket{le=\"0.001\"} 1",
            "waited_bucket{le=\"0.005\"} 2",
            "waited_bucket{le=\"0.25\"} 2",
            "waited_bucket{le=\"1\"} 3",
            "waited_bucket{le=\"30\"} 3",
            "waited_bucket{le=\"+Inf\"} 4",
            "waited_sum 60.303",
            "waited_count 4",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
    }
}
