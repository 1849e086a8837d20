//! The server over its own TLS: HTTP/2 and HTTP/1.1, cookies, certificates, and bounds.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, Version};
use serde_json::json;
use tallylight::config::Tls;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::secure;
use crate::support::{Anonymous, Backend, PASSWORD, Server, view_offer};

/// A server with HTTPS, and the files of its certificate.
struct Secure {
    server: Server,
    files: Tls,
    _folder: TempDir,
}

impl Secure {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let files = secure::issue(folder.path());
        let tls = files.clone();
        let server = Server::start_with(Backend::Sqlite, |config| {
            config.http.tls_listen = "127.0.0.1:0".to_owned();
            config.tls = tls;
        })
        .await;
        Self {
            server,
            files,
            _folder: folder,
        }
    }

    fn url(&self) -> String {
        format!("https://localhost:{}", self.address().port())
    }

    fn address(&self) -> SocketAddr {
        self.server.app.https.unwrap()
    }

    /// A client that may speak HTTP/2.
    fn client(&self) -> Client {
        let client = secure::client(&self.files, self.address());
        client.build().unwrap()
    }

    fn person(&self) -> Anonymous {
        Anonymous::with(self.client(), &self.url())
    }
}

/// A bare connection that offers these protocols.
async fn connect(secure: &Secure, protocols: &[&[u8]]) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(&secure.files.certificate).unwrap() {
        roots.add(certificate.unwrap()).unwrap();
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    let socket = TcpStream::connect(secure.address()).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(name, socket).await.unwrap()
}

#[tokio::test]
async fn clients_get_the_best_version_that_they_know() {
    let secure = Secure::start().await;
    let url = secure.url();
    let best = secure.client().get(&url).send().await.unwrap();
    assert_eq!(best.version(), Version::HTTP_2);
    assert_eq!(best.status(), 200);
    let old = secure::client(&secure.files, secure.address()).http1_only();
    let old = old.build().unwrap().get(&url).send().await.unwrap();
    assert_eq!(old.version(), Version::HTTP_11);
    assert_eq!(old.status(), 200);
    for response in [best, old] {
        assert!(response.headers().contains_key("strict-transport-security"));
    }
    // Without negotiation it is HTTP/1.1, too.
    let mut bare = connect(&secure, &[]).await;
    let request = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    bare.write_all(request).await.unwrap();
    let mut answer = String::new();
    bare.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn the_listener_in_the_clear_stays_as_it_is() {
    let secure = Secure::start().await;
    let answer = secure.server.anonymous().get("/healthz").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("strict-transport-security"), "");
}

