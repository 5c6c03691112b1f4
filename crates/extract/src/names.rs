//! Names of files in files: paths that stay inside, without characters that trick readers.

/// The longest part of a path that is kept, in characters.
const PART_CHARS: usize = 150;

/// Files that systems leave in archives and folders without anybody's wish.
const LEFT_BEHIND: [&str; 5] = [".ds_store", "thumbs.db", "desktop.ini", ".localized", "ehthumbs.db"];

/// A path in an archive with `/` between its parts; `None` for one that is absolute or leads out.
pub(crate) fn path(name: &str) -> Option<String> {
    let name = name.replace('\\', "/");
    let has_drive = name.as_bytes().get(1) == Some(&b':') && name.as_bytes()[0].is_ascii_alphabetic();
    if name.starts_with('/') || has_drive {
        return None;
    }
    let mut parts = Vec::new();
    for part in name.split('/') {
        match clean(part).as_str() {
            "" | "." => {}
            ".." => return None,
            part => parts.push(part.to_owned()),
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

/// The name of an attachment, without the folders that it lay in; `None` if nothing of it can be used.
pub(crate) fn file(name: &str) -> Option<String> {
    let last = name.rsplit(['/', '\\']).find(|part| !part.trim().is_empty())?;
    Some(clean(last)).filter(|name| !matches!(name.as_str(), "" | "." | ".."))
}

/// A name made of a subject, with the ending `.eml` or the like.
pub(crate) fn of_subject(subject: Option<&str>, ending: &str) -> String {
    let subject = subject.map(|subject| clean(&subject.replace(['/', '\\'], "-"))).unwrap_or_default();
    let subject = subject.trim_matches(['.', ' ']);
    let subject: String = subject.chars().take(100).collect();
    format!("{}{ending}", if subject.is_empty() { "message" } else { subject.trim_end() })
}

/// Whether a file was left by a system or by an open program: nobody means to bring it.
pub(crate) fn is_left_behind(path: &str) -> bool {
    let file = path.rsplit('/').next().unwrap_or(path).to_lowercase();
    path.split('/').any(|part| part == "__MACOSX")
        || file.starts_with("~$")
        || file.starts_with("._")
        || file.starts_with(".~lock.")
        || LEFT_BEHIND.contains(&file.as_str())
}

/// One part of a path: no control characters, no marks that turn the direction of writing, white space collapsed.
fn clean(part: &str) -> String {
    let part = crate::blocks::running(part);
    let chars = part.chars().count();
    if chars <= PART_CHARS {
        return part;
    }
    // The end says what kind of file it is.
    let ending: String = part.rfind('.').map(|dot| part[dot..].chars().take(12).collect()).unwrap_or_default();
    let kept = PART_CHARS - ending.chars().count();
    part.chars().take(kept).collect::<String>().trim_end().to_owned() + &ending
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_inside() {
        assert_eq!(path("a/./b//c.txt").as_deref(), Some("a/b/c.txt"));
        assert_eq!(path("a\\b.txt").as_deref(), Some("a/b.txt"));
        assert_eq!(path(" rep\u{202e}fdp.exe\0 ").as_deref(), Some("repfdp.exe"));
        for bad in ["/etc/passwd", "a/../../b", "..", "C:\\x", "\\\\host\\x", "", "./", "a/ .. /b"] {
            assert_eq!(path(bad), None, "{bad}");
        }
        let long = format!("{}.docx", "x".repeat(400));
        assert_eq!(path(&long).map(|name| (name.chars().count(), name.ends_with("x.docx"))), Some((150, true)));
    }

    #[test]
    fn attachments_lose_their_folders() {
        assert_eq!(file("C:\\Users\\me\\plan.pdf").as_deref(), Some("plan.pdf"));
        assert_eq!(file("../../plan.pdf").as_deref(), Some("plan.pdf"));
        assert_eq!(file(".."), None);
        assert_eq!(of_subject(Some("Re: a/b.. \n"), ".eml"), "Re: a-b.eml");
        assert_eq!(of_subject(Some(" \u{200b}"), ".eml"), "message.eml");
    }

    #[test]
    fn what_systems_leave_behind() {
        for name in ["__MACOSX/a/._b.pdf", "a/.DS_Store", "Thumbs.db", "x/~$plan.docx", "desktop.INI"] {
            assert!(is_left_behind(name), "{name}");
        }
        assert!(!is_left_behind("a/~plan.docx"));
    }
}
