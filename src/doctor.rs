//! `tallylight doctor`: looks at the machine and says what to change, in words.

mod limits;
mod name;
mod outside;
mod payments;
mod ports;
mod relay;
mod running;

use std::fmt;
use std::fs;
use std::io;
use std::net::{IpAddr, UdpSocket};
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::timeout;

use crate::bus;
use crate::config::Config;
use crate::db::Db;

pub use running::Checkup;

use limits::{open_files, udp_buffers};
use name::{certificate, domain, of_standing, transport_security};

/// How a finding is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// As it should be.
    Good,
    /// It works, but not for everybody or not under load.
    Careful,
    /// The server will not work like this.
    Bad,
}

/// One thing that was looked at.
#[derive(Debug, Clone)]
pub struct Finding {
    /// What it is about.
    pub subject: &'static str,
    /// How it is to be taken.
    pub verdict: Verdict,
    /// What was found, and what to do.
    pub words: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.verdict {
            Verdict::Good => "ok  ",
            Verdict::Careful => "look",
            Verdict::Bad => "BAD ",
        };
        write!(f, "{mark}  {:<14} {}", self.subject, self.words)
    }
}

/// Free bytes below which recordings are about to stop, and below which somebody should look.
const LITTLE: u64 = 1_000_000_000;
const SCANT: u64 = 10_000_000_000;
/// How long whoever is asked may take.
const ANSWERS_WITHIN: Duration = Duration::from_secs(8);
/// A clock before this stands wrong: the program did not exist then.
const EARLIEST: i64 = 1_763_000_000_000;

/// Looks at everything, as before a start; beside a server that runs, which then holds its ports.
pub async fn examine(config: &Config, now: Timestamp) -> Vec<Finding> {
    let mut findings = ports::all(config);
    findings.push(database(config).await);
    findings.extend(certificate(config, now).await);
    findings.push(relay::turn(config));
    findings.extend(all_but_ports(config, now).await);
    findings.push(packaging(config));
    findings.extend(transcoding(config));
    findings
}

/// What a server that runs looks at as well. Who is asked over the network is asked at the same time.
async fn all_but_ports(config: &Config, now: Timestamp) -> Vec<Finding> {
    let (domain, redis, store, mail, payments, traces) = tokio::join!(
        // Boxed: what it takes to ask is large.
        in_time("domain", "server.domain", Box::pin(domain(config))),
        in_time("Redis", "bus.url", Box::pin(redis(config))),
        in_time(
            "store",
            "section [storage]",
            Box::pin(outside::store(config))
        ),
        in_time("mail", "section [mail]", Box::pin(outside::mail(config))),
        in_time(
            "payments",
            "section [payments]",
            Box::pin(payments::payments(config))
        ),
        in_time(
            "traces",
            "telemetry.otlp_endpoint",
            Box::pin(outside::collector(config))
        ),
    );
    let mut findings = vec![media_addresses(config), transport_security(config)];
    findings.extend(domain);
    findings.push(data_folder(&config.data));
    findings.extend(disk(&config.data));
    findings.extend(redis.into_iter().chain(store).chain(mail));
    findings.extend(payments.into_iter().chain(traces));
    findings.push(clock(now));
    findings.push(open_files(config));
    findings.push(udp_buffers());
    findings
}

async fn in_time(
    subject: &'static str,
    setting: &'static str,
    looking: impl Future<Output = Option<Finding>>,
) -> Option<Finding> {
    let seconds = ANSWERS_WITHIN.as_secs();
    let late = || {
        Some(bad(
            subject,
            format!(
                "there is no answer within {seconds} s; is it running, reached from here, and right in {setting}?"
            ),
        ))
    };
    timeout(ANSWERS_WITHIN, looking)
        .await
        .unwrap_or_else(|_| late())
}

fn good(subject: &'static str, words: impl Into<String>) -> Finding {
    finding(subject, Verdict::Good, words)
}

fn careful(subject: &'static str, words: impl Into<String>) -> Finding {
    finding(subject, Verdict::Careful, words)
}

fn bad(subject: &'static str, words: impl Into<String>) -> Finding {
    finding(subject, Verdict::Bad, words)
}

fn finding(subject: &'static str, verdict: Verdict, words: impl Into<String>) -> Finding {
    Finding {
        subject,
        verdict,
        words: words.into(),
    }
}

fn media_addresses(config: &Config) -> Finding {
    let subject = "addresses";
    let port = config.media.port;
    let told = &config.media.public_ips;
    if !told.is_empty() {
        let ips: Vec<String> = told.iter().map(ToString::to_string).collect();
        let ips = ips.join(", ");
        return match told.iter().copied().all(is_inside) {
            true => careful(
                subject,
                format!(
                    "viewers are told to send media to {ips}, where nobody on the internet can: give media.public_ips \
                     the public address, whose port {port} must reach this machine"
                ),
            ),
            false => good(
                subject,
                format!(
                    "viewers are told to send media to {ips}; port {port} must reach this machine there"
                ),
            ),
        };
    }
    match own_address() {
        Ok(ip) if is_inside(ip) => careful(
            subject,
            format!(
                "this machine is {ip}, an address of a private network: for viewers on the \
                 internet forward port {port} (UDP and TCP) to it and set media.public_ips to the \
                 public address"
            ),
        ),
        Ok(ip) => good(
            subject,
            format!("this machine is {ip}; let port {port} (UDP and TCP) through the firewall"),
        ),
        Err(error) => careful(
            subject,
            format!("this machine has no way out ({error}); only viewers on it can watch"),
        ),
    }
}

