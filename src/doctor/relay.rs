//! The way to media for clients whose network lets nothing else through.

use super::{Finding, careful, good};
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
