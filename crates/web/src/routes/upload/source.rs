//! What an uploaded file is called in its collection.

/// Longest path and longest part of one, in characters.
const LONGEST: usize = 1_000;
const LONGEST_PART: usize = 200;
/// Deepest folder.
const DEEPEST: usize = 32;

/// The path that a browser or a program gave, with `/` between parts: without drives, empty parts, `.` and `..`, and
/// without what no name should have. `None` if nothing is left, or too much.
pub(super) fn clean(name: &str) -> Option<String> {
    // An old browser gives the whole path on its own machine, of which only the name is meant.
    let on_a_drive = name.get(1..3) == Some(":\\") && name.starts_with(|c: char| c.is_ascii_alphabetic());
    let name = if on_a_drive { name.rsplit('\\').next().unwrap_or(name) } else { name };
    let parts: Vec<String> = name
        .split(['/', '\\'])
        .map(|part| part.chars().filter(|c| !c.is_control()).collect::<String>().trim().to_owned())
        .filter(|part| !matches!(part.as_str(), "" | "." | ".."))
        .collect();
    let long = |part: &String| part.chars().count() > LONGEST_PART;
    if parts.is_empty() || parts.len() > DEEPEST || parts.iter().any(long) {
        return None;
    }
    Some(parts.join("/")).filter(|path| path.chars().count() <= LONGEST)
}

/// Whether it is what systems leave in folders for themselves. A file that a person chose by name is never passed over.
pub(super) fn passed_over(source: &str) -> bool {
    let Some((folders, name)) = source.rsplit_once('/') else { return false };
    let hidden = |part: &str| part.starts_with('.') || part == "__MACOSX";
    folders.split('/').any(hidden)
        || hidden(name)
        || name.starts_with("~$")
        || matches!(name, "Thumbs.db" | "desktop.ini")
}

/// The last part of a path.
pub(super) fn file_name(source: &str) -> &str {
    source.rsplit('/').next().unwrap_or(source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_kept_and_cleaned() {
        let cases = [
            ("contracts/2026/a.pdf", Some("contracts/2026/a.pdf")),
            ("contracts\\2026\\a.pdf", Some("contracts/2026/a.pdf")),
            ("C:\\Users\\ada\\a.pdf", Some("a.pdf")),
            ("/etc/../../passwd", Some("etc/passwd")),
            ("./a/./b\u{0}\n.txt ", Some("a/b.txt")),
            ("../..", None),
            ("", None),
            (" / ", None),
        ];
        for (given, kept) in cases {
            assert_eq!(clean(given).as_deref(), kept, "{given}");
        }
        assert_eq!(clean(&"x".repeat(201)), None);
        assert_eq!(clean(&"a/".repeat(40)), None);
        assert_eq!(clean(&"ä".repeat(200)), Some("ä".repeat(200)));
    }

    #[test]
    fn what_systems_leave_in_folders_is_passed_over() {
        for source in ["a/.DS_Store", "a/Thumbs.db", "a/~$b.docx", ".git/config", "a/__MACOSX/b"] {
            assert!(passed_over(source), "{source}");
        }
        for source in [".profile", "a/b.txt", "Thumbs.db"] {
            assert!(!passed_over(source), "{source}");
        }
    }
}
