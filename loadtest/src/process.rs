//! What the kernel tells of processes, threads and the machine: CPU time and memory; and of us: how
//! many files we may open.

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

/// Processes that are one server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Group(pub Vec<Process>);

/// A thread of ours at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thread {
    /// Its id.
    pub id: u32,
    /// Its name, as far as the kernel keeps it.
    pub name: String,
    /// CPU time used so far.
    pub cpu: Duration,
}

/// What all cores together have done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Machine {
    /// Working.
    pub busy: Duration,
    /// With nothing to do.
    pub idle: Duration,
}

/// Why the kernel does not tell. The text is one line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProcessError {
    /// There is no such process.
    #[error("there is no process {0}")]
    Unknown(u32),
    /// It does not show its files.
    #[error("process {0} does not show its open files: it is gone, or another user's")]
    Closed(u32),
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

    /// How many files it has open, connections included.
    ///
    /// # Errors
    /// When there is no such process, or it is somebody else's.
    pub fn open_files(self) -> Result<u64, ProcessError> {
        let files = std::fs::read_dir(format!("/proc/{}/fd", self.0));
        let count = files.map_err(|_| ProcessError::Closed(self.0))?.count();
        Ok(u64::try_from(count).unwrap_or(u64::MAX))
    }

    /// Its threads. Those that end meanwhile are missed.
    #[must_use]
    pub fn threads(self) -> Vec<Thread> {
        let Ok(tasks) = std::fs::read_dir(format!("/proc/{}/task", self.0)) else {
            return Vec::new();
        };
        let names = tasks.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let thread = |id: String| {
            let stat = std::fs::read_to_string(format!("/proc/{}/task/{id}/stat", self.0)).ok()?;
            Some(Thread {
                id: id.parse().ok()?,
                name: name_of(&stat)?.to_owned(),
                cpu: cpu_of(&stat)?,
            })
        };
        names.filter_map(thread).collect()
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

impl Group {
    /// What they have used so far, together; none when there are none.
    ///
    /// # Errors
    /// When one of them does not exist.
    pub fn usage(&self) -> Result<Option<Usage>, ProcessError> {
        self.sum(Process::usage)
    }

    /// What the children of all of them have used so far.
    ///
    /// # Errors
    /// When one of them does not exist.
    pub fn children(&self) -> Result<Option<Usage>, ProcessError> {
        self.sum(Process::children)
    }

    fn sum(
        &self,
        look: fn(Process) -> Result<Usage, ProcessError>,
    ) -> Result<Option<Usage>, ProcessError> {
        let mut sum = None;
        for process in &self.0 {
            let usage = look(*process)?;
            let so_far: &mut Usage = sum.get_or_insert_default();
            so_far.cpu += usage.cpu;
            so_far.rss_kib += usage.rss_kib;
        }
        Ok(sum)
    }
}

impl FromIterator<u32> for Group {
    fn from_iter<I: IntoIterator<Item = u32>>(ids: I) -> Self {
        let mut processes: Vec<Process> = ids.into_iter().map(Process).collect();
        // Named twice is not there twice.
        processes.sort_unstable_by_key(|process| process.0);
        processes.dedup();
        Self(processes)
    }
}

impl Machine {
    /// Looks at it; none where the kernel does not tell.
    #[must_use]
    pub fn look() -> Option<Self> {
        machine_of(&std::fs::read_to_string("/proc/stat").ok()?)
    }

    /// Which share of all cores worked since that earlier look, 0 to 1.
    #[must_use]
    pub fn busy_since(self, earlier: Self) -> f64 {
        let busy = self.busy.saturating_sub(earlier.busy).as_secs_f64();
        let idle = self.idle.saturating_sub(earlier.idle).as_secs_f64();
        busy / (busy + idle).max(1e-9)
    }
}

/// The first line of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal. What
/// another machine took (steal) is missing here as much as if it were work.
fn machine_of(stat: &str) -> Option<Machine> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let ticks = line.split_ascii_whitespace().take(8);
    let ticks: Vec<u64> = ticks.map(|tick| tick.parse().ok()).collect::<Option<_>>()?;
    let [user, nice, system, idle, waiting, irq, softirq, steal] = ticks.as_slice() else {
        return None;
    };
    let time = |ticks: u64| Duration::from_millis(ticks.saturating_mul(10));
    Some(Machine {
        busy: time(user + nice + system + irq + softirq + steal),
        idle: time(idle + waiting),
    })
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

fn name_of(stat: &str) -> Option<&str> {
    let (_, rest) = stat.split_once('(')?;
    Some(rest.rsplit_once(')')?.0)
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
        assert_eq!(name_of(stat), Some("a) b (c"));
        assert_eq!(rss_of("Name:\tx\nVmRSS:\t    512 kB\n"), Some(512));
    }

    #[test]
    fn we_are_a_process_and_there_is_none_of_the_highest_number() {
        assert!(Process::current().usage().unwrap().rss_kib > 0);
        let error = Process(u32::MAX).usage().unwrap_err();
        assert_eq!(error.to_string(), "there is no process 4294967295");
    }

    #[test]
    fn processes_are_summed_and_each_counted_once() {
        let own = std::process::id();
        let alone = Process(own).usage().unwrap();
        let twice = [own, own].into_iter().collect::<Group>().usage().unwrap();
        assert!(twice.unwrap().rss_kib < alone.rss_kib * 3 / 2);
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let both = [own, child.id()].into_iter().collect::<Group>();
        assert!(both.usage().unwrap().unwrap().rss_kib > alone.rss_kib);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(both.usage().is_err());
        assert_eq!(Group::default().usage().unwrap(), None);
    }

    #[test]
    fn a_busy_machine_is_told_from_an_idle_one() {
        let page = |user: u64, idle: u64| format!("cpu  {user} 1 2 {idle} 3 0 0 0 0 0\ncpu0 1\n");
        let earlier = machine_of(&page(100, 100)).unwrap();
        let later = machine_of(&page(400, 200)).unwrap();
        assert!((later.busy_since(earlier) - 0.75).abs() < 1e-9);
        assert_eq!(machine_of("intr 1"), None);
        let machine = Machine::look().unwrap();
        assert!(machine.busy > Duration::ZERO);
    }

    #[test]
    fn our_threads_have_names_and_time() {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let (begun, has_begun) = std::sync::mpsc::channel();
        let thread = std::thread::Builder::new().name("a name".to_owned());
        let thread = thread.spawn(move || {
            begun.send(()).unwrap();
            stopped.recv()
        });
        has_begun.recv().unwrap();
        let threads = Process::current().threads();
        assert!(threads.iter().any(|thread| thread.name == "a name"));
        drop(stop);
        let _ = thread.unwrap().join().unwrap();
    }

    #[test]
    fn files_are_counted() {
        let before = Process::current().open_files().unwrap();
        let kept: Vec<_> = (0..50)
            .map(|_| std::fs::File::open("/dev/null").unwrap())
            .collect();
        // Other tests open and close some meanwhile.
        assert!(Process::current().open_files().unwrap() >= before + 25);
        drop(kept);
        assert!(Process(u32::MAX).open_files().is_err());
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
