//! `tallylight bench table`: what runs wrote with `--json`, as the table of docs/BENCHMARKS.md.
//!
//! It stands between two comments and is replaced as a whole, so that all its rows are of one
//! machine, one commit and one day: others must not be set beside each other.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use anyhow::{Context as _, bail};
use serde::Deserialize;

use super::capacity::Found;
use super::{Table, audience, chat, cores, encoders, turn};
use crate::report::{Report, float};

/// The line before the table.
const BEGIN: &str = "<!-- `make bench` writes from here -->";
/// The line after it.
const END: &str = "<!-- to here -->";

/// What a run wrote.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Run {
    Webrtc(Box<Report>),
    Capacity(Found),
    Turn(turn::Report),
    Hls(Box<audience::Report>),
    Rtmp(encoders::Report),
    Chat(Box<chat::Report>),
}

/// A run and whose it is.
struct Named {
    server: String,
    run: Run,
}

/// Where and when.
struct Setting<'a> {
    date: &'a str,
    commit: &'a str,
    machine: String,
}

/// Writes the table into the file, and prints it.
pub(super) fn run(options: &Table) -> anyhow::Result<()> {
    let runs = options.runs.iter().map(|run| read(run));
    let runs = runs.collect::<anyhow::Result<Vec<Named>>>()?;
    let setting = Setting {
        date: &options.date,
        commit: &options.commit,
        machine: machine(),
    };
    let mut table = table(&setting, &runs)?;
    for appendix in &options.appendix {
        let text = fs::read_to_string(appendix)
            .with_context(|| format!("cannot read {}", appendix.display()))?;
        let _ = write!(table, "\n{}\n", text.trim());
    }
    write_into(&options.into, &table)?;
    write!(io::stdout(), "{table}").context("cannot write to standard output")
}

/// Reads `NAME=FILE`.
fn read(run: &str) -> anyhow::Result<Named> {
    let Some((server, file)) = run.split_once('=') else {
        bail!("`{run}` is not of the form NAME=FILE");
    };
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?;
    let run = serde_json::from_str(&text)
        .with_context(|| format!("{file} is nothing that `tallylight bench … --json` wrote"))?;
    Ok(Named {
        // It becomes a cell.
        server: server.replace(['|', '\n'], " "),
        run,
    })
}

fn write_into(path: &Path, table: &str) -> anyhow::Result<()> {
    let shown = path.display();
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))?;
    let text = replaced(&text, table)
        .with_context(|| format!("{shown} lacks the line `{BEGIN}`, or `{END}` after it"))?;
    // At once or not at all.
    let unfinished = path.with_extension("unfinished");
    fs::write(&unfinished, text).with_context(|| format!("cannot write beside {shown}"))?;
    fs::rename(&unfinished, path).with_context(|| format!("cannot replace {shown}"))
}

/// The text with that table between the comments; none when they are not there.
fn replaced(text: &str, table: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{table}{END}{after}"))
}

fn machine() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu_model(&cpu).unwrap_or(std::env::consts::ARCH);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{cpu}, {} cores, Linux {}", cores(), kernel.trim())
}

fn cpu_model(page: &str) -> Option<&str> {
    let line = page.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim())
}

fn table(setting: &Setting<'_>, runs: &[Named]) -> Result<String, std::fmt::Error> {
    let Setting {
        date,
        commit,
        machine,
    } = setting;
    let mut text = String::new();
    writeln!(text, "{date}, commit {commit}, {machine}; one run each.\n")?;
    of_webrtc(&mut text, runs)?;
    of_turn(&mut text, runs)?;
    for named in runs {
        if let Some(line) = line(&named.run) {
            writeln!(text, "- {}: {line}", named.server)?;
        }
    }
    Ok(text)
}

fn of_webrtc(text: &mut String, runs: &[Named]) -> std::fmt::Result {
    let reports = runs.iter().filter_map(|named| match &named.run {
        Run::Webrtc(report) => Some((named.server.as_str(), report.as_ref())),
        _ => None,
    });
    let reports: Vec<_> = reports.collect();
    let Some((_, first)) = reports.first() else {
        return Ok(());
    };
    writeln!(
        text,
        "`tallylight bench webrtc --whip URL --whep URL --viewers N --layers L --duration {:.0} \
         --server-pid PID`:\n\n{HEAD}\n{RULE}",
        first.seconds
    )?;
    for (server, report) in &reports {
        writeln!(text, "{}", row(server, report))?;
    }
    end(text, reports.iter().any(|(_, report)| is_limited(report)))
}

