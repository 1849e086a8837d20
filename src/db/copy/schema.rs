//! What tables there are, as the migrations make them.

use std::collections::BTreeSet;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, SqliteConnection};

use super::{CopyError, of_table};
use crate::db::{MIGRATIONS, StoreError};

/// A table of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) columns: Vec<Column>,
    /// Rows that the migrations themselves put there.
    pub(super) seeds: u64,
    /// Other tables that must have their rows before.
    after: BTreeSet<String>,
}

/// A column and what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) holds: Holds,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    Text,
    Whole,
    Real,
    Truth,
    Bytes,
}

/// All tables, each behind those that it refers to.
pub(super) async fn tables() -> Result<Vec<Table>, CopyError> {
    let open = SqliteConnectOptions::new().in_memory(true).connect().await;
    let mut fresh = open.map_err(of_table("sqlite_master"))?;
    let migrated = MIGRATIONS.run(&mut fresh).await;
    migrated.map_err(StoreError::Migrate)?;
    let names: Vec<(String,)> = sqlx::query_as(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
         AND name <> '_sqlx_migrations' ORDER BY name",
    )
    .fetch_all(&mut fresh)
    .await
    .map_err(of_table("sqlite_master"))?;
    let mut tables = Vec::new();
    for (name,) in names {
        tables.push(table(&mut fresh, name).await?);
    }
    in_order(tables)
}

async fn table(fresh: &mut SqliteConnection, name: String) -> Result<Table, CopyError> {
    let columns = format!("SELECT name, type FROM pragma_table_info('{name}') ORDER BY cid");
    let columns: Vec<(String, String)> = sqlx::query_as(AssertSqlSafe(columns))
        .fetch_all(&mut *fresh)
        .await
        .map_err(of_table(&name))?;
    let references = format!("SELECT DISTINCT \"table\" FROM pragma_foreign_key_list('{name}')");
    let references: Vec<(String,)> = sqlx::query_as(AssertSqlSafe(references))
        .fetch_all(&mut *fresh)
        .await
        .map_err(of_table(&name))?;
    let after = references.into_iter().map(|(other,)| other);
    let after = after.filter(|other| *other != name).collect();
    let count = format!("SELECT COUNT(*) FROM \"{name}\"");
    let (seeds,): (i64,) = sqlx::query_as(AssertSqlSafe(count))
        .fetch_one(fresh)
        .await
        .map_err(of_table(&name))?;
    let columns = columns.into_iter().map(|(column, declared)| {
        Ok(Column {
            holds: holds(&name, &column, &declared)?,
            name: column,
        })
    });
    Ok(Table {
        columns: columns.collect::<Result<_, StoreError>>()?,
        name,
        seeds: u64::try_from(seeds).unwrap_or_default(),
        after,
    })
}

fn holds(table: &str, column: &str, declared: &str) -> Result<Holds, StoreError> {
    Ok(match declared {
        "TEXT" => Holds::Text,
        "BIGINT" => Holds::Whole,
        "DOUBLE PRECISION" => Holds::Real,
        "BOOLEAN" => Holds::Truth,
        "BLOB" | "BYTEA" => Holds::Bytes,
        other => {
            return Err(StoreError::Corrupt {
                table: "sqlite_master",
                key: format!("{table}.{column}"),
                expected: "a type that both databases have",
                found: other.to_owned(),
            });
        }
    })
}

fn in_order(mut waiting: Vec<Table>) -> Result<Vec<Table>, CopyError> {
    let mut ordered: Vec<Table> = Vec::new();
    while !waiting.is_empty() {
        let is_ready = |table: &Table| {
            let has_rows = |name: &String| ordered.iter().any(|done| done.name == *name);
            table.after.iter().all(has_rows)
        };
        let (ready, rest): (Vec<Table>, Vec<Table>) = waiting.into_iter().partition(is_ready);
        if ready.is_empty() {
            let names: Vec<String> = rest.into_iter().map(|table| table.name).collect();
            return Err(CopyError::Circle(names.join(", ")));
        }
        ordered.extend(ready);
        waiting = rest;
    }
    Ok(ordered)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_table_comes_behind_those_that_it_refers_to() {
        let tables = tables().await.unwrap();
        let place = |name: &str| tables.iter().position(|table| table.name == name);
        assert!(place("account").unwrap() < place("login").unwrap());
        assert!(place("channel").unwrap() < place("stream_key").unwrap());
        assert!(tables.iter().all(|table| !table.columns.is_empty()));
    }

    #[test]
    fn a_circle_is_told() {
        let table = |name: &str, after: &str| Table {
            name: name.to_owned(),
            columns: Vec::new(),
            seeds: 0,
            after: BTreeSet::from([after.to_owned()]),
        };
        let error = in_order(vec![table("a", "b"), table("b", "a")]).unwrap_err();
        assert!(error.to_string().contains("a, b"), "{error}");
    }
}
