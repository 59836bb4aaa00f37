//! The grid as the relay counts it: 48,000 frames a second of its own monotonic clock, exactly.

use lockstep_shared::time::{GRID_RATE, GridFrame, GridPosition, LocalTime};

/// The map from the relay's clock to the grid. It is a definition, not a measurement.
#[derive(Clone, Copy, Debug)]
pub struct Grid {
    start: LocalTime,
}

const NANOS_PER_SECOND: i128 = 1_000_000_000;

impl Grid {
    /// A grid whose frame 0 is at `start`.
    #[must_use]
    pub const fn starting_at(start: LocalTime) -> Self {
        Self { start }
    }

    /// The grid at `now`, rounded down to its fixed-point step.
    #[must_use]
    pub fn position(&self, now: LocalTime) -> GridPosition {
        let nanos = i128::from((now - self.start).nanos());
        let one = i128::from(GridFrame(1).position().raw());
        let raw = (nanos * i128::from(GRID_RATE) * one).div_euclid(NANOS_PER_SECOND);
        GridPosition::from_raw(i64::try_from(raw).unwrap_or(i64::MAX))
    }

    /// The nanosecond nearest to `position`.
    #[must_use]
    pub fn instant(&self, position: GridPosition) -> LocalTime {
        let one = i128::from(GridFrame(1).position().raw()) * i128::from(GRID_RATE);
        let nanos = (i128::from(position.raw()) * NANOS_PER_SECOND + one / 2).div_euclid(one);
        LocalTime::from_nanos(self.start.nanos().saturating_add(i64::try_from(nanos).unwrap_or(i64::MAX)))
    }

    /// The first nanosecond at or after `frame`.
    #[must_use]
    pub fn local(&self, frame: GridFrame) -> LocalTime {
        let nanos = -(-i128::from(frame.0) * NANOS_PER_SECOND).div_euclid(i128::from(GRID_RATE));
        LocalTime::from_nanos(self.start.nanos().saturating_add(i64::try_from(nanos).unwrap_or(i64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_reached_at_its_own_time_and_not_before() {
        let grid = Grid::starting_at(LocalTime::from_nanos(1_234_567));
        for frame in [-3, 0, 1, 2, 47_999, 48_000, 48_000 * 86_400 * 365] {
            let frame = GridFrame(frame);
            let at = grid.local(frame);
            assert!(grid.position(at) >= frame.position());
            assert!(grid.position(LocalTime::from_nanos(at.nanos() - 1)) < frame.position());
        }
    }
}
