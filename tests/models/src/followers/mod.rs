//! DAWs that follow a MIDI clock, as real ones do: from bytes to a transport.
//!
//! A [`Follower`] takes bytes with the grid position of their emission. They reach it through its input (a fixed latency
//! and a little jitter), its decoder obeys Start, Stop, Continue and Song Position as far as that DAW does, and a
//! [`Smoother`](smoother::Smoother) makes of ticks a position: each of the kinds in use, from reports of their behaviour.
//! A [`studio::Studio`] joins a follower to the ticker that drives it and the closed loop that watches it.

mod smoother;
pub mod studio;

use std::collections::VecDeque;

use lockstep_shared::midi::{Decoder, Observation, Realtime};
use lockstep_shared::time::convert::f64_from_i64;
use lockstep_shared::time::{GRID_RATE, GridPosition};
use lockstep_shared::timeline::Motion;

use crate::rng::Rng;
use smoother::Smoother;

/// A kind of DAW.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Takes its tempo from the last two ticks.
    Twitchy,
    /// Locks a second-order loop to the ticks.
    SmoothLoop,
    /// Runs at the mean tempo of the last 24 ticks, whatever its phase.
    Averages24,
    /// A smooth loop behind an input that takes 30 ms.
    SlowInput,
    /// A smooth loop that obeys Start and Stop alone.
    IgnoresContinue,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 5] =
        [Self::Twitchy, Self::SmoothLoop, Self::Averages24, Self::SlowInput, Self::IgnoresContinue];

    /// How long an event takes from the wire into the DAW, in milliseconds.
    #[must_use]
    pub const fn latency_ms(self) -> f64 {
        match self {
            Self::Twitchy => 3.0,
            Self::SmoothLoop => 6.0,
            Self::Averages24 | Self::IgnoresContinue => 8.0,
            Self::SlowInput => 30.0,
        }
    }
}

/// A DAW that follows.
#[derive(Clone, Debug)]
pub struct Follower {
    kind: Kind,
    decoder: Decoder,
    /// Events on their way in, by frames of the grid.
    input: VecDeque<(f64, Realtime)>,
    chance: Rng,
    jitter_ms: f64,
    smoother: Smoother,
    transport: Transport,
    /// Where the next tick is, once playing.
    next_tick: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transport {
    Stopped,
    /// The next tick is the downbeat.
    Armed,
    Playing,
}

const MILLISECOND: f64 = GRID_RATE as f64 / 1_000.0;
/// What input scheduling adds at most, unless said otherwise.
const JITTER_MS: f64 = 0.3;

impl Follower {
    /// A DAW of this kind, stopped at its beginning.
    #[must_use]
    pub fn new(kind: Kind, seed: u64) -> Self {
        let smoother = match kind {
            Kind::Twitchy => Smoother::last_interval(),
            Kind::Averages24 => Smoother::mean_of_24(),
            Kind::SmoothLoop | Kind::SlowInput | Kind::IgnoresContinue => Smoother::second_order(),
        };
        Self {
            kind,
            decoder: Decoder::default(),
            input: VecDeque::new(),
            chance: Rng::new(seed),
            jitter_ms: JITTER_MS,
            smoother,
            transport: Transport::Stopped,
            next_tick: 0,
        }
    }

    /// Makes the input late by up to this much by chance.
    pub const fn set_jitter_ms(&mut self, milliseconds: f64) {
        self.jitter_ms = milliseconds;
    }

    /// Bytes were put on the wire at `at`.
    pub fn receive(&mut self, at: GridPosition, bytes: &[u8]) {
        for byte in bytes {
            let Some(event) = self.decoder.push(*byte) else { continue };
            let late = (self.kind.latency_ms() + self.chance.between(0.0, self.jitter_ms)) * MILLISECOND;
            let arrives = at.frames_since(GridPosition::from_raw(0)) + late;
            // An input keeps the order of its bytes.
            let arrives = self.input.back().map_or(arrives, |(before, _)| arrives.max(*before));
            self.input.push_back((arrives, event));
        }
    }

    /// What a plugin inside sees in the block that begins at `at`.
    pub fn transport(&mut self, at: GridPosition) -> Observation {
        let now = at.frames_since(GridPosition::from_raw(0));
        while let Some((arrived, event)) = self.input.front().copied().filter(|(arrives, _)| *arrives <= now)
        {
            self.input.pop_front();
            self.take(arrived, event);
        }
        let (ticks, motion) = match self.transport {
            Transport::Playing => (self.smoother.ticks_at(now), Motion::Playing),
            Transport::Stopped | Transport::Armed => (f64_from_i64(self.next_tick), Motion::Stopped),
        };
        Observation { at, quarters: ticks / 24.0, motion }
    }

    /// The tempo that this DAW shows, in quarter notes a minute.
    #[must_use]
    pub fn tempo_bpm(&self) -> f64 {
        60.0 * f64::from(GRID_RATE) / self.smoother.quarter_frames()
    }

    fn take(&mut self, at: f64, event: Realtime) {
        match event {
            Realtime::Clock => self.tick(at),
            Realtime::Start => {
                self.next_tick = 0;
                self.transport = Transport::Armed;
            }
            Realtime::Stop => self.transport = Transport::Stopped,
            Realtime::Continue | Realtime::SongPosition(_) if self.kind == Kind::IgnoresContinue => {}
            Realtime::Continue => self.transport = Transport::Armed,
            Realtime::SongPosition(position) => self.next_tick = position.ticks(),
        }
    }

    fn tick(&mut self, at: f64) {
        self.smoother.tick(at);
        match self.transport {
            Transport::Stopped => {}
            Transport::Armed => {
                self.transport = Transport::Playing;
                self.smoother.place(f64_from_i64(self.next_tick), at);
                self.next_tick += 1;
            }
            Transport::Playing => self.next_tick += 1,
        }
    }
}
