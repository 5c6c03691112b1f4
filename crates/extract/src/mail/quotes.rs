//! What a mail repeats from older ones: those are documents of their own, and their text would fill the index again
//! with every answer.

/// The longest run of quoted lines that stays: an answer between the lines needs what it answers.
const KEPT_LINES: usize = 5;

/// The first words of the header lines that programs put over a whole older mail, in lower case.
const SENDERS: [&str; 12] =
    ["from:", "von:", "de:", "de :", "da:", "van:", "från:", "fra:", "od:", "от:", "lähettäjä:", "feladó:"];
const TIMES: [&str; 16] = [
    "sent:",
    "gesendet:",
    "envoyé:",
    "envoyé :",
    "inviato:",
    "enviado:",
    "enviado el:",
    "verzonden:",
    "skickat:",
    "sendt:",
    "wysłano:",
    "odesláno:",
    "date:",
    "datum:",
    "fecha:",
    "отправлено:",
];

/// Beginnings of subjects of forwarded mail, in lower case: there the old text is what was sent.
const FORWARDS: [&str; 12] = ["fw:", "fwd:", "wg:", "tr:", "rv:", "enc:", "i:", "doorst:", "vs:", "vb:", "pd:", "fs:"];

/// Marks in the markup of mail programs before the older mail.
const MARKUP_MARKS: [&str; 10] = [
    "class=\"gmail_quote",
    "class=\"gmail_attr",
    "id=\"divrplyfwdmsg\"",
    "id=\"appendonsend\"",
    "id=\"mail-editor-reference-message-container\"",
    "class=\"moz-cite-prefix\"",
    "<blockquote type=\"cite\"",
    "<blockquote type=cite",
    "class=\"yahoo_quoted\"",
    "class=\"protonmail_quote",
];

/// A run of lines of a plain text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Run {
    /// Written for this mail.
    New(String),
    /// A few quoted lines, without their marks.
    Quoted(String),
}

/// Whether a mail of this subject passes an older one on.
pub(crate) fn is_forward(subject: &str) -> bool {
    let subject = subject.trim_start().to_lowercase();
    FORWARDS.iter().any(|start| subject.starts_with(start))
}

/// The text that is new in a plain text and the number of lines left out. A text that is all old stays whole.
pub(crate) fn newest(text: &str) -> (Vec<Run>, usize) {
    let lines: Vec<&str> = text.lines().collect();
    let end = older_mail(&lines).unwrap_or(lines.len());
    let mut left_out = lines[end..].iter().filter(|line| !line.trim().is_empty()).count();
    let mut runs = Vec::new();
    let mut new: Vec<&str> = Vec::new();
    let mut at = 0;
    while at < end {
        let quoted = lines[at..end].iter().take_while(|line| line.starts_with('>')).count();
        if quoted == 0 {
            new.push(lines[at]);
            at += 1;
            continue;
        }
        if quoted > KEPT_LINES {
            left_out += quoted + drop_attribution(&mut new);
        }
        push_new(&mut runs, &mut new);
        if quoted <= KEPT_LINES {
            let unmarked: Vec<&str> =
                lines[at..at + quoted].iter().map(|line| line.trim_start_matches(['>', ' '])).collect();
            runs.push(Run::Quoted(unmarked.join("\n")));
        }
        at += quoted;
    }
    push_new(&mut runs, &mut new);
    if runs.iter().any(|run| matches!(run, Run::New(text) if text.chars().any(char::is_alphanumeric))) {
        return (runs, left_out);
    }
    let whole: Vec<&str> = lines.iter().map(|line| line.trim_start_matches(['>', ' '])).collect();
    (vec![Run::New(whole.join("\n"))], 0)
}

fn push_new(runs: &mut Vec<Run>, new: &mut Vec<&str>) {
    if new.iter().any(|line| !line.trim().is_empty()) {
        runs.push(Run::New(new.join("\n")));
    }
    new.clear();
}

/// Takes `On Monday, Ada wrote:` off the end, and says how many lines that were.
fn drop_attribution(new: &mut Vec<&str>) -> usize {
    let Some(last) = new.iter().rposition(|line| !line.trim().is_empty()) else { return 0 };
    let first = new[..last].iter().rposition(|line| line.trim().is_empty()).map_or(0, |blank| blank + 1);
    let whole = new[first..=last].join(" ");
    let names_a_time_or_person = whole.contains(|c: char| c.is_ascii_digit() || c == '@');
    if last - first >= 3 || !whole.trim_end().ends_with([':', '：']) || !names_a_time_or_person {
        return 0;
    }
    new.truncate(first);
    last + 1 - first
}

/// The first line of an older mail that stands below the new text without marks of quotation.
fn older_mail(lines: &[&str]) -> Option<usize> {
    (0..lines.len()).find(|&at| {
        let line = lines[at].trim();
        let next = || lines[at + 1..].iter().map(|line| line.trim()).filter(|line| !line.is_empty()).take(4);
        is_divider(line) && next().next().is_some_and(|line| line.contains(':')) || is_header(line, &mut next())
    })
}

