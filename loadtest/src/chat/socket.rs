//! A WebSocket of a chat (RFC 6455), with the kernel's receive time stamps.

use std::io::{self, IoSliceMut};
use std::os::fd::AsRawFd as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;
use reqwest::Url;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::{HeaderValue, header::AUTHORIZATION};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::clock;

use super::frames;
use super::seen::Ear;

/// A channel's chat on a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// `host:port` to connect to.
    host: String,
    /// The WebSocket's address.
    url: String,
}

/// Who comes into a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// Somebody who only reads.
    Reader,
    /// Somebody with an account, by a personal token.
    Token(String),
    /// A guest, by the secret that it made up.
    Guest(String),
}

/// A connection.
#[derive(Debug)]
pub struct Socket(WebSocketStream<Stamped>);

/// Why somebody is not in a room, or not any more. The text is one line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChatError {
    /// Nobody answers there.
    #[error("cannot reach {host}: {reason}")]
    Unreachable {
        /// Where.
        host: String,
        /// The system's error.
        reason: io::Error,
    },
    /// The server made no WebSocket of it.
    #[error("{url} answered {status}{words}")]
    Refused {
        /// Where.
        url: String,
        /// HTTP status.
        status: u16,
        /// The server's reason after a colon, if it gave one.
        words: String,
    },
    /// The server let nobody in.
    #[error("the server closed the connection: {0}")]
    Closed(String),
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(#[source] Box<tungstenite::Error>),
    /// There was no answer.
    #[error("there was no answer within {} s", WITHIN.as_secs())]
    Silent,
}

/// TCP that knows when the newest bytes came.
#[derive(Debug)]
struct Stamped {
    stream: TcpStream,
    /// Since 1970, by the kernel where it says so, since what waits here for its turn is no fault of the
    /// server's. Of several segments that are read at once it is the last one's.
    at: Duration,
}

/// A connection is made, and `join` answered, in this time.
const WITHIN: Duration = Duration::from_secs(15);
/// Thousands of connections are open: each reads little at once.
const READ_BUFFER: usize = 8 * 1024;

impl Room {
    /// The chat of a channel on a server such as `http://127.0.0.1:8080`; none when that is no http
    /// address.
    #[must_use]
    pub fn of(server: &str, channel: &str) -> Option<Self> {
        let mut url = Url::parse(server)
            .ok()
            .filter(|url| url.scheme() == "http")?;
        let host = format!("{}:{}", url.host_str()?, url.port_or_known_default()?);
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{path}/api/channels/{channel}/chat/ws"));
        url.set_query(None);
        // Only the scheme is another.
        let rest = url.as_str().strip_prefix("http")?;
        Some(Self {
            url: format!("ws{rest}"),
            host,
        })
    }
}

impl Socket {
    /// Comes into a room. What it hears goes to the ear, beginning with `hello`.
    ///
    /// # Errors
    /// When nobody answers, or the server lets nobody in.
    pub async fn join(room: &Room, who: &Who, ear: &Ear) -> Result<Self, ChatError> {
        let joined = timeout(WITHIN, Self::enter(room, who, ear)).await;
        joined.map_err(|_| ChatError::Silent)?
    }

    async fn enter(room: &Room, who: &Who, ear: &Ear) -> Result<Self, ChatError> {
        let mut socket = Self::open(room, who).await?;
        let guest = match who {
            Who::Guest(secret) => Some(secret.as_str()),
            Who::Reader | Who::Token(_) => None,
        };
        socket.send(frames::join(guest)).await?;
        loop {
            let Some((frame, at)) = socket.next().await? else {
                return Err(ChatError::Closed("without a word".to_owned()));
            };
            ear.hear(frame.as_bytes(), at);
            let seen = ear.seen();
            if let Some(why) = &seen.closed {
                return Err(ChatError::Closed(why.clone()));
            }
            if seen.hello.is_some() {
                drop(seen);
                return Ok(socket);
            }
        }
    }

