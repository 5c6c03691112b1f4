//! Numbers, units, times and dates, as English and German texts write them.

use super::facts::Date;
use super::words::Style;

/// What digits with separators may mean: `1,500` is 1500 in English and 1.5 in German, `39.270,40` has one meaning. Where it
/// depends on the text, its spelling is a reading too: who copies a number letter by letter has not changed it.
pub(super) fn readings(text: &str, style: Style) -> Vec<String> {
    let text = text.trim_end_matches(['.', ',', '\'']);
    let separators: Vec<char> = text.chars().filter(|c| !c.is_ascii_digit()).collect();
    let Some(last) = separators.last().copied() else { return vec![plain(text, "")] };
    let groups: Vec<&str> = text.split(['.', ',', '\'']).collect();
    let thousands = groups.iter().skip(1).all(|group| group.len() == 3) && groups[0].len() <= 3;
    let alike = separators.iter().all(|separator| *separator == last);
    let (whole, fraction) = (groups[..groups.len() - 1].concat(), groups[groups.len() - 1]);
    let (together, apart) = (|| plain(&groups.concat(), ""), || plain(&whole, fraction));
    let decimal = match style {
        Style::English => Some('.'),
        Style::German | Style::Continental => Some(','),
        Style::Unknown => None,
    };
    match (alike, separators.len()) {
        (false, _) => vec![apart()],
        (true, 1) if thousands && last == '\'' => vec![together()],
        // Hardly anybody writes three zeros behind a decimal sign.
        (true, 1) if thousands && fraction == "000" => vec![together(), spelt(text)],
        (true, 1) if thousands => match decimal {
            Some(sign) if sign == last => vec![apart(), spelt(text)],
            Some(_) => vec![together(), spelt(text)],
            None => vec![together(), apart(), spelt(text)],
        },
        (true, 1) => vec![apart()],
        (true, _) if thousands => vec![together()],
        // 3.2.1: the number of a version or a section.
        (true, _) => vec![text.to_owned()],
    }
}

/// The mark of a reading that is a spelling and no value.
const SPELT: char = '=';

fn spelt(text: &str) -> String {
    format!("{SPELT}{text}")
}

/// `1.5` with six digits more is `1500000`: a number before `million`. A spelling has no such meaning.
pub(super) fn shifted(reading: &str, digits: usize) -> Option<String> {
    if reading.starts_with(SPELT) {
        return None;
    }
    let (whole, fraction) = reading.split_once('.').unwrap_or((reading, ""));
    let moved: String = fraction.chars().chain(std::iter::repeat('0')).take(digits).collect();
    Some(plain(&format!("{whole}{moved}"), fraction.get(digits..).unwrap_or_default()))
}

/// How many digits a word such as `million` adds to the number before it.
pub(super) fn scale(word: &str, style: Style) -> Option<usize> {
    const WORDS: [(&str, usize); 20] = [
        ("hundred", 2),
        ("hundert", 2),
        ("thousand", 3),
        ("tausend", 3),
        ("tsd", 3),
        ("million", 6),
        ("millions", 6),
        ("millionen", 6),
        ("mio", 6),
        ("mill", 6),
        ("milliarde", 9),
        ("milliarden", 9),
        ("mrd", 9),
        ("bn", 9),
        ("billion", 9),
        ("billions", 9),
        ("billionen", 12),
        ("billiarde", 15),
        ("trillion", 12),
        ("trillions", 12),
    ];
    let word = word.to_lowercase();
    let word = word.trim_end_matches('.');
    match word {
        "billion" if style == Style::German => Some(12),
        _ => WORDS.iter().find(|(name, _)| *name == word).map(|(_, digits)| *digits),
    }
}

/// `007`, `50` → `7.5`
fn plain(whole: &str, fraction: &str) -> String {
    let whole = whole.trim_start_matches('0');
    let fraction = fraction.trim_end_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") }
}

