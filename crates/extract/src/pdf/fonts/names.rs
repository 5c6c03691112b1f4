//! Names of glyphs that no list has: programs make them up, but mostly after rules.

/// What a name says by its form: `uni0041`, `u1F600`, `f_f_i`, `A.small` (the rules of the Adobe Glyph List), or `a65`
/// and `c116`, as makers of bitmap fonts number their codes.
pub(super) fn by_form(name: &str) -> Option<String> {
    let base = name.split('.').next().filter(|base| !base.is_empty())?;
    let parts: Option<String> = base.split('_').map(component).collect();
    parts.filter(|text| !text.is_empty())
}

fn component(name: &str) -> Option<String> {
    if let Some(digits) = name.strip_prefix("uni").filter(|digits| !digits.is_empty() && digits.len() % 4 == 0) {
        let units: Option<Vec<u16>> = digits
            .as_bytes()
            .chunks(4)
            .map(|four| u16::from_str_radix(std::str::from_utf8(four).ok()?, 16).ok())
            .collect();
        return String::from_utf16(&units?).ok();
    }
    if let Some(digits) = name.strip_prefix('u').filter(|digits| (4..=6).contains(&digits.len())) {
        return u32::from_str_radix(digits, 16).ok().and_then(char::from_u32).map(String::from);
    }
    if name.chars().count() == 1 {
        return Some(name.to_owned());
    }
    let known = match name {
        "ff" => "ff",
        "fi" => "fi",
        "fl" => "fl",
        "ffi" => "ffi",
        "ffl" => "ffl",
        "ft" => "ft",
        "tt" => "tt",
        "Th" => "Th",
        "ti" => "ti",
        "tf" => "tf",
        "ct" => "ct",
        "st" => "st",
        "nbspace" | "nonbreakingspace" => " ",
        "sfthyphen" | "hyphenminus" => "-",
        _ => return numbered(name),
    };
    Some(known.to_owned())
}

/// A letter and a code: ASCII, and the ligatures where TeX's first text encoding has them.
fn numbered(name: &str) -> Option<String> {
    let digits = name.strip_prefix(|c: char| c.is_ascii_alphabetic())?;
    let code: u8 = digits.parse().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    let text = match code {
        11 => "ff",
        12 => "fi",
        13 => "fl",
        14 => "ffi",
        15 => "ffl",
        b' '..=b'~' => return Some(char::from(code).to_string()),
        _ => return None,
    };
    Some(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_after_rules() {
        for (name, text) in [
            ("uni00410042", Some("AB")),
            ("u1F600", Some("😀")),
            ("f_f_i", Some("ffi")),
            ("T_h.liga", Some("Th")),
            ("a65", Some("A")),
            ("a12", Some("fi")),
            ("g300", None),
            ("uniD800", None),
            (".notdef", None),
            ("nowhere", None),
        ] {
            assert_eq!(by_form(name).as_deref(), text, "{name}");
        }
    }
}
