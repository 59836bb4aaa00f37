//! Chapter M.

use crate::midi::message::{Channel, U7};

use super::super::Chapter;
use super::super::state::{DATA_LSB, DATA_MSB, DECREMENT, INCREMENT, Parameter, ParameterKey, Selection};
use super::super::wire::{Family, ParameterLog, ParameterLogs, Transaction};
use super::player::Player;

/// The most increments or decrements that one log may ask for.
const STEPS_MAX: i32 = 1_024;

impl Player<'_> {
    /// `halves` are said afterwards: chapter M has no words for a low half that came alone.
    pub(super) fn repair_parameters(
        &mut self,
        channel: Channel,
        parameters: &ParameterLogs,
        halves: &[(U7, U7)],
    ) {
        for log in parameters.logs.iter().filter(|log| log.values) {
            self.repair_parameter(channel, log);
        }
        match (parameters.transaction, parameters.logs.last()) {
            (Transaction::Open, Some(log)) => self.choose(channel, key(log)),
            (Transaction::Open, None) => {}
            (Transaction::Closed, _) => {
                let low_half = |selection: Selection| {
                    let half = selection.lsb.filter(|_| selection.msb.is_none());
                    half.is_some_and(|lsb| halves.contains(&(numbers(selection.family).1, lsb)))
                };
                if self.channel(channel).selection.is_some_and(|selection| !low_half(selection)) {
                    self.choose_none(channel, Chapter::Parameters);
                }
            }
            (Transaction::Pending(family, msb), _) => {
                let target = Selection { family, msb: Some(msb), lsb: None };
                let now = self.channel(channel).selection;
                if now != Some(target) {
                    if now.is_some() {
                        self.choose_none(channel, Chapter::Parameters);
                    }
                    self.control(Chapter::Parameters, channel, numbers(family).0, msb);
                }
            }
        }
    }

    /// Chooses no parameter: 127 127.
    pub(super) fn choose_none(&mut self, channel: Channel, chapter: Chapter) {
        let (high, low) = numbers(Family::Registered);
        self.control(chapter, channel, high, U7::MAX);
        // With a low half of 127 the high one was enough, and another would begin anew.
        if self.channel(channel).selection.is_some() {
            self.control(chapter, channel, low, U7::MAX);
        }
    }

    fn choose(&mut self, channel: Channel, key: ParameterKey) {
        if self.channel(channel).selection.and_then(Selection::key) != Some(key) {
            let (high, low) = numbers(key.family);
            self.control(Chapter::Parameters, channel, high, key.msb);
            self.control(Chapter::Parameters, channel, low, key.lsb);
        }
    }

    fn repair_parameter(&mut self, channel: Channel, log: &ParameterLog) {
        let key = key(log);
        let target = Parameter {
            msb: log.entry_msb.map(|entry| entry.value),
            lsb: log.entry_lsb.map(|entry| entry.value),
            steps: log.all_steps.map_or(0, |(_, button)| button.steps()),
        };
        let now = self.channel(channel).parameters.get(&key).copied().unwrap_or_default();
        if now == target || target == Parameter::default() {
            return;
        }
        self.choose(channel, key);
        let mut steps = now.steps;
        // The high half forgets the low one and the steps, the low one the steps alone.
        let begin_again = now.msb != target.msb || (target.lsb.is_none() && now.lsb.is_some());
        if let Some(msb) =
            target.msb.filter(|_| begin_again || (target.lsb.is_none() && needs_reset(now, target)))
        {
            self.control(Chapter::Parameters, channel, DATA_MSB, msb);
            steps = 0;
        }
        let lsb = self.channel(channel).parameters.get(&key).and_then(|parameter| parameter.lsb);
        if let Some(value) = target.lsb.filter(|value| lsb != Some(*value) || needs_reset(now, target)) {
            self.control(Chapter::Parameters, channel, DATA_LSB, value);
            steps = 0;
        }
        let missing = i32::from(target.steps) - i32::from(steps);
        let number = if missing > 0 { INCREMENT } else { DECREMENT };
        for _ in 0..missing.abs().min(STEPS_MAX) {
            self.control(Chapter::Parameters, channel, number, U7::ZERO);
        }
    }
}

/// Whether steps are more easily forgotten than undone.
fn needs_reset(now: Parameter, target: Parameter) -> bool {
    target.steps.abs() < (target.steps - now.steps).abs()
}

fn key(log: &ParameterLog) -> ParameterKey {
    ParameterKey { family: log.family, msb: log.msb, lsb: log.lsb }
}

/// The controllers that choose the high and the low half of a number.
const fn numbers(family: Family) -> (U7, U7) {
    match family {
        Family::Registered => (U7::low_bits(101), U7::low_bits(100)),
        Family::NonRegistered => (U7::low_bits(99), U7::low_bits(98)),
    }
}
