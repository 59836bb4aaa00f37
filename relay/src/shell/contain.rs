//! The last resort: a panic of the core ends neither the thread nor the relay.

use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};

/// Something in the core panicked; the hook has logged where and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Panicked;

/// Runs `work`, and comes back even if it panics.
///
/// # Errors
/// It panicked. What it was changing is then in whatever state it left it, and the caller decides what to keep.
pub fn contain<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| Panicked)
}

/// From now on a panic is a log line like any other, not text between them.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(
            place,
            message = message(info),
            "a defect of the relay was contained; please report it"
        );
    }));
}

fn message<'a>(info: &'a PanicHookInfo<'_>) -> &'a str {
    let payload = info.payload();
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_comes_back_as_an_error_and_a_value_as_itself() {
        assert_eq!(contain(|| 7), Ok(7));
        assert_eq!(contain(|| -> u8 { panic!("expected here") }), Err(Panicked));
    }
}
