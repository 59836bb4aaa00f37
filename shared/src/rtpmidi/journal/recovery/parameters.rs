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
            let halves = [(high, key.msb), (low, key.lsb)];
            // A high half of 127 on a low one of 127 would choose none: then the low half goes first.
            let none = key.msb == U7::MAX
                && self
                    .channel(channel)
                    .selection
                    .is_some_and(|now| now.family == key.family && now.lsb == Some(U7::MAX));
            for (number, value) in if none { [halves[1], halves[0]] } else { halves } {
                self.control(Chapter::Parameters, channel, number, value);
            }
        }
    }

    fn repair_parameter(&mut self, channel: Channel, log: &ParameterLog) {
        let key = key(log);
        let now = self.channel(channel).parameters.get(&key).copied().unwrap_or_default();
        let (msb, lsb) = (log.entry_msb.map(|entry| entry.value), log.entry_lsb.map(|entry| entry.value));
        let steps = log.all_steps.map(|(_, button)| button.steps());
        // A log that tells nothing of a value leaves it.
        let target = Parameter {
            msb: if (msb, lsb) == (None, None) { now.msb } else { msb },
            lsb: if (msb, lsb) == (None, None) { now.lsb } else { lsb },
            steps: steps.unwrap_or(if (msb, lsb) == (None, None) { now.steps } else { 0 }),
        };
        if now == target {
            return;
        }
        self.choose(channel, key);
        // The high half forgets the low one and the steps, the low one the steps alone; steps too many are forgotten
        // when that is shorter than to undo them.
        let anew = now.steps != target.steps && target.steps.abs() < (target.steps - now.steps).abs();
        let mut steps = now.steps;
        let high = now.msb != target.msb || (target.lsb.is_none() && (now.lsb.is_some() || anew));
        if let Some(msb) = target.msb.filter(|_| high) {
            self.control(Chapter::Parameters, channel, DATA_MSB, msb);
            steps = 0;
        }
        let low = high || now.lsb != target.lsb || anew;
        if let Some(lsb) = target.lsb.filter(|_| low) {
            self.control(Chapter::Parameters, channel, DATA_LSB, lsb);
            steps = 0;
        }
        let missing = i32::from(target.steps) - i32::from(steps);
        let number = if missing > 0 { INCREMENT } else { DECREMENT };
        for _ in 0..missing.abs().min(STEPS_MAX) {
            self.control(Chapter::Parameters, channel, number, U7::ZERO);
        }
    }
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
