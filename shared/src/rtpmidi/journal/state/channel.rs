//! What messages have made of one channel.

use std::collections::BTreeMap;

use crate::midi::message::{U7, U14, Voice};

use super::super::wire::Family;
use super::parameter::{Half, Parameter, ParameterKey, Selection, insert};

/// What messages have made of one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelState {
    /// Each key.
    pub notes: [NoteState; 128],
    /// What each controller said last. Numbers 98 to 101 are in `selection`, 6, 38, 96 and 97 in `parameters` while
    /// one is selected.
    pub controllers: [Option<U7>; 128],
    /// How often each of the modes 120 to 127 was commanded, modulo 64.
    pub mode_counts: [u8; 8],
    /// How often each of the pedals 64 to 69 went up or down, modulo 64.
    pub pedal_toggles: [u8; 6],
    /// What was entered into parameters.
    pub parameters: BTreeMap<ParameterKey, Parameter>,
    /// Which parameter entries go to.
    pub selection: Option<Selection>,
    /// The program.
    pub program: Option<U7>,
    /// The bank (controllers 0 and 32) that the program was chosen from.
    pub bank: Option<(U7, U7)>,
    /// The wheel.
    pub bend: U14,
    /// The pressure on the keys.
    pub pressure: U7,
    /// The pressure on each key.
    pub poly_pressures: [U7; 128],
}

/// One key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoteState {
    /// Strikes that await their release; a synthesizer may sound one or each.
    pub count: u8,
    /// How hard the key was struck if that was the latest command, 0 if a release was.
    pub velocity: U7,
}

/// What a command has changed, or said again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Touched {
    Note(U7),
    Control(U7),
    Selection,
    Parameter(ParameterKey),
    Program,
    Bend,
    Pressure,
    PolyPressure(U7),
}

pub(in super::super) const BANK_MSB: U7 = U7::low_bits(0);
pub(in super::super) const BANK_LSB: U7 = U7::low_bits(32);
pub(in super::super) const DATA_MSB: U7 = U7::low_bits(6);
pub(in super::super) const DATA_LSB: U7 = U7::low_bits(38);
pub(in super::super) const INCREMENT: U7 = U7::low_bits(96);
pub(in super::super) const DECREMENT: U7 = U7::low_bits(97);
const ALL_SOUND_OFF: u8 = 120;
pub(in super::super) const RESET_CONTROLLERS: u8 = 121;
const ALL_NOTES_OFF: u8 = 123;
/// The first of the pedals that chapter C counts the toggles of; there are six.
pub(in super::super) const PEDALS: u8 = 64;
/// The first of the modes; there are eight.
pub(in super::super) const MODES: u8 = 120;

/// What Reset All Controllers makes of controllers (RP-015): modulation, expression, and the pedals but for the
/// legato switch and hold 2. Bank, volume, pan, sounds, effects and parameters stay.
pub(in super::super) const RESET_BY_RESET: [(u8, U7); 6] =
    [(1, U7::ZERO), (11, U7::MAX), (64, U7::ZERO), (65, U7::ZERO), (66, U7::ZERO), (67, U7::ZERO)];

/// Whether a mode ends notes: the four that change the mode do as well.
pub(in super::super) const fn ends_notes(mode: u8) -> bool {
    matches!(mode, ALL_SOUND_OFF | ALL_NOTES_OFF..=127)
}

/// Whether a switch at `value` is on.
pub(in super::super) const fn is_on(value: U7) -> bool {
    value.get() >= 64
}

impl ChannelState {
    /// Nothing was said.
    pub const NEW: Self = Self {
        notes: [NoteState { count: 0, velocity: U7::ZERO }; 128],
        controllers: [None; 128],
        mode_counts: [0; 8],
        pedal_toggles: [0; 6],
        parameters: BTreeMap::new(),
        selection: None,
        program: None,
        bank: None,
        bend: U14::CENTRE,
        pressure: U7::ZERO,
        poly_pressures: [U7::ZERO; 128],
    };

