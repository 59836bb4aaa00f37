//! The machine's monotonic clock, one for all processes on it.

use lockstep_shared::time::{LocalTime, Span};
use rustix::thread::{ClockId, clock_nanosleep_absolute};
use rustix::time::{Timespec, clock_gettime};

const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// The instant now, in nanoseconds of `CLOCK_MONOTONIC`.
#[must_use]
pub fn now() -> LocalTime {
    let time = clock_gettime(ClockId::Monotonic);
    LocalTime::from_nanos(time.tv_sec * NANOS_PER_SECOND + time.tv_nsec)
}

/// Sleeps until `instant`, at once if it has passed. Wakes early only to sleep again.
pub fn sleep_until(instant: LocalTime) {
    let request = Timespec {
        tv_sec: instant.nanos().div_euclid(NANOS_PER_SECOND),
        tv_nsec: instant.nanos().rem_euclid(NANOS_PER_SECOND),
    };
    while clock_nanosleep_absolute(ClockId::Monotonic, &request).is_err() && now() < instant {}
}

/// Sleeps for `span`.
pub fn sleep(span: Span) {
    sleep_until(now() + span);
}
