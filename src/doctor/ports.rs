//! Whether the server gets its ports, and who has them otherwise.

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};

use listeners::{Listener, Process, Protocol, SocketState};

use super::{Finding, bad, careful, good};
use crate::config::Config;

/// A port that the server opens.
struct Port {
    subject: &'static str,
    protocol: Protocol,
    address: SocketAddr,
    /// Where another is chosen.
    setting: &'static str,
    /// Whether there is no server without it.
    is_needed: bool,
}

/// All that the server opens.
pub(super) fn all(config: &Config) -> Vec<Finding> {
    wanted(config).iter().map(Port::look).collect()
}

fn wanted(config: &Config) -> Vec<Port> {
    let tcp = |subject, address, setting| Port::new(subject, Protocol::TCP, address, setting);
    let udp = |subject, address, setting| Port::new(subject, Protocol::UDP, address, setting);
    let mut ports = vec![tcp("HTTP port", config.http.listen, "--http")];
    let https = config.http.tls_address();
    ports.extend(https.map(|address| tcp("HTTPS port", address, "http.tls_listen")));
    if config.http.admin {
        let admin = config.http.admin_listen;
        ports.push(tcp("operators' port", admin, "--admin-listen"));
    }
    // Where nobody chose it the server starts without.
    let rtmp = config.rtmp.address();
    let is_needed = config.rtmp.is_chosen;
    ports.extend(rtmp.map(|address| Port {
        is_needed,
        ..tcp("RTMP port", address, "--rtmp")
    }));
    let rtmps = config.rtmp.tls_address();
    ports.extend(rtmps.map(|address| tcp("RTMPS port", address, "rtmp.tls_listen")));
    let media = SocketAddr::new(config.media.bind, config.media.port);
    ports.push(udp("media port", media, "--media-port"));
    if config.media.tcp {
        ports.push(tcp("media port", media, "--media-port"));
    }
    if let Some(turn) = config.turn.address() {
        ports.push(udp("TURN port", turn, "turn.listen"));
        ports.push(tcp("TURN port", turn, "turn.listen"));
    }
    let turns = config.turn.tls_address();
    ports.extend(turns.map(|address| tcp("TURN port", address, "turn.tls_listen")));
    ports
}

impl Port {
    fn new(
        subject: &'static str,
        protocol: Protocol,
        address: SocketAddr,
        setting: &'static str,
    ) -> Self {
        Self {
            subject,
            protocol,
            address,
            setting,
            is_needed: true,
        }
    }

    fn look(&self) -> Finding {
        let Self {
            subject, address, ..
        } = *self;
        let place = format!("{} {address}", self.protocol);
        match self.bind() {
            Ok(()) => good(subject, format!("{place} is free")),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => self.taken(&place),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => careful(
                subject,
                format!(
                    "{place} is not for this user: ports below 1024 need CAP_NET_BIND_SERVICE, which the unit in \
                     deploy/systemd gives the server"
                ),
            ),
            Err(error) => bad(subject, format!("{place} cannot be opened: {error}")),
        }
    }

    fn bind(&self) -> io::Result<()> {
        match self.protocol {
            Protocol::TCP => TcpListener::bind(self.address).map(drop),
            Protocol::UDP => UdpSocket::bind(self.address).map(drop),
        }
    }

    fn taken(&self, place: &str) -> Finding {
        let Self {
            subject, setting, ..
        } = *self;
        match self.holder() {
            Some(Process { pid, name, .. }) if name == env!("CARGO_PKG_NAME") => good(
                subject,
                format!("{place} is held by the Tallylight that runs, process {pid}"),
            ),
            Some(Process { pid, name, .. }) => {
                let words = format!(
                    "{place} is held by {name}, process {pid}: stop that, or choose another port with {setting}"
                );
                match self.is_needed {
                    true => bad(subject, words),
                    false => careful(subject, words),
                }
            }
            // Of other users' programs that may not be known.
            None => careful(
                subject,
                format!(
                    "{place} is in use: by a running Tallylight, that is right; else stop the other program or choose \
                     another port with {setting}; as root, doctor names the program"
                ),
            ),
        }
    }

    fn holder(&self) -> Option<Process> {
        let holds = |listener: &Listener| {
            let opened =
                listener.protocol == Protocol::UDP || listener.state == SocketState::Listen;
            opened
                && listener.protocol == self.protocol
                && is_in_the_way(listener.socket, self.address)
        };
        let all = listeners::get_all().ok()?;
        all.into_iter().find(holds).map(|found| found.process)
    }
}

/// Whether who has the one address keeps others from the other.
fn is_in_the_way(held: SocketAddr, wanted: SocketAddr) -> bool {
    let (held_ip, wanted_ip) = (held.ip(), wanted.ip());
    let meet = held_ip == wanted_ip || held_ip.is_unspecified() || wanted_ip.is_unspecified();
    meet && held.port() == wanted.port()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn who_has_the_same_port_elsewhere_is_not_in_the_way() {
        let one = |text: &str| text.parse::<SocketAddr>().unwrap();
        let wanted = one("192.0.2.1:80");
        for held in ["192.0.2.1:80", "0.0.0.0:80", "[::]:80"] {
            assert!(is_in_the_way(one(held), wanted), "{held}");
            assert!(is_in_the_way(wanted, one(held)), "{held}");
        }
        for held in ["192.0.2.2:80", "192.0.2.1:81", "0.0.0.0:81"] {
            assert!(!is_in_the_way(one(held), wanted), "{held}");
        }
    }

    #[test]
    fn who_holds_a_port_is_told() {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let taken = [
            (Protocol::TCP, tcp.local_addr().unwrap()),
            (Protocol::UDP, udp.local_addr().unwrap()),
        ];
        for (protocol, address) in taken {
            let told = Port::new("HTTP port", protocol, address, "--http").look();
            // It is this test.
            assert_eq!(told.verdict, Verdict::Bad, "{told}");
            assert!(told.words.contains("--http"), "{told}");
            let holder = format!("process {}:", std::process::id());
            assert!(told.words.contains(&holder), "{told}");
        }
    }
}
