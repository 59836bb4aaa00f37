//! The delay that everybody in the sync mode Room plays at: what this process needs, and what the room has agreed on.
//!
//! Each member says the least delay that its network allows; the relay tells everybody the largest. A need that grows is
//! said at once, for it is a gap; one that shrinks only when it has been smaller for a while, for the whole room moves.

use lockstep_shared::time::convert::{f64_from_i64, i64_round};
use lockstep_shared::time::{GRID_RATE, LocalTime, Span};
use lockstep_shared::wire::RoomDelay;

/// Needs are said in steps of this many frames: 1 ms.
const STEP_FRAMES: f64 = 48.0;
/// How long less must have been enough.
const LESS_AFTER: Span = Span::from_millis(20_000);

/// What this process says to the room.
#[derive(Clone, Copy, Debug)]
pub(super) struct OwnDelay {
    said_frames: f64,
    /// The largest need since it was last as large as what was said, and since when.
    less_frames: f64,
    less_since: LocalTime,
}

impl OwnDelay {
    pub(super) const fn new(now: LocalTime) -> Self {
        Self { said_frames: 0.0, less_frames: 0.0, less_since: now }
    }

    /// Takes the least delay of what plays, none while nothing plays in the Room mode. Returns what is to be said, if it
    /// is something new.
    pub(super) fn observe(&mut self, now: LocalTime, least_ms: Option<f64>) -> Option<RoomDelay> {
        let least_frames = least_ms.unwrap_or(0.0) * f64::from(GRID_RATE) / 1_000.0;
        let needed =
            ((least_frames / STEP_FRAMES).ceil() * STEP_FRAMES).min(f64::from(RoomDelay::FRAMES_MAX));
        if needed >= self.said_frames {
            (self.less_frames, self.less_since) = (0.0, now);
        } else {
            self.less_frames = self.less_frames.max(needed);
        }
        let is_less_for_long = now - self.less_since >= LESS_AFTER;
        let said = if is_less_for_long { self.less_frames } else { needed.max(self.said_frames) };
        if (said - self.said_frames).abs() < STEP_FRAMES / 2.0 {
            return None;
        }
        self.said_frames = said;
        (self.less_frames, self.less_since) = (0.0, now);
        let frames = u32::try_from(i64_round(said)).unwrap_or(RoomDelay::FRAMES_MAX);
        Some(RoomDelay { frames })
    }
}

/// What the room has agreed on, in grid frames.
pub(super) fn frames(delay: RoomDelay) -> f64 {
    f64_from_i64(i64::from(delay.frames))
}

/// The same in milliseconds, for people.
pub(super) fn millis(delay: RoomDelay) -> f64 {
    frames(delay) * 1_000.0 / f64::from(GRID_RATE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_is_said_at_once_and_less_after_a_while() {
        let at = |seconds: i64| LocalTime::ZERO + Span::from_millis(seconds * 1_000);
        let mut own = OwnDelay::new(at(0));
        let frames = |said: Option<RoomDelay>| said.map(|said| said.frames);
        assert_eq!(frames(own.observe(at(0), None)), None);
        assert_eq!(frames(own.observe(at(1), Some(10.2))), Some(528));
        assert_eq!(frames(own.observe(at(2), Some(10.9))), None);
        assert_eq!(frames(own.observe(at(3), Some(12.0))), Some(576));
        assert_eq!(frames(own.observe(at(4), Some(5.0))), None);
        assert_eq!(frames(own.observe(at(20), Some(8.5))), None);
        assert_eq!(frames(own.observe(at(24), Some(6.0))), Some(432), "the largest of the while");
    }
}
