//! A security key in a real browser: headless Chromium with a virtual authenticator (W3C Web Authentication, section 11).

use crate::browser::{Driver, browser, driver, look, serve_on};
use audit::Action;
use fantoccini::{Client, Locator};
use identity::{Policy, RelyingParty};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;
use testkit::{PASSWORD, TestApp};

/// Puts a key into the browser: it answers when it is asked.
async fn put_a_key_in(driver: &Driver, page: &Client) {
    let session = page.session_id().await.unwrap().unwrap();
    let body = r#"{"protocol":"ctap2","transport":"usb","hasResidentKey":false,"hasUserVerification":true,"isUserVerified":true,"isUserConsenting":true}"#;
    let request = format!(
        "POST /session/{session}/webauthn/authenticator HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let port = driver.port;
    let answer = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        // The status is in the first piece; the driver keeps the connection open behind it.
        let mut answer = [0; 512];
        let length = stream.read(&mut answer).unwrap();
        String::from_utf8_lossy(&answer[..length]).into_owned()
    });
    let answer = answer.await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// Types ada's name and password.
async fn sign_in(page: &Client, address: &str) {
    page.goto(&format!("{address}/sign-in")).await.unwrap();
    fill(page, "name", "ada").await;
    fill(page, "password", PASSWORD).await;
    page.find(Locator::Css("main button")).await.unwrap().click().await.unwrap();
}

async fn fill(page: &Client, id: &str, text: &str) {
    page.find(Locator::Id(id)).await.unwrap().send_keys(text).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_registers_a_key_and_signs_in_with_it() {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let here = format!("http://localhost:{port}");
    let party = RelyingParty::new(&here).unwrap();
    let world = TestApp::with_policy(Policy { relying_party: Some(party), ..Policy::default() }).await;
    let bare = serve_on(&world, listener);
    let driver = driver();
    let page = browser(&driver, 390).await;
    let wait = || page.wait().at_most(Duration::from_secs(30));

    // At the bare address the page says where to go instead.
    sign_in(&page, &bare).await;
    wait().for_element(Locator::Css(".person")).await.unwrap();
    page.goto(&format!("{bare}/second-factor")).await.unwrap();
    let told = wait().for_element(Locator::Css("[data-problem]:not([hidden])")).await.unwrap();
    assert!(told.text().await.unwrap().contains(&here));
    assert!(page.find(Locator::Css("form[data-security-key] button[disabled]")).await.is_ok());

    sign_in(&page, &here).await;
    wait().for_element(Locator::Css(".person")).await.unwrap();
    page.goto(&format!("{here}/second-factor")).await.unwrap();
    put_a_key_in(&driver, &page).await;
    look(&page, "second_factor").await;
    fill(&page, "key-name", "key of the test").await;
    fill(&page, "key-password", PASSWORD).await;
    page.find(Locator::Css("form[data-security-key] button")).await.unwrap().click().await.unwrap();
    wait().for_element(Locator::Css(".recovery-codes")).await.unwrap();
    page.goto(&format!("{here}/account")).await.unwrap();
    look(&page, "account_with_key").await;
    let sideways = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
    assert_eq!(page.execute(sideways, vec![]).await.unwrap(), 0, "wider than the screen");

    // The same key once more is refused by the browser itself, which was told of it.
    page.goto(&format!("{here}/second-factor")).await.unwrap();
    fill(&page, "key-name", "again").await;
    fill(&page, "key-password", PASSWORD).await;
    page.find(Locator::Css("form[data-security-key] button")).await.unwrap().click().await.unwrap();
    let told = wait().for_element(Locator::Css("[data-problem]:not([hidden])")).await.unwrap();
    assert!(told.text().await.unwrap().contains("registered for your account already"));

    page.delete_all_cookies().await.unwrap();
    sign_in(&page, &here).await;
    let button = wait().for_element(Locator::Css("form[data-security-key=get] button")).await.unwrap();
    look(&page, "sign_in_with_key").await;
    button.click().await.unwrap();
    wait().for_element(Locator::Css(".person")).await.unwrap();
    page.close().await.unwrap();

    let events = world.events().await;
    let used: Vec<_> = events.iter().filter(|entry| entry.event.action == Action::SecurityKeyUsed).collect();
    assert_eq!(used.len(), 1);
    assert_eq!(used[0].event.detail["user_verified"], true);
    assert!(events.iter().all(|entry| entry.event.action != Action::SecurityKeyRefused));
}
