//! The beat-stamp loop.
//!
//! ```text
//!            lines on both sides, steady for 40 ms: fade there
//!  Acquire ------------------------------------------------------> Track: glide after it
//!     ^                                                              |  |
//!     |   a line is gone for half a second                           |  | off by 10 ms for a bar:
//!     +--------------------------------------------------------------+  | fade on the bar line
//!                                                                     <-+
//! ```
//!
//! For the first seconds of Track it *lands*: a DAW that has just been set going is still being brought in time, and to
//! glide after it, or to wait for a bar line, would take longer than that does. So the delay holds while the DAW moves,
//! and fades to where it is found when it has come to rest.
//!
//! While a line is missing the delay holds still: a stopped transport says nothing about time. Where neither side has
//! shown a line yet, the clocks predict: with everybody on one timeline, a unit of the local tempo is the answer.

use crate::time::GridPosition;

use super::landing::Landing;
use super::{GridUnit, SyncMode};

/// A measurement counts once it has stayed within this for [`STEADY_FRAMES`]: 0.5 ms in 40 ms.
const STEADY_WITHIN_FRAMES: f64 = 24.0;
const STEADY_FRAMES: f64 = 1_920.0;
/// The measured delay is averaged over this: 0.2 s, so that neither the clocks' nor a host's rounding moves it.
const SMOOTH_FRAMES: f64 = 9_600.0;
/// What is less than this off is left alone.
const DEAD_BAND_FRAMES: f64 = 0.25;
/// More than this off is not glided after but faded, on a bar line: 10 ms.
const FAR_FRAMES: f64 = 480.0;
/// A line that was gone for longer begins anew: 0.5 s.
const GONE_FRAMES: f64 = 24_000.0;
/// DAWs of one room that are further apart than this are not on one timeline: 50 ms.
const UNRELATED_FRAMES: f64 = 2_400.0;
/// A unit less would do for so long before it is taken: 4 s. One more is taken at once, for what is missing is a gap.
const SHORTER_AFTER_FRAMES: f64 = 192_000.0;

/// Where a song is at a place of the grid, and how fast it goes on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BeatLine {
    /// The place.
    pub at: GridPosition,
    /// The song's position there, in quarter notes.
    pub quarters: f64,
    /// Quarter notes for each grid frame; above zero.
    pub quarters_per_frame: f64,
}

/// What is seen at the first frame of a block.
#[derive(Clone, Copy, Debug)]
pub struct Sight {
    /// What the user chose.
    pub mode: SyncMode,
    /// Where the block begins.
    pub at: GridPosition,
    /// Its length in grid frames.
    pub block_frames: f64,
    /// The local DAW; none while it stands.
    pub local: Option<BeatLine>,
    /// What the remote DAW was at where the strip is read now; none while it stood.
    pub remote: Option<BeatLine>,
    /// Quarter notes of a bar of the local DAW.
    pub bar_quarters: f64,
    /// The least delay that the network and the blocks allow.
    pub least_frames: f64,
    /// The largest least delay of everybody in the room, if the room has said it.
    pub room_frames: Option<f64>,
    /// The longest delay that can be held.
    pub longest_frames: f64,
}

/// How the delay is to move.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Steering {
    /// The automatic delay, in grid frames.
    pub delay_frames: f64,
    /// Whether to fade there even if it is near.
    pub at_once: bool,
}

/// What the loop is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SyncState {
    /// No beats are compared: the mode asks for none.
    #[default]
    Off,
    /// Waits for both DAWs to play.
    Acquire,
    /// Follows what is measured.
    Track,
    /// A DAW stands; the delay stays.
    Hold,
}

/// The automatic sync delay of one strip.
#[derive(Clone, Copy, Debug, Default)]
pub struct SyncDelay {
    state: SyncState,
    /// The mode that `delay_frames` was found for.
    mode: SyncMode,
    /// The delay in force; none before the first.
    delay_frames: Option<f64>,
    /// What is being looked at before it is believed.
    candidate: Option<Candidate>,
    smooth: Smooth,
    /// The first seconds of Track; none when they are over.
    landing: Option<Landing>,
    /// What `smooth` counts from.
    base_frames: f64,
    /// Grid frames since both lines were seen.
    gone_frames: f64,
    /// Grid frames for which the measurement has been far off, and a shorter unit would do.
    far_frames: f64,
    spare_frames: f64,
    /// The delay at which the beats meet.
    right_frames: Option<f64>,
}

