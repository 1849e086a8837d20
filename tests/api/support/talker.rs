//! [`Talker`]: somebody in a chat, by a foreign client of WebSockets.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::{Account, Anonymous, Program};

const DEADLINE: Duration = Duration::from_secs(20);

/// Somebody in a chat.
pub(crate) struct Talker {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    waiting: VecDeque<Value>,
    pub(crate) hello: Value,
}

impl Talker {
    /// Opens the WebSocket with those headers.
    pub(crate) async fn open(
        base: &str,
        handle: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, Error> {
        let base = base.replacen("http", "ws", 1);
        let url = format!("{base}/api/channels/{handle}/chat/ws");
        let mut request = url.into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let (socket, _) = timeout(DEADLINE, connect_async(request)).await.unwrap()?;
        Ok(Self {
            socket,
            waiting: VecDeque::new(),
            hello: Value::Null,
        })
    }

    /// Somebody signed in, in `@handle`'s chat.
    pub(crate) async fn of(account: &Account, handle: &str) -> Self {
        let origin = account.origin.clone().unwrap();
        let headers = [("cookie", account.cookie()), ("origin", origin.as_str())];
        let talker = Self::open(&account.base, handle, &headers).await.unwrap();
        talker.joined(json!({})).await
    }

    /// A program with a token.
    pub(crate) async fn of_program(program: &Program, handle: &str) -> Self {
        let authorization = format!("Bearer {}", program.token);
        let headers = [("authorization", authorization.as_str())];
        let base = &program.http.base;
        let talker = Self::open(base, handle, &headers).await.unwrap();
        talker.joined(json!({})).await
    }

    /// Somebody without a login, who comes in with what `join` says.
    pub(crate) async fn stranger(person: &Anonymous, handle: &str, join: Value) -> Self {
        let talker = Self::open(&person.base, handle, &[]).await.unwrap();
        talker.joined(join).await
    }

    /// Comes in.
    pub(crate) async fn joined(mut self, join: Value) -> Self {
        self.join(join).await;
        self.hello = self.next("hello").await;
        self
    }

    pub(crate) async fn join(&mut self, mut join: Value) {
        join["type"] = json!("join");
        if join.get("v").is_none() {
            join["v"] = json!(1);
        }
        self.send(join).await;
    }

    pub(crate) async fn send(&mut self, frame: Value) {
        self.send_raw(Message::text(frame.to_string())).await;
    }

    pub(crate) async fn send_raw(&mut self, frame: Message) {
        // A server that has hung up is found out by who reads.
        let _ = self.socket.send(frame).await;
    }

    /// Says something, by a reference that is the text, or the beginning of it.
    pub(crate) async fn say(&mut self, text: &str) {
        let reference: String = text.chars().take(64).collect();
        self.send(json!({ "type": "send", "ref": reference, "text": text }))
            .await;
    }

    /// Says something that is taken; gives its id.
    pub(crate) async fn said(&mut self, text: &str) -> i64 {
        self.say(text).await;
        let accepted = self.next("accepted").await;
        assert_eq!(accepted["ref"], text, "{accepted}");
        accepted["id"].as_i64().unwrap()
    }

    /// Says something that is taken; gives it as all get it.
    pub(crate) async fn spoken(&mut self, text: &str) -> Value {
        self.say(text).await;
        let is_it = |event: &Value| event["message"]["text"] == text;
        self.next_where("message", is_it).await["message"].clone()
    }

    /// The code by which something that is said is refused.
    pub(crate) async fn refused(&mut self, text: &str) -> Value {
        self.say(text).await;
        self.next("refused").await
    }

    /// The next event of that type; others are passed over.
    pub(crate) async fn next(&mut self, kind: &str) -> Value {
        self.next_where(kind, |_| true).await
    }

    /// The next event of that type that is as wanted.
    pub(crate) async fn next_where(
        &mut self,
        kind: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Value {
        let mut passed = Vec::new();
        let found = async {
            loop {
                let Some(event) = self.event().await else {
                    panic!("no `{kind}` before the end, but {passed:#?}");
                };
                if event["type"] == kind && wanted(&event) {
                    return event;
                }
                passed.push(event);
            }
        };
        match timeout(DEADLINE, found).await {
            Ok(found) => found,
            Err(_) => panic!("no `{kind}` in time, but {passed:#?}"),
        }
    }

    /// The text of the next message.
    pub(crate) async fn heard(&mut self) -> String {
        let event = self.next("message").await;
        event["message"]["text"].as_str().unwrap().to_owned()
    }

    /// The next event, if there is one before the end.
    pub(crate) async fn event(&mut self) -> Option<Value> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            match self.socket.next().await? {
                Ok(Message::Text(text)) => match serde_json::from_str(&text).unwrap() {
                    Value::Array(events) => self.waiting.extend(events),
                    event => self.waiting.push_back(event),
                },
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// Why the server ends it.
    pub(crate) async fn closed(&mut self) -> String {
        let closed = self.next("closed").await;
        let behind = timeout(DEADLINE, self.event()).await;
        assert_eq!(behind.expect("the end"), None, "something behind the end");
        closed["code"].as_str().unwrap().to_owned()
    }

    /// That all that was sent so far has been answered.
    pub(crate) async fn settled(&mut self) -> Vec<Value> {
        self.send(json!({ "type": "ping" })).await;
        let mut events = Vec::new();
        while let Some(event) = timeout(DEADLINE, self.event()).await.unwrap() {
            if event["type"] == "pong" {
                break;
            }
            events.push(event);
        }
        events
    }
}
