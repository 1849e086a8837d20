//! [`Db`]: one SQLite file or a PostgreSQL server, behind one set of SQL texts.
//!
//! SQL stays within what both understand: `$n`, typed NULLs, no reliance on constraint names. The
//! macros here bind once and run on whichever is there.

mod copy;
mod full_text;
mod macros;

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{PgPool, Postgres, Sqlite, SqlitePool, Transaction};

pub use copy::{Copied, CopyError, copy};
pub(crate) use macros::{all, change, first, tx_all, tx_change, tx_first};

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// The database.
#[derive(Debug, Clone)]
pub enum Db {
    /// A file: one connection writes, several read.
    Sqlite {
        /// The one connection that writes, so that writers queue here and not in the file's lock.
        writer: SqlitePool,
        /// Connections that only read.
        readers: SqlitePool,
    },
    /// A server.
    Postgres(PgPool),
}

/// A transaction on either; it is rolled back unless committed.
#[derive(Debug)]
pub enum Tx {
    /// On the writing connection.
    Sqlite(Transaction<'static, Sqlite>),
    /// On a connection of the pool.
    Postgres(Transaction<'static, Postgres>),
}

/// Why a database call failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database or the way to it.
    #[error("{table}: {source}")]
    Database {
        /// The table that the call was about.
        table: &'static str,
        /// What the driver says.
        source: sqlx::Error,
    },
    /// A stored value is not what it must be.
    #[error("{table}, key {key}: expected {expected}, found `{found}`")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The row.
        key: String,
        /// What belongs there.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// The database could not be opened.
    #[error(
        "cannot open the database {place}: {source}; is it running, and is `database.url` right?"
    )]
    Open {
        /// File or server, without the password.
        place: String,
        /// What the driver says.
        source: sqlx::Error,
    },
    /// The database has tables that this program does not know.
    #[error(
        "the database was brought up to step {0} by a newer Tallylight; run that version, or \
         restore the backup from before"
    )]
    Newer(i64),
    /// The tables could not be brought up to date.
    #[error("cannot bring the database up to date: {0}")]
    Migrate(MigrateError),
}

impl StoreError {
    /// Whether the database could not be reached, so that a later attempt may succeed.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        let Self::Database { source, .. } = self else {
            return false;
        };
        match source {
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_) => true,
            sqlx::Error::Database(error) => {
                let code = error.code().unwrap_or_default();
                AWAY.iter().any(|away| code.starts_with(away))
            }
            _ => false,
        }
    }

    /// Whether a row with the same unique value is there already.
    #[must_use]
    pub fn is_duplicate(&self) -> bool {
        matches!(
            self,
            Self::Database { source: sqlx::Error::Database(error), .. } if error.is_unique_violation()
        )
    }
}

/// Tells of which table a failed call was.
pub(crate) fn on(table: &'static str) -> impl FnOnce(sqlx::Error) -> StoreError {
    move |source| StoreError::Database { table, source }
}

impl Db {
    /// Opens the server at `url`, or the file `tallylight.sqlite` in `data` when `url` is empty.
    ///
    /// # Errors
    /// When it cannot be reached or written.
    pub async fn open(url: &str, connections: u32, data: &Path) -> Result<Self, StoreError> {
        if url.starts_with("postgres") {
            return Self::open_postgres(url, connections).await;
        }
        let options = if url.is_empty() {
            SqliteConnectOptions::new().filename(data.join("tallylight.sqlite"))
        } else {
            SqliteConnectOptions::from_str(url).map_err(|source| StoreError::Open {
                place: url.to_owned(),
                source,
            })?
        };
        Self::open_sqlite(options).await
    }

    /// Opens a database that must be there already.
    ///
    /// # Errors
    /// When it is not, or cannot be reached or written.
    pub async fn open_existing(url: &str, connections: u32) -> Result<Self, StoreError> {
        let missing = url.strip_prefix("sqlite:").and_then(|path| {
            let path = path.trim_start_matches("//");
            let path = path.split('?').next().unwrap_or_default();
            (!Path::new(path).is_file()).then_some(path)
        });
        match missing {
            None => Self::open(url, connections, Path::new(".")).await,
            Some(path) => Err(StoreError::Open {
                place: path.to_owned(),
                source: sqlx::Error::Io(std::io::ErrorKind::NotFound.into()),
            }),
        }
    }

