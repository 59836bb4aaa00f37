//! A clock that comes in and leads the room: measured here, once, and published as timeline.

use lockstep_shared::midi::{ClockIn, Realtime};
use lockstep_shared::time::{GRID_RATE, GridPosition, LocalTime};
use lockstep_shared::timeline::author::{Author, Reading};
use lockstep_shared::timeline::{AuthorId, Motion, Timeline};
use lockstep_shared::wire::MemberId;

/// A clock trusted less than this writes no line yet: it has hardly begun.
const CONFIDENCE_LEAST: f64 = 0.5;
/// How long a reading counts: until the next tick at 25 BPM.
const READING_FRAMES: f64 = 0.1 * GRID_RATE as f64;

/// Who writes the line.
const AUTHOR: AuthorId = AuthorId(MemberId::CLOCK.0);

/// What a clock from outside means for the room's line.
#[derive(Clone, Debug, PartialEq)]
pub enum Proposal {
    /// This is the line.
    Line(Box<Timeline>),
    /// It has gone.
    Gone,
}

/// The clock that the room's settings name.
#[derive(Debug, Default)]
pub(super) struct ClockLead {
    clock: ClockIn,
    author: Option<Author>,
    proposal: Option<Proposal>,
}

impl ClockLead {
    /// Takes an event that counts at `at`, which is `grid`; the room's line so far is `line`.
    pub(super) fn handle(
        &mut self,
        at: LocalTime,
        grid: GridPosition,
        event: Realtime,
        line: Option<&Timeline>,
    ) {
        self.clock.handle(at, event);
        let reading = self.clock.reading(at).filter(|reading| reading.confidence >= CONFIDENCE_LEAST);
        let Some(reading) = reading else { return };
        let line = line.copied().unwrap_or_default();
        let author = self.author.get_or_insert_with(|| Author::new(AUTHOR, &line));
        let written = author.observe(&Reading {
            start: grid,
            frames: READING_FRAMES,
            quarters: Some(reading.quarters),
            bpm: reading.bpm,
            motion: if reading.playing { Motion::Playing } else { Motion::Stopped },
            signature: None,
            bar_start: None,
            cycle: None,
        });
        if let Some(line) = written {
            self.proposal = Some(Proposal::Line(Box::new(line)));
        }
    }

    /// Counts a tick whose time nobody knows.
    pub(super) fn count_tick(&mut self) {
        self.clock.count_tick();
    }

    /// The clock has gone: the line runs on, as when a leading member goes.
    pub(super) fn leave(&mut self) {
        *self = Self { proposal: Some(Proposal::Gone), ..Self::default() };
    }

    /// What is new.
    pub(super) fn poll_proposal(&mut self) -> Option<Proposal> {
        self.proposal.take()
    }
}

#[cfg(test)]
mod tests {
    use lockstep_shared::time::Span;

    use super::*;
    use crate::grid::Grid;

    #[test]
    fn a_drum_machine_writes_the_rooms_line() {
        let grid = Grid::starting_at(LocalTime::ZERO);
        let mut lead = ClockLead::default();
        let mut line = Timeline::default();
        let mut at = LocalTime::from_nanos(1_000_000_000);
        let mut written = 0;
        let mut say = |at: LocalTime, event, line: &mut Timeline| {
            lead.handle(at, grid.position(at), event, Some(line));
            if let Some(Proposal::Line(next)) = lead.poll_proposal() {
                *line = *next;
                written += 1;
            }
        };
        for _ in 0..48 {
            say(at, Realtime::Clock, &mut line);
            at += Span::from_micros(20_000);
        }
        say(at, Realtime::Start, &mut line);
        at += Span::from_millis(2);
        let downbeat = at;
        // 125 BPM is a tick every 20 ms; a jitter of a millisecond comes and goes.
        for tick in 0..960_i64 {
            say(at + Span::from_micros(tick * 37 % 1_000), Realtime::Clock, &mut line);
            at += Span::from_micros(20_000);
        }
        let place = line.place(grid.position(at));
        let expected = (at - downbeat).secs_f64() * 125.0 / 60.0;
        assert_eq!(place.motion, Motion::Playing);
        assert!((place.beats.quarters() - expected).abs() < 0.003, "{} {expected}", place.beats.quarters());
        assert!(written < 160, "{written}");
    }
}
