//! [`Process`]: the program, as an operator runs it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A server that can be killed.
pub(crate) struct Process {
    child: Child,
    pub(crate) base: String,
}

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_tallylight");

fn prepared(
    mut command: Command,
    data: &Path,
    arguments: &[&str],
    settings: &[(&str, &str)],
) -> Command {
    command.args(arguments).current_dir(data);
    command.env("TALLYLIGHT_DATA", data.join("data"));
    command.env("TALLYLIGHT_HTTP", "127.0.0.1:0");
    command.env("TALLYLIGHT_MEDIA_BIND", "127.0.0.1");
    command.env("TALLYLIGHT_MEDIA_PORT", "0");
    command.env("TALLYLIGHT_ADMIN_LISTEN", "off");
    command.env("TALLYLIGHT_RTMP_LISTEN", "off");
    command.env("TALLYLIGHT_TURN_LISTEN", "off");
    command.env("TALLYLIGHT_LOG", "error");
    command.envs(settings.iter().copied());
    command
}

/// Runs a command of the program with something to read; gives what it prints.
pub(crate) fn run(
    data: &Path,
    arguments: &[&str],
    settings: &[(&str, &str)],
    input: &str,
) -> String {
    let mut command = prepared(Command::new(PROGRAM), data, arguments, settings);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("the program runs");
    // Dropped, so that it sees the end.
    let written = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().expect("the program ends");
    assert!(output.status.success(), "{output:?}, {written:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

impl Process {
    /// Starts the server; then its ports are open.
    pub(crate) fn start(data: &Path, settings: &[(&str, &str)]) -> Self {
        Self::start_with_log(data, settings, Stdio::inherit())
    }

    /// The same; what it logs goes there.
    pub(crate) fn start_with_log(data: &Path, settings: &[(&str, &str)], log: Stdio) -> Self {
        Self::start_as(Command::new(PROGRAM), data, settings, log)
    }

    /// The same, by a command that becomes the program.
    pub(crate) fn start_as(
        command: Command,
        data: &Path,
        settings: &[(&str, &str)],
        log: Stdio,
    ) -> Self {
        let mut child = prepared(command, data, &["serve"], settings)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the program runs");
        let out = child.stdout.take().unwrap();
        let mut lines = BufReader::new(out).lines().map(Result::unwrap);
        let line = lines.find(|line| line.contains("Pages and API"));
        let line = line.expect("it says where it is");
        let base = line.split_whitespace().last().unwrap();
        Self {
            base: base.trim_end_matches('/').to_owned(),
            child,
        }
    }

    /// Its process id.
    #[allow(dead_code, reason = "each test program uses a part")]
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGTERM; waits for the end, which is orderly.
    #[allow(dead_code, reason = "each test program uses a part")]
    pub(crate) fn terminate(&mut self) {
        let id = self.child.id().to_string();
        let told = Command::new("kill").args(["-TERM", &id]).status();
        assert!(told.unwrap().success());
        let ended = self.child.wait().unwrap();
        assert!(ended.success(), "{ended:?}");
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
