//! When one channel said what, and the chapters that follow from it.

use std::collections::BTreeMap;

use crate::midi::message::{Channel, U7, Voice};

use super::super::Chapter;
use super::super::state::{
    BANK_LSB, BANK_MSB, ChannelState, PEDALS, ParameterKey, RESET_BY_RESET, RESET_CONTROLLERS, Touched,
    ends_notes,
};
use super::super::wire::{Bank, ChannelJournal, PolyPressures, Pressing, PressureLog, Program, Side, Wheel};
use super::coverage::{Stamp, Told};
use super::view::{View, freshness_of};

/// When one channel said what.
#[derive(Clone, Debug)]
pub(super) struct ChannelHistory {
    /// The latest of what each chapter tells, by [`Chapter::rank`].
    pub(super) latest: [Stamp; Chapter::OF_CHANNELS],
    pub(super) notes: [Stamp; 128],
    /// When a key was last struck while it was down, or released and still down.
    pub(super) overlaps: [Stamp; 128],
    /// How fast each key was released last.
    pub(super) releases: [U7; 128],
    pub(super) controllers: [Stamp; 128],
    pub(super) parameters: BTreeMap<ParameterKey, ParameterHistory>,
    pub(super) selection: Stamp,
    /// The latest Reset All Controllers.
    pub(super) reset: Stamp,
    program: Stamp,
    bank_side: Side,
    bend: Stamp,
    pressure: Stamp,
    poly_pressures: [Stamp; 128],
}

/// When a parameter was entered.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ParameterHistory {
    pub(super) latest: Stamp,
    pub(super) msb: Stamp,
    pub(super) lsb: Stamp,
    pub(super) steps: Stamp,
    /// Its steps as they were at the latest Reset All Controllers.
    pub(super) steps_before_reset: i16,
}

impl Default for ChannelHistory {
    fn default() -> Self {
        Self {
            latest: [Stamp::NEVER; Chapter::OF_CHANNELS],
            notes: [Stamp::NEVER; 128],
            overlaps: [Stamp::NEVER; 128],
            releases: [U7::MIDDLE; 128],
            controllers: [Stamp::NEVER; 128],
            parameters: BTreeMap::new(),
            selection: Stamp::NEVER,
            reset: Stamp::NEVER,
            program: Stamp::NEVER,
            bank_side: Side::Since,
            bend: Stamp::NEVER,
            pressure: Stamp::NEVER,
            poly_pressures: [Stamp::NEVER; 128],
        }
    }
}

impl ChannelHistory {
    /// `voice` was said and touched `touched`; `state` is what it led to.
    pub(super) fn record(&mut self, voice: Voice, touched: Touched, state: &ChannelState, stamp: Stamp) {
        match touched {
            Touched::Note(note) => self.note(note, voice, state, stamp),
            Touched::Control(number) => self.control(number, state, stamp),
            Touched::Selection => {
                self.selection = stamp;
                self.mark(&[Chapter::Parameters, Chapter::Controllers], stamp);
            }
            Touched::Parameter(key) => {
                self.parameters.retain(|key, _| state.parameters.contains_key(key));
                let history = self.parameters.entry(key).or_default();
                history.latest = stamp;
                match voice {
                    Voice::Control { number, .. } if number.get() == 6 => {
                        (history.msb, history.steps_before_reset) = (stamp, 0);
                    }
                    Voice::Control { number, .. } if number.get() == 38 => {
                        (history.lsb, history.steps_before_reset) = (stamp, 0);
                    }
                    Voice::Control { .. }
                    | Voice::NoteOff { .. }
                    | Voice::NoteOn { .. }
                    | Voice::PolyPressure { .. }
                    | Voice::Program(_)
                    | Voice::Pressure(_)
                    | Voice::Bend(_) => history.steps = stamp,
                }
                self.mark(&[Chapter::Parameters], stamp);
            }
            Touched::Program => {
                self.program = stamp;
                let banks = [BANK_MSB, BANK_LSB].map(|number| self.controllers[number.index()]);
                self.bank_side = if self.reset > banks[0].max(banks[1]) { Side::Before } else { Side::Since };
                self.mark(&[Chapter::Program], stamp);
            }
            Touched::Bend => {
                self.bend = stamp;
                self.mark(&[Chapter::Wheel], stamp);
            }
            Touched::Pressure => {
                self.pressure = stamp;
                self.mark(&[Chapter::Pressure], stamp);
            }
            Touched::PolyPressure(note) => {
                self.poly_pressures[note.index()] = stamp;
                self.mark(&[Chapter::PolyPressure], stamp);
            }
        }
    }

    /// What `view` asks for of each chapter. `partly` is told of chapters that had no room for all.
    pub(super) fn journal(
        &self,
        channel: Channel,
        state: &ChannelState,
        view: &View<'_>,
        partly: &mut Vec<Chapter>,
    ) -> Option<ChannelJournal> {
        let mut journal = ChannelJournal { channel, ..ChannelJournal::default() };
        let mut any = false;
        for chapter in Chapter::ALL.into_iter().take(Chapter::OF_CHANNELS) {
            let first = view.first(channel, chapter);
            if !self.latest[chapter.rank()].since(first) {
                continue;
            }
            let (told, here) = self.chapter(chapter, first, state, view, &mut journal);
            any |= here;
            if told == Told::Partly {
                partly.push(chapter);
            }
        }
        any.then_some(journal)
    }

