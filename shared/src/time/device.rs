//! The audio interface's clock.

use core::ops::{Add, AddAssign, Sub};

use super::Frames;

/// A frame counted by the audio interface since the engine was activated. What its rate really is, only the
/// device clock knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceFrame(pub i64);

/// A nominal sample rate in frames a second, within [`SampleRate::MIN`] to [`SampleRate::MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SampleRate(u32);

impl SampleRate {
    /// The lowest rate that a host may run at.
    pub const MIN: Self = Self(44_100);
    /// The highest rate that a host may run at.
    pub const MAX: Self = Self(192_000);
    /// The grid's own rate.
    pub const GRID: Self = Self(48_000);

    /// `hz` if it lies within the supported range.
    #[must_use]
    pub const fn new(hz: u32) -> Option<Self> {
        if hz < Self::MIN.0 || hz > Self::MAX.0 { None } else { Some(Self(hz)) }
    }

    /// Frames a second.
    #[must_use]
    pub const fn hz(self) -> u32 {
        self.0
    }

    /// Frames a second, for arithmetic.
    #[must_use]
    pub fn hz_f64(self) -> f64 {
        f64::from(self.0)
    }
}

impl Sub for DeviceFrame {
    type Output = Frames;
    fn sub(self, earlier: Self) -> Frames {
        Frames(self.0 - earlier.0)
    }
}

impl Add<Frames> for DeviceFrame {
    type Output = Self;
    fn add(self, frames: Frames) -> Self {
        Self(self.0 + frames.0)
    }
}

impl AddAssign<Frames> for DeviceFrame {
    fn add_assign(&mut self, frames: Frames) {
        self.0 += frames.0;
    }
}
