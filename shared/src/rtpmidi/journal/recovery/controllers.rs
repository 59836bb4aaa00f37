//! Chapter C.

use crate::midi::message::{Channel, U7};

use super::super::Chapter;
use super::super::state::{MODES, PEDALS, Selection, is_on};
use super::super::wire::{ControllerLog, Controllers, Family, Freshness, Tool};
use super::player::Player;

/// What the controllers of the parameter system mean here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Chapter M tells parameters: 6, 38, 96 and 97 were said while none was chosen.
    Plain,
    /// There is no chapter M: they are as they come.
    Parameters,
}

/// One command, told by one to three logs: count, value, toggle, in this order.
#[derive(Clone, Copy)]
struct Command {
    freshness: Freshness,
    number: U7,
    count: Option<u8>,
    value: Option<U7>,
    toggle: Option<u8>,
}

impl Player<'_> {
    /// Gives the halves of parameter numbers that are to be said after chapter M.
    pub(super) fn repair_controllers(
        &mut self,
        channel: Channel,
        controllers: &Controllers,
        meaning: Meaning,
    ) -> Vec<(U7, U7)> {
        let commands = commands(&controllers.logs);
        let mut halves = Vec::new();
        let mut counted = [None; 128];
        // A bit for each pair of a high and a low half of which one was repaired: the other follows.
        let mut pairs = 0_u32;
        for command in &commands {
            let number = command.number;
            if commands.iter().filter(|other| other.number == number).count() > 1 {
                self.repair_counted(channel, *command, &mut counted[number.index()]);
                continue;
            }
            match number.get() {
                98..=101 => match (command.value, meaning) {
                    (Some(value), Meaning::Plain) => halves.push((number, value)),
                    (Some(value), Meaning::Parameters) => self.repair_half(channel, number, value),
                    (None, _) => {}
                },
                6 | 38 | 96 | 97 => self.repair_entry(channel, *command, meaning),
                MODES..=127 => self.repair_mode(channel, *command),
                _ => {
                    let pair = if number.get() < 64 { 1 << (number.get() & 31) } else { 0 };
                    if self.repair_value(channel, *command, pairs & pair != 0) {
                        pairs |= pair;
                    }
                    self.repair_toggle(channel, *command);
                }
            }
        }
        halves
    }

    /// One half of a parameter's number, if it is not chosen.
    pub(super) fn repair_half(&mut self, channel: Channel, number: U7, value: U7) {
        let family = if number.get() < 100 { Family::NonRegistered } else { Family::Registered };
        let low = number.get().is_multiple_of(2);
        let said = match self.channel(channel).selection {
            None => false,
            Some(Selection { family: chosen, msb, lsb }) => {
                chosen == family && (if low { lsb } else { msb }) == Some(value)
            }
        };
        if !said {
            self.control(Chapter::Controllers, channel, number, value);
        }
    }

    /// Several commands of one controller (enhanced encoding, A.3.3): the first has a count, each next one more. Those
    /// that were not counted here yet are played.
    fn repair_counted(&mut self, channel: Channel, command: Command, counted: &mut Option<u8>) {
        let Some(count) = command.count.or_else(|| counted.map(|count| (count + 1) % 64)) else { return };
        *counted = Some(count);
        let missed = count.wrapping_sub(*self.counts.count_mut(channel, command.number)) % 64;
        if (1..=32).contains(&missed) {
            let value = command.value.or_else(|| command.toggle.map(switch)).unwrap_or_default();
            self.control(Chapter::Controllers, channel, command.number, value);
            *self.counts.count_mut(channel, command.number) = count;
        }
    }

    fn repair_entry(&mut self, channel: Channel, command: Command, meaning: Meaning) {
        let Some(value) = command.value else { return };
        let key = self.channel(channel).selection.and_then(Selection::key);
        let key = match (key, meaning) {
            (Some(_), Meaning::Plain) => {
                self.choose_none(channel, Chapter::Controllers);
                None
            }
            (key, _) => key,
        };
        let state = self.channel(channel);
        let parameter = key.map(|key| state.parameters.get(&key).copied().unwrap_or_default());
        let known = match (parameter, command.number.get()) {
            (None, _) => state.controller(command.number) == Some(value),
            (Some(parameter), 6) => parameter.msb == Some(value),
            (Some(parameter), 38) => parameter.lsb == Some(value),
            // A step that may have been heard is not taken twice.
            (Some(_), _) => !self.certainly_lost(command.freshness),
        };
        if !known {
            self.control(Chapter::Controllers, channel, command.number, value);
        }
    }

    fn repair_mode(&mut self, channel: Channel, command: Command) {
        let place = usize::from(command.number.get() - MODES);
        let state = self.channel(channel);
        let missed = match command.count {
            Some(count) => state.mode_counts[place] != count,
            None => {
                self.certainly_lost(command.freshness)
                    || command.value.is_some_and(|value| state.controller(command.number) != Some(value))
            }
        };
        if missed {
            let value = command.value.unwrap_or_default();
            self.control(Chapter::Controllers, channel, command.number, value);
        }
        if let Some(count) = command.count {
            self.channel_mut(channel).mode_counts[place] = count;
        }
    }

    /// Whether the value had to be played: also if its other half was.
    fn repair_value(&mut self, channel: Channel, command: Command, other_half: bool) -> bool {
        let Some(value) = command.value else { return false };
        let missed = self.channel(channel).controller(command.number) != Some(value) || other_half;
        if missed {
            self.control(Chapter::Controllers, channel, command.number, value);
        }
        missed
    }

    /// A pedal that went up and down again while nobody heard it has let go of what it held.
    fn repair_toggle(&mut self, channel: Channel, command: Command) {
        let Some(toggle) = command.toggle else { return };
        let number = command.number;
        let value = command.value.unwrap_or_else(|| switch(toggle));
        let now = self.channel(channel).controller(number).unwrap_or_default();
        if is_on(now) != is_on(value) {
            self.control(Chapter::Controllers, channel, number, value);
        }
        let Some(pedal) = number.get().checked_sub(PEDALS).map(usize::from).filter(|pedal| *pedal < 6) else {
            return;
        };
        if self.channel(channel).pedal_toggles[pedal] != toggle && is_on(value) && is_on(now) {
            self.control(Chapter::Controllers, channel, number, U7::ZERO);
            self.control(Chapter::Controllers, channel, number, value);
        }
        self.channel_mut(channel).pedal_toggles[pedal] = toggle;
    }
}

/// What a switch that was turned this often is at.
const fn switch(toggles: u8) -> U7 {
    if toggles.is_multiple_of(2) { U7::ZERO } else { U7::MAX }
}

fn commands(logs: &[ControllerLog]) -> Vec<Command> {
    let mut commands: Vec<Command> = Vec::new();
    for log in logs {
        let goes_on = commands.last().is_some_and(|command| {
            let later = match log.tool {
                Tool::Count(_) => false,
                Tool::Value(_) => command.value.is_none() && command.toggle.is_none(),
                Tool::Toggle(_) => command.toggle.is_none(),
            };
            command.number == log.number && later
        });
        if !goes_on {
            let (freshness, number) = (log.freshness, log.number);
            commands.push(Command { freshness, number, count: None, value: None, toggle: None });
        }
        if let Some(command) = commands.last_mut() {
            match log.tool {
                Tool::Count(count) => command.count = Some(count),
                Tool::Value(value) => command.value = Some(value),
                Tool::Toggle(toggle) => command.toggle = Some(toggle),
            }
        }
    }
    commands
}
