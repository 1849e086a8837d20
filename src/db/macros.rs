//! One text and one list of values, run on whichever database is there.

/// The first row, if there is one.
macro_rules! first {
    ($db:expr, $sql:expr $(, $value:expr)* $(,)?) => {
        match $db {
            $crate::db::Db::Sqlite { readers, .. } => {
                sqlx::query_as($sql)$(.bind($value))*.fetch_optional(readers).await
            }
            $crate::db::Db::Postgres(pool) => {
                sqlx::query_as($sql)$(.bind($value))*.fetch_optional(pool).await
            }
        }
    };
}

/// All rows.
macro_rules! all {
    ($db:expr, $sql:expr $(, $value:expr)* $(,)?) => {
        match $db {
            $crate::db::Db::Sqlite { readers, .. } => {
                sqlx::query_as($sql)$(.bind($value))*.fetch_all(readers).await
            }
            $crate::db::Db::Postgres(pool) => {
                sqlx::query_as($sql)$(.bind($value))*.fetch_all(pool).await
            }
        }
    };
}

/// Changes rows; gives how many.
macro_rules! change {
    ($db:expr, $sql:expr $(, $value:expr)* $(,)?) => {
        match $db {
            $crate::db::Db::Sqlite { writer, .. } => {
                sqlx::query($sql)$(.bind($value))*.execute(writer).await
                    .map(|done| done.rows_affected())
            }
            $crate::db::Db::Postgres(pool) => {
                sqlx::query($sql)$(.bind($value))*.execute(pool).await
                    .map(|done| done.rows_affected())
            }
        }
    };
}

/// [`first!`] within a transaction.
macro_rules! tx_first {
    ($tx:expr, $sql:expr $(, $value:expr)* $(,)?) => {
        match $tx {
            $crate::db::Tx::Sqlite(tx) => {
                sqlx::query_as($sql)$(.bind($value))*.fetch_optional(&mut **tx).await
            }
            $crate::db::Tx::Postgres(tx) => {
                sqlx::query_as($sql)$(.bind($value))*.fetch_optional(&mut **tx).await
            }
        }
    };
}

/// [`all!`] within a transaction.
macro_rules! tx_all {
    ($tx:expr, $sql:expr $(, $value:expr)* $(,)?) => {
        match $tx {
            $crate::db::Tx::Sqlite(tx) => {
                sqlx::query_as($sql)$(.bind($value))*.fetch_all(&mut **tx).await
            }
            $crate::db::Tx::Postgres(tx) => {
                sqlx::query_as($sql)$(.bind($value))*.fetch_all(&mut **tx).await
            }
        }
    };
}

/// [`change!`] within a transaction.
macro_rules! tx_change {
    ($tx:expr, $sql:expr $(, $value:expr)* $(,)?) => {
        match $tx {
            $crate::db::Tx::Sqlite(tx) => {
                sqlx::query($sql)$(.bind($value))*.execute(&mut **tx).await
                    .map(|done| done.rows_affected())
            }
            $crate::db::Tx::Postgres(tx) => {
                sqlx::query($sql)$(.bind($value))*.execute(&mut **tx).await
                    .map(|done| done.rows_affected())
            }
        }
    };
}

pub(crate) use {all, change, first, tx_all, tx_change, tx_first};
