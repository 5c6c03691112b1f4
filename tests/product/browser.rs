//! A real browser: headless Chromium through its WebDriver.

use crate::remote::with_engine;
use crate::viewer::pdf;
use crate::with_handbook;
use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr, TcpListener as Probe};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use testkit::{Behaviour, PASSWORD, TestApp, Upstream};
use tokio::sync::Notify;

pub(crate) struct Driver {
    child: Child,
    pub(crate) port: u16,
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn driver() -> Driver {
    let port = Probe::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let child = Command::new("chromedriver")
        .arg(format!("--port={port}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("chromedriver starts; 'cargo xtask test' installs it or says what is missing");
    Driver { child, port }
}

pub(crate) async fn browser(driver: &Driver, width: u32) -> Client {
    let arguments = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        &format!("--window-size={width},900"),
    ];
    let mut capabilities = serde_json::Map::<String, Value>::new();
    capabilities.insert("goog:chromeOptions".to_owned(), json!({ "args": arguments }));
    let address = format!("http://127.0.0.1:{}", driver.port);
    for _ in 0..100 {
        match ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new())
            .capabilities(capabilities.clone())
            .connect(&address)
            .await
        {
            Ok(client) => return client,
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
    panic!("the browser does not start");
}

/// The product on a port of its own.
async fn serve(world: &TestApp) -> String {
    serve_on(world, tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap())
}

/// The product on a port that is known before it is.
pub(crate) fn serve_on(world: &TestApp, listener: tokio::net::TcpListener) -> String {
    let mut app = world.app.clone();
    let mut site = (*app.site).clone();
    site.secure_cookies = false;
    app.site = site.into();
    let address = listener.local_addr().unwrap();
    let service = web::router(app).into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    format!("http://{address}")
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_signs_in_asks_sees_the_stream_and_opens_the_cited_passage() {
    // Whether the tests' small model is believed is its own affair: `story.rs`.
    let said = ["In the first year of service every employee receives ", "24 days of annual leave [1]."];
    let said = said.map(str::to_owned).to_vec();
    let go_on = Arc::new(Notify::new());
    let upstream =
        Upstream::start(Behaviour::Thinks(vec!["The first year.".to_owned()], Arc::clone(&go_on), said)).await;
    let world = with_engine(&upstream).await;
    let address = serve(&world).await;
    let driver = driver();
    let page = browser(&driver, 1440).await;

    page.goto(&address).await.unwrap();
    page.find(Locator::Id("name")).await.unwrap().send_keys("ada").await.unwrap();
    page.find(Locator::Id("password")).await.unwrap().send_keys(PASSWORD).await.unwrap();
    page.find(Locator::Css("main button")).await.unwrap().click().await.unwrap();
    let question = page.wait().for_element(Locator::Id("question")).await.unwrap();
    // Enter sends: the script is at work.
    question.send_keys("How many days of annual leave do I get in my first year?\u{e007}").await.unwrap();
    let wait = || page.wait().at_most(Duration::from_secs(60));
    wait().for_element(Locator::Css("article.turn[data-state]")).await.unwrap();
    // What is thought comes by the stream, so the page listens.
    wait().for_element(Locator::Css("details.thinking")).await.unwrap();
    go_on.notify_one();
    // Sources come before the end, and text into the live part while it is still being written.
    wait().for_element(Locator::Css("article.turn .prose p, article.turn .prose li")).await.unwrap();
    page.find(Locator::Css(".source")).await.expect("sources are there with the first word");
    wait().for_element(Locator::Css("article.turn .record")).await.unwrap();
    let reloaded = page.execute("return performance.getEntriesByType('navigation')[0].type", vec![]).await.unwrap();
    assert_eq!(reloaded, "navigate", "the end came by the stream, not by a reload");

    let link = page.find(Locator::Css(".source a[href^='/documents/']")).await.unwrap();
    link.click().await.unwrap();
    let cited = page.wait().for_element(Locator::Css(".passage-cited")).await.unwrap();
    assert!(cited.text().await.unwrap().contains("24 days"));
    let errors = page.execute("return document.querySelectorAll('main').length", vec![]).await.unwrap();
    assert_eq!(errors, 1);
    page.close().await.unwrap();
}

/// Keeps what a page copies, whatever the browser allows.
const KEPT: &str = "window.kept = ''; \
    Object.defineProperty(navigator, 'clipboard', { value: { writeText: async text => { window.kept = text; } } })";

#[tokio::test(flavor = "multi_thread")]
async fn browser_shows_what_the_check_found_copies_it_along_and_lets_keys_be_switched_off() {
    let said = "In the first year of service every employee receives 24 days of annual leave [1]. \
        In the first year of service not every employee receives 24 days of annual leave [1].";
    let upstream = Upstream::start(Behaviour::Says(vec![said.to_owned()])).await;
    let world = with_engine(&upstream).await;
    let address = serve(&world).await;
    let driver = driver();
    let page = browser(&driver, 390).await;
    sign_in(&page, &address, "ada").await;
    let question = page.find(Locator::Id("question")).await.unwrap();
    question.send_keys("How many days of annual leave do I get in my first year?\u{e007}").await.unwrap();
    let wait = || page.wait().at_most(Duration::from_secs(60));
    wait().for_element(Locator::Css("article.turn .record")).await.unwrap();
    let marked = page.find(Locator::Css("article.turn mark.unfounded")).await.unwrap();
    let words = "the source seems to say the opposite";
    assert_eq!(marked.attr("title").await.unwrap().unwrap(), words);
    look(&page, "opposite-390").await;

    page.execute(KEPT, vec![]).await.unwrap();
    page.find(Locator::Css("button[data-copy]")).await.unwrap().click().await.unwrap();
    let kept = page.execute("return window.kept", vec![]).await.unwrap();
    let kept = kept.as_str().unwrap();
    let proven = "every employee receives 24 days of annual leave. [1] In the first year of service not (";
    assert!(kept.contains(&format!("({words})")) && kept.contains("Sources\n[1] Employee Handbook, "), "{kept}");
    assert!(kept.contains(proven), "nothing stands beside what is proven: {kept}");

    let body = page.find(Locator::Css("body")).await.unwrap();
    let at = || async { page.current_url().await.unwrap().path().to_owned() };
    body.send_keys("?").await.unwrap();
    look(&page, "keys-390").await;
    page.find(Locator::Css("[data-keys-on]")).await.unwrap().click().await.unwrap();
    page.find(Locator::Css("#keys button")).await.unwrap().click().await.unwrap();
    let here = at().await;
    body.send_keys("/?").await.unwrap();
    assert_eq!(at().await, here, "the sign does nothing any more");
    assert!(page.find(Locator::Css("#keys[open]")).await.is_err());
    page.refresh().await.unwrap();
    page.find(Locator::Css("[data-open-keys]")).await.unwrap();
    let chosen = "const box = document.querySelector('[data-keys-on]'); \
        document.getElementById('keys').showModal(); return box.checked";
    assert_eq!(page.execute(chosen, vec![]).await.unwrap(), false, "it is remembered");
    page.find(Locator::Css("[data-keys-on]")).await.unwrap().click().await.unwrap();
    page.find(Locator::Css("#keys button")).await.unwrap().click().await.unwrap();
    page.find(Locator::Css("body")).await.unwrap().send_keys("/").await.unwrap();
    wait().for_element(Locator::Css("[data-search]")).await.unwrap();
    page.close().await.unwrap();
}

/// A drop of two files that a script makes, since no driver can drag one in from outside.
const DROP: &str = "const transfer = new DataTransfer(); \
    transfer.items.add(new File(['The gulls are counted in June.'], 'gulls.txt')); \
    transfer.items.add(new File([''], 'nothing.txt')); \
    document.querySelector('h1').dispatchEvent( \
        new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true }))";

#[tokio::test(flavor = "multi_thread")]
async fn browser_drops_files_on_the_page_and_sees_what_became_of_each() {
    let (world, handbook) = with_handbook().await;
    let address = serve(&world).await;
    let driver = driver();
    let page = browser(&driver, 1200).await;
    page.goto(&address).await.unwrap();
    page.find(Locator::Id("name")).await.unwrap().send_keys("clara").await.unwrap();
    page.find(Locator::Id("password")).await.unwrap().send_keys(PASSWORD).await.unwrap();
    page.find(Locator::Css("main button")).await.unwrap().click().await.unwrap();
    page.wait().for_element(Locator::Id("question")).await.unwrap();
    page.goto(&format!("{address}/collections/{}", handbook.id)).await.unwrap();
    page.execute(DROP, vec![]).await.unwrap();
    let chosen = page.wait().for_element(Locator::Css("[data-chosen-files]:not([hidden])")).await.unwrap();
    assert!(chosen.text().await.unwrap().contains("2 files"));
    page.find(Locator::Css(".upload-line button")).await.unwrap().click().await.unwrap();
    let failed = page.wait().for_element(Locator::Css("[data-files] .job-failed")).await.unwrap();
    let line = failed.text().await.unwrap();
    assert!(line.contains("nothing.txt") && line.contains("the file is empty"), "{line}");
    let sums = page.wait().for_element(Locator::Css("[data-sending] a[href^='/batches/']")).await.unwrap();
    let said = page.find(Locator::Css("[data-sending]")).await.unwrap().text().await.unwrap();
    assert!(said.contains("1 queued") && said.contains("1 not taken in"), "{said}");
    sums.click().await.unwrap();
    let title = page.wait().for_element(Locator::Id("batch-title")).await.unwrap();
    assert_eq!(title.text().await.unwrap(), "2 files");
    page.close().await.unwrap();
    world.ingest().await;
    assert!(world.signed_in("clara").await.get("/search?q=gulls+in+June").await.body.contains(">Gulls</a>"));
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_at_phone_width_needs_no_sideways_scrolling() {
    let (world, handbook) = with_handbook().await;
    let address = serve(&world).await;
    let driver = driver();
    let page = browser(&driver, 390).await;
    page.goto(&address).await.unwrap();
    page.find(Locator::Id("name")).await.unwrap().send_keys("clara").await.unwrap();
    page.find(Locator::Id("password")).await.unwrap().send_keys(PASSWORD).await.unwrap();
    page.find(Locator::Css("main button")).await.unwrap().click().await.unwrap();
    page.wait().for_element(Locator::Id("question")).await.unwrap();
    for path in ["/ask", "/search?q=leave", "/library", &format!("/collections/{}", handbook.id), "/jobs", "/account"] {
        page.goto(&format!("{address}{path}")).await.unwrap();
        let script = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
        let sideways = page.execute(script, vec![]).await.unwrap();
        assert_eq!(sideways, 0, "{path} is wider than the screen");
    }
    page.close().await.unwrap();
}

/// Signs ada in at an open page.
async fn sign_in(page: &Client, address: &str, name: &str) {
    page.goto(address).await.unwrap();
    page.find(Locator::Id("name")).await.unwrap().send_keys(name).await.unwrap();
    page.find(Locator::Id("password")).await.unwrap().send_keys(PASSWORD).await.unwrap();
    page.find(Locator::Css("main button")).await.unwrap().click().await.unwrap();
    page.wait().for_element(Locator::Id("question")).await.unwrap();
}

/// Leaves a picture in the folder that `CARREL_SCREENSHOTS` names, for those who change the look.
pub(crate) async fn look(page: &Client, name: &str) {
    if let Some(folder) = std::env::var_os("CARREL_SCREENSHOTS") {
        let picture = page.screenshot().await.unwrap();
        std::fs::write(std::path::Path::new(&folder).join(format!("{name}.png")), picture).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_folds_the_thinking_of_a_model_away_until_it_is_opened() {
    let thoughts = ["The question is about the first year. ", "<b>Passage 1</b> says 24 days,\n", "so that is it."];
    let answer = ["In the first year every employee ", "receives 24 days of annual leave", " [1]."];
    let owned = |pieces: &[&str]| pieces.iter().map(|&piece| piece.to_owned()).collect::<Vec<_>>();
    let go_on = Arc::new(Notify::new());
    let upstream = Upstream::start(Behaviour::Thinks(owned(&thoughts), Arc::clone(&go_on), owned(&answer))).await;
    let world = with_engine(&upstream).await;
    let address = serve(&world).await;
    let driver = driver();
    for (width, theme) in [(1440, "light"), (1440, "dark"), (390, "light")] {
        let page = browser(&driver, width).await;
        sign_in(&page, &address, "ada").await;
        let question = page.find(Locator::Id("question")).await.unwrap();
        question.send_keys("How many days of annual leave do I get in my first year?\u{e007}").await.unwrap();
        let wait = || page.wait().at_most(Duration::from_secs(60));
        let drawer = wait().for_element(Locator::Css("details.thinking")).await.unwrap();
        let chosen = format!("document.documentElement.dataset.theme = '{theme}'");
        page.execute(&chosen, vec![]).await.unwrap();
        let thought = page.find(Locator::Css("details.thinking p")).await.unwrap();
        assert!(!thought.is_displayed().await.unwrap(), "it is folded");
        look(&page, &format!("thinking-folded-{theme}-{width}")).await;
        drawer.find(Locator::Css("summary")).await.unwrap().click().await.unwrap();
        let said = || async { thought.text().await.unwrap() };
        while !said().await.ends_with("so that is it.") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(said().await.contains("<b>Passage 1</b> says 24 days"), "text of a model is no markup");
        look(&page, &format!("thinking-open-{theme}-{width}")).await;
        let sideways = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
        assert_eq!(page.execute(sideways, vec![]).await.unwrap(), 0, "wider than the screen");

        go_on.notify_one();
        wait().for_element(Locator::Css("article.turn .record")).await.unwrap();
        let text = page.find(Locator::Css("article.turn")).await.unwrap().text().await.unwrap();
        assert!(text.contains("receives 24 days of annual leave"), "{text}");
        assert!(!text.contains("so that is it"), "thinking is not part of the answer: {text}");
        look(&page, &format!("thinking-answered-{theme}-{width}")).await;
        page.close().await.unwrap();
    }
}

/// Dark pixels of the first picture, inside and outside of the mark on it, and whether the mark is in the window; null
/// as long as the picture is not there.
const DARK: &str = "const picture = document.querySelector('[data-leaf-picture]'); \
    const mark = document.querySelector('.mark-cited').getBoundingClientRect(); \
    if (!picture.complete || !picture.naturalWidth) return null; \
    const frame = picture.getBoundingClientRect(); \
    const canvas = document.createElement('canvas'); \
    [canvas.width, canvas.height] = [Math.round(frame.width), Math.round(frame.height)]; \
    const paper = canvas.getContext('2d'); \
    paper.drawImage(picture, 0, 0, canvas.width, canvas.height); \
    const pixels = paper.getImageData(0, 0, canvas.width, canvas.height).data; \
    let [inside, outside] = [0, 0]; \
    for (let at = 0; at < pixels.length; at += 4) { \
        if (pixels[at] > 128) continue; \
        const x = frame.left + (at / 4) % canvas.width, y = frame.top + Math.floor(at / 4 / canvas.width); \
        if (x >= mark.left && x <= mark.right && y >= mark.top && y <= mark.bottom) inside += 1; else outside += 1; \
    } \
    const share = mark.width * mark.height / (frame.width * frame.height); \
    return [inside, outside, share, mark.top >= 0 && mark.bottom <= innerHeight]";

#[tokio::test(flavor = "multi_thread")]
async fn browser_marks_the_cited_words_where_they_stand_on_the_page() {
    let (world, handbook) = with_handbook().await;
    for (name, words, turned) in
        [("upright.pdf", "Lanterns are lit at dusk", ""), ("turned.pdf", "Foghorns sound at noon", "/Rotate 90")]
    {
        world.submit(&handbook, name, &pdf(words, "", turned), None).await;
    }
    world.ingest().await;
    let address = serve(&world).await;
    let driver = driver();
    for width in [1440, 390] {
        let page = browser(&driver, width).await;
        sign_in(&page, &address, "ada").await;
        for words in ["lanterns+lit+dusk", "foghorns+sound+noon"] {
            page.goto(&format!("{address}/search?q={words}")).await.unwrap();
            page.find(Locator::Css("a[data-cite]")).await.unwrap().click().await.unwrap();
            page.wait().for_element(Locator::Css(".mark-cited")).await.unwrap();
            let dark = loop {
                let dark = page.execute(DARK, vec![]).await.unwrap();
                if !dark.is_null() {
                    break dark;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            };
            look(&page, &format!("marked-{words}-{width}")).await;
            let number = |at: usize| dark[at].as_f64().unwrap();
            assert!(number(0) > 50.0, "{words}: the words are under the mark: {dark}");
            assert!(number(1) < 3.0, "{words}: nothing else is on the page: {dark}");
            assert!(number(2) < 0.1, "{words}: the mark is no larger than the words need: {dark}");
            assert_eq!(dark[3], true, "{words}: it is in the window");
            let sideways = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
            assert_eq!(page.execute(sideways, vec![]).await.unwrap(), 0, "wider than the screen");
            // Larger by key, in the same page of ours.
            page.find(Locator::Css("body")).await.unwrap().send_keys("+").await.unwrap();
            assert!(page.find(Locator::Css(".viewer.zoom-150")).await.is_ok());
        }
        page.close().await.unwrap();
    }
}

/// The page that the viewer names, where it stands in the window, and whether the ways back and on are open.
const HERE: &str = "const here = Number(document.querySelector('[data-leaf-here]').value); \
    const {top, bottom} = document.getElementById('page-' + here).getBoundingClientRect(); \
    const open = by => document.querySelector(`a[data-leaf-step='${by}']`).hasAttribute('href'); \
    return [here, top < innerHeight && bottom > 0, open(-1), open(1)]";

#[tokio::test(flavor = "multi_thread")]
async fn browser_turns_pages_one_by_one_in_windows_of_any_height() {
    let (world, handbook) = with_handbook().await;
    world.submit(&handbook, "rules.pdf", include_bytes!("../samples/safety/quay-safety-rules.pdf"), None).await;
    world.ingest().await;
    let id = world.app.store.document_by_source(handbook.id, "rules.pdf").await.unwrap().unwrap().id;
    let address = serve(&world).await;
    let driver = driver();
    let page = browser(&driver, 1440).await;
    sign_in(&page, &address, "ada").await;
    for (width, height, zoom) in [(700, 450, 100), (1400, 900, 100), (1900, 2400, 50)] {
        page.set_window_size(width, height).await.unwrap();
        page.goto(&format!("{address}/documents/{id}?zoom={zoom}")).await.unwrap();
        for (key, here) in [2, 3, 4, 5, 6, 6]
            .map(|here| ("\u{e014}", here))
            .into_iter()
            .chain([5, 4, 3, 2, 1, 1].map(|here| ("\u{e012}", here)))
        {
            page.find(Locator::Css("body")).await.unwrap().send_keys(key).await.unwrap();
            let found = page.execute(HERE, vec![]).await.unwrap();
            assert_eq!(found, json!([here, true, here > 1, here < 6]), "{width} by {height}, at {zoom} %");
        }
    }
    // What leads to more pages keeps the size that was chosen here.
    page.find(Locator::Css("body")).await.unwrap().send_keys("+").await.unwrap();
    let kept = "return [...document.querySelectorAll('[data-leaf-step][href], .viewer-page [name=zoom]')] \
        .map(one => one.value || new URL(one.href).searchParams.get('zoom')).join()";
    assert_eq!(page.execute(kept, vec![]).await.unwrap(), "75,75");
    page.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_goes_through_the_years_before_it_chooses_one() {
    let (world, handbook) = with_handbook().await;
    for year in [2023, 2024, 2025] {
        let text =
            format!("---\ndate: {year}-06-01\n---\n# Tides of {year}\n\nThe tide table number {year} of the pier.\n");
        world.submit(&handbook, &format!("{year}.md"), text.as_bytes(), None).await;
    }
    world.ingest().await;
    let address = serve(&world).await;
    let driver = driver();
    let page = browser(&driver, 1440).await;
    sign_in(&page, &address, "ada").await;
    page.goto(&format!("{address}/search?q=tide+table")).await.unwrap();
    page.execute("document.querySelector('input[name=year][value=\"2025\"]').focus()", vec![]).await.unwrap();
    let press = async |key: &str| page.active_element().await.unwrap().send_keys(key).await.unwrap();
    press("\u{e015}").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!page.current_url().await.unwrap().as_str().contains("year="), "an arrow only passes");
    press(" ").await;
    page.wait().for_element(Locator::Css("input[name=year][value=\"2024\"][checked]")).await.unwrap();
    assert!(page.current_url().await.unwrap().as_str().contains("year=2024"));
    let focused = "return [document.activeElement.name, document.activeElement.value]";
    assert_eq!(page.execute(focused, vec![]).await.unwrap(), json!(["year", "2024"]), "the focus is where it was");
    page.close().await.unwrap();
}
