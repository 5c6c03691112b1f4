//! One file a command.

pub(crate) mod ask;
pub(crate) mod audit;
pub(crate) mod backup;
pub(crate) mod bench;
pub(crate) mod bundle;
pub(crate) mod collection;
pub(crate) mod console_egress;
pub(crate) mod console_shell;
pub(crate) mod demo;
pub(crate) mod diagnostics;
pub(crate) mod directory;
pub(crate) mod doctor;
pub(crate) mod eval;
mod evaluate;
mod failures;
pub(crate) mod folder;
pub(crate) mod group;
pub(crate) mod import;
pub(crate) mod index;
pub(crate) mod job;
pub(crate) mod manual;
pub(crate) mod model;
pub(crate) mod relay;
pub(crate) mod search;
pub(crate) mod selftest;
pub(crate) mod serve;
pub(crate) mod tls;
pub(crate) mod r#try;
pub(crate) mod user;

/// Prints one JSON object.
fn print_json(value: &serde_json::Value) {
    println!("{value:#}");
}

/// A name or a title for a terminal. Others chose it: what would move the cursor, change colours or turn the direction
/// of writing is shown as `�`.
fn plain(text: &str) -> String {
    text.chars().map(|c| if steers_terminal(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

fn steers_terminal(c: char) -> bool {
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || turns || matches!(c, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_does_not_steer_the_terminal() {
        assert_eq!(plain("a\u{1b}[2J\r\n\u{9b}b\u{202e}fdp.exe"), "a�[2J���b�fdp.exe");
        let ordinary = "Größe 5 · 見本 · می\u{200c}توان.pdf";
        assert_eq!(plain(ordinary), ordinary);
    }
}
