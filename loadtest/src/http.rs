//! A bare HTTP/1.1 client for load: one connection, one request at a time, no TLS, nothing that
//! would cost more than the server's side of it.

use std::io::{self, IoSliceMut};
use std::os::fd::AsRawFd as _;
use std::time::Duration;

use bytes::Bytes;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, Interest};
use tokio::net::TcpStream;

use crate::clock;

/// A connection that is kept open.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    host: String,
    buffer: Vec<u8>,
    /// When the newest bytes of the buffer came.
    at: Duration,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Such as 200.
    pub status: u16,
    /// The whole body.
    pub body: Bytes,
    /// When its head reached this machine, since 1970: by the kernel where it says so, since what
    /// waits here for its turn is no fault of the server's.
    pub at: Duration,
}

/// Longest head of an answer.
const HEAD: usize = 16 * 1024;

impl Connection {
    /// Connects to `host:port`.
    ///
    /// # Errors
    /// Those of the system.
    pub async fn open(host: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(host).await?;
        stream.set_nodelay(true)?;
        // Missed where a kernel has it not.
        let _ = setsockopt(&stream, sockopt::ReceiveTimestampns, &true);
        Ok(Self {
            stream,
            host: host.to_owned(),
            buffer: Vec::with_capacity(HEAD),
            at: Duration::ZERO,
        })
    }

    /// Gets a path, query included.
    ///
    /// # Errors
    /// Those of the system, and `InvalidData` for what is no HTTP/1.1 answer with a length.
    pub async fn get(&mut self, path: &str) -> io::Result<Answer> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.host);
        self.stream.write_all(request.as_bytes()).await?;
        let end = self.read_head().await?;
        let head = std::str::from_utf8(self.buffer.get(..end).unwrap_or_default());
        let head = head.map_err(|_| wrong("its head is no text"))?;
        let (status, length) = read(head)?;
        let mut body: Vec<u8> = self.buffer.drain(..).skip(end).collect();
        let came = body.len();
        if came > length {
            return Err(wrong("it sent more than it was asked for"));
        }
        body.resize(length, 0);
        if let Some(rest) = body.get_mut(came..) {
            self.stream.read_exact(rest).await?;
        }
        Ok(Answer {
            status,
            body: body.into(),
            at: self.at,
        })
    }

    /// Fills the buffer up to the end of the head. Returns where that is.
    async fn read_head(&mut self) -> io::Result<usize> {
        let mut looked = 0;
        loop {
            let from = self.buffer.get(looked..).unwrap_or_default();
            if let Some(at) = from.windows(4).position(|four| four == b"\r\n\r\n") {
                return Ok(looked + at + 4);
            }
            looked = self.buffer.len().saturating_sub(3);
            if self.buffer.len() > HEAD {
                return Err(wrong("its head is too long"));
            }
            if self.receive().await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Appends what has come to the buffer, once there is any, and notes when it came.
    async fn receive(&mut self) -> io::Result<usize> {
        let Self {
            stream, buffer, at, ..
        } = self;
        let fd = stream.as_raw_fd();
        let mut bytes = [0; 4096];
        let mut control = nix::cmsg_space!(TimeSpec);
        let receive = || {
            let mut slices = [IoSliceMut::new(&mut bytes)];
            let message = recvmsg::<()>(fd, &mut slices, Some(&mut control), MsgFlags::empty())?;
            let stamp = message.cmsgs()?.find_map(|control| match control {
                ControlMessageOwned::ScmTimestampns(time) => Some(Duration::from(time)),
                _ => None,
            });
            Ok((message.bytes, stamp))
        };
        let (came, stamp) = stream.async_io(Interest::READABLE, receive).await?;
        *at = stamp.unwrap_or_else(clock::since_1970);
        buffer.extend_from_slice(bytes.get(..came).unwrap_or_default());
        Ok(came)
    }
}

fn read(head: &str) -> io::Result<(u16, usize)> {
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    let status = status.and_then(|status| status.parse().ok());
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.trim().parse().ok()).flatten()
    });
    match (status, length) {
        (Some(status), Some(length)) => Ok((status, length)),
        (Some(status @ (204 | 304)), None) => Ok((status, 0)),
        _ => Err(wrong("it has no status or no length")),
    }
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("the answer cannot be read: {what}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_and_length_are_read() {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: x\r\nContent-Length: 12\r\n\r\n";
        assert_eq!(read(head).unwrap(), (200, 12));
        assert_eq!(read("HTTP/1.1 304 Not Modified\r\n\r\n").unwrap(), (304, 0));
        assert!(read("HTTP/1.1 200 OK\r\n\r\n").is_err());
        assert!(read("SSH-2.0\r\n\r\n").is_err());
    }
}
