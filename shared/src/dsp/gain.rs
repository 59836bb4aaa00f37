//! A gain that never clicks.
//!
//! A gain that jumps puts a step into the signal, and a step is a click. So a change is walked: one straight
//! line from the gain in force to the new one, frame by frame, ending on the target itself and not beside it.

use crate::time::convert::{f32_from_f64, f64_from_usize};

/// Below this (-120 dB) a gain is silence: exact zero, no denormals.
const SILENT_BELOW: f32 = 1e-6;

/// A gain and its way to the next one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gain {
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Holding { gain: f32 },
    Ramping { from: f32, to: f32, done: usize, over: usize },
}

impl Gain {
    /// A gain that holds at `gain`; what is not a number is silence.
    #[must_use]
    pub fn new(gain: f32) -> Self {
        Self { state: State::Holding { gain: audible(gain) } }
    }

    /// Walks to `target` within `over` frames from the gain in force; at once if `over` is zero. To command
    /// again what is already the target changes nothing, so a caller may repeat itself every block.
    ///
    /// Real-time: yes. Bound: constant.
    pub fn set(&mut self, target: f32, over: usize) {
        let to = audible(target);
        if to.to_bits() == self.target().to_bits() {
            return;
        }
        let from = self.current();
        self.state =
            if over == 0 { State::Holding { gain: to } } else { State::Ramping { from, to, done: 0, over } };
    }

    /// Where the gain is or is going.
    #[must_use]
    pub const fn target(&self) -> f32 {
        match self.state {
            State::Holding { gain } => gain,
            State::Ramping { to, .. } => to,
        }
    }

    /// The gain in force.
    #[must_use]
    pub fn current(&self) -> f32 {
        match self.state {
            State::Holding { gain } => gain,
            State::Ramping { from, to, done, over } => between(from, to, done, over),
        }
    }

    /// The gain if it is not moving: what lets a caller skip the walk.
    #[must_use]
    pub const fn holding(&self) -> Option<f32> {
        match self.state {
            State::Holding { gain } => Some(gain),
            State::Ramping { .. } => None,
        }
    }

    /// One frame on: the gain for it.
    ///
    /// Real-time: yes. Bound: constant.
    pub fn next_frame(&mut self) -> f32 {
        match &mut self.state {
            State::Holding { gain } => *gain,
            State::Ramping { from, to, done, over } => {
                *done += 1;
                let gain = between(*from, *to, *done, *over);
                if done == over {
                    self.state = State::Holding { gain };
                }
                gain
            }
        }
    }

    /// Multiplies a block of planar stereo; a gain of one leaves it untouched, a gain of zero writes zeros.
    ///
    /// Real-time: yes. Bound: one multiplication a sample, and one division a frame while it moves.
    pub fn apply(&mut self, [left, right]: [&mut [f32]; 2]) {
        debug_assert_eq!(left.len(), right.len(), "planar channels are of one length");
        let mut frames = left.iter_mut().zip(right.iter_mut());
        while self.holding().is_none()
            && let Some((left, right)) = frames.next()
        {
            let gain = self.next_frame();
            *left *= gain;
            *right *= gain;
        }
        match self.holding() {
            // Not multiplied: zero times what is not finite is not zero.
            Some(0.0) => frames.for_each(|(left, right)| (*left, *right) = (0.0, 0.0)),
            Some(1.0) | None => {}
            Some(gain) => frames.for_each(|(left, right)| {
                *left *= gain;
                *right *= gain;
            }),
        }
    }
}

/// The value `done` of `over` frames along the line; both ends exact, and the same however it is reached.
fn between(from: f32, to: f32, done: usize, over: usize) -> f32 {
    if done == over {
        return to;
    }
    let along = f64_from_usize(done) / f64_from_usize(over);
    f32_from_f64(f64::from(from) + (f64::from(to) - f64::from(from)) * along)
}

fn audible(gain: f32) -> f32 {
    if gain.is_finite() && gain.abs() >= SILENT_BELOW { gain } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_fade_out_ends_in_zeros_and_a_steady_one_touches_nothing() {
        let mut gain = Gain::new(1.0);
        let (mut left, mut right) = ([-0.0_f32, f32::MIN_POSITIVE / 4.0], [0.1_f32, 0.3]);
        let before = (left, right);
        gain.apply([&mut left, &mut right]);
        assert_eq!((left.map(f32::to_bits), right), (before.0.map(f32::to_bits), before.1));

        gain.set(1e-9, 3);
        let (mut left, mut right) = ([1.0_f32; 6], [f32::INFINITY; 6]);
        gain.apply([&mut left, &mut right]);
        assert_eq!(left[2..], [0.0; 4]);
        assert_eq!(right[3..], [0.0; 3]);
        assert!(left[0] > left[1] && left[1] > 0.0);
    }

    #[test]
    fn what_is_not_a_number_is_silence() {
        for wrong in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert_eq!(Gain::new(wrong).current(), 0.0);
        }
    }

    proptest! {
        #[test]
        fn the_walk_is_even_and_ends_on_the_target(
            from in 0.0_f32..4.0, to in 0.0_f32..4.0, over in 1_usize..500, block in 1_usize..97,
        ) {
            let mut gain = Gain::new(from);
            let mut walked = Vec::new();
            while walked.len() < over + 10 {
                gain.set(to, over); // repeated: must not begin again
                let (mut left, mut right) = (vec![1.0_f32; block], vec![-1.0_f32; block]);
                gain.apply([&mut left, &mut right]);
                prop_assert!(left.iter().zip(&right).all(|(left, right)| *left == -*right));
                walked.extend(left);
            }
            let stride = (f64::from(to) - f64::from(from)).abs() / f64_from_usize(over) + 1e-6;
            let mut before = from;
            for gain in &walked {
                prop_assert!(f64::from((gain - before).abs()) <= stride);
                before = *gain;
            }
            let to = audible(to);
            prop_assert!(walked[over - 1..].iter().all(|gain| gain.to_bits() == to.to_bits()));
        }
    }
}
