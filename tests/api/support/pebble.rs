//! A certificate authority of our own: Pebble, whom a DNS server tells that every name is this machine.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::secure;

/// An authority that is not there before [`Pebble::up`].
pub(crate) struct Pebble {
    folder: TempDir,
    tls: tallylight::config::Tls,
    directory: SocketAddr,
    management: SocketAddr,
    children: Vec<Child>,
}

/// Seconds that its certificates are good for.
pub(crate) const LIFE: Duration = Duration::from_secs(90 * 24 * 3_600);
/// Where nobody listens.
pub(crate) const NOWHERE: u16 = 1;

impl Pebble {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tls = secure::issue(folder.path());
        Self {
            folder,
            tls,
            directory: free(),
            management: free(),
            children: Vec::new(),
        }
    }

    pub(crate) fn directory(&self) -> String {
        format!("https://localhost:{}/dir", self.directory.port())
    }

    /// What its own server is known by.
    pub(crate) fn root(&self) -> PathBuf {
        self.tls.certificate.clone()
    }

    /// Starts it. It looks for proofs at these ports instead of 80 and 443.
    pub(crate) async fn up(&mut self, http: u16, tls: u16) {
        let dns = free();
        let config = json!({ "pebble": {
            "listenAddress": self.directory.to_string(),
            "managementListenAddress": self.management.to_string(),
            "certificate": self.tls.certificate,
            "privateKey": self.tls.private_key,
            "httpPort": http,
            "tlsPort": tls,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": false,
            "certificateValidityPeriod": LIFE.as_secs(),
        }});
        let file = self.folder.path().join("pebble.json");
        std::fs::write(&file, config.to_string()).unwrap();
        let mut names = Command::new("pebble-challtestsrv");
        names
            .args([
                "-http01",
                "",
                "-https01",
                "",
                "-tlsalpn01",
                "",
                "-defaultIPv6",
                "",
            ])
            .args([
                "-dns01",
                &dns.to_string(),
                "-management",
                &free().to_string(),
            ]);
        let mut pebble = Command::new("pebble");
        pebble
            .arg("-config")
            .arg(&file)
            .args(["-dnsserver", &dns.to_string()])
            .env("PEBBLE_VA_NOSLEEP", "1");
        for mut command in [names, pebble] {
            let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
            let child = child
                .expect("Pebble is installed; `make setup` installs it (Debian package pebble)");
            self.children.push(child);
        }
        for port in [dns, self.directory] {
            let answers = async {
                while TcpStream::connect(port).await.is_err() {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            };
            let answers = tokio::time::timeout(Duration::from_secs(20), answers);
            answers.await.expect("Pebble answers");
        }
    }

    pub(crate) fn down(&mut self) {
        for mut child in self.children.drain(..) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// The certificate that those that it gives hang on, in PEM form.
    pub(crate) async fn authority(&self) -> String {
        let asked = format!("https://localhost:{}/roots/0", self.management.port());
        let client = secure::client(&self.tls, self.management).build().unwrap();
        let answer = client.get(asked).send().await.unwrap();
        answer.text().await.unwrap()
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        self.down();
    }
}

/// A port that nobody has at this moment.
pub(crate) fn free() -> SocketAddr {
    let free = TcpListener::bind((IpAddr::V4(Ipv4Addr::LOCALHOST), 0)).unwrap();
    free.local_addr().unwrap()
}