/// The number that a word means, from two on: `one` and `ein` are more often something else.
pub(super) fn number_word(word: &str) -> Option<String> {
    let word = word.to_lowercase();
    let small = |word: &str| {
        const WORDS: [(&str, u32); 40] = [
            ("two", 2),
            ("three", 3),
            ("four", 4),
            ("five", 5),
            ("six", 6),
            ("seven", 7),
            ("eight", 8),
            ("nine", 9),
            ("ten", 10),
            ("eleven", 11),
            ("twelve", 12),
            ("thirteen", 13),
            ("fourteen", 14),
            ("fifteen", 15),
            ("sixteen", 16),
            ("seventeen", 17),
            ("eighteen", 18),
            ("nineteen", 19),
            ("hundred", 100),
            ("thousand", 1000),
            ("zwei", 2),
            ("drei", 3),
            ("vier", 4),
            ("fünf", 5),
            ("sechs", 6),
            ("sieben", 7),
            ("acht", 8),
            ("neun", 9),
            ("zehn", 10),
            ("elf", 11),
            ("zwölf", 12),
            ("dreizehn", 13),
            ("vierzehn", 14),
            ("fünfzehn", 15),
            ("sechzehn", 16),
            ("siebzehn", 17),
            ("achtzehn", 18),
            ("neunzehn", 19),
            ("hundert", 100),
            ("tausend", 1000),
        ];
        WORDS.iter().find(|(name, _)| *name == word).map(|(_, number)| *number)
    };
    let tens = |word: &str| {
        const WORDS: [(&str, u32); 16] = [
            ("twenty", 20),
            ("thirty", 30),
            ("forty", 40),
            ("fifty", 50),
            ("sixty", 60),
            ("seventy", 70),
            ("eighty", 80),
            ("ninety", 90),
            ("zwanzig", 20),
            ("dreißig", 30),
            ("vierzig", 40),
            ("fünfzig", 50),
            ("sechzig", 60),
            ("siebzig", 70),
            ("achtzig", 80),
            ("neunzig", 90),
        ];
        WORDS.iter().find(|(name, _)| *name == word).map(|(_, number)| *number)
    };
    let ones = |word: &str| if matches!(word, "one" | "ein") { Some(1) } else { small(word).filter(|one| *one < 10) };
    let number = small(&word).or_else(|| tens(&word)).or_else(|| {
        let german = || word.split_once("und").map(|(one, ten)| (ten, one));
        let (ten, one) = word.split_once('-').or_else(german)?;
        Some(tens(ten)? + ones(one)?)
    });
    number.map(|number| number.to_string())
}

/// The unit that a word is, in one spelling for all of its forms; currencies have three letters.
pub(super) fn unit(word: &str) -> Option<&'static str> {
    // Letters that mean something else, or are another word, in the other case.
    const EXACT: [(&str, &str); 16] = [
        ("V", "V"),
        ("kV", "kV"),
        ("mV", "mV"),
        ("A", "A"),
        ("kA", "kA"),
        ("mA", "mA"),
        ("W", "W"),
        ("MW", "MW"),
        ("mW", "mW"),
        ("MWh", "MWh"),
        ("N", "N"),
        ("kN", "kN"),
        ("K", "K"),
        ("Pa", "Pa"),
        ("MPa", "MPa"),
        ("Nm", "Nm"),
    ];
    if let Some((name, _)) = EXACT.iter().find(|(_, form)| *form == word) {
        return Some(name);
    }
    const UNITS: [(&str, &[&str]); 51] = [
        ("eur", &["eur", "euro", "euros", "€"]),
        ("usd", &["usd", "dollar", "dollars", "$"]),
        ("gbp", &["gbp", "£"]),
        ("cents", &["cent", "cents"]),
        ("%", &["%", "percent", "prozent", "pct"]),
        ("‰", &["‰", "promille"]),
        ("chf", &["chf"]),
        ("second", &["s", "second", "seconds", "sekunde", "sekunden"]),
        ("minute", &["min", "minute", "minutes", "minuten"]),
        ("hour", &["h", "hour", "hours", "stunde", "stunden"]),
        ("day", &["day", "days", "tag", "tage", "tagen", "arbeitstage", "arbeitstagen", "werktage", "werktagen"]),
        ("week", &["week", "weeks", "woche", "wochen"]),
        ("month", &["month", "months", "monat", "monate", "monaten"]),
        ("year", &["year", "years", "jahr", "jahre", "jahren"]),
        ("night", &["night", "nights", "nacht", "nächte", "nächten"]),
        ("m", &["m", "metre", "metres", "meter", "meters", "metern"]),
        ("km", &["km", "kilometre", "kilometres", "kilometer", "kilometers", "kilometern"]),
        ("cm", &["cm", "centimetre", "centimetres", "zentimeter"]),
        ("mm", &["mm", "millimetre", "millimetres", "millimeter"]),
        ("m/s", &["m/s"]),
        ("km/h", &["km/h"]),
        ("kg", &["kg", "kilogram", "kilograms", "kilogramm"]),
        ("t", &["t", "tonne", "tonnes", "tonnen"]),
        ("litre", &["l", "litre", "litres", "liter", "litern"]),
        ("°c", &["°c", "celsius"]),
        ("°f", &["°f", "fahrenheit"]),
        ("mg", &["mg", "milligram", "milligrams", "milligramm"]),
        ("µg", &["µg", "μg", "microgram", "micrograms", "mikrogramm"]),
        ("g", &["g", "gram", "grams", "gramm"]),
        ("ml", &["ml", "millilitre", "millilitres", "milliliter"]),
        ("m²", &["m²", "m2", "sqm", "quadratmeter"]),
        ("m³", &["m³", "m3", "kubikmeter"]),
        ("hz", &["hz", "hertz"]),
        ("khz", &["khz"]),
        ("mhz", &["mhz"]),
        ("ghz", &["ghz"]),
        ("kb", &["kb", "kib"]),
        ("mb", &["mb", "mib", "megabyte", "megabytes"]),
        ("gb", &["gb", "gib", "gigabyte", "gigabytes"]),
        ("tb", &["tb", "tib", "terabyte", "terabytes"]),
        ("hpa", &["hpa"]),
        ("kW", &["kw", "kilowatt", "kilowatts"]),
        ("bar", &["bar"]),
        ("kWh", &["kwh", "kilowatt-hour", "kilowatt-hours", "kilowattstunde", "kilowattstunden"]),
        ("GWh", &["gwh"]),
        ("MVA", &["mva"]),
        ("lux", &["lux"]),
        ("ppm", &["ppm"]),
        ("db", &["db", "db(a"]),
        ("shift", &["shift", "shifts", "schicht", "schichten"]),
        ("character", &["character", "characters", "zeichen"]),
    ];
    let word = word.to_lowercase();
    UNITS.iter().find(|(_, forms)| forms.contains(&word.as_str())).map(|(name, _)| *name)
}