    async fn open_sqlite(options: SqliteConnectOptions) -> Result<Self, StoreError> {
        let place = options.get_filename().display().to_string();
        let options = options
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(5));
        let failed = |source| StoreError::Open { place, source };
        let open = async {
            let writer = SqlitePoolOptions::new()
                .max_connections(1)
                .acquire_timeout(ACQUIRE)
                .connect_with(options.clone())
                .await?;
            let readers = SqlitePoolOptions::new()
                .max_connections(4)
                .acquire_timeout(ACQUIRE)
                .connect_with(options.create_if_missing(false).read_only(true))
                .await?;
            Ok(Self::Sqlite { writer, readers })
        };
        open.await.map_err(failed)
    }

    async fn open_postgres(url: &str, connections: u32) -> Result<Self, StoreError> {
        let place = "at database.url".to_owned();
        let failed = |source| StoreError::Open { place, source };
        let open = async {
            let options = PgConnectOptions::from_str(url)?;
            PgPoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(ACQUIRE)
                .connect_with(options)
                .await
        };
        open.await.map(Self::Postgres).map_err(failed)
    }

    /// Brings the tables up to date.
    ///
    /// # Errors
    /// When a migration fails or the database is newer than this program.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        let migrated = match self {
            Self::Sqlite { writer, .. } => MIGRATIONS.run(writer).await,
            Self::Postgres(pool) => MIGRATIONS.run(pool).await,
        };
        migrated.map_err(|error| match error {
            MigrateError::VersionMissing(version) => StoreError::Newer(version),
            other => StoreError::Migrate(other),
        })?;
        self.index_words().await
    }

    /// Begins a transaction.
    ///
    /// # Errors
    /// When no connection is free in time.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        let tx = match self {
            // IMMEDIATE: a transaction that reads and then writes cannot meet another writer midway.
            Self::Sqlite { writer, .. } => {
                writer.begin_with("BEGIN IMMEDIATE").await.map(Tx::Sqlite)
            }
            Self::Postgres(pool) => pool.begin().await.map(Tx::Postgres),
        };
        tx.map_err(on("transaction"))
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let one: Option<(i64,)> = first!(self, "SELECT CAST(1 AS BIGINT)").map_err(on("ping"))?;
        debug_assert!(one.is_some());
        Ok(())
    }

    /// How much it takes on its disk.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn size_bytes(&self) -> Result<u64, StoreError> {
        let sql = match self {
            Self::Sqlite { .. } => {
                "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
            }
            Self::Postgres(_) => "SELECT pg_database_size(current_database())",
        };
        let row: Option<(i64,)> = first!(self, sql).map_err(on("size"))?;
        Ok(row.map_or(0, |row| u64::try_from(row.0).unwrap_or_default()))
    }

    /// What it is, in words.
    #[must_use]
    pub fn describe(&self) -> &'static str {
        match self {
            Self::Sqlite { .. } => "SQLite",
            Self::Postgres(_) => "PostgreSQL",
        }
    }

    /// Closes all connections after what runs is done.
    pub async fn close(&self) {
        match self {
            Self::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

impl Tx {
    /// Makes the changes last.
    ///
    /// # Errors
    /// When the database does not take them.
    pub async fn commit(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(tx) => tx.commit().await,
            Self::Postgres(tx) => tx.commit().await,
        }
        .map_err(on("transaction"))
    }
}

/// PostgreSQL goes down or is going up (57P0), lacks connections, memory or disk (53), was lost (08), or takes no changes for now, as
/// a standby that is being promoted (25006).
const AWAY: [&str; 4] = ["57P0", "53", "08", "25006"];

/// A request waits this long for a connection at most, so that it fails within a second or two
/// when the database is away.
const ACQUIRE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_newer_database_is_refused_in_words() {
        let data = tempfile::tempdir().unwrap();
        let db = Db::open("", 1, data.path()).await.unwrap();
        db.migrate().await.unwrap();
        db.migrate().await.unwrap();
        change!(
            &db,
            "INSERT INTO _sqlx_migrations
             (version, description, success, checksum, execution_time)
             VALUES (9999, 'of tomorrow', TRUE, $1, 0)",
            vec![0_u8],
        )
        .unwrap();
        let error = db.migrate().await.unwrap_err().to_string();
        assert!(error.contains("newer Tallylight"), "{error}");
    }

    #[tokio::test]
    async fn a_folder_that_is_not_there_is_named() {
        let error = Db::open("", 1, Path::new("/nowhere")).await.unwrap_err();
        assert!(error.to_string().contains("/nowhere"), "{error}");
    }
}
