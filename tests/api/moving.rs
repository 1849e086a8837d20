//! All data moves: into another database, into a backup, and back.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::support::new_postgres;

/// The program on a data folder and a database of its own choice.
fn run(data: &Path, database: &str, args: &[&str]) -> Output {
    let mut child = program(data, database)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut stdin = child.stdin.take().unwrap();
    // Commands that read nothing may be over already.
    let _ = stdin.write_all(b"correct horse\n");
    drop(stdin);
    child.wait_with_output().unwrap()
}

fn program(data: &Path, database: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tallylight"));
    command.env_clear().current_dir(data.parent().unwrap());
    command.env("TALLYLIGHT_DATA", data);
    command.env("TALLYLIGHT_DATABASE_URL", database);
    command
}

fn succeed(output: &Output) -> String {
    let (out, error) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{out}{error}");
    out
}

fn fail(output: &Output) -> String {
    assert!(!output.status.success(), "{}", text(&output.stdout));
    text(&output.stderr)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// An account, a channel and a key; pictures and a recording's segment beside them.
fn fill(data: &Path, database: &str) {
    let create = ["account", "create", "Ada", "--admin", "--password-stdin"];
    succeed(&run(data, database, &create));
    succeed(&run(
        data,
        database,
        &["channel", "create", "ada", "--owner", "Ada"],
    ));
    succeed(&run(data, database, &["stream-key", "new", "ada"]));
    fs::create_dir_all(data.join("images/ab")).unwrap();
    fs::write(data.join("images/ab/picture.png"), b"picture").unwrap();
    fs::create_dir_all(data.join("media/stream")).unwrap();
    fs::write(data.join("media/stream/1.m4s"), b"segment").unwrap();
}

/// What was filled in is there, with the secret that its keys were made with.
fn expect_filled(data: &Path, database: &str) {
    let again = ["channel", "create", "ada", "--owner", "Ada"];
    let taken = fail(&run(data, database, &again));
    assert!(taken.contains("@ada is taken"), "{taken}");
    succeed(&run(data, database, &["stream-key", "new", "ada"]));
}

#[test]
fn all_data_moves_from_sqlite_to_postgresql_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    fill(&data, "");
    let (file, server) = (data.join("tallylight.sqlite"), new_postgres());
    let sqlite = format!("sqlite:{}", file.display());
    let there = ["migrate", "--from", &sqlite, "--to", &server];
    let said = succeed(&run(&data, "", &there));
    for line in ["account: 1\n", "channel: 1\n", "stream_key: 1\n"] {
        assert!(said.contains(line), "{said}");
    }
    expect_filled(&data, &server);
    let twice = fail(&run(&data, "", &there));
    assert!(twice.contains("is not empty"), "{twice}");
    let back = format!("sqlite:{}", folder.path().join("back.sqlite").display());
    let said = succeed(&run(
        &data,
        "",
        &["migrate", "--from", &server, "--to", &back],
    ));
    assert!(said.contains("stream_key: 2\n"), "{said}");
    expect_filled(&data, &back);
}

#[test]
fn a_database_that_is_not_there_is_not_made_to_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let missing = format!("sqlite:{}", folder.path().join("mistyped.sqlite").display());
    let target = format!("sqlite:{}", folder.path().join("target.sqlite").display());
    let error = fail(&run(
        &data,
        "",
        &["migrate", "--from", &missing, "--to", &target],
    ));
    assert!(error.contains("mistyped.sqlite"), "{error}");
    assert!(!folder.path().join("mistyped.sqlite").exists());
}

#[test]
fn a_backup_is_restored_elsewhere_and_on_the_other_database() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let file = at("backup.tar").display().to_string();
    fill(&at("data"), "");
    let said = succeed(&run(&at("data"), "", &["backup", &file]));
    assert!(said.contains("recordings are not in it"), "{said}");
    let again = fail(&run(&at("data"), "", &["backup", &file]));
    assert!(
        again.contains("backup.tar"),
        "an old backup is kept: {again}"
    );

    let server = new_postgres();
    succeed(&run(&at("second"), &server, &["restore", &file]));
    expect_filled(&at("second"), &server);
    assert_eq!(
        fs::read(at("second/images/ab/picture.png")).unwrap(),
        b"picture"
    );
    assert!(!at("second/media").exists());
    let used = fail(&run(&at("second"), &new_postgres(), &["restore", &file]));
    assert!(used.contains("is in use"), "{used}");

    fs::create_dir_all(at("second/media/stream")).unwrap();
    fs::write(at("second/media/stream/1.m4s"), b"segment").unwrap();
    let whole = at("whole.tar").display().to_string();
    succeed(&run(
        &at("second"),
        &server,
        &["backup", &whole, "--recordings"],
    ));
    succeed(&run(&at("third"), "", &["restore", &whole]));
    expect_filled(&at("third"), "");
    assert_eq!(
        fs::read(at("third/media/stream/1.m4s")).unwrap(),
        b"segment"
    );

    // The database lies in the data folder by another name.
    let named = |folder: &str| format!("sqlite:{}", at(folder).join("live.db").display());
    fill(&at("fourth"), &named("fourth"));
    let other = at("other.tar").display().to_string();
    succeed(&run(&at("fourth"), &named("fourth"), &["backup", &other]));
    succeed(&run(&at("fifth"), &named("fifth"), &["restore", &other]));
    expect_filled(&at("fifth"), &named("fifth"));
}

#[test]
fn backups_in_the_data_folder_are_in_no_backup() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    fill(&data, "");
    fs::create_dir(data.join("backups")).unwrap();
    let second = data.join("backups/second.tar");
    for file in [&data.join("first.tar"), &second] {
        succeed(&run(&data, "", &["backup", &file.display().to_string()]));
    }
    let new = folder.path().join("new");
    let restore = ["restore", &second.display().to_string()];
    succeed(&run(&new, "", &restore));
    assert!(new.join("pepper").exists());
    assert!(!new.join("first.tar").exists() && !new.join("backups/second.tar").exists());
}

#[test]
fn what_is_no_backup_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("text.tar"), b"no backup at all").unwrap();
    fill(&at("data"), "");
    let whole = at("whole.tar").display().to_string();
    succeed(&run(&at("data"), "", &["backup", &whole]));
    let bytes = fs::read(&whole).unwrap();
    fs::write(at("half.tar"), &bytes[..bytes.len() / 2]).unwrap();
    for name in ["text.tar", "half.tar", "missing.tar"] {
        let file = at(name).display().to_string();
        let error = fail(&run(&at("new"), "", &["restore", &file]));
        assert!(error.contains(name), "{error}");
        assert!(!at("new").exists() || at("new").read_dir().unwrap().next().is_none());
    }
    let used = format!("sqlite:{}", at("data/tallylight.sqlite").display());
    let error = fail(&run(&at("new"), &used, &["restore", &whole]));
    assert!(error.contains("is not empty"), "{error}");
    assert!(
        at("new").read_dir().unwrap().next().is_none(),
        "half a restore"
    );
}
