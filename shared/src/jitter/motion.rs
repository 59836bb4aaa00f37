//! How a delay gets from where it is to where it is wanted.
//!
//! A delay that changes bends pitch, a delay that jumps clicks. Two ways lead around both:
//!
//! - **Glide**: the delay changes by at most 0.1 % of the time that passes, 1.7 cents, which nobody hears. A
//!   millisecond takes a second. For the small automatic corrections of jitter and drift.
//! - **Fade**: a second tap opens at the new delay while the first closes, over 10 ms. For moves by the user,
//!   of any size, and for large ones. There are never more than two taps: what is commanded during a fade
//!   waits, and only the latest command waits, so an automation curve becomes a chain of fades along it.
//!
//! The fade's law depends on what the taps carry. Where they are alike (a small move, a steady tone) their sum
//! adds in amplitude and a linear fade keeps the level; where they are not, it adds in power and the taps
//! follow a quarter of a sine.
//!
//! This file moves numbers only; [`super::pointer`] moves audio by them. A delay is an integer count of 2^-32
//! frames here: sums of integers do not depend on how they are grouped, so neither does the audio depend on how
//! a host cuts its blocks.

use core::f64::consts::FRAC_PI_2;

use crate::time::convert::{
    f32_from_f64, f64_from_i64, f64_from_usize, i64_from_usize, i64_round, usize_trunc,
};

/// Grid frames that a fade takes: 10 ms.
pub const FADE_FRAMES: usize = 480;
/// The most that a gliding delay changes, in frames a frame.
pub const GLIDE_SLOPE: f64 = 0.001;

/// One frame in the unit of all places here.
pub(super) const ONE: i64 = 1 << 32;
/// One frame moves by this much when the slope is [`GLIDE_SLOPE`].
const GLIDE_DIVISOR: i64 = 1_000;
/// Automatic moves from 10 ms on fade: to glide there would take 10 s.
const GLIDE_BELOW: i64 = 480 * ONE;
/// The longest delay, and the furthest leap that is still faded out of: 350 s.
const FURTHEST: i64 = ONE << 24;

/// The way to a commanded delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// An automatic correction: glides if it is below 10 ms, else fades.
    Glide,
    /// A user's move, of any size: fades.
    Fade,
    /// Nothing sounded before, or what did is gone: fades in from silence.
    Start,
}

/// One place that is read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tap {
    /// Grid frames behind the place that the room is at.
    pub delay_frames: f64,
    /// Its part in the sum.
    pub weight: f32,
}

/// What is read: nothing, one tap, or in a fade the closing and the opening one.
pub type Taps = [Option<Tap>; 2];

/// How the taps of a fade share the sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Law {
    /// The amplitudes add up to one.
    Linear,
    /// The powers add up to one.
    EqualPower,
}

/// The delay in force and where it is going.
#[derive(Clone, Debug)]
pub(super) struct Motion {
    /// The delay of the tap that stays.
    delay: i64,
    /// The delay last commanded.
    wanted: i64,
    state: State,
    /// What to do towards `wanted` once a fade has ended.
    queued: Option<Move>,
    taps: Taps,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Silent,
    Steady,
    Gliding,
    /// From another delay, or from silence, to `delay`.
    Fading {
        from: Option<i64>,
        plan: Option<Plan>,
    },
}

/// A fade under way. Counted in output frames, so that it survives the end of a block anywhere.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    law: Law,
    length: usize,
    done: usize,
}

/// Output frames during which every delay changes evenly.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    pub(super) frames: usize,
    pub(super) shape: Shape,
}

/// What is read in a [`Segment`].
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    Silence,
    /// One tap: the delay of its first frame, and the change from each frame to the next.
    One {
        delay: i64,
        change: i64,
    },
    /// A fade, from another delay or from silence.
    Two {
        from: Option<i64>,
        to: i64,
        plan: Plan,
    },
}

impl Motion {
    pub(super) const fn new() -> Self {
        Self { delay: 0, wanted: 0, state: State::Silent, queued: None, taps: [None; 2] }
    }

