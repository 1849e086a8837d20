//! F23: a configuration that is wrong, a port that is taken, a migration that fails, a database of tomorrow: the program ends at
//! once, says why in one line, and is never half up.

use std::fs;
use std::io::Read as _;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use sqlx::{Connection as _, SqliteConnection};

use crate::api::OwnPostgres;
use crate::fault::Fault;

/// A place to start at, and its ports.
struct Place {
    data: tempfile::TempDir,
    http: String,
    rtmp: String,
}

impl Place {
    fn new() -> Self {
        let held = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let [http, rtmp] = held
            .each_ref()
            .map(|held| held.local_addr().unwrap().to_string());
        Self {
            data: tempfile::tempdir().unwrap(),
            http,
            rtmp,
        }
    }

    fn program(&self, variables: &[(&str, &str)]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tallylight"));
        command.env_clear().current_dir(self.data.path());
        command.env("TALLYLIGHT_DATA", self.data.path().join("data"));
        command.env("TALLYLIGHT_HTTP", &self.http);
        command.env("TALLYLIGHT_RTMP_LISTEN", &self.rtmp);
        command.env("TALLYLIGHT_MEDIA_PORT", "0");
        command.env("TALLYLIGHT_ADMIN_LISTEN", "off");
        command.env("TALLYLIGHT_TURN_LISTEN", "off");
        command.envs(variables.iter().copied());
        command
    }

    /// Somebody asks all the while; gives what the program said and how many answers there were.
    fn start(&self, variables: &[(&str, &str)]) -> (Output, usize) {
        let asking = Asking::start(&self.http);
        let output = self
            .program(variables)
            .arg("serve")
            .output()
            .expect("the program runs");
        (output, asking.end())
    }

    fn assert_does_not_start(&self, variables: &[(&str, &str)], words: &[&str]) {
        let (output, answers) = self.start(variables);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{error}");
        let lines = error
            .lines()
            .filter(|line| line.starts_with("tallylight: "));
        assert_eq!((lines.count(), error.lines().count()), (1, 1), "{error}");
        for word in words {
            assert!(error.contains(word), "{word} in {error}");
        }
        assert_eq!(output.stdout, b"", "nothing is greeted");
        assert_eq!(answers, 0, "it answered while it did not start");
        for port in [&self.http, &self.rtmp] {
            assert!(TcpStream::connect(port).is_err(), "{port} is still open");
        }
    }

    /// Makes its database.
    fn migrate(&self, variables: &[(&str, &str)]) {
        let output = self.program(variables).arg("migrate").output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    async fn change(&self, sql: &'static str) {
        let path = self.data.path().join("data/tallylight.sqlite");
        let url = format!("sqlite:{}", path.display());
        let mut database = SqliteConnection::connect(&url).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut database).await.unwrap();
        database.close().await.unwrap();
    }
}

/// Asks a port for an answer over and over, and counts those that come.
struct Asking {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<usize>,
}

