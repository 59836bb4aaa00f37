//! Hosts as their plugins see them: when the callback for each block comes.

use lockstep_shared::clock::Callback;
use lockstep_shared::time::convert::i64_floor;
use lockstep_shared::time::{DeviceFrame, Frames, LocalTime, Span};

use crate::clock::AudioClock;
use crate::rng::Rng;

/// The blocks that a host asks for.
#[derive(Clone, Copy, Debug)]
pub enum Blocks {
    /// Always as many frames.
    Fixed(i64),
    /// Another size every time.
    Changing,
}

impl Blocks {
    fn next(self, rng: &mut Rng) -> Frames {
        match self {
            Self::Fixed(frames) => Frames(frames),
            Self::Changing => Frames(i64_floor(rng.between(16.0, 1_025.0))),
        }
    }

    /// As in a figure's name.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Fixed(frames) => frames.to_string(),
            Self::Changing => "changing".into(),
        }
    }
}

/// When a host calls.
#[derive(Clone, Copy, Debug)]
pub enum Schedule {
    /// The moment the device has delivered the block.
    Exact,
    /// Later than that, by 50 us in the mean, and stalled by 10 to 50 ms every twenty seconds.
    Late,
    /// As [`Schedule::Late`], but all blocks of this long are computed at once, and then none.
    Ahead(Span),
}

/// A host on an audio device.
#[derive(Debug)]
pub struct Callbacks {
    audio: AudioClock,
    blocks: Blocks,
    schedule: Schedule,
    rng: Rng,
    next: DeviceFrame,
    lost: Frames,
    earliest: LocalTime,
}

/// A callback, at its true time.
#[derive(Clone, Copy, Debug)]
pub struct TrueCallback {
    /// The block's first frame.
    pub first: DeviceFrame,
    /// How many frames it has.
    pub frames: Frames,
    /// When the host called.
    pub truth: LocalTime,
}

impl TrueCallback {
    /// What the plugin sees of it, by a clock that shows `at`.
    #[must_use]
    pub const fn callback(&self, at: LocalTime) -> Callback {
        Callback { first: self.first, frames: self.frames, at }
    }
}

impl Callbacks {
    const LATE_SECONDS: f64 = 50e-6;
    const STALLS_PER_SECOND: f64 = 0.05;
    /// A host needs so long for a block, at least.
    const BLOCK_COST: Span = Span::from_micros(20);

    /// A host on `audio` that asks for `blocks` on `schedule`.
    #[must_use]
    pub fn new(audio: AudioClock, blocks: Blocks, schedule: Schedule, rng: Rng) -> Self {
        Self {
            audio,
            blocks,
            schedule,
            rng,
            next: DeviceFrame(0),
            lost: Frames::ZERO,
            earliest: LocalTime::ZERO,
        }
    }

    /// The audio interface.
    pub const fn audio(&mut self) -> &mut AudioClock {
        &mut self.audio
    }

    /// The device loses `frames`: it runs on, and the host does not count them.
    pub fn lose(&mut self, frames: Frames) {
        self.lost = self.lost + frames;
    }
}

impl Iterator for Callbacks {
    type Item = TrueCallback;

    fn next(&mut self) -> Option<TrueCallback> {
        let first = self.next;
        let frames = self.blocks.next(&mut self.rng);
        self.next += frames;
        let delivered = self.audio.truth(self.next + self.lost);
        let due = match self.schedule {
            Schedule::Exact => delivered,
            Schedule::Late => delivered + self.lateness(frames),
            Schedule::Ahead(length) => {
                let burst = delivered.nanos().div_euclid(length.nanos()) * length.nanos();
                LocalTime::from_nanos(burst) + self.lateness(frames)
            }
        };
        // Blocks that waited behind a stall follow at once.
        let truth = due.max(self.earliest);
        self.earliest = match self.schedule {
            Schedule::Exact => truth,
            Schedule::Late | Schedule::Ahead(_) => truth + Self::BLOCK_COST,
        };
        Some(TrueCallback { first, frames, truth })
    }
}

impl Callbacks {
    fn lateness(&mut self, frames: Frames) -> Span {
        let usual = self.rng.exponential(Self::LATE_SECONDS);
        let block_seconds = frames.f64() / self.audio.rate().hz_f64();
        let is_stalled = self.rng.chance(Self::STALLS_PER_SECOND * block_seconds);
        Span::from_secs_f64(if is_stalled { usual + self.rng.between(0.010, 0.050) } else { usual })
    }
}
