//! The monotonic clock of benches.

use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime};

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
    stay_awake_until(at);
}

/// Stays awake until `at`, which is near.
pub fn stay_awake_until(at: LocalTime) {
    while now() < at {
        std::hint::spin_loop();
    }
}

/// How long ago the wall clock showed `since_epoch`, as the kernel's stamps count. A wall clock that was set meanwhile shows
/// nonsense: then it is now.
#[must_use]
pub fn age(since_epoch: Duration) -> Span {
    /// Nothing lies in a socket for longer while somebody waits for it.
    const MOST: Duration = Duration::from_millis(50);
    let passed = (SystemTime::UNIX_EPOCH + since_epoch).elapsed();
    let passed = passed.ok().filter(|passed| *passed <= MOST).unwrap_or(Duration::ZERO);
    Span::from_nanos(i64::try_from(passed.as_nanos()).unwrap_or(0))
}

#[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
fn read() -> Instant {
    Instant::now()
}