    pub(super) fn command(&mut self, delay_frames: f64, way: Move) {
        debug_assert!(delay_frames.is_finite(), "a delay is a number of frames");
        self.wanted = fixed(delay_frames);
        match (way, self.state) {
            (Move::Start, _) | (Move::Glide | Move::Fade, State::Silent) => self.start(),
            (Move::Glide | Move::Fade, State::Fading { .. }) => {
                self.queued = (self.wanted != self.delay).then_some(way);
            }
            (Move::Glide | Move::Fade, State::Steady | State::Gliding) => self.begin(way),
        }
    }

    /// The place that the room is at has leapt by `leap`. What is heard must not: the taps stay where they are,
    /// which makes their delays wrong by the leap, and then the commanded delay is approached as usual. Noise
    /// below a frame glides; what is larger is a stall, and fades. A tap that has not sounded yet has nowhere
    /// to stay.
    pub(super) fn leapt(&mut self, leap: i64) {
        let way = if leap.saturating_abs() < ONE { Move::Glide } else { Move::Fade };
        let out_of_reach = leap.saturating_abs() > FURTHEST || (self.delay + leap).abs() > 2 * FURTHEST;
        match &mut self.state {
            State::Silent | State::Fading { from: None, plan: None } => {}
            State::Steady | State::Gliding | State::Fading { .. } if out_of_reach => self.start(),
            State::Fading { from: Some(from), plan: None } => *from += leap,
            State::Fading { from, plan: Some(_) } => {
                *from = from.map(|from| from + leap);
                self.delay += leap;
                if self.wanted != self.delay && self.queued.is_none() {
                    self.queued = Some(way);
                }
            }
            State::Steady | State::Gliding => {
                self.delay += leap;
                self.begin(way);
            }
        }
    }

    /// The two delays of a fade that is about to begin and waits for [`Motion::plan`].
    pub(super) const fn unplanned(&self) -> Option<(Option<i64>, i64)> {
        match self.state {
            State::Fading { from, plan: None } => Some((from, self.delay)),
            State::Fading { plan: Some(_), .. } | State::Silent | State::Steady | State::Gliding => None,
        }
    }

    /// Begins the fade that [`Motion::unplanned`] named, at `step` grid frames for each output frame.
    pub(super) fn plan(&mut self, law: Law, step: i64) {
        if let State::Fading { plan, .. } = &mut self.state {
            let length = usize_trunc(f64_from_usize(FADE_FRAMES) * f64_from_i64(ONE) / f64_from_i64(step));
            *plan = Some(Plan { law, length: length.max(1), done: 0 });
        }
    }

    /// What the next `frames` output frames read, or fewer where the motion changes; moves on past them.
    pub(super) fn advance(&mut self, frames: usize, step: i64) -> Segment {
        let segment = match self.state {
            State::Silent => Segment { frames, shape: Shape::Silence },
            State::Steady => self.steady(frames),
            State::Gliding => self.glide(frames, step),
            State::Fading { plan: None, .. } => {
                // Reached only if the caller forgot to plan; a linear fade is the safe one.
                self.plan(Law::Linear, step);
                return self.advance(frames, step);
            }
            State::Fading { from, plan: Some(plan) } => self.fade(frames, from, plan),
        };
        self.taps = segment.last_taps();
        segment
    }

    /// The taps of the last frame read.
    pub(super) const fn taps(&self) -> Taps {
        self.taps
    }

    /// The delay of the tap that stays, in frames.
    pub(super) fn delay_frames(&self) -> f64 {
        frames(self.delay)
    }

    pub(super) const fn is_moving(&self) -> bool {
        matches!(self.state, State::Gliding | State::Fading { .. })
    }

    fn start(&mut self) {
        self.delay = self.wanted;
        self.queued = None;
        self.state = State::Fading { from: None, plan: None };
    }

    fn begin(&mut self, way: Move) {
        let distance = (self.wanted - self.delay).abs();
        if distance == 0 {
            self.state = State::Steady;
        } else if way == Move::Glide && distance < GLIDE_BELOW {
            self.state = State::Gliding;
        } else {
            self.state = State::Fading { from: Some(self.delay), plan: None };
            self.delay = self.wanted;
        }
    }

    const fn steady(&self, frames: usize) -> Segment {
        Segment { frames, shape: Shape::One { delay: self.delay, change: 0 } }
    }

