//! MIDI time code: the latest whole frame and the one that is under way.

use crate::midi::message::U7;

use super::super::wire::{Direction, Frame};

/// The latest whole frame and the one that is under way. The direction counts only while one is.
#[derive(Clone, Copy, Debug, Default)]
pub struct TimeCodeState {
    /// The latest whole frame.
    pub complete: Option<Frame>,
    /// Which way the tape runs.
    pub direction: Direction,
    /// How many pieces of the next frame came.
    pub pieces: u8,
    /// The pieces; those that have not come yet are 0.
    pub quarters: [u8; 8],
}

impl TimeCodeState {
    /// The piece that came last, if a frame is under way.
    #[must_use]
    pub const fn point(self) -> Option<u8> {
        match (self.pieces, self.direction) {
            (0, _) => None,
            (pieces, Direction::Forward) => Some(pieces - 1),
            (pieces, Direction::Reverse) => Some(8 - pieces),
        }
    }

    pub(super) fn full(&mut self, frame: [u8; 4]) {
        *self = Self { complete: Some(Frame::Full(frame)), ..Self::default() };
    }

    pub(super) fn quarter(&mut self, data: U7) {
        let (piece, bits) = (data.get() >> 4, data.get() & 0x0F);
        let expected = match (self.pieces, self.direction) {
            (0, _) => None,
            (pieces, Direction::Forward) => Some(pieces),
            (pieces, Direction::Reverse) => Some(7 - pieces),
        };
        if expected != Some(piece) {
            (self.pieces, self.quarters) = (0, [0; 8]);
            match piece {
                0 => self.direction = Direction::Forward,
                7 => self.direction = Direction::Reverse,
                // Out of order: nothing is under way until a frame begins.
                _ => return,
            }
        }
        self.quarters[usize::from(piece)] = bits;
        self.pieces += 1;
        if self.pieces == 8 {
            self.complete = Some(Frame::Quarters(self.quarters));
            (self.pieces, self.quarters) = (0, [0; 8]);
        }
    }
}

impl PartialEq for TimeCodeState {
    fn eq(&self, other: &Self) -> bool {
        let frames = |state: &Self| (state.complete, state.point(), state.quarters);
        let way = |state: &Self| (state.pieces > 0).then_some(state.direction);
        frames(self) == frames(other) && way(self) == way(other)
    }
}

impl Eq for TimeCodeState {}
