//! What the sources and templates may never say.

use crate::{assert_none, files, read, root};
use std::path::{Path, PathBuf};

const LONGEST_FILE: usize = 500;

/// Who may make an `AccessScope`: the crate that defines it, the one that checked who asks, and builders of tests.
const SCOPE_MAKERS: &[&str] = &["crates/domain/", "crates/identity/", "crates/testkit/"];

/// Where `unsafe` may stand: memory maps and compute kernels, each block with its reason.
const UNSAFE_MODULES: &[&str] = &[
    "crates/inference/src/memory_map.rs",
    "crates/inference/src/kernels/",
    // Codes of a million vectors are mapped, not read, and compared with instructions that not every machine has.
    "crates/index/src/vectors/map.rs",
    "crates/index/src/vectors/kernel.rs",
];

/// The modules that may open a connection: to the engine, the directory, the provider and the log collector that a site may configure;
/// one that passes bytes on to a server inside, and one that tries whether a way out exists, which nothing but their commands reach.
const CONNECTING_MODULES: &[&str] = &[
    "crates/inference/src/remote/",
    "crates/identity/src/directory/connection.rs",
    "crates/identity/src/oidc/exchange.rs",
    "crates/forward/src/connection.rs",
    "crates/carrel/src/commands/relay.rs",
    "crates/carrel/src/commands/selftest/egress.rs",
];

/// Crates that are no part of the server.
const DEVELOPER_CRATES: &[&str] = &["crates/testkit/", "crates/xtask/"];

fn sources() -> Vec<PathBuf> {
    let all = files(&root().join("crates"), &["rs"]);
    all.into_iter().filter(|path| path.components().any(|part| part.as_os_str() == "src")).collect()
}

/// Whether the file holds nothing but tests.
fn is_test_file(path: &Path) -> bool {
    path.components().any(|part| matches!(part.as_os_str().to_str(), Some("tests" | "tests.rs")))
}

/// The lines that are built into the product, with their numbers: no comments, nothing from the test module on.
fn product_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines: Vec<&str> = text.lines().collect();
    let is_test_module =
        |pair: &[&str]| pair[0].trim() == "#[cfg(test)]" && pair[1].trim_start().starts_with("mod tests");
    let end = lines.windows(2).position(is_test_module).unwrap_or(lines.len());
    let numbered = (1..).zip(lines).take(end);
    numbered.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

fn starts_with_any(path: &Path, places: &[&str]) -> bool {
    places.iter().any(|place| path.to_string_lossy().starts_with(place))
}

/// Every product line outside `places` that `is_fault` holds for.
fn lines_where(places: &[&str], is_fault: impl Fn(&str) -> bool) -> Vec<String> {
    let mut faults = Vec::new();
    for path in sources().iter().filter(|path| !is_test_file(path) && !starts_with_any(path, places)) {
        let text = read(path);
        let found = product_lines(&text).filter(|(_, line)| is_fault(line));
        faults.extend(found.map(|(number, line)| format!("{}:{number}: {}", path.display(), line.trim())));
    }
    faults
}

#[test]
fn only_identity_makes_an_access_scope() {
    let makes = |line: &str| line.contains("AccessScope::issue") || line.contains("AccessScope as ");
    assert_none("an AccessScope is made where nobody checked who asks", &lines_where(SCOPE_MAKERS, makes));
    assert!(
        sources().iter().any(|path| path.starts_with("crates/identity") && read(path).contains("AccessScope::issue(")),
        "identity no longer makes scopes by this name: the test above looks for nothing"
    );
}

/// Whether the line could open a connection or send a packet, by whichever library.
fn connects(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    ["TcpStream", "TcpSocket", "UnixStream", "UdpSocket", "UnixDatagram", "lookup_host", "ToSocketAddrs"]
        .iter()
        .any(|word| code.contains(word))
        || ["::connect(", "client::conn", "HttpConnector", "LdapConn", "Command::new(\"curl", "Command::new(\"wget"]
            .iter()
            .any(|word| code.contains(word))
}

#[test]
fn only_what_a_site_configures_is_connected_to() {
    let places: Vec<&str> = [CONNECTING_MODULES, DEVELOPER_CRATES].concat();
    assert_none("a connection is opened outside the modules that may", &lines_where(&places, connects));
    for module in CONNECTING_MODULES {
        let does = sources().into_iter().filter(|path| starts_with_any(path, &[module]));
        let found =
            does.filter(|path| !is_test_file(path) && product_lines(&read(path)).any(|(_, line)| connects(line)));
        assert_eq!(found.count(), 1, "one file of {module} connects; if it moved, the test above looks for nothing");
    }
}

