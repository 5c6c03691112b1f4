//! Stop texts, found while the answer is written.

/// Passes text on, holds back what may be the beginning of a stop text, and ends at a whole one.
#[derive(Debug)]
pub(super) struct StopTexts {
    stops: Vec<String>,
    held: String,
}

impl StopTexts {
    pub(super) fn new(stops: Vec<String>) -> Self {
        Self { stops: stops.into_iter().filter(|stop| !stop.is_empty()).collect(), held: String::new() }
    }

    /// Adds `text`; gives what may be shown now, and whether a stop text was reached. What follows a stop text is lost.
    pub(super) fn push(&mut self, text: &str) -> (String, bool) {
        self.held.push_str(text);
        if let Some(at) = self.stops.iter().filter_map(|stop| self.held.find(stop.as_str())).min() {
            self.held.truncate(at);
            return (self.finish(), true);
        }
        let held = (0..self.held.len())
            .find(|&at| self.held.is_char_boundary(at) && self.stops.iter().any(|s| s.starts_with(&self.held[at..])))
            .unwrap_or(self.held.len());
        let rest = self.held.split_off(held);
        (std::mem::replace(&mut self.held, rest), false)
    }

    /// What was held back, when nothing more comes.
    pub(super) fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(stops: &[&str], pieces: &[&str]) -> (String, bool) {
        let mut stop = StopTexts::new(stops.iter().map(|&stop| stop.to_owned()).collect());
        let mut shown = String::new();
        for piece in pieces {
            let (text, stopped) = stop.push(piece);
            shown.push_str(&text);
            if stopped {
                return (shown, true);
            }
        }
        (shown + &stop.finish(), false)
    }

    #[test]
    fn a_stop_text_across_pieces_ends_the_answer() {
        assert_eq!(run(&["\n\nQ:"], &["yes\n", "\nQ", ": next"]), ("yes".into(), true));
        assert_eq!(run(&["\n\nQ:"], &["yes\n", "\nno"]), ("yes\n\nno".into(), false));
        assert_eq!(run(&["xyz", "y"], &["ax", "yz"]), ("a".into(), true));
        assert_eq!(run(&["", "€€"], &["5 €", " 6"]), ("5 € 6".into(), false));
    }

    #[test]
    fn text_that_cannot_begin_a_stop_text_is_shown_at_once() {
        let mut stop = StopTexts::new(vec!["END".into()]);
        assert_eq!(stop.push("abc E"), ("abc ".into(), false));
        assert_eq!(stop.push("x"), ("Ex".into(), false));
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(text in "[ab€]{0,12}", stop in "[ab€]{1,3}", cut in 0usize..12) {
            let cut = text.char_indices().map(|(at, _)| at).nth(cut).unwrap_or(text.len());
            let (first, second) = text.split_at(cut);
            let expected = match text.find(&stop) {
                Some(at) => (text[..at].to_owned(), true),
                None => (text.clone(), false),
            };
            prop_assert_eq!(run(&[&stop], &[first, second]), expected);
        }
    }
}