fn of_turn(text: &mut String, runs: &[Named]) -> std::fmt::Result {
    for named in runs {
        if let Run::Turn(report) = &named.run {
            write!(text, "{}\n{}", report.head(), report.rows(&named.server))?;
            end(text, report.is_limited())?;
        }
    }
    Ok(())
}

/// What is below rows.
fn end(text: &mut String, limited: bool) -> std::fmt::Result {
    if limited {
        writeln!(
            text,
            "\n\\* Not the server, but the client or the machine was the limit."
        )?;
    }
    writeln!(text)
}

const HEAD: &str = "| server | viewers | layers | µs/packet | CPU % of a core | kpkt/s | frames/s, \
                    least | loss % | delivery p50 / p95 / p99 / max | key frames p50 / p99 | join: \
                    answer p50 / p95 | ICE | DTLS | first packet | first key frame | KiB/viewer | \
                    calls/packet | client µs/packet |";
const RULE: &str = "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|";

fn is_limited(report: &Report) -> bool {
    report.client_limit.is_some()
}

fn row(server: &str, report: &Report) -> String {
    let star = if is_limited(report) { " \\*" } else { "" };
    let (cpu, percent, memory) = match &report.server {
        Some(server) => (
            format!("{:.1}", server.cost.cpu_us_per_packet),
            format!("{:.1}", server.cost.cpu_percent),
            server.rss_kib_per_viewer.to_string(),
        ),
        None => Default::default(),
    };
    let viewers = match report.joined == report.viewers {
        true => report.viewers.to_string(),
        false => format!("{} of {}", report.joined, report.viewers),
    };
    let (delivery, key) = (&report.delivery, &report.key_frame_delivery);
    let join = &report.join;
    let calls = report.calls.map(|calls| {
        let all = calls.calls_per_packet;
        format!("{:.3}", all.unwrap_or(calls.send_calls_per_packet))
    });
    let mut cells = vec![
        format!("{server}{star}"),
        viewers,
        report.layers.to_string(),
        cpu,
        percent,
        format!(
            "{:.1}",
            float(report.packets) / report.seconds.max(1e-9) / 1e3
        ),
        format!(
            "{:.1}, {:.1}",
            report.frames_per_second, report.fewest_frames_per_second
        ),
        format!("{:.2}", report.loss * 100.0),
        format!(
            "{:.1} / {:.1} / {:.1} / {:.1}",
            delivery.p50_ms, delivery.p95_ms, delivery.p99_ms, delivery.max_ms
        ),
        format!("{:.1} / {:.1}", key.p50_ms, key.p99_ms),
    ];
    let milestones = [
        join.answer,
        join.ice,
        join.dtls,
        join.first_packet,
        join.first_key_frame,
    ];
    cells.extend(milestones.map(|spread| format!("{:.1} / {:.1}", spread.p50_ms, spread.p95_ms)));
    cells.extend([
        memory,
        calls.unwrap_or_default(),
        format!("{:.1}", report.client.cpu_us_per_packet),
    ]);
    format!("| {} |", cells.join(" | "))
}

