//! A PostgreSQL of our own: made in a temporary folder, reached by a socket in it or an address, gone with
//! the test process however that ends.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// A cluster of databases. Its standard input is a pipe that we hold: when it closes, the script below stops
/// the server and removes the folder.
pub(crate) struct Cluster {
    socket: PathBuf,
    /// Where it is reached by TCP, if it is.
    address: Option<IpAddr>,
    bin: PathBuf,
    _script: Child,
}

const SCRIPT: &str = r#"
set -eu
bin=$1 dir=$2 address=$3
"$bin/initdb" -D "$dir/db" -U tally -A trust -E UTF8 --locale=C --no-sync >"$dir/log" 2>&1
echo "host all all all trust" >>"$dir/db/pg_hba.conf"
"$bin/postgres" -D "$dir/db" -k "$dir" -c listen_addresses="$address" -c fsync=off -c max_connections=1000 >>"$dir/log" 2>&1 &
server=$!
tries=0
until "$bin/pg_isready" -q -h "$dir" -U tally; do
  tries=$((tries + 1))
  [ $tries -lt 300 ] || { echo "no answer"; cat "$dir/log" >&2; break; }
  sleep 0.1
done
echo ready
cat >/dev/null || true
kill -QUIT $server
wait $server || true
rm -rf "$dir"
"#;

/// Makes an empty database in the cluster of this process and gives its URL.
pub(crate) fn new_database() -> String {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| Cluster::start(None)).new_database()
}

impl Cluster {
    /// With an address it is reached there, by anybody, else by a socket in its folder.
    pub(crate) fn start(address: Option<IpAddr>) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let bin = binaries();
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("tallylight-pg-{}-{number}", std::process::id());
        let socket = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&socket);
        std::fs::create_dir(&socket).expect("a folder for PostgreSQL");
        let mut command = as_other_than_root(&socket);
        let mut script = command
            .args(["sh", "-c", SCRIPT, "sh"])
            .arg(&bin)
            .arg(&socket)
            .arg(address.map_or_else(String::new, |address| address.to_string()))
            .current_dir(std::env::temp_dir())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the PostgreSQL script starts");
        let mut line = String::new();
        let out = script.stdout.take().expect("its output is piped");
        BufReader::new(out)
            .read_line(&mut line)
            .expect("it says when it is ready");
        assert_eq!(line.trim(), "ready", "PostgreSQL did not start");
        Self {
            socket,
            address,
            bin,
            _script: script,
        }
    }

    /// Makes an empty database and gives its URL.
    pub(crate) fn new_database(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let made = Command::new(self.bin.join("createdb"))
            .args(["-U", "tally", "-h"])
            .arg(&self.socket)
            .arg(&name)
            .status()
            .expect("createdb runs");
        assert!(made.success(), "createdb {name} failed");
        match self.address {
            Some(address) => format!("postgres://tally@{address}/{name}"),
            None => format!(
                "postgres://tally@localhost/{name}?host={}",
                self.socket.display()
            ),
        }
    }
}

/// A PostgreSQL that a test may stop, start and hang.
pub(crate) struct OwnPostgres {
    folder: PathBuf,
    script: Child,
    out: BufReader<ChildStdout>,
}

/// Reads the names of its functions, and says `done` after each; ends with its input. Backends are in sessions of their own, so that
/// each is told.
const OWN_SCRIPT: &str = r#"
set -eu
bin=$1 dir=$2
up() {
  "$bin/postgres" -D "$dir/db" -k "$dir" -c listen_addresses= -c fsync=off -c max_connections=1000 >>"$dir/log" 2>&1 &
  server=$!
  tries=0
  until "$bin/pg_isready" -q -h "$dir" -U tally; do
    tries=$((tries + 1))
    [ $tries -lt 300 ] || exit 1
    sleep 0.1
  done
}
down() {
  kill -INT $server
  wait $server || true
}
hang() {
  kill -STOP $server
  kill -STOP $(pgrep -P $server)
}
go_on() {
  kill -CONT $(pgrep -P $server) $server
}
set_read_only() {
  PGOPTIONS="-c default_transaction_read_only=off" "$bin/psql" -q -h "$dir" -U tally -d postgres \
    -c "ALTER SYSTEM SET default_transaction_read_only = $1" -c "SELECT pg_reload_conf()" >>"$dir/log" 2>&1
}
read_only() {
  set_read_only on
}
writable() {
  set_read_only off
}
"$bin/initdb" -D "$dir/db" -U tally -A trust -E UTF8 --locale=C --no-sync >"$dir/log" 2>&1
up
echo done
while read -r word; do
  $word
  echo done
done
go_on 2>/dev/null || true
kill -QUIT $server 2>/dev/null || true
wait $server || true
rm -rf "$dir"
"#;

#[allow(dead_code, reason = "each test program uses a part")]
impl OwnPostgres {
    pub(crate) fn start() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("tallylight-own-pg-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir(&folder).expect("a folder for PostgreSQL");
        let mut script = as_other_than_root(&folder)
            .args(["sh", "-c", OWN_SCRIPT, "sh"])
            .arg(binaries())
            .arg(&folder)
            .current_dir(std::env::temp_dir())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the PostgreSQL script starts");
        let out = BufReader::new(script.stdout.take().expect("its output is piped"));
        let mut own = Self {
            folder,
            script,
            out,
        };
        own.wait();
        own
    }

    pub(crate) fn url(&self) -> String {
        format!(
            "postgres://tally@localhost/postgres?host={}",
            self.folder.display()
        )
    }

    /// Ends it, and every connection.
    pub(crate) fn down(&mut self) {
        self.tell("down");
    }

    pub(crate) fn up(&mut self) {
        self.tell("up");
    }

    /// It hangs: connections stay and come about, and nothing is answered.
    pub(crate) fn hang(&mut self) {
        self.tell("hang");
    }

    pub(crate) fn go_on(&mut self) {
        self.tell("go_on");
    }

    /// It takes no changes, as a standby does.
    pub(crate) fn read_only(&mut self) {
        self.tell("read_only");
    }

    pub(crate) fn writable(&mut self) {
        self.tell("writable");
    }

    fn tell(&mut self, word: &str) {
        let input = self.script.stdin.as_mut().expect("its input is piped");
        writeln!(input, "{word}").expect("the script listens");
        self.wait();
    }

    fn wait(&mut self) {
        let mut line = String::new();
        self.out.read_line(&mut line).expect("the script answers");
        assert_eq!(line.trim(), "done", "PostgreSQL does not do as told");
    }
}

/// PostgreSQL refuses to run as root: there it runs as `postgres`, else as whoever we are.
fn as_other_than_root(folder: &Path) -> Command {
    let root = Command::new("id")
        .arg("-u")
        .output()
        .expect("id runs")
        .stdout
        == b"0\n";
    if !root {
        return Command::new("env");
    }
    let owned = Command::new("chown").arg("postgres").arg(folder).status();
    assert!(owned.expect("chown runs").success());
    let mut command = Command::new("setpriv");
    command.args([
        "--reuid=postgres",
        "--regid=postgres",
        "--clear-groups",
        "--",
    ]);
    command
}

fn binaries() -> PathBuf {
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|bin| bin.join("initdb").exists())
        .collect();
    versions.sort();
    versions
        .pop()
        .expect("PostgreSQL is installed; `make setup` installs it (Debian package postgresql)")
}
