//! One piece of the line: where it begins and how it runs from there.
//!
//! A playing segment is a function from the grid to beats, and its exact inverse. Beats are whole micro-beats,
//! the position below the true place; grid positions are steps of 2^-20 frame, and even at the fastest pace a step
//! is less than a thousandth of a micro-beat. So every beat value is reached, and the first position that has it
//! is its place on the grid: `beats_at(reaches(b)) == b` for every `b`.
//!
//! With `d` steps since the segment began, `p` and `q` the paces at both ends of a ramp of `N` frames:
//!
//! ```text
//! constant      p d / 2^20                                          femto-beats
//! in the ramp   p d / 2^20 + (q - p) d^2 / (2 N 2^40)
//! after it      (p + q) N / 2 + q (d - N 2^20) / 2^20
//! ```
//!
//! Each is computed over one common denominator in `i128`: nothing is rounded but the result.

use super::{Pace, TimeSignature};
use crate::time::{Beats, GridPosition, Tempo};

/// Whether the transport moves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Motion {
    /// It stands at the segment's first beat.
    #[default]
    Stopped,
    /// It runs at the segment's pace.
    Playing,
}

/// A linear change of pace at the start of a segment; afterwards the segment keeps the last pace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ramp {
    end: Pace,
    frames: u32,
}

/// One piece of a [`super::Timeline`]: from [`Segment::at`] until the next one begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Segment {
    /// Where it begins.
    pub at: GridPosition,
    /// The beat there.
    pub beats: Beats,
    /// Whether beats run.
    pub motion: Motion,
    /// How fast they really run (from the start, when there is a ramp), or would if they ran.
    pub pace: Pace,
    /// What the leader's DAW displays there and followers' DAWs should be set to.
    pub tempo: Tempo,
    /// The change of pace from there.
    pub ramp: Option<Ramp>,
    /// How bars are counted.
    pub signature: TimeSignature,
    /// A bar line.
    pub bar_origin: Beats,
    /// Grows with every start, seek, jump and loop wrap. Within an epoch the line neither steps nor turns.
    pub epoch: u32,
}

impl Ramp {
    /// The longest ramp, 87 s: it bounds the products of the exact arithmetic below 2^126.
    pub const FRAMES_MAX: u32 = 1 << 22;

    /// A ramp to `end` over `frames` grid frames, if they lie within 1 to [`Ramp::FRAMES_MAX`].
    #[must_use]
    pub const fn new(end: Pace, frames: u32) -> Option<Self> {
        if frames == 0 || frames > Self::FRAMES_MAX { None } else { Some(Self { end, frames }) }
    }

    /// The pace that it reaches.
    #[must_use]
    pub const fn end(self) -> Pace {
        self.end
    }

    /// How long it takes, in grid frames.
    #[must_use]
    pub const fn frames(self) -> u32 {
        self.frames
    }

    const fn wide_frames(self) -> i128 {
        self.frames as i128
    }
}

const FEMTO_PER_MICRO: i128 = 1_000_000_000;
const STEP_BITS: u32 = 20;

impl Segment {
    /// A segment that stands at beat 0 from grid position `at`, with 120 BPM and four quarters a bar.
    #[must_use]
    pub fn stopped(at: GridPosition) -> Self {
        let tempo = Tempo::DEFAULT;
        Self {
            at,
            beats: Beats::default(),
            motion: Motion::Stopped,
            pace: Pace::from_tempo(tempo),
            tempo,
            ramp: None,
            signature: TimeSignature::COMMON,
            bar_origin: Beats::default(),
            epoch: 0,
        }
    }

    /// The beat at grid position `at`, rounded down to a micro-beat; the segment's first beat before it begins.
    ///
    /// Real-time: yes. Bound: a few wide multiplications.
    #[must_use]
    pub fn beats_at(&self, at: GridPosition) -> Beats {
        let steps = self.steps_to(at);
        let run = match self.motion {
            Motion::Stopped => 0,
            Motion::Playing => self.line(steps).floor(),
        };
        let beats = i128::from(self.beats.micro()) + run;
        Beats::from_micro(i64::try_from(beats).unwrap_or(i64::MAX))
    }

    /// The first position at which this segment, were it endless, has reached `beats`; none when it stands, or
    /// begins after that beat.
    ///
    /// Real-time: yes. Bound: 43 halvings in a ramp, one wide division elsewhere.
    #[must_use]
    pub fn reaches(&self, beats: Beats) -> Option<GridPosition> {
        let wanted = i128::from(beats.micro()) - i128::from(self.beats.micro());
        if self.motion == Motion::Stopped || wanted < 0 {
            return None;
        }
        let steps = match self.ramp {
            None => first_step(wanted, 0, self.pace),
            Some(ramp) => {
                let ramp_steps = ramp.wide_frames() << STEP_BITS;
                if self.line(ramp_steps).floor() < wanted {
                    // Twice the femto-beats of the ramp stay whole.
                    let twice = (self.pace.wide() + ramp.end.wide()) * ramp.wide_frames();
                    ramp_steps + first_step(wanted, twice, ramp.end)
                } else {
                    self.first_step_in_ramp(wanted, ramp_steps)
                }
            }
        };
        i64::try_from(i128::from(self.at.raw()) + steps).ok().map(GridPosition::from_raw)
    }

