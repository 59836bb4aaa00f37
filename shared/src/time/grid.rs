//! The room's clock: one sample grid, cut into chunks.

use core::ops::{Add, AddAssign, Sub};

use super::convert::{f64_from_i64, i64_round, usize_from_i64};

/// Frames a second of every room's grid.
pub const GRID_RATE: u32 = 48_000;
/// Frames in a chunk, the unit of audio on the wire and in the relay.
pub const CHUNK_FRAMES: usize = 64;

const CHUNK_FRAMES_I64: i64 = 64;

/// A whole frame of the room's grid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GridFrame(pub i64);

/// A signed count of frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Frames(pub i64);

/// The index of a chunk: the grid frame of its first frame divided by [`CHUNK_FRAMES`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChunkIndex(pub i64);

/// A place between frames of the grid, fixed point in steps of 2^-20 frame: exact to add and compare, good for
/// 5.8 years of grid, and 113 dB below an 18 kHz tone when rounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GridPosition(i64);

impl GridFrame {
    /// The chunk that holds this frame.
    #[must_use]
    pub const fn chunk(self) -> ChunkIndex {
        ChunkIndex(self.0.div_euclid(CHUNK_FRAMES_I64))
    }

    /// How far into its chunk this frame is, 0 to 63.
    #[must_use]
    pub fn offset_in_chunk(self) -> usize {
        usize_from_i64(self.0.rem_euclid(CHUNK_FRAMES_I64))
    }

    /// The same place as a position.
    #[must_use]
    pub const fn position(self) -> GridPosition {
        GridPosition(self.0 << GridPosition::FRACTION_BITS)
    }
}

impl ChunkIndex {
    /// The first frame of the chunk.
    #[must_use]
    pub const fn start(self) -> GridFrame {
        GridFrame(self.0 * CHUNK_FRAMES_I64)
    }

    /// The frame after the last of the chunk.
    #[must_use]
    pub const fn end(self) -> GridFrame {
        GridFrame((self.0 + 1) * CHUNK_FRAMES_I64)
    }

    /// The index `chunks` later.
    #[must_use]
    pub const fn plus(self, chunks: i64) -> Self {
        Self(self.0 + chunks)
    }
}

impl Frames {
    /// No frames.
    pub const ZERO: Self = Self(0);

    /// The nearest whole frames at the grid's rate to `seconds`.
    #[must_use]
    pub fn from_grid_secs(seconds: f64) -> Self {
        Self(i64_round(seconds * f64::from(GRID_RATE)))
    }

    /// As a number, for arithmetic.
    #[must_use]
    pub const fn f64(self) -> f64 {
        f64_from_i64(self.0)
    }

    /// Milliseconds at the grid's rate.
    #[must_use]
    pub fn grid_millis(self) -> f64 {
        self.f64() * 1_000.0 / f64::from(GRID_RATE)
    }
}

impl GridPosition {
    const FRACTION_BITS: u32 = 20;
    const ONE: i64 = 1 << Self::FRACTION_BITS;

    /// From the fixed-point value that crosses the wire: 2^-20 frame a step.
    #[must_use]
    pub const fn from_raw(raw: i64) -> Self {
        Self(raw)
    }

    /// The fixed-point value that crosses the wire: 2^-20 frame a step.
    #[must_use]
    pub const fn raw(self) -> i64 {
        self.0
    }

    /// The nearest whole frame.
    #[must_use]
    pub const fn round(self) -> GridFrame {
        GridFrame((self.0 + Self::ONE / 2) >> Self::FRACTION_BITS)
    }

    /// The frame at or before this place.
    #[must_use]
    pub const fn floor(self) -> GridFrame {
        GridFrame(self.0 >> Self::FRACTION_BITS)
    }

    /// How far past [`GridPosition::floor`], in `0.0..1.0`.
    #[must_use]
    pub fn fraction(self) -> f64 {
        f64_from_i64(self.0 & (Self::ONE - 1)) / f64_from_i64(Self::ONE)
    }

    /// This place moved by a real number of frames, to the nearest step.
    #[must_use]
    pub fn plus_f64(self, frames: f64) -> Self {
        Self(self.0.saturating_add(i64_round(frames * f64_from_i64(Self::ONE))))
    }

    /// Frames from `earlier` to this place.
    #[must_use]
    pub fn frames_since(self, earlier: Self) -> f64 {
        f64_from_i64(self.0.saturating_sub(earlier.0)) / f64_from_i64(Self::ONE)
    }
}

impl Sub for GridFrame {
    type Output = Frames;
    fn sub(self, earlier: Self) -> Frames {
        Frames(self.0 - earlier.0)
    }
}

impl Add<Frames> for GridFrame {
    type Output = Self;
    fn add(self, frames: Frames) -> Self {
        Self(self.0 + frames.0)
    }
}

impl Sub<Frames> for GridFrame {
    type Output = Self;
    fn sub(self, frames: Frames) -> Self {
        Self(self.0 - frames.0)
    }
}

impl AddAssign<Frames> for GridFrame {
    fn add_assign(&mut self, frames: Frames) {
        self.0 += frames.0;
    }
}

impl Add for Frames {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for Frames {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Sub for ChunkIndex {
    type Output = i64;
    /// Chunks from `earlier` to this one.
    fn sub(self, earlier: Self) -> i64 {
        self.0 - earlier.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_lies_inside_its_chunk_on_both_sides_of_zero() {
        for frame in [-129, -128, -65, -64, -1, 0, 1, 63, 64, 127, 128] {
            let frame = GridFrame(frame);
            let chunk = frame.chunk();
            assert!(chunk.start() <= frame && frame < chunk.end());
            assert_eq!(chunk.start().0 + i64::try_from(frame.offset_in_chunk()).unwrap(), frame.0);
        }
    }

    #[test]
    fn a_position_is_its_floor_and_its_fraction() {
        for frames in [-2.75, -0.5, 0.0, 0.25, 12.5, 1e9 + 0.125] {
            let position = GridFrame(0).position().plus_f64(frames);
            let again = position.floor().position().plus_f64(position.fraction());
            assert_eq!(again, position);
            assert!((0.0..1.0).contains(&position.fraction()));
            assert!((position.frames_since(GridFrame(0).position()) - frames).abs() < 1e-6);
        }
    }
}
