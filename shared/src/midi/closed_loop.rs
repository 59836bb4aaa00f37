//! The loop that no cable has: the plugin inside a DAW that follows sees where the DAW really is.
//!
//! A DAW that follows a MIDI clock is late by its input's latency, its driver's and its smoothing, and nobody but the
//! DAW knows by how much. Its transport does: each block says a beat, the timeline says which beat it should be, and the
//! difference is how much earlier the ticks must be.
//!
//! ```text
//! timeline -> Ticker -> F8 .. F8 -> DAW -> its transport, each block
//!               ^                              |
//!               '---- correction <- ClosedLoop '  error = host's beat - line's beat, never wrapped
//! ```
//!
//! A DAW answers late and smoothly, so the loop does not chase it. *Acquire*: watch until it has settled, correct by all of
//! it, wait until the ticker has glided there, look again. *Track*: follow slowly. *Hold*: within a quarter of a
//! millisecond do nothing, until it is more than half a millisecond out. *Lost*: nothing to see or nothing to do about it;
//! the last correction stays, as an open loop.
//!
//! A DAW that has just started shows nearly all of its latency at once, and is heard to be late until it is in time. So
//! the first glimpse of it, a tenth of a second, is corrected before anything has settled, and until it has been in
//! time the ticker hurries. Later on it glides gently, whatever happens. What was learned stays for the next start.
//!
//! The error is never wrapped: a DAW that is a beat or a bar away is in a wrong place, not in time. It is sent there
//! again, once; if that does not help, or Continue does not set it going, it is started on a bar line instead.
//!
//! Real-time: yes. Bound: one search of the timeline an observation, no allocation.

use super::ticker::{Settings, Slew, Starts, Ticker};
use super::watch::Watch;
use crate::time::{GRID_RATE, GridPosition};
use crate::timeline::author::Reading;
use crate::timeline::{Motion, Timeline};

/// The closed loop of one DAW. See the module's page.
#[derive(Clone, Debug)]
pub struct ClosedLoop {
    state: LoopState,
    /// What Acquire has seen since the ticker stood still.
    watch: Watch,
    since_start: SinceStart,
    correction_frames: f64,
    /// Smoothed, frames; positive is a host that is ahead.
    error_frames: Option<f64>,
    /// The last observation that could be compared.
    seen: Option<GridPosition>,
    /// Since when the follower should run and does not.
    standing: Option<GridPosition>,
    /// Since when the error has been beyond what the state tolerates.
    out: Option<GridPosition>,
    /// Since when Track has had nothing to correct.
    within: Option<GridPosition>,
    remedies: Remedies,
    wanted: Option<Remedy>,
}

/// How far the loop is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoopState {
    /// Correcting by whole errors.
    Acquire,
    /// Following slowly.
    Track,
    /// In time.
    Hold,
    /// Open: no transport to see, or none that follows.
    Lost,
}

/// What the DAW's transport says at a place of the grid: where its block begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observation {
    /// The place.
    pub at: GridPosition,
    /// The DAW's position in quarter notes.
    pub quarters: f64,
    /// Whether it plays.
    pub motion: Motion,
}

impl Default for ClosedLoop {
    fn default() -> Self {
        Self::new()
    }
}

impl Observation {
    /// What a reading shows of the DAW; nothing where it names no position.
    #[must_use]
    pub fn of(reading: &Reading) -> Option<Self> {
        let quarters = reading.quarters.filter(|quarters| quarters.is_finite())?;
        Some(Self { at: reading.start, quarters, motion: reading.motion })
    }
}

/// What has become of the host since it was set going.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SinceStart {
    Unseen,
    Glimpsed,
    InTime,
}

/// What has been tried against a wrong place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Remedies {
    Untried,
    Relocated,
    Exhausted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Remedy {
    Relocate,
    StartOnBarLine,
}

/// The host's beat as the loop compares it.
struct Compared {
    at: GridPosition,
    /// How far the host is ahead.
    error: f64,
    /// By how much the ticker has yet to glide later.
    pending: f64,
    /// Frames of a quarter note.
    quarter: f64,
}

