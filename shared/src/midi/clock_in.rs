//! A MIDI clock that arrives at an endpoint, measured.
//!
//! A tick's time of arrival jitters by milliseconds, but its *number* is exact. So the estimator is a line through
//! (number, time): it predicts when the next tick is due and moves the line's phase and period by a part of the
//! surprise. The parts are those of a least-squares line through all ticks so far,
//!
//! ```text
//! phase  += (4n - 2) / (n (n + 1)) * surprise        n = 2, 3, .. LOCKED_TICKS
//! period +=      6   / (n (n + 1)) * surprise
//! ```
//!
//! which is as fast as can be while there is little to go by; once `n` stops growing it is a slow second-order loop.
//! A surprise is clamped to what the line has seen lately, so one late tick moves nothing; many on one side are a
//! change of tempo, and `n` goes back to a few.
//!
//! Counting: a tick about a whole period early is a *doubled* one and is passed over, one about whole periods late
//! follows *lost* ones, which are counted as if they had come. Three intervals that agree with each other and not with
//! the line are no accident but another tempo: what was corrected in them is taken back and the line starts anew.
//!
//! Real-time: yes. Bound: constant work an event, no allocation.

use crate::time::convert::{f64_from_i64, f64_from_usize, i64_round};
use crate::time::{LocalTime, Span};

use super::realtime::Realtime;

/// A measured incoming clock. See the module's page.
#[derive(Clone, Debug, Default)]
pub struct ClockIn {
    line: Option<Line>,
    /// The number of the last tick, or of the one before the next while nothing has ticked since a transport event.
    last: i64,
    motion: Motion,
    counters: Counters,
}

/// What was wrong with the ticks so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Ticks that did not come and were counted nevertheless.
    pub lost: u32,
    /// Ticks that came twice and were passed over.
    pub doubled: u32,
    /// Changes of tempo that made the line start anew.
    pub restarts: u32,
}

/// The clock at one instant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// Position in quarter notes.
    pub quarters: f64,
    /// Quarter notes a minute.
    pub bpm: f64,
    /// Whether the transport runs. False when the ticks stay away.
    pub playing: bool,
    /// 0 (a guess) to 1 (as good as it gets): rises with the number of ticks, falls with their scatter.
    pub confidence: f64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Motion {
    #[default]
    Stopped,
    /// Start or Continue came; the next tick is the downbeat.
    Starting,
    Playing,
}

/// The line through the ticks. Times are nanoseconds since `origin`, so that `f64` holds them well.
#[derive(Clone, Debug)]
struct Line {
    /// When the last tick was due.
    due: LocalTime,
    /// What `due` leaves over of a nanosecond.
    due_fraction: f64,
    /// Nanoseconds from tick to tick.
    period: f64,
    ticks: u32,
    /// Mean surprise without its sign, nanoseconds.
    scatter: f64,
    /// Surprises of one side gathered beyond what scatter explains.
    late: f64,
    early: f64,
    recent: Recent,
}

/// The last arrivals as they were, and what was made of them.
#[derive(Clone, Copy, Debug)]
struct Recent {
    last: LocalTime,
    /// Nanoseconds between arrivals, and ticks counted beyond one for each, newest first.
    intervals: [Interval; RECENT],
    filled: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Interval {
    nanos: f64,
    /// Lost ticks that were counted, or -1 for a doubled one that was not.
    corrected: i64,
}

const RECENT: usize = 3;
/// Ticks that a locked line averages over: eight quarter notes.
const LOCKED_TICKS: u32 = 192;
/// Ticks that remain in a line whose tempo has changed.
const CHANGED_TICKS: u32 = 6;
/// Scatter below which no clock is trusted, nanoseconds: what a USB frame leaves.
const SCATTER_LEAST: f64 = 100_000.0;
/// Surprises beyond this many times the scatter are cut to it.
const OUTLIER: f64 = 3.0;
/// Gathered surprise, in scatters, that tells a change of tempo from jitter.
const CHANGE: f64 = 14.0;
/// From this part of a period on, an early tick is a doubled one and a late one follows a lost one.
const ODD_PART: f64 = 0.6;
/// Recent intervals further than this part from the period, and closer to each other than to it, are another tempo.
const STEP_PART: f64 = 0.06;
/// Periods without a tick after which the clock has gone: a quarter note.
const SILENCE_PERIODS: f64 = 24.0;
/// The longest period taken from two ticks, nanoseconds: 20 quarter notes a minute.
const PERIOD_MOST: f64 = 125e6;
/// The shortest: 999 quarter notes a minute.
const PERIOD_LEAST: f64 = 2.5e6;
const TICKS_PER_QUARTER: f64 = 24.0;
const NANOS_PER_MINUTE: f64 = 60e9;

impl ClockIn {
    /// Takes an event that arrived at `now`.
    ///
    /// Real-time: yes. Bound: constant work.
    pub fn handle(&mut self, now: LocalTime, event: Realtime) {
        match event {
            Realtime::Clock => self.tick(now),
            Realtime::Start => {
                self.last = -1;
                self.motion = Motion::Starting;
            }
            Realtime::Continue => self.motion = Motion::Starting,
            Realtime::Stop => self.motion = Motion::Stopped,
            Realtime::SongPosition(position) => self.last = position.ticks() - 1,
        }
    }