    fn glide(&mut self, frames: usize, step: i64) -> Segment {
        let stride = (step / GLIDE_DIVISOR).max(1);
        let distance = self.wanted - self.delay;
        let strides = usize::try_from(distance.abs() / stride).unwrap_or(usize::MAX);
        if strides == 0 {
            // Less than a stride is left: within the slope, and exact.
            self.delay = self.wanted;
            self.state = State::Steady;
            return self.steady(frames);
        }
        let frames = frames.min(strides);
        let change = stride * distance.signum();
        let delay = self.delay + change;
        self.delay += change * i64_from_usize(frames);
        Segment { frames, shape: Shape::One { delay, change } }
    }

    fn fade(&mut self, frames: usize, from: Option<i64>, plan: Plan) -> Segment {
        let frames = frames.min(plan.length - plan.done);
        let segment = Segment { frames, shape: Shape::Two { from, to: self.delay, plan } };
        let done = plan.done + frames;
        self.state = State::Fading { from, plan: Some(Plan { done, ..plan }) };
        if done == plan.length {
            self.state = State::Steady;
            if let Some(way) = self.queued.take() {
                self.begin(way);
            }
        }
        segment
    }
}

impl Plan {
    /// The weights of the closing and the opening tap, `ahead` frames on. Neither is ever zero: the frame before
    /// the fade is all of the one, the frame after it all of the other.
    pub(super) fn weights(&self, ahead: usize) -> [f32; 2] {
        let along = f64_from_usize(self.done + ahead + 1) / f64_from_usize(self.length + 1);
        let opened = |along: f64| match self.law {
            Law::Linear => f32_from_f64(along),
            Law::EqualPower => f32_from_f64(quarter_sine(along)),
        };
        [opened(1.0 - along), opened(along)]
    }
}

impl Segment {
    fn last_taps(&self) -> Taps {
        let last = self.frames.saturating_sub(1);
        match self.shape {
            Shape::Silence => [None; 2],
            Shape::One { delay, change } => {
                let delay = delay + change * i64_from_usize(last);
                [Some(Tap { delay_frames: frames(delay), weight: 1.0 }), None]
            }
            Shape::Two { from, to, plan } => {
                let [closing, opening] = plan.weights(last);
                let closing = from.map(|from| Tap { delay_frames: frames(from), weight: closing });
                [closing, Some(Tap { delay_frames: frames(to), weight: opening })]
            }
        }
    }
}

/// `sin(pi/2 x)` over `0.0..=1.0` to 4e-6: a polynomial, so that every machine fades alike.
fn quarter_sine(x: f64) -> f64 {
    /// The Taylor series in odd powers of x.
    const TERMS: [f64; 4] = [-0.645_964_1, 0.079_692_6, -0.004_681_8, 0.000_160_4];
    let square = x * x;
    let bent = TERMS.iter().rev().fold(0.0, |sum, term| (sum + term) * square);
    x * (FRAC_PI_2 + bent)
}

fn fixed(frames: f64) -> i64 {
    i64_round(frames * f64_from_i64(ONE)).clamp(-FURTHEST, FURTHEST)
}

