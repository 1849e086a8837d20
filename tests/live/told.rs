//! What an operator is told of a stream: lines of the log for machines, and traces for a collector.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use loadtest::signalling::Endpoint;
use loadtest::source::Source;
use loadtest::{Driver, PublisherSpec, Sent, ViewerSpec};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use serde_json::Value;
use str0m::net::Protocol;
use tokio::net::TcpListener;

use crate::process::{self, Process};
use crate::support::until;

/// A collector that speaks OTLP over HTTP.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<Bytes>>>);

impl Collector {
    async fn start() -> (Self, String) {
        let collector = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let routes = Router::new().route("/v1/traces", post(take));
        let routes = routes.with_state(collector.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        (collector, url)
    }

    fn got(&self) -> Vec<Bytes> {
        self.0.lock().unwrap().clone()
    }

    fn spans(&self) -> Vec<Span> {
        let mut spans = Vec::new();
        for body in self.got() {
            let request = ExportTraceServiceRequest::decode(body).unwrap();
            for resource in request.resource_spans {
                for scope in resource.scope_spans {
                    spans.extend(scope.spans);
                }
            }
        }
        spans
    }
}

async fn take(State(collector): State<Collector>, body: Bytes) -> (StatusCode, &'static str) {
    collector.0.lock().unwrap().push(body);
    (StatusCode::OK, "")
}

fn attributes(span: &Span) -> BTreeMap<String, String> {
    let all = span.attributes.iter().map(|one| {
        let value = one.value.as_ref().and_then(|value| value.value.clone());
        let value = match value {
            Some(Any::StringValue(text)) => text,
            Some(Any::IntValue(number)) => number.to_string(),
            other => format!("{other:?}"),
        };
        (one.key.clone(), value)
    });
    all.collect()
}

/// A stream key of a new channel `@ada`.
fn key(data: &Path) -> String {
    let run = |arguments: &[&str]| process::run(data, arguments, &[], "");
    run(&["account", "create", "ada", "--admin"]);
    run(&["channel", "create", "ada", "--owner", "ada"]);
    run(&["stream-key", "new", "ada"])
}

async fn publish_and_stop(server: &mut Process, key: &str) {
    let clients = Driver::start("clients").unwrap();
    let whip = Endpoint::new(&format!("{}/whip", server.base), Some(key)).unwrap();
    let whep = Endpoint::new(&format!("{}/whep/ada", server.base), None).unwrap();
    let spec = PublisherSpec::browser(Source::clip(1).unwrap());
    let sent = Sent::default();
    let publisher = loadtest::publish(&clients, &whip, &spec, &sent).await;
    let page = format!("{}/api/channels/ada", server.base);
    until("HLS to be ready", || async {
        let page = reqwest::get(&page).await.unwrap().text().await.unwrap();
        page.contains("\"state\":\"ready\"")
    })
    .await;
    let spec = ViewerSpec::default();
    let viewer = loadtest::watch(&clients, &whep, &spec, Protocol::Udp, &sent).await;
    drop((publisher, viewer));
    let server: &mut Process = server;
    tokio::task::block_in_place(|| server.terminate());
}

const CANARY: &str = "canary-4711";

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_gets_spans_with_their_stream_and_no_secret() {
    let data = tempfile::tempdir().unwrap();
    let key = key(data.path());
    let (collector, url) = Collector::start().await;
    let settings = [
        ("TALLYLIGHT_TELEMETRY_OTLP_ENDPOINT", url.as_str()),
        ("OTEL_BSP_SCHEDULE_DELAY", "100"),
    ];
    let mut server = Process::start(data.path(), &settings);
    let client = reqwest::Client::new();
    for path in [
        format!("/api/channels/ada?token={CANARY}"),
        format!("/hls/ada/token.{CANARY}/v0/index.m3u8"),
        format!("/{CANARY}"),
    ] {
        let request = client.get(format!("{}{path}", server.base));
        let request = request
            .bearer_auth(CANARY)
            .header("cookie", format!("login={CANARY}"));
        request.send().await.unwrap();
    }
    publish_and_stop(&mut server, &key).await;

    let spans = collector.spans();
    let named = |name: &str| {
        let found = spans.iter().find(|span| span.name == name);
        let found = found.unwrap_or_else(|| panic!("no {name} in {spans:#?}"));
        (found, attributes(found))
    };
    let (request, of_request) = named("POST /whip");
    assert_eq!(of_request["http.response.status_code"], "201");
    assert_eq!(of_request["http.route"], "/whip");
    assert_eq!(of_request["channel.handle"], "ada");
    let (publish, of_publish) = named("publish");
    assert_eq!(publish.trace_id, request.trace_id);
    assert_eq!(publish.parent_span_id, request.span_id);
    assert_eq!(of_publish["channel.handle"], "ada");
    assert_eq!(of_publish["source"], "whip");
    let stream = &of_publish["stream.id"];
    assert_eq!(stream.len(), 32, "{stream}");
    for name in ["go_live", "start_packaging", "packaging", "view"] {
        assert_eq!(&named(name).1["stream.id"], stream, "{name}");
    }
    assert!(of_publish.contains_key("session.id"));
    // The token of the first was wrong.
    let (_, of_page) = named("GET /api/channels/{handle}");
    assert_eq!(of_page["http.response.status_code"], "401");

    let whole = collector.got().concat();
    let secret = key.rsplit('_').next().unwrap();
    for secret in [CANARY, key.as_str(), secret] {
        let is_in = whole
            .windows(secret.len())
            .any(|part| part == secret.as_bytes());
        assert!(!is_in, "{secret} has left");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_is_said_once_and_holds_up_nothing() {
    let data = tempfile::tempdir().unwrap();
    let log = data.path().join("log");
    // It is closed at once.
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let settings = [
        ("TALLYLIGHT_TELEMETRY_OTLP_ENDPOINT", url.as_str()),
        ("TALLYLIGHT_LOG", "warn"),
        ("OTEL_BSP_SCHEDULE_DELAY", "50"),
    ];
    let file = std::fs::File::create(&log).unwrap();
    let mut server = Process::start_with_log(data.path(), &settings, Stdio::from(file));
    let said = || std::fs::read_to_string(&log).unwrap();
    until("it to be said", || async {
        let answer = reqwest::get(format!("{}/healthz", server.base)).await;
        assert!(answer.unwrap().status().is_success());
        said().contains("Traces get lost")
    })
    .await;
    for _ in 0..20 {
        reqwest::get(format!("{}/healthz", server.base))
            .await
            .unwrap();
    }
    tokio::task::block_in_place(|| server.terminate());
    assert_eq!(said().matches("Traces get lost").count(), 1, "{}", said());
}

/// A field of a line, its own or of the spans that it stands in.
fn field<'a>(line: &'a Value, name: &str) -> Option<&'a str> {
    let spans = line["spans"].as_array().into_iter().flatten();
    let mut all = std::iter::once(line).chain(spans);
    all.find_map(|part| part.get(name)?.as_str())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_about_a_stream_says_which_for_machines() {
    let data = tempfile::tempdir().unwrap();
    let key = key(data.path());
    let log = data.path().join("log");
    let settings = [
        ("TALLYLIGHT_LOG", "info"),
        ("TALLYLIGHT_LOG_FORMAT", "json"),
    ];
    let file = std::fs::File::create(&log).unwrap();
    let mut server = Process::start_with_log(data.path(), &settings, Stdio::from(file));
    publish_and_stop(&mut server, &key).await;

    let text = std::fs::read_to_string(&log).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
        .collect();
    let said = |words: &str| {
        let is_it = |line: &&Value| line["message"].as_str().is_some_and(|m| m.contains(words));
        let found = lines.iter().find(is_it);
        found.unwrap_or_else(|| panic!("nothing says {words:?} in {text}"))
    };
    let begins = said("begins to publish");
    let stream = field(begins, "stream.id").unwrap();
    assert_eq!(field(begins, "channel.handle"), Some("ada"));
    let channel = field(begins, "channel.id").unwrap();
    let session = field(begins, "session.id").unwrap();
    assert!(said(&format!("Session {session} is over")).is_object());
    for words in ["is live", "is over"] {
        assert_eq!(field(said(words), "stream.id"), Some(stream), "{words}");
        assert_eq!(field(said(words), "channel.id"), Some(channel), "{words}");
    }
    for line in &lines {
        let message = line["message"].as_str().unwrap_or_default();
        if message.contains("tream ") || message.contains("ession ") {
            assert!(field(line, "stream.id").is_some(), "{line}");
        }
    }
    assert!(!text.contains(&key), "keys are no matter for logs");
}
