//! What `/metrics` tells at the moment in which it is asked, beside what was counted meanwhile. docs/METRICS.md has all.

use std::fs;
use std::path::Path;

use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use metrics::{counter, gauge};
use sfu::{LayerTotals, RANKS};
use tokio::runtime::Handle;

use crate::doctor;
use crate::router::Services;
use crate::telemetry::{Metrics, show_numbers};
use crate::tls::Validity;

/// Numbers of the SFU that may fall.
const SFU_GAUGES: [&str; 4] = ["publishers", "viewers", "relays", "streams"];
/// How the metrics name layers, the largest first, and sound behind them.
const LAYERS: [&str; RANKS + 1] = ["1", "2", "3", "4", "sound"];
/// Ticks of the kernel's clock in a second, as programs see it on Linux.
const TICKS: f64 = 100.0;

/// The route.
pub fn routes(services: &Services, metrics: Metrics) -> Router {
    let services = services.clone();
    let show = move || {
        let (services, metrics) = (services.clone(), metrics.clone());
        async move {
            look(&services).await;
            let text = metrics.render() + &services.streams.figures().await;
            let plain = HeaderValue::from_static("text/plain; version=0.0.4");
            ([(CONTENT_TYPE, plain)], text)
        }
    };
    Router::new().route("/metrics", get(show))
}

async fn look(services: &Services) {
    gauge!("tallylight_chat_readers").set(whole(services.chat.readers()));
    show_numbers("tallylight_sfu", &services.sfu.totals(), &SFU_GAUGES);
    layers(&services.sfu.layer_totals());
    if let Some(turn) = services.ice.stats() {
        relayed(&turn);
    }
    certificate(services);
    // Without the database they stay as they were.
    if let Ok((waiting, failed)) = services.jobs.count().await {
        gauge!("tallylight_jobs", "state" => "waiting").set(whole(waiting));
        gauge!("tallylight_jobs", "state" => "failed").set(whole(failed));
    }
    process();
    if let Some((free, all)) = doctor::space(&services.data) {
        gauge!("tallylight_disk_free_bytes").set(whole(free));
        gauge!("tallylight_disk_bytes").set(whole(all));
    }
}

fn layers(totals: &[LayerTotals; RANKS + 1]) {
    for (layer, totals) in LAYERS.into_iter().zip(totals) {
        for (way, media) in [("in", totals.received), ("out", totals.sent)] {
            let labels = [("way", way), ("layer", layer)];
            counter!("tallylight_layer_bytes_total", &labels).absolute(media.bytes);
            counter!("tallylight_layer_packets_total", &labels).absolute(media.packets);
            counter!("tallylight_layer_lost_total", &labels).absolute(media.lost);
        }
    }
}

fn relayed(turn: &turn::Stats) {
    gauge!("tallylight_turn_allocations").set(whole(turn.allocations));
    gauge!("tallylight_turn_connections").set(whole(turn.connections));
    counter!("tallylight_turn_allocations_total").absolute(turn.allocations_made);
    let refused = [
        ("peer", turn.refused_peers),
        ("credentials", turn.refused_credentials),
        ("quota", turn.refused_quota),
        ("rate", turn.refused_rate),
        ("connections", turn.refused_connections),
    ];
    for (reason, count) in refused {
        counter!("tallylight_turn_refused_total", "reason" => reason).absolute(count);
    }
    let ways = [
        ("sfu", turn.bytes_to_peers, turn.packets_to_peers),
        ("client", turn.bytes_to_clients, turn.packets_to_clients),
    ];
    for (to, bytes, packets) in ways {
        counter!("tallylight_turn_bytes_total", "to" => to).absolute(bytes);
        counter!("tallylight_turn_packets_total", "to" => to).absolute(packets);
    }
    let dropped = [
        ("rate", turn.dropped_rate),
        ("peer", turn.dropped_peers),
        ("full", turn.dropped_full),
    ];
    for (reason, count) in dropped {
        counter!("tallylight_turn_dropped_total", "reason" => reason).absolute(count);
    }
}

fn certificate(services: &Services) {
    let Some(certificates) = &services.certificates else {
        return;
    };
    let standing = certificates.standing();
    let now = services.clock.now();
    let is_good = |validity: Validity| validity.from <= now && now < validity.until;
    let is_well = standing.is_there
        && standing.is_for_us
        && standing.problem.is_none()
        && standing.validity.is_none_or(is_good);
    gauge!("tallylight_certificate_ok").set(whole(i32::from(is_well)));
    if let Some(validity) = standing.validity {
        gauge!("tallylight_certificate_expires_timestamp_seconds")
            .set(whole(validity.until.as_second()));
    }
}

/// What the kernel says of this process; nothing where it says nothing.
fn process() {
    gauge!("tallylight_tasks").set(whole(Handle::current().metrics().num_alive_tasks()));
    let resident = fs::read_to_string("/proc/self/status");
    let resident = resident.ok().and_then(|status| resident_bytes(&status));
    if let Some(bytes) = resident {
        gauge!("tallylight_resident_bytes").set(bytes);
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        gauge!("tallylight_open_files").set(whole(open.count()));
    }
    for (thread, seconds) in threads(Path::new("/proc/self/task")) {
        gauge!("tallylight_thread_cpu_seconds", "thread" => thread).set(seconds);
    }
}

fn resident_bytes(status: &str) -> Option<f64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1_024.0)
}

/// How long threads have run, by their names: each media thread has one of its own, others share theirs.
fn threads(folder: &Path) -> Vec<(String, f64)> {
    let mut all: Vec<(String, f64)> = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let stat = fs::read_to_string(entry.path().join("stat")).ok();
        let Some((name, seconds)) = stat.as_deref().and_then(ran) else {
            continue;
        };
        match all.iter_mut().find(|(known, _)| *known == name) {
            Some((_, sum)) => *sum += seconds,
            None => all.push((name, seconds)),
        }
    }
    all
}

/// Name, and seconds in user and kernel mode, of a line like `/proc/PID/stat` (proc(5)).
fn ran(stat: &str) -> Option<(String, f64)> {
    let (before, after) = stat.rsplit_once(')')?;
    let (_, name) = before.split_once('(')?;
    let mut fields = after.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let kernel: f64 = fields.next()?.parse().ok()?;
    Some((name.to_owned(), (user + kernel) / TICKS))
}

/// Nothing here comes near 2^53.
fn whole(number: impl TryInto<i64>) -> f64 {
    number.try_into().unwrap_or(i64::MAX) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_lines_are_read() {
        let line = "71 (media (0)) S 1 1 1 0 -1 4194304 1 0 0 0 250 50 0 0 20 0 9 0 100";
        assert_eq!(ran(line), Some(("media (0)".to_owned(), 3.0)));
        assert_eq!(ran("71 (media"), None);
        assert_eq!(
            resident_bytes("VmPeak: 9 kB\nVmRSS:\t  12 kB\n"),
            Some(12_288.0)
        );
        assert!(!threads(Path::new("/proc/self/task")).is_empty());
    }
}
