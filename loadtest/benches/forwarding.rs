//! What forwarding one packet takes: allocations, send calls, CPU.
//!
//! This process holds nothing but the SFU, under an allocator that counts. Its peers run in a second
//! process, which is this program again, so that their work is not counted; offers and answers
//! travel over its pipes. Counts do not depend on the load of the machine, CPU time does.
#![allow(
    clippy::print_stdout,
    reason = "a benchmark prints its table, and its peers talk over standard output"
)]

use std::alloc::System;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use loadtest::process::Process;
use loadtest::report::float;
use loadtest::source::Source;
use loadtest::{Driver, Prepared, PublisherSpec, Sent, ViewerSpec};
use serde_json::{Value, json};
use sfu::{Config, Sfu, StreamId};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use str0m::net::Protocol;
use tokio::time::{interval, sleep};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const VIEWERS: [usize; 3] = [1, 50, 100];
const WINDOW: Duration = Duration::from_secs(6);
const SETTLE: Duration = Duration::from_secs(4);
/// Tells the program to be the peers.
const AS_PEERS: &str = "as-peers";

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let runtime = tokio::runtime::Runtime::new()?;
    if let [_, role, viewers, layers] = arguments.as_slice()
        && role == AS_PEERS
    {
        return runtime.block_on(peers(viewers.parse()?, layers.parse()?));
    }
    // `cargo test` runs this, too: a run of seconds is no test.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return Ok(());
    }
    println!(
        "| viewers | layers | forwarded/s | allocations | allocated bytes | send calls | datagrams/call | CPU µs |"
    );
    println!("|--:|--:|--:|--:|--:|--:|--:|--:|");
    for layers in [1, 3] {
        for viewers in VIEWERS {
            println!("{}", runtime.block_on(measure(viewers, layers))?);
        }
    }
    Ok(())
}

/// Runs the SFU with peers. Returns a row of the table, all but the first columns per packet.
async fn measure(viewers: usize, layers: usize) -> anyhow::Result<String> {
    let config = Config {
        bind: [127, 0, 0, 1].into(),
        port: 0,
        public_ips: vec![[127, 0, 0, 1].into()],
        ..Config::default()
    };
    let (sfu, mut events) = Sfu::start(config)?;
    tokio::spawn(async move { while events.recv().await.is_some() {} });
    let mut peers = Peers::start(viewers, layers)?;
    let stream = StreamId::from(1u128);
    loop {
        let line = peers.hear()?;
        let offer = line.get("offer").and_then(Value::as_str);
        let answer = match (line.get("role").and_then(Value::as_str), offer) {
            (Some("publisher"), Some(offer)) => sfu.publish(stream, offer).await?,
            (Some("viewer"), Some(offer)) => sfu.view(stream, offer).await?,
            _ => break,
        };
        peers.say(&json!({ "answer": answer.sdp }))?;
    }
    let (before, cpu_before) = (sfu.totals(), Process::current().usage()?.cpu);
    let region = Region::new(ALLOCATOR);
    sleep(WINDOW).await;
    let allocated = region.change();
    let (after, cpu_after) = (sfu.totals(), Process::current().usage()?.cpu);
    sfu.shutdown().await;
    let packets = float(after.packets_forwarded - before.packets_forwarded);
    if packets < 1.0 {
        bail!("nothing was forwarded");
    }
    let calls = float(after.send_calls - before.send_calls);
    let datagrams = float(after.datagrams_out - before.datagrams_out);
    let allocations = allocated.allocations + allocated.reallocations;
    let count = |count: usize| u64::try_from(count).map_or(0.0, float);
    Ok(format!(
        "| {viewers} | {layers} | {:.0} | {:.2} | {:.0} | {:.3} | {:.1} | {:.2} |",
        packets / WINDOW.as_secs_f64(),
        count(allocations) / packets,
        count(allocated.bytes_allocated) / packets,
        calls / packets,
        datagrams / calls.max(1.0),
        (cpu_after - cpu_before).as_secs_f64() * 1e6 / packets,
    ))
}

/// The second process.
struct Peers {
    process: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Peers {
    fn start(viewers: usize, layers: usize) -> anyhow::Result<Self> {
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

    fn hear(&mut self) -> anyhow::Result<Value> {
        hear(&mut self.from).context("the peers failed")
    }

    fn say(&mut self, value: &Value) -> anyhow::Result<()> {
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
async fn peers(viewers: usize, layers: usize) -> anyhow::Result<()> {
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
    let sees = |viewer: &loadtest::ViewerReport| viewer.milestones.first_key_frame.is_some();
    while !watchers.view_reports().await?.iter().all(sees) {
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
