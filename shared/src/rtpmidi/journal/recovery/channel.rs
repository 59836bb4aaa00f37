//! A channel: its chapters in the order in which they are played, which is that of the journal. Chapter C comes before
//! what a reset in it would undo.

use crate::midi::message::{Channel, U7, Voice};

use super::super::Chapter;
use super::super::state::{BANK_LSB, BANK_MSB};
use super::super::wire::{ChannelJournal, Controllers, PolyPressures, Pressing, Program, Side, Wheel};
use super::controllers::Meaning;
use super::player::Player;

impl Player<'_> {
    pub(super) fn repair_channel(&mut self, journal: &ChannelJournal) {
        let channel = journal.channel;
        if let Some(program) = &journal.program {
            self.repair_program(channel, program, journal.controllers.as_ref());
        }
        let meaning = if journal.parameters.is_some() { Meaning::Plain } else { Meaning::Parameters };
        let mut halves = Vec::new();
        if let Some(controllers) = &journal.controllers {
            halves = self.repair_controllers(channel, controllers, meaning);
        }
        if let Some(parameters) = &journal.parameters {
            self.repair_parameters(channel, parameters, &halves);
        }
        for (number, value) in halves {
            self.repair_half(channel, number, value);
        }
        if let Some(Wheel { bend, .. }) = journal.wheel
            && self.channel(channel).bend != bend
        {
            self.voice(Chapter::Wheel, channel, Voice::Bend(bend));
        }
        if let Some(notes) = &journal.notes {
            self.repair_notes(channel, notes, journal.extras.as_ref());
        }
        if let Some(Pressing { pressure, .. }) = journal.pressing
            && self.channel(channel).pressure != pressure
        {
            self.voice(Chapter::Pressure, channel, Voice::Pressure(pressure));
        }
        if let Some(poly_pressures) = &journal.poly_pressures {
            self.repair_poly_pressures(channel, poly_pressures);
        }
    }

    /// The program with its bank, after which Bank Select says what it said before, as far as chapter C does not say it.
    fn repair_program(&mut self, channel: Channel, program: &Program, controllers: Option<&Controllers>) {
        let state = self.channel(channel);
        let bank = program.bank.map(|bank| (bank.msb, bank.lsb));
        let known = match bank {
            Some(bank) => state.bank.unwrap_or_default() == bank,
            None => true,
        };
        if state.program == Some(program.program) && known {
            return;
        }
        let before = [BANK_MSB, BANK_LSB].map(|number| (number, state.controller(number)));
        if let Some((msb, lsb)) = bank {
            for (number, value) in [(BANK_MSB, msb), (BANK_LSB, lsb)] {
                if self.channel(channel).controller(number).unwrap_or_default() != value {
                    self.control(Chapter::Program, channel, number, value);
                }
            }
        }
        self.voice(Chapter::Program, channel, Voice::Program(program.program));
        for (number, value) in before {
            let told = controllers.iter().flat_map(|chapter| &chapter.logs).any(|log| log.number == number);
            if let Some(value) = value.filter(|_| !told)
                && self.channel(channel).controller(number) != Some(value)
            {
                self.control(Chapter::Program, channel, number, value);
            }
        }
    }

    fn repair_poly_pressures(&mut self, channel: Channel, poly_pressures: &PolyPressures) {
        for log in &poly_pressures.logs {
            let pressure = match log.side {
                Side::Since => log.pressure,
                Side::Before => U7::ZERO,
            };
            if self.channel(channel).poly_pressures[log.note.index()] != pressure {
                self.voice(Chapter::PolyPressure, channel, Voice::PolyPressure { note: log.note, pressure });
            }
        }
    }
}
