//! Limits of the system: files that may be open, and buffers of the media sockets.

use std::fs;

use super::{Finding, careful, good};
use crate::config::Config;
use crate::streams::MOST_RTMP_CONNECTIONS;

const FILES: &str = "open files";
/// Files that are open beside connections: the database, media-workers, segments, recordings.
const OTHER_FILES: usize = 512;
/// Where settings of the kernel last.
const SYSCTL_FILE: &str = "/etc/sysctl.d/60-tallylight.conf";

pub(super) fn open_files(config: &Config) -> Finding {
    let limits = fs::read_to_string("/proc/self/limits").ok();
    match limits.and_then(|text| soft_limit(&text, "Max open files")) {
        Some(limit) => files_for(wanted_files(config), limit),
        None => careful(FILES, "the limit cannot be read on this system"),
    }
}

/// Files that are open when as many are connected as may be.
fn wanted_files(config: &Config) -> u64 {
    let limits = &config.limits;
    // By UDP all sessions share a socket a thread.
    let by_tcp = if config.media.tcp { limits.sessions } else { 0 };
    let rtmp = [config.rtmp.address(), config.rtmp.tls_address()];
    let rtmp = match rtmp.iter().any(Option::is_some) {
        true => MOST_RTMP_CONNECTIONS,
        false => 0,
    };
    let connections = [limits.http_connections, by_tcp, rtmp, OTHER_FILES];
    let sum = connections.into_iter().fold(0, usize::saturating_add);
    u64::try_from(sum).unwrap_or(u64::MAX)
}

fn files_for(wanted: u64, limit: u64) -> Finding {
    if limit >= wanted {
        return good(
            FILES,
            format!("at most {limit}, enough for all connections"),
        );
    }
    careful(
        FILES,
        format!(
            "at most {limit}, but limits.http_connections and limits.sessions let in so many that \
             {wanted} are needed; who comes beyond is not answered: raise it (`ulimit -n {wanted}`, or \
             `LimitNOFILE={wanted}` in the systemd unit), or lower those limits"
        ),
    )
}

/// The soft limit in a table like `/proc/self/limits`.
fn soft_limit(table: &str, name: &str) -> Option<u64> {
    let line = table.lines().find_map(|line| line.strip_prefix(name))?;
    let soft = line.split_whitespace().next()?;
    match soft {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

pub(super) fn udp_buffers() -> Finding {
    let settings = UDP_BUFFERS.map(|(name, wanted)| {
        let text = fs::read_to_string(format!("/proc/sys/net/core/{name}")).ok();
        let most = text.and_then(|text| text.trim().parse().ok());
        BufferSetting { name, wanted, most }
    });
    buffers_as(&settings)
}

/// The kernel's bounds on buffers, and what the media sockets ask for.
const UDP_BUFFERS: [(&str, usize); 2] = [
    ("rmem_max", sfu::RECEIVE_BUFFER),
    ("wmem_max", sfu::SEND_BUFFER),
];

/// A bound of the kernel's on buffers.
struct BufferSetting {
    name: &'static str,
    /// Bytes that a socket asks for.
    wanted: usize,
    /// Bytes that it gets at most; `None`: it does not say.
    most: Option<usize>,
}

fn buffers_as(settings: &[BufferSetting]) -> Finding {
    let subject = "UDP buffers";
    let too_small =
        |setting: &&BufferSetting| setting.most.is_none_or(|most| most < setting.wanted);
    let small: Vec<&BufferSetting> = settings.iter().filter(too_small).collect();
    let words = |word: fn(&BufferSetting) -> String, between: &str| -> String {
        let words: Vec<String> = small.iter().map(|setting| word(setting)).collect();
        words.join(between)
    };
    let found = words(
        |setting| match setting.most {
            Some(most) => format!("net.core.{} is {most}", setting.name),
            None => format!("net.core.{} cannot be read here", setting.name),
        },
        ", ",
    );
    let right = |setting: &BufferSetting| format!("net.core.{}={}", setting.name, setting.wanted);
    if small.is_empty() {
        return good(subject, "as large as the media sockets ask for");
    }
    careful(
        subject,
        format!(
            "{found}: with smaller buffers than the media sockets ask for, packets are lost when frames \
             burst; run `sysctl -w {}` as root, and to make it last `printf '{}\\n' >> {SYSCTL_FILE}`",
            words(right, " "),
            words(right, "\\n"),
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn limits_are_read_from_the_table() {
        let table = "Limit                     Soft Limit           Hard Limit           Units\n\
                     Max open files            1024                 1048576              files\n\
                     Max cpu time              unlimited            unlimited            seconds\n";
        assert_eq!(soft_limit(table, "Max open files"), Some(1024));
        assert_eq!(soft_limit(table, "Max cpu time"), Some(u64::MAX));
        assert_eq!(soft_limit(table, "Max nothing"), None);
    }

    #[test]
    fn files_must_be_enough_for_as_many_as_may_come() {
        let mut config = Config::default();
        config.limits.http_connections = 1_000;
        config.limits.sessions = 300;
        config.media.tcp = false;
        config.rtmp.listen = "off".to_owned();
        assert_eq!(wanted_files(&config), 1_512);
        config.media.tcp = true;
        assert_eq!(wanted_files(&config), 1_812);
        config.rtmp.listen = "0.0.0.0:1935".to_owned();
        assert_eq!(wanted_files(&config), 1_812 + 1_152);
        config.limits.sessions = usize::MAX;
        assert_eq!(wanted_files(&config), u64::MAX);
        let told = files_for(1_812, 1_024);
        assert_eq!(told.verdict, Verdict::Careful);
        for words in [
            "at most 1024",
            "ulimit -n 1812",
            "LimitNOFILE=1812",
            "limits.sessions",
        ] {
            assert!(told.words.contains(words), "{told}");
        }
        assert_eq!(files_for(1_812, 1_812).verdict, Verdict::Good);
    }

    #[test]
    fn a_kernel_that_gives_less_than_is_asked_for_is_told_with_the_command() {
        let told = |receive, send| {
            let most = [receive, send];
            let settings = UDP_BUFFERS.iter().zip(most);
            let settings =
                settings.map(|(&(name, wanted), most)| BufferSetting { name, wanted, most });
            buffers_as(&settings.collect::<Vec<_>>())
        };
        let (receive, send) = (sfu::RECEIVE_BUFFER, sfu::SEND_BUFFER);
        assert_eq!(told(Some(receive), Some(send)).verdict, Verdict::Good);
        let both = told(Some(212_992), Some(212_992));
        assert_eq!(both.verdict, Verdict::Careful);
        for words in [
            "net.core.rmem_max is 212992",
            "`sysctl -w net.core.rmem_max=8388608 net.core.wmem_max=4194304`",
            "'net.core.rmem_max=8388608\\nnet.core.wmem_max=4194304\\n' >> /etc/sysctl.d/",
        ] {
            assert!(both.words.contains(words), "{both}");
        }
        let one = told(Some(receive), Some(send - 1));
        assert!(
            one.words.contains("`sysctl -w net.core.wmem_max=4194304`"),
            "{one}"
        );
        assert!(!one.words.contains("rmem_max"), "{one}");
        let unknown = told(None, Some(send));
        assert!(
            unknown.words.contains("net.core.rmem_max cannot be read"),
            "{unknown}"
        );
    }
}