    /// The pace at grid position `at`, whether or not beats run.
    #[must_use]
    pub fn pace_at(&self, at: GridPosition) -> Pace {
        let Some(ramp) = self.ramp else { return self.pace };
        let ramp_steps = ramp.wide_frames() << STEP_BITS;
        let steps = self.steps_to(at).min(ramp_steps);
        Pace::from_wide(self.pace.wide() + (ramp.end.wide() - self.pace.wide()) * steps / ramp_steps)
    }

    /// The displayed tempo at grid position `at`: along a ramp it changes as the pace does.
    #[must_use]
    pub fn tempo_at(&self, at: GridPosition) -> Tempo {
        if self.ramp.is_none() {
            return self.tempo;
        }
        let milli = i128::from(self.tempo.milli()) * self.pace_at(at).wide();
        let milli = (milli + self.pace.wide() / 2) / self.pace.wide();
        u32::try_from(milli).ok().and_then(Tempo::from_milli).unwrap_or(self.tempo)
    }

    /// This segment cut to begin at `at` instead: the same line from there on.
    ///
    /// A playing one begins at the first position that has its beat, at most a micro-beat before `at`, so that
    /// nothing is lost by rounding.
    #[must_use]
    pub fn cut_at(&self, at: GridPosition) -> Self {
        let beats = self.beats_at(at);
        let at = match self.motion {
            Motion::Stopped => at,
            Motion::Playing => self.reaches(beats).unwrap_or(at),
        };
        let ramp = self.ramp.and_then(|ramp| {
            let gone = u32::try_from(self.steps_to(at) >> STEP_BITS).unwrap_or(u32::MAX);
            Ramp::new(ramp.end, ramp.frames.saturating_sub(gone))
        });
        Self { at, beats, pace: self.pace_at(at), tempo: self.tempo_at(at), ramp, ..*self }
    }

    /// Steps of the grid since the segment began; none before.
    fn steps_to(&self, at: GridPosition) -> i128 {
        (i128::from(at.raw()) - i128::from(self.at.raw())).max(0)
    }

    /// The beats run in `steps`, exactly.
    fn line(&self, steps: i128) -> Fraction {
        let Some(ramp) = self.ramp else {
            return Fraction { femto: self.pace.wide() * steps, denominator: 1 << STEP_BITS };
        };
        let frames = ramp.wide_frames();
        let ramp_steps = frames << STEP_BITS;
        if steps <= ramp_steps {
            let level = (self.pace.wide() * steps * 2 * frames) << STEP_BITS;
            let bend = (ramp.end.wide() - self.pace.wide()) * steps * steps;
            return Fraction { femto: level + bend, denominator: (2 * frames) << (2 * STEP_BITS) };
        }
        let ramped = ((self.pace.wide() + ramp.end.wide()) * frames) << STEP_BITS;
        let level = 2 * ramp.end.wide() * (steps - ramp_steps);
        Fraction { femto: ramped + level, denominator: 2 << STEP_BITS }
    }

    /// The first step of the ramp whose beat is `wanted`, which the ramp reaches. Beats only ever grow.
    fn first_step_in_ramp(&self, wanted: i128, ramp_steps: i128) -> i128 {
        let (mut below, mut reached) = (-1, ramp_steps);
        while reached - below > 1 {
            let middle = below + (reached - below) / 2;
            if self.line(middle).floor() < wanted {
                below = middle;
            } else {
                reached = middle;
            }
        }
        reached
    }
}

/// The first step at which a constant `pace`, with `twice_before / 2` femto-beats behind it, has run `wanted`
/// micro-beats.
fn first_step(wanted: i128, twice_before: i128, pace: Pace) -> i128 {
    let missing = ((2 * wanted * FEMTO_PER_MICRO) - twice_before) << STEP_BITS;
    let twice_pace = 2 * pace.wide();
    (missing + twice_pace - 1).div_euclid(twice_pace)
}

/// Femto-beats over a common denominator.
struct Fraction {
    femto: i128,
    denominator: i128,
}

impl Fraction {
    /// Whole micro-beats.
    fn floor(&self) -> i128 {
        self.femto.div_euclid(self.denominator * FEMTO_PER_MICRO)
    }
}