    async fn open(room: &Room, who: &Who) -> Result<Self, ChatError> {
        let stream = connect(&room.host).await;
        let stream = stream.map_err(|reason| ChatError::Unreachable {
            host: room.host.clone(),
            reason,
        })?;
        let mut request = room.url.as_str().into_client_request().map_err(broken)?;
        if let Who::Token(token) = who {
            let value = HeaderValue::try_from(format!("Bearer {token}"));
            let value = value.map_err(|_| ChatError::Closed("this is no token".to_owned()))?;
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(0);
        match client_async_with_config(request, stream, Some(config)).await {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(tungstenite::Error::Http(response)) => Err(ChatError::Refused {
                url: room.url.clone(),
                status: response.status().as_u16(),
                words: words(response.body().as_deref().unwrap_or_default()),
            }),
            Err(error) => Err(broken(error)),
        }
    }

    /// Sends a frame.
    ///
    /// # Errors
    /// When the connection is broken.
    pub async fn send(&mut self, text: String) -> Result<(), ChatError> {
        self.0.send(Message::text(text)).await.map_err(broken)
    }

    /// The next frame and when it came; none when the server ended the connection. Cancel safe.
    ///
    /// # Errors
    /// When the connection is broken.
    pub async fn next(&mut self) -> Result<Option<(Utf8Bytes, Duration)>, ChatError> {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Text(text))) => return Ok(Some((text, self.0.get_ref().at))),
                Some(Ok(Message::Close(_))) | None => return Ok(None),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(broken(error)),
            }
        }
    }
}

fn broken(error: tungstenite::Error) -> ChatError {
    ChatError::Broken(Box::new(error))
}

async fn connect(host: &str) -> io::Result<Stamped> {
    let stream = TcpStream::connect(host).await?;
    stream.set_nodelay(true)?;
    // Missed where a kernel has it not.
    let _ = setsockopt(&stream, sockopt::ReceiveTimestampns, &true);
    Ok(Stamped {
        stream,
        at: Duration::ZERO,
    })
}

/// The reason in a problem (RFC 9457), after a colon.
fn words(body: &[u8]) -> String {
    let problem: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let detail = problem.and_then(|problem| problem.get("detail")?.as_str().map(str::to_owned));
    detail.map_or_else(String::new, |detail| {
        format!(": {}", detail.replace(['\r', '\n'], " "))
    })
}

impl Stamped {
    fn receive(stream: &TcpStream, into: &mut [u8]) -> io::Result<(usize, Option<Duration>)> {
        let fd = stream.as_raw_fd();
        let mut control = nix::cmsg_space!(TimeSpec);
        let mut slices = [IoSliceMut::new(into)];
        let message = recvmsg::<()>(fd, &mut slices, Some(&mut control), MsgFlags::empty())?;
        let stamp = message.cmsgs()?.find_map(|control| match control {
            ControlMessageOwned::ScmTimestampns(time) => Some(Duration::from(time)),
            _ => None,
        });
        Ok((message.bytes, stamp))
    }
}

impl AsyncRead for Stamped {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.stream.poll_read_ready(context))?;
            let into = buffer.initialize_unfilled();
            let receive = || Self::receive(&self.stream, into);
            match self.stream.try_io(Interest::READABLE, receive) {
                Ok((bytes, stamp)) => {
                    self.at = stamp.unwrap_or_else(clock::since_1970);
                    buffer.advance(bytes);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for Stamped {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_is_found_below_its_server() {
        let room = Room::of("http://127.0.0.1:8080/", "vic").unwrap();
        assert_eq!(room.host, "127.0.0.1:8080");
        assert_eq!(room.url, "ws://127.0.0.1:8080/api/channels/vic/chat/ws");
        let below = Room::of("http://[::1]/tv?x=1", "vic").unwrap();
        assert_eq!(below.host, "[::1]:80");
        assert_eq!(below.url, "ws://[::1]/tv/api/channels/vic/chat/ws");
        for wrong in ["https://x", "ws://x", "x", ""] {
            assert_eq!(Room::of(wrong, "vic"), None, "{wrong}");
        }
    }

    #[test]
    fn a_refusal_gives_its_reason() {
        assert_eq!(words(br#"{"detail":"no\nsuch"}"#), ": no such");
        assert_eq!(words(b"<html>"), "");
    }
}