#[test]
fn unsafe_stands_only_where_it_must() {
    // Not in words such as `unsafe_code`.
    let is_unsafe = |line: &str| {
        let code = line.split("//").next().unwrap_or_default();
        ["unsafe {", "unsafe fn", "unsafe impl", "unsafe trait", "unsafe extern", "unsafe("]
            .iter()
            .any(|word| code.contains(word))
    };
    assert_none("unsafe code outside its modules", &lines_where(UNSAFE_MODULES, is_unsafe));
}

#[test]
fn no_file_is_too_long_to_hold_in_the_head() {
    let length = |path: &PathBuf| read(path).lines().count();
    let long = sources().into_iter().map(|path| (length(&path), path)).filter(|(lines, _)| *lines > LONGEST_FILE);
    let faults: Vec<_> = long.map(|(lines, path)| format!("{} has {lines} lines", path.display())).collect();
    assert_none("files above 500 lines", &faults);
}

/// The content security policy allows nothing inline and nothing from elsewhere; a page that tried would just break.
fn fault_of_page(line: &str) -> Option<&'static str> {
    let line = line.to_ascii_lowercase();
    let words = || line.split(|c: char| c.is_whitespace() || c == '<');
    if line.contains("<script") && !line.contains("src=") {
        Some("inline script")
    } else if line.contains("<style") || words().any(|word| word.starts_with("style=")) {
        Some("inline style")
    } else if words().any(|word| {
        word.split_once('=').is_some_and(|(name, value)| {
            name.len() > 4
                && name.starts_with("on")
                && name.bytes().all(|b| b.is_ascii_lowercase())
                && value.starts_with(['"', '\''])
        })
    }) {
        Some("inline event handler")
    } else if line.contains("javascript:") {
        Some("javascript: address")
    } else if ["src=\"http", "src=\"//", "href=\"//", "<base", "<iframe"].iter().any(|word| line.contains(word))
        || (line.contains("<link") && line.contains("href=\"http"))
    {
        Some("something from elsewhere")
    } else {
        None
    }
}

#[test]
fn pages_keep_to_the_content_security_policy() {
    let pages = files(&root().join("templates"), &["html"]);
    assert!(!pages.is_empty(), "no templates found");
    let mut faults = Vec::new();
    for page in pages {
        for (number, line) in (1..).zip(read(&page).lines()) {
            faults.extend(fault_of_page(line).map(|fault| format!("{}:{number}: {fault}", page.display())));
        }
    }
    assert_none("pages that the content security policy breaks", &faults);
}

#[test]
fn styles_and_scripts_load_nothing_from_elsewhere() {
    let mut faults = Vec::new();
    for file in files(&root().join("static"), &["css", "js"]) {
        for (number, line) in (1..).zip(read(&file).lines()) {
            let elsewhere = line.contains("://") && !line.contains("http://www.w3.org/");
            if elsewhere || line.contains("url(//") || line.contains("eval(") || line.contains("new Function(") {
                faults.push(format!("{}:{number}: {}", file.display(), line.trim()));
            }
        }
    }
    assert_none("styles and scripts that reach outside", &faults);
}

#[test]
fn the_rules_for_pages_find_what_they_look_for() {
    for (line, fault) in [
        ("<script>alert(1)</script>", Some("inline script")),
        ("<script src=\"/static/app.js\" defer></script>", None),
        ("<p style=\"color:red\">", Some("inline style")),
        ("<p class=\"style\">", None),
        ("<button onclick=\"go()\">", Some("inline event handler")),
        ("<input name=\"once\" value=\"on\">", None),
        ("<a href=\"JavaScript:go()\">", Some("javascript: address")),
        ("<img src=\"https://example.org/a.png\">", Some("something from elsewhere")),
        ("<link rel=\"stylesheet\" href=\"/static/app.css\">", None),
    ] {
        assert_eq!(fault_of_page(line), fault, "{line}");
    }
}

#[test]
fn test_modules_and_comments_are_not_product_code() {
    let text = "fn a() {}\n// unsafe { in a comment }\n\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n";
    let lines: Vec<_> = product_lines(text).filter(|(_, line)| !line.is_empty()).collect();
    assert_eq!(lines, [(1, "fn a() {}")]);
}
