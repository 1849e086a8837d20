//! A browser: Chromium, which may use relayed candidates alone, over UDP and TCP. It asks for a permission
//! for each candidate that it hears of, of which only the SFU's is granted.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use crate::support::*;
use tokio::process::{Child, Command};

/// Two peers of one page, of which one hears of other candidates than the other has.
const PAGE: &str = r#"<script>
(async () => {
  const peer = new RTCPeerConnection({ iceTransportPolicy: "relay", iceServers: [SERVER] });
  const other = new RTCPeerConnection();
  peer.createDataChannel("x");
  await peer.setLocalDescription();
  await other.setRemoteDescription(peer.localDescription);
  await other.setLocalDescription();
  const sdp = other.localDescription.sdp.replace(/a=candidate.*\r\n/g, "");
  await peer.setRemoteDescription({ type: "answer", sdp });
  const candidates = [
    "1 1 udp 2122260223 10.0.0.1 8189 typ host",
    "2 1 udp 2122260222 127.0.0.1 8189 typ host",
    "3 1 tcp 1518280447 203.0.113.5 8189 typ host tcptype passive",
    "4 1 udp 2122260220 2d1c8b2e-1b7a-4c8e-9d60-0c6a3f1f0f6a.local 8189 typ host",
    "5 1 udp 2122260219 203.0.113.5 8189 typ host",
  ];
  for (const candidate of candidates) {
    await peer.addIceCandidate({ candidate: "candidate:" + candidate, sdpMid: "0" });
  }
})();
</script>"#;

fn open(folder: &Path, url: &str) -> Child {
    let credentials = credentials("alice");
    let (username, password) = (credentials.username, credentials.password);
    let server = format!("{{ urls: '{url}', username: '{username}', credential: '{password}' }}");
    let page = folder.join("page.html");
    fs::write(&page, PAGE.replace("SERVER", &server)).unwrap();
    Command::new("chromium")
        .args(["--headless=new", "--no-sandbox", "--disable-gpu"])
        .args(["--disable-dev-shm-usage", "--no-first-run"])
        .arg(format!(
            "--user-data-dir={}",
            folder.join("profile").display()
        ))
        .arg(format!("file://{}", page.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("chromium is missing: run scripts/setup.sh test, or install chromium")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_reaches_the_sfu_whatever_else_it_asks_for() {
    for transport in ["udp", "tcp"] {
        let world = World::new().await;
        let folder = tempfile::tempdir().unwrap();
        let server = if transport == "udp" {
            world.udp
        } else {
            world.tcp
        };
        let url = format!("turn:{server}?transport={transport}");
        let mut browser = open(folder.path(), &url);
        // Its checks go to the SFU, which says them again, and it hears that.
        world
            .until(&url, |stats| {
                stats.refused_peers > 0 && stats.packets_to_clients > 2
            })
            .await;
        assert_eq!(world.server.stats().panics, 0);
        browser.kill().await.unwrap();
    }
}
