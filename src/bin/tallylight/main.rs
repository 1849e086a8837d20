//! The commands. `serve` is the one without a name.

mod scripted;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use clap::{Args, Parser, Subcommand};
use loadtest::bench::Benchmark;
use tallylight::app::{self, App};
use tallylight::backup;
use tallylight::clock::Clock;
use tallylight::config::{self, Config, Override, Sources, Telemetry};
use tallylight::db::{self, Copied, Db};
use tallylight::doctor::{self, Verdict};
use tallylight::traces::{self, Traces};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Self-hosted live streaming: publish from a browser tab or OBS, watch in under a second.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Cli {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    command: Option<Command>,
}

/// What beats the configuration file.
#[derive(Debug, Args)]
#[command(next_help_heading = "Settings of the server")]
struct Settings {
    /// Configuration file; without it, tallylight.toml here if there is one.
    #[arg(long, global = true, env = "TALLYLIGHT_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Folder of the database file and of secrets [default: ./data].
    #[arg(long, global = true, env = "TALLYLIGHT_DATA", value_name = "DIR")]
    data: Option<String>,
    /// Address of pages, API and signalling [default: 0.0.0.0:8080].
    #[arg(long, global = true, env = "TALLYLIGHT_HTTP", value_name = "ADDR")]
    http: Option<String>,
    /// Address of the operators' listener [default: 127.0.0.1:9090]; "off" for none.
    #[arg(
        long,
        global = true,
        env = "TALLYLIGHT_ADMIN_LISTEN",
        value_name = "ADDR"
    )]
    admin_listen: Option<String>,
    /// Address for publishers by RTMP [default: 0.0.0.0:1935]; "off" for none.
    // Without a variable of its own: TALLYLIGHT_RTMP_LISTEN sets the same.
    #[arg(long, global = true, value_name = "ADDR")]
    rtmp: Option<String>,
    /// The one port of all media, UDP and TCP [default: 8189].
    #[arg(
        long,
        global = true,
        env = "TALLYLIGHT_MEDIA_PORT",
        value_name = "PORT"
    )]
    media_port: Option<String>,
    /// Address at which clients reach the media port, behind NAT; several with commas.
    #[arg(long, global = true, env = "TALLYLIGHT_PUBLIC_IP", value_name = "IP")]
    public_ip: Option<String>,
    /// What is logged, such as info or debug [default: info].
    #[arg(long, global = true, env = "TALLYLIGHT_LOG", value_name = "FILTER")]
    log: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server (also what happens without a command).
    Serve,
    /// Look at the machine and say what to change.
    Doctor,
    /// Bring the database up to date; or move all data into another one.
    Migrate {
        /// Database to move all data from, such as sqlite:data/tallylight.sqlite; stop the server first.
        #[arg(long, requires = "to", value_name = "URL")]
        from: Option<String>,
        /// Empty database to move it to, such as postgres://user:password@host/name.
        #[arg(long, requires = "from", value_name = "URL")]
        to: Option<String>,
    },
    /// Write all that the server keeps into one file. The server may run meanwhile.
    Backup {
        /// The file to make. It holds secrets: keep it as safe as the data folder.
        file: PathBuf,
        /// Recordings as well, which may be large.
        #[arg(long)]
        recordings: bool,
    },
    /// Put a backup into an empty data folder and an empty database.
    Restore {
        /// The backup.
        file: PathBuf,
    },
    /// The configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    #[command(flatten)]
    Scripted(scripted::Command),
    /// Load a WHIP, WHEP, HLS, RTMP or chat server and say what a viewer or a publisher costs it.
    // Boxed: its options are many, and every command would be as large.
    #[command(subcommand)]
    Bench(Box<Benchmark>),
    /// Packages or transcodes one stream for the server that starts it.
    #[command(hide = true)]
    MediaWorker {
        /// Only say what is missing for packaging, line by line.
        #[arg(long)]
        check: bool,
        /// Only say which encoder works on this machine, or what is missing for one.
        #[arg(long)]
        find_encoder: bool,
        /// The encoder to transcode with.
        #[arg(long)]
        encoder: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Say whether the configuration can work.
    Check,
    /// Print the configuration in effect, secrets hidden.
    Print,
    /// Print a commented file with every key at its default.
    Example,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(io::stderr(), "tallylight: {}", one_line(&error));
            ExitCode::FAILURE
        }
    }
}

