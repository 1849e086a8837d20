//! [`Network`]: where servers, clients, PostgreSQL and Redis are, and how servers are cut off from others.
//!
//! Each server is in a network namespace of its own, all others in one that routes between them. So what is
//! cut off hears nothing: no RST, no FIN, no ICMP. Namespaces have no names: they end with their processes,
//! and those with the test. Where none can be made all are on loopback, and only Redis can be cut off.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::AsFd as _;
use std::panic::resume_unwind;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{LazyLock, OnceLock};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use serde_json::json;

use super::line::Line;
use super::report;
use crate::postgres::{self, Cluster};
use crate::process::{PROGRAM, Process};
use crate::redis::OwnRedis;

/// Where everybody is.
#[derive(Clone, Copy)]
pub(crate) enum Network {
    Namespaces(&'static Router),
    Loopback,
}

/// The namespace that all are linked to, and in which clients, PostgreSQL and Redis are.
pub(crate) struct Router {
    /// Its standard input is a pipe that we hold: it ends with us.
    process: Child,
    namespace: File,
    postgres: OnceLock<Cluster>,
}

/// Where a server is.
pub(crate) struct Host {
    pub(crate) address: Ipv4Addr,
    /// For HTTP, RTMP and metrics.
    pub(crate) listens: [String; 3],
    reached: Reached,
}

enum Reached {
    /// By a link to the router, from the namespace that its process makes.
    Linked(&'static Router),
    /// On loopback.
    Here {
        /// Its ports, until it starts.
        held: Vec<TcpListener>,
        to_redis: Line,
    },
}

/// A way that can be cut.
#[derive(Clone, Copy)]
pub(crate) enum Way<'h> {
    ToRedis,
    To(&'h Host),
    /// To all, clients included.
    Any,
}

static ROUTER: LazyLock<Result<Router, String>> = LazyLock::new(Router::start);

const CLIENTS: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const REDIS: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);
const POSTGRES: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 3);

/// What is to be cut off must be looked at before what is here: `local` is the first rule otherwise. A pair
/// of links and a rule are tried, so that it is known at once if there cannot be any.
const ROUTE: &str = r#"
set -eu
ip link set lo up
for address; do ip address add "$address/32" dev lo; done
echo 1 >/proc/sys/net/ipv4/ip_forward
ip rule add pref 100 lookup local
ip rule del pref 0
ip rule add pref 10 from 192.0.2.1 to 192.0.2.2 blackhole
ip rule del pref 10 from 192.0.2.1 to 192.0.2.2 blackhole
ip link add left type veth peer name right
ip link del left
echo ready
cat >/dev/null || true
"#;

/// Links the namespace to the router's and becomes the program in it, which ends when the thread that
/// started it does: that of the test.
const LINK: &str = r#"
set -eu
router=$1 clients=$2 address=$3 link=$4
shift 4
ip link set lo up
ip link add eth0 type veth peer name "$link" netns "$router"
ip address add "$address" peer "$clients" dev eth0
ip link set eth0 up
ip route add default via "$clients"
nsenter --net="/proc/$router/ns/net" sh -euc '
  ip address add "$1" peer "$2" dev "$3"
  ip link set "$3" up
' sh "$clients" "$address" "$link"
exec setpriv --pdeathsig KILL -- "$@"
"#;

impl Network {
    /// Namespaces, if there can be any. Says which.
    pub(crate) fn here() -> Self {
        match &*ROUTER {
            Ok(router) => {
                report(&json!({ "network": "namespaces" }));
                Self::Namespaces(router)
            }
            Err(why) => {
                report(&json!({ "network": "loopback", "no_namespaces": why }));
                Self::Loopback
            }
        }
    }

