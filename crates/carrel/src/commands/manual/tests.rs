//! The documentation is held to the program: every command in it exists, every link leads somewhere, every page is on the box.

use clap::{CommandFactory, Parser};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use web::ManualText;

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

/// Every page of docs/, and the first one of the repository, with its text.
fn pages() -> Vec<(PathBuf, String)> {
    let mut found = vec![docs().join("../README.md")];
    let mut waiting = vec![docs()];
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.extension() {
                _ if path.is_dir() => waiting.push(path),
                Some(end) if end == "md" && path.file_name().unwrap() != "CHANGELOG.md" => found.push(path),
                _ => {}
            }
        }
    }
    assert!(found.len() > 40, "the documentation was not found");
    found.into_iter().map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

/// The lines of fenced blocks, and what stands between single backticks elsewhere.
fn typed(text: &str) -> (Vec<String>, Vec<String>) {
    let (mut lines, mut inline) = (Vec::new(), Vec::new());
    let (mut fenced, mut drawing) = (false, false);
    let mut prose = String::new();
    for line in text.lines() {
        let line = line.trim_start();
        if let Some(language) = line.strip_prefix("```") {
            (fenced, drawing) = (!fenced, language == "text");
        } else if fenced {
            // What is marked as text is a drawing.
            lines.extend((!drawing).then(|| line.to_owned()));
        } else {
            prose.push_str(line);
            prose.push(' ');
        }
    }
    inline.extend(prose.split('`').skip(1).step_by(2).map(str::to_owned));
    (lines, inline)
}

/// The words of every call of `carrel` in a line of a shell: comments, other programs and redirections are left out.
fn calls(line: &str) -> Vec<Vec<String>> {
    let mut calls = vec![Vec::new()];
    let mut quoted = None;
    let mut word: Option<String> = None;
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match (quoted, letter) {
            (Some(mark), letter) if letter == mark => quoted = None,
            (Some(_), letter) => word.get_or_insert_default().push(letter),
            (None, '"' | '\'') => {
                quoted = Some(letter);
                word.get_or_insert_default();
            }
            (None, '#') if word.is_none() => break,
            (None, '|' | ';' | '&') => {
                calls.last_mut().unwrap().extend(word.take());
                calls.push(Vec::new());
            }
            (None, '>') => {
                calls.last_mut().unwrap().extend(word.take());
                // The file, which is no argument.
                while letters.next_if(|letter| matches!(letter, '>' | ' ')).is_some() {}
                while letters.next_if(|letter| !" ;|&".contains(*letter)).is_some() {}
            }
            (None, ' ') => calls.last_mut().unwrap().extend(word.take()),
            (None, letter) => word.get_or_insert_default().push(letter),
        }
    }
    calls.last_mut().unwrap().extend(word);
    calls.retain(|words| words.first().is_some_and(|word| word == "carrel"));
    calls
}

#[test]
fn every_command_in_a_block_is_one() {
    let (mut checked, mut faults) = (0, Vec::new());
    for (path, text) in pages() {
        for line in typed(&text).0 {
            for words in calls(&line) {
                checked += 1;
                if let Err(error) = crate::Arguments::try_parse_from(&words)
                    && error.use_stderr()
                {
                    faults.push(format!("{}: {line}\n{error}", path.display()));
                }
            }
        }
    }
    assert!(checked > 80, "only {checked} commands were found");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_command_in_a_sentence_has_its_subcommands_and_flags() {
    let mut faults = Vec::new();
    for (path, text) in pages() {
        for quoted in typed(&text).1 {
            let quoted = quoted.replace("\\|", "|");
            let mut words = quoted.split_whitespace();
            if words.next() != Some("carrel") {
                continue;
            }
            let mut command = crate::Arguments::command();
            command.build();
            let mut named = true;
            while let Some(word) = words.next() {
                let word = word.trim_matches(|c: char| "[]…,.".contains(c));
                if let Some(flag) = word.strip_prefix("--") {
                    let flag = flag.split(['=', '|']).next().unwrap();
                    let known = command.get_arguments().find(|argument| argument.get_long() == Some(flag)).cloned();
                    match known {
                        Some(known) if known.get_action().takes_values() => drop(words.next()),
                        None if !["help", "version"].contains(&flag) => {
                            faults.push(format!("{}: `{quoted}` has no --{flag}", path.display()));
                        }
                        _ => {}
                    }
                } else if named && command.has_subcommands() && !word.is_empty() {
                    // Several at once, such as `pause|resume`.
                    for one in word.split('|') {
                        if command.find_subcommand(one).is_none() {
                            faults.push(format!("{}: `{quoted}` has no '{one}'", path.display()));
                        }
                    }
                    match command.find_subcommand(word.split('|').next().unwrap()) {
                        Some(next) => command = next.clone(),
                        None => named = false,
                    }
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// What a heading is linked by.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let letters = |c: char| match c {
        ' ' | '-' => Some('-'),
        c if c.is_alphanumeric() || c == '_' => Some(c),
        _ => None,
    };
    headings.map(|heading| heading.to_lowercase().chars().filter_map(letters).collect()).collect()
}

fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://"))
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let mut faults = Vec::new();
    for (path, text) in pages() {
        for link in links(&text) {
            let (file, place) = link.split_once('#').map_or((link, None), |(file, place)| (file, Some(place)));
            let target = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            let there = match std::fs::read_to_string(&target) {
                Ok(text) => place.is_none_or(|place| anchors(&text).contains(place)),
                Err(_) => target.exists() && place.is_none(),
            };
            if !there {
                faults.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_page_is_on_the_box_and_linked_from_the_first() {
    let on_the_box: BTreeSet<String> = ManualText::all().iter().map(|page| page.name.to_owned()).collect();
    let linked: BTreeSet<String> = links(ManualText::index().markdown)
        .map(|link| link.split('#').next().unwrap().rsplit('/').next().unwrap().trim_end_matches(".md").to_owned())
        .filter(|name| !name.is_empty())
        .collect();
    let written = std::fs::read_dir(docs().join("operator")).unwrap();
    let written = written.map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned());
    for name in written.filter(|name| name != "README") {
        assert!(on_the_box.contains(&name), "docs/operator/{name}.md is not in the program: crates/web/src/manual");
    }
    assert_eq!(linked, on_the_box, "what docs/operator/README.md links to is what the program holds");
}

#[test]
fn lines_are_read_as_a_shell_reads_them() {
    let words = |line: &str| calls(line).into_iter().map(|words| words.join(",")).collect::<Vec<_>>();
    assert_eq!(words("carrel audit key > carrel.pub   # kept"), ["carrel,audit,key"]);
    assert_eq!(
        words("cd / && carrel search \"annual leave\" --user ada | head"),
        ["carrel,search,annual leave,--user,ada"]
    );
    assert_eq!(words("carrel a >>/x/y; carrel b"), ["carrel,a", "carrel,b"]);
    assert!(words("# carrel x").is_empty() && words("cargo xtask demo").is_empty());
}