/// The error and its causes in one line, as an operator reads it in a unit's log. Many of our texts
/// hold their cause already.
fn one_line(error: &anyhow::Error) -> String {
    let mut line = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        if !line.contains(&cause) {
            line = format!("{line}: {cause}");
        }
    }
    line.replace('\n', " ")
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    if matches!(cli.command, Some(Command::Config(ConfigCommand::Example))) {
        say(config::EXAMPLE)?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(Command::MediaWorker {
        check,
        find_encoder,
        encoder,
    }) = &cli.command
    {
        // It reads no configuration: what it needs comes over its socket.
        return match (check, find_encoder) {
            (true, _) => say_what_is_missing(),
            (false, true) => say_encoder(),
            (false, false) => work(encoder.as_deref()),
        };
    }
    if let Some(Command::Bench(benchmark)) = &cli.command {
        // Nor does this: it loads whatever server its addresses name.
        runtime()?.block_on(benchmark.run())?;
        return Ok(ExitCode::SUCCESS);
    }
    let sources = sources(cli.settings);
    let loaded = config::load(&sources)?;
    let config = loaded.config;
    let runtime = runtime()?;
    let is_server = matches!(cli.command, None | Some(Command::Serve));
    let traces = start_telling(&config, is_server, &runtime)?;
    for remark in &loaded.remarks {
        tracing::warn!("{remark}");
    }
    let ended = runtime.block_on(async {
        let ended = match cli.command.unwrap_or(Command::Serve) {
            Command::Serve => serve(config).await,
            Command::Doctor => examine(&config).await,
            Command::Migrate { from, to } => match from.zip(to) {
                Some((from, to)) => move_data(&config, &from, &to).await,
                None => migrate(&config).await,
            },
            Command::Backup { file, recordings } => make_backup(&config, &file, recordings).await,
            Command::Restore { file } => restore(&config, &file).await,
            Command::Config(command) => show_config(&config, loaded.file.as_deref(), &command),
            Command::Scripted(command) => command.run(&config).await,
            Command::Bench(_) | Command::MediaWorker { .. } => {
                Err(anyhow!("this command reads no configuration"))
            }
        };
        traces.flush().await;
        ended
    });
    runtime.shutdown_timeout(LAST_WORK);
    ended
}

/// The log, and traces of what runs for long.
fn start_telling(config: &Config, is_server: bool, runtime: &Runtime) -> anyhow::Result<Traces> {
    let none = Telemetry::default();
    let telemetry = if is_server { &config.telemetry } else { &none };
    traces::start(&config.log, telemetry, runtime.handle()).map_err(|problem| anyhow!(problem))
}

fn runtime() -> anyhow::Result<Runtime> {
    let runtime = Builder::new_multi_thread().enable_all().build();
    runtime.context("cannot start threads")
}

fn work(encoder: Option<&str>) -> anyhow::Result<ExitCode> {
    media::run_worker(encoder).map_err(anyhow::Error::msg)?;
    Ok(ExitCode::SUCCESS)
}

