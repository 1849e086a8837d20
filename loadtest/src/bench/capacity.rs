//! `tallylight bench capacity`: more and more viewers, until it is too many for the server.

use std::fmt;
use std::time::Duration;

use anyhow::bail;
use serde::{Deserialize, Serialize};

use super::advice::http_error;
use super::crowd::Crowd;
use super::webrtc::{Look, Run, refused};
use super::{Capacity, Stack, print, progress};
use crate::report::Report;
use crate::signalling::Endpoint;

/// Of each hundred packets, so many may be lost.
const MOST_LOST: f64 = 0.005;
/// Of each hundred frames, so many must be seen.
const FEWEST_FRAMES: f64 = 0.95;
/// So late may the 99th of a hundred frames come.
const LATEST_MS: f64 = 200.0;
/// A step that shows trouble is measured once more: a machine has bad moments.
const TRIES: usize = 2;

/// What a run found.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Found {
    /// The answer in one sentence.
    pub(super) sentence: String,
    /// Most viewers that the server was seen to hold.
    pub(super) holds: usize,
    /// Whether it may hold more: not the server, but this client or `--most` ended the run.
    pub(super) at_least: bool,
    pub(super) steps: Vec<Step>,
}

/// One number of viewers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Step {
    pub(super) viewers: usize,
    pub(super) trouble: Option<Trouble>,
    pub(super) report: Report,
}

/// Why a number of viewers is too large.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Trouble {
    /// So many were shown no picture.
    Blind(usize),
    /// The server ended so many sessions.
    Ended(usize),
    /// Share of packets, 0 to 1.
    Lost(f64),
    /// Frames a second that a viewer saw, and that were published.
    Frames { seen: f64, published: f64 },
    /// The 99th of a hundred frames, in ms.
    Late(f64),
}

/// Why there were no more steps.
#[derive(Debug, Clone, PartialEq)]
enum End {
    /// The server had trouble with so many.
    Trouble(usize, Trouble),
    /// Somebody had, and this sentence says that it was the client.
    Client(usize, Trouble, String),
    /// The server refused the next one in these words.
    Refused(usize, String),
    /// Nobody asked for more.
    Most,
}

/// What the sentence says beside the end.
struct Setting {
    /// Whose capacity it is.
    server: &'static str,
    stream: String,
}

/// Runs the benchmark and prints what it found.
pub(super) async fn run(options: &Capacity) -> anyhow::Result<()> {
    let run = Run::prepare(&options.target, options.most)?;
    let setting = Setting::of(options, &run)?;
    let mut crowd = run.publish(Stack::Str0m).await?;
    let climbed = climb(&run, &mut crowd, options).await;
    progress("leaving");
    crowd.leave().await;
    let (steps, end) = climbed?;
    let holds = held(&steps);
    let found = Found {
        sentence: setting.sentence(holds, &end),
        holds,
        at_least: matches!(end, End::Client(..) | End::Most),
        steps,
    };
    print(&found, options.json)?;
    if found.holds == 0 && found.at_least {
        bail!(
            "not even the first step could be measured; run it on another machine, or end other programs"
        );
    }
    Ok(())
}

/// Goes up step by step, until the end.
async fn climb(
    run: &Run<'_>,
    crowd: &mut Crowd,
    options: &Capacity,
) -> anyhow::Result<(Vec<Step>, End)> {
    run.until_live(crowd).await?;
    let before = run.look().await?;
    let most = usize::from(options.most);
    let mut steps: Vec<Step> = Vec::new();
    while crowd.viewers() < most {
        let by = usize::from(options.step).min(most - crowd.viewers());
        if let Err(error) = run.grow(crowd, by, options.ramp).await {
            let words = http_error(&error).filter(|error| error.status().is_some());
            let words = words.map(ToString::to_string);
            // Who refuses the very first ones has no limit, but another reason.
            return match words.filter(|_| !steps.is_empty()) {
                Some(words) => Ok((steps, End::Refused(crowd.viewers() + 1, words))),
                None => Err(refused(crowd, error)),
            };
        }
        let step = measure(run, crowd, &before, options).await?;
        progress(&step.to_string());
        let (viewers, trouble) = (step.viewers, step.trouble);
        let client = step.report.client_limit.clone();
        steps.push(step);
        match (trouble, client) {
            (None, _) => {}
            (Some(trouble), Some(client)) => {
                return Ok((steps, End::Client(viewers, trouble, client)));
            }
            (Some(trouble), None) => return Ok((steps, End::Trouble(viewers, trouble))),
        }
    }
    Ok((steps, End::Most))
}

