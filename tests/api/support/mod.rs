//! The server under test, and the actors that ask it.

mod actors;
mod offers;
pub(crate) mod pebble;
mod postgres;
mod provider;
mod receiver;
mod recordings;
mod redis;
mod s3;
mod server;
mod smtp;
mod stripe;
mod talker;

pub(crate) use actors::{Account, Anonymous, Answer, Encoder, Player, Program};
pub(crate) use offers::{publish_offer, simulcast_offer, view_offer};
pub(crate) use postgres::OwnPostgres;
pub(crate) use postgres::new_database as new_postgres;
pub(crate) use provider::Provider;
pub(crate) use receiver::{Follower, Planned, Receiver};
pub(crate) use recordings::Kept;
pub(crate) use redis::OwnRedis;
pub(crate) use s3::{Fault, S3};
pub(crate) use server::{Backend, PASSWORD, Server};
pub(crate) use smtp::{Mood, Received, Smtp};
pub(crate) use stripe::{Till, WEBHOOK_SECRET, sell};
pub(crate) use talker::Talker;

/// Runs an async test on SQLite and on PostgreSQL.
macro_rules! on_both_databases {
    ($($(#[$meta:meta])* async fn $name:ident($server:ident) $body:block)*) => {
        $(
            mod $name {
                use super::*;

                async fn check($server: &Server) $body

                #[tokio::test]
                async fn sqlite() {
                    check(&Server::start($crate::support::Backend::Sqlite).await).await;
                }

                #[tokio::test]
                async fn postgres() {
                    check(&Server::start($crate::support::Backend::Postgres).await).await;
                }
            }
        )*
    };
}
pub(crate) use on_both_databases;