    /// Counts a tick of which something else than its arrival tells: that it was, and not when.
    ///
    /// Real-time: yes. Bound: constant work.
    pub fn count_tick(&mut self) {
        match self.motion {
            Motion::Stopped => {}
            Motion::Starting => {
                self.last += 1;
                self.motion = Motion::Playing;
            }
            Motion::Playing => self.last += 1,
        }
        // A line of one tick has no period to move on by: the next tick begins it anew.
        self.line = self.line.take().filter(|line| line.ticks >= 2);
        if let Some(line) = &mut self.line {
            line.recent.last += Span::from_nanos(i64_round(line.period));
            line.advance(line.period);
        }
    }

    /// Where the clock is at `at`; `None` before two ticks.
    ///
    /// Real-time: yes. Bound: constant work.
    #[must_use]
    pub fn reading(&self, at: LocalTime) -> Option<Reading> {
        let line = self.line.as_ref().filter(|line| line.ticks >= 2)?;
        let periods = line.periods_since_due(at);
        let gone = periods > SILENCE_PERIODS;
        let ticks = match self.motion {
            // The next tick is the downbeat, so nothing moves until it comes.
            Motion::Stopped | Motion::Starting => f64_from_i64(self.last + 1),
            Motion::Playing => f64_from_i64(self.last) + periods.min(SILENCE_PERIODS),
        };
        Some(Reading {
            quarters: ticks / TICKS_PER_QUARTER,
            bpm: NANOS_PER_MINUTE / (line.period * TICKS_PER_QUARTER),
            playing: self.motion == Motion::Playing && !gone,
            confidence: if gone { 0.0 } else { line.confidence() },
        })
    }

    /// What was wrong with the ticks so far.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    fn tick(&mut self, now: LocalTime) {
        let step = self.step(now);
        match self.motion {
            Motion::Stopped => {}
            Motion::Starting => {
                self.last += 1;
                self.motion = Motion::Playing;
                if let Some(line) = &mut self.line {
                    // What was corrected before concerns no position any more.
                    line.recent.filled = 0;
                }
            }
            Motion::Playing => self.last += step,
        }
    }

    /// Folds a tick into the line; how many ticks the song moves on.
    fn step(&mut self, now: LocalTime) -> i64 {
        let Some(line) = self.line.as_mut().filter(|line| line.periods_since_due(now) <= SILENCE_PERIODS)
        else {
            self.line = Some(Line::from(now));
            return 1;
        };
        if line.ticks < 2 {
            line.take_second(now);
            return 1;
        }
        line.recent.arrive(now);
        if let Some(period) = line.recent.another_period(line.period, line.scatter) {
            let corrected = line.recent.corrected();
            *line = Line { period, ticks: CHANGED_TICKS, ..Line::from(now) };
            self.counters.take_back(corrected);
            return 1 - corrected.lost + corrected.doubled;
        }
        let surprise = line.surprise(now, 1);
        let odd_by = surprise / line.period;
        if line.ticks < CHANGED_TICKS || odd_by.abs() < ODD_PART {
            if line.fold(surprise, 1) {
                self.counters.restarts += 1;
            }
            return 1;
        }
        if odd_by < 0.0 {
            line.recent.intervals[0].corrected = -1;
            self.counters.doubled += 1;
            return 0;
        }
        let lost = i64_round(odd_by).max(1);
        line.recent.intervals[0].corrected = lost;
        self.counters.lost += u32::try_from(lost).unwrap_or(0);
        let surprise = line.surprise(now, lost + 1);
        line.fold(surprise, lost + 1);
        lost + 1
    }
}

#[derive(Clone, Copy)]
struct Corrected {
    lost: i64,
    doubled: i64,
}

impl Counters {
    fn take_back(&mut self, corrected: Corrected) {
        self.lost = self.lost.saturating_sub(u32::try_from(corrected.lost).unwrap_or(0));
        self.doubled = self.doubled.saturating_sub(u32::try_from(corrected.doubled).unwrap_or(0));
        self.restarts += 1;
    }
}

