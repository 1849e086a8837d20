//! Tallylight's platform: accounts, channels and streams around the SFU.
//!
//! Modules stand in rows; each uses only those above it in this list (`tests/architecture.rs`).

pub mod clock;
pub mod config;
pub mod rate;
pub mod secret;
pub mod telemetry;
pub mod tls;

pub mod analytics;
pub mod answer;
pub mod bucket;
pub mod bus;
pub mod db;
pub mod error;
pub mod form;
pub mod ice;
pub mod page;
pub mod request;
pub mod storyboard;

pub mod traces;

pub mod audit;
pub mod cluster;
pub mod images;
pub mod jobs;
pub mod mail;
pub mod nodes;
pub mod outgoing;
pub mod settings;

pub mod accounts;
pub mod channels;
pub mod payments;

pub mod gates;

pub mod chat;
pub mod sign_in;
pub mod streams;

pub mod recordings;

pub mod events;

pub mod discovery;
pub mod doctor;
pub mod feeds;
pub mod notifications;
pub mod webhooks;

pub mod admin;
pub mod cards;
pub mod idempotency;
pub mod instance;
pub mod quota;
pub mod reference;
pub mod router;
pub mod scrape;
pub mod serve;
pub mod spa;
pub mod to_https;

pub mod app;
pub mod backup;
