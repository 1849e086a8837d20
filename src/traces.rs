//! Traces for a collector of the operator's, by OTLP over HTTP (OpenTelemetry), where one is configured.
//!
//! Spans of this program leave, nothing else: no lines of the log, and of what is known of a span only what
//! [`Leaving`] lists. They wait in a queue of the SDK's; what finds no room there is lost, and so is what the
//! collector does not take. No request waits for any of it.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Request, Response};
use opentelemetry::trace::{SpanKind, Status, TracerProvider as _};
use opentelemetry::{Key, KeyValue, Value};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{
    Protocol, RetryPolicy, SpanExporter as Otlp, WithExportConfig as _, WithHttpConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{BatchSpanProcessor, SdkTracerProvider, SpanData, SpanExporter};
use tokio::runtime::Handle;
use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata};
use tracing_subscriber::filter::FilterFn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, Registry};

use crate::config::{Log, LogFormat, Telemetry};
use crate::telemetry::{self, with_causes};

/// Traces of this process, to be flushed before it ends.
#[derive(Debug)]
#[must_use = "what is not flushed is lost"]
pub struct Traces(Option<SdkTracerProvider>);

/// The collector has so long to take what there is, also at the end.
const WITHIN: Duration = Duration::from_secs(3);

/// Starts logging for the process, and traces where a collector is configured; `runtime` is to ask it.
///
/// # Errors
/// When the filter of the log cannot be read, or there is no client for the collector.
pub fn start(log: &Log, telemetry: &Telemetry, runtime: &Handle) -> Result<Traces, String> {
    let Some(url) = telemetry.traces_url() else {
        telemetry::start_logging(log)?;
        return Ok(Traces(None));
    };
    let traces = provider(&url, runtime)?;
    let ours = tracing_opentelemetry::layer()
        .with_tracer(traces.tracer("tallylight"))
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false)
        .with_filter(spans_of_ours());
    let lines = tracing_subscriber::fmt::layer::<Registry>()
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let lines = match log.format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    let lines = lines.with_filter(telemetry::filter(log)?);
    // A second start in one process keeps the first.
    let _ = tracing_subscriber::registry()
        .with(lines)
        .with(ours)
        .try_init();
    Ok(Traces(Some(traces)))
}

impl Traces {
    /// Hands over what is left, within a bound of time.
    pub async fn flush(self) {
        let Some(traces) = self.0 else { return };
        // It waits for a thread of its own, which asks this runtime.
        let flushing = tokio::task::spawn_blocking(move || traces.shutdown_with_timeout(WITHIN));
        // What failed was said.
        let _ = flushing.await;
    }
}

