//! The index for searching, which each database has in its own way: FTS5, and `tsvector` with GIN.
//!
//! It is made of the tables once these are up to date, and triggers keep it true. It is no migration,
//! because those are one text for both; and nobody copies it, because it can be made again.

use sqlx::raw_sql;

use super::{Db, StoreError, on};

const SQLITE: &str = include_str!("sqlite.sql");
const POSTGRES: &str = include_str!("postgres.sql");

impl Db {
    /// Makes the index where there is none.
    pub(super) async fn index_words(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite { writer, .. } => {
                let mut tx = writer
                    .begin_with("BEGIN IMMEDIATE")
                    .await
                    .map_err(on("search_doc"))?;
                let there: Option<(i64,)> =
                    sqlx::query_as("SELECT 1 FROM sqlite_master WHERE name = 'search_doc'")
                        .fetch_optional(&mut *tx)
                        .await
                        .map_err(on("search_doc"))?;
                if there.is_none() {
                    raw_sql(SQLITE)
                        .execute(&mut *tx)
                        .await
                        .map_err(on("search_doc"))?;
                }
                tx.commit().await.map_err(on("search_doc"))
            }
            Self::Postgres(pool) => {
                let mut tx = pool.begin().await.map_err(on("search_doc"))?;
                // Of several that start at once one makes it.
                sqlx::query("SELECT pg_advisory_xact_lock(7237120)")
                    .execute(&mut *tx)
                    .await
                    .map_err(on("search_doc"))?;
                let (there,): (bool,) =
                    sqlx::query_as("SELECT to_regclass('search_doc') IS NOT NULL")
                        .fetch_one(&mut *tx)
                        .await
                        .map_err(on("search_doc"))?;
                if !there {
                    raw_sql(POSTGRES)
                        .execute(&mut *tx)
                        .await
                        .map_err(on("search_doc"))?;
                }
                tx.commit().await.map_err(on("search_doc"))
            }
        }
    }
}
