//! How many passed and failed.

use std::fmt;
use std::ops::AddAssign;

/// Counts of tests; a step that is no test runner counts as one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Ran and passed.
    pub passed: u32,
    /// Ran and failed, or could not be built.
    pub failed: u32,
    /// Did not run.
    pub skipped: u32,
}

impl Tally {
    /// A whole step passed.
    pub const ONE_PASSED: Self = Self { passed: 1, failed: 0, skipped: 0 };
    /// A whole step failed.
    pub const ONE_FAILED: Self = Self { passed: 0, failed: 1, skipped: 0 };

    /// What this line of a test runner counts: `test result: ok. 5 passed; 0 failed; 1 ignored; …`, else nothing.
    pub fn of_line(line: &str) -> Self {
        let mut tally = Self::default();
        let Some((_, counts)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". ")) else {
            return tally;
        };
        for count in counts.split("; ") {
            match count.split_once(' ').and_then(|(number, what)| Some((number.parse::<u32>().ok()?, what))) {
                Some((number, "passed")) => tally.passed = number,
                Some((number, "failed")) => tally.failed = number,
                Some((number, "ignored")) => tally.skipped = number,
                _ => {}
            }
        }
        tally
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 {
            write!(f, ", {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_of_test_runners_are_added_up() {
        let mut total = Tally::default();
        for line in [
            "running 7 tests",
            "test result: ok. 5 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.02s",
            "test result: FAILED. 1 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s",
            "the test result: ok. 9 passed;",
        ] {
            total += Tally::of_line(line);
        }
        assert_eq!(total, Tally { passed: 6, failed: 3, skipped: 2 });
        assert_eq!(total.to_string(), "6 passed, 3 failed, 2 skipped");
        assert_eq!(Tally::ONE_PASSED.to_string(), "1 passed, 0 failed");
    }
}
