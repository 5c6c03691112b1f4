//! What is counted of requests, for those who watch the server. Neither an address nor a name is kept: requests are
//! told apart by the route that they matched, never by what stood in its place.

mod exposition;

pub(crate) use exposition::{CONTENT_TYPE, Exposition, Kind};

use crate::app::App;
use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Upper bounds of the buckets of the time to a response's first byte, in seconds.
const BOUNDS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// What requests match that match no route.
const UNMATCHED: &str = "unmatched";

/// Counts of a running server. Cheap to clone; clones count together.
#[derive(Clone)]
pub struct Metrics {
    started: Timestamp,
    requests: Arc<Mutex<Requests>>,
}

/// As many entries as there are routes, methods and statuses, whatever is asked for.
#[derive(Default)]
struct Requests {
    /// By method, route and status.
    counts: BTreeMap<(&'static str, String, u16), u64>,
    /// By route.
    times: BTreeMap<String, Histogram>,
}

#[derive(Default)]
struct Histogram {
    /// One more than [`BOUNDS`]: what is above the last.
    buckets: [u64; BOUNDS.len() + 1],
    sum: f64,
}

impl Metrics {
    /// Nothing counted yet.
    #[must_use]
    pub fn new(started: Timestamp) -> Self {
        Self { started, requests: Arc::default() }
    }

    /// When the server started.
    pub(crate) fn started(&self) -> Timestamp {
        self.started
    }

    fn count(&self, method: &Method, path: &str, status: u16, took: Duration) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        *requests.counts.entry((known(method), path.to_owned(), status)).or_default() += 1;
        requests.times.entry(path.to_owned()).or_default().observe(took.as_secs_f64());
    }

    /// Writes the families of requests.
    pub(crate) fn write(&self, page: &mut Exposition) {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let name = "carrel_http_requests_total";
        page.family(name, Kind::Counter, "Requests by method, route and status.");
        for ((method, path, status), count) in &requests.counts {
            let labels = [("method", *method), ("path", path), ("status", &status.to_string())];
            page.sample(name, &labels, count);
        }
        let name = "carrel_http_request_duration_seconds";
        page.family(name, Kind::Histogram, "Time to the head of the response; a stream goes on after it.");
        for (path, histogram) in &requests.times {
            histogram.write(page, name, path);
        }
    }
}

impl Histogram {
    fn observe(&mut self, seconds: f64) {
        let at = BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len());
        self.buckets[at] += 1;
        self.sum += seconds;
    }

    fn write(&self, page: &mut Exposition, name: &str, path: &str) {
        let bounds = BOUNDS.iter().map(f64::to_string).chain(["+Inf".to_owned()]);
        let mut below = 0;
        for (bound, count) in bounds.zip(&self.buckets) {
            below += count;
            page.sample(&format!("{name}_bucket"), &[("path", path), ("le", &bound)], below);
        }
        page.sample(&format!("{name}_sum"), &[("path", path)], self.sum);
        page.sample(&format!("{name}_count"), &[("path", path)], below);
    }
}

/// Methods are free text: those that no route has count as one.
fn known(method: &Method) -> &'static str {
    [("GET", Method::GET), ("HEAD", Method::HEAD), ("POST", Method::POST)]
        .into_iter()
        .find_map(|(name, known)| (known == *method).then_some(name))
        .unwrap_or("other")
}

/// Counts each request with its route, status and time.
pub(crate) async fn count(State(app): State<App>, request: Request, next: Next) -> Response {
    let begin = Instant::now();
    let method = request.method().clone();
    let path = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    let path = path.as_ref().map_or(UNMATCHED, MatchedPath::as_str);
    app.metrics.count(&method, path, response.status().as_u16(), begin.elapsed());
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(metrics: &Metrics) -> String {
        let mut page = Exposition::default();
        metrics.write(&mut page);
        page.finish()
    }

    #[test]
    fn requests_are_counted_by_route_and_their_times_in_buckets() {
        let metrics = Metrics::new(Timestamp::UNIX_EPOCH);
        let brew = Method::from_bytes(b"BREW").unwrap();
        for (method, status, ms) in [(&Method::GET, 200, 10), (&Method::GET, 200, 700), (&brew, 404, 60_000)] {
            metrics.count(method, "/documents/{id}", status, Duration::from_millis(ms));
        }
        let page = page(&metrics);
        for line in [
            "carrel_http_requests_total{method=\"GET\",path=\"/documents/{id}\",status=\"200\"} 2",
            "carrel_http_requests_total{method=\"other\",path=\"/documents/{id}\",status=\"404\"} 1",
            "carrel_http_request_duration_seconds_bucket{path=\"/documents/{id}\",le=\"0.005\"} 0",
            "carrel_http_request_duration_seconds_bucket{path=\"/documents/{id}\",le=\"0.01\"} 1",
            "carrel_http_request_duration_seconds_bucket{path=\"/documents/{id}\",le=\"1\"} 2",
            "carrel_http_request_duration_seconds_bucket{path=\"/documents/{id}\",le=\"30\"} 2",
            "carrel_http_request_duration_seconds_bucket{path=\"/documents/{id}\",le=\"+Inf\"} 3",
            "carrel_http_request_duration_seconds_count{path=\"/documents/{id}\"} 3",
        ] {
            assert!(page.lines().any(|known| known == line), "{line} is not in\n{page}");
        }
        assert!(page.contains("duration_seconds_sum{path=\"/documents/{id}\"} 60.71"), "{page}");
    }
}
