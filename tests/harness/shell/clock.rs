//! The monotonic clock of benches.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use lockstep_shared::time::{LocalTime, Span};

static EPOCH: LazyLock<Instant> = LazyLock::new(read);

/// The local time now.
#[must_use]
pub fn now() -> LocalTime {
    let passed = read().saturating_duration_since(*EPOCH);
    LocalTime::from_nanos(i64::try_from(passed.as_nanos()).unwrap_or(i64::MAX))
}

/// Sleeps until `at`.
#[expect(clippy::disallowed_methods, reason = "a bench waits for real time")]
pub fn sleep_until(at: LocalTime) {
    let left = now().duration_until(at);
    if left > Duration::ZERO {
        std::thread::sleep(left);
    }
}

/// Waits until `at` to the microsecond: awake when it is near, for a sleeper wakes a tenth of a millisecond late.
pub fn wait_until(at: LocalTime) {
    while now().duration_until(at) > Duration::from_micros(200) {
        sleep_until(at - Span::from_micros(150));
    }
    while now() < at {
        std::hint::spin_loop();
    }
}

#[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
fn read() -> Instant {
    Instant::now()
}
