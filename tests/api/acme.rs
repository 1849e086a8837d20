//! A server that gets its certificate by itself, from a real authority.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::support::pebble::{LIFE, NOWHERE, Pebble, free};
use crate::support::{Backend, Server};

const DOMAIN: &str = "live.example.org";
/// Longer than the pause after the first failure.
const A_WHILE: Duration = Duration::from_secs(40);

/// A server with a name and a way to an authority, on data that may be there already.
async fn start(pebble: &Pebble, data: Option<tempfile::TempDir>) -> Server {
    let data = data.unwrap_or_else(|| tempfile::tempdir().unwrap());
    let server = Server::start_on(data, Backend::Sqlite, |config| {
        config.server.domain = DOMAIN.to_owned();
        config.server.acme_email = "ada@example.org".to_owned();
        config.server.acme_directory = pebble.directory();
        config.server.acme_root = pebble.root();
        config.http.public_url = format!("https://{DOMAIN}");
        config.http.tls_listen = free().to_string();
        config.rtmp.tls_listen = free().to_string();
    });
    server.await
}

/// The certificate that is shown there, and good: what a client that trusts the authority sees.
async fn shown(port: SocketAddr, authority: &str) -> Option<CertificateDer<'static>> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap())
        .unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let socket = TcpStream::connect(port).await.unwrap();
    let name = ServerName::try_from(DOMAIN).unwrap();
    let stream = TlsConnector::from(Arc::new(config))
        .connect(name, socket)
        .await
        .ok()?;
    let chain = stream.get_ref().1.peer_certificates()?;
    chain.first().cloned().map(CertificateDer::into_owned)
}

/// Waits for one that is not `old`.
async fn new_one(
    server: &Server,
    authority: &str,
    old: Option<&CertificateDer<'static>>,
) -> CertificateDer<'static> {
    let port = server.app.https.unwrap();
    let coming = async {
        loop {
            match shown(port, authority).await {
                Some(new) if Some(&new) != old => return new,
                _ => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    };
    match tokio::time::timeout(Duration::from_secs(60), coming).await {
        Ok(new) => new,
        Err(_) => panic!("a certificate comes: {:?}", server.certificate()),
    }
}

/// What the port in the clear says by the server's name: status, where to, words.
async fn in_the_clear(server: &Server, path: &str) -> (u16, String, String) {
    let client = reqwest::Client::builder()
        .redirect(Policy::none())
        .resolve(DOMAIN, server.app.http);
    let url = format!("http://{DOMAIN}:{}{path}", server.app.http.port());
    // By the port of the world, which a browser leaves out.
    let request = client.build().unwrap().get(url).header("host", DOMAIN);
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let to = answer.headers().get("location");
    let to = to
        .map(|to| to.to_str().unwrap().to_owned())
        .unwrap_or_default();
    (status, to, answer.text().await.unwrap())
}

fn problem(server: &Server) -> String {
    let standing = server.certificate().unwrap();
    standing.problem.unwrap_or_default()
}

async fn until_told(server: &Server, words: &str) {
    let telling = async {
        while !problem(server).contains(words) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let told = tokio::time::timeout(Duration::from_secs(60), telling).await;
    assert!(
        told.is_ok(),
        "it tells of {words}: {:?}",
        server.certificate()
    );
}

#[tokio::test]
async fn a_certificate_comes_by_itself_and_is_renewed_in_time() {
    let mut pebble = Pebble::new();
    let server = start(&pebble, None).await;
    // The authority is away: the server says so, shows nothing, and is well.
    until_told(&server, "No certificate for live.example.org").await;
    let (status, _, words) = in_the_clear(&server, "/").await;
    assert_eq!(status, 503, "{words}");
    assert_eq!(in_the_clear(&server, "/healthz").await.0, 200);
    // The port of HTTPS knows the first way to prove the name.
    pebble.up(NOWHERE, server.app.https.unwrap().port()).await;
    let authority = pebble.authority().await;
    // The second attempt is by HTTP, which Pebble does not find; the third by TLS.
    server.clock.advance(A_WHILE);
    until_told(&server, "port 80 must reach it").await;
    server.clock.advance(Duration::from_secs(11 * 60));
    let first = new_one(&server, &authority, None).await;
    let (status, to, _) = in_the_clear(&server, "/@ada?x=1").await;
    assert_eq!(
        (status, to.as_str()),
        (308, "https://live.example.org/@ada?x=1")
    );
    assert_eq!(in_the_clear(&server, "/healthz").await.0, 200);
    // By RTMPS it is the same.
    assert_eq!(
        shown(server.app.rtmps.unwrap(), &authority).await,
        Some(first.clone())
    );

    // A third of its life before its end another is asked for.
    server.clock.advance(LIFE * 6 / 10);
    server.clock.advance(LIFE / 10);
    let second = new_one(&server, &authority, Some(&first)).await;

    // The next start has it, whether the authority is there or not.
    pebble.down();
    let data = server.stop().await;
    let server = start(&pebble, Some(data)).await;
    assert_eq!(
        shown(server.app.https.unwrap(), &authority).await,
        Some(second)
    );
    let kept = server.file("acme");
    for entry in std::fs::read_dir(kept).unwrap() {
        for file in std::fs::read_dir(entry.unwrap().path()).unwrap() {
            let mode = std::os::unix::fs::PermissionsExt::mode(
                &file.unwrap().metadata().unwrap().permissions(),
            );
            assert_eq!(mode & 0o077, 0, "for this user alone");
        }
    }
}

#[tokio::test]
async fn where_tls_does_not_prove_the_name_http_does() {
    let mut pebble = Pebble::new();
    let server = start(&pebble, None).await;
    until_told(&server, "No certificate for live.example.org").await;
    pebble.up(server.app.http.port(), NOWHERE).await;
    let authority = pebble.authority().await;
    server.clock.advance(A_WHILE);
    new_one(&server, &authority, None).await;
    // Nobody else finds anything there.
    let path = "/.well-known/acme-challenge/nothing";
    assert_eq!(in_the_clear(&server, path).await.0, 308);
}
