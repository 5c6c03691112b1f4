//! Turns panics of third-party parsers into errors.

use crate::ExtractError;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

static QUIET_HOOK: Once = Once::new();

/// Runs `work`; a panic inside becomes `None` and prints nothing, while panics on other threads are reported as
/// always: the hook is wrapped once and asks its own thread whether it is guarded.
pub(crate) fn catch<T>(work: impl FnOnce() -> T) -> Option<T> {
    QUIET_HOOK.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !GUARDED.try_with(Cell::get).unwrap_or(false) {
                previous(info);
            }
        }));
    });
    let outer = GUARDED.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(outer);
    result.ok()
}

/// Runs a whole extraction; a panic becomes [`ExtractError::Damaged`].
pub(crate) fn guarded<T>(work: impl FnOnce() -> Result<T, ExtractError>) -> Result<T, ExtractError> {
    catch(work).unwrap_or_else(|| Err(ExtractError::damaged("its structure cannot be followed")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_damaged_and_the_thread_is_unguarded_again() {
        let error = guarded::<()>(|| panic!("a parser gave up"));
        assert!(matches!(error, Err(ExtractError::Damaged { .. })));
        assert!(!GUARDED.get());
        assert_eq!(catch(|| catch(|| panic!("inner")).is_none() && GUARDED.get()), Some(true));
    }
}
