//! A Redis of our own on a free port, which a test may kill, hang and start anew.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tallylight::config::Tls;
use tokio::net::TcpStream;

/// A Redis.
pub(crate) struct OwnRedis {
    port: u16,
    password: String,
    tls: Option<Tls>,
    child: Option<Child>,
}

impl OwnRedis {
    pub(crate) async fn start() -> Self {
        Self::start_with(None).await
    }

    /// One that is reached over TLS alone, as `localhost`.
    pub(crate) async fn start_with_tls(tls: Tls) -> Self {
        Self::start_with(Some(tls)).await
    }

    async fn start_with(tls: Option<Tls>) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut redis = Self {
            port: free.local_addr().unwrap().port(),
            password: "hush".to_owned(),
            tls,
            child: None,
        };
        drop(free);
        redis.up().await;
        redis
    }

    #[allow(dead_code, reason = "for other test programs")]
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Its address by way of another port.
    #[allow(dead_code, reason = "for other test programs")]
    pub(crate) fn url_by(&self, port: u16) -> String {
        format!("redis://:{}@127.0.0.1:{port}", self.password)
    }

    pub(crate) fn url(&self) -> String {
        let (scheme, host) = match self.tls {
            Some(_) => ("rediss", "localhost"),
            None => ("redis", "127.0.0.1"),
        };
        format!("{scheme}://:{}@{host}:{}", self.password, self.port)
    }

    /// How many follow a topic.
    #[allow(dead_code, reason = "for other test programs")]
    pub(crate) async fn listeners(&self, topic: &str) -> u32 {
        let client = redis::Client::open(self.url()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let mut command = redis::cmd("PUBSUB");
        command.arg("NUMSUB").arg(topic);
        let (_, count): (String, u32) = command.query_async(&mut connection).await.unwrap();
        count
    }

    /// Starts it, with nothing in it.
    pub(crate) async fn up(&mut self) {
        let (mut command, port) = (Command::new("redis-server"), self.port.to_string());
        match &self.tls {
            None => command.args(["--port", &port]),
            Some(tls) => command
                .args([
                    "--port",
                    "0",
                    "--tls-port",
                    &port,
                    "--tls-auth-clients",
                    "no",
                ])
                .arg("--tls-ca-cert-file")
                .arg(&tls.certificate)
                .arg("--tls-cert-file")
                .arg(&tls.certificate)
                .arg("--tls-key-file")
                .arg(&tls.private_key),
        };
        let child = command
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(["--requirepass", &self.password])
            .current_dir(std::env::temp_dir())
            .stdout(Stdio::null())
            .spawn()
            .expect("Redis is installed; `make setup` installs it (Debian package redis-server)");
        self.child = Some(child);
        let answers = async {
            while TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let answered = tokio::time::timeout(Duration::from_secs(20), answers).await;
        answered.expect("Redis answers");
    }

    /// Kills it: all that it knew is gone.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// It hangs: connections stay, and nothing is answered.
    pub(crate) fn hang(&self) {
        self.signal("-STOP");
    }

    pub(crate) fn go_on(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.as_ref().unwrap().id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status();
        assert!(sent.unwrap().success());
    }
}

impl Drop for OwnRedis {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // SIGKILL ends one that hangs, too.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
