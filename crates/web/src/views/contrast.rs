//! Computes the contrast of the stylesheet's colours (WCAG 2.2, success criteria 1.4.3 and 1.4.11).

use std::collections::BTreeMap;

const STYLE: &str = include_str!("../../../../static/app.css");

type Colour = [f64; 3];

/// `#rrggbb` as linear red, green and blue.
fn colour(text: &str) -> Option<Colour> {
    let digits = text.trim().strip_prefix('#').filter(|digits| digits.len() == 6)?;
    let channel = |at: usize| {
        let value = f64::from(u8::from_str_radix(&digits[at..at + 2], 16).ok()?) / 255.0;
        Some(if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) })
    };
    Some([channel(0)?, channel(2)?, channel(4)?])
}

/// Relative luminance and contrast ratio as WCAG 2.2 defines them.
fn contrast(one: Colour, other: Colour) -> f64 {
    let luminance = |[red, green, blue]: Colour| 0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05;
    let (one, other) = (luminance(one), luminance(other));
    one.max(other) / one.min(other)
}

/// Custom properties of the stylesheet: light and dark value of each.
fn properties() -> BTreeMap<&'static str, [Colour; 2]> {
    let declarations = STYLE.split([';', '{']).filter_map(|part| part.trim().strip_prefix("--")?.split_once(':'));
    declarations.filter_map(|(name, value)| Some((name, light_and_dark(value)?))).collect()
}

fn light_and_dark(value: &str) -> Option<[Colour; 2]> {
    let value = value.trim();
    match value
        .strip_prefix("light-dark(")
        .and_then(|rest| rest.strip_suffix(')'))
        .and_then(|both| both.split_once(','))
    {
        Some((light, dark)) => Some([colour(light)?, colour(dark)?]),
        None => colour(value).map(|same| [same, same]),
    }
}

fn check(foreground: &str, background: &str, least: f64) {
    let properties = properties();
    for (mode, name) in ["light", "dark"].into_iter().enumerate() {
        let ratio = contrast(properties[foreground][mode], properties[background][mode]);
        assert!(ratio >= least, "{foreground} on {background}, {name}: {ratio:.2} is below {least}");
    }
}

#[test]
fn text_can_be_read() {
    for surface in ["paper", "sheet", "sunk"] {
        for ink in ["ink", "ink-2", "accent", "good", "warn", "bad"] {
            check(ink, surface, 4.5);
        }
    }
    for (ink, surface) in [
        ("accent-ink", "accent"),
        ("accent", "accent-soft"),
        ("ink", "accent-soft"),
        ("ink", "marked"),
        ("ink", "good-soft"),
        ("ink-2", "good-soft"),
        ("ink", "warn-soft"),
        ("ink", "bad-soft"),
        ("bad", "bad-soft"),
    ] {
        check(ink, surface, 4.5);
    }
}

#[test]
fn parts_of_controls_can_be_seen() {
    for surface in ["paper", "sheet", "sunk"] {
        for part in ["edge", "accent", "good", "warn", "bad", "marked-edge"] {
            check(part, surface, 3.0);
        }
    }
}

#[test]
fn labels_can_be_read() {
    let white = colour("#ffffff").expect("a colour");
    for label in domain::Label::ALL {
        let banner = properties()[label.as_str()][0];
        assert!(contrast(white, banner) >= 4.5, "banner {label}");
        let (_, rule) = STYLE.split_once(&format!(".label-{label} {{")).expect("a rule for each label");
        let rule = rule.split('}').next().expect("rules end");
        let value = |property: &str| {
            let (_, value) = rule.split_once(&format!("{property}: ")).expect("a value");
            let value = value.split(';').next().expect("values end").trim();
            light_and_dark(&value.replace(&format!("var(--{label})"), &hex_of(label.as_str()))).expect("two colours")
        };
        let rule_colours = (value("color"), value("background"));
        for mode in 0..2 {
            let ratio = contrast(rule_colours.0[mode], rule_colours.1[mode]);
            assert!(ratio >= 4.5, "label {label}: {ratio:.2}");
        }
    }
}

/// The colour of a custom property as it is written.
fn hex_of(name: &str) -> String {
    let (_, value) = STYLE.split_once(&format!("--{name}: ")).expect("a property");
    value.chars().take(7).collect()
}
