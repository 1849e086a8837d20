//! A foreign client: coturn's `turnutils_uclient`, with credentials that it makes itself of the secret.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::process::Output;

use crate::support::*;
use tokio::process::Command;
use tokio::task::JoinSet;
use turn::Peers;

/// Messages of each client, and clients.
const MESSAGES: u32 = 20;
const CLIENTS: u32 = 2;

/// It insists on a channel to the next port as well.
async fn world() -> World {
    World::with(|config, local| {
        let next = SocketAddr::new(SFU.ip(), SFU.port() + 1);
        config.peers = Peers::new([(SFU, local), (next, local)]);
        config.relays.push(IpAddr::from(Ipv6Addr::LOCALHOST).into());
        // It leaves without a word.
        config.limits.allocations_per_user = 100;
    })
    .await
}

async fn uclient(server: SocketAddr, peer: SocketAddr, flags: &[&str]) -> Output {
    let mut command = Command::new("turnutils_uclient");
    // No pair of ports for RTCP, credentials by secret, quickly.
    command.args(["-c", "-u", "alice", "-W", SECRET, "-z", "5"]);
    command.args(["-n", &MESSAGES.to_string(), "-m", &CLIENTS.to_string()]);
    command.args(["-e", &peer.ip().to_string()]);
    command.args(["-r", &peer.port().to_string()]);
    command.args(["-p", &server.port().to_string()]);
    command.args(flags).arg(server.ip().to_string());
    let running = command.kill_on_drop(true).output();
    soon(running)
        .await
        .expect("turnutils_uclient is missing: run scripts/setup.sh test, or install coturn")
}

fn words(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    String::from_utf8_lossy(&[&out[..], &err[..]].concat()).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn coturns_client_gets_all_back_over_each_transport() {
    let world = world().await;
    let ways: [(SocketAddr, &[&str]); 6] = [
        (world.udp, &[]),
        (world.udp, &["-s"]),
        (world.tcp, &["-t"]),
        (world.tcp, &["-t", "-s"]),
        (world.tls, &["-t", "-S"]),
        (world.tls, &["-t", "-S", "-s"]),
    ];
    let mut running = JoinSet::new();
    for (server, flags) in ways {
        running.spawn(async move { (flags, uclient(server, SFU, flags).await) });
    }
    let all = MESSAGES * CLIENTS;
    for (flags, output) in running.join_all().await {
        let words = words(&output);
        assert!(output.status.success(), "{flags:?}: {words}");
        // It takes a record of TLS for one message, where a busy server puts several into one.
        let received = match flags.contains(&"-S") {
            true => String::new(),
            false => all.to_string(),
        };
        let told = format!("tot_send_msgs={all}, tot_recv_msgs={received}");
        assert!(words.contains(&told), "{flags:?}: {words}");
    }
    let stats = world.server.stats();
    assert_eq!((stats.dropped_full, stats.panics), (0, 0));
    assert!(stats.packets_to_clients >= 6 * u64::from(all), "{stats:?}");
}

#[tokio::test]
async fn coturns_client_is_refused_elsewhere() {
    let world = world().await;
    let (server, port) = (world.udp, world.local.port());
    let mut running = JoinSet::new();
    for peer in [
        "127.0.0.1",
        "169.254.169.254",
        "::ffff:127.0.0.1",
        "0.0.0.0",
    ] {
        let peer = SocketAddr::new(peer.parse().unwrap(), port);
        running.spawn(async move { (peer, uclient(server, peer, &[]).await) });
    }
    for (peer, output) in running.join_all().await {
        let words = words(&output);
        assert!(words.contains("403"), "{peer}: {words}");
    }
    assert_eq!(world.server.stats().packets_to_peers, 0);
}
