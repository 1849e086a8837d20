//! What a run of a chat found.

use std::fmt;
use std::time::Duration;

use anyhow::bail;
use serde::{Deserialize, Serialize};

use super::super::Chat;
use super::crowd::Crowd;
use super::flood::Flood;
use super::{Measured, TICK};
use crate::Latencies;
use crate::chat::seen::{Did, Ear};
use crate::process::Usage;
use crate::report::{Cost, Spread, float};

/// All that a run found.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in super::super) struct Report {
    /// The answer in one sentence.
    pub(in super::super) sentence: String,
    /// Readers by WebSocket.
    sockets: usize,
    /// Readers by data channel.
    data_channels: usize,
    /// Accounts that wrote; they read, too.
    speakers: usize,
    seconds: f64,
    /// Messages that were to be said, by how many a second.
    rate: u16,
    /// Messages that were said, and those that all were to get.
    said: u64,
    accepted: u64,
    held: u64,
    /// Messages that were refused.
    refused: u64,
    /// The first code of refusal.
    refused_for: Option<String>,
    /// Messages that reached somebody, each counted for each reader.
    delivered: u64,
    delivered_per_second: f64,
    /// Frames with messages, over all readers.
    frames: u64,
    messages_per_frame: f64,
    /// From sending to receiving, by WebSocket and by data channel.
    socket_latency: Spread,
    data_channel_latency: Spread,
    lost: u64,
    duplicates: u64,
    disordered: u64,
    /// Readers whose connection ended before the end, and why that of the first.
    gone: usize,
    gone_for: Option<String>,
    reactions: Option<Reactions>,
    flood: Option<Flood>,
    server: Option<Server>,
    /// Our own cost, for each message that was delivered.
    client: Cost,
    busiest_thread_percent: f64,
    machine_percent: f64,
    /// One sentence, when we and not the server were the limit.
    pub(in super::super) client_limit: Option<String>,
}

/// Reactions, which are told together.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Reactions {
    sent: u64,
    refused: u64,
    /// What the reader who was told the most was told.
    counted: u64,
    /// Frames about them, a reader in a tick of 250 ms.
    frames_per_tick: f64,
}

/// What it cost the server.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Server {
    /// In the window, in per cent of a core.
    cpu_percent: f64,
    /// The same while nobody said anything.
    idle_cpu_percent: f64,
    /// What is above that, for each message that was delivered.
    cpu_us_per_delivery: f64,
    rss_kib: u64,
    /// Growth for each who came and said nothing.
    rss_kib_per_socket: f64,
    /// The same for those who watch as well.
    rss_kib_per_data_channel: Option<f64>,
}

/// A client that says less than this of what it was to say was too slow.
const LEAST_SAID: f64 = 0.95;

/// Makes the report.
pub(super) fn of(options: &Chat, crowd: &Crowd, measured: Measured) -> Report {
    let window = (measured.to.at).saturating_duration_since(measured.from.at);
    let mut did = Did::default();
    for writer in &crowd.writers {
        did.add(&writer.ear.seen().did);
    }
    let mut report = Report {
        // Those who wrote, or might have as guests, sit at WebSockets as well.
        sockets: crowd.readers.len() + crowd.writers.len(),
        data_channels: crowd.watchers.len(),
        speakers: measured.speakers,
        seconds: window.as_secs_f64(),
        rate: options.rate,
        said: did.said,
        accepted: did.accepted,
        held: did.held,
        refused: did.refused.values().sum(),
        refused_for: did.refused.keys().next().cloned(),
        ..Report::default()
    };
    let mut told = Reactions {
        sent: did.reacted,
        refused: did.unreacted,
        ..Reactions::default()
    };
    let mut reaction_frames = 0;
    for ear in crowd.ears() {
        let seen = ear.seen();
        report.delivered += seen.messages;
        report.frames += seen.frames;
        report.duplicates += seen.duplicates;
        report.disordered += seen.disordered;
        reaction_frames += seen.reaction_frames;
        told.counted = told.counted.max(seen.reactions);
        match &seen.closed {
            Some(why) => {
                report.gone += 1;
                report.gone_for.get_or_insert_with(|| why.clone());
            }
            // What somebody lacks who went is told by their going.
            None => report.lost += did.accepted.saturating_sub(seen.messages),
        }
    }
    let readers = u64::try_from(report.readers()).unwrap_or(u64::MAX);
    let ticks = window.as_secs_f64() / TICK.as_secs_f64() * float(readers);
    told.frames_per_tick = float(reaction_frames) / ticks.max(1e-9);
    report.reactions = (options.react > 0).then_some(told);
    report.delivered_per_second = float(report.delivered) / report.seconds.max(1e-9);
    report.messages_per_frame = float(report.delivered) / float(report.frames.max(1));
    let of_sockets = crowd.readers.iter();
    let of_sockets = of_sockets.chain(crowd.writers.iter().map(|writer| &writer.ear));
    report.socket_latency = spread(of_sockets);
    report.data_channel_latency = spread(crowd.watchers.iter());
    report.flood.clone_from(&measured.flood);
    report.take_costs(options, &measured, window);
    report.sentence = report.in_a_sentence();
    report
}