/// The measured delay without its noise: two states, so that it does not lag behind DAWs that drift apart.
#[derive(Clone, Copy, Debug, Default)]
struct Smooth {
    frames: f64,
    /// Frames for each grid frame.
    slope: f64,
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    first_frames: f64,
    last_frames: f64,
    seen_frames: f64,
}

/// One comparison of beats.
#[derive(Clone, Copy, Debug)]
struct Measured {
    /// The smallest delay that would be right.
    delay_frames: f64,
    /// The one nearest to what is in force.
    nearest_frames: f64,
    /// What was decided and not measured in it: that moves without being smoothed.
    base_frames: f64,
    /// The unit that right delays differ by; none if there is only one.
    unit_frames: Option<f64>,
}

impl BeatLine {
    /// The song's position at `at`.
    #[must_use]
    pub fn quarters_at(&self, at: GridPosition) -> f64 {
        self.quarters + at.frames_since(self.at) * self.quarters_per_frame
    }
}

impl SyncDelay {
    /// What the loop is doing.
    #[must_use]
    pub const fn state(&self) -> SyncState {
        self.state
    }

    /// The automatic delay in force, in grid frames; none before the first.
    #[must_use]
    pub const fn delay_frames(&self) -> Option<f64> {
        self.delay_frames
    }

    /// The delay at which the beats meet, nearest to the one in force, in grid frames. What is played at another one
    /// is off by the difference. None while nothing is compared.
    #[must_use]
    pub const fn right_frames(&self) -> Option<f64> {
        self.right_frames
    }

    /// Decides on the delay of a block.
    ///
    /// Real-time: yes. Bound: constant.
    pub fn steer(&mut self, sight: &Sight) -> Steering {
        if self.mode != sight.mode {
            // What is in force sounds until the new mode has found its own.
            *self = Self { delay_frames: self.delay_frames, mode: sight.mode, ..Self::default() };
        }
        let before = self.delay_frames;
        let delay_frames = match sight.mode {
            SyncMode::Tight => {
                self.state = SyncState::Off;
                self.right_frames = None;
                sight.least_frames
            }
            SyncMode::Room | SyncMode::Grid(_) => self.by_beats(sight),
        };
        let delay_frames =
            delay_frames.clamp(sight.least_frames.min(sight.longest_frames), sight.longest_frames);
        self.delay_frames = Some(delay_frames);
        let far = before.is_some_and(|before| (delay_frames - before).abs() >= STEADY_WITHIN_FRAMES);
        Steering { delay_frames, at_once: far && sight.mode != SyncMode::Tight }
    }

    fn by_beats(&mut self, sight: &Sight) -> f64 {
        let in_force = self.delay_frames.unwrap_or(sight.least_frames);
        let Some(measured) = self.measure(sight, in_force) else {
            return self.without_beats(sight, in_force);
        };
        self.gone_frames = 0.0;
        self.right_frames = Some(measured.nearest_frames);
        match self.state {
            SyncState::Off | SyncState::Acquire | SyncState::Hold => self.acquire(sight, measured, in_force),
            SyncState::Track => self.track(sight, measured, in_force),
        }
    }

    /// Believes a measurement that stays.
    fn acquire(&mut self, sight: &Sight, measured: Measured, in_force: f64) -> f64 {
        if self.state != SyncState::Hold {
            self.state = SyncState::Acquire;
        }
        let wanted = measured.delay_frames;
        let candidate = match self.candidate {
            Some(candidate) if (wanted - candidate.first_frames).abs() < STEADY_WITHIN_FRAMES => Candidate {
                last_frames: wanted,
                seen_frames: candidate.seen_frames + sight.block_frames,
                ..candidate
            },
            Some(_) | None => Candidate { first_frames: wanted, last_frames: wanted, seen_frames: 0.0 },
        };
        self.candidate = Some(candidate);
        if candidate.seen_frames < STEADY_FRAMES {
            return self.at_least(sight, in_force);
        }
        self.state = SyncState::Track;
        self.candidate = None;
        (self.far_frames, self.spare_frames) = (0.0, 0.0);
        self.smooth = Smooth { frames: candidate.last_frames, slope: 0.0 };
        self.base_frames = measured.base_frames;
        self.landing = Some(Landing::new());
        candidate.last_frames
    }