    /// What `number` said last.
    #[must_use]
    pub const fn controller(&self, number: U7) -> Option<U7> {
        self.controllers[number.index()]
    }

    /// The bank that a program chosen now would be from.
    #[must_use]
    pub fn next_bank(&self) -> Option<(U7, U7)> {
        let halves = (self.controller(BANK_MSB), self.controller(BANK_LSB));
        (halves != (None, None)).then(|| (halves.0.unwrap_or_default(), halves.1.unwrap_or_default()))
    }

    pub(in super::super) fn touch(&mut self, voice: Voice) -> Touched {
        match voice {
            Voice::NoteOff { note, .. } | Voice::NoteOn { note, velocity: U7::ZERO } => {
                let state = &mut self.notes[note.index()];
                *state = NoteState { count: state.count.saturating_sub(1), velocity: U7::ZERO };
                Touched::Note(note)
            }
            Voice::NoteOn { note, velocity } => {
                let state = &mut self.notes[note.index()];
                *state = NoteState { count: (state.count + 1).min(127), velocity };
                Touched::Note(note)
            }
            Voice::PolyPressure { note, pressure } => {
                self.poly_pressures[note.index()] = pressure;
                Touched::PolyPressure(note)
            }
            Voice::Control { number, value } => self.control(number, value),
            Voice::Program(program) => {
                (self.program, self.bank) = (Some(program), self.next_bank());
                Touched::Program
            }
            Voice::Pressure(pressure) => {
                self.pressure = pressure;
                Touched::Pressure
            }
            Voice::Bend(bend) => {
                self.bend = bend;
                Touched::Bend
            }
        }
    }

    fn control(&mut self, number: U7, value: U7) -> Touched {
        match number.get() {
            98..=101 => {
                let family = if number.get() < 100 { Family::NonRegistered } else { Family::Registered };
                let half = if number.get().is_multiple_of(2) { Half::Low(value) } else { Half::High(value) };
                self.selection = Selection::after(self.selection, family, half);
                Touched::Selection
            }
            6 | 38 | 96 | 97 => match self.selection.and_then(Selection::key) {
                Some(key) => {
                    self.enter(key, number, value);
                    Touched::Parameter(key)
                }
                None => self.set(number, value),
            },
            mode @ MODES..=127 => {
                let count = &mut self.mode_counts[usize::from(mode - MODES)];
                *count = (*count + 1) % 64;
                if ends_notes(mode) {
                    self.notes = [NoteState::default(); 128];
                }
                if mode == RESET_CONTROLLERS {
                    self.reset_controllers();
                }
                self.set(number, value)
            }
            _ => self.set(number, value),
        }
    }

    fn set(&mut self, number: U7, value: U7) -> Touched {
        let before = self.controllers[number.index()].replace(value);
        if let Some(toggles) =
            number.get().checked_sub(PEDALS).and_then(|pedal| self.pedal_toggles.get_mut(usize::from(pedal)))
            && is_on(before.unwrap_or_default()) != is_on(value)
        {
            *toggles = (*toggles + 1) % 64;
        }
        Touched::Control(number)
    }

    fn enter(&mut self, key: ParameterKey, number: U7, value: U7) {
        let parameter = insert(&mut self.parameters, key);
        match number {
            DATA_MSB => *parameter = Parameter { msb: Some(value), lsb: None, steps: 0 },
            DATA_LSB => (parameter.lsb, parameter.steps) = (Some(value), 0),
            _ => parameter.step(if number == INCREMENT { 1 } else { -1 }),
        }
        if *parameter == Parameter::default() {
            self.parameters.remove(&key);
        }
    }

    fn reset_controllers(&mut self) {
        for (number, value) in RESET_BY_RESET {
            if self.controllers[usize::from(number)].is_some() {
                self.set(U7::low_bits(number), value);
            }
        }
        self.selection = None;
        self.bend = U14::CENTRE;
        self.pressure = U7::ZERO;
        self.poly_pressures = [U7::ZERO; 128];
    }
}
