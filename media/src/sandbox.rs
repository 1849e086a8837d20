//! What the child gives up before it sees the first byte that a stranger sent.
//!
//! Its decoders and muxers are C code. Whoever takes one of them over finds a process that has one
//! socket, to the server, and may read libraries: it can open no other socket, write no file, start
//! no program, and look at no other process. What the kernel cannot do is told and done without.

use std::collections::BTreeMap;
use std::path::Path;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, RestrictionStatus, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};
use rustix::process::{Resource, Rlimit, nice, setrlimit};
use rustix::thread::set_no_new_privs;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter,
};

/// Gives all of it up, for this thread and those that it starts; but not devices that code pictures,
/// where it needs them. Returns in words what could not be done.
pub(crate) fn enter(keeps_devices: bool) -> Vec<String> {
    bound_resources();
    // Viewers of WebRTC go first.
    let _ = nice(NICENESS);
    restrict(keeps_devices)
}

fn restrict(keeps_devices: bool) -> Vec<String> {
    let mut problems = Vec::new();
    if let Err(error) = set_no_new_privs(true) {
        problems.push(format!("it may gain privileges: {error}"));
    }
    match restrict_files(keeps_devices) {
        Ok(RestrictionStatus { ruleset, .. }) if ruleset != RulesetStatus::NotEnforced => {}
        Ok(_) => problems.push("it may use files, as this kernel has no Landlock".to_owned()),
        Err(error) => problems.push(format!("it may use files: {error}")),
    }
    if let Err(error) = restrict_calls(keeps_devices) {
        problems.push(format!("it may use all system calls: {error}"));
    }
    problems
}

const NICENESS: i32 = 5;
/// Address space; a decoder that runs wild takes the child down and not the machine.
const MOST_MEMORY: u64 = 4 * 1024 * 1024 * 1024;
const MOST_FILES: u64 = 256;
/// Where the kernel has no Landlock, ORC maps its code from files.
const MOST_FILE_BYTES: u64 = 4 * 1024 * 1024;

fn bound_resources() {
    for (resource, most) in [
        (Resource::As, MOST_MEMORY),
        (Resource::Nofile, MOST_FILES),
        (Resource::Core, 0),
        (Resource::Fsize, MOST_FILE_BYTES),
    ] {
        let limit = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        let _ = setrlimit(resource, limit);
    }
}

/// Where libraries are, which may load others late, and what tells the number of processors.
const READABLE: [&str; 7] = [
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/sys/devices/system/cpu",
    "/proc/cpuinfo",
];

/// What drivers of devices that code pictures read,
const DRIVERS: [&str; 4] = ["/sys", "/proc", "/usr/share", "/etc"];
/// and the devices; there is no list of their names.
const DEVICES: &str = "/dev";

/// No writing but to devices that are needed, no reading but of libraries, no TCP, and no signals to
/// others.
fn restrict_files(keeps_devices: bool) -> Result<RestrictionStatus, RulesetError> {
    // What an older kernel does not know of it is left out.
    let abi = ABI::V6;
    let drivers = DRIVERS.iter().filter(|_| keeps_devices);
    let readable = READABLE.iter().chain(drivers).map(Path::new);
    let devices = keeps_devices.then_some(Path::new(DEVICES));
    let using = AccessFs::ReadFile | AccessFs::ReadDir | AccessFs::WriteFile | AccessFs::IoctlDev;
    Ruleset::default()
        .handle_access(AccessFs::from_all(abi))?
        .handle_access(AccessNet::from_all(abi))?
        .scope(Scope::from_all(abi))?
        .create()?
        .add_rules(path_beneath_rules(
            readable,
            AccessFs::ReadFile | AccessFs::ReadDir,
        ))?
        .add_rules(path_beneath_rules(devices, using))?
        .restrict_self()
}