    fn track(&mut self, sight: &Sight, measured: Measured, in_force: f64) -> f64 {
        let wanted = self.unit_that_stays(sight, measured, in_force);
        self.smooth.frames +=
            self.smooth.slope * sight.block_frames + (measured.base_frames - self.base_frames);
        self.base_frames = measured.base_frames;
        if let Some(landing) = &mut self.landing {
            let rests = landing.take(wanted - measured.base_frames, sight.block_frames);
            if landing.is_over() {
                self.landing = None;
            }
            let rests = rests.map(|frames| frames + measured.base_frames);
            return self.land(sight, wanted, rests, in_force);
        }
        let away = wanted - self.smooth.frames;
        if away.abs() >= FAR_FRAMES {
            self.far_frames += sight.block_frames;
            let is_unit_apart = measured.unit_frames.is_some_and(|unit| {
                (away.abs() / unit - (away.abs() / unit).round()).abs() * unit < STEADY_WITHIN_FRAMES
            });
            let waited = sight.bar_frames().is_none_or(|bar| self.far_frames >= bar);
            if is_unit_apart || (waited && sight.meets_bar_line()) || in_force < sight.least_frames {
                (self.far_frames, self.spare_frames) = (0.0, 0.0);
                self.smooth = Smooth { frames: wanted, slope: 0.0 };
                return wanted;
            }
            return in_force;
        }
        self.far_frames = 0.0;
        self.smooth.follow(away, sight.block_frames);
        if (self.smooth.frames - in_force).abs() > DEAD_BAND_FRAMES { self.smooth.frames } else { in_force }
    }

    /// Goes to where the measurement has come to rest, if it has.
    fn land(&mut self, sight: &Sight, wanted: f64, rests: Option<f64>, in_force: f64) -> f64 {
        let is_short = in_force < sight.least_frames;
        let Some(lands) = rests.or_else(|| is_short.then_some(wanted)) else { return in_force };
        self.smooth = Smooth { frames: lands, slope: 0.0 };
        if (lands - in_force).abs() > DEAD_BAND_FRAMES { lands } else { in_force }
    }

    /// The unit in force is kept while it is long enough, whatever would be chosen anew, until a shorter one has been
    /// enough for a while.
    fn unit_that_stays(&mut self, sight: &Sight, measured: Measured, in_force: f64) -> f64 {
        let Some(unit_frames) = measured.unit_frames else { return measured.delay_frames };
        let units = ((in_force - measured.delay_frames) / unit_frames).round();
        let kept = measured.delay_frames + units * unit_frames;
        let is_possible = kept >= sight.least_frames && kept <= sight.longest_frames;
        self.spare_frames = if units > 0.0 { self.spare_frames + sight.block_frames } else { 0.0 };
        if is_possible && self.spare_frames < SHORTER_AFTER_FRAMES { kept } else { measured.delay_frames }
    }

    /// Nothing can be compared: the delay stays, or is what the clocks predict.
    fn without_beats(&mut self, sight: &Sight, in_force: f64) -> f64 {
        self.right_frames = None;
        self.candidate = None;
        self.gone_frames += sight.block_frames;
        match self.state {
            SyncState::Track | SyncState::Hold if sight.mode != SyncMode::Room => {
                if self.gone_frames >= GONE_FRAMES {
                    self.state = SyncState::Hold;
                }
                self.at_least(sight, in_force)
            }
            SyncState::Track | SyncState::Hold | SyncState::Off | SyncState::Acquire => {
                self.state = SyncState::Acquire;
                match (sight.mode, sight.local) {
                    (SyncMode::Grid(unit), Some(local)) => {
                        sight.smallest_multiple(sight.unit_frames(unit, &local))
                    }
                    (SyncMode::Room, _) => sight.room_frames.unwrap_or(sight.least_frames),
                    (SyncMode::Tight | SyncMode::Grid(_), _) => self.at_least(sight, in_force),
                }
            }
        }
    }

