//! The only reader of the operating system's clock.

use std::time::Instant;

use lockstep_shared::time::LocalTime;

/// The process's monotonic clock; it starts at [`LocalTime::ZERO`].
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    epoch: Instant,
}

impl Clock {
    /// A clock that starts now.
    #[must_use]
    pub fn start() -> Self {
        Self { epoch: instant() }
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> LocalTime {
        let elapsed = instant().duration_since(self.epoch).as_nanos();
        LocalTime::from_nanos(i64::try_from(elapsed).unwrap_or(i64::MAX))
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place of the relay where time enters")]
fn instant() -> Instant {
    Instant::now()
}