    fn chapter(
        &self,
        chapter: Chapter,
        first: u64,
        state: &ChannelState,
        view: &View<'_>,
        journal: &mut ChannelJournal,
    ) -> (Told, bool) {
        match chapter {
            Chapter::Notes => {
                journal.notes = self.notes(first, state, view);
                (Told::Whole, journal.notes.is_some())
            }
            Chapter::NoteExtras => {
                let told;
                (journal.extras, told) = self.extras(first, state, view);
                (told, journal.extras.is_some())
            }
            Chapter::Controllers => {
                let told;
                (journal.controllers, told) = self.controllers(first, state, view);
                (told, journal.controllers.is_some())
            }
            Chapter::Parameters => {
                let told;
                (journal.parameters, told) = self.parameters(first, state, view);
                (told, journal.parameters.is_some())
            }
            Chapter::Wheel => {
                let freshness = view.freshness(self.bend);
                journal.wheel = self.bend.since(first).then_some(Wheel { freshness, bend: state.bend });
                (Told::Whole, journal.wheel.is_some())
            }
            Chapter::Program => {
                journal.program = self.program_chapter(first, state, view);
                (Told::Whole, journal.program.is_some())
            }
            Chapter::Pressure => {
                let freshness = view.freshness(self.pressure);
                let pressing = Pressing { freshness, pressure: state.pressure };
                journal.pressing = self.pressure.since(first).then_some(pressing);
                (Told::Whole, journal.pressing.is_some())
            }
            Chapter::PolyPressure => {
                journal.poly_pressures = self.poly_pressures(first, state, view);
                (Told::Whole, journal.poly_pressures.is_some())
            }
            Chapter::Sequencer
            | Chapter::TimeCode
            | Chapter::Simple
            | Chapter::ActiveSensing
            | Chapter::Exclusive => (Told::Whole, false),
        }
    }

    fn mark(&mut self, chapters: &[Chapter], stamp: Stamp) {
        for chapter in chapters {
            self.latest[chapter.rank()] = stamp;
        }
    }

    fn note(&mut self, note: U7, voice: Voice, state: &ChannelState, stamp: Stamp) {
        let place = note.index();
        self.notes[place] = stamp;
        self.releases[place] =
            if let Voice::NoteOff { velocity, .. } = voice { velocity } else { U7::MIDDLE };
        let count = state.notes[place].count;
        // Struck while down: now above 1. Released and still down: now above 0.
        if count > u8::from(!voice.is_release()) {
            self.overlaps[place] = stamp;
        }
        self.mark(&[Chapter::Notes, Chapter::NoteExtras], stamp);
    }

    fn control(&mut self, number: U7, state: &ChannelState, stamp: Stamp) {
        if ends_notes(number.get()) {
            self.notes = [Stamp::NEVER; 128];
            self.overlaps = [Stamp::NEVER; 128];
            self.mark(&[Chapter::Notes, Chapter::NoteExtras], Stamp::NEVER);
        }
        if number.get() == RESET_CONTROLLERS {
            // What the reset undid is told by the reset; but how often pedals moved, and that no parameter is chosen, is
            // told by itself.
            for (number, _) in RESET_BY_RESET {
                let moved = number >= PEDALS && state.controllers[usize::from(number)].is_some();
                self.controllers[usize::from(number)] = if moved { stamp } else { Stamp::NEVER };
            }
            (self.bend, self.pressure) = (Stamp::NEVER, Stamp::NEVER);
            self.poly_pressures = [Stamp::NEVER; 128];
            (self.selection, self.reset) = (stamp, stamp);
            for (key, history) in &mut self.parameters {
                history.steps_before_reset = state.parameters.get(key).map_or(0, |parameter| parameter.steps);
            }
            self.mark(&[Chapter::Wheel, Chapter::Pressure, Chapter::PolyPressure], Stamp::NEVER);
            self.mark(&[Chapter::Parameters], stamp);
        }
        self.controllers[number.index()] = stamp;
        self.mark(&[Chapter::Controllers], stamp);
    }

    fn program_chapter(&self, first: u64, state: &ChannelState, view: &View<'_>) -> Option<Program> {
        let program = state.program.filter(|_| self.program.since(first))?;
        let bank = state.bank.map(|(msb, lsb)| Bank { msb, lsb, side: self.bank_side });
        Some(Program { freshness: view.freshness(self.program), program, bank })
    }

    fn poly_pressures(&self, first: u64, state: &ChannelState, view: &View<'_>) -> Option<PolyPressures> {
        let logs: Vec<_> = oldest_first(&self.poly_pressures, first)
            .into_iter()
            .map(|(stamp, note)| PressureLog {
                freshness: view.freshness(stamp),
                note,
                side: Side::Since,
                pressure: state.poly_pressures[note.index()],
            })
            .collect();
        let freshness = freshness_of(logs.iter().map(|log| log.freshness));
        (!logs.is_empty()).then_some(PolyPressures { freshness, logs })
    }
}

/// The entries of a table that were said since `first`, oldest first.
pub(super) fn oldest_first(stamps: &[Stamp; 128], first: u64) -> Vec<(Stamp, U7)> {
    let said = stamps.iter().zip(0..).filter(|(stamp, _)| stamp.since(first));
    let mut said: Vec<_> = said.map(|(stamp, number)| (*stamp, U7::low_bits(number))).collect();
    said.sort_unstable();
    said
}