fn say_what_is_missing() -> anyhow::Result<ExitCode> {
    let missing = media::missing_plugins();
    for plugin in &missing {
        say(&format!("{plugin}\n"))?;
    }
    Ok(match missing.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn say_encoder() -> anyhow::Result<ExitCode> {
    let (words, code) = match media::find_encoder() {
        Ok(name) => (name.to_owned(), ExitCode::SUCCESS),
        Err(problem) => (problem, ExitCode::FAILURE),
    };
    say(&format!("{words}\n"))?;
    Ok(code)
}

fn sources(settings: Settings) -> Sources {
    let mut flags = Vec::new();
    let mut flag = |name: &str, key, value: Option<String>| {
        // An empty environment variable gives an empty flag, and counts as not set.
        let value = value.filter(|value| !value.is_empty());
        flags.extend(value.map(|value| Override {
            name: name.to_owned(),
            key,
            value,
        }));
    };
    flag("--data", "data", settings.data);
    flag("--http", "http.listen", settings.http);
    match settings.admin_listen {
        Some(off) if off == "off" => flag("--admin-listen", "http.admin", Some("false".to_owned())),
        address => flag("--admin-listen", "http.admin_listen", address),
    }
    let rtmp = settings.rtmp.map(|address| match address.as_str() {
        "" => "off".to_owned(),
        _ => address,
    });
    flag("--rtmp", "rtmp.listen", rtmp);
    flag("--media-port", "media.port", settings.media_port);
    flag("--public-ip", "media.public_ips", settings.public_ip);
    flag("--log", "log.filter", settings.log);
    Sources {
        file: settings.config,
        environment: std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect(),
        flags,
    }
}

async fn serve(config: Config) -> anyhow::Result<ExitCode> {
    // Before anything else: a signal during the start must not kill what is half up.
    let mut signals = Signals::new().context("cannot wait for signals")?;
    let app = App::start(config).await?;
    say(&app.greeting())?;
    let is_broken = tokio::select! {
        () = signals.next() => false,
        () = app.broken() => true,
    };
    let books = app.books();
    tokio::select! {
        () = app.shut_down() => {}
        () = sleep(LONGEST_END) => give_up(&books)?,
        // The second signal does not wait for anybody.
        () = signals.next() => bail!("stopped at once by a second signal"),
    }
    if is_broken {
        bail!("a media thread died; the log says why");
    }
    Ok(ExitCode::SUCCESS)
}

/// The end takes no longer, whatever hangs: what stops the process then would not ask.
const LONGEST_END: Duration = Duration::from_secs(27);
/// For threads that work on files when all else has ended.
const LAST_WORK: Duration = Duration::from_secs(2);

/// Something does not end. That is an error only while something is not written.
fn give_up(books: &CancellationToken) -> anyhow::Result<()> {
    let seconds = LONGEST_END.as_secs();
    if !books.is_cancelled() {
        bail!("not all could be written within {seconds} s; the next start puts it in order");
    }
    tracing::error!(
        seconds,
        "Something did not end within {seconds} s; all is written, and the server ends without it"
    );
    Ok(())
}

/// SIGTERM and SIGINT, which both ask for an orderly end.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

async fn examine(config: &Config) -> anyhow::Result<ExitCode> {
    let findings = doctor::examine(config, Clock::system().now()).await;
    for finding in &findings {
        say(&format!("{finding}\n"))?;
    }
    let worst = findings.iter().map(|finding| finding.verdict).max();
    Ok(match worst {
        Some(Verdict::Bad) => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    })
}

async fn migrate(config: &Config) -> anyhow::Result<ExitCode> {
    let db = app::open_database(config).await?;
    say(&format!("{} is up to date\n", db.describe()))?;
    db.close().await;
    Ok(ExitCode::SUCCESS)
}

async fn move_data(config: &Config, from: &str, to: &str) -> anyhow::Result<ExitCode> {
    let connections = config.database.connections;
    let from = Db::open_existing(from, connections).await?;
    let to = Db::open(to, connections, &config.data).await?;
    // The one that is read is brought up to date as well: both must have the same tables.
    from.migrate().await?;
    to.migrate().await?;
    let copied = db::copy(&from, &to).await;
    from.close().await;
    to.close().await;
    say_tables(&copied?)?;
    say("all data is there; set database.url to the new one and start the server\n")?;
    Ok(ExitCode::SUCCESS)
}

async fn make_backup(
    config: &Config,
    file: &std::path::Path,
    recordings: bool,
) -> anyhow::Result<ExitCode> {
    let db = app::open_database(config).await?;
    let now = Clock::system().now();
    let made = backup::make(&db, &config.data, file, recordings, now).await;
    db.close().await;
    let report = made?;
    let rows: u64 = report.tables.iter().map(|table| table.rows).sum();
    let (files, path) = (report.files, file.display());
    say(&format!("{path} has {rows} rows and {files} files\n"))?;
    if !recordings {
        say("recordings are not in it; --recordings puts them in\n")?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn restore(config: &Config, file: &std::path::Path) -> anyhow::Result<ExitCode> {
    let open = async || {
        app::open_database(config)
            .await
            .map_err(anyhow::Error::from)
    };
    let (manifest, report) = backup::restore(file, &config.data, open).await?;
    say_tables(&report.tables)?;
    let (files, made_at) = (report.files, manifest.made_at);
    say(&format!(
        "restored what was kept at {made_at}: {files} files\n"
    ))?;
    Ok(ExitCode::SUCCESS)
}

fn say_tables(tables: &[Copied]) -> anyhow::Result<()> {
    for Copied { table, rows } in tables {
        say(&format!("{table}: {rows}\n"))?;
    }
    Ok(())
}

fn show_config(
    config: &Config,
    file: Option<&std::path::Path>,
    command: &ConfigCommand,
) -> anyhow::Result<ExitCode> {
    match command {
        ConfigCommand::Check => {
            let place = file.map_or_else(
                || "no file, defaults and environment".to_owned(),
                |file| file.display().to_string(),
            );
            say(&format!("the configuration is good ({place})\n"))?;
        }
        ConfigCommand::Print => {
            let shown = config.without_secrets();
            say(&toml::to_string(&shown).context("cannot print the configuration")?)?;
        }
        ConfigCommand::Example => say(config::EXAMPLE)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes to standard output. A reader that went away is no failure.
fn say(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result.context("cannot write to standard output"),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn no_two_flags_are_in_each_others_way() {
        super::Cli::command().debug_assert();
    }

    #[test]
    fn what_hangs_is_an_error_only_while_something_is_not_written() {
        let books = tokio_util::sync::CancellationToken::new();
        assert!(super::give_up(&books).is_err());
        books.cancel();
        assert!(super::give_up(&books).is_ok());
    }
}
