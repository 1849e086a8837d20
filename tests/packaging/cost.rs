//! What a media-worker costs. Measured, not judged:
//! `cargo test --workspace --test packaging cost -- --ignored --nocapture --test-threads 1`.

use std::fs;
use std::time::Duration;

use crate::stage::{LARGE, LARGEST, SMALL, SOUND, Stage};

/// Seconds of processor, in the process and in the kernel, that it has used so far.
fn used(process: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // The fields begin behind the name in brackets; these are the 14th and 15th of all, in ticks,
    // of which there are a hundred in a second (proc(5)).
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let fields: Vec<f64> = fields
        .split(' ')
        .map(|f| f.parse().unwrap_or(0.0))
        .collect();
    (fields[11] + fields[12]) / 100.0
}

/// Megabytes that it has in memory.
fn resident(process: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.unwrap().trim().trim_end_matches(" kB");
    kilobytes.parse::<f64>().unwrap() / 1000.0
}

async fn measure(tracks: &'static [u8]) -> String {
    const OVER: Duration = Duration::from_secs(60);
    let mut stage = Stage::new(tracks).await;
    stage.clip = stage.clip.with_largest().await;
    let fed = stage.feed_live(tracks);
    for track in tracks {
        stage.reached(*track, 2, 0).await;
    }
    let child = stage.packager.worker().borrow().unwrap();
    let before = used(child);
    tokio::time::sleep(OVER).await;
    let cost = (used(child) - before) / OVER.as_secs_f64() * 100.0;
    let memory = resident(child);
    fed.stop().await;
    stage.finish().await;
    format!("{cost:.2} % of a core, {memory:.0} MB")
}

#[tokio::test]
#[ignore = "it measures"]
async fn cost_of_three_layers() {
    println!("three layers: {}", measure(&[LARGEST, LARGE, SMALL]).await);
}

#[tokio::test]
#[ignore = "it measures"]
async fn cost_of_three_layers_and_sound() {
    println!(
        "three layers and sound: {}",
        measure(&[LARGEST, LARGE, SMALL, SOUND]).await
    );
}

#[tokio::test]
#[ignore = "it measures"]
async fn cost_of_sound_alone() {
    println!("sound alone: {}", measure(&[SOUND]).await);
}
