//! Renders every page and holds it to what all pages must be.

use super::*;
use askama::Template;
use domain::Label;

/// Every page in every state worth looking at, by name.
fn pages() -> Vec<(&'static str, String)> {
    let answer = AnswerView::sample();
    let writing = AnswerView::sample_in(AnswerState::Writing);
    let JobsPage { batches, jobs, .. } = JobsPage::sample();
    let rendered: Vec<(&'static str, askama::Result<String>)> = vec![
        ("sign_in", SignInPage::sample().render()),
        ("sign_in_provider", SignInPage::sample_provider().render()),
        ("sign_in_refused", SignInPage::sample_refused().render()),
        ("setup", SetupPage::sample().render()),
        ("setup_refused", SetupPage::sample_refused().render()),
        ("sign_in_certificate", CertificatePage::sample().render()),
        ("sign_in_certificate_refused", CertificatePage::sample_refused().render()),
        ("ask", AskPage::sample().render()),
        ("ask_first_visit", AskPage::sample_first_visit().render()),
        ("ask_without_collections", AskPage::sample_without_collections().render()),
        ("ask_searching", AskPage::sample_in(AnswerState::Searching).render()),
        ("ask_writing", AskPage::sample_in(AnswerState::Writing).render()),
        ("ask_refused", AskPage::sample_in(AnswerState::Refused).render()),
        ("ask_stopped", AskPage::sample_in(AnswerState::Stopped).render()),
        ("ask_failed", AskPage::sample_in(AnswerState::Failed).render()),
        ("search", SearchPage::sample().render()),
        ("search_start", SearchPage::sample_start().render()),
        ("search_refused", SearchPage::sample_refused().render()),
        ("search_empty", SearchPage::sample_empty().render()),
        ("search_only", SearchPage::sample_search_only().render()),
        ("library", LibraryPage::sample().render()),
        ("library_empty", LibraryPage::sample_empty().render()),
        ("collection", CollectionPage::sample().render()),
        ("collection_reader", CollectionPage::sample_reader().render()),
        ("collection_empty", CollectionPage::sample_empty().render()),
        ("document", DocumentPage::sample().render()),
        ("document_pages", DocumentPage::sample_pages().render()),
        ("document_mail", DocumentPage::sample_mail().render()),
        ("document_reader", DocumentPage::sample_reader().render()),
        ("document_old", DocumentPage::sample_old().render()),
        ("document_sheet", DocumentPage::sample_sheet().render()),
        ("uploaded", UploadedPage::sample().render()),
        ("batch", BatchPage::sample().render()),
        ("batch_nothing_failed", BatchPage::sample_nothing_failed().render()),
        ("jobs", JobsPage::sample().render()),
        ("jobs_empty", JobsPage::sample_empty().render()),
        ("folders", FoldersPage::sample().render()),
        ("folders_empty", FoldersPage::sample_empty().render()),
        ("folders_nowhere", FoldersPage::sample_nowhere().render()),
        ("people", PeoplePage::sample().render()),
        ("people_edit", PeoplePage::sample_edit().render()),
        ("collections_admin", CollectionsAdminPage::sample().render()),
        ("collections_admin_edit", CollectionsAdminPage::sample_edit().render()),
        ("collections_admin_empty", CollectionsAdminPage::sample_empty().render()),
        ("audit", AuditPage::sample().render()),
        ("audit_empty", AuditPage::sample_empty().render()),
        ("audit_event", AuditEventPage::sample().render()),
        ("audit_event_purged", AuditEventPage::sample_purged().render()),
        ("audit_overview", OverviewPage::sample().render()),
        ("audit_overview_empty", OverviewPage::sample_empty().render()),
        ("audit_readers", ReadersPage::sample().render()),
        ("audit_readers_wrong", ReadersPage::sample_wrong().render()),
        ("audit_day", DayPage::sample().render()),
        ("audit_day_empty", DayPage::sample_empty().render()),
        ("audit_checkpoint", CheckpointPage::sample().render()),
        ("audit_checkpoint_empty", CheckpointPage::sample_empty().render()),
        ("audit_export", ExportPage::sample().render()),
        ("audit_export_done", ExportPage::sample_done().render()),
        ("audit_export_failed", ExportPage::sample_failed().render()),
        ("usage", UsagePage::sample().render()),
        ("usage_empty", UsagePage::sample_empty().render()),
        ("account", AccountPage::sample().render()),
        ("account_elsewhere", AccountPage::sample_elsewhere().render()),
        ("approvals", ApprovalsPage::sample().render()),
        ("approvals_empty", ApprovalsPage::sample_empty().render()),
        ("code", CodePage::sample().render()),
        ("choose_password", ChoosePasswordPage::sample().render()),
        ("enrol", EnrolPage::sample().render()),
        ("code_key", CodePage::sample_key().render()),
        ("enrol_more", EnrolPage::sample_more().render()),
        ("enrol_by_choice", EnrolPage::sample_by_choice().render()),
        ("recovery_codes", RecoveryCodesPage::sample().render()),
        ("health", HealthPage::sample().render()),
        ("models", ModelsPage::sample().render()),
        ("models_elsewhere", ModelsPage::sample_elsewhere().render()),
        ("models_in_work", ModelsPage::sample_in_work().render()),
        ("models_empty", ModelsPage::sample_empty().render()),
        ("compare", ComparePage::sample().render()),
        ("compare_in_work", ComparePage::sample_in_work().render()),
        ("compare_start", ComparePage::sample_start().render()),
        ("compare_nothing_beside", ComparePage::sample_nothing_beside().render()),
        ("manual", ManualPage::sample().render()),
        ("error", ErrorPage::sample().render()),
        ("confirm", ConfirmPage::sample().render()),
        ("partial_answer", AnswerPartial { answer: &answer, csrf: "c5f1" }.render()),
        ("partial_writing", AnswerPartial { answer: &writing, csrf: "c5f1" }.render()),
        ("partial_sources", SourcesPartial { answer: &answer }.render()),
        (
            "partial_jobs",
            JobsPartial { batches: &batches, jobs: &jobs, poll: "/collections/c1?partial=jobs", csrf: "c5f1" }.render(),
        ),
    ];
    rendered.into_iter().map(|(name, html)| (name, html.expect(name))).collect()
}