/// `-----Original Message-----`, in whatever language.
fn is_divider(line: &str) -> bool {
    let words = line.trim_start_matches('-').trim_end_matches('-');
    let dashes = line.len() - words.len();
    let count = words.trim().chars().count();
    line.starts_with("---") && line.ends_with("---") && dashes >= 8 && (5..=45).contains(&count)
}

/// `From: …` with `Sent: …` in the lines below.
fn is_header(line: &str, next: &mut dyn Iterator<Item = &str>) -> bool {
    let begins = |line: &str, with: &[&str]| {
        let line = line.trim_start_matches(['*', '_']).to_lowercase();
        with.iter().any(|start| line.starts_with(start))
    };
    begins(line, &SENDERS) && next.take(2).any(|line| begins(line, &TIMES))
}

/// Whether a block of text, with its lines joined, is the header over an older mail.
pub(crate) fn is_joined_header(text: &str) -> bool {
    let text: String = text.chars().take(600).collect::<String>().to_lowercase();
    SENDERS.iter().any(|start| text.starts_with(start))
        && TIMES.iter().any(|time| text.find(time).is_some_and(|at| at > 0 && text[..at].ends_with(' ')))
}

/// The markup before that of older mail; all of it if there is none, or nothing before it.
pub(crate) fn newest_markup(markup: &str) -> &str {
    // Lower case of ASCII letters only: positions stay.
    let lower = markup.to_ascii_lowercase();
    let Some(mark) = MARKUP_MARKS.iter().filter_map(|mark| lower.find(mark)).min() else { return markup };
    let tag = markup[..mark].rfind('<').filter(|_| !lower[mark..].starts_with('<')).unwrap_or(mark);
    let before = &markup[..tag];
    let body = lower[..tag].find("<body").unwrap_or(0);
    if has_words(&before[body..]) { before } else { markup }
}

/// Whether there is a word outside the tags.
fn has_words(markup: &str) -> bool {
    let mut is_tag = false;
    markup
        .chars()
        .filter(|c| {
            match c {
                '<' => is_tag = true,
                '>' => is_tag = false,
                _ => return !is_tag && c.is_alphabetic(),
            }
            false
        })
        .nth(1)
        .is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[Run], left_out: usize) {
        assert_eq!(newest(text), (expected.iter().map(copy).collect(), left_out), "{text:?}");
    }

    fn copy(run: &Run) -> Run {
        match run {
            Run::New(text) => Run::New(text.clone()),
            Run::Quoted(text) => Run::Quoted(text.clone()),
        }
    }

    #[test]
    fn long_quotations_go_with_their_attribution() {
        let quoted = "> line\n".repeat(6);
        let text = format!("Yes.\n\nOn 3 March 2025, Ada\n<ada@x.org> wrote:\n\n{quoted}\nAnd this.\n> short?\nNo.");
        check(
            &text,
            &[
                Run::New("Yes.\n".into()),
                Run::New("\nAnd this.".into()),
                Run::Quoted("short?".into()),
                Run::New("No.".into()),
            ],
            8,
        );
        // Nothing else: it stays.
        check("> a\n> b\n> c\n> d\n> e\n> f\n", &[Run::New("a\nb\nc\nd\ne\nf".into())], 0);
    }

    #[test]
    fn older_mail_below_is_cut() {
        for older in [
            "-----Original Message-----\nFrom: Bo\nold",
            "-----Ursprüngliche Nachricht-----\nVon: Bo\nalt",
            "*From:* Bo\n*Sent:* Monday\nold",
            "De : Bo\nEnvoyé : lundi\nvieux",
        ] {
            check(&format!("New.\n{older}"), &[Run::New("New.".into())], 3);
        }
        let kept = "From: the gate\nwe walk.\n-----\nA table\n-----";
        check(kept, &[Run::New(kept.into())], 0);
        assert!(is_joined_header("Von: Bo Gesendet: Montag An: Ada Betreff: x"));
        assert!(!is_joined_header("From: the gate we walk"));
    }

    #[test]
    fn markup_of_older_mail_is_cut() {
        let gmail = "<body><div>Ja, gern.</div><div class=\"gmail_quote\"><div>Am 3. schrieb</div>alt</div>";
        assert_eq!(newest_markup(gmail), "<body><div>Ja, gern.</div>");
        let cite = "<p>No</p><blockquote type=\"cite\">old</blockquote>";
        assert_eq!(newest_markup(cite), "<p>No</p>");
        let below = "<body><blockquote type=\"cite\">old</blockquote><p>No</p>";
        assert_eq!(newest_markup(below), below);
    }

    #[test]
    fn forwards_are_told_by_their_subject() {
        assert!(is_forward("WG: Plan") && is_forward(" Fwd: Plan"));
        assert!(!is_forward("Re: Fwd: Plan") && !is_forward("Forward planning"));
    }
}