/// A run that is no row.
fn line(run: &Run) -> Option<String> {
    match run {
        Run::Webrtc(_) | Run::Turn(_) => None,
        Run::Capacity(found) => Some(format!("`bench capacity`: {}", found.sentence)),
        Run::Hls(report) => Some(report.line()),
        Run::Rtmp(report) => Some(report.line()),
        Run::Chat(report) => Some(report.line()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Calls, ServerCost};

    fn report() -> Report {
        let mut report = Report {
            stack: "str0m".to_owned(),
            layers: 1,
            viewers: 100,
            joined: 100,
            seconds: 10.0,
            packets: 340_000,
            loss: 0.0012,
            frames_per_second: 30.04,
            fewest_frames_per_second: 29.9,
            ..Report::default()
        };
        report.delivery.p99_ms = 12.34;
        let mut server = ServerCost {
            rss_kib_per_viewer: 250,
            ..ServerCost::default()
        };
        server.cost.cpu_us_per_packet = 2.31;
        report.server = Some(server);
        report
    }

    fn named(server: &str, run: Run) -> Named {
        Named {
            server: server.to_owned(),
            run,
        }
    }

    fn setting() -> Setting<'static> {
        Setting {
            date: "2026-11-26",
            commit: "abc1234",
            machine: "Some CPU, 2 cores, Linux 6.1".to_owned(),
        }
    }

    #[test]
    fn every_row_has_as_many_cells_as_the_head() {
        let cells = |line: &str| line.matches('|').count();
        assert_eq!(cells(HEAD), cells(RULE));
        let mut whole = report();
        whole.calls = Some(Calls::default());
        for report in [whole, Report::default()] {
            assert_eq!(cells(&row("SRS 7", &report)), cells(HEAD));
        }
    }

    #[test]
    fn a_row_tells_what_was_measured() {
        let row = row("Tallylight", &report());
        let start =
            "| Tallylight | 100 | 1 | 2.3 | 0.0 | 34.0 | 30.0, 29.9 | 0.12 | 0.0 / 0.0 / 12.3";
        assert!(row.starts_with(start), "{row}");
        assert!(row.contains("| 250 |"), "{row}");
    }

    #[test]
    fn whose_limit_it_was_is_marked() {
        let mut limited = report();
        limited.client_limit = Some("This client was the limit.".to_owned());
        let runs = [named("A", Run::Webrtc(Box::new(limited)))];
        let text = table(&setting(), &runs).unwrap();
        assert!(text.contains("| A \\* |") && text.contains("\n\\* Not the server"));
        let runs = [named("A", Run::Webrtc(Box::new(report())))];
        assert!(!table(&setting(), &runs).unwrap().contains("\\*"));
    }

    #[test]
    fn only_what_is_between_the_comments_is_replaced() {
        let text = format!("# A\n{BEGIN}\nold | rows\n{END}\nend\n");
        let once = replaced(&text, "new\n").unwrap();
        assert_eq!(once, format!("# A\n{BEGIN}\nnew\n{END}\nend\n"));
        assert_eq!(replaced(&once, "new\n").unwrap(), once);
        assert_eq!(replaced("# A\n", "new\n"), None);
        assert_eq!(replaced(&format!("{END}\n{BEGIN}\n"), "new\n"), None);
    }

    #[test]
    fn what_runs_write_is_read_back() {
        let folder = std::env::temp_dir().join(format!("bench-table-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (run, book) = (folder.join("run.json"), folder.join("book.md"));
        fs::write(&run, serde_json::to_string(&report()).unwrap()).unwrap();
        fs::write(&book, format!("{BEGIN}\n{END}\n")).unwrap();
        let options = |run: String| Table {
            into: book.clone(),
            date: "2026-11-26".to_owned(),
            commit: "abc1234".to_owned(),
            appendix: Vec::new(),
            runs: vec![run],
        };
        super::run(&options(format!("A|B={}", run.display()))).unwrap();
        let text = fs::read_to_string(&book).unwrap();
        assert!(text.contains("2026-11-26, commit abc1234, "), "{text}");
        assert!(text.contains("\n| A B | 100 | 1 | 2.3 |"), "{text}");
        let error = super::run(&options("nothing".to_owned())).unwrap_err();
        assert!(error.to_string().contains("NAME=FILE"), "{error}");
        let error = super::run(&options(format!("A={}", book.display()))).unwrap_err();
        assert!(error.to_string().contains("is nothing that"), "{error}");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_chat_is_a_line() {
        let mut report = chat::Report::default();
        report
            .sentence
            .push_str("100 messages a second reach 2000 readers");
        let text = serde_json::to_string(&report).unwrap();
        let line = line(&serde_json::from_str(&text).unwrap()).unwrap();
        assert_eq!(
            line,
            "`bench chat`: 100 messages a second reach 2000 readers."
        );
    }

    #[test]
    fn the_documentation_has_its_place() {
        let book = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/BENCHMARKS.md");
        let text = fs::read_to_string(book).unwrap();
        assert!(replaced(&text, "").is_some());
    }

    #[test]
    fn a_processor_has_a_name() {
        let page = "processor\t: 0\nmodel name\t: Some CPU @ 3 GHz\nflags\t: x\n";
        assert_eq!(cpu_model(page), Some("Some CPU @ 3 GHz"));
        assert!(machine().contains("cores, Linux "));
    }
}