/// The opening tags of `html` with this name, attributes included.
fn tags<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    let opening = format!("<{name}");
    html.match_indices(&opening)
        .map(|(at, _)| &html[at..])
        .filter(|rest| rest[opening.len()..].starts_with([' ', '>', '\n']))
        .map(|rest| &rest[..=rest.find('>').expect("tags end")])
        .collect()
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let (_, value) = tag.split_once(&format!(" {name}=\""))?;
    value.split('"').next()
}

/// Writes the pages where a browser can open them, for those who change their look:
/// `CARREL_PAGES=DIRECTORY cargo test -p web write_pages`.
#[test]
fn write_pages() {
    let Some(directory) = std::env::var_os("CARREL_PAGES") else { return };
    for (name, html) in pages() {
        std::fs::write(std::path::Path::new(&directory).join(name).with_extension("html"), html)
            .expect("a writable folder");
    }
}

#[test]
fn no_page_needs_what_the_content_security_policy_forbids() {
    for (name, html) in pages() {
        let inline = [
            " style=",
            " onclick=",
            " onsubmit=",
            " onload=",
            " onchange=",
            "<style",
            "javascript:",
            // The address of an engine elsewhere may be told, but nothing is fetched from anywhere.
            "=\"http://",
            "=\"https://",
        ];
        // So may the address at which security keys work.
        let html = html.replace(" data-origin=\"https://", " data-origin=\"");
        for forbidden in inline {
            assert!(!html.contains(forbidden), "{name} has {forbidden}");
        }
        for script in tags(&html, "script") {
            let ours = ["/static/app.js", "/static/security-key.js"];
            assert!(attribute(script, "src").is_some_and(|src| ours.contains(&src)), "{name}");
        }
    }
}

#[test]
fn every_page_has_one_first_heading_and_stays_small() {
    for (name, html) in pages() {
        let headings = tags(&html, "h1").len();
        assert_eq!(headings, usize::from(!name.starts_with("partial_")), "{name}");
        assert!(html.len() < 60_000, "{name} has {} bytes", html.len());
    }
}

#[test]
fn every_form_that_posts_carries_the_token() {
    for (name, html) in pages() {
        for form in html.split("<form").skip(1) {
            let form = form.split("</form>").next().expect("forms end");
            let posts = form.split('>').next().expect("tags end").contains("method=\"post\"");
            assert_eq!(posts, form.contains("name=\"csrf\" value=\"c5f1"), "{name}: {form}");
        }
    }
}

#[test]
fn every_field_has_a_label_and_every_id_is_unique() {
    for (name, html) in pages() {
        for tag in ["input", "select", "textarea"].into_iter().flat_map(|kind| tags(&html, kind)) {
            if matches!(attribute(tag, "type"), Some("hidden" | "checkbox")) || tag.contains(" hidden") {
                continue;
            }
            let id = attribute(tag, "id").unwrap_or_else(|| panic!("{name}: {tag} has no id"));
            assert!(html.contains(&format!("for=\"{id}\"")), "{name}: {tag} has no label");
        }
        let mut ids: Vec<&str> =
            html.match_indices(" id=\"").map(|(at, _)| html[at + 5..].split('"').next().unwrap()).collect();
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all, "{name} repeats an id");
    }
}

