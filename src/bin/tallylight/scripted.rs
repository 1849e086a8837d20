//! Commands that make a thing and end, for scripts: they need no server, and one may run meanwhile.

use std::io::{self, Read as _};
use std::process::ExitCode;

use anyhow::{Context as _, anyhow, bail};
use clap::{Subcommand, ValueEnum};
use tallylight::accounts::{Account, Accounts, NewToken, Passwords, Role};
use tallylight::app;
use tallylight::audit::Audit;
use tallylight::channels::{Channels, Pepper};
use tallylight::clock::Clock;
use tallylight::config::Config;
use tallylight::error::ApiError;
use tallylight::jobs::Jobs;
use tallylight::mail::Mail;
use tallylight::secret::Secret;
use tallylight::settings::Settings;

use crate::say;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Accounts.
    #[command(subcommand)]
    Account(AccountCommand),
    /// Channels.
    #[command(subcommand)]
    Channel(ChannelCommand),
    /// Stream keys.
    #[command(subcommand)]
    StreamKey(StreamKeyCommand),
    /// Personal tokens.
    #[command(subcommand)]
    Token(TokenCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum AccountCommand {
    /// Make an account. Without --password-stdin it prints the password that it made.
    Create {
        /// Name to sign in with.
        name: String,
        /// What it may do.
        #[arg(long, value_enum, default_value = "creator")]
        role: NewRole,
        /// The same as --role admin.
        #[arg(long, conflicts_with = "role")]
        admin: bool,
        /// Read the password from standard input.
        #[arg(long)]
        password_stdin: bool,
    },
}

/// [`Role`] on the command line.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum NewRole {
    /// Runs the server.
    Admin,
    /// Owns channels.
    Creator,
    /// Watches and follows.
    Viewer,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ChannelCommand {
    /// Make a channel.
    Create {
        /// What stands after @ in its address.
        handle: String,
        /// Name of the account that owns it.
        #[arg(long)]
        owner: String,
        /// Name for people; without it, the handle.
        #[arg(long)]
        name: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum StreamKeyCommand {
    /// Make a stream key and print it, alone, on standard output.
    New {
        /// Handle of the channel.
        handle: String,
        /// To tell it from others.
        #[arg(long, default_value = "command line")]
        name: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a personal token for programs and print it, alone, on standard output.
    Create {
        /// Name of the account that it acts for.
        account: String,
        /// What it may do, such as streams:read, divided by commas.
        #[arg(long, required = true, value_delimiter = ',', value_name = "SCOPES")]
        scopes: Vec<String>,
        /// It works so many days; without it, until it is deleted.
        #[arg(long)]
        days: Option<u32>,
        /// To tell it from others.
        #[arg(long, default_value = "command line")]
        name: String,
    },
}

impl Command {
    pub(crate) async fn run(self, config: &Config) -> anyhow::Result<ExitCode> {
        match self {
            Self::Account(command) => account(config, command).await,
            Self::Channel(command) => channel(config, command).await,
            Self::StreamKey(command) => stream_key(config, command).await,
            Self::Token(command) => token(config, command).await,
        }
    }
}

/// What the scripted commands need, without a server.
struct Services {
    accounts: Accounts,
    channels: Channels,
}

async fn services(config: &Config) -> anyhow::Result<Services> {
    let db = app::open_database(config).await?;
    let clock = Clock::system();
    let pepper = Pepper::open(&config.data, &db).await?;
    let audit = Audit::new(db.clone(), clock.clone());
    let jobs = Jobs::new(db.clone(), clock.clone());
    let mail = Mail::new(&config.mail, &config.http, jobs.clone())?;
    let settings = Settings::open(config, db.clone(), clock.clone(), audit.clone()).await?;
    let accounts = Accounts::new(
        db.clone(),
        clock.clone(),
        config,
        audit,
        jobs,
        mail,
        settings,
    );
    let (channels, _) = Channels::new(db, clock, pepper, Passwords::new(), accounts.clone());
    Ok(Services { accounts, channels })
}

impl Services {
    async fn account(&self, name: &str) -> anyhow::Result<Account> {
        let found = self.accounts.by_name(name).await?;
        found.ok_or_else(|| {
            anyhow!("there is no account named {name}; make it with `tallylight account create`")
        })
    }
}

async fn account(config: &Config, command: AccountCommand) -> anyhow::Result<ExitCode> {
    let AccountCommand::Create {
        name,
        role,
        admin,
        password_stdin,
    } = command;
    let password = if password_stdin {
        let mut text = String::new();
        io::stdin()
            .read_to_string(&mut text)
            .context("cannot read the password from standard input")?;
        Secret::new(text.trim_end_matches(['\r', '\n']))
    } else {
        Secret::random::<10>()
    };
    let role = match role {
        _ if admin => Role::Admin,
        NewRole::Admin => Role::Admin,
        NewRole::Creator => Role::Creator,
        NewRole::Viewer => Role::Viewer,
    };
    let services = services(config).await?;
    let account = services.accounts.create(&name, &password, role).await;
    let account = account.map_err(in_words)?;
    if !password_stdin {
        say(&format!("{}\n", password.reveal()))?;
    }
    tracing::info!(account.id = %account.id, "Made the account {}", account.name);
    Ok(ExitCode::SUCCESS)
}

async fn channel(config: &Config, command: ChannelCommand) -> anyhow::Result<ExitCode> {
    let ChannelCommand::Create {
        handle,
        owner,
        name,
    } = command;
    let services = services(config).await?;
    let account = services.account(&owner).await?;
    let name = name.unwrap_or_else(|| handle.clone());
    let channel = services.channels.create(&account, &handle, &name).await;
    let channel = channel.map_err(in_words)?;
    tracing::info!(channel.handle = %channel.handle, "Made the channel @{}", channel.handle);
    Ok(ExitCode::SUCCESS)
}

async fn stream_key(config: &Config, command: StreamKeyCommand) -> anyhow::Result<ExitCode> {
    let StreamKeyCommand::New { handle, name } = command;
    let services = services(config).await?;
    let Some(channel) = services.channels.by_handle(&handle).await? else {
        bail!("there is no channel @{handle}; make it with `tallylight channel create {handle}`");
    };
    let made = services.channels.create_stream_key(channel.id, &name).await;
    let (_, key) = made.map_err(in_words)?;
    say(&format!("{}\n", key.reveal()))?;
    Ok(ExitCode::SUCCESS)
}

async fn token(config: &Config, command: TokenCommand) -> anyhow::Result<ExitCode> {
    let TokenCommand::Create {
        account,
        scopes,
        days,
        name,
    } = command;
    let services = services(config).await?;
    let account = services.account(&account).await?;
    let wish = NewToken { name, scopes, days };
    let made = services.accounts.create_token(&account, wish).await;
    let (_, text) = made.map_err(in_words)?;
    say(&format!("{}\n", text.reveal()))?;
    Ok(ExitCode::SUCCESS)
}

fn in_words(error: ApiError) -> anyhow::Error {
    match error {
        ApiError::Store(error) => anyhow!(error),
        other => anyhow!("{other}"),
    }
}
