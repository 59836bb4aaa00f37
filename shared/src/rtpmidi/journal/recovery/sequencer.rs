//! Chapter Q: the exact position, by the events that a follower understands.
//!
//! A few lost clocks are played. When more is missing, or the position went elsewhere, a follower is stopped, told the
//! song position (which counts in sixteenths of six clocks), continued, and given the clocks from there.

use crate::midi::message::Message;
use crate::midi::{Realtime, SongPosition};

use super::super::Chapter;
use super::super::state::SequencerState;
use super::super::wire::Sequencing;
use super::player::Player;

/// Clocks that are made up for one by one: a quarter note.
const CLOCKS_MAX: u32 = 24;
/// The same where Song Position does not reach any more: half an hour at 120 beats a minute and beyond.
const CLOCKS_MAX_BEYOND: u32 = 4_096;
/// Clocks in the unit of Song Position.
const SIXTEENTH: u32 = 6;

impl Player<'_> {
    pub(super) fn repair_sequencer(&mut self, sequencing: &Sequencing) {
        let target = SequencerState {
            running: sequencing.running,
            played: sequencing.played,
            position: sequencing.position,
        };
        let now = self.state.system.sequencer;
        if now == target {
            return;
        }
        let missing = (target.next() + Sequencing::POSITIONS - now.next()) % Sequencing::POSITIONS;
        let sixteenth = target.next() / SIXTEENTH;
        let position = u16::try_from(sixteenth).ok().and_then(SongPosition::new);
        // What begins near the beginning begins with Start.
        let from_start = target.running && !now.running && target.next() <= CLOCKS_MAX;
        match position {
            _ if missing <= CLOCKS_MAX && !from_start => self.advance(target, missing),
            Some(position) => {
                if now.running {
                    self.event(Realtime::Stop);
                }
                if target.running && target.next() <= CLOCKS_MAX {
                    self.event(Realtime::Start);
                    self.clocks(target.next());
                } else {
                    self.event(Realtime::SongPosition(position));
                    self.advance(target, target.next() % SIXTEENTH);
                }
            }
            None if missing <= CLOCKS_MAX_BEYOND => self.advance(target, missing),
            // No message says this position; the follower at least runs or stops.
            None => self.advance(target, 0),
        }
    }

    /// Plays `clocks` and then runs or stops as `target` does.
    fn advance(&mut self, target: SequencerState, clocks: u32) {
        let running = self.state.system.sequencer.running;
        if !running && (clocks > 0 || target.running) {
            self.event(Realtime::Continue);
        }
        self.clocks(clocks);
        if self.state.system.sequencer.running && !target.running {
            self.event(Realtime::Stop);
        }
    }

    fn clocks(&mut self, count: u32) {
        for _ in 0..count {
            self.event(Realtime::Clock);
        }
    }

    fn event(&mut self, event: Realtime) {
        self.play(Chapter::Sequencer, Message::Realtime(event));
    }
}