#[test]
fn every_symbol_that_pages_use_is_in_the_sprite() {
    let sprite = include_str!("../../../../static/icons.svg");
    for (name, html) in pages() {
        for (at, _) in html.match_indices("icons.svg#") {
            let symbol = html[at + 10..].split('"').next().unwrap();
            assert!(sprite.contains(&format!("id=\"{symbol}\"")), "{name} uses {symbol}");
        }
    }
}

#[test]
fn what_people_write_is_shown_as_text() {
    const HOSTILE: &str = "<script>alert(1)</script>\"'><img src=x>";
    let hostile = || HOSTILE.to_owned();
    let mut ask = AskPage::sample();
    ask.chrome.organisation = hostile();
    ask.chrome.flash = Some(Flash { kind: FlashKind::Problem, text: hostile() });
    ask.question = hostile();
    ask.examples = vec![hostile()];
    ask.groups[0].conversations[0].title = hostile();
    ask.turns[0].question = hostile();
    ask.turns[0].sentences[0].text = hostile();
    ask.turns[0].sources[0].title = hostile();
    ask.turns[0].sources[0].quote = hostile();
    let mut search = SearchPage::sample();
    search.query = hostile();
    search.results[0].snippet = vec![(true, hostile()), (false, hostile())];
    let mut document = DocumentPage::sample();
    document.title = hostile();
    document.passages[0].text = hostile();
    document.passages[0].heading_path = vec![hostile()];
    let mut audit = AuditPage::sample();
    audit.filter.text = hostile();
    audit.entries[0].detail = hostile();
    document.sources = vec![hostile(), hostile()];
    document.metadata = vec![(hostile(), hostile())];
    document.children[0].title = hostile();
    let mut batch = BatchPage::sample();
    batch.batch.title = hostile();
    batch.jobs[0].source = hostile();
    let mut uploaded = UploadedPage::sample();
    uploaded.files = vec![(hostile(), FileOutcome::Known(Some(hostile())))];
    let pages = [ask.render(), search.render(), document.render(), audit.render(), batch.render(), uploaded.render()];
    for html in pages.map(|html| html.expect("renders")) {
        assert!(!html.contains("<script>alert"), "{html}");
        assert!(!html.contains("<img"), "{html}");
        assert!(html.contains("&#60;script&#62;alert(1)"), "{html}");
    }
}

#[test]
fn a_refusal_says_so_and_offers_what_came_near() {
    let html = AskPage::sample_in(AnswerState::Refused).render().expect("renders");
    assert!(html.contains("The documents you can see do not answer this."));
    assert!(html.contains("Nearest passages"));
    assert!(html.contains("/search?q=Who%20won%20the%20regatta%20in%201987%3F"));
}

#[test]
fn a_reader_without_script_gets_the_page_again_while_an_answer_is_in_work() {
    let refreshes = |page: &AskPage| page.render().expect("renders").contains("http-equiv=\"refresh\"");
    assert!(refreshes(&AskPage::sample_in(AnswerState::Writing)));
    assert!(!refreshes(&AskPage::sample()));
}

#[test]
fn a_citation_opens_the_passage_in_its_document() {
    let html = AskPage::sample().render().expect("renders");
    assert!(html.contains("href=\"/documents/0195a1c0de1?passage=0195a1feed1&amp;answer=0195a1b2c3#p0195a1feed1\""));
    assert!(html.contains("aria-label=\"Source 1: Employee Handbook, page 12\""));
}

#[test]
fn the_highest_label_stands_at_both_ends_of_a_page() {
    let html = AskPage::sample().render().expect("renders");
    assert_eq!(
        html.matches("data-banner data-words=\"public|internal|confidential|secret\" data-label=\"confidential\"")
            .count(),
        2
    );
    let unlabelled = AskPage::sample_first_visit().render().expect("renders");
    assert_eq!(unlabelled.matches(" hidden><b></b>").count(), 2);
    assert!(
        Label::ALL.iter().all(|label| include_str!("../../../../static/app.css").contains(&format!(".label-{label}")))
    );
}