const SECOND: f64 = GRID_RATE as f64;
const MILLISECOND: f64 = SECOND / 1_000.0;
/// A host that is out by no more than this has been acquired.
const ACQUIRED: f64 = 0.5 * MILLISECOND;
/// Further out than this, Track and Hold acquire again.
const AWAY: f64 = 3.0 * MILLISECOND;
/// For how long it must be out.
const AWAY_FOR: f64 = 0.5 * SECOND;
/// Track's time constant.
const TRACK: f64 = 2.0 * SECOND;
/// The smoothing of the error that is shown and judged.
const SMOOTH: f64 = 0.25 * SECOND;
/// Hold begins after Track's time constant within this much, and ends beyond twice as much that lasts.
const DEAD_BAND: f64 = 0.25 * MILLISECOND;
/// For how long Hold bears it.
const HOLD_FOR: f64 = 2.0 * SECOND;
/// No host is this late: it is in a wrong place.
const WRONG_PLACE: f64 = 0.1 * SECOND;
/// As far as a ticker is corrected.
const CORRECTION_MOST: f64 = 0.25 * SECOND;
/// Without a transport to see for this long, the loop is open.
const SILENCE: f64 = SECOND;
/// A glide of less than this is none.
const GLIDING: f64 = 0.2 * MILLISECOND;
/// Quarter notes that a host may take to move after its first tick.
const PATIENCE_QUARTERS: f64 = 2.0;

