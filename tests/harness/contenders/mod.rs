//! Receivers that meet the same network: ours, and others written from what is described of them.
//!
//! Each is given what happened to every datagram of a path ([`Hop`]) and says how long sound took beyond the path's own
//! length, and how much of it was missing. Codecs, sound cards and the filling of a datagram are left out for all.
//!
//! | contender | described in |
//! |---|---|
//! | [`windows`]: automatic depth by simulated windows, a buffer at each end | what Jamulus does: ten virtual buffers of 2 to 11 blocks |
//! | [`queue`]: a queue of a fixed depth; one that grows by a block and drains by drops | JackTrip's `-q`; SonoBus' automatic mode |
//! | [`lockstep`]: the delay that is cheapest, and copies | this project |

pub mod lockstep;
pub mod queue;
pub mod windows;

use lockstep_shared::time::convert::{f64_from_i64, f64_from_usize};
use lockstep_shared::time::{LocalTime, Span};

use crate::net::{Path, PathPlan};
use crate::rng::Rng;

/// Grid frames a second.
const RATE: f64 = 48_000.0;

/// What one path did to a run of datagrams, each `block_frames` after the one before.
#[derive(Clone, Debug)]
pub struct Hop {
    /// Frames of one datagram.
    pub block_frames: f64,
    /// How much longer than the empty path each took, in frames; none of those that were lost.
    pub delays_frames: Vec<Option<f64>>,
}

/// What a contender made of a path.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome {
    /// The mean time that sound took beyond the length of the path, in frames.
    pub delay_frames: f64,
    /// The share of blocks that were not there when they were due.
    pub concealed: f64,
}

/// The mean of outcomes, as they come.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    blocks: f64,
    delay_frames: f64,
    concealed: f64,
}

impl Hop {
    /// So many datagrams over a path that behaves as planned.
    #[must_use]
    pub fn draw(plan: &PathPlan, seed: u64, block_frames: i64, count: usize) -> Self {
        let mut path = Path::new(plan.clone(), Rng::new(seed));
        let delays_frames = (0..count).map(|number| {
            let seconds = f64_from_usize(number) * f64_from_i64(block_frames) / RATE;
            let sent = LocalTime::ZERO + Span::from_secs_f64(seconds);
            let arrived = path.send(sent, 300).first?;
            Some((arrived - sent - plan.base).secs_f64() * RATE)
        });
        Self { block_frames: f64_from_i64(block_frames), delays_frames: delays_frames.collect() }
    }

    /// When the block of this number is complete at its sender, in frames.
    fn sent_frames(&self, number: usize) -> f64 {
        f64_from_usize(number) * self.block_frames
    }
}

impl Tally {
    /// Counts a block that was due `delay_frames` after it was sent.
    pub fn count(&mut self, delay_frames: f64, is_concealed: bool) {
        self.blocks += 1.0;
        self.delay_frames += delay_frames;
        self.concealed += f64::from(u8::from(is_concealed));
    }

    /// The means.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let blocks = self.blocks.max(1.0);
        Outcome { delay_frames: self.delay_frames / blocks, concealed: self.concealed / blocks }
    }
}
