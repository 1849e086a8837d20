//! What `/metrics` tells of a stream that is published, watched and packaged.

use loadtest::PublisherSpec;
use loadtest::source::Source;

use crate::hls::{follow, renditions, until_ready};
use crate::support::{Server, until, until_more};

/// What one line shows; all tests of this process count together.
async fn shown(server: &Server, series: &str) -> f64 {
    let url = format!("http://{}/metrics", server.app.admin.unwrap());
    let text = reqwest::get(url).await.unwrap().text().await.unwrap();
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    value.map_or(0.0, |value| value.parse().unwrap())
}

#[tokio::test]
async fn joins_bytes_layers_and_parts_are_counted() {
    let server = Server::start().await;
    let spec = PublisherSpec::browser(Source::clip(3).unwrap());
    let publisher = server.on_air(&spec).await;
    let viewer = server.watch().await;
    until_more(&viewer, 30).await;
    until_ready(&server).await;
    let uris = renditions(&server).await;
    follow(&server, &uris[0], 2).await;
    for series in [
        "tallylight_joins_total{transport=\"webrtc\"}",
        "tallylight_joins_total{transport=\"hls\"}",
        "tallylight_join_seconds_count",
        "tallylight_sfu_bytes_in_total",
        "tallylight_sfu_bytes_out_total",
        "tallylight_http_bytes_out_total",
        "tallylight_hls_bytes_out_total{of=\"live\"}",
        "tallylight_hls_part_seconds_count",
        "tallylight_layer_bytes_total{way=\"in\",layer=\"1\"}",
        "tallylight_layer_packets_total{way=\"in\",layer=\"3\"}",
        "tallylight_layer_bytes_total{way=\"in\",layer=\"sound\"}",
        "tallylight_layer_packets_total{way=\"out\",layer=\"sound\"}",
    ] {
        until(series, || async { shown(&server, series).await >= 1.0 }).await;
    }
    drop(publisher);
}