    /// Runs a test where its clients are, on threads of its own: sockets and processes are in the
    /// namespace of the thread that makes them.
    pub(crate) fn run(self, test: impl AsyncFnOnce(Self) + Send) {
        let body = || {
            self.enter();
            let mut runtime = tokio::runtime::Builder::new_multi_thread();
            runtime.enable_all().on_thread_start(move || self.enter());
            runtime.build().unwrap().block_on(test(self));
        };
        let name = std::thread::current().name().unwrap_or_default().to_owned();
        let ended = std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().name(name);
            thread.spawn_scoped(scope, body).unwrap().join()
        });
        if let Err(panic) = ended {
            resume_unwind(panic);
        }
    }

    fn enter(self) {
        if let Self::Namespaces(router) = self {
            let of_network = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(router.namespace.as_fd(), of_network).unwrap();
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Namespaces(_) => "namespaces",
            Self::Loopback => "loopback",
        }
    }

    pub(crate) async fn redis(self) -> OwnRedis {
        let address = match self {
            Self::Namespaces(_) => REDIS,
            Self::Loopback => Ipv4Addr::LOCALHOST,
        };
        OwnRedis::start_at(address.into()).await
    }

    /// An empty database; gives its URL.
    pub(crate) fn new_database(self) -> String {
        match self {
            Self::Namespaces(router) => {
                let postgres = router
                    .postgres
                    .get_or_init(|| Cluster::start(Some(POSTGRES.into())));
                postgres.new_database()
            }
            Self::Loopback => postgres::new_database(),
        }
    }

    pub(crate) async fn new_host(self, redis: &OwnRedis) -> Host {
        match self {
            Self::Namespaces(router) => {
                static NEXT: AtomicU8 = AtomicU8::new(1);
                let number = NEXT.fetch_add(1, Ordering::Relaxed);
                let address = Ipv4Addr::new(10, 77, 1, number);
                Host {
                    address,
                    listens: [8080, 1935, 9090].map(|port| format!("{address}:{port}")),
                    reached: Reached::Linked(router),
                }
            }
            Self::Loopback => {
                let held = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
                let listens = held
                    .each_ref()
                    .map(|held| held.local_addr().unwrap().to_string());
                Host {
                    address: Ipv4Addr::LOCALHOST,
                    listens,
                    reached: Reached::Here {
                        held: held.into(),
                        to_redis: Line::to(redis.port()).await,
                    },
                }
            }
        }
    }
}

impl Router {
    fn start() -> Result<Self, String> {
        let addresses = [CLIENTS, REDIS, POSTGRES].map(|address| address.to_string());
        let mut process = Command::new("unshare")
            .args(["--net", "sh", "-c", ROUTE, "sh"])
            .args(addresses)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("unshare: {error}"))?;
        let mut line = String::new();
        let out = process.stdout.take().expect("its output is piped");
        let read = BufReader::new(out).read_line(&mut line);
        if read.is_err() || line.trim() != "ready" {
            let output = process.wait_with_output().expect("it ends");
            return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
        }
        let namespace = File::open(format!("/proc/{}/ns/net", process.id()));
        Ok(Self {
            process,
            namespace: namespace.map_err(|error| error.to_string())?,
            postgres: OnceLock::new(),
        })
    }

    /// A command that makes a namespace with a link to this one and becomes the program in it.
    fn link(&self, address: Ipv4Addr) -> Command {
        let mut command = Command::new("unshare");
        command.args(["--net", "sh", "-c", LINK, "sh"]);
        command.arg(self.process.id().to_string());
        command.args([CLIENTS.to_string(), address.to_string()]);
        command.arg(format!("server{}", address.octets()[3]));
        command.arg(PROGRAM);
        command
    }

    /// What goes either way between them is dropped without a word, or is no more.
    fn set_rules(&self, change: &str, address: Ipv4Addr, way: Way<'_>) {
        let other = match way {
            Way::ToRedis => REDIS.to_string(),
            Way::To(host) => host.address.to_string(),
            Way::Any => "all".to_owned(),
        };
        let address = address.to_string();
        for (from, to) in [(&address, &other), (&other, &address)] {
            let rule = ["rule", change, "pref", "10", "from", from, "to", to];
            let mut command = Command::new("ip");
            let changed = command.args(rule).arg("blackhole").status();
            assert!(changed.expect("ip runs").success(), "{rule:?}");
        }
    }
}

impl Host {
    /// How it reaches Redis.
    pub(crate) fn bus(&self, redis: &OwnRedis) -> String {
        match &self.reached {
            Reached::Linked(_) => redis.url(),
            Reached::Here { to_redis, .. } => redis.url_by(to_redis.port),
        }
    }

    /// Starts the program there.
    pub(crate) fn start(&mut self, data: &Path, settings: &[(&str, &str)]) -> Process {
        let command = match &mut self.reached {
            Reached::Linked(router) => router.link(self.address),
            Reached::Here { held, .. } => {
                held.clear();
                Command::new(PROGRAM)
            }
        };
        Process::start_as(command, data, settings, Stdio::inherit())
    }

    pub(crate) fn cut(&self, way: Way<'_>) {
        match &self.reached {
            Reached::Linked(router) => router.set_rules("add", self.address, way),
            Reached::Here { to_redis, .. } => {
                assert!(
                    matches!(way, Way::ToRedis),
                    "on loopback no other can be cut"
                );
                to_redis.cut();
            }
        }
    }

    pub(crate) fn mend(&self, way: Way<'_>) {
        match &self.reached {
            Reached::Linked(router) => router.set_rules("del", self.address, way),
            Reached::Here { to_redis, .. } => to_redis.mend(),
        }
    }
}
