//! Copies everything from one database into another, whichever each of them is.
//!
//! What there is to copy is read from the migrations themselves, run on an empty SQLite in memory: its
//! tables, their columns, and which table refers to which. So no table can be forgotten here.

mod rows;
mod schema;

use super::{Db, StoreError};

/// So many rows of a table were copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// The table.
    pub table: String,
    /// Its rows.
    pub rows: u64,
}

/// Why the copy was not made; nothing was written then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CopyError {
    /// A database call.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A database, while a table was read or written.
    #[error("table {table}: {source}")]
    Table {
        /// The table.
        table: String,
        /// What the driver says.
        source: sqlx::Error,
    },
    /// The target is in use.
    #[error(
        "the target is not empty: its table {table} has rows; give a database that has never been \
         used, so that nothing can be overwritten"
    )]
    NotEmpty {
        /// A table with rows.
        table: String,
    },
    /// Tables refer to each other in a circle.
    #[error("the tables {0} refer to each other in a circle; this is a fault of the program")]
    Circle(String),
    /// What was written is not what was read.
    #[error("table {table}: {read} rows were read and {written} are there")]
    Lost {
        /// The table.
        table: String,
        /// Rows read.
        read: u64,
        /// Rows found in the target.
        written: u64,
    },
}

/// Copies all rows as they were at one moment. The target must be migrated and empty; it gets all of
/// them or none.
///
/// # Errors
/// When either database fails, the target is not empty, or the counts differ in the end.
pub async fn copy(from: &Db, to: &Db) -> Result<Vec<Copied>, CopyError> {
    let tables = schema::tables().await?;
    let mut source = rows::Source::open(from).await?;
    let mut target = rows::Target::open(to).await?;
    for table in &tables {
        if target.count(table).await? > table.seeds {
            return Err(CopyError::NotEmpty {
                table: table.name.clone(),
            });
        }
    }
    let mut copied = Vec::new();
    for table in tables.iter().filter(|table| table.seeds > 0) {
        target.clear(table).await?;
    }
    for table in &tables {
        let read = source.pour(table, &mut target).await?;
        let written = target.count(table).await?;
        if read != written {
            return Err(CopyError::Lost {
                table: table.name.clone(),
                read,
                written,
            });
        }
        copied.push(Copied {
            table: table.name.clone(),
            rows: read,
        });
    }
    target.commit().await?;
    Ok(copied)
}

fn of_table(table: &str) -> impl FnOnce(sqlx::Error) -> CopyError {
    let table = table.to_owned();
    move |source| CopyError::Table { table, source }
}
