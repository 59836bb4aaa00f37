//! What messages have made of what is not of one channel.

use crate::midi::message::{Exclusive, System, U7};

use super::sequencer::SequencerState;
use super::time_code::TimeCodeState;

/// What messages have made of what is not of one channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SystemState {
    /// How often Reset was said, modulo 128.
    pub resets: u8,
    /// How often Tune Request was said, modulo 128.
    pub tunes: u8,
    /// The song.
    pub song: Option<U7>,
    /// How often active sensing was said, modulo 128.
    pub sensings: u8,
    /// How many exclusive messages were said, modulo 256, without those that are time code.
    pub exclusives: u8,
    /// The sequencer.
    pub sequencer: SequencerState,
    /// MIDI time code.
    pub time_code: TimeCodeState,
}

/// What a message has changed, or said again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum TouchedSystem {
    Reset,
    Tune,
    Song,
    Sensing,
    Sequencer,
    TimeCode,
    Exclusive,
}

impl SystemState {
    pub(super) fn say(&mut self, system: System) -> TouchedSystem {
        match system {
            System::Reset => {
                *self = Self { resets: (self.resets + 1) % 128, ..Self::default() };
                TouchedSystem::Reset
            }
            System::QuarterFrame(data) => {
                self.time_code.quarter(data);
                TouchedSystem::TimeCode
            }
            System::SongSelect(song) => {
                self.song = Some(song);
                TouchedSystem::Song
            }
            System::TuneRequest => {
                self.tunes = (self.tunes + 1) % 128;
                TouchedSystem::Tune
            }
            System::ActiveSensing => {
                self.sensings = (self.sensings + 1) % 128;
                TouchedSystem::Sensing
            }
        }
    }

    pub(super) fn say_exclusive(&mut self, exclusive: &Exclusive) -> TouchedSystem {
        if let Some(frame) = full_frame(exclusive) {
            self.time_code.full(frame);
            return TouchedSystem::TimeCode;
        }
        self.exclusives = self.exclusives.wrapping_add(1);
        TouchedSystem::Exclusive
    }
}

/// Hours and rate, minutes, seconds and frames of a full-frame message of MIDI time code: 7F, device, 01, 01, then
/// these.
pub(in super::super) fn full_frame(exclusive: &Exclusive) -> Option<[u8; 4]> {
    match exclusive.content() {
        [0x7F, _, 0x01, 0x01, hours, minutes, seconds, frames] => Some([*hours, *minutes, *seconds, *frames]),
        _ => None,
    }
}
