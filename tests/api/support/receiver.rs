//! Others that the server asks, and event streams that it is asked for.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use reqwest::{Method, Response};
use serde_json::Value;
use tokio::net::TcpListener;

use super::Anonymous;

/// A program of somebody else's that takes POSTs.
#[derive(Clone)]
pub(crate) struct Receiver {
    pub(crate) port: u16,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    got: Vec<Got>,
    answers: VecDeque<Planned>,
}

/// What it got.
#[derive(Debug, Clone)]
pub(crate) struct Got {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// What it answers; without a plan 200.
#[derive(Clone)]
pub(crate) enum Planned {
    Status(u16),
    Redirect(String),
    /// Nothing, ever.
    Silence,
}

impl Got {
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let receiver = Self {
            port,
            inner: Arc::default(),
        };
        let routes = Router::new().fallback(take).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        receiver
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook?key=1", self.port)
    }

    pub(crate) fn plan(&self, answers: impl IntoIterator<Item = Planned>) {
        self.inner.lock().unwrap().answers.extend(answers);
    }

    /// What it got so far.
    pub(crate) fn got(&self) -> Vec<Got> {
        self.inner.lock().unwrap().got.clone()
    }
}

async fn take(
    State(receiver): State<Receiver>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, HeaderMap, &'static str) {
    let planned = {
        let mut inner = receiver.inner.lock().unwrap();
        inner.got.push(Got { headers, body });
        inner.answers.pop_front().unwrap_or(Planned::Status(200))
    };
    let mut headers = HeaderMap::new();
    let status = match planned {
        Planned::Status(status) => status,
        Planned::Redirect(to) => {
            headers.insert("location", to.parse().unwrap());
            302
        }
        Planned::Silence => std::future::pending().await,
    };
    (StatusCode::from_u16(status).unwrap(), headers, "thanks")
}

/// Somebody who reads an event stream.
pub(crate) struct Follower {
    response: Response,
    text: String,
}

/// An event of it.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub(crate) id: String,
    pub(crate) event: String,
    pub(crate) data: Value,
}

impl Follower {
    pub(crate) async fn of(person: &Anonymous, path: &str, last: Option<&str>) -> Self {
        let mut request = person.request(Method::GET, path);
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            response,
            text: String::new(),
        }
    }

    /// The next event, in time.
    pub(crate) async fn next(&mut self) -> Heard {
        self.next_or_end().await.expect("the stream goes on")
    }

    /// The next event, in time; none when the stream is over.
    pub(crate) async fn next_or_end(&mut self) -> Option<Heard> {
        let heard = tokio::time::timeout(Duration::from_secs(20), self.read()).await;
        heard.expect("an event comes")
    }

    /// Reads on until an event of that name; its data.
    pub(crate) async fn until(&mut self, wanted: &str) -> Value {
        loop {
            let heard = self.next().await;
            if heard.event == wanted {
                return heard.data;
            }
        }
    }

    /// Waits until the server ends the stream.
    pub(crate) async fn end(&mut self) {
        let ended = async { while self.read().await.is_some() {} };
        let ended = tokio::time::timeout(Duration::from_secs(20), ended).await;
        ended.expect("the stream ends");
    }

    async fn read(&mut self) -> Option<Heard> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                let field = |name: &str| {
                    let mut lines = block.lines();
                    let found = lines.find_map(|line| line.strip_prefix(&format!("{name}: ")));
                    found.unwrap_or_default().to_owned()
                };
                // Comments only keep the connection.
                if !field("data").is_empty() {
                    return Some(Heard {
                        id: field("id"),
                        event: field("event"),
                        data: serde_json::from_str(&field("data")).unwrap(),
                    });
                }
                continue;
            }
            let chunk = self.response.chunk().await.ok()??;
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }
}