/// Whether only who is in the same network, or on this machine, reaches an address.
fn is_inside(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_private() || ip.is_loopback() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_loopback() || ip.is_unicast_link_local(),
    }
}

/// The address that this machine sends from: the kernel is asked, nothing is sent.
fn own_address() -> io::Result<IpAddr> {
    let socket = UdpSocket::bind(("0.0.0.0", 0))?;
    socket.connect(("192.0.2.1", 9))?;
    Ok(socket.local_addr()?.ip())
}

fn data_folder(path: &Path) -> Finding {
    let subject = "data folder";
    let shown = path.display();
    if !path.exists() {
        return good(subject, format!("{shown} will be made at the first start"));
    }
    let probe = path.join(".doctor");
    match fs::write(&probe, b"x").and_then(|()| fs::remove_file(&probe)) {
        Ok(()) => good(subject, format!("{shown} can be written")),
        Err(error) => bad(
            subject,
            format!("{shown} cannot be written: {error}; give it to the user that runs the server"),
        ),
    }
}

/// Free and all bytes of the disk that holds a folder.
#[must_use]
pub fn space(folder: &Path) -> Option<(u64, u64)> {
    let stat = rustix::fs::statvfs(folder).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
    Some((bytes(stat.f_bavail), bytes(stat.f_blocks)))
}

/// Room for what is recorded.
fn disk(folder: &Path) -> Option<Finding> {
    let (free, _) = space(folder)?;
    let room = in_words(free);
    let subject = "disk";
    Some(match free {
        0..LITTLE => bad(
            subject,
            format!(
                "{room} are free: recordings stop soon, live goes on; make room in the data folder"
            ),
        ),
        LITTLE..SCANT => careful(
            subject,
            format!(
                "{room} are free, some hours of a recording; make room, or set recordings.quota_mb"
            ),
        ),
        _ => good(subject, format!("{room} are free")),
    })
}

fn in_words(bytes: u64) -> String {
    match bytes {
        0..1_000_000_000 => format!("{} MB", bytes / 1_000_000),
        _ => format!("{} GB", bytes / 1_000_000_000),
    }
}

async fn database(config: &Config) -> Finding {
    let subject = "database";
    let url = &config.database.url;
    if url.is_empty() && !config.data.join("tallylight.sqlite").exists() {
        return good(subject, "an SQLite file will be made at the first start");
    }
    match Db::open(url, 1, &config.data).await {
        Ok(db) => {
            let name = db.describe();
            db.close().await;
            good(subject, format!("{name} answers"))
        }
        Err(error) => bad(subject, format!("{error}; check database.url")),
    }
}

/// Redis, where there may be other servers.
async fn redis(config: &Config) -> Option<Finding> {
    let subject = "Redis";
    config.bus.is_shared().then_some(())?;
    let answer = bus::version(&config.bus).await;
    Some(match answer {
        Ok(version) if bus::is_known(&version) => good(subject, format!("{version} answers")),
        Ok(version) => careful(
            subject,
            format!("{version} answers; use 6.2 or newer, others are untried"),
        ),
        Err(error) => bad(
            subject,
            format!(
                "it does not answer: {error}; is it running, and are address and password in bus.url \
                 right? Until it answers, {}",
                match config.cluster.url.is_empty() {
                    true => "servers learn of one another every five seconds only",
                    false => "what is on air goes on, but nobody new can go live",
                }
            ),
        ),
    })
}

fn clock(now: Timestamp) -> Finding {
    let subject = "clock";
    if now.as_millisecond() < EARLIEST {
        return bad(
            subject,
            format!("it says {now}, which is past; logins and TLS will fail: set it, and run NTP"),
        );
    }
    let synchronised = Path::new("/run/systemd/timesync/synchronized").exists();
    if synchronised {
        good(
            subject,
            format!("it says {now:.0} and follows a time server"),
        )
    } else {
        good(
            subject,
            format!(
                "it says {now:.0}; compare it, since no time service of systemd keeps it right"
            ),
        )
    }
}

fn packaging(config: &Config) -> Finding {
    let subject = "HLS";
    if !config.hls.enabled {
        return careful(
            subject,
            "hls.enabled is false: there is no playback but WebRTC, and no recording",
        );
    }
    let missing = media::missing_plugins();
    if missing.is_empty() {
        return good(subject, "GStreamer has all that packaging needs");
    }
    careful(
        subject,
        format!(
            "GStreamer lacks {}; until the packages are installed there is no HLS and no recording",
            missing.join(", ")
        ),
    )
}

fn transcoding(config: &Config) -> Option<Finding> {
    let subject = "Transcoding";
    let streams = config.media.transcode;
    if streams == 0 {
        return None;
    }
    Some(match media::find_encoder() {
        Ok(encoder) => good(
            subject,
            format!("{encoder} works; up to {streams} streams at once, about a core each"),
        ),
        Err(problem) => careful(subject, problem),
    })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::clock::Clock;

    #[tokio::test]
    async fn https_of_its_own_is_looked_at() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut config = Config::default();
        assert_eq!(transport_security(&config).verdict, Verdict::Careful);
        config.http.tls_listen = taken.local_addr().unwrap().to_string();
        assert_eq!(transport_security(&config).verdict, Verdict::Good);
        config.data = "/nowhere".into();
        let findings = examine(&config, Clock::system().now()).await;
        let port = findings.iter().find(|f| f.subject == "HTTPS port").unwrap();
        assert!(port.words.contains("http.tls_listen"), "{port}");
    }

    #[test]
    fn a_wrong_clock_is_told() {
        assert_eq!(clock(Timestamp::UNIX_EPOCH).verdict, Verdict::Bad);
    }
}
