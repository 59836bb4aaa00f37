//! What a ticker does next: the one function from line, state and cursor to an event and its time.

use super::join::{Join, Ready};
use super::run::{Run, Tick};
use super::{Next, PlaceState, State, Ticker, Told};
use crate::time::convert::{f64_from_i64, i64_round};
use crate::time::{Beats, GRID_RATE, GridPosition};
use crate::timeline::{Pace, Timeline};

/// The next thing to do, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Due {
    pub(super) at: GridPosition,
    pub(super) act: Act,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    FreeClock,
    Locate(Next),
    Begin(Join),
    Clock,
    Stop,
}

/// A millisecond: the least between Start or Continue and its tick.
const BEGIN_LEAST: f64 = 48.0;
/// How long before its tick Start or Continue is sent: what it must be, and a little for the output's own jitter. Less than
/// two thirds of a tick at 999 quarter notes a minute.
const BEGIN_LEAD: f64 = 60.0;
/// The least between two ticks that are caught up with, as a part of their usual distance.
const CATCH_UP: f64 = 0.5;
/// Further from where it should be than this, the count is not caught up with: a quarter note.
const JUMP_TICKS: i64 = 24;
/// Of the ticks that lead up to a downbeat, so many are at the line's tempo.
const EVEN_TICKS: i64 = 24;
/// The others are bent by no more than this for that.
const BEND: f64 = 0.05;
const FRAMES_PER_MINUTE: f64 = 60.0 * GRID_RATE as f64;

impl Ticker {
    pub(super) fn due_without_line(&self, cursor: GridPosition) -> Option<Due> {
        if self.is_running() {
            return Some(Due { at: cursor, act: Act::Stop });
        }
        // Before any tick there is no tempo to go on at.
        self.last_clock.map(|_| self.free_clock(cursor))
    }

    pub(super) fn due(&mut self, line: &Timeline, cursor: GridPosition) -> Option<Due> {
        self.pace = line.place(self.shift.read(cursor)).pace;
        match self.state {
            State::Running { epoch, next, begun, .. } => self.due_running(line, cursor, epoch, next, begun),
            State::Stopped { next } => Some(self.due_stopped(line, cursor, next)),
        }
    }

    fn due_running(
        &self,
        line: &Timeline,
        cursor: GridPosition,
        epoch: u32,
        next: Tick,
        begun: GridPosition,
    ) -> Option<Due> {
        let stop_now = Some(Due { at: cursor, act: Act::Stop });
        let Some(run) = Run::of_epoch(line, epoch) else { return stop_now };
        let wrong = self.place == PlaceState::Wrong;
        if wrong
            || (Tick::from(line_beats(line, &run, self.shift.read(cursor))).0 - next.0).abs() > JUMP_TICKS
        {
            return stop_now;
        }
        let stop = self.end_of(line, &run).map(|end| Due { at: end.max(cursor), act: Act::Stop });
        let clock = run.position_of(line, next).map(|position| {
            let due = self.shift.emitted(position);
            // The first tick is the downbeat: it does not wait for the ticks that led up to it.
            let last = self.last_clock.filter(|last| *last > begun);
            let after_clock = last.map_or(cursor, |last| {
                // Where the tempo steps between two ticks, either may be the shorter distance.
                let paces = [self.shift.read(last), position].map(|at| line.place(at).pace);
                let apart = paces.map(interval).into_iter().fold(f64::INFINITY, f64::min) * CATCH_UP;
                last.plus_f64(apart.max(BEGIN_LEAST))
            });
            let soonest = after_clock.max(begun.plus_f64(BEGIN_LEAST)).max(cursor);
            // Whether it comes before the stop is a matter of the line, not of when it is caught up with.
            (due, Due { at: due.max(soonest), act: Act::Clock })
        });
        match (clock, stop) {
            (Some((due, clock)), Some(stop)) if due < stop.at => Some(clock),
            (Some((_, clock)), None) => Some(clock),
            (_, stop) => stop,
        }
    }

    /// When a run's Stop is due: at its end, or earlier where the line is known to jump to a place that the
    /// follower can be sent to beforehand.
    fn end_of(&self, line: &Timeline, run: &Run) -> Option<GridPosition> {
        let until = run.until?;
        let end = self.shift.emitted(until);
        let jump = Run::all(line).find(|next| next.from == until).is_some_and(|next| {
            let ready = Ready { for_start: until, for_continue: until };
            Join::within(line, &next, &self.settings, ready)
                .and_then(|join| next.position_of(line, join.tick))
                .is_some_and(|downbeat| downbeat.frames_since(until) < BEGIN_LEAST)
        });
        let early = self.settings.lead_frames() + BEGIN_LEAST;
        Some(if jump { end.plus_f64(-early) } else { end })
    }