/// Measures those who are there, once all have their picture and nobody is joining any more.
async fn measure(
    run: &Run<'_>,
    crowd: &Crowd,
    before: &Look,
    options: &Capacity,
) -> anyhow::Result<Step> {
    let length = Duration::from_secs(options.step_duration.into());
    let mut tries = 0;
    loop {
        tries += 1;
        let tally = run.until_seen(crowd).await?;
        run.require_a_picture(crowd, tally).await?;
        run.settle().await?;
        let report = run.window(crowd, before, length).await?;
        let trouble = Trouble::in_report(&report);
        if trouble.is_none() || tries >= TRIES {
            return Ok(Step {
                viewers: crowd.viewers(),
                trouble,
                report,
            });
        }
        progress(&format!("{} viewers once more", crowd.viewers()));
    }
}

/// The largest number that went well.
fn held(steps: &[Step]) -> usize {
    let good = steps.iter().filter(|step| step.trouble.is_none());
    good.map(|step| step.viewers).max().unwrap_or(0)
}

impl Trouble {
    /// The worst first: what is not there cannot be late.
    fn in_report(report: &Report) -> Option<Self> {
        let (seen, published) = (report.frames_per_second, report.published_frames_per_second);
        if report.closed > 0 {
            Some(Self::Ended(report.closed))
        } else if report.joined < report.viewers {
            Some(Self::Blind(report.viewers - report.joined))
        } else if report.loss > MOST_LOST {
            Some(Self::Lost(report.loss))
        } else if seen < published * FEWEST_FRAMES {
            Some(Self::Frames { seen, published })
        } else if report.delivery.p99_ms > LATEST_MS {
            Some(Self::Late(report.delivery.p99_ms))
        } else {
            None
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blind(1) => f.write_str("one viewer was shown no picture"),
            Self::Blind(count) => write!(f, "{count} viewers were shown no picture"),
            Self::Ended(1) => f.write_str("the server ended a session"),
            Self::Ended(count) => write!(f, "the server ended {count} sessions"),
            Self::Lost(share) => write!(f, "{:.1} % of the packets were lost", share * 100.0),
            Self::Frames { seen, published } => write!(
                f,
                "a viewer saw {seen:.1} of {published:.1} frames a second"
            ),
            Self::Late(ms) => write!(f, "the 99th of 100 frames came {ms:.0} ms late"),
        }
    }
}

impl Setting {
    fn of(options: &Capacity, run: &Run<'_>) -> anyhow::Result<Self> {
        let whep = Endpoint::new(&options.target.whep, None)?;
        let megabits = run.source.bits_per_second() / 1e6;
        let layers = match options.target.layers {
            1 => String::new(),
            layers => format!(" in {layers} layers"),
        };
        Ok(Self {
            server: match whep.is_loopback() {
                true => "This machine",
                false => "The server",
            },
            stream: format!("a {megabits:.1} Mbit/s stream{layers}"),
        })
    }

