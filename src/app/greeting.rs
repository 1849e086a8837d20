//! Where the server is, in words for people.

use std::net::{IpAddr, SocketAddr};

use super::App;
use super::opening::rtmp_is_off;

impl App {
    /// Where browsers find the server.
    #[must_use]
    pub fn url(&self) -> String {
        if let Some(origin) = self.config.http.public_origin() {
            return origin.to_owned();
        }
        at("http", self.http)
    }

    /// Where browsers find it over TLS, if they do. The certificate has the right name.
    #[must_use]
    pub fn https_url(&self) -> Option<String> {
        self.https.map(|https| at("https", https))
    }

    /// What the operator should know after the start, line by line.
    #[must_use]
    pub fn greeting(&self) -> String {
        let url = self.url();
        let media = self.services.sfu.media_addresses();
        let ports = media.first().map_or(0, SocketAddr::port);
        let protocols = if self.config.media.tcp {
            "UDP and TCP"
        } else {
            "UDP"
        };
        let ips: Vec<String> = unique(media.iter().map(|address| address.ip().to_string()));
        let mut lines = vec![
            format!("Tallylight {} is running.", env!("CARGO_PKG_VERSION")),
            String::new(),
            format!("  Pages and API   {url}/"),
        ];
        if let Some(https) = self.https_url() {
            lines.push(format!(
                "  Over TLS        {https}/, by the name in the certificate"
            ));
        }
        lines.push(format!("  Publish (WHIP)  {url}/whip"));
        lines.push(format!(
            "  Media           port {ports}, {protocols}, at {}",
            ips.join(", ")
        ));
        lines.extend(self.rtmp_lines());
        if let Some(turn) = self.services.ice.ports().plain {
            let port = turn.port();
            lines.push(format!("  TURN            port {port}, UDP and TCP, for clients that reach media no other way"));
        }
        if let Some(admin) = self.admin {
            lines.push(format!("  Metrics         http://{admin}/metrics"));
        }
        let data = self.config.data.display();
        let database = self.services.db.describe();
        lines.push(format!("  Data            {data} ({database})"));
        lines.push(String::new());
        if let Some(token) = &self.setup {
            lines.push("Open this link once to make your account and your channel:".to_owned());
            lines.push(String::new());
            lines.push(format!("  {url}/setup#{}", token.reveal()));
            lines.push(String::new());
        }
        lines.join("\n")
    }

    fn rtmp_lines(&self) -> impl Iterator<Item = String> {
        let on = |port: u16| format!("port {port}, application live, with the stream key");
        let plain = match (self.rtmp, self.config.rtmp.address()) {
            (Some(rtmp), _) => Some(on(rtmp.port())),
            (None, Some(wanted)) => Some(rtmp_is_off(wanted)),
            (None, None) => None,
        };
        let tls = self.rtmps.map(|rtmps| on(rtmps.port()));
        let plain = plain.map(|words| format!("  Publish (RTMP)  {words}"));
        let tls = tls.map(|words| format!("  Publish (RTMPS) {words}"));
        plain.into_iter().chain(tls)
    }
}

/// The address of a listener as browsers on this machine write it. They open the camera on localhost
/// and over TLS only, so that the name matters.
fn at(scheme: &str, address: SocketAddr) -> String {
    let host = match address.ip() {
        ip if ip.is_unspecified() => "localhost".to_owned(),
        IpAddr::V6(ip) => format!("[{ip}]"),
        IpAddr::V4(ip) => ip.to_string(),
    };
    format!("{scheme}://{host}:{}", address.port())
}

fn unique(texts: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen: Vec<String> = Vec::new();
    for text in texts {
        if !seen.contains(&text) {
            seen.push(text);
        }
    }
    seen
}