/// The half of the day that `am` and `pm` name: whether it is the second one.
pub(super) fn afternoon(word: &str) -> Option<bool> {
    match word.to_lowercase().as_str() {
        "am" | "a.m" | "a.m." => Some(false),
        "pm" | "p.m" | "p.m." => Some(true),
        _ => None,
    }
}

/// An hour from 1 to 12, or a [`time`], in the half of the day that is meant, as one of 24 hours.
pub(super) fn in_half(text: &str, afternoon: bool) -> Option<String> {
    let (hour, minutes) = text.split_once([':', '.']).unwrap_or((text, "00"));
    let hour = hour.parse::<u32>().ok().filter(|hour| (1..=12).contains(hour))? % 12 + if afternoon { 12 } else { 0 };
    time(&format!("{hour}:{minutes}"))
}

/// The hour before `Uhr` or `o'clock`: `8`, `8.30`, `8:30`.
pub(super) fn of_clock(text: &str) -> Option<String> {
    let (hour, minutes) = text.split_once([':', '.']).unwrap_or((text, "00"));
    time(&format!("{hour}:{minutes}"))
}

/// `08:30`, with seconds or without, as `8:30`.
pub(super) fn time(text: &str) -> Option<String> {
    let mut parts = text.split(':');
    let (hour, minute) = (parts.next()?, parts.next()?);
    let number = |part: &str, below: u32| part.parse::<u32>().ok().filter(|number| *number < below && part.len() <= 2);
    let (hour, minute) = (number(hour, 25)?, number(minute, 60)?);
    parts.next().is_none_or(|second| number(second, 60).is_some()).then(|| format!("{hour}:{minute:02}"))
}

/// `2026-03-31`, `31.03.2026`, `31/03/2026`
pub(super) fn date_in_figures(text: &str) -> Option<Date> {
    let separator = text.chars().find(|c| !c.is_ascii_digit()).filter(|c| matches!(c, '-' | '.' | '/'))?;
    let parts: Vec<u32> = text.split(separator).map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let [first, month, last] = parts[..] else { return None };
    let (day, year) = if first > 31 { (last, first) } else { (first, last) };
    // 3/31/2026 can only be the American order.
    let (day, month) = if separator == '/' && month > 12 && day <= 12 { (month, day) } else { (day, month) };
    let real = (1..=31).contains(&day) && (1..=12).contains(&month) && (1000..3000).contains(&year);
    real.then_some(Date { day, month, year: Some(year) })
}

/// The number of a month by its English or German name.
pub(super) fn month(word: &str) -> Option<u32> {
    const MONTHS: [&[&str]; 12] = [
        &["january", "jan", "januar", "jänner"],
        &["february", "feb", "februar"],
        &["march", "mar", "märz", "maerz"],
        &["april", "apr"],
        &["may", "mai"],
        &["june", "jun", "juni"],
        &["july", "jul", "juli"],
        &["august", "aug"],
        &["september", "sep", "sept"],
        &["october", "oct", "oktober", "okt"],
        &["november", "nov"],
        &["december", "dec", "dezember", "dez"],
    ];
    // `5 may be carried over`
    if word == "may" {
        return None;
    }
    let word = word.to_lowercase();
    let word = word.trim_end_matches('.');
    (1..).zip(MONTHS).find(|(_, names)| names.contains(&word)).map(|(number, _)| number)
}
