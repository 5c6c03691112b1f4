//! Figures for those who watch the server: in the format of Prometheus, and not for everybody.

use crate::story::ask;
use crate::with_handbook;
use audit::Action;
use axum::http::StatusCode;
use domain::{Label, Role, UserId};
use identity::{TokenScope, UserChange};
use serde_json::json;
use std::collections::BTreeSet;
use std::net::IpAddr;
use testkit::TestApp;

const QUESTION: &str = "How many days of annual leave does an employee receive in the first year of service?";

fn here() -> IpAddr {
    [127, 0, 0, 1].into()
}

/// The product, whose figures are open to this machine.
async fn watched() -> TestApp {
    let (mut world, _) = with_handbook().await;
    let mut site = (*world.app.site).clone();
    site.metrics_allow = vec!["127.0.0.1".parse().unwrap(), "10.1.0.0/16".parse().unwrap()];
    world.app.site = site.into();
    world
}

/// The page, held to the format: each family declared once before its samples, no sample twice, every value a number.
async fn figures(world: &TestApp) -> String {
    let told = world.program_at(here(), None).get("/metrics").await.expect(StatusCode::OK);
    assert_eq!(told.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let (mut families, mut samples) = (BTreeSet::new(), BTreeSet::new());
    for line in told.text.lines() {
        if let Some(declared) = line.strip_prefix("# TYPE ") {
            let (name, kind) = declared.split_once(' ').unwrap();
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert!(families.insert(name.to_owned()), "{name} is declared twice");
        } else if !line.starts_with("# HELP ") {
            let (sample, value) = line.rsplit_once(' ').unwrap();
            assert!(value.parse::<f64>().is_ok(), "{line}");
            assert!(samples.insert(sample.to_owned()), "{sample} is there twice");
            let name = sample.split('{').next().unwrap();
            let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
            assert!(families.contains(name) || families.contains(base), "{name} is not declared");
        }
    }
    told.text
}

fn value(page: &str, sample: &str) -> f64 {
    let line = page.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{sample} is not in\n{page}")).parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_follow_what_happens_and_name_nobody() {
    let world = watched().await;
    let before = figures(&world).await;
    let mut ada = world.signed_in("ada").await;
    let (address, _) = ask(&mut ada, QUESTION).await;
    let mut ben = world.signed_in("ben").await;
    ask(&mut ben, QUESTION).await;
    ben.get(&address).await.expect(StatusCode::NOT_FOUND);
    ben.get("/nowhere/ada").await.expect(StatusCode::NOT_FOUND);
    let page = figures(&world).await;

    let grown = |sample: &str| value(&page, sample) - value(&before, sample);
    assert!((grown("carrel_questions_total") - 2.0).abs() < 0.5);
    let ended = ["finished", "refused", "stopped", "failed"];
    let ended: f64 = ended.iter().map(|state| grown(&format!("carrel_answers_total{{state=\"{state}\"}}"))).sum();
    assert!((ended - 2.0).abs() < 0.5, "{page}");
    assert!(grown("carrel_answers_total{state=\"refused\"}") > 0.5, "ben may read nothing");
    assert!(grown("carrel_engine_answers_total{place=\"stable\"}") > 0.5);
    assert!(grown("carrel_engine_prompt_tokens_total{place=\"stable\"}") > 50.0);
    assert!(grown("carrel_engine_new_tokens_total{place=\"stable\"}") > 0.5);
    assert!(value(&page, "carrel_engine_kv_blocks{place=\"stable\"}") > 1.0);
    assert!(value(&page, "carrel_index_passages") > 0.5);
    assert!((value(&page, "carrel_jobs{state=\"done\"}") - 1.0).abs() < 0.5);
    assert!(value(&page, "process_resident_memory_bytes") > 1e6);
    assert!(page.contains(&format!("carrel_build_info{{version=\"{}\"", env!("CARGO_PKG_VERSION"))));
    let missing = "carrel_http_requests_total{method=\"GET\",path=\"/conversations/{id}\",status=\"404\"}";
    assert!((value(&page, missing) - 1.0).abs() < 0.5);
    assert!(page.contains("carrel_http_requests_total{method=\"GET\",path=\"unmatched\",status=\"404\"} 1"));
    let times = "carrel_http_request_duration_seconds_count{path=\"/conversations/{id}\"}";
    assert!(value(&page, times) > 1.5);

    let id = address.split(['/', '#']).nth(2).unwrap();
    for word in ["ada", "ben", "Handbook", "handbook", "leave", "nowhere", "smollm2", id] {
        assert!(!page.contains(word), "{word} is in\n{page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_are_for_named_addresses_and_an_admins_token() {
    let world = watched().await;
    let status = |address: Option<[u8; 4]>, token: Option<String>| {
        let program = match address {
            Some(address) => world.program_at(address.into(), token.as_deref()),
            None => world.program(token.as_deref()),
        };
        async move { program.get("/metrics").await.status }
    };
    assert_eq!(status(Some([10, 1, 200, 3]), None).await, StatusCode::OK);
    assert_eq!(status(Some([10, 2, 0, 1]), None).await, StatusCode::UNAUTHORIZED);
    assert_eq!(status(None, None).await, StatusCode::UNAUTHORIZED, "an unknown address is denied");
    assert_eq!(status(None, Some("crl_made-up".to_owned())).await, StatusCode::UNAUTHORIZED);
    assert_eq!(status(None, Some(world.token("dora").await)).await, StatusCode::FORBIDDEN, "for questions only");

    let refused = world.token_for("ada", TokenScope::Metrics).await.err().unwrap().to_string();
    assert!(refused.contains("only an admin's token can be for metrics"), "{refused}");
    let token = world.token_for("dora", TokenScope::Metrics).await.unwrap();
    assert_eq!(status(Some([10, 2, 0, 1]), Some(token.clone())).await, StatusCode::OK);
    let question = json!({ "model": "carrel", "messages": [{ "role": "user", "content": QUESTION }] });
    let refused = world.program(Some(&token)).post("/v1/chat/completions", &question).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "a token for metrics asks nothing");
    // Who is no admin any more reads no figures, whatever the token was made for.
    world.user("gus", Role::Admin, Label::Internal).await;
    let dora: UserId = world.app.store.user_by_name("dora").await.unwrap().unwrap().id;
    let change = UserChange { role: Some(Role::Staff), ..UserChange::default() };
    let operation = domain::OperationId::new(world.app.store.environment());
    world.app.identity.change_user(dora, &change, &audit::Actor::console(), operation).await.unwrap();
    assert_eq!(status(None, Some(token)).await, StatusCode::FORBIDDEN);

    let denied = world.events().await.iter().filter(|entry| entry.event.action == Action::TokenRefused).count();
    assert_eq!(denied, 1, "the token that was made up");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_health_page_shows_what_the_engine_does() {
    let (world, _) = with_handbook().await;
    let mut dora = world.signed_in("dora").await;
    let page = dora.get("/admin").await.expect(StatusCode::OK).body;
    assert!(page.contains("What writes") && page.contains("smollm2-135m"), "{page}");
    assert!(page.contains(inference::Arithmetic::of_this_machine().name()), "{page}");
}
