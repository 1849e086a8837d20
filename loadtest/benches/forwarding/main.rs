//! What forwarding one packet takes: allocations, system calls, CPU, beside the bare cost of sealing
//! and sending one, and how much more two shards do than one.
//!
//! This process holds nothing but the SFU, under an allocator that counts. Its peers run in a second
//! process, which is this program again, so that their work is not counted; offers and answers
//! travel over its pipes. Counts do not depend on the load of the machine, CPU time does, and its
//! ratio to the bare cost, measured in the same run, does so less.
#![allow(
    clippy::print_stdout,
    reason = "a benchmark prints its table, and its peers talk over standard output"
)]

mod bare;
mod peers;

use std::alloc::System;
use std::collections::HashMap;
use std::time::Duration;

use anyhow::bail;
use loadtest::process::Process;
use loadtest::report::float;
use serde_json::{Value, json};
use sfu::{Config, Sfu, StreamId, Totals};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tokio::time::sleep;

use bare::Bare;
use peers::Peers;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const VIEWERS: [usize; 4] = [1, 50, 100, 200];
/// Shards are compared with so many viewers, and one layer.
const SHARED_VIEWERS: usize = 200;
const WINDOW: Duration = Duration::from_secs(6);

/// What a run found, in its window.
struct Measured {
    packets: f64,
    allocations: f64,
    bytes: f64,
    send_calls: f64,
    system_calls: f64,
    datagrams: f64,
    cpu: Duration,
    /// CPU of each media thread.
    shards: Vec<Duration>,
}

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let runtime = tokio::runtime::Runtime::new()?;
    match arguments.as_slice() {
        [_, role, viewers, layers] if role == peers::AS_PEERS => {
            return runtime.block_on(peers::run(viewers.parse()?, layers.parse()?));
        }
        [_, role] if role == bare::AS_DRAIN => return bare::drain(),
        _ => {}
    }
    // `cargo test` runs this, too: a run of seconds is no test.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let bare = bare::measure()?;
    print_bare(bare);
    println!(
        "\n| viewers | layers | forwarded/s | allocations | allocated bytes | send calls | system calls | datagrams/call | CPU µs | ratio, full | ratio, emptied |"
    );
    println!("|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
    for layers in [1, 3] {
        for viewers in VIEWERS {
            let measured = runtime.block_on(measure(viewers, layers, 0))?;
            println!("| {viewers} | {layers} | {} |", measured.row(bare));
        }
    }
    let one = runtime.block_on(measure(SHARED_VIEWERS, 1, 1))?;
    let two = runtime.block_on(measure(SHARED_VIEWERS, 1, 2))?;
    print_shards(&one, &two);
    Ok(())
}

fn print_bare(bare: Bare) {
    println!("| bare cost of a packet of 1200 bytes | CPU µs |");
    println!("|---|--:|");
    for (what, cost) in [
        ("AES-128-GCM", bare.seal),
        ("and `send_to` a socket that nobody empties", bare.full),
        ("and `send_to` a socket that is emptied", bare.emptied),
    ] {
        println!("| {what} | {:.3} |", micros(cost));
    }
}

/// The most that the busiest shard leaves room for. Nothing is overloaded for it, because on a
/// machine of two cores the peers would be in the way: it is the rate over the busiest shard's share
/// of a core, so that an audience that is dealt out unevenly counts, and what shards tell each other.
fn print_shards(one: &Measured, two: &Measured) {
    println!(
        "\n| shards | forwarded/s | share of a core of each | packets a CPU second of the busiest |"
    );
    println!("|--:|--:|---|--:|");
    for measured in [one, two] {
        let shares = measured.shards.iter();
        let shares = shares.map(|cpu| format!("{:.1} %", share(*cpu) * 100.0));
        println!(
            "| {} | {:.0} | {} | {:.0} |",
            measured.shards.len(),
            measured.packets / WINDOW.as_secs_f64(),
            shares.collect::<Vec<_>>().join(", "),
            measured.most()
        );
    }
    println!(
        "\nTwo shards forward {:.2} times as much as one.",
        two.most() / one.most()
    );
}

/// Runs the SFU with peers; 0 shards are as many as it makes by itself.
async fn measure(viewers: usize, layers: usize, shards: usize) -> anyhow::Result<Measured> {
    let config = Config {
        bind: [127, 0, 0, 1].into(),
        port: 0,
        public_ips: vec![[127, 0, 0, 1].into()],
        shards,
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
    let (before, threads) = (sfu.totals(), shard_times());
    let cpu_before = Process::current().usage()?.cpu;
    let region = Region::new(ALLOCATOR);
    sleep(WINDOW).await;
    let allocated = region.change();
    let cpu_after = Process::current().usage()?.cpu;
    let (after, threads_after) = (sfu.totals(), shard_times());
    sfu.shutdown().await;
    let packets = float(after.packets_forwarded - before.packets_forwarded);
    if packets < 1.0 {
        bail!("nothing was forwarded");
    }
    let count = |count: usize| u64::try_from(count).map_or(0.0, float);
    Ok(Measured {
        packets,
        allocations: count(allocated.allocations + allocated.reallocations),
        bytes: count(allocated.bytes_allocated),
        send_calls: float(after.send_calls - before.send_calls),
        system_calls: float(system_calls(&after) - system_calls(&before)),
        datagrams: float(after.datagrams_out - before.datagrams_out),
        cpu: cpu_after - cpu_before,
        shards: threads_after
            .iter()
            .map(|(id, cpu)| *cpu - threads.get(id).copied().unwrap_or_default())
            .collect(),
    })
}

/// System calls that media took, as far as the SFU counts them.
fn system_calls(totals: &Totals) -> u64 {
    totals.send_calls + totals.receive_calls + totals.waits
}

/// CPU time of the media threads.
fn shard_times() -> HashMap<u32, Duration> {
    let threads = Process::current().threads().into_iter();
    let shards = threads.filter(|thread| thread.name.starts_with("media-"));
    shards.map(|thread| (thread.id, thread.cpu)).collect()
}

impl Measured {
    /// All but the first columns of the table: the rate, and for each packet what it took.
    fn row(&self, bare: Bare) -> String {
        let cpu = self.cpu.as_secs_f64() * 1e6 / self.packets;
        format!(
            "{:.0} | {:.2} | {:.0} | {:.3} | {:.3} | {:.1} | {cpu:.2} | {:.2} | {:.2}",
            self.packets / WINDOW.as_secs_f64(),
            self.allocations / self.packets,
            self.bytes / self.packets,
            self.send_calls / self.packets,
            self.system_calls / self.packets,
            self.datagrams / self.send_calls.max(1.0),
            cpu / micros(bare.full),
            cpu / micros(bare.emptied),
        )
    }

    /// Packets for each second of CPU of the busiest shard.
    fn most(&self) -> f64 {
        let busiest = self.shards.iter().max().copied().unwrap_or_default();
        self.packets / busiest.as_secs_f64().max(1e-9)
    }
}

fn micros(cost: Duration) -> f64 {
    cost.as_secs_f64() * 1e6
}

fn share(cpu: Duration) -> f64 {
    cpu.as_secs_f64() / WINDOW.as_secs_f64()
}
