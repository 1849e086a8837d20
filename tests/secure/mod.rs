//! A certificate for `localhost`, and clients that trust it alone.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use tallylight::config::Tls;

/// A new certificate and its key, in that folder.
pub(crate) fn issue(folder: &Path) -> Tls {
    let key = rcgen::KeyPair::generate().unwrap();
    let wish = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let files = Tls {
        certificate: folder.join("chain.pem"),
        private_key: folder.join("key.pem"),
    };
    let made = wish.self_signed(&key).unwrap();
    fs::write(&files.certificate, made.pem()).unwrap();
    fs::write(&files.private_key, key.serialize_pem()).unwrap();
    files
}

/// A client of HTTP for `https://localhost`, with HTTP/2 unless it is told otherwise.
pub(crate) fn client(trusted: &Tls, server: SocketAddr) -> reqwest::ClientBuilder {
    let pem = fs::read(&trusted.certificate).unwrap();
    reqwest::Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(&pem).unwrap()])
        .resolve("localhost", server)
        .redirect(reqwest::redirect::Policy::none())
}
