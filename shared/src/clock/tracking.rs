//! The filter behind the room clock: offset, skew, and what each direction of the path takes.
//!
//! A window's two minima are compared with the line. Which of four things happened follows from their signs:
//!
//! | up | down | meaning |
//! |---|---|---|
//! | agrees | agrees | both correct the line |
//! | agrees | disagrees | only `up` corrects it; if `down` disagrees steadily its path moved, else it is a queue |
//! | disagrees by x | disagrees by -x | the clock moved by x |
//! | disagrees | disagrees | congestion both ways: coast on the last skew |
//!
//! When a path has moved, its new length is one more unknown of the filter, learned from the windows that follow.

use super::direction::{Direction, DirectionState, Quickest, Watch};
use super::filter::Filter;
use super::map::RoomMap;
use super::room::{Exchange, RoomEvent};
use super::run::Run;
use crate::time::{GRID_RATE, GridPosition, LocalTime, Span};

/// What an exchange led to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Nothing,
    Event(RoomEvent),
    Lost,
}

/// The line and its doubts, from the first exchange on.
#[derive(Clone, Debug)]
pub(super) struct Tracking {
    line: RoomMap,
    filter: Filter<4>,
    line_at: LocalTime,
    up: Watch,
    down: Watch,
    clock_run: Run,
    window: Window,
    windows: u32,
    impossible: u32,
    round_trips: RoundTrips,
}

const SKEW: usize = 1;
const OFFSET: usize = 0;
const UP: usize = 2;
const DOWN: usize = 3;

/// Crystals of two computers differ by less, one standard deviation.
const SKEW_START_PPM: f64 = 100.0;
/// How the skew wanders in a second's square root.
const SKEW_WANDER_PPM: f64 = 0.01;
/// How what both directions take wanders in a second's square root.
const PATH_WANDER_US: f64 = 1.0;

/// How much quicker the quickest of a longer window may be.
const LONGER_WINDOW_US: f64 = 50.0;

/// A residual within this many standard deviations agrees, whatever the limits below say of its size.
const GATE_SPREADS: f64 = 6.0;
const GATE_LOWEST_US: f64 = 60.0;
const GATE_HIGHEST_US: f64 = 250.0;
/// How many standard deviations of the line's own doubt widen the gate.
const GATE_DOUBTS: f64 = 4.0;

/// Windows in a row that make a changed path believable, and a changed clock.
const PATH_RUN: u32 = 8;
const CLOCK_RUN: u32 = 3;
/// A run is steady within this many spreads, or within this much.
const STEADY_SPREADS: f64 = 8.0;
const STEADY_US: f64 = 100.0;
/// A larger movement of the clock is a step, after which nothing learned before holds.
const CLOCK_MOVE_MAX_US: f64 = 10_000.0;

/// A datagram that arrives this long before it was sent proves the line wrong; so many in a row end it.
const IMPOSSIBLE_US: f64 = -1_000.0;
const IMPOSSIBLE_RUN: u32 = 8;

impl Tracking {
    /// Starts with the midpoint of one exchange, believed to half its round trip.
    pub(super) fn begin(exchange: &Exchange, round_trip: Span) -> Self {
        let half_us = micros(round_trip) / 2.0;
        let grid = moved(exchange.relay_sent, half_us);
        let doubt = (half_us + 1_000.0).powi(2);
        let skew = SKEW_START_PPM * SKEW_START_PPM;
        // Both directions are taken to be equally long: they share one doubt, and their difference has none.
        let filter = Filter::new([
            [doubt, 0.0, 0.0, 0.0],
            [0.0, skew, 0.0, 0.0],
            [0.0, 0.0, doubt, doubt],
            [0.0, 0.0, doubt, doubt],
        ]);
        let mut tracking = Self {
            line: RoomMap::new(exchange.received, grid, 0.0),
            filter,
            line_at: exchange.received,
            up: Watch::new(half_us),
            down: Watch::new(half_us),
            clock_run: Run::new(),
            window: Window::begin(exchange.received),
            windows: 0,
            impossible: 0,
            round_trips: RoundTrips::new(round_trip),
        };
        tracking.note(exchange, round_trip);
        tracking
    }

    pub(super) fn observe(&mut self, exchange: &Exchange, round_trip: Span) -> Step {
        let now = exchange.received;
        if now - self.window.last > Window::SILENCE_MAX || now < self.window.last {
            self.up.take_quickest();
            self.down.take_quickest();
            self.window = Window::begin(now);
        }
        self.note(exchange, round_trip);
        if self.impossible >= IMPOSSIBLE_RUN {
            return Step::Lost;
        }
        if !self.window.is_over(self.window_length()) {
            return Step::Nothing;
        }
        self.window = Window::begin(now);
        self.round_trips.next_window();
        match (self.up.take_quickest(), self.down.take_quickest()) {
            (Some(up), Some(down)) => self.close_window(now, up, down),
            (Some(_), None) | (None, Some(_)) | (None, None) => Step::Nothing,
        }
    }

