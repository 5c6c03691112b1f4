//! What holds in a group and ends with it.

/// Where text goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Destination {
    /// The document.
    Body,
    /// Nowhere.
    Skipped,
    Fonts,
    Styles,
    Info,
    Title,
    Author,
    Created,
    Modified,
}

/// The state of a group; a new group begins with that of the group around it.
#[derive(Debug, Clone, Copy)]
pub(super) struct State {
    pub(super) destination: Destination,
    pub(super) font: i32,
    /// How many characters after `\u` stand for the same character.
    pub(super) alternatives: usize,
    /// Hidden or deleted text.
    pub(super) is_hidden: bool,
    pub(super) is_deleted: bool,
    pub(super) paragraph: Format,
}

/// The format of a paragraph.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Format {
    pub(super) style: i32,
    /// 0 is the highest.
    pub(super) outline_level: Option<u8>,
    pub(super) is_list: bool,
    pub(super) in_table: bool,
}

/// Where the text of a group goes that begins with this word; none for a word that begins no such group.
pub(super) fn destination(word: &str) -> Option<Destination> {
    Some(match word {
        "fonttbl" => Destination::Fonts,
        "stylesheet" => Destination::Styles,
        "info" => Destination::Info,
        "shpinst" | "shptxt" | "fldrslt" => Destination::Body,
        "colortbl" | "pict" | "nonshppict" | "shppict" | "objdata" | "header" | "headerl" | "headerr" | "headerf"
        | "footer" | "footerl" | "footerr" | "footerf" | "ftnsep" | "ftnsepc" | "ftncn" | "aftnsep" | "aftnsepc"
        | "aftncn" | "fldinst" | "sp" | "filetbl" | "listtable" | "listoverridetable" | "revtbl" | "rsidtbl"
        | "annotation" | "atnid" | "atnauthor" | "tc" | "xe" | "bkmkstart" | "bkmkend" | "template" | "private"
        | "mmathPr" | "xmlnstbl" | "themedata" | "datastore" | "latentstyles" | "falt" | "panose" => {
            Destination::Skipped
        }
        // The mark of a list item as text, for readers that do not number themselves.
        "pntext" | "listtext" | "pn" => Destination::Skipped,
        _ => return None,
    })
}

/// Where the text of a group inside of `\info` goes.
pub(super) fn info_destination(word: &str) -> Destination {
    match word {
        "title" => Destination::Title,
        "author" => Destination::Author,
        "creatim" => Destination::Created,
        "revtim" => Destination::Modified,
        _ => Destination::Skipped,
    }
}

/// The character that a control word stands for.
pub(super) fn character(word: &str) -> Option<&'static str> {
    Some(match word {
        "tab" | "line" | "emspace" | "enspace" | "qmspace" | "nestcell" | "lbr" => " ",
        "emdash" => "—",
        "endash" => "–",
        "lquote" => "‘",
        "rquote" => "’",
        "ldblquote" => "“",
        "rdblquote" => "”",
        "bullet" => "•",
        _ => return None,
    })
}
