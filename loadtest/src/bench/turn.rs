//! `tallylight bench turn`: what it costs the server when viewers come through its TURN server, beside the same
//! viewers who come straight. They take turns, so that both are of one machine in one hour.

use std::fmt;
use std::time::Duration;

use anyhow::bail;
use serde::{Deserialize, Serialize};
use str0m::net::Protocol;

use super::webrtc::Run;
use super::{Stack, Turn, print, progress};
use crate::Route;
use crate::report::{self, float};

/// The ways to the media; the first is what the others are compared with.
const ROUTES: [(Route, &str); 3] = [
    (Route::Straight(Protocol::Udp), "straight over UDP"),
    (Route::Relayed(Protocol::Udp), "TURN over UDP"),
    (Route::Relayed(Protocol::Tcp), "TURN over TCP"),
];

/// What a run found.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Report {
    viewers: usize,
    rounds: usize,
    /// Length of each window.
    seconds: f64,
    routes: Vec<Found>,
    /// One sentence, when in some window we and not the server were the limit.
    client_limit: Option<String>,
}

/// What was found of a route: means of the rounds.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Found {
    route: String,
    /// The server's, for each packet that a viewer received.
    cpu_us_per_packet: f64,
    /// By how much that is dearer than straight, in the same round: mean, least and most.
    ratio: f64,
    least_ratio: f64,
    most_ratio: f64,
    /// Of one core of the server, for each Mbit/s of payload that viewers received.
    cpu_percent_per_megabit: f64,
    kilopackets_per_second: f64,
    frames_per_second: f64,
    /// Share of video packets that never came, 0 to 1.
    loss: f64,
    delivery_p50_ms: f64,
    delivery_p95_ms: f64,
    /// Our own CPU.
    client_us_per_packet: f64,
}

/// A window for each of the routes.
type Round = [report::Report; ROUTES.len()];

/// Runs the benchmark and prints what it found.
pub(super) async fn run(options: &Turn) -> anyhow::Result<()> {
    if options.target.server_pid.is_empty() {
        bail!("what TURN costs is CPU time of the server: give its process id with --server-pid");
    }
    let run = Run::prepare(&options.target, options.viewers)?;
    let mut rounds = Vec::new();
    for number in 1..=options.rounds {
        progress(&format!("round {number} of {}", options.rounds));
        rounds.push(round(&run, options).await?);
    }
    let report = Report::of(&rounds);
    print(&report, options.json)?;
    // Figures of something else than the server are no success.
    match report.client_limit {
        Some(sentence) => bail!(sentence),
        None => Ok(()),
    }
}

async fn round(run: &Run<'_>, options: &Turn) -> anyhow::Result<Round> {
    let mut round = Round::default();
    for ((route, name), measured) in ROUTES.iter().zip(&mut round) {
        progress(name);
        let mut crowd = run.publish(Stack::Str0m).await?;
        crowd.come_by(*route);
        let length = Duration::from_secs(options.duration.into());
        let window = run.measure(crowd, options.viewers, options.ramp, length);
        *measured = window.await?;
        run.require_all_pictures(measured)?;
    }
    Ok(round)
}

impl Report {
    fn of(rounds: &[Round]) -> Self {
        let windows = || rounds.iter().flatten();
        let first = windows().next();
        Self {
            viewers: first.map_or(0, |window| window.viewers),
            rounds: rounds.len(),
            seconds: first.map_or(0.0, |window| window.seconds),
            routes: (0..ROUTES.len()).map(|i| Found::of(rounds, i)).collect(),
            client_limit: windows().find_map(|window| window.client_limit.clone()),
        }
    }

    /// For the table of docs/BENCHMARKS.md: its head.
    pub(super) fn head(&self) -> String {
        format!(
            "`tallylight bench turn --whip URL --whep URL --viewers {} --duration {:.0} --rounds {} \
             --server-pid PID`, means of the rounds:\n\n{HEAD}\n{RULE}",
            self.viewers, self.seconds, self.rounds
        )
    }

    /// Its rows.
    pub(super) fn rows(&self, server: &str) -> String {
        let star = if self.is_limited() { " \\*" } else { "" };
        let rows = self.routes.iter().map(|found| {
            format!(
                "| {server}{star} | {} | {} | {:.1} | {:.2} ({:.2} to {:.2}) | {:.3} | {:.1} | {:.1} \
                 | {:.2} | {:.1} / {:.1} | {:.1} |\n",
                self.viewers,
                found.route,
                found.cpu_us_per_packet,
                found.ratio,
                found.least_ratio,
                found.most_ratio,
                found.cpu_percent_per_megabit,
                found.kilopackets_per_second,
                found.frames_per_second,
                found.loss * 100.0,
                found.delivery_p50_ms,
                found.delivery_p95_ms,
                found.client_us_per_packet,
            )
        });
        rows.collect()
    }

    pub(super) fn is_limited(&self) -> bool {
        self.client_limit.is_some()
    }
}

