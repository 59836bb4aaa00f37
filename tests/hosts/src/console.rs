//! A DAW whose transport a plugin may move: the buttons that its main thread offers, and the song that its audio plays.
//!
//! ```text
//! plugin -> reaper.rs or clap/movable.rs (main thread) -> Console -> Song (audio thread, from its next block on)
//! ```
//!
//! As in a DAW there is one console a process, and its buttons are for the main thread alone: whoever presses one on another
//! thread ends the test.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, ThreadId};

use lockstep_shared::time::convert::f64_from_u64;

use crate::block::{Motion, Transport};

/// What a DAW offers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Offer {
    /// Nothing: its transport is its user's.
    #[default]
    Nothing,
    /// REAPER's functions.
    Reaper,
    /// The same, and does nothing of what it is asked.
    DeafReaper,
    /// The draft extension of CLAP.
    TransportControl,
}

/// The buttons of the process's one DAW.
#[derive(Debug)]
pub struct Console {
    main: ThreadId,
    desk: Mutex<Desk>,
}

/// What the buttons have been set to, and what the audio has yet to be told.
#[derive(Debug)]
struct Desk {
    offer: Offer,
    bpm: f64,
    rate: f64,
    presses: Vec<Press>,
    /// All presses so far.
    count: u32,
}

/// One press of a button.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Press {
    /// Go to these quarter notes, playing or not.
    Locate(f64),
    /// Play from there.
    Play,
    /// Stand.
    Stop,
    /// So many quarter notes a minute.
    Bpm(f64),
    /// So many times as fast.
    Rate(f64),
}

/// The song as the audio thread plays it.
#[derive(Debug)]
pub struct Song {
    sample_rate: f64,
    quarters: f64,
    bpm: f64,
    rate: f64,
    motion: Motion,
    frame: u64,
    presses: Vec<Press>,
}

static CONSOLE: OnceLock<Console> = OnceLock::new();

impl Console {
    /// The console of this process. The thread that asks first is its main thread.
    pub fn get() -> &'static Self {
        let desk = Desk { offer: Offer::Nothing, bpm: 120.0, rate: 1.0, presses: Vec::new(), count: 0 };
        CONSOLE.get_or_init(|| Self { main: thread::current().id(), desk: Mutex::new(desk) })
    }

    /// Sets what the DAW offers, before a plugin asks.
    pub fn set_offer(&self, offer: Offer) {
        self.desk().offer = offer;
    }

    /// What the DAW offers.
    pub fn offer(&self) -> Offer {
        self.desk().offer
    }

    /// Presses a button.
    ///
    /// # Panics
    /// On another thread than the main one.
    pub fn press(&self, press: Press) {
        assert_eq!(
            thread::current().id(),
            self.main,
            "{press:?} on a thread that is not the DAW's main thread"
        );
        let mut desk = self.desk();
        desk.count += 1;
        if desk.offer == Offer::DeafReaper {
            return;
        }
        match press {
            Press::Bpm(bpm) => desk.bpm = bpm,
            Press::Rate(rate) => desk.rate = rate,
            Press::Locate(_) | Press::Play | Press::Stop => {}
        }
        desk.presses.push(press);
    }

    /// The tempo that the DAW shows.
    pub fn bpm(&self) -> f64 {
        self.desk().bpm
    }

    /// How many times as fast the DAW plays.
    pub fn rate(&self) -> f64 {
        self.desk().rate
    }

    /// How many buttons were pressed so far.
    pub fn presses(&self) -> u32 {
        self.desk().count
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Song {
    /// A song that stands at its beginning.
    #[must_use]
    pub fn new(sample_rate: f64, bpm: f64) -> Self {
        Console::get().desk().bpm = bpm;
        let presses = Vec::with_capacity(64);
        Self { sample_rate, quarters: 0.0, bpm, rate: 1.0, motion: Motion::Stopped, frame: 0, presses }
    }

    /// The transport at the first frame of a block, which is frame `frame` of the DAW, after the buttons that were pressed.
    pub fn transport(&mut self, frame: u64) -> Transport {
        let passed = f64_from_u64(frame.saturating_sub(self.frame));
        self.frame = frame;
        let bpm = self.bpm * self.rate;
        if self.motion != Motion::Stopped {
            self.quarters += passed * bpm / 60.0 / self.sample_rate;
        }
        std::mem::swap(&mut self.presses, &mut Console::get().desk().presses);
        for press in self.presses.drain(..) {
            match press {
                Press::Locate(quarters) => self.quarters = quarters,
                Press::Play => self.motion = Motion::Playing,
                Press::Stop => self.motion = Motion::Stopped,
                Press::Bpm(bpm) => self.bpm = bpm,
                Press::Rate(rate) => self.rate = rate,
            }
        }
        let bpm = self.bpm * self.rate;
        Transport {
            motion: self.motion,
            position_quarters: self.quarters,
            position_seconds: self.quarters * 60.0 / self.bpm,
            ..Transport::stopped(bpm)
        }
    }
}
