//! A mail server within the test: it takes letters in a real SMTP conversation (RFC 5321), in the clear
//! and with a password, and can refuse them.

use std::sync::{Arc, Mutex};

use tallylight::config::{Config, MailTls};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A letter that was taken.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) from: String,
    pub(crate) to: String,
    /// Header and body, decoded.
    pub(crate) text: String,
}

impl Received {
    /// The token behind the `#` of the first link to that page.
    pub(crate) fn token(&self, page: &str) -> String {
        let mark = format!("{page}#");
        let at = self
            .text
            .find(&mark)
            .unwrap_or_else(|| panic!("no {mark} in {self:?}"));
        let rest = &self.text[at + mark.len()..];
        rest.chars()
            .take_while(char::is_ascii_alphanumeric)
            .collect()
    }
}

/// How it treats letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Takes them.
    Takes,
    /// Refuses each for now (451).
    Busy,
    /// Refuses each for ever (550).
    Refuses,
}

pub(crate) struct Smtp {
    pub(crate) port: u16,
    state: Arc<State>,
}

struct State {
    letters: Mutex<Vec<Received>>,
    mood: Mutex<Mood>,
    refused: Mutex<u32>,
}

/// `\0tally\0hush` (RFC 4616) in base 64.
const PLAIN: &str = "AHRhbGx5AGh1c2g=";

impl Smtp {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State {
            letters: Mutex::default(),
            mood: Mutex::new(Mood::Takes),
            refused: Mutex::default(),
        });
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(stream, Arc::clone(&shared)));
            }
        });
        Self { port, state }
    }

    /// Lets a server use it.
    pub(crate) fn configure(&self, config: &mut Config) {
        config.http.public_url = "https://live.example".to_owned();
        config.mail.host = "127.0.0.1".to_owned();
        config.mail.port = self.port;
        config.mail.tls = MailTls::None;
        config.mail.user = "tally".to_owned();
        config.mail.password = "hush".to_owned();
        config.mail.from = "Tallylight <live@example.org>".to_owned();
    }

    pub(crate) fn turn(&self, mood: Mood) {
        *self.state.mood.lock().unwrap() = mood;
    }

    pub(crate) fn refused(&self) -> u32 {
        *self.state.refused.lock().unwrap()
    }

    /// All letters to an address so far.
    pub(crate) fn letters(&self, to: &str) -> Vec<Received> {
        let letters = self.state.letters.lock().unwrap();
        letters
            .iter()
            .filter(|letter| letter.to == to)
            .cloned()
            .collect()
    }
}

async fn converse(stream: TcpStream, state: Arc<State>) {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    let (mut from, mut to) = (String::new(), String::new());
    let mut is_known = false;
    writer.write_all(b"220 mail.test ESMTP\r\n").await.unwrap();
    while let Ok(Some(line)) = lines.next_line().await {
        let verb = line
            .split([' ', ':'])
            .next()
            .unwrap_or_default()
            .to_uppercase();
        let mood = *state.mood.lock().unwrap();
        let answer = match verb.as_str() {
            "EHLO" => "250-mail.test\r\n250-8BITMIME\r\n250 AUTH PLAIN",
            "AUTH" => {
                is_known = line.ends_with(PLAIN);
                if is_known { "235 welcome" } else { "535 wrong" }
            }
            "MAIL" if !is_known => "530 sign in first",
            "MAIL" => {
                from = address(&line);
                "250 ok"
            }
            "RCPT" if mood != Mood::Takes => {
                *state.refused.lock().unwrap() += 1;
                if mood == Mood::Busy {
                    "451 later"
                } else {
                    "550 no such person here"
                }
            }
            "RCPT" => {
                to = address(&line);
                "250 ok"
            }
            "DATA" => {
                writer.write_all(b"354 go on\r\n").await.unwrap();
                let mut data = String::new();
                while let Ok(Some(line)) = lines.next_line().await {
                    if line == "." {
                        break;
                    }
                    data += line.strip_prefix('.').unwrap_or(&line);
                    data.push('\n');
                }
                let letter = Received {
                    from: from.clone(),
                    to: to.clone(),
                    text: decoded(&data),
                };
                state.letters.lock().unwrap().push(letter);
                "250 taken"
            }
            "RSET" | "NOOP" => "250 ok",
            "QUIT" => "221 bye",
            _ => "502 what?",
        };
        let sent = writer.write_all(format!("{answer}\r\n").as_bytes()).await;
        if sent.is_err() || verb == "QUIT" {
            return;
        }
    }
}

fn address(line: &str) -> String {
    let start = line.find('<').unwrap() + 1;
    line[start..line.find('>').unwrap()].to_owned()
}

/// Quoted-printable (RFC 2045 §6.7) read, without looking at which part has it.
fn decoded(data: &str) -> String {
    let joined = data.replace("=\n", "");
    let (mut bytes, mut rest) = (Vec::new(), joined.as_bytes());
    while let Some((&byte, tail)) = rest.split_first() {
        let code = tail.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let code = code.filter(|_| byte == b'=');
        match code.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(code) => {
                bytes.push(code);
                rest = &tail[2..];
            }
            None => {
                bytes.push(byte);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
