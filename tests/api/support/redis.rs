//! A Redis of our own on a free port, which a test may kill, hang and start anew.

use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tallylight::config::Tls;
use tokio::net::TcpStream;

/// A Redis.
pub(crate) struct OwnRedis {
    address: IpAddr,
    port: u16,
    password: String,
    tls: Option<Tls>,
    child: Option<Child>,
}

impl OwnRedis {
    pub(crate) async fn start() -> Self {
        Self::start_at(Ipv4Addr::LOCALHOST.into()).await
    }

    /// One at another address of this machine, or of this namespace.
    pub(crate) async fn start_at(address: IpAddr) -> Self {
        Self::start_with(address, None).await
    }

    /// One that is reached over TLS alone, as `localhost`.
    pub(crate) async fn start_with_tls(tls: Tls) -> Self {
        Self::start_with(Ipv4Addr::LOCALHOST.into(), Some(tls)).await
    }

    async fn start_with(address: IpAddr, tls: Option<Tls>) -> Self {
        let free = TcpListener::bind((address, 0)).unwrap();
        let mut redis = Self {
            address,
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
            Some(_) => ("rediss", "localhost".to_owned()),
            None => ("redis", self.address.to_string()),
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
        // With the thread of the test, also where that is killed.
        let (mut command, port) = (Command::new("setpriv"), self.port.to_string());
        command.args(["--pdeathsig", "KILL", "--", "redis-server"]);
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
            .args(["--bind", &self.address.to_string(), "--save", ""])
            .args(["--appendonly", "no"])
            .args(["--requirepass", &self.password])
            .current_dir(std::env::temp_dir())
            .stdout(Stdio::null())
            .spawn()
            .expect("Redis is installed; `make setup` installs it (Debian package redis-server)");
        self.child = Some(child);
        let answers = async {
            while TcpStream::connect((self.address, self.port)).await.is_err() {
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
