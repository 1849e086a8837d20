//! Logs to standard error, counters for Prometheus.
//!
//! Lines carry fields and never keys, tokens, cookies, addresses, SDP or chat text.

use std::io::IsTerminal as _;

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
    let filter = EnvFilter::try_new(&log.filter)
        .map_err(|error| format!("log.filter `{}` cannot be read: {error}", log.filter))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    // A second start in one process, as tests have it, keeps the first.
    let _ = match log.format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    Ok(())
}

/// The process's counters.
#[derive(Debug, Clone)]
pub struct Metrics {
    handle: Option<PrometheusHandle>,
}

impl Metrics {
    /// Installs the recorder for the process. In a process that has one, this handle shows nothing.
    #[must_use]
    pub fn install() -> Self {
        let handle = PrometheusBuilder::new()
            .set_buckets(&HTTP_SECONDS)
            .ok()
            .and_then(|builder| builder.install_recorder().ok());
        describe();
        Self { handle }
    }

    /// The counters in Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> String {
        self.handle.as_ref().map_or_else(String::new, |handle| {
            handle.run_upkeep();
            handle.render()
        })
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

/// Upper edges of the histogram of request durations, in seconds.
const HTTP_SECONDS: [f64; 8] = [0.001, 0.005, 0.02, 0.1, 0.25, 1.0, 5.0, 30.0];

fn describe() {
    metrics::describe_counter!("tallylight_http_requests_total", "HTTP requests answered");
    metrics::describe_histogram!(
        "tallylight_http_request_seconds",
        "Time from a request to the head of its answer"
    );
    metrics::describe_gauge!("tallylight_streams_live", "Channels live now");
    metrics::describe_gauge!("tallylight_viewers", "Viewers connected now by WebRTC");
    metrics::describe_gauge!("tallylight_hls_viewers", "About how many watch by HLS now");
    metrics::describe_counter!(
        "tallylight_media_worker_restarts_total",
        "Media-workers that died or stood still and were replaced, by work (package, transcode)"
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
        "tallylight_playback_changes_total",
        "Players that changed the way of watching, by reason"
    );
}