impl Recent {
    fn from(now: LocalTime) -> Self {
        Self { last: now, intervals: [Interval::default(); RECENT], filled: 0 }
    }

    fn arrive(&mut self, now: LocalTime) {
        self.intervals.rotate_right(1);
        self.intervals[0] = Interval { nanos: f64_from_i64((now - self.last).nanos()), corrected: 0 };
        self.last = now;
        self.filled = (self.filled + 1).min(RECENT);
    }

    /// The period of a tempo that has stepped away from `period`.
    fn another_period(&self, period: f64, scatter: f64) -> Option<f64> {
        let nanos = self.intervals.map(|interval| interval.nanos);
        let mean = nanos.iter().sum::<f64>() / f64_from_usize(RECENT);
        let spread = nanos.iter().fold(0.0_f64, |spread, each| spread.max((each - mean).abs()));
        let apart = (mean - period).abs();
        let stepped = self.filled == RECENT && apart > (STEP_PART * period).max(OUTLIER * scatter);
        (stepped && 3.0 * spread < apart).then(|| mean.clamp(PERIOD_LEAST, PERIOD_MOST))
    }

    fn corrected(&self) -> Corrected {
        let sum = |part: fn(i64) -> i64| self.intervals.iter().map(|each| part(each.corrected).max(0)).sum();
        Corrected { lost: sum(|corrected| corrected), doubled: sum(|corrected| -corrected) }
    }
}

impl Line {
    fn from(now: LocalTime) -> Self {
        Self {
            due: now,
            due_fraction: 0.0,
            period: PERIOD_MOST,
            ticks: 1,
            scatter: SCATTER_LEAST,
            late: 0.0,
            early: 0.0,
            recent: Recent::from(now),
        }
    }

    fn take_second(&mut self, now: LocalTime) {
        self.period = f64_from_i64((now - self.due).nanos()).clamp(PERIOD_LEAST, PERIOD_MOST);
        self.due = now;
        self.ticks = 2;
        self.recent.arrive(now);
    }

    fn periods_since_due(&self, at: LocalTime) -> f64 {
        (f64_from_i64((at - self.due).nanos()) - self.due_fraction) / self.period
    }

    /// How much later than due, in nanoseconds, the tick `steps` after the last one came.
    fn surprise(&self, now: LocalTime, steps: i64) -> f64 {
        (self.periods_since_due(now) - f64_from_i64(steps)) * self.period
    }

    /// Moves the line on by `steps` ticks and towards the last; whether its tempo was found to have changed.
    fn fold(&mut self, surprise: f64, steps: i64) -> bool {
        let moderate = if self.ticks < CHANGED_TICKS {
            surprise
        } else {
            let most = OUTLIER * self.scatter;
            surprise.clamp(-most, most)
        };
        let changed = self.gather(moderate);
        if changed {
            self.ticks = CHANGED_TICKS;
        }
        self.ticks = (self.ticks + 1).min(LOCKED_TICKS);
        let n = f64::from(self.ticks);
        let used = if changed { surprise } else { moderate };
        let phase = (4.0 * n - 2.0) / (n * (n + 1.0)) * used;
        self.advance(self.period * f64_from_i64(steps) + phase);
        self.period = (self.period + 6.0 / (n * (n + 1.0)) * used).clamp(PERIOD_LEAST, PERIOD_MOST);
        changed
    }

    /// Two cumulative sums tell a tempo that moved from jitter, which has both signs.
    fn gather(&mut self, surprise: f64) -> bool {
        let scaled = surprise / self.scatter;
        self.scatter = (self.scatter + (surprise.abs() - self.scatter) / 24.0).max(SCATTER_LEAST);
        self.late = (self.late + scaled - 1.0).max(0.0);
        self.early = (self.early - scaled - 1.0).max(0.0);
        let changed = self.ticks > 2 * CHANGED_TICKS && self.late.max(self.early) > CHANGE;
        if changed {
            (self.late, self.early) = (0.0, 0.0);
        }
        changed
    }

    fn advance(&mut self, nanos: f64) {
        let moved = nanos + self.due_fraction;
        let whole = i64_round(moved);
        self.due += Span::from_nanos(whole);
        self.due_fraction = moved - f64_from_i64(whole);
    }

    /// The share of the wanted ticks, less what scatter makes of a period.
    fn confidence(&self) -> f64 {
        let seen = f64::from(self.ticks.min(LOCKED_TICKS)) / f64::from(LOCKED_TICKS);
        seen * (1.0 - (self.scatter / self.period).min(1.0))
    }
}
