//! An S3-compatible store within the test: `s3s-fs`, which shares nothing with our client, behind a
//! door that can fail in the ways that stores do.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;
use tallylight::config::Config;
use tokio::net::TcpListener;

/// How the store fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It works.
    None,
    /// It answers 500 to everything.
    Error,
    /// It takes no bytes of any body.
    Hang,
    /// It takes a hundred kilobytes a second of each body.
    Slow,
    /// It says that it has an object, and has half of it.
    Half,
}

/// A store with the bucket `recordings`.
pub(crate) struct S3 {
    pub(crate) address: SocketAddr,
    door: Arc<Door>,
    folder: tempfile::TempDir,
}

struct Door {
    service: S3Service,
    folder: PathBuf,
    fault: Mutex<Fault>,
    /// How often each object was put.
    puts: Mutex<HashMap<String, u32>>,
}

/// For a byte.
const SLOW: Duration = Duration::from_micros(10);
const BUCKET: &str = "recordings";
const KEYS: (&str, &str) = ("tally", "hush");

impl S3 {
    pub(crate) async fn start() -> Self {
        Self::listen("127.0.0.1:0".parse().unwrap()).await
    }

    pub(crate) async fn listen(address: SocketAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(BUCKET)).unwrap();
        let mut service = S3ServiceBuilder::new(FileSystem::new(folder.path()).unwrap());
        service.set_auth(SimpleAuth::from_single(KEYS.0, KEYS.1));
        let door = Arc::new(Door {
            service: service.build(),
            folder: folder.path().to_owned(),
            fault: Mutex::new(Fault::None),
            puts: Mutex::default(),
        });
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(enter).with_state(Arc::clone(&door));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            address,
            door,
            folder,
        }
    }

    /// Lets a server use it.
    pub(crate) fn configure(address: SocketAddr, config: &mut Config) {
        let storage = &mut config.storage;
        storage.endpoint = format!("http://{address}");
        storage.bucket = BUCKET.to_owned();
        storage.access_key = KEYS.0.to_owned();
        storage.secret_key = KEYS.1.to_owned();
        storage.prefix = "tally/light".to_owned();
        storage.keep_local_days = 0;
    }

    pub(crate) fn fail(&self, fault: Fault) {
        *self.door.fault.lock().unwrap() = fault;
    }

    /// Where an object lies.
    pub(crate) fn object(&self, stream: impl std::fmt::Display, name: &str) -> PathBuf {
        let bucket = self.folder.path().join(BUCKET);
        bucket
            .join("tally/light")
            .join(stream.to_string())
            .join(name)
    }

    /// How often each object was put, and was there afterwards.
    pub(crate) fn puts(&self) -> HashMap<String, u32> {
        self.door.puts.lock().unwrap().clone()
    }
}

async fn enter(State(door): State<Arc<Door>>, request: Request) -> Response {
    let fault = *door.fault.lock().unwrap();
    match fault {
        Fault::Error => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Fault::Hang => std::future::pending().await,
        Fault::None | Fault::Half | Fault::Slow => {}
    }
    // A part of an object has a query.
    let is_put = request.method() == Method::PUT && request.uri().query().is_none();
    if !is_put {
        return serve(&door, request).await;
    }
    let key = request.uri().path().to_owned();
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap();
    if fault == Fault::Slow {
        tokio::time::sleep(SLOW * u32::try_from(bytes.len()).unwrap()).await;
    }
    let answer = serve(&door, Request::from_parts(parts, Body::from(bytes.clone()))).await;
    if answer.status().is_success() {
        if fault == Fault::Half {
            let file = door.folder.join(key.trim_start_matches('/'));
            std::fs::write(file, &bytes[..bytes.len() / 2]).unwrap();
        } else {
            *door.puts.lock().unwrap().entry(key).or_default() += 1;
        }
    }
    answer
}

async fn serve(door: &Door, request: Request) -> Response {
    let request = request.map(s3s::Body::http_body_unsync);
    match door.service.call(request).await {
        Ok(answer) => answer.map(Body::new),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