impl ClosedLoop {
    /// A loop that has learned nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            state: LoopState::Lost,
            watch: Watch::new(),
            since_start: SinceStart::Unseen,
            correction_frames: 0.0,
            error_frames: None,
            seen: None,
            standing: None,
            out: None,
            within: None,
            remedies: Remedies::Untried,
            wanted: None,
        }
    }

    /// Takes what the host's transport says, and the line and clock that it follows.
    pub fn observe(&mut self, seen: Observation, line: &Timeline, ticker: &Ticker) {
        let Some(origin) = ticker.follower_origin() else {
            // Nothing is to follow. What was learned stays for the next start.
            self.rest();
            return;
        };
        let meant = line.place(seen.at.plus_f64(-ticker.offset().frames()));
        // Ticks are early or late by the shift: near a start or stop there is nothing to compare yet.
        let ticked = line.place(seen.at.plus_f64(-ticker.shift_frames(seen.at)));
        let comparable = |motion| motion == Motion::Playing;
        if !comparable(meant.motion) || !comparable(ticked.motion) || meant.epoch != ticked.epoch {
            return;
        }
        let pace = meant.pace.quarters_per_frame();
        let quarter = 1.0 / pace;
        let error = (seen.quarters + origin.quarters() - meant.beats.quarters()) / pace;
        if seen.motion == Motion::Stopped || !error.is_finite() {
            self.stand(seen.at, quarter, ticker.settings());
            return;
        }
        self.standing = None;
        let applied = ticker.shift_frames(seen.at) - ticker.offset().frames();
        let pending = self.correction_frames - applied;
        self.compare(&Compared { at: seen.at, error, pending, quarter }, ticker.settings());
    }

    /// Time has passed, with or without a transport to see.
    pub fn advance(&mut self, now: GridPosition) {
        if self.seen.is_some_and(|seen| now.frames_since(seen) > SILENCE) {
            self.lose();
        }
    }

    /// Gives the ticker its correction, and whatever else the host needs.
    pub fn steer(&mut self, ticker: &mut Ticker) {
        let slew = match (self.state, self.since_start) {
            (LoopState::Acquire, SinceStart::Unseen | SinceStart::Glimpsed) => Slew::Hurried,
            (LoopState::Acquire, SinceStart::InTime)
            | (LoopState::Track | LoopState::Hold | LoopState::Lost, _) => Slew::Gentle,
        };
        ticker.set_correction(self.correction_frames, slew);
        match self.wanted.take() {
            None => {}
            Some(Remedy::Relocate) => ticker.relocate(),
            Some(Remedy::StartOnBarLine) => {
                ticker.set_settings(Settings { starts: Starts::OnBarLine, ..*ticker.settings() });
                ticker.relocate();
            }
        }
    }

    /// How far the loop is.
    #[must_use]
    pub const fn state(&self) -> LoopState {
        self.state
    }

    /// The correction of the ticker in frames of the grid, positive is later.
    #[must_use]
    pub const fn correction_frames(&self) -> f64 {
        self.correction_frames
    }

    /// By how many milliseconds the host is ahead of where it is meant to be, smoothed; `None` while the loop is open.
    #[must_use]
    pub fn error_ms(&self) -> Option<f64> {
        self.error_frames.filter(|_| self.state != LoopState::Lost).map(|frames| frames / MILLISECOND)
    }

    /// The follower has been stopped: the loop pauses.
    const fn rest(&mut self) {
        self.standing = None;
        self.seen = None;
        self.since_start = SinceStart::Unseen;
        self.lose();
    }

    const fn lose(&mut self) {
        self.state = LoopState::Lost;
        self.watch = Watch::new();
        self.error_frames = None;
        self.seen = None;
        self.out = None;
        self.within = None;
    }

    /// The host should run and does not.
    fn stand(&mut self, at: GridPosition, quarter: f64, settings: &Settings) {
        let since = *self.standing.get_or_insert(at);
        if at.frames_since(since) < PATIENCE_QUARTERS * quarter {
            return;
        }
        self.lose();
        self.standing = Some(at);
        // A host that does not even obey Start does not listen: its external sync is off.
        self.remedy(match settings.starts {
            Starts::Anywhere => Some(Remedy::StartOnBarLine),
            Starts::OnBarLine => None,
        });
    }

    fn compare(&mut self, now: &Compared, settings: &Settings) {
        let passed = self.seen.map_or(0.0, |seen| now.at.frames_since(seen)).clamp(0.0, SECOND);
        let part = (passed / SMOOTH).min(1.0);
        let smooth = self.error_frames.map_or(now.error, |smooth| smooth + (now.error - smooth) * part);
        self.error_frames = Some(smooth);
        self.seen = Some(now.at);
        match self.state {
            LoopState::Lost => self.acquire(),
            LoopState::Acquire => self.acquire_more(now, settings),
            LoopState::Track => self.track(now, smooth, passed),
            LoopState::Hold => self.hold(now, smooth),
        }
    }

    const fn acquire(&mut self) {
        self.state = LoopState::Acquire;
        self.watch = Watch::new();
        self.out = None;
    }

    fn acquire_more(&mut self, now: &Compared, settings: &Settings) {
        if now.pending.abs() > GLIDING {
            self.watch = Watch::new();
            return;
        }
        let Some(mean) = self.watch.take(now.at, now.error) else { return };
        if self.since_start == SinceStart::Unseen {
            self.since_start = SinceStart::Glimpsed;
            if (AWAY..=WRONG_PLACE).contains(&mean.abs()) {
                return self.correct(mean);
            }
        }
        if let Some(settled) = self.watch.settled(now.at, now.quarter) {
            self.judge(settled, settings);
        }
    }

    /// Corrects by all of an error, if that can be.
    fn correct(&mut self, error: f64) {
        self.watch = Watch::new();
        let corrected = self.correction_frames + error;
        if corrected.abs() > CORRECTION_MOST {
            // Not a matter of time, and nothing else has helped.
            return self.lose();
        }
        self.correction_frames = corrected;
        self.error_frames = None;
    }

    /// The host has settled: it is in a wrong place, out of time, or in time.
    fn judge(&mut self, error: f64, settings: &Settings) {
        self.watch = Watch::new();
        if error.abs() > WRONG_PLACE && self.remedies != Remedies::Exhausted {
            let remedy = match (self.remedies, settings.starts) {
                (Remedies::Untried, _) => Some(Remedy::Relocate),
                (Remedies::Relocated | Remedies::Exhausted, Starts::Anywhere) => Some(Remedy::StartOnBarLine),
                (Remedies::Relocated | Remedies::Exhausted, Starts::OnBarLine) => None,
            };
            return self.remedy(remedy);
        }
        self.correct(error);
        if error.abs() < ACQUIRED && self.state == LoopState::Acquire {
            self.remedies = Remedies::Untried;
            self.since_start = SinceStart::InTime;
            self.state = LoopState::Track;
        }
    }

    fn remedy(&mut self, remedy: Option<Remedy>) {
        self.wanted = remedy;
        self.remedies = match remedy {
            Some(Remedy::Relocate) => Remedies::Relocated,
            Some(Remedy::StartOnBarLine) | None => Remedies::Exhausted,
        };
    }

    fn track(&mut self, now: &Compared, smooth: f64, passed: f64) {
        if self.stays_beyond(AWAY, AWAY_FOR, now.at, smooth) {
            return self.acquire();
        }
        // What has yet to be glided is not measured again, and what is far away is not a matter of tracking.
        let missing = smooth - now.pending;
        if missing.abs() <= AWAY {
            let corrected = self.correction_frames + missing * (passed / TRACK).min(1.0);
            self.correction_frames = corrected.clamp(-CORRECTION_MOST, CORRECTION_MOST);
        }
        if missing.abs() > DEAD_BAND {
            self.within = None;
        } else if now.at.frames_since(*self.within.get_or_insert(now.at)) >= TRACK {
            self.within = None;
            self.state = LoopState::Hold;
        }
    }

    fn hold(&mut self, now: &Compared, smooth: f64) {
        if smooth.abs() > AWAY {
            self.state = LoopState::Track;
        } else if self.stays_beyond(2.0 * DEAD_BAND, HOLD_FOR, now.at, smooth) {
            self.state = LoopState::Track;
            self.out = None;
        }
    }

    /// Whether the error has been beyond `most` for `frames`.
    fn stays_beyond(&mut self, most: f64, frames: f64, at: GridPosition, error: f64) -> bool {
        if error.abs() <= most {
            self.out = None;
            return false;
        }
        at.frames_since(*self.out.get_or_insert(at)) >= frames
    }
}