    /// The answer.
    fn sentence(&self, holds: usize, end: &End) -> String {
        let Self { server, stream } = self;
        match end {
            End::Trouble(viewers, trouble) if holds == 0 => {
                format!("{server} does not hold {viewers} viewers of {stream}: {trouble}.")
            }
            End::Trouble(viewers, trouble) => {
                format!("{server} holds {holds} viewers of {stream}; at {viewers} {trouble}.")
            }
            End::Client(viewers, trouble, client) if holds == 0 => format!(
                "How many viewers of {stream} the server holds cannot be told from here: at \
                 {viewers} {trouble}, but that says little. {client}"
            ),
            End::Client(viewers, trouble, client) => format!(
                "{server} holds at least {holds} viewers of {stream}; at {viewers} {trouble}, but \
                 that says little. {client}"
            ),
            End::Refused(viewer, words) => format!(
                "{server} holds {holds} viewers of {stream}, and let no viewer {viewer} in: {words}."
            ),
            End::Most => format!(
                "{server} holds at least {holds} viewers of {stream}; more were not tried (--most)."
            ),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = &self.report;
        write!(
            f,
            "{:5} viewers  {:.2} % lost, {:.1} frames/s, delivery p50 {:.1} p99 {:.1} ms",
            self.viewers,
            report.loss * 100.0,
            report.frames_per_second,
            report.delivery.p50_ms,
            report.delivery.p99_ms
        )?;
        if let Some(server) = &report.server {
            write!(
                f,
                ", server {:.2} us a packet and {:.0} % of a core",
                server.cost.cpu_us_per_packet, server.cost.cpu_percent
            )?;
        }
        write!(f, ", client {:.0} %", report.client.cpu_percent)
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            writeln!(f, "{step}")?;
        }
        f.write_str(&self.sentence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Report {
        let mut report = Report {
            viewers: 520,
            joined: 520,
            frames_per_second: 29.9,
            published_frames_per_second: 30.0,
            loss: 0.004,
            ..Report::default()
        };
        report.delivery.p99_ms = 190.0;
        report
    }

    fn setting() -> Setting {
        Setting {
            server: "This machine",
            stream: "a 2.5 Mbit/s stream".to_owned(),
        }
    }

    #[test]
    fn each_bound_of_the_promise_is_trouble_beyond_it() {
        assert_eq!(Trouble::in_report(&good()), None);
        let lost = Report {
            loss: 0.006,
            ..good()
        };
        assert_eq!(Trouble::in_report(&lost), Some(Trouble::Lost(0.006)));
        let few = Report {
            frames_per_second: 28.4,
            ..good()
        };
        assert!(matches!(
            Trouble::in_report(&few),
            Some(Trouble::Frames { .. })
        ));
        let mut late = good();
        late.delivery.p99_ms = 231.0;
        assert_eq!(Trouble::in_report(&late), Some(Trouble::Late(231.0)));
        let blind = Report {
            joined: 517,
            ..lost
        };
        assert_eq!(Trouble::in_report(&blind), Some(Trouble::Blind(3)));
    }

    #[test]
    fn a_publisher_that_is_slow_itself_is_no_trouble_of_the_server() {
        let slow = Report {
            frames_per_second: 25.0,
            published_frames_per_second: 25.1,
            ..good()
        };
        assert_eq!(Trouble::in_report(&slow), None);
    }

    #[test]
    fn the_answer_is_one_sentence() {
        let words = setting().sentence(480, &End::Trouble(520, Trouble::Late(231.0)));
        assert_eq!(
            words,
            "This machine holds 480 viewers of a 2.5 Mbit/s stream; at 520 the 99th of 100 frames \
             came 231 ms late."
        );
        let words = setting().sentence(0, &End::Trouble(40, Trouble::Blind(1)));
        assert_eq!(
            words,
            "This machine does not hold 40 viewers of a 2.5 Mbit/s stream: one viewer was shown no \
             picture."
        );
    }

    #[test]
    fn a_client_that_was_the_limit_says_so() {
        let client = "This client was the limit: its thread `viewers` used 93 % of a core.";
        let end = End::Client(520, Trouble::Lost(0.02), client.to_owned());
        let words = setting().sentence(480, &end);
        assert!(words.starts_with("This machine holds at least 480 viewers"));
        assert!(words.contains(client), "{words}");
        let words = setting().sentence(0, &end);
        assert!(
            words.starts_with("How many viewers of a 2.5 Mbit/s stream the server holds cannot")
        );
    }

    #[test]
    fn only_steps_without_trouble_count_as_held() {
        let step = |viewers, trouble| Step {
            viewers,
            trouble,
            report: good(),
        };
        let steps = [
            step(40, None),
            step(80, None),
            step(120, Some(Trouble::Blind(1))),
        ];
        assert_eq!(held(&steps), 80);
        assert_eq!(held(&steps[2..]), 0);
    }
}