/// Spans of this program that are worth a line of their own in a log; not those of media, of which there are
/// several a second and viewer.
fn spans_of_ours() -> FilterFn {
    FilterFn::new(is_told as fn(&Metadata<'_>) -> bool).with_max_level_hint(LevelFilter::INFO)
}

fn is_told(what: &Metadata<'_>) -> bool {
    what.is_span() && *what.level() <= Level::INFO && what.target().starts_with("tallylight")
}

fn provider(url: &str, runtime: &Handle) -> Result<SdkTracerProvider, String> {
    let http = client()
        .map_err(|error| format!("there is no HTTP client for telemetry.otlp_endpoint: {error}"))?;
    let collector = Collector {
        url: url.into(),
        http,
        runtime: runtime.clone(),
        is_away: AtomicBool::new(false),
    };
    let otlp = Otlp::builder()
        .with_http()
        .with_http_client(collector)
        .with_endpoint(url)
        .with_protocol(Protocol::HttpBinary)
        .with_timeout(WITHIN)
        .with_retry_policy(RetryPolicy::disabled())
        .build()
        .map_err(|error| format!("traces cannot go to telemetry.otlp_endpoint: {error}"))?;
    // A name of the operator's, by OTEL_SERVICE_NAME, goes before ours.
    let resource = Resource::builder();
    let resource = match std::env::var_os("OTEL_SERVICE_NAME") {
        Some(_) => resource,
        None => resource.with_service_name("tallylight"),
    };
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    Ok(SdkTracerProvider::builder()
        .with_resource(resource.with_attribute(version).build())
        .with_span_processor(BatchSpanProcessor::builder(Leaving(otlp)).build())
        .build())
}

fn client() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .user_agent(concat!("Tallylight/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(WITHIN)
        .timeout(WITHIN)
        .build()
}

/// What leaves of each span.
#[derive(Debug)]
struct Leaving(Otlp);

/// What may leave, by the names in our spans and those that the semantic conventions of HTTP have for them.
const ATTRIBUTES: [(&str, &str); 11] = [
    ("method", "http.request.method"),
    ("route", "http.route"),
    ("status", "http.response.status_code"),
    ("request.id", "request.id"),
    ("stream.id", "stream.id"),
    ("session.id", "session.id"),
    ("channel.handle", "channel.handle"),
    ("source", "source"),
    ("job.id", "job.id"),
    ("job.kind", "job.kind"),
    ("result", "result"),
];

impl SpanExporter for Leaving {
    async fn export(&self, spans: Vec<SpanData>) -> OTelSdkResult {
        self.0
            .export(spans.into_iter().map(as_it_leaves).collect())
            .await
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

fn as_it_leaves(mut span: SpanData) -> SpanData {
    let may_leave = |KeyValue { key, value, .. }| {
        let (_, name) = ATTRIBUTES.iter().find(|(ours, _)| *ours == key.as_str())?;
        Some(KeyValue::new(Key::from_static_str(name), value))
    };
    span.attributes = span.attributes.into_iter().filter_map(may_leave).collect();
    if span.name == "request" {
        span.span_kind = SpanKind::Server;
        let text = |name: &str| {
            let mut all = span.attributes.iter();
            let found = all.find(|one| one.key.as_str() == name);
            found.map(|one| one.value.as_str().into_owned())
        };
        if let (Some(method), Some(route)) = (text("http.request.method"), text("http.route")) {
            span.name = format!("{method} {route}").into();
        }
        let mut all = span.attributes.iter();
        if all.any(|one| one.key.as_str() == "http.response.status_code" && is_failure(&one.value))
        {
            span.status = Status::error("");
        }
    }
    span
}

fn is_failure(status: &Value) -> bool {
    matches!(status, Value::I64(500..))
}

/// The way to the collector.
#[derive(Debug)]
struct Collector {
    url: Arc<str>,
    http: reqwest::Client,
    /// Who asks for spans is a thread without one.
    runtime: Handle,
    is_away: AtomicBool,
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (head, body) = request.into_parts();
        let asked = self
            .http
            .request(head.method, &*self.url)
            .headers(head.headers)
            .body(body);
        let asked = async move {
            let answered = asked.send().await?.error_for_status()?;
            let status = answered.status();
            Ok::<_, reqwest::Error>((status, answered.bytes().await?))
        };
        let answered = match self.runtime.spawn(asked).await {
            Ok(answered) => answered.map_err(|error| error.without_url().into()),
            Err(error) => Err(HttpError::from(error)),
        };
        self.tell(answered.as_ref().err());
        let (status, body) = answered?;
        let mut response = Response::new(body);
        *response.status_mut() = status;
        Ok(response)
    }
}

impl Collector {
    /// Says once that it is away, and once that it is back.
    fn tell(&self, error: Option<&HttpError>) {
        let was_away = self.is_away.swap(error.is_some(), Ordering::Relaxed);
        let url = &*self.url;
        match error {
            Some(error) if !was_away => tracing::warn!(
                error = %with_causes(&**error),
                "Traces get lost: {url} does not take them; is a collector there that speaks OTLP over HTTP \
                 (telemetry.otlp_endpoint)?"
            ),
            None if was_away => tracing::info!("{url} takes traces again"),
            _ => {}
        }
    }
}

/// Whether the collector takes what we send: it is given nothing.
///
/// # Errors
/// Says in words why not.
pub async fn look(telemetry: &Telemetry) -> Option<Result<(), String>> {
    let url = telemetry.traces_url()?;
    let asked = async {
        let http = client()?;
        let nothing = http
            .post(&url)
            .header(CONTENT_TYPE, "application/x-protobuf");
        nothing.send().await?.error_for_status()
    };
    let answered = asked.await;
    Some(
        answered
            .map(drop)
            .map_err(|error| with_causes(&error.without_url())),
    )
}

#[cfg(test)]
mod tests {
    use opentelemetry::InstrumentationScope;
    use opentelemetry::trace::{SpanContext, SpanId};
    use opentelemetry_sdk::trace::{SpanEvents, SpanLinks};

    use super::*;

    fn span(attributes: Vec<KeyValue>) -> SpanData {
        SpanData {
            span_context: SpanContext::empty_context(),
            parent_span_id: SpanId::INVALID,
            parent_span_is_remote: false,
            span_kind: SpanKind::Internal,
            name: "request".into(),
            start_time: std::time::UNIX_EPOCH,
            end_time: std::time::UNIX_EPOCH,
            attributes,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: InstrumentationScope::default(),
        }
    }

    #[test]
    fn a_request_leaves_under_its_route_and_with_what_may_leave_alone() {
        let left = as_it_leaves(span(vec![
            KeyValue::new("method", "POST"),
            KeyValue::new("route", "/whip/{handle}"),
            KeyValue::new("status", 503),
            KeyValue::new("key", "tl_secret"),
        ]));
        assert_eq!(left.name, "POST /whip/{handle}");
        assert_eq!(left.span_kind, SpanKind::Server);
        assert_eq!(left.status, Status::error(""));
        let names: Vec<&str> = left.attributes.iter().map(|one| one.key.as_str()).collect();
        assert_eq!(
            names,
            [
                "http.request.method",
                "http.route",
                "http.response.status_code"
            ]
        );
    }

    #[tokio::test]
    async fn whether_a_collector_takes_traces_is_said_in_words() {
        let routes = axum::Router::new().route("/v1/traces", axum::routing::post(|| async {}));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let of = |listener: &tokio::net::TcpListener| Telemetry {
            otlp_endpoint: format!("http://{}", listener.local_addr().unwrap()),
        };
        let there = of(&listener);
        tokio::spawn(async move { axum::serve(listener, routes).await });
        assert_eq!(look(&there).await, Some(Ok(())));
        let closed = of(&tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap());
        let words = look(&closed).await.unwrap().unwrap_err();
        assert!(words.contains("refused"), "{words}");
        assert_eq!(look(&Telemetry::default()).await, None);
    }
}
