//! The two measured maps, as values. Each is a straight line through one reference pair.

use crate::time::convert::i64_round;
use crate::time::{DeviceFrame, Frames, GRID_RATE, GridPosition, LocalTime, SampleRate, Span};

const PPM: f64 = 1e-6;

/// Local time to grid and back: a line that was the best estimate when it was published.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RoomMap {
    local: LocalTime,
    grid: GridPosition,
    skew_ppm: f64,
}

impl RoomMap {
    /// The line through `local` at `grid`, on which the grid runs `skew_ppm` parts in a million faster than the
    /// local clock says it should.
    #[must_use]
    pub const fn new(local: LocalTime, grid: GridPosition, skew_ppm: f64) -> Self {
        Self { local, grid, skew_ppm }
    }

    /// Where the grid is at `local`.
    ///
    /// Real-time: yes. Bound: constant.
    #[must_use]
    pub fn grid(&self, local: LocalTime) -> GridPosition {
        self.grid.plus_f64((local - self.local).secs_f64() * self.frames_per_second())
    }

    /// When the grid is at `grid`, to the nanosecond.
    ///
    /// Real-time: yes. Bound: constant.
    #[must_use]
    pub fn local(&self, grid: GridPosition) -> LocalTime {
        self.local + Span::from_secs_f64(grid.frames_since(self.grid) / self.frames_per_second())
    }

    /// Grid frames in a second of the local clock.
    ///
    /// Real-time: yes. Bound: constant.
    #[must_use]
    pub fn frames_per_second(&self) -> f64 {
        f64::from(GRID_RATE) * (1.0 + self.skew_ppm * PPM)
    }

    /// How much faster the grid runs than the local clock, in parts in a million.
    ///
    /// Real-time: yes. Bound: constant.
    #[must_use]
    pub const fn skew_ppm(&self) -> f64 {
        self.skew_ppm
    }

    /// The same line with its reference at `local`, moved by `micros` and turned by `skew_ppm`.
    pub(super) fn corrected(&self, local: LocalTime, micros: f64, skew_ppm: f64) -> Self {
        let grid = self.grid(local).plus_f64(micros * PPM * f64::from(GRID_RATE));
        Self { local, grid, skew_ppm: self.skew_ppm + skew_ppm }
    }
}

/// Device frames to local time and back: a line that was the best estimate when it was published.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DeviceMap {
    frame: DeviceFrame,
    local: LocalTime,
    rate: SampleRate,
    slowness_ppm: f64,
}

impl DeviceMap {
    /// The line through `frame` at `local`, on which each frame takes `slowness_ppm` parts in a million longer, by
    /// the local clock, than the nominal `rate` says.
    #[must_use]
    pub const fn new(frame: DeviceFrame, local: LocalTime, rate: SampleRate, slowness_ppm: f64) -> Self {
        Self { frame, local, rate, slowness_ppm }
    }

    /// When the device passes `frame`, to the nanosecond.
    ///
    /// Real-time: yes. Bound: constant.
    #[must_use]
    pub fn local(&self, frame: DeviceFrame) -> LocalTime {
        self.local + Span::from_secs_f64((frame - self.frame).f64() * self.seconds_per_frame())
    }

    /// The frame nearest to what the device passes at `local`.
    ///
    /// Real-time: yes. Bound: constant.
    #[must_use]
    pub fn frame(&self, local: LocalTime) -> DeviceFrame {
        self.frame + Frames(i64_round((local - self.local).secs_f64() / self.seconds_per_frame()))
    }

    /// How long a frame takes by the local clock.
    ///
    /// Real-time: yes. Bound: constant.
    #[must_use]
    pub fn seconds_per_frame(&self) -> f64 {
        (1.0 + self.slowness_ppm * PPM) / self.rate.hz_f64()
    }

    /// How much faster the device runs than its nominal rate, by the local clock, in parts in a million.
    ///
    /// Real-time: yes. Bound: constant.
    #[must_use]
    pub fn skew_ppm(&self) -> f64 {
        (1.0 / (1.0 + self.slowness_ppm * PPM) - 1.0) / PPM
    }

    /// The same line with its reference at `frame`, moved by `micros` and turned by `slowness_ppm`.
    pub(super) fn corrected(&self, frame: DeviceFrame, micros: f64, slowness_ppm: f64) -> Self {
        let local = self.local(frame) + Span::from_secs_f64(micros * PPM);
        Self { frame, local, rate: self.rate, slowness_ppm: self.slowness_ppm + slowness_ppm }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY_NANOS: i64 = 86_400_000_000_000;

    proptest! {
        #[test]
        fn a_room_map_inverts(
            local in -DAY_NANOS..DAY_NANOS,
            grid in -(1_i64 << 50)..(1 << 50),
            skew in -500.0..500.0_f64,
            at in -DAY_NANOS..DAY_NANOS,
        ) {
            let map = RoomMap::new(LocalTime::from_nanos(local), GridPosition::from_raw(grid), skew);
            let at = LocalTime::from_nanos(at);
            prop_assert!((map.local(map.grid(at)) - at).abs() <= Span::from_nanos(1));
        }

        #[test]
        fn a_device_map_inverts(
            frame in -(1_i64 << 40)..(1 << 40),
            local in -DAY_NANOS..DAY_NANOS,
            hz in 44_100_u32..=192_000,
            slowness in -500.0..500.0_f64,
            away in -(1_i64 << 32)..(1 << 32),
        ) {
            let rate = SampleRate::new(hz).unwrap();
            let map = DeviceMap::new(DeviceFrame(frame), LocalTime::from_nanos(local), rate, slowness);
            let there = DeviceFrame(frame + away);
            prop_assert_eq!(map.frame(map.local(there)), there);
        }

        #[test]
        fn correcting_a_map_by_nothing_leaves_the_line_where_it_was(
            skew in -500.0..500.0_f64,
            at in 0..DAY_NANOS,
            reference in 0..DAY_NANOS,
        ) {
            let map = RoomMap::new(LocalTime::ZERO, GridPosition::from_raw(0), skew);
            let moved = map.corrected(LocalTime::from_nanos(reference), 0.0, 0.0);
            let at = LocalTime::from_nanos(at);
            prop_assert!(moved.grid(at).frames_since(map.grid(at)).abs() < 1e-4);
        }
    }
}