#[test]
fn navigation_shows_what_a_role_works_with() {
    let words = |role| {
        Chrome::sample("", Nav::Ask, role).navigation().iter().map(|item| item.text).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(words(domain::Role::Staff), "Ask Search Library");
    assert_eq!(words(domain::Role::Curator), "Ask Search Library Jobs Folders Compare");
    assert_eq!(words(domain::Role::Admin), "Ask Search Library Jobs Folders People Collections Models Health");
    assert_eq!(words(domain::Role::Auditor), "Ask Search Library Audit");
}

#[test]
fn headings_and_pages_appear_where_they_change() {
    let page = DocumentPage::sample();
    let headings = |index: usize| {
        page.new_headings(&index).iter().map(|heading| (heading.level, heading.text)).collect::<Vec<_>>()
    };
    assert_eq!(headings(1), [(2, "Leave"), (3, "Annual leave")]);
    assert_eq!(headings(2), [(3, "Carrying leave over")]);
    assert_eq!([0, 1, 2, 3].map(|index| page.page_begins(&index)), [Some(11), Some(12), Some(13), None]);
    assert!(page.passages[1].paragraphs()[0].starts_with("In the first"), "a heading is not repeated in the text");
}

#[test]
fn an_older_version_says_so_and_leads_to_the_newest() {
    let html = DocumentPage::sample_old().render().expect("renders");
    assert!(html.contains("This is version 2 of "), "{html}");
    assert!(html.contains("<a href=\"/documents/0195d01\">Version 3</a> of 3 March 2026 is the current one."));
    assert!(html.contains("/documents/0195d01?version=1"));
    assert!(!DocumentPage::sample().render().expect("renders").contains("is the current one"));
}

#[test]
fn a_sheet_is_called_a_sheet_and_its_cells_are_named() {
    let html = DocumentPage::sample_sheet().render().expect("renders");
    assert!(html.contains("<span>Sheet 1</span>") && html.contains("A1:D7") && html.contains("<dt>Sheets</dt>"));
    assert!(!html.contains("Page 1") && html.contains("Its vectors follow"));
    assert!(html.contains("Taken out of"));
}

#[test]
fn a_batch_offers_what_makes_sense_now() {
    let acts = |batch: BatchView| batch.acts().iter().map(|(act, ..)| *act).collect::<Vec<_>>().join(" ");
    assert_eq!(acts(BatchView::sample()), "pause retry cancel");
    assert_eq!(acts(BatchView::sample_held()), "release cancel");
    assert_eq!(acts(BatchView::sample_done()), "");
    let html = BatchPage::sample().render().expect("renders");
    assert!(html.contains("vectors follow: 812 documents") && html.contains("about 3 minutes left"));
    assert!(html.contains("/batches/0195ba1/failures.csv") && html.contains("http-equiv=\"refresh\""));
    assert!(!BatchPage::sample_nothing_failed().render().expect("renders").contains("http-equiv=\"refresh\""));
}

/// A page without its frame.
fn main_of(html: &str) -> &str {
    let begin = html.find("<main").expect("the page has a main part");
    &html[begin..html.find("</main>").expect("it ends")]
}

#[test]
fn a_model_can_be_tried_and_promoted_only_if_it_is_not_in_use() {
    let html = ModelsPage::sample().render().expect("renders");
    let row = |name: &str| {
        let begin = html.find(&format!("<th scope=\"row\">{name}<")).expect("a row");
        html[begin..].split("</tr>").next().expect("it ends").to_owned()
    };
    assert!(!row("Qwen2.5-Coder-1.5B-Instruct").contains("/admin/models/load"));
    assert!(!row("Qwen2.5-Coder-1.5B-Instruct").contains("/admin/models/promote"));
    assert!(row("SmolLM2-135M-Instruct").contains("/admin/models/load"));
    assert!(!row("all-MiniLM-L6-v2").contains("/admin/models/load"), "it does not write");
    let broken = row("Mistral-7B-Instruct-v0.3");
    assert!(broken.contains("3.1 GB are free") && broken.contains("unknown"), "{broken}");
    let empty = ModelsPage::sample_empty().render().expect("renders");
    assert!(empty.contains("Refused: holiday.gguf is damaged or no model: it does not begin like a GGUF file."));
    let refreshes = |page: &ModelsPage| page.render().expect("renders").contains("http-equiv=\"refresh\"");
    assert!(refreshes(&ModelsPage::sample_in_work()) && !refreshes(&ModelsPage::sample()));
}

/// The agreed look lies in `snapshots/`; `INSTA_UPDATE=always cargo test -p web` writes it anew.
#[test]
fn the_partials_look_as_agreed() {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        let answer = AnswerView::sample();
        insta::assert_snapshot!("answer", AnswerPartial { answer: &answer, csrf: "c5f1" }.render().expect("renders"));
        insta::assert_snapshot!("sources", SourcesPartial { answer: &answer }.render().expect("renders"));
        insta::assert_snapshot!("sign_in", SignInPage::sample_refused().render().expect("renders"));
        insta::assert_snapshot!("models", main_of(&ModelsPage::sample().render().expect("renders")));
        insta::assert_snapshot!("compare", main_of(&ComparePage::sample().render().expect("renders")));
    });
}