    fn due_stopped(&mut self, line: &Timeline, cursor: GridPosition, next: Option<Next>) -> Due {
        let lead = self.settings.lead_frames().max(BEGIN_LEAD);
        let told = next.filter(|next| next.told == Told::Place).filter(|next| {
            // A line that now reaches the place much later may have a better one before it.
            self.downbeat_of(line, cursor, next)
                .is_some_and(|downbeat| downbeat.frames_since(cursor) <= 2.0 * lead)
        });
        let next = told.or_else(|| {
            // The place was chosen with a whole lead; rounding does not take it away when that time has come.
            let read = |frames| self.shift.read(cursor.plus_f64(frames - 1.0));
            let ready = Ready { for_start: read(BEGIN_LEAD), for_continue: read(lead) };
            let join = Join::choose(line, &self.settings, ready)?;
            Some(Next { join, told: Told::Nothing })
        });
        self.state = State::Stopped { next };
        let Some((next, downbeat)) =
            next.and_then(|next| Some((next, self.downbeat_of(line, cursor, &next)?)))
        else {
            return self.free_clock(cursor);
        };
        let act = match next.told {
            Told::Nothing => Act::Locate(next),
            Told::Place => Act::Begin(next.join),
        };
        let lead = match next.told {
            Told::Nothing => lead,
            Told::Place => BEGIN_LEAD,
        };
        let step = Due { at: downbeat.plus_f64(-lead).max(cursor), act };
        self.clock_before(cursor, downbeat).filter(|clock| clock.at < step.at).unwrap_or(step)
    }

    /// When the first tick of `next` is due, if the line still has it and there is time to begin.
    fn downbeat_of(&self, line: &Timeline, cursor: GridPosition, next: &Next) -> Option<GridPosition> {
        let run = Run::of_epoch(line, next.join.epoch)?;
        if next.join.tick < Tick::near(run.beats) {
            return None;
        }
        let position = run.position_of(line, next.join.tick)?;
        let downbeat = self.shift.emitted(position);
        (downbeat.frames_since(cursor) >= BEGIN_LEAST).then_some(downbeat)
    }

    /// The next tick that leads up to `downbeat`, if there is one before it.
    fn clock_before(&self, cursor: GridPosition, downbeat: GridPosition) -> Option<Due> {
        let free = self.free_clock(cursor);
        let Some(last) = self.last_clock.filter(|_| free.at > cursor) else {
            let near = downbeat.frames_since(free.at) < self.interval() * CATCH_UP;
            return (!near).then_some(free);
        };
        let left = downbeat.frames_since(last);
        let ticks = i64_round(left / self.interval());
        if ticks <= 1 {
            return None;
        }
        let apart = self.apart(left, ticks);
        Some(Due { at: last.plus_f64(apart).max(cursor), act: Act::FreeClock })
    }

    /// The distance to the next of so many ticks that are left for `left` frames. The last quarter note runs at the
    /// line's tempo if it can: a follower that takes the mean of a quarter note's ticks starts at the right one.
    fn apart(&self, left: f64, ticks: i64) -> f64 {
        let (even, usual) = (left / f64_from_i64(ticks), self.interval());
        if ticks <= EVEN_TICKS {
            return even;
        }
        let apart = (left - usual * f64_from_i64(EVEN_TICKS)) / f64_from_i64(ticks - EVEN_TICKS);
        apart.clamp(even.min(usual * (1.0 - BEND)), even.max(usual * (1.0 + BEND)))
    }

    fn free_clock(&self, cursor: GridPosition) -> Due {
        let at = self.last_clock.map_or(cursor, |last| last.plus_f64(self.interval()).max(cursor));
        Due { at, act: Act::FreeClock }
    }

    /// Frames from tick to tick.
    fn interval(&self) -> f64 {
        interval(self.pace)
    }
}

fn interval(pace: Pace) -> f64 {
    FRAMES_PER_MINUTE / (pace.bpm() * 24.0)
}

/// The beat of `run` at `at`: its first before it.
fn line_beats(line: &Timeline, run: &Run, at: GridPosition) -> Beats {
    if at <= run.from { run.beats } else { line.place(at).beats }
}