fn spread<'a>(ears: impl Iterator<Item = &'a Ear>) -> Spread {
    let mut all = Latencies::default();
    ears.for_each(|ear| all.add(&ear.seen().latencies));
    all.spread()
}

impl Report {
    fn readers(&self) -> usize {
        self.sockets + self.data_channels
    }

    fn take_costs(&mut self, options: &Chat, measured: &Measured, window: Duration) {
        let (from, to) = (&measured.from, &measured.to);
        let [before, seated, unwatched, watching] = measured.memory;
        self.server = from.server.zip(to.server).map(|(from, to)| {
            let cpu = to.cpu.saturating_sub(from.cpu).as_secs_f64();
            let idle = measured.idle_share * window.as_secs_f64();
            Server {
                cpu_percent: cpu / window.as_secs_f64().max(1e-9) * 100.0,
                idle_cpu_percent: measured.idle_share * 100.0,
                cpu_us_per_delivery: (cpu - idle).max(0.0) * 1e6 / float(self.delivered.max(1)),
                rss_kib: to.rss_kib,
                rss_kib_per_socket: growth(before, seated, options.sockets).unwrap_or_default(),
                rss_kib_per_data_channel: growth(unwatched, watching, options.data_channels),
            }
        });
        self.client = Cost::between(from.client, to.client, window, self.delivered);
        let server = self.server.as_ref();
        let busy = from.ourselves.busy_until(
            &to.ourselves,
            window,
            self.client.cpu_percent / 100.0,
            server.map(|server| server.cpu_percent / 100.0),
        );
        self.busiest_thread_percent = busy.thread_share * 100.0;
        self.machine_percent = busy.machine_share * 100.0;
        self.client_limit = busy.limit().or_else(|| self.too_little(measured.unsaid));
    }

    /// One sentence, when less was said than was to be.
    fn too_little(&self, unsaid: u64) -> Option<String> {
        let rate = float(self.said) / self.seconds.max(1e-9);
        let is_slow = unsaid > 0 || rate < f64::from(self.rate) * LEAST_SAID;
        (is_slow && self.gone == 0).then(|| {
            format!(
                "This client was the limit: it said {rate:.1} of {} messages a second.",
                self.rate
            )
        })
    }

    fn in_a_sentence(&self) -> String {
        let cost = self.server.as_ref().map_or_else(String::new, |server| {
            format!(
                ", {:.2} µs CPU each; {:.1} KiB an idle WebSocket",
                server.cpu_us_per_delivery, server.rss_kib_per_socket
            )
        });
        let channels = match self.data_channels {
            0 => String::new(),
            many => format!(
                ", by {many} data channels {:.1} / {:.1} / {:.1}",
                self.data_channel_latency.p50_ms,
                self.data_channel_latency.p95_ms,
                self.data_channel_latency.p99_ms
            ),
        };
        format!(
            "{:.0} messages a second reach {} readers: {:.0} deliveries/s{cost}; there within p50 \
             {:.1} / p95 {:.1} / p99 {:.1} ms by WebSocket{channels}; {} lost, {} twice, {} in \
             disorder, {} readers gone",
            float(self.accepted) / self.seconds.max(1e-9),
            self.readers(),
            self.delivered_per_second,
            self.socket_latency.p50_ms,
            self.socket_latency.p95_ms,
            self.socket_latency.p99_ms,
            self.lost,
            self.duplicates,
            self.disordered,
            self.gone
        )
    }

    /// The same in one line.
    pub(in super::super) fn line(&self) -> String {
        let star = self.client_limit.as_ref().map_or("", |limit| limit);
        format!("`bench chat`: {}. {star}", self.sentence)
            .trim_end()
            .to_owned()
    }

    /// Fails when somebody was not told everything, once and in order, or when the figures are of
    /// something else than the server.
    pub(super) fn verdict(&self) -> anyhow::Result<()> {
        if let Some(why) = &self.gone_for {
            bail!(
                "{} readers did not stay to the end, the first for this: {why}",
                self.gone
            );
        }
        if self.lost + self.duplicates + self.disordered > 0 {
            bail!(
                "messages did not come as they were said: {} lost, {} twice, {} in disorder",
                self.lost,
                self.duplicates,
                self.disordered
            );
        }
        if self.accepted == 0 {
            bail!("nothing was said{}", self.refusal());
        }
        let answered = self.accepted + self.held + self.refused;
        if answered < self.said {
            bail!("{} messages got no answer", self.said - answered);
        }
        match &self.client_limit {
            Some(sentence) => bail!(sentence.clone()),
            None if self.refused > 0 => {
                bail!("{} messages were refused{}", self.refused, self.refusal())
            }
            None => Ok(()),
        }
    }

