//! A small server of WHIP and WHEP that does as a test tells it: HTTP by hand in front of an SFU.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use sfu::{CloseReason, Config, SessionId, Sfu, StreamId};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What the server does.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    /// Instead of taking a publisher.
    pub(crate) whip: Option<Reply>,
    /// Before the path of each session.
    pub(crate) sessions_at: Option<String>,
    /// Viewers get a stream that nobody sends.
    pub(crate) shows_another_stream: bool,
    /// The next is refused.
    pub(crate) most_viewers: usize,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            whip: None,
            sessions_at: None,
            shows_another_stream: false,
            most_viewers: usize::MAX,
        }
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    status: u16,
    pub(crate) location: Option<String>,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn status(status: u16) -> Self {
        Self {
            status,
            location: None,
            body: String::new(),
        }
    }
}

/// The server, as long as it is not dropped.
pub(crate) struct Scripted {
    address: SocketAddr,
    state: Arc<State>,
    task: JoinHandle<()>,
}

struct State {
    script: Script,
    sfu: Sfu,
    seen: Mutex<Vec<String>>,
    /// Those that are open, and how many there were.
    sessions: Mutex<(usize, HashMap<String, SessionId>)>,
}

const PUBLISHED: u128 = 1;
const ANOTHER: u128 = 2;

impl Scripted {
    pub(crate) async fn start(script: Script) -> Self {
        let (sfu, mut events) = Sfu::start(Config {
            bind: [127, 0, 0, 1].into(),
            port: 0,
            public_ips: vec![[127, 0, 0, 1].into()],
            shards: 1,
            ..Config::default()
        })
        .unwrap();
        tokio::spawn(async move { while events.recv().await.is_some() {} });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            script,
            sfu,
            seen: Mutex::default(),
            sessions: Mutex::default(),
        });
        let served = Arc::clone(&state);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&served)));
            }
        });
        Self {
            address,
            state,
            task,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Requests so far.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.state.seen.lock().unwrap().clone()
    }

    /// How many sessions there were, and how many are left.
    pub(crate) fn sessions(&self) -> (usize, usize) {
        let sessions = self.state.sessions.lock().unwrap();
        (sessions.0, sessions.1.len())
    }

    /// Closes the port.
    pub(crate) async fn stop(&self) {
        self.task.abort();
        while TcpStream::connect(self.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, state: Arc<State>) -> Option<()> {
    let (reader, mut writer) = stream.split();
    let mut reader = BufReader::new(reader);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        if line.trim().is_empty() {
            break;
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if head.is_empty() {
            head = line;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).await.ok()?;
    let mut words = head.split_whitespace();
    let (method, path) = (words.next()?, words.next()?);
    let reply = state
        .answer(method, path, &String::from_utf8_lossy(&body))
        .await;
    let location = reply.location.map(|to| format!("Location: {to}\r\n"));
    let text = format!(
        "HTTP/1.1 {} X\r\n{}Connection: close\r\nContent-Length: {}\r\n\r\n{}",
        reply.status,
        location.unwrap_or_default(),
        reply.body.len(),
        reply.body
    );
    writer.write_all(text.as_bytes()).await.ok()
}

impl State {
    async fn answer(&self, method: &str, path: &str, body: &str) -> Reply {
        self.seen.lock().unwrap().push(format!("{method} {path}"));
        match (method, path) {
            ("POST", "/whip") => match &self.script.whip {
                Some(reply) => reply.clone(),
                None => self.publish(body).await,
            },
            ("POST", "/whep") => self.view(body).await,
            ("DELETE", path) => {
                let session = self.sessions.lock().unwrap().1.remove(path);
                if let Some(session) = session {
                    self.sfu.close(session, CloseReason::Requested).await;
                }
                Reply::status(200)
            }
            _ => Reply::status(404),
        }
    }

    async fn publish(&self, offer: &str) -> Reply {
        if self.script.shows_another_stream {
            // Known, but never connected.
            let another = self.sfu.publish(StreamId::from(ANOTHER), offer).await;
            another.unwrap();
        }
        let answer = self.sfu.publish(StreamId::from(PUBLISHED), offer).await;
        let answer = answer.unwrap();
        self.made(answer.session, answer.sdp)
    }

    async fn view(&self, offer: &str) -> Reply {
        // The publisher is one of them.
        if self.sessions.lock().unwrap().1.len() > self.script.most_viewers {
            let mut reply = Reply::status(503);
            reply.body = "full".to_owned();
            return reply;
        }
        let stream = match self.script.shows_another_stream {
            true => ANOTHER,
            false => PUBLISHED,
        };
        let answer = self.sfu.view(StreamId::from(stream), offer).await.unwrap();
        self.made(answer.session, answer.sdp)
    }

    fn made(&self, session: SessionId, sdp: String) -> Reply {
        let mut sessions = self.sessions.lock().unwrap();
        sessions.0 += 1;
        let path = format!("/session/{}", sessions.0);
        sessions.1.insert(path.clone(), session);
        let before = self.script.sessions_at.clone().unwrap_or_default();
        Reply {
            status: 201,
            location: Some(format!("{before}{path}")),
            body: sdp,
        }
    }
}
