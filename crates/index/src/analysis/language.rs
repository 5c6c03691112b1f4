//! The languages that have an analysis of their own.

use super::{DETECTION_BYTES, beginning};
use tantivy::tokenizer::Language as Snowball;
use whatlang::{Detector, Lang};

/// From this many bytes on, a detected language is trusted for a query.
const SURE_QUERY_BYTES: usize = 24;

macro_rules! languages {
    ($($name:ident $iso:literal $lang:ident),* $(,)?) => {
        /// How a text is analysed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) enum Language {
            /// No stems, no stop words: any language without a stemmer.
            Other,
            $($name),*
        }

        impl Language {
            pub(crate) const ALL: [Self; 1 + [$($iso),*].len()] = [Self::Other, $(Self::$name),*];

            /// The Snowball algorithm.
            pub(crate) const fn snowball(self) -> Option<Snowball> {
                match self {
                    Self::Other => None,
                    $(Self::$name => Some(Snowball::$name)),*
                }
            }

            fn of_iso(code: &str) -> Option<Self> {
                match code {
                    $($iso => Some(Self::$name),)*
                    "nb" | "nn" => Some(Self::Norwegian),
                    _ => None,
                }
            }

            fn of_detected(lang: Lang) -> Self {
                match lang {
                    $(Lang::$lang => Self::$name,)*
                    _ => Self::Other,
                }
            }

            fn detectable(self) -> Option<Lang> {
                match self {
                    Self::Other => None,
                    $(Self::$name => Some(Lang::$lang)),*
                }
            }
        }
    };
}

languages! {
    Arabic "ar" Ara,
    Danish "da" Dan,
    Dutch "nl" Nld,
    English "en" Eng,
    Finnish "fi" Fin,
    French "fr" Fra,
    German "de" Deu,
    Greek "el" Ell,
    Hungarian "hu" Hun,
    Italian "it" Ita,
    Norwegian "no" Nob,
    Portuguese "pt" Por,
    Romanian "ro" Ron,
    Russian "ru" Rus,
    Spanish "es" Spa,
    Swedish "sv" Swe,
    Tamil "ta" Tam,
    Turkish "tr" Tur,
}

impl Language {
    /// A number for files; 0 for [`Language::Other`].
    pub(crate) const fn code(self) -> u8 {
        self as u8
    }

    pub(crate) fn of_code(code: u8) -> Self {
        Self::ALL.get(usize::from(code)).copied().unwrap_or(Self::Other)
    }

    /// The language of a document: as stated, else as detected, else English for Latin letters.
    pub(crate) fn of_document(stated: Option<&str>, text: &str) -> Self {
        if let Some(stated) = stated {
            let primary = stated.split(['-', '_']).next().unwrap_or(stated).to_ascii_lowercase();
            return Self::of_iso(&primary).unwrap_or(Self::Other);
        }
        match whatlang::detect(beginning(text, DETECTION_BYTES)) {
            Some(info) if info.is_reliable() => Self::of_detected(info.lang()),
            Some(info) if info.script() != whatlang::Script::Latin => Self::of_detected(info.lang()),
            _ => Self::English,
        }
    }

    /// The languages in which to analyse a query over documents in the languages `present`: its own one if that is
    /// sure, else all of them. Texts without a language of ours are always searched as they are written.
    pub(crate) fn of_query(text: &str, present: &[Self]) -> Vec<Self> {
        let known: Vec<Self> = present.iter().copied().filter(|language| *language != Self::Other).collect();
        let other = present.contains(&Self::Other).then_some(Self::Other);
        match Self::detected(text, &known) {
            _ if present.is_empty() => vec![Self::English],
            // Some scripts have one language only, whatever is present.
            Some(language) if language != Self::Other || other.is_some() => {
                [language].into_iter().chain(other.filter(|other| *other != language)).collect()
            }
            _ => known.into_iter().chain(other).collect(),
        }
    }

    fn detected(text: &str, among: &[Self]) -> Option<Self> {
        if among.len() < 2 || text.len() < SURE_QUERY_BYTES {
            return None;
        }
        let detector = Detector::with_allowlist(among.iter().filter_map(|language| language.detectable()).collect());
        let found = detector.detect(beginning(text, DETECTION_BYTES)).filter(whatlang::Info::is_reliable)?;
        Some(Self::of_detected(found.lang()))
    }
}
