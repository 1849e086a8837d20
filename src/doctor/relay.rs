//! The way to media for clients whose network lets nothing else through.

use std::net::{TcpListener, UdpSocket};

use super::{Finding, careful, good, port};
use crate::config::Config;

const SUBJECT: &str = "TURN";

/// What the configuration says of it.
pub(super) fn turn(config: &Config) -> Finding {
    let wish = &config.turn;
    if !wish.servers.is_empty() {
        let servers = wish.servers.join(", ");
        return good(
            SUBJECT,
            format!("clients are told of {servers}, which must have the secret of turn.secret"),
        );
    }
    match wish.address() {
        None => careful(
            SUBJECT,
            "it is off: viewers and publishers behind strict firewalls cannot connect; set turn.listen",
        ),
        Some(address) if address.ip().is_loopback() => careful(
            SUBJECT,
            format!(
                "it listens at {address}, a port that only programs on this machine reach: set turn.listen to 0.0.0.0:{}",
                address.port()
            ),
        ),
        Some(address) => good(
            SUBJECT,
            format!(
                "it is within this program; let port {} (UDP and TCP) through the firewall",
                address.port()
            ),
        ),
    }
}

/// Whether its ports can be opened.
pub(super) fn ports(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(address) = config.turn.address() {
        let flag = "turn.listen";
        let udp = UdpSocket::bind(address).map(drop);
        findings.push(port("TURN port", udp, &format!("UDP {address}"), flag));
        let tcp = TcpListener::bind(address).map(drop);
        findings.push(port("TURN port", tcp, &format!("TCP {address}"), flag));
    }
    if let Some(address) = config.turn.tls_address() {
        findings.push(super::tcp_port("TURN port", address, "turn.tls_listen"));
    }
    findings
}