    pub(super) const fn is_locked(&self) -> bool {
        self.windows > 0
    }

    pub(super) const fn line(&self) -> &RoomMap {
        &self.line
    }

    pub(super) fn round_trip(&self) -> Span {
        self.round_trips.lowest()
    }

    pub(super) fn direction(&self, direction: Direction) -> DirectionState {
        match direction {
            Direction::Up => self.up.state(),
            Direction::Down => self.down.state(),
        }
    }

    pub(super) fn error_us(&self, now: LocalTime) -> f64 {
        let mut filter = self.filter.clone();
        filter.predict((now - self.line_at).secs_f64().max(0.0), SKEW_WANDER_PPM);
        filter.variance(OFFSET).sqrt()
    }

    fn note(&mut self, exchange: &Exchange, round_trip: Span) {
        self.window.count(exchange.received);
        self.round_trips.note(round_trip);
        let up = grid_micros(self.line.grid(exchange.sent), exchange.relay_received);
        let down = grid_micros(exchange.relay_sent, self.line.grid(exchange.received));
        if self.is_locked() && up.min(down) < IMPOSSIBLE_US {
            self.impossible += 1;
            return;
        }
        self.impossible = 0;
        self.up.note(up, exchange.sent);
        self.down.note(down, exchange.received);
    }

    /// A short window first, so that offset and skew are soon known; then long ones, which see through queues.
    const fn window_length(&self) -> Span {
        const FIRST: Span = Span::from_millis(200);
        const LATER: Span = Span::from_millis(500);
        if self.is_locked() { LATER } else { FIRST }
    }

    fn close_window(&mut self, now: LocalTime, up: Quickest, down: Quickest) -> Step {
        let passed = (now - self.line_at).secs_f64().max(0.0);
        self.filter.predict(passed, SKEW_WANDER_PPM);
        self.doubt_both_paths(PATH_WANDER_US.powi(2) * passed);
        let was_locked = self.is_locked();
        self.windows = self.windows.saturating_add(1);
        // What is measured at the quickest datagram is asked of the line at `now`: the skew in between is in doubt too.
        let up_row = [1.0, -(now - up.at).secs_f64(), 1.0, 0.0];
        let down_row = [-1.0, (now - down.at).secs_f64(), 0.0, 1.0];
        let up_residual = up.micros - self.up.base;
        let down_residual = down.micros - self.down.base;
        let up_gate = self.gate(&self.up, &up_row);
        let down_gate = self.gate(&self.down, &down_row);
        let mut correction = [0.0; 4];
        let event = match (up_residual.abs() <= up_gate, down_residual.abs() <= down_gate) {
            (true, true) => {
                self.clear_runs();
                self.up.learn_spread(up_residual);
                self.down.learn_spread(down_residual);
                self.take(&mut correction, &up_row, up_residual, self.up.variance());
                self.take(&mut correction, &down_row, down_residual, self.down.variance());
                None
            }
            (true, false) => {
                self.up.run.clear();
                self.clock_run.clear();
                self.take(&mut correction, &up_row, up_residual, self.up.variance());
                self.suspect_path(Direction::Down, down_residual)
            }
            (false, true) => {
                self.down.run.clear();
                self.clock_run.clear();
                self.take(&mut correction, &down_row, down_residual, self.down.variance());
                self.suspect_path(Direction::Up, up_residual)
            }
            (false, false) if (up_residual + down_residual).abs() <= up_gate + down_gate => {
                self.up.run.clear();
                self.down.run.clear();
                match self.suspect_clock((up_residual - down_residual) / 2.0, &mut correction) {
                    Step::Lost => return Step::Lost,
                    Step::Event(event) => Some(event),
                    Step::Nothing => None,
                }
            }
            (false, false) => {
                self.clock_run.clear();
                let first = self.suspect_path(Direction::Up, up_residual);
                let second = self.suspect_path(Direction::Down, down_residual);
                first.or(second)
            }
        };
        self.fold(now, &correction);
        if !was_locked {
            // The quickest of a longer window is quicker, and steadier.
            self.up.relearn_spread();
            self.down.relearn_spread();
            self.doubt_both_paths(LONGER_WINDOW_US.powi(2));
        }
        match event {
            _ if !was_locked => Step::Event(RoomEvent::Locked),
            Some(event) => Step::Event(event),
            None => Step::Nothing,
        }
    }

