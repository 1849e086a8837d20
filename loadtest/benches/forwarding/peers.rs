//! The publisher and the viewers, in a second process, so that their work is not counted.

use std::io::{BufRead, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use loadtest::source::Source;
use loadtest::{Driver, Prepared, PublisherSpec, Sent, ViewerSpec};
use serde_json::{Value, json};
use str0m::net::Protocol;
use tokio::time::{interval, sleep};

/// Tells the program to be the peers.
pub(crate) const AS_PEERS: &str = "as-peers";

const SETTLE: Duration = Duration::from_secs(4);

/// The second process.
pub(crate) struct Peers {
    process: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Peers {
    pub(crate) fn start(viewers: usize, layers: usize) -> anyhow::Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .args([AS_PEERS, &viewers.to_string(), &layers.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the peers")?;
        Ok(Self {
            to: process.stdin.take().context("a pipe")?,
            from: BufReader::new(process.stdout.take().context("a pipe")?),
            process,
        })
    }

    pub(crate) fn hear(&mut self) -> anyhow::Result<Value> {
        hear(&mut self.from).context("the peers failed")
    }

    pub(crate) fn say(&mut self, value: &Value) -> anyhow::Result<()> {
        Ok(writeln!(self.to, "{value}")?)
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        // Nothing is left to do for them; the process ends with this one at the latest.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn hear(from: &mut impl BufRead) -> anyhow::Result<Value> {
    let mut line = String::new();
    from.read_line(&mut line)?;
    Ok(serde_json::from_str(&line)?)
}

/// The second process: joins, says when all see a picture and have settled, and goes on until it is
/// killed.
pub(crate) async fn run(viewers: usize, layers: usize) -> anyhow::Result<()> {
    let (publishers, watchers) = (Driver::start("publisher")?, Driver::start("viewers")?);
    let sent = Sent::default();
    let spec = PublisherSpec::browser(Source::clip(layers)?);
    let publisher = join(&publishers, "publisher", spec.prepare(&sent)).await?;
    let mut pause = interval(Duration::from_millis(20));
    while publishers.publish_report(publisher).await?.frames < 30 {
        pause.tick().await;
    }
    for _ in 0..viewers {
        pause.tick().await;
        join(&watchers, "viewer", ViewerSpec::default().prepare(&sent)).await?;
    }
    while watchers.tally().await?.seeing < viewers {
        pause.tick().await;
    }
    sleep(SETTLE).await;
    println!("{}", json!({ "ready": true }));
    loop {
        sleep(Duration::from_secs(1)).await;
    }
}

async fn join(
    driver: &Driver,
    role: &str,
    prepared: Option<Prepared>,
) -> anyhow::Result<loadtest::PeerId> {
    let prepared = prepared.context("an offer")?;
    println!("{}", json!({ "role": role, "offer": prepared.sdp }));
    let reply = hear(&mut std::io::stdin().lock())?;
    let answer = reply
        .get("answer")
        .and_then(Value::as_str)
        .context("an answer")?;
    Ok(driver.add(prepared.connect(answer, Protocol::Udp)?).await?)
}