impl Asking {
    fn start(host: &str) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let (stopped, host) = (Arc::clone(&stop), host.to_owned());
        let thread = std::thread::spawn(move || {
            let answers = AtomicUsize::new(0);
            while !stopped.load(Ordering::Relaxed) {
                if ask(&host) {
                    answers.fetch_add(1, Ordering::Relaxed);
                }
            }
            answers.into_inner()
        });
        Self { stop, thread }
    }

    fn end(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

fn ask(host: &str) -> bool {
    let Ok(mut socket) = TcpStream::connect(host) else {
        std::thread::yield_now();
        return false;
    };
    let request = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    let _ = socket.set_read_timeout(Some(Duration::from_millis(100)));
    let asked = std::io::Write::write_all(&mut socket, request);
    asked.is_ok() && socket.read(&mut [0; 64]).is_ok_and(|read| read > 0)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_start_says_why_in_one_line_and_is_never_half_up() {
    let mut fault = Fault::of("F23", "start").await;
    let mut cases = 0;
    let mut tried = |words: &str| {
        cases += 1;
        words.to_owned()
    };
    wrong_configuration(&mut tried);
    taken_ports(&mut tried);
    broken_databases(&mut tried).await;
    broken_postgres(&mut tried).await;
    fault.saw("cases", cases);
    fault.saw("half_up", 0);
}

fn wrong_configuration(tried: &mut impl FnMut(&str) -> String) {
    let place = Place::new();
    for (text, words) in [
        ("[media]\nprot = 1\n", "did you mean `media.port`?"),
        ("[http]\nlisten = 3\n", "http.listen"),
        ("[limits]\nsessions = 0\n", "limits"),
        ("this is no TOML", "x.toml"),
    ] {
        let file = place.data.path().join("x.toml");
        fs::write(&file, text).unwrap();
        let file = file.to_str().unwrap();
        place.assert_does_not_start(&[("TALLYLIGHT_CONFIG", file)], &[&tried(words)]);
    }
    place.assert_does_not_start(
        &[("TALLYLIGHT_CONFIG", "/nowhere/x.toml")],
        &[&tried("/nowhere/x.toml")],
    );
    assert!(!place.data.path().join("data").exists(), "nothing is made");
}

fn taken_ports(tried: &mut impl FnMut(&str) -> String) {
    let place = Place::new();
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = UdpSocket::bind("0.0.0.0:0").unwrap();
    let tcp = held.local_addr().unwrap().to_string();
    let port = udp.local_addr().unwrap().port().to_string();
    for (name, value, flag) in [
        ("TALLYLIGHT_MEDIA_PORT", port.as_str(), "--media-port"),
        ("TALLYLIGHT_ADMIN_LISTEN", &tcp, "--admin-listen"),
        ("TALLYLIGHT_RTMP_LISTEN", &tcp, "--rtmp"),
    ] {
        place.assert_does_not_start(&[(name, value)], &["in use", &tried(flag)]);
    }
}

async fn broken_databases(tried: &mut impl FnMut(&str) -> String) {
    for (sql, words) in [
        (
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             VALUES (9999, 'of tomorrow', TRUE, x'00', 0)",
            "newer Tallylight",
        ),
        (
            "UPDATE _sqlx_migrations SET checksum = x'00' WHERE version = 1",
            "cannot bring the database up to date",
        ),
        (
            "UPDATE _sqlx_migrations SET success = FALSE WHERE version = 1",
            "cannot bring the database up to date",
        ),
        // What the last one makes is there already.
        (
            "DELETE FROM _sqlx_migrations WHERE version = (SELECT MAX(version) FROM _sqlx_migrations)",
            "cannot bring the database up to date",
        ),
    ] {
        let place = Place::new();
        place.migrate(&[]);
        place.change(sql).await;
        place.assert_does_not_start(&[], &[&tried(words)]);
    }
    let place = Place::new();
    place.migrate(&[]);
    let file = place.data.path().join("data/tallylight.sqlite");
    for name in ["tallylight.sqlite-wal", "tallylight.sqlite-shm"] {
        let _ = fs::remove_file(file.with_file_name(name));
    }
    fs::write(&file, "this is no database".repeat(100)).unwrap();
    place.assert_does_not_start(&[], &[&tried("tallylight.sqlite")]);
}

async fn broken_postgres(tried: &mut impl FnMut(&str) -> String) {
    let mut postgres = tokio::task::block_in_place(OwnPostgres::start);
    let url = postgres.url();
    let variables = [("TALLYLIGHT_DATABASE_URL", url.as_str())];
    let place = Place::new();
    place.migrate(&variables);
    tokio::task::block_in_place(|| postgres.down());
    place.assert_does_not_start(&variables, &[&tried("database.url")]);
    tokio::task::block_in_place(|| {
        postgres.up();
        postgres.hang();
    });
    place.assert_does_not_start(&variables, &[&tried("database.url")]);
    tokio::task::block_in_place(|| postgres.go_on());
}
