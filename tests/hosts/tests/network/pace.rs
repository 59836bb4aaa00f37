//! Real time: every block at its own deadline.

use lockstep_hosts::clock;
use lockstep_shared::time::convert::{f64_from_usize, usize_trunc};
use lockstep_shared::time::{LocalTime, Span};

use super::player::Plays;

/// What a machine may be late by before blocks are lost, as they are in a DAW.
const LATE_MAX: Span = Span::from_millis(100);

/// When the blocks of one interface are due.
pub(super) struct Pace {
    due: LocalTime,
    period: Span,
    blocks_per_second: f64,
}

impl Pace {
    /// Of an interface with such blocks.
    pub(super) fn new(sample_rate: f64, frames: usize) -> Self {
        let period = Span::from_secs_f64(f64_from_usize(frames) / sample_rate);
        Self { due: clock::now(), period, blocks_per_second: sample_rate / f64_from_usize(frames) }
    }

    /// Plays for about so long.
    pub(super) fn play(&mut self, seconds: f64, players: &mut [&mut dyn Plays]) {
        for _ in 0..usize_trunc((seconds * self.blocks_per_second).ceil()) {
            let now = clock::now();
            if now - self.due > LATE_MAX {
                self.due = now;
            }
            clock::sleep_until(self.due);
            for player in &mut *players {
                player.play_block();
            }
            self.due += self.period;
        }
    }

    /// Plays until the first player hears others, and returns after how many seconds.
    ///
    /// # Panics
    /// If that takes longer than `seconds`.
    pub(super) fn play_until_heard(&mut self, seconds: f64, players: &mut [&mut dyn Plays]) -> f64 {
        let start = clock::now();
        loop {
            self.play(0.05, players);
            let passed = (clock::now() - start).secs_f64();
            if players[0].hears() {
                return passed;
            }
            assert!(passed < seconds, "nobody is heard after {passed:.1} s");
        }
    }
}
