//! Appointments in mail: iCalendar (RFC 5545) as lines for a reader.

use crate::Limits;

/// How many appointments of one calendar are read.
const APPOINTMENTS: usize = 200;

/// What a reader asks of an appointment: its property and the word before its value.
const SHOWN: [(&str, &str); 6] = [
    ("SUMMARY", "Appointment"),
    ("DTSTART", "Start"),
    ("DTEND", "End"),
    ("LOCATION", "Place"),
    ("ORGANIZER", "Organizer"),
    ("DESCRIPTION", ""),
];

/// The appointments and tasks in a calendar, each as `word: value` lines.
pub(crate) fn appointments(text: &str, limits: &Limits) -> Vec<Vec<String>> {
    let mut found: Vec<Vec<String>> = Vec::new();
    let mut open: Option<[String; SHOWN.len()]> = None;
    // Components inside an appointment, such as its alarm, say nothing to a reader.
    let mut inside = 0_usize;
    for line in unfolded(text).lines() {
        let Some((property, value)) = line.split_once(':') else { continue };
        let name = property.split(';').next().unwrap_or_default().to_ascii_uppercase();
        match (name.as_str(), value.trim().to_ascii_uppercase().as_str()) {
            ("BEGIN", "VEVENT" | "VTODO") => (open, inside) = (Some(Default::default()), 0),
            ("BEGIN", _) => inside += 1,
            ("END", "VEVENT" | "VTODO") => {
                let lines: Vec<String> = open.take().map(|values| shown(&values)).unwrap_or_default();
                if !lines.is_empty() {
                    found.push(lines);
                }
                if found.len() >= APPOINTMENTS.min(limits.entries) {
                    return found;
                }
            }
            ("END", _) => inside = inside.saturating_sub(1),
            _ => {
                let place = SHOWN.iter().position(|(property, _)| *property == name).filter(|_| inside == 0);
                if let (Some(values), Some(place)) = (&mut open, place) {
                    values[place] = readable(&name, property, value);
                }
            }
        }
    }
    found
}

fn shown(values: &[String; SHOWN.len()]) -> Vec<String> {
    let lines = SHOWN.iter().zip(values).filter(|(_, value)| !value.trim().is_empty());
    lines.map(|((_, word), value)| if word.is_empty() { value.clone() } else { format!("{word}: {value}") }).collect()
}

/// Long lines are folded with a line end and a space (section 3.1).
fn unfolded(text: &str) -> String {
    text.replace("\r\n", "\n").replace("\n ", "").replace("\n\t", "")
}

fn readable(name: &str, property: &str, value: &str) -> String {
    match name {
        "DTSTART" | "DTEND" => {
            let zone = property.split(';').find_map(|parameter| parameter.strip_prefix("TZID="));
            time(value.trim(), zone.map(|zone| zone.trim_matches('"')))
        }
        "ORGANIZER" => {
            let named = property.split(';').find_map(|parameter| parameter.strip_prefix("CN="));
            let address = value.trim();
            named.unwrap_or_else(|| address.get(7..).unwrap_or(address)).trim_matches('"').to_owned()
        }
        _ => unescaped(value),
    }
}

/// `20260302T140500Z` as `2026-03-02 14:05 UTC` (section 3.3.5).
fn time(value: &str, zone: Option<&str>) -> String {
    let digits = |from: usize, to: usize| value.get(from..to).filter(|part| part.bytes().all(|b| b.is_ascii_digit()));
    let (Some(year), Some(month), Some(day)) = (digits(0, 4), digits(4, 6), digits(6, 8)) else {
        return value.to_owned();
    };
    let clock = match (digits(9, 11), digits(11, 13)) {
        (Some(hour), Some(minute)) => format!(" {hour}:{minute}"),
        _ => String::new(),
    };
    let zone = if value.ends_with('Z') { Some("UTC") } else { zone };
    format!("{year}-{month}-{day}{clock}{}", zone.map(|zone| format!(" {zone}")).unwrap_or_default())
}

/// Escapes of section 3.3.11.
fn unescaped(value: &str) -> String {
    let mut result = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n' | 'N') => result.push('\n'),
                Some(other) => result.push(other),
                None => {}
            },
            c => result.push(c),
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_appointment_reads_as_lines() {
        let text = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:Crane\\, yearly\r\n  check\r\nDTSTART;TZID=Europe/Berlin:20260302T140500\r\n\
                    DTEND:20260302T150000Z\r\nORGANIZER;CN=\"Ada L\":mailto:ada@x.org\r\nUID:1\r\nBEGIN:VALARM\r\nDESCRIPTION:no\r\n\
                    END:VALARM\r\nDESCRIPTION:Bring\\nboots\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
        let expected = [
            "Appointment: Crane, yearly check",
            "Start: 2026-03-02 14:05 Europe/Berlin",
            "End: 2026-03-02 15:00 UTC",
            "Organizer: Ada L",
            "Bring\nboots",
        ];
        assert_eq!(appointments(text, &Limits::default()), [expected.map(str::to_owned).to_vec()]);
        assert_eq!(time("20260302", None), "2026-03-02");
        assert_eq!(time("2026é", None), "2026é");
    }
}