    /// The delay in force, or the next whole unit above it when the network asks for more.
    fn at_least(&self, sight: &Sight, in_force: f64) -> f64 {
        if in_force >= sight.least_frames {
            return in_force;
        }
        match (sight.mode, sight.local) {
            (SyncMode::Grid(unit), Some(local)) => {
                let unit_frames = sight.unit_frames(unit, &local);
                in_force + ((sight.least_frames - in_force) / unit_frames).ceil() * unit_frames
            }
            (SyncMode::Tight | SyncMode::Room | SyncMode::Grid(_), _) => sight.least_frames,
        }
    }

    /// Compares the beats that meet at the block's first frame.
    fn measure(&self, sight: &Sight, in_force: f64) -> Option<Measured> {
        let (local, remote) = (sight.local?, sight.remote?);
        let lag = local.quarters_at(sight.at) - remote.quarters_at(sight.at.plus_f64(-in_force));
        match sight.mode {
            SyncMode::Tight => None,
            SyncMode::Grid(unit) => {
                let unit_frames = sight.unit_frames(unit, &remote);
                let unit_quarters = unit_frames * remote.quarters_per_frame;
                let nearest_frames = in_force - wrapped(lag, unit_quarters) / remote.quarters_per_frame;
                // From the nearest place with the right beat to the smallest that the network allows.
                let units = ((sight.least_frames - nearest_frames) / unit_frames).ceil();
                let delay_frames = nearest_frames + units * unit_frames;
                Some(Measured {
                    delay_frames,
                    nearest_frames,
                    base_frames: 0.0,
                    unit_frames: Some(unit_frames),
                })
            }
            SyncMode::Room => {
                let room_frames = sight.room_frames.unwrap_or(0.0).max(sight.least_frames);
                let excess = lag - room_frames * remote.quarters_per_frame;
                let delay_frames = in_force - wrapped(excess, 1.0) / remote.quarters_per_frame;
                let is_related = (delay_frames - room_frames).abs() <= UNRELATED_FRAMES;
                is_related.then_some(Measured {
                    delay_frames,
                    nearest_frames: delay_frames,
                    base_frames: room_frames,
                    unit_frames: None,
                })
            }
        }
    }
}

impl Smooth {
    /// Moves towards what was seen `away` from it: a critically damped alpha-beta filter.
    fn follow(&mut self, away: f64, block_frames: f64) {
        let share = (block_frames / SMOOTH_FRAMES).min(1.0);
        self.frames += share * away;
        self.slope += share * share / 4.0 * away / block_frames.max(1.0);
    }
}

impl Sight {
    /// The length of a unit at the tempo of a line.
    fn unit_frames(&self, unit: GridUnit, line: &BeatLine) -> f64 {
        let pace = line.quarters_per_frame;
        unit.quarters(self.bar_quarters, self.least_frames * pace, self.longest_frames * pace) / pace
    }

    /// The smallest whole number of units that is not below the least.
    fn smallest_multiple(&self, unit_frames: f64) -> f64 {
        (self.least_frames / unit_frames).ceil().max(1.0) * unit_frames
    }

    fn bar_frames(&self) -> Option<f64> {
        self.local.map(|local| self.bar_quarters / local.quarters_per_frame)
    }

    /// Whether a bar of the local DAW begins within the block, counted from its song's begin.
    fn meets_bar_line(&self) -> bool {
        self.local.is_none_or(|local| {
            let first = local.quarters_at(self.at) / self.bar_quarters;
            let last = local.quarters_at(self.at.plus_f64(self.block_frames)) / self.bar_quarters;
            first.ceil() < last || first.fract() == 0.0
        })
    }
}

/// `value` less the nearest multiple of `unit`: from minus half a unit to half a unit.
fn wrapped(value: f64, unit: f64) -> f64 {
    value - (value / unit).round() * unit
}