const HEAD: &str = "| server | viewers | way | µs/packet | ratio to straight | CPU % of a core a Mbit/s \
                    | kpkt/s | frames/s | loss % | delivery p50 / p95 | client µs/packet |";
const RULE: &str = "|---|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|";

impl Found {
    fn of(rounds: &[Round], index: usize) -> Self {
        let windows = || rounds.iter().filter_map(|round| round.get(index));
        let mean = |of: fn(&report::Report) -> f64| mean(windows().map(of));
        let straight = rounds.iter().map(|[straight, ..]| cost(straight));
        let ratios = windows().zip(straight);
        let ratios = ratios.map(|(window, straight)| cost(window) / straight.max(1e-9));
        let ratios: Vec<f64> = ratios.collect();
        Self {
            route: ROUTES.get(index).map_or("", |(_, name)| name).to_owned(),
            cpu_us_per_packet: mean(cost),
            ratio: self::mean(ratios.iter().copied()),
            least_ratio: ratios.iter().copied().fold(f64::INFINITY, f64::min),
            most_ratio: ratios.iter().copied().fold(0.0, f64::max),
            cpu_percent_per_megabit: mean(|window| {
                let percent = window.server.map_or(0.0, |server| server.cost.cpu_percent);
                percent / window.megabits_per_second.max(1e-9)
            }),
            kilopackets_per_second: mean(|window| {
                float(window.packets) / window.seconds.max(1e-9) / 1e3
            }),
            frames_per_second: mean(|window| window.frames_per_second),
            loss: mean(|window| window.loss),
            delivery_p50_ms: mean(|window| window.delivery.p50_ms),
            delivery_p95_ms: mean(|window| window.delivery.p95_ms),
            client_us_per_packet: mean(|window| window.client.cpu_us_per_packet),
        }
    }
}

fn cost(window: &report::Report) -> f64 {
    let server = window.server;
    server.map_or(0.0, |server| server.cost.cpu_us_per_packet)
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (count, sum) = values.fold((0, 0.0), |(count, sum), value| (count + 1, sum + value));
    sum / float(count).max(1.0)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} viewers by each way, means of {} rounds of {:.1} s",
            self.viewers, self.rounds, self.seconds
        )?;
        for found in &self.routes {
            write!(
                f,
                "\n  {:18} {:6.2} us CPU a packet, {:.2} times straight ({:.2} to {:.2}); {:.3} % of a \
                 core a Mbit/s; {:.2} frames/s; {:.3} % lost; {:.1} ms",
                found.route,
                found.cpu_us_per_packet,
                found.ratio,
                found.least_ratio,
                found.most_ratio,
                found.cpu_percent_per_megabit,
                found.frames_per_second,
                found.loss * 100.0,
                found.delivery_p50_ms
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::ServerCost;

    fn window(cpu_us_per_packet: f64, cpu_percent: f64) -> report::Report {
        let mut server = ServerCost::default();
        server.cost.cpu_us_per_packet = cpu_us_per_packet;
        server.cost.cpu_percent = cpu_percent;
        report::Report {
            viewers: 50,
            seconds: 10.0,
            packets: 170_000,
            megabits_per_second: 130.0,
            server: Some(server),
            ..report::Report::default()
        }
    }

    fn rounds() -> [Round; 2] {
        [
            [window(5.0, 8.5), window(10.0, 17.0), window(15.0, 26.0)],
            [window(4.0, 6.5), window(12.0, 20.0), window(16.0, 26.0)],
        ]
    }

    #[test]
    fn ratios_are_of_the_same_round() {
        let report = Report::of(&rounds());
        let [straight, udp, tcp] = report.routes.as_slice() else {
            panic!("not three: {report:?}");
        };
        assert!((straight.ratio - 1.0).abs() < 1e-9 && (udp.ratio - 2.5).abs() < 1e-9);
        assert!((udp.least_ratio - 2.0).abs() < 1e-9 && (udp.most_ratio - 3.0).abs() < 1e-9);
        assert!((udp.cpu_us_per_packet - 11.0).abs() < 1e-9);
        assert!((tcp.cpu_percent_per_megabit - 0.2).abs() < 1e-9);
        assert_eq!(report.client_limit, None);
    }

    #[test]
    fn whose_limit_a_window_was_is_told() {
        let mut rounds = rounds();
        rounds[1][2].client_limit = Some("This client was the limit.".to_owned());
        let report = Report::of(&rounds);
        assert!(report.is_limited());
        assert!(
            report
                .rows("A")
                .starts_with("| A \\* | 50 | straight over UDP | 4.5 |")
        );
    }

    #[test]
    fn every_row_has_as_many_cells_as_the_head() {
        let cells = |line: &str| line.matches('|').count();
        assert_eq!(cells(HEAD), cells(RULE));
        let rows = Report::of(&rounds()).rows("A");
        assert_eq!(rows.lines().count(), 3);
        assert!(rows.lines().all(|row| cells(row) == cells(HEAD)), "{rows}");
    }
}
