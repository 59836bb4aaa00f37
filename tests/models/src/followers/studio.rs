//! One member's studio: the ticker that drives a DAW by bytes, the DAW, and the plugin inside it.

use lockstep_shared::midi::{ClosedLoop, LoopState, Realtime, Settings, Ticker, Window};
use lockstep_shared::time::convert::f64_from_usize;
use lockstep_shared::time::{GRID_RATE, GridFrame, GridPosition};
use lockstep_shared::timeline::{Motion, Timeline};

use super::{Follower, Kind};

/// Whether the plugin inside the DAW corrects the ticker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Correction {
    /// The clock is as the timeline says.
    OpenLoop,
    /// The plugin sees its DAW.
    ClosedLoop,
}

/// A studio.
#[derive(Clone, Debug)]
pub struct Studio {
    /// The clock.
    pub ticker: Ticker,
    /// The DAW.
    pub follower: Follower,
    /// What watches it.
    pub closed_loop: ClosedLoop,
    correction: Correction,
    now: i64,
    /// Everything that was emitted, in frames of the grid.
    pub emitted: Vec<(f64, Realtime)>,
    /// How far the DAW was ahead of the line wherever both played: frames of the grid, milliseconds.
    pub errors: Vec<(f64, f64)>,
}

/// Frames in a block of the DAW, and of the ticker's polls.
const BLOCK: i64 = 256;

impl Studio {
    /// A studio at grid frame 0.
    #[must_use]
    pub fn new(kind: Kind, settings: Settings, correction: Correction, seed: u64) -> Self {
        Self {
            ticker: Ticker::new(settings),
            follower: Follower::new(kind, seed),
            closed_loop: ClosedLoop::new(),
            correction,
            now: 0,
            emitted: Vec::new(),
            errors: Vec::new(),
        }
    }

    /// Lets everything run up to grid frame `to`.
    pub fn run(&mut self, line: &Timeline, to: i64) {
        while self.now < to {
            let position = |frame| GridFrame(frame).position();
            let window = Window { from: position(self.now), to: position(self.now + BLOCK) };
            let (emitted, follower) = (&mut self.emitted, &mut self.follower);
            self.ticker.poll(Some(line), window, &mut |at, event| {
                emitted.push((at.frames_since(GridPosition::from_raw(0)), event));
                follower.receive(at, event.encode().as_slice());
            });
            self.observe(line, window.from);
            self.now += BLOCK;
        }
    }

    /// The frame that has been reached.
    #[must_use]
    pub const fn now(&self) -> i64 {
        self.now
    }

    /// The given part of the errors' magnitudes from grid frame `from` on is no larger: milliseconds.
    #[must_use]
    pub fn error_quantile(&self, from: i64, quantile: f64) -> f64 {
        let from = GridFrame(from).position().frames_since(GridPosition::from_raw(0));
        let mut errors: Vec<f64> =
            self.errors.iter().filter(|(at, _)| *at >= from).map(|(_, error)| error.abs()).collect();
        errors.sort_by(f64::total_cmp);
        let last = f64_from_usize(errors.len().saturating_sub(1));
        let index = lockstep_shared::time::convert::usize_trunc(last * quantile);
        errors.get(index).copied().unwrap_or(f64::INFINITY)
    }

    /// From when on, in seconds of the grid, the DAW has been within so many milliseconds of the line: ninety-nine of
    /// a hundred times in each second from there on, as an input that jitters asks for.
    #[must_use]
    pub fn in_time_from(&self, milliseconds: f64) -> Option<f64> {
        let is_out = |(_, error): &(f64, f64)| error.abs() > milliseconds;
        let second = f64::from(GRID_RATE);
        let is_met = |from: usize| {
            let first = self.errors[from].0;
            let within = self.errors[from..].iter().take_while(|(at, _)| *at < first + second);
            let (count, out) =
                within.fold((0, 0), |(count, out), error| (count + 1, out + usize::from(is_out(error))));
            out * 100 <= count
        };
        let after_last = (0..self.errors.len()).rev().find(|from| !is_met(*from)).map_or(0, |last| last + 1);
        let from = after_last + self.errors.get(after_last..)?.iter().position(|error| !is_out(error))?;
        Some(self.errors[from].0 / second)
    }

    /// How far the loop is.
    #[must_use]
    pub const fn state(&self) -> LoopState {
        self.closed_loop.state()
    }

    fn observe(&mut self, line: &Timeline, at: GridPosition) {
        let seen = self.follower.transport(at);
        let place = line.place(at);
        let origin = self.ticker.follower_origin();
        if let Some(origin) =
            origin.filter(|_| seen.motion == Motion::Playing && place.motion == Motion::Playing)
        {
            let ahead = seen.quarters + origin.quarters() - place.beats.quarters();
            let milliseconds = ahead / place.pace.quarters_per_frame() * 1_000.0 / f64::from(GRID_RATE);
            self.errors.push((at.frames_since(GridPosition::from_raw(0)), milliseconds));
        }
        if self.correction == Correction::ClosedLoop {
            self.closed_loop.observe(seen, line, &self.ticker);
            self.closed_loop.advance(at);
            self.closed_loop.steer(&mut self.ticker);
        }
    }
}
