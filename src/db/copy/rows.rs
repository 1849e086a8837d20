//! Reading rows of one database and writing them into another.

use futures_util::TryStreamExt as _;
use sqlx::{AssertSqlSafe, Postgres, Row as _, Sqlite, Transaction};

use super::schema::{Column, Holds, Table};
use super::{CopyError, of_table};
use crate::db::{Db, StoreError, Tx, on};

/// A value on its way.
#[derive(Debug, Clone, PartialEq)]
enum Value {
    Text(Option<String>),
    Whole(Option<i64>),
    Real(Option<f64>),
    Truth(Option<bool>),
    Bytes(Option<Vec<u8>>),
}

/// Values of one statement, at most: SQLite takes 32,766, PostgreSQL 65,535.
const MOST_VALUES: usize = 2_000;

/// Where rows come from, all as of one moment.
#[derive(Debug)]
pub(super) struct Source(Tx);

/// Where rows go to, all or none.
#[derive(Debug)]
pub(super) struct Target(Tx);

impl Source {
    pub(super) async fn open(db: &Db) -> Result<Self, StoreError> {
        let tx = match db {
            Db::Sqlite { readers, .. } => readers.begin().await.map(Tx::Sqlite),
            Db::Postgres(pool) => pool
                .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                .await
                .map(Tx::Postgres),
        };
        tx.map(Self).map_err(on("transaction"))
    }

    /// Copies a table's rows; gives how many.
    pub(super) async fn pour(
        &mut self,
        table: &Table,
        target: &mut Target,
    ) -> Result<u64, CopyError> {
        let columns = column_list(table);
        let select = format!("SELECT {columns} FROM \"{}\"", table.name);
        let mut batch = Batch::new(table);
        let mut count = 0;
        macro_rules! pour {
            ($tx:expr, $read:ident) => {{
                let query = sqlx::query(AssertSqlSafe(select));
                let mut rows = query.fetch(&mut **$tx);
                while let Some(row) = rows.try_next().await.map_err(of_table(&table.name))? {
                    for (at, column) in table.columns.iter().enumerate() {
                        let value = $read(&row, at, column);
                        batch.values.push(value.map_err(of_table(&table.name))?);
                    }
                    count += 1;
                    if batch.is_full() {
                        target.write(&mut batch).await?;
                    }
                }
            }};
        }
        match &mut self.0 {
            Tx::Sqlite(tx) => pour!(tx, read_sqlite),
            Tx::Postgres(tx) => pour!(tx, read_postgres),
        }
        target.write(&mut batch).await?;
        Ok(count)
    }
}

macro_rules! reader {
    ($name:ident, $row:ty) => {
        fn $name(row: &$row, at: usize, column: &Column) -> Result<Value, sqlx::Error> {
            Ok(match column.holds {
                Holds::Text => Value::Text(row.try_get(at)?),
                Holds::Whole => Value::Whole(row.try_get(at)?),
                Holds::Real => Value::Real(row.try_get(at)?),
                Holds::Truth => Value::Truth(row.try_get(at)?),
                Holds::Bytes => Value::Bytes(row.try_get(at)?),
            })
        }
    };
}
reader!(read_sqlite, sqlx::sqlite::SqliteRow);
reader!(read_postgres, sqlx::postgres::PgRow);

/// Rows that are written together.
struct Batch<'a> {
    table: &'a Table,
    values: Vec<Value>,
}

impl<'a> Batch<'a> {
    fn new(table: &'a Table) -> Self {
        Self {
            table,
            values: Vec::new(),
        }
    }

    fn is_full(&self) -> bool {
        self.values.len() + self.table.columns.len() > MOST_VALUES
    }

    fn statement(&self) -> String {
        let width = self.table.columns.len().max(1);
        let row = |first: usize| {
            let values: Vec<String> = (first..first + width).map(|n| format!("${n}")).collect();
            format!("({})", values.join(", "))
        };
        let rows: Vec<String> = (0..self.values.len() / width)
            .map(|at| row(at * width + 1))
            .collect();
        format!(
            "INSERT INTO \"{}\" ({}) VALUES {}",
            self.table.name,
            column_list(self.table),
            rows.join(", ")
        )
    }
}

fn column_list(table: &Table) -> String {
    let names = table.columns.iter();
    let names = names.map(|column| format!("\"{}\"", column.name));
    names.collect::<Vec<_>>().join(", ")
}

impl Target {
    pub(super) async fn open(db: &Db) -> Result<Self, StoreError> {
        db.begin().await.map(Self)
    }

    pub(super) async fn count(&mut self, table: &Table) -> Result<u64, CopyError> {
        let count = format!("SELECT CAST(COUNT(*) AS BIGINT) FROM \"{}\"", table.name);
        let count = AssertSqlSafe(count);
        let found: Result<(i64,), sqlx::Error> = match &mut self.0 {
            Tx::Sqlite(tx) => sqlx::query_as(count).fetch_one(&mut **tx).await,
            Tx::Postgres(tx) => sqlx::query_as(count).fetch_one(&mut **tx).await,
        };
        let (count,) = found.map_err(of_table(&table.name))?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// Removes what the migrations put there: the source has its own.
    pub(super) async fn clear(&mut self, table: &Table) -> Result<(), CopyError> {
        let delete = AssertSqlSafe(format!("DELETE FROM \"{}\"", table.name));
        let deleted = match &mut self.0 {
            Tx::Sqlite(tx) => sqlx::query(delete).execute(&mut **tx).await.map(|_| ()),
            Tx::Postgres(tx) => sqlx::query(delete).execute(&mut **tx).await.map(|_| ()),
        };
        deleted.map_err(of_table(&table.name))
    }

    async fn write(&mut self, batch: &mut Batch<'_>) -> Result<(), CopyError> {
        if batch.values.is_empty() {
            return Ok(());
        }
        let statement = AssertSqlSafe(batch.statement());
        let values = batch.values.drain(..);
        let written = match &mut self.0 {
            Tx::Sqlite(tx) => write_sqlite(tx, statement, values).await,
            Tx::Postgres(tx) => write_postgres(tx, statement, values).await,
        };
        written.map_err(of_table(&batch.table.name))
    }

    pub(super) async fn commit(self) -> Result<(), StoreError> {
        self.0.commit().await
    }
}

macro_rules! writer {
    ($name:ident, $database:ty) => {
        async fn $name(
            tx: &mut Transaction<'static, $database>,
            statement: AssertSqlSafe<String>,
            values: impl Iterator<Item = Value>,
        ) -> Result<(), sqlx::Error> {
            let mut query = sqlx::query(statement);
            for value in values {
                query = match value {
                    Value::Text(text) => query.bind(text),
                    Value::Whole(number) => query.bind(number),
                    Value::Real(number) => query.bind(number),
                    Value::Truth(truth) => query.bind(truth),
                    Value::Bytes(bytes) => query.bind(bytes),
                };
            }
            query.execute(&mut **tx).await.map(|_| ())
        }
    };
}
writer!(write_sqlite, Sqlite);
writer!(write_postgres, Postgres);
