//! How templates write numbers.

use std::fmt::Display;

/// A whole number with its thousands grouped: `12480` becomes `12,480`.
#[askama::filter_fn]
pub fn grouped<T: Display>(number: T, _: &dyn askama::Values) -> askama::Result<String> {
    Ok(group_thousands(&number.to_string()))
}

/// `one` when the number is 1, else `many`.
#[askama::filter_fn]
pub fn plural<T: Display>(number: T, _: &dyn askama::Values, one: &str, many: &str) -> askama::Result<String> {
    Ok(if number.to_string() == "1" { one.to_owned() } else { many.to_owned() })
}

/// The digits of a whole number with a comma between every three.
fn group_thousands(digits: &str) -> String {
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::group_thousands;

    #[test]
    fn thousands_are_grouped_from_the_right() {
        for (digits, text) in
            [("0", "0"), ("999", "999"), ("1000", "1,000"), ("12480", "12,480"), ("1234567", "1,234,567")]
        {
            assert_eq!(group_thousands(digits), text);
        }
    }
}
