//! Where the sequencer is and whether it runs.

use crate::midi::{Realtime, SongPosition};

use super::super::wire::Sequencing;

/// Where the sequencer is and whether it runs. Equal are those that will play the same with the same clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SequencerState {
    /// Whether clocks move it.
    pub running: bool,
    /// Whether `position` has been played: the next clock plays the one after it.
    pub played: bool,
    /// The position in clocks, modulo 2^19.
    pub position: u32,
}

impl SequencerState {
    /// The position that the next clock plays.
    #[must_use]
    pub const fn next(self) -> u32 {
        (self.position + self.played as u32) % Sequencing::POSITIONS
    }

    pub(super) const fn apply(&mut self, event: Realtime) {
        match event {
            Realtime::Clock => {
                if self.running {
                    (self.position, self.played) = (self.next(), true);
                }
            }
            Realtime::Start => *self = Self { running: true, played: false, position: 0 },
            Realtime::Continue => self.running = true,
            Realtime::Stop => self.running = false,
            Realtime::SongPosition(position) => {
                (self.position, self.played) = (position_in_clocks(position), false);
            }
        }
    }
}

impl PartialEq for SequencerState {
    fn eq(&self, other: &Self) -> bool {
        (self.running, self.next()) == (other.running, other.next())
    }
}

impl Eq for SequencerState {}

const fn position_in_clocks(position: SongPosition) -> u32 {
    position.sixteenths() as u32 * 6
}