fn frames(fixed: i64) -> f64 {
    f64_from_i64(fixed) / f64_from_i64(ONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The taps of each of the next `count` frames.
    fn walk(motion: &mut Motion, count: usize) -> Vec<Taps> {
        (0..count)
            .map(|_| {
                if motion.unplanned().is_some() {
                    motion.plan(Law::Linear, ONE);
                }
                motion.advance(1, ONE);
                motion.taps()
            })
            .collect()
    }

    fn settled(delay: f64) -> Motion {
        let mut motion = Motion::new();
        motion.command(delay, Move::Start);
        walk(&mut motion, FADE_FRAMES);
        assert!(!motion.is_moving());
        motion
    }

    fn one(taps: Taps) -> f64 {
        let [Some(tap), None] = taps else { panic!("one tap: {taps:?}") };
        assert_eq!(tap.weight, 1.0);
        tap.delay_frames
    }

    #[test]
    fn nothing_sounds_before_the_first_command_which_fades_in() {
        let mut motion = Motion::new();
        assert_eq!(walk(&mut motion, 2), [[None; 2]; 2]);
        motion.command(100.0, Move::Fade);
        for taps in walk(&mut motion, FADE_FRAMES) {
            assert!(matches!(taps, [None, Some(Tap { delay_frames: 100.0, .. })]));
        }
        assert_eq!(one(walk(&mut motion, 1)[0]), 100.0);
    }

    #[test]
    fn a_glide_keeps_its_slope_and_arrives_exactly() {
        let mut motion = settled(100.0);
        motion.command(99.250_3, Move::Glide);
        let mut before = 100.0;
        for taps in walk(&mut motion, 751) {
            assert!((one(taps) - before).abs() <= GLIDE_SLOPE);
            before = one(taps);
        }
        assert!(!motion.is_moving());
        assert!((motion.delay_frames() - 99.250_3).abs() < 1e-9);
    }

    #[test]
    fn an_automatic_move_of_10_ms_fades() {
        let mut motion = settled(0.0);
        motion.command(480.0, Move::Glide);
        let taps = walk(&mut motion, FADE_FRAMES + 1);
        assert!(taps[..FADE_FRAMES].iter().all(|taps| taps[0].is_some() && taps[1].is_some()));
        assert_eq!(one(taps[FADE_FRAMES]), 480.0);
    }

    #[test]
    fn only_the_latest_command_waits_for_a_fade() {
        let mut motion = settled(0.0);
        for delay in [1_000.0, 2_000.0, 3_000.0] {
            motion.command(delay, Move::Fade);
        }
        let taps = walk(&mut motion, 2 * FADE_FRAMES + 1);
        let pairs: Vec<_> = taps.iter().map(|taps| taps.map(|tap| tap.map(|tap| tap.delay_frames))).collect();
        assert!(pairs[..FADE_FRAMES].iter().all(|pair| *pair == [Some(0.0), Some(1_000.0)]));
        assert!(
            pairs[FADE_FRAMES..2 * FADE_FRAMES].iter().all(|pair| *pair == [Some(1_000.0), Some(3_000.0)])
        );
        assert_eq!(one(taps[2 * FADE_FRAMES]), 3_000.0);
    }

    #[test]
    fn a_leap_leaves_the_taps_where_they_are_and_comes_back() {
        let mut motion = settled(500.0);
        motion.leapt(ONE / 4);
        assert_eq!(motion.delay_frames(), 500.25);
        walk(&mut motion, 251);
        assert_eq!(motion.delay_frames(), 500.0);

        motion.leapt(-300 * ONE);
        let taps = walk(&mut motion, FADE_FRAMES + 1);
        assert_eq!(taps[0][0].unwrap().delay_frames, 200.0);
        assert_eq!(one(taps[FADE_FRAMES]), 500.0);

        motion.leapt(i64::MIN);
        assert!(matches!(walk(&mut motion, 1)[0], [None, Some(_)]));
    }

    #[test]
    fn a_tap_that_has_not_sounded_does_not_leap() {
        let mut motion = settled(500.0);
        motion.command(700.0, Move::Start);
        motion.leapt(50 * ONE);
        assert_eq!(walk(&mut motion, FADE_FRAMES)[9][1].unwrap().delay_frames, 700.0);

        motion.command(900.0, Move::Fade);
        motion.leapt(50 * ONE);
        let pair = walk(&mut motion, FADE_FRAMES)[9].map(|tap| tap.unwrap().delay_frames);
        assert_eq!(pair, [750.0, 900.0]);
        assert!(!motion.is_moving());
    }

    #[test]
    fn both_laws_keep_what_they_promise() {
        for law in [Law::Linear, Law::EqualPower] {
            let plan = Plan { law, length: FADE_FRAMES, done: 0 };
            let mut before = [1.0, 0.0_f32];
            for ahead in 0..FADE_FRAMES {
                let [closing, opening] = plan.weights(ahead);
                let kept = match law {
                    Law::Linear => closing + opening,
                    Law::EqualPower => closing * closing + opening * opening,
                };
                assert!((kept - 1.0).abs() < 1e-5, "{law:?} {ahead}: {kept}");
                assert!(closing > 0.0 && closing < before[0] && opening > before[1] && opening < 1.0);
                before = [closing, opening];
            }
        }
    }
}