/// Why there is no filter of system calls.
#[derive(Debug, thiserror::Error)]
enum FilterError {
    #[error("{0}")]
    Backend(#[from] seccompiler::BackendError),
    #[error("{0}")]
    Apply(#[from] seccompiler::Error),
}

/// Leaves the calls in [`ALLOWED`]; all others fail with `EPERM`.
fn restrict_calls(keeps_devices: bool) -> Result<(), FilterError> {
    // The flags of clone3 cannot be seen by a filter. The C library does with clone where there is
    // no clone3.
    let no_clone3 = SeccompFilter::new(
        BTreeMap::from([(libc::SYS_clone3, Vec::new())]),
        SeccompAction::Allow,
        errno(libc::ENOSYS),
        architecture()?,
    )?;
    let filter = SeccompFilter::new(
        allowed(keeps_devices)?,
        errno(libc::EPERM),
        SeccompAction::Allow,
        architecture()?,
    )?;
    apply_filter(&BpfProgram::try_from(no_clone3)?)?;
    apply_filter(&BpfProgram::try_from(filter)?)?;
    Ok(())
}

fn errno(number: libc::c_int) -> SeccompAction {
    SeccompAction::Errno(number.unsigned_abs())
}

fn architecture() -> Result<TargetArch, seccompiler::BackendError> {
    TargetArch::try_from(std::env::consts::ARCH)
}

/// What threads, memory, time and the one socket need.
const ALLOWED: [libc::c_long; 63] = [
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_pread64,
    libc::SYS_recvfrom,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_sendto,
    libc::SYS_lseek,
    libc::SYS_close,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_readlinkat,
    libc::SYS_getdents64,
    libc::SYS_fcntl,
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    libc::SYS_eventfd2,
    libc::SYS_pipe2,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_membarrier,
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_get_robust_list,
    libc::SYS_set_tid_address,
    libc::SYS_rseq,
    libc::SYS_clone3,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_restart_syscall,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_tgkill,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_getattr,
    libc::SYS_sched_setattr,
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_getrandom,
    libc::SYS_getcpu,
    libc::SYS_umask,
    libc::SYS_uname,
    libc::SYS_sysinfo,
    libc::SYS_getrusage,
];

/// Older names of some of them, which C libraries of this architecture still use.
#[cfg(target_arch = "x86_64")]
const OLDER: [libc::c_long; 8] = [
    libc::SYS_access,
    libc::SYS_gettimeofday,
    libc::SYS_lstat,
    libc::SYS_poll,
    libc::SYS_readlink,
    libc::SYS_select,
    libc::SYS_stat,
    libc::SYS_time,
];
#[cfg(not(target_arch = "x86_64"))]
const OLDER: [libc::c_long; 0] = [];

/// All bits of an `int`; those above it may be anything.
const INT: u64 = 0xffff_ffff;

type Rules = BTreeMap<libc::c_long, Vec<SeccompRule>>;

fn allowed(keeps_devices: bool) -> Result<Rules, seccompiler::BackendError> {
    let calls = ALLOWED.into_iter().chain(OLDER);
    let mut rules: Rules = calls.map(|call| (call, Vec::new())).collect();
    let flag = |flags: libc::c_int| u64::from(flags.unsigned_abs());
    // Threads, and no processes.
    let thread = flag(libc::CLONE_THREAD);
    rules.insert(libc::SYS_clone, vec![masked(0, thread, thread)?]);
    // Files to read, and devices.
    let making = libc::O_CREAT | libc::O_TRUNC | libc::O_APPEND;
    let writing = match keeps_devices {
        true => making,
        false => making | libc::O_ACCMODE,
    };
    if keeps_devices {
        rules.insert(libc::SYS_ioctl, Vec::new());
    }
    rules.insert(libc::SYS_openat, vec![masked(2, flag(writing), 0)?]);
    // Pairs of sockets, with which GStreamer wakes threads.
    let unix = flag(libc::AF_UNIX);
    rules.insert(libc::SYS_socketpair, vec![masked(0, INT, unix)?]);
    // Names of threads.
    let name = flag(libc::PR_SET_NAME);
    rules.insert(libc::SYS_prctl, vec![masked(0, INT, name)?]);
    // Limits to ask for, and none to set.
    rules.insert(libc::SYS_prlimit64, vec![masked(2, u64::MAX, 0)?]);
    Ok(rules)
}

/// Those bits of that argument are these.
fn masked(argument: u8, mask: u64, bits: u64) -> Result<SeccompRule, seccompiler::BackendError> {
    SeccompRule::new(vec![SeccompCondition::new(
        argument,
        SeccompCmpArgLen::Qword,
        SeccompCmpOp::MaskedEq(mask),
        bits,
    )?])
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{self, Read as _, Write as _};
    use std::net::{TcpListener, UdpSocket};
    use std::os::unix::net::{UnixDatagram, UnixStream};
    use std::process::Command;
    use std::thread;

    use super::*;

    fn is_denied<T>(tried: io::Result<T>) -> bool {
        tried.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
    }

    /// In a thread of its own, as all others stay free.
    #[test]
    fn nothing_can_be_opened_started_or_written() {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let (mut ours, mut theirs) = UnixStream::pair().unwrap();
        let restricted = thread::spawn(move || {
            let problems = restrict(false);
            assert!(is_denied(TcpListener::bind("127.0.0.1:0")));
            assert!(is_denied(UdpSocket::bind("127.0.0.1:0")));
            assert!(is_denied(UnixDatagram::unbound()));
            assert!(is_denied(Command::new("/bin/true").status()));
            assert!(is_denied(File::create("/tmp/written")));
            assert!(is_denied(std::fs::remove_file("/tmp/written")));
            // Without Landlock, what others may read can be read.
            let has_landlock = !problems.iter().any(|problem| problem.contains("files"));
            assert_eq!(
                is_denied(File::open(manifest)),
                has_landlock,
                "{problems:?}"
            );
            // The socket that there is works, and so do threads.
            let mut hello = [0; 5];
            theirs.read_exact(&mut hello).unwrap();
            thread::spawn(move || theirs.write_all(&hello))
                .join()
                .unwrap()
        });
        ours.write_all(b"hello").unwrap();
        restricted.join().unwrap().unwrap();
        let mut hello = [0; 5];
        ours.read_exact(&mut hello).unwrap();
        assert_eq!(&hello, b"hello");
        assert!(File::open(manifest).is_ok(), "this thread is free");
    }
}
