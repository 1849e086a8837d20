//! What the kernel tells of a process: CPU time and memory; and of us: how many files we may open.

use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// A process, by its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process(pub u32);

/// CPU time and memory at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// CPU time used so far, user and system, in steps of 10 ms.
    pub cpu: Duration,
    /// Resident memory in KiB.
    pub rss_kib: u64,
}

/// Why the kernel does not tell. The text is one line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProcessError {
    /// There is no such process.
    #[error("there is no process {0}")]
    Unknown(u32),
    /// Too few files may be open.
    #[error(
        "{wanted} files must be open at once, but only {allowed} may: raise it with `ulimit -n {wanted}`"
    )]
    TooFewFiles {
        /// How many are needed.
        wanted: u64,
        /// The hard limit.
        allowed: u64,
    },
}

/// `/proc` counts in hundredths of a second (`USER_HZ`, which Linux fixes for user space).
const TICK: Duration = Duration::from_millis(10);
/// The field of `stat` behind the name counts as the third.
const AFTER_NAME: usize = 3;

impl Process {
    /// Ourselves.
    #[must_use]
    pub fn current() -> Self {
        Self(std::process::id())
    }

    /// What it has used so far.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn usage(self) -> Result<Usage, ProcessError> {
        let unknown = || ProcessError::Unknown(self.0);
        let read = |name: &str| std::fs::read_to_string(format!("/proc/{}/{name}", self.0));
        let stat = read("stat").map_err(|_| unknown())?;
        let status = read("status").map_err(|_| unknown())?;
        Ok(Usage {
            cpu: cpu_of(&stat).ok_or_else(unknown)?,
            rss_kib: rss_of(&status).ok_or_else(unknown)?,
        })
    }

    /// What all its children have used so far, those that are gone included; the memory is that of
    /// those that are there.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn children(self) -> Result<Usage, ProcessError> {
        let unknown = || ProcessError::Unknown(self.0);
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0));
        let stat = stat.map_err(|_| unknown())?;
        let mut sum = Usage {
            cpu: cpu_of_the_gone(&stat).ok_or_else(unknown)?,
            rss_kib: 0,
        };
        let processes = std::fs::read_dir("/proc").map_err(|_| unknown())?;
        let names = processes.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        for process in names.filter_map(|name| Some(Self(name.parse().ok()?))) {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.0));
            // One that ends meanwhile is missed at most once.
            if stat.is_ok_and(|stat| parent_of(&stat) == Some(self.0)) {
                let usage = process.usage().unwrap_or_default();
                sum.cpu += usage.cpu;
                sum.rss_kib += usage.rss_kib;
            }
        }
        Ok(sum)
    }
}

/// Its CPU time: fields 14 and 15 of `stat` (proc(5)).
fn cpu_of(stat: &str) -> Option<Duration> {
    ticks(stat, 14)
}

/// That of its children that are gone: fields 16 and 17.
fn cpu_of_the_gone(stat: &str) -> Option<Duration> {
    ticks(stat, 16)
}

/// User and system time from that field on.
fn ticks(stat: &str, field: usize) -> Option<Duration> {
    let mut fields = fields(stat)?.skip(field - AFTER_NAME);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    Some(TICK * user + TICK * system)
}

fn parent_of(stat: &str) -> Option<u32> {
    fields(stat)?.nth(4 - AFTER_NAME)?.parse().ok()
}

/// The fields behind the name, which may hold spaces and brackets.
fn fields(stat: &str) -> Option<impl Iterator<Item = &str>> {
    let (_, fields) = stat.rsplit_once(')')?;
    Some(fields.split_ascii_whitespace())
}

fn rss_of(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// Makes sure that so many files may be open, within the hard limit.
///
/// # Errors
/// When the hard limit is lower.
pub fn allow_files(wanted: u64) -> Result<(), ProcessError> {
    // A limit that cannot be read is found out when it is hit.
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return Ok(());
    };
    if soft >= wanted {
        return Ok(());
    }
    let raised = hard >= wanted && setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).is_ok();
    if raised {
        return Ok(());
    }
    Err(ProcessError::TooFewFiles {
        wanted,
        allowed: hard,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_past_a_strange_name() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 1 2 3 4 150 50 20 10 20 0 1 0 8 9 10";
        assert_eq!(cpu_of(stat), Some(Duration::from_secs(2)));
        assert_eq!(cpu_of_the_gone(stat), Some(Duration::from_millis(300)));
        assert_eq!(parent_of(stat), Some(1));
        assert_eq!(rss_of("Name:\tx\nVmRSS:\t    512 kB\n"), Some(512));
    }

    #[test]
    fn we_are_a_process_and_there_is_none_of_the_highest_number() {
        assert!(Process::current().usage().unwrap().rss_kib > 0);
        let error = Process(u32::MAX).usage().unwrap_err();
        assert_eq!(error.to_string(), "there is no process 4294967295");
    }

    #[test]
    fn children_are_counted_while_they_are_there_and_afterwards() {
        let command = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo done; read x";
        let mut child = std::process::Command::new("sh")
            .args(["-c", command])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut done = [0; 4];
        let out = child.stdout.as_mut().unwrap();
        std::io::Read::read_exact(out, &mut done).unwrap();
        let living = Process::current().children().unwrap();
        assert!(living.rss_kib > 0 && living.cpu > Duration::ZERO);
        child.wait().unwrap();
        assert!(Process::current().children().unwrap().cpu >= living.cpu);
    }

    #[test]
    fn more_files_than_the_system_has_are_refused() {
        assert!(allow_files(1).is_ok());
        let error = allow_files(u64::MAX / 2).unwrap_err();
        assert!(error.to_string().contains("ulimit -n"), "{error}");
    }
}