    /// A steady disagreement of one direction is its path; an unsteady one is a queue, and waits.
    fn suspect_path(&mut self, direction: Direction, residual: f64) -> Option<RoomEvent> {
        let (watch, state) = match direction {
            Direction::Up => (&mut self.up, UP),
            Direction::Down => (&mut self.down, DOWN),
        };
        let steady = STEADY_US.max(STEADY_SPREADS * watch.variance().sqrt());
        watch.run.push(residual);
        if watch.run.spread() > steady {
            watch.run.clear();
            watch.run.push(residual);
        }
        if watch.run.count() < PATH_RUN {
            return None;
        }
        let by = watch.run.mean();
        let doubt = watch.run.spread().powi(2) + watch.variance();
        watch.base += by;
        watch.run.clear();
        self.filter.doubt(state, state, doubt);
        Some(RoomEvent::PathMoved { direction, by: Span::from_secs_f64(by * 1e-6) })
    }

    /// Equal and opposite disagreements are the clock itself.
    fn suspect_clock(&mut self, by: f64, correction: &mut [f64; 4]) -> Step {
        self.clock_run.push(by);
        if self.clock_run.spread() > 2.0 * STEADY_US {
            self.clock_run.clear();
            self.clock_run.push(by);
        }
        if self.clock_run.count() < CLOCK_RUN {
            return Step::Nothing;
        }
        if by.abs() > CLOCK_MOVE_MAX_US {
            return Step::Lost;
        }
        self.filter.doubt(OFFSET, OFFSET, STEADY_US * STEADY_US);
        self.filter.doubt(SKEW, SKEW, 1.0);
        self.clock_run.clear();
        correction[OFFSET] += by;
        Step::Event(RoomEvent::ClockMoved { by: Span::from_secs_f64(by * 1e-6) })
    }

    fn take(&mut self, correction: &mut [f64; 4], row: &[f64; 4], residual: f64, variance: f64) {
        let expected: f64 = row.iter().zip(&*correction).map(|(weight, so_far)| weight * so_far).sum();
        let more = self.filter.correct(row, residual - expected, variance);
        for (so_far, more) in correction.iter_mut().zip(more) {
            *so_far += more;
        }
    }

    fn fold(&mut self, now: LocalTime, correction: &[f64; 4]) {
        let [offset, skew, up, down] = *correction;
        self.line = self.line.corrected(now, offset, skew);
        self.line_at = now;
        self.up.base += up;
        self.down.base += down;
    }

    fn gate(&self, watch: &Watch, row: &[f64; 4]) -> f64 {
        let spread = watch.variance().sqrt();
        (GATE_SPREADS * spread).clamp(GATE_LOWEST_US, GATE_HIGHEST_US)
            + GATE_DOUBTS * self.filter.variance_of(row).sqrt()
    }

    fn doubt_both_paths(&mut self, variance: f64) {
        self.filter.doubt(UP, UP, variance);
        self.filter.doubt(DOWN, DOWN, variance);
        self.filter.doubt(UP, DOWN, variance);
    }

    fn clear_runs(&mut self) {
        self.up.run.clear();
        self.down.run.clear();
        self.clock_run.clear();
    }
}

/// How much of a window has passed.
#[derive(Clone, Copy, Debug)]
struct Window {
    began: LocalTime,
    last: LocalTime,
    exchanges: u32,
}

impl Window {
    /// A longer silence makes what was gathered before it too old.
    const SILENCE_MAX: Span = Span::from_millis(2_000);
    /// Fewer exchanges say little of the path, so that a slow link waits, but not for ever.
    const EXCHANGES_MIN: u32 = 8;
    const PATIENCE: Span = Span::from_millis(4_000);

    const fn begin(now: LocalTime) -> Self {
        Self { began: now, last: now, exchanges: 0 }
    }

    const fn count(&mut self, now: LocalTime) {
        self.last = now;
        self.exchanges = self.exchanges.saturating_add(1);
    }

    fn is_over(&self, length: Span) -> bool {
        let passed = self.last - self.began;
        passed >= length && (self.exchanges >= Self::EXCHANGES_MIN || passed >= Self::PATIENCE)
    }
}

/// The shortest round trip of the last windows.
#[derive(Clone, Copy, Debug)]
struct RoundTrips {
    recent: [Span; Self::WINDOWS],
}

impl RoundTrips {
    const WINDOWS: usize = 8;

    const fn new(first: Span) -> Self {
        Self { recent: [first; Self::WINDOWS] }
    }

    fn note(&mut self, round_trip: Span) {
        self.recent[0] = self.recent[0].min(round_trip);
    }

    fn next_window(&mut self) {
        self.recent.rotate_right(1);
        self.recent[0] = Span::from_nanos(i64::MAX);
    }

    fn lowest(&self) -> Span {
        self.recent.into_iter().fold(Span::from_nanos(i64::MAX), Span::min)
    }
}

fn micros(span: Span) -> f64 {
    span.secs_f64() * 1e6
}

fn grid_micros(from: GridPosition, to: GridPosition) -> f64 {
    to.frames_since(from) / f64::from(GRID_RATE) * 1e6
}

fn moved(position: GridPosition, micros: f64) -> GridPosition {
    position.plus_f64(micros * 1e-6 * f64::from(GRID_RATE))
}
