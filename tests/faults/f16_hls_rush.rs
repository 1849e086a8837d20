//! F16: many join by HLS within ten seconds.

use std::process::Stdio;
use std::time::Duration;

use loadtest::process::Process as Watched;
use serde_json::Value;
use tokio::process::Command;

use crate::fault::Fault;
use crate::site::{Site, playlist_uri};

/// What the server may need more for them, in KiB.
const MOST_MORE: u64 = 200 * 1_024;

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_join_by_hls_in_ten_seconds() {
    rush("thousand", 1_000).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "ten thousand files are open at once, and both cores busy for a minute"]
async fn ten_thousand_join_by_hls_in_ten_seconds() {
    rush("ten thousand", 10_000).await;
}

async fn rush(case: &'static str, joins: u64) {
    let mut fault = Fault::of("F16", case).await;
    let site = tokio::task::block_in_place(Site::new);
    let mut server = tokio::task::block_in_place(|| site.start());
    let _publishing = site.publish();
    playlist_uri(&site).await;
    let before = Watched(server.id()).usage().unwrap().rss_kib;
    let url = format!("{}/hls/ada/index.m3u8", site.base());
    let mut bench = Command::new(env!("CARGO_BIN_EXE_tallylight"));
    bench.args([
        "bench",
        "hls",
        "--url",
        &url,
        "--viewers",
        "1",
        "--duration",
        "1",
        "--json",
    ]);
    bench.args(["--joins", &joins.to_string(), "--join-seconds", "10"]);
    bench
        .args(["--server-pid", &server.id().to_string()])
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let mut most = before;
    let mut running = std::pin::pin!(bench.output());
    let output = loop {
        tokio::select! {
            output = &mut running => break output.unwrap(),
            () = tokio::time::sleep(Duration::from_millis(50)) => {
                most = most.max(Watched(server.id()).usage().unwrap().rss_kib);
            }
        }
    };
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let joined = &report["joins"];
    let failed = joined["failed"].as_u64().unwrap();
    fault.saw("joins", joins);
    fault.saw("failed", failed);
    fault.saw("seconds", joined["seconds"].clone());
    fault.saw("request", joined["request"].clone());
    fault.saw("rss_kib", before);
    fault.saw("rss_more_kib", most - before);
    assert!(failed * 1_000 <= joins, "{report}");
    assert!(most < before + MOST_MORE, "{before} to {most}");
    tokio::task::block_in_place(|| server.terminate());
}
