use super::*;
use crate::{Action, Actor, Event, EventHash, Outcome, SigningKey, seal};
use domain::{Environment, OperationId};
use serde_json::json;

fn export(format: Format, entry: &Entry) -> String {
    let folder = tempfile::tempdir().unwrap();
    let key = SigningKey::load_or_create(&folder.path().join("key"), &Environment::system()).unwrap();
    let head = Head::sign(&key, 1, entry.hash, entry.at);
    let mut exporter = Exporter::new(format, Vec::new());
    exporter.write(entry).unwrap();
    String::from_utf8(exporter.finish(&head).unwrap()).unwrap()
}

fn entry(actor: &str, title: &str) -> Entry {
    let environment = Environment::system();
    let mut who = Actor::anonymous("10.0.0.7");
    who.name = actor.to_owned();
    let event = Event::new(Action::DocumentOpened, &who, OperationId::new(&environment))
        .on("document", "d1", title)
        .outcome(Outcome::Denied)
        .detail(json!({"page": 3, "why": "a|b=c\n]\"\\"}));
    seal(EventHash::GENESIS, 1, "2026-11-21T04:00:00.123456Z".parse().unwrap(), event)
}

#[test]
fn csv_is_read_back_and_no_cell_is_a_formula() {
    let entry = entry("=HYPERLINK(\"x\")", "a, \"b\"\nc");
    let text = export(Format::Csv, &entry);
    let mut reader = ::csv::Reader::from_reader(text.as_bytes());
    let headers = reader.headers().unwrap().clone();
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 1);
    let cell = |name: &str| &rows[0][headers.iter().position(|header| header == name).unwrap()];
    assert_eq!(cell("actor"), "'=HYPERLINK(\"x\")");
    assert_eq!(cell("object"), "a, \"b\"\nc");
    assert_eq!(cell("at"), "2026-11-21T04:00:00.123Z");
    assert_eq!(cell("detail"), r#"{"page":3,"why":"a|b=c\n]\"\\"}"#);
    assert_eq!(cell("hash"), entry.hash.to_string());
    for start in ["+1", "-1", "@a", "\t=1", "\r=1"] {
        assert!(export(Format::Csv, &self::entry(start, "t")).contains(&format!("'{start}")), "{start:?}");
    }
}

#[test]
fn cef_escapes_what_separates() {
    let entry = entry("a|b=c\\d\r\nCEF:0|forged", "t");
    let text = export(Format::Cef, &entry);
    assert_eq!(text.lines().count(), 1, "a name cannot start another event");
    assert!(text.starts_with(concat!(
        "CEF:0|Carrel|Carrel|",
        env!("CARGO_PKG_VERSION"),
        "|document.opened|document.opened|7|rt=1795233600123 externalId=1 outcome=denied"
    )));
    assert!(text.contains(r" suser=a|b\=c\\d\r\nCEF:0|forged src=10.0.0.7 "), "{text}");
    assert!(text.contains(r#"msg={"page":3,"why":"a|b\=c\\n]\\"\\\\"}"#), "{text}");
    assert!(text.contains(&format!("cs1Label=hash cs1={}", entry.hash)));
}

#[test]
fn syslog_escapes_its_parameters() {
    let entry = entry("a\"b]c\\d\n<110>1 forged", "t");
    let text = export(Format::Syslog, &entry);
    assert_eq!(text.lines().count(), 1, "a name cannot start another message");
    assert!(
        text.starts_with("<108>1 2026-11-21T04:00:00.123Z - carrel - document.opened [carrel@32473 sequence=\"1\"")
    );
    assert!(text.contains(r#" actor="a\"b\]c\\d <110>1 forged" "#), "{text}");
    assert!(text.contains(&format!(r#" hash="{}"] "#, entry.hash)));
    assert!(text.contains(r#" detail="{\"page\":3,\"why\":\"a|b=c\\n\]\\\"\\\\\"}" "#), "{text}");
}

#[test]
fn an_export_without_entries_still_has_its_frame() {
    let entry = entry("a", "t");
    let folder = tempfile::tempdir().unwrap();
    let key = SigningKey::load_or_create(&folder.path().join("key"), &Environment::system()).unwrap();
    let head = Head::sign(&key, 0, EventHash::GENESIS, entry.at);
    let lines = |format| {
        let text = Exporter::new(format, Vec::new()).finish(&head).unwrap();
        String::from_utf8(text).unwrap().lines().count()
    };
    assert_eq!(Format::ALL.map(lines), [1, 1, 0, 0]);
    assert!(Format::ALL.iter().all(|format| format.as_str().parse() == Ok(*format)));
}
