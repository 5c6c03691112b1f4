//! The manual in the browser: for those who run the appliance and those who audit it.

use axum::http::StatusCode;
use std::collections::BTreeSet;
use testkit::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn every_link_of_the_manual_leads_to_a_page_and_a_place_in_it() {
    let world = TestApp::new().await;
    let mut dora = world.signed_in("dora").await;
    let (mut waiting, mut seen) = (vec!["/manual".to_owned()], BTreeSet::new());
    while let Some(address) = waiting.pop() {
        if !seen.insert(address.clone()) {
            continue;
        }
        let body = dora.get(&address).await.expect(StatusCode::OK).body;
        for rest in body.split("href=\"").skip(1) {
            let link = rest.split('"').next().unwrap();
            let (path, place) = link.split_once('#').map_or((link, None), |(path, place)| (path, Some(place)));
            if !(path.starts_with("/manual") || path.is_empty() && place.is_some()) {
                continue;
            }
            let target = if path.is_empty() { address.clone() } else { path.to_owned() };
            if let Some(place) = place.filter(|place| *place != "main") {
                let page = dora.get(&target).await.expect(StatusCode::OK).body;
                assert!(page.contains(&format!("id=\"{place}\"")), "{address} links to {target}#{place}");
            }
            waiting.push(target);
        }
    }
    assert!(seen.len() > 20, "{seen:?}");
    dora.get("/manual/nothing").await.expect(StatusCode::NOT_FOUND);
    dora.get("/manual/README").await.expect(StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_menu_offers_the_manual_to_whom_it_is_for() {
    let world = TestApp::new().await;
    for (name, offered) in [("ada", false), ("clara", false), ("dora", true), ("emil", true)] {
        let page = world.signed_in(name).await.get("/library").await.expect(StatusCode::OK).body;
        assert_eq!(page.contains("href=\"/manual\""), offered, "{name}");
    }
    let mut dora = world.signed_in("dora").await;
    for page in ["/admin", "/admin/models", "/people", "/admin/collections"] {
        let link = dora.get(page).await.expect(StatusCode::OK).link("/manual/");
        dora.get(&link).await.expect(StatusCode::OK);
    }
    let page = world.signed_in("emil").await.get("/manual/audit-hand-over").await.expect(StatusCode::OK).body;
    assert!(page.contains("carrel audit verify log.jsonl --key carrel.pub") && page.contains("class=\"commands\""));
}