    fn refusal(&self) -> String {
        let code = self.refused_for.as_ref();
        code.map_or_else(String::new, |code| format!(": {code}"))
    }
}

/// What memory grew by for each, in KiB.
fn growth(before: Option<Usage>, after: Option<Usage>, count: u16) -> Option<f64> {
    let (before, after) = before.zip(after)?;
    let grown = after.rss_kib.saturating_sub(before.rss_kib);
    Some(float(grown) / f64::from(count.max(1)))
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} readers by WebSocket, {} by data channel; {} accounts write; {:.1} s",
            self.sockets, self.data_channels, self.speakers, self.seconds
        )?;
        writeln!(
            f,
            "  said          {} messages of {} a second; {} accepted, {} held, {} refused{}",
            self.said,
            self.rate,
            self.accepted,
            self.held,
            self.refused,
            self.refusal()
        )?;
        writeln!(
            f,
            "  delivered     {:.0} /s; {} lost, {} twice, {} in disorder; {} readers gone",
            self.delivered_per_second, self.lost, self.duplicates, self.disordered, self.gone
        )?;
        writeln!(
            f,
            "  frames        {:.0} /s, {:.2} messages each",
            float(self.frames) / self.seconds.max(1e-9),
            self.messages_per_frame
        )?;
        writeln!(f, "  ms                 p50      p95      p99      max")?;
        writeln!(f, "  WebSocket     {}", self.socket_latency)?;
        writeln!(f, "  data channel  {}", self.data_channel_latency)?;
        if let Some(reactions) = &self.reactions {
            writeln!(
                f,
                "  reactions     {} sent, {} refused, {} told of; {:.2} frames in a tick of 250 ms",
                reactions.sent, reactions.refused, reactions.counted, reactions.frames_per_tick
            )?;
        }
        if let Some(flood) = &self.flood {
            writeln!(
                f,
                "  flood         {} bots sent {}: {} accepted, {} refused; thrown out {} times, kept \
                 out {} times",
                flood.bots,
                flood.sent,
                flood.accepted,
                flood.refused,
                flood.thrown_out,
                flood.kept_out
            )?;
        }
        if let Some(server) = &self.server {
            write!(
                f,
                "  server        {:.2} us CPU a delivery, {:.1} % of a core, {:.1} % while nobody \
                 speaks; {:.1} KiB a WebSocket",
                server.cpu_us_per_delivery,
                server.cpu_percent,
                server.idle_cpu_percent,
                server.rss_kib_per_socket
            )?;
            if let Some(kib) = server.rss_kib_per_data_channel {
                write!(f, ", {kib:.1} a viewer with data channel")?;
            }
            writeln!(f, ", {} in all", server.rss_kib)?;
        }
        writeln!(
            f,
            "  this client   {:.2} us CPU a delivery, {:.1} % of a core, its busiest thread {:.1} %",
            self.client.cpu_us_per_packet, self.client.cpu_percent, self.busiest_thread_percent
        )?;
        write!(f, "{}", self.sentence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn well() -> Report {
        Report {
            sockets: 10,
            rate: 100,
            seconds: 2.0,
            said: 200,
            accepted: 200,
            delivered: 2_000,
            delivered_per_second: 1_000.0,
            ..Report::default()
        }
    }

    #[test]
    fn whatever_a_reader_lacks_fails_the_run() {
        assert!(well().verdict().is_ok());
        let words = |report: Report| report.verdict().unwrap_err().to_string();
        let lost = Report { lost: 1, ..well() };
        assert!(words(lost).contains("1 lost"));
        let disordered = Report {
            disordered: 2,
            ..well()
        };
        assert!(words(disordered).contains("2 in disorder"));
        let gone = Report {
            gone: 1,
            gone_for: Some("slow_reader: x".to_owned()),
            ..well()
        };
        assert!(words(gone).ends_with("slow_reader: x"));
        let unanswered = Report {
            accepted: 190,
            ..well()
        };
        assert!(words(unanswered).starts_with("10 messages got no answer"));
        let refused = Report {
            accepted: 190,
            refused: 10,
            refused_for: Some("too_fast".to_owned()),
            ..well()
        };
        assert_eq!(words(refused), "10 messages were refused: too_fast");
    }

    #[test]
    fn a_client_that_says_too_little_is_the_limit() {
        assert_eq!(well().too_little(0), None);
        assert!(well().too_little(1).is_some());
        let slow = Report {
            said: 180,
            ..well()
        };
        let words = slow.too_little(0).unwrap();
        assert!(words.contains("90.0 of 100 messages"), "{words}");
    }

    #[test]
    fn memory_is_told_for_each_who_came() {
        let usage = |rss_kib| {
            Some(Usage {
                rss_kib,
                ..Usage::default()
            })
        };
        let kib = growth(usage(1_000), usage(9_000), 400).unwrap();
        assert!((kib - 20.0).abs() < 1e-9);
        assert_eq!(growth(None, usage(1), 1), None);
    }
}