#[tokio::test]
async fn logins_over_tls_are_bound_to_it() {
    let secure = Secure::start().await;
    secure.server.creator().await;
    let login = json!({ "name": "ada", "password": PASSWORD });
    let page = secure.person();
    let answer = page.post("/api/auth/login", login.clone()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let cookie = answer.header("set-cookie");
    assert!(cookie.starts_with("__Host-tallylight="), "{cookie}");
    assert!(cookie.contains("; Secure"), "{cookie}");
    let ada = crate::support::Account::with_cookie_of(page.clone(), &answer);
    assert!(ada.is_signed_in().await);
    // A page in the clear is another origin, and so is a proxy that we do not know.
    let port = secure.address().port();
    let foreign = page.of_origin(Some(&format!("http://localhost:{port}")));
    assert_eq!(foreign.post("/api/auth/login", login).await.status, 403);
}

#[tokio::test]
async fn signalling_and_events_go_over_one_connection_of_http_2() {
    let secure = Secure::start().await;
    secure.server.on_air().await;
    let viewer = secure.person();
    let headers = [("content-type", "application/sdp")];
    let answer = viewer
        .send_body("POST", "/whep/ada", &headers, view_offer())
        .await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let location = answer.header("location").to_owned();
    let events = viewer.request(reqwest::Method::GET, &format!("{location}/events"));
    let mut events = events.send().await.unwrap();
    assert_eq!(events.version(), Version::HTTP_2);
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    let first = events.chunk().await.unwrap().unwrap();
    assert!(first.starts_with(b"event: active"), "{first:?}");
    // While the stream of events is open, the connection does other things.
    assert_eq!(viewer.delete(&location).await.status, 200);
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_without_a_restart() {
    let secure = Secure::start().await;
    let before = secure.client();
    assert!(before.get(secure.url()).send().await.is_ok());
    secure::issue(secure.files.certificate.parent().unwrap());
    // The new one is trusted as soon as it has been seen.
    let after = secure.client();
    let seen = || async { after.get(secure.url()).send().await.ok() };
    secure.server.wait_for("the new certificate", seen).await;
    // Who is connected stays so.
    assert!(before.get(secure.url()).send().await.is_ok());
}

#[tokio::test]
async fn what_is_no_tls_is_cut() {
    let secure = Secure::start().await;
    let mut plain = TcpStream::connect(secure.address()).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let read = plain.read_to_end(&mut answer);
    tokio::time::timeout(Duration::from_secs(20), read)
        .await
        .expect("the server closes")
        .ok();
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
}

/// Frames of HTTP/2 (RFC 9113 §4.1, §6), written by hand to break its rules.
mod frames {
    pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    pub(super) const HEADERS: u8 = 1;
    pub(super) const RST_STREAM: u8 = 3;
    pub(super) const SETTINGS: u8 = 4;
    pub(super) const GOAWAY: u8 = 7;
    pub(super) const CONTINUATION: u8 = 9;
    pub(super) const END_STREAM: u8 = 1;
    pub(super) const END_HEADERS: u8 = 4;
    pub(super) const ENHANCE_YOUR_CALM: u8 = 11;
    pub(super) const REFUSED_STREAM: u8 = 7;
    /// `GET https://localhost/healthz`, in HPACK (RFC 7541): indexed, but for two literals.
    pub(super) const REQUEST: &[u8] = b"\x82\x87\x01\x09localhost\x04\x08/healthz";

    pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = length[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        frame
    }
}

/// Sends those bytes as HTTP/2 and reads until the server closes or `wanted` has come; gives the
/// frames that came: kind, stream, payload.
async fn provoke(
    secure: &Secure,
    bytes: &[u8],
    wanted: impl Fn(&(u8, u32, Vec<u8>)) -> bool,
) -> Vec<(u8, u32, Vec<u8>)> {
    let connection = connect(secure, &[b"h2"]).await;
    let (mut reader, mut writer) = tokio::io::split(connection);
    let mut all = frames::PREFACE.to_vec();
    all.extend(frames::frame(frames::SETTINGS, 0, 0, &[]));
    all.extend(bytes);
    let mut came = Vec::new();
    let talk = async {
        // The server may hang up before it has read all.
        let _ = writer.write_all(&all).await;
        std::future::pending::<()>().await;
    };
    let listen = async {
        let mut head = [0; 9];
        while reader.read_exact(&mut head).await.is_ok() {
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; usize::try_from(length).unwrap()];
            if reader.read_exact(&mut payload).await.is_err() {
                return;
            }
            let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
            came.push((head[3], stream, payload));
            if came.last().is_some_and(&wanted) {
                return;
            }
        }
    };
    let talked = async {
        tokio::select! { () = talk => {}, () = listen => {} }
    };
    let done = tokio::time::timeout(Duration::from_secs(20), talked).await;
    assert!(done.is_ok(), "neither closed nor answered");
    came
}

#[tokio::test]
async fn a_flood_of_resets_ends_the_connection_and_nobody_elses() {
    let secure = Secure::start().await;
    let flood: Vec<u8> = (0..10_000_u32)
        .flat_map(|at| {
            let stream = 2 * at + 1;
            let flags = frames::END_STREAM | frames::END_HEADERS;
            let mut pair = frames::frame(frames::HEADERS, flags, stream, frames::REQUEST);
            let cancel = 8_u32.to_be_bytes();
            pair.extend(frames::frame(frames::RST_STREAM, 0, stream, &cancel));
            pair
        })
        .collect();
    let is_goaway = |frame: &(u8, u32, Vec<u8>)| frame.0 == frames::GOAWAY;
    let came = provoke(&secure, &flood, is_goaway).await;
    let goaway = came.last().unwrap();
    assert_eq!(goaway.2[7], frames::ENHANCE_YOUR_CALM, "{goaway:?}");
    let answer = secure.person().get("/healthz").await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn more_requests_at_once_than_may_be_are_refused() {
    let secure = Secure::start().await;
    // Bodies that do not come keep the streams open.
    let many: Vec<u8> = (0..150_u32)
        .flat_map(|at| {
            let flags = frames::END_HEADERS;
            let request = b"\x83\x87\x01\x09localhost\x04\x0c/api/session";
            frames::frame(frames::HEADERS, flags, 2 * at + 1, request)
        })
        .collect();
    let refused = |(kind, _, payload): &(u8, u32, Vec<u8>)| {
        *kind == frames::RST_STREAM && payload.last() == Some(&frames::REFUSED_STREAM)
    };
    let came = provoke(&secure, &many, refused).await;
    let (_, stream, _) = came.iter().find(|frame| refused(frame)).expect("a refusal");
    assert!(*stream > 200, "the first hundred are served, not {stream}");
}

#[tokio::test]
async fn heads_are_bounded_whether_whole_or_endless() {
    let secure = Secure::start().await;
    let long = "x".repeat(20_000);
    let answer = secure.client().get(secure.url()).header("x-long", &long);
    let answer = answer.send().await;
    assert!(
        answer
            .as_ref()
            .map_or(true, |answer| answer.status() == 431),
        "{answer:?}"
    );
    // Header after header (RFC 7541 §6.2.2), and the head never ends.
    let header = [&[0, 1, b'x', 126][..], &[b'y'; 126]].concat();
    let piece = header.repeat(120);
    let mut flood = frames::frame(frames::HEADERS, 0, 1, frames::REQUEST);
    for _ in 0..1_000 {
        flood.extend(frames::frame(frames::CONTINUATION, 0, 1, &piece));
    }
    let came = provoke(&secure, &flood, |frame| frame.0 == frames::GOAWAY).await;
    let is_over = came.iter().all(|frame| frame.0 != frames::HEADERS);
    assert!(is_over, "such a head gets no answer: {came:?}");
    assert_eq!(secure.person().get("/healthz").await.status, 200);
}
