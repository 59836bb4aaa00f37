//! Chapters C and M.

use crate::midi::message::U7;

use super::super::state::{ChannelState, MODES, PEDALS, ParameterKey, Selection};
use super::super::wire::{
    Button, ControllerLog, Controllers, Entry, Family, Freshness, ParameterLog, ParameterLogs, Side, Tool,
    Transaction,
};
use super::channel::{ChannelHistory, ParameterHistory, oldest_first};
use super::coverage::{Stamp, Told};
use super::view::{View, freshness_of};

/// What LEN of chapter C reaches.
const CONTROLLER_LOGS_MAX: usize = 128;
/// Parameters that one chapter M tells, the latest ones: with nine bytes each it leaves room in LENGTH for notes.
const PARAMETER_LOGS_MAX: usize = 64;

impl ChannelHistory {
    pub(super) fn controllers(
        &self,
        first: u64,
        state: &ChannelState,
        view: &View<'_>,
    ) -> (Option<Controllers>, Told) {
        let mut logs = Vec::new();
        let mut said = oldest_first(&self.controllers, first);
        let half = self.low_half(first, state);
        said.extend(half.map(|(number, _)| (self.selection, number)));
        said.sort_unstable();
        for (stamp, number) in said {
            let value = half
                .filter(|(low, _)| *low == number)
                .map(|(_, value)| value)
                .or_else(|| state.controller(number))
                .unwrap_or_default();
            let freshness = view.freshness(stamp);
            let mut push = |tool| logs.push(ControllerLog { freshness, number, tool });
            let place = usize::from(number.get());
            if let Some(count) =
                place.checked_sub(usize::from(MODES)).and_then(|mode| state.mode_counts.get(mode))
            {
                push(Tool::Count(*count));
                if value != U7::ZERO {
                    push(Tool::Value(value));
                }
            } else {
                push(Tool::Value(value));
                let pedal = place.checked_sub(usize::from(PEDALS));
                if let Some(toggles) = pedal.and_then(|pedal| state.pedal_toggles.get(pedal)) {
                    push(Tool::Toggle(*toggles));
                }
            }
        }
        let told = if logs.len() > CONTROLLER_LOGS_MAX { Told::Partly } else { Told::Whole };
        logs.drain(..logs.len().saturating_sub(CONTROLLER_LOGS_MAX));
        let freshness = freshness_of(logs.iter().map(|log| log.freshness));
        ((!logs.is_empty()).then_some(Controllers { freshness, logs }), told)
    }

    pub(super) fn parameters(
        &self,
        first: u64,
        state: &ChannelState,
        view: &View<'_>,
    ) -> (Option<ParameterLogs>, Told) {
        let open = state.selection.and_then(Selection::key);
        let said = self
            .parameters
            .iter()
            .filter(|(key, history)| history.latest.since(first) && Some(**key) != open);
        let mut said: Vec<(Stamp, ParameterKey)> =
            said.map(|(key, history)| (history.latest, *key)).collect();
        if said.is_empty() && !self.selection.since(first) && !self.entered(open).latest.since(first) {
            return (None, Told::Whole);
        }
        said.sort_unstable();
        let told = if said.len() > PARAMETER_LOGS_MAX { Told::Partly } else { Told::Whole };
        said.drain(..said.len().saturating_sub(PARAMETER_LOGS_MAX));
        let keys = said.into_iter().map(|(_, key)| key).chain(open);
        let logs: Vec<_> = keys.map(|key| self.parameter(key, first, state, view)).collect();
        let transaction = match state.selection {
            Some(Selection { msb: Some(_), lsb: Some(_), .. }) => Transaction::Open,
            Some(Selection { family, msb: Some(msb), lsb: None }) => Transaction::Pending(family, msb),
            // A low half alone is in chapter C.
            Some(Selection { msb: None, .. }) | None => Transaction::Closed,
        };
        let freshness =
            freshness_of(logs.iter().map(|log| log.freshness)).and(view.freshness(self.selection));
        (Some(ParameterLogs { freshness, transaction, logs }), told)
    }

    /// The controller and the value of a low half that came without the high one: chapter M has no words for it.
    fn low_half(&self, first: u64, state: &ChannelState) -> Option<(U7, U7)> {
        let selection = state.selection.filter(|_| self.selection.since(first))?;
        let lsb = selection.lsb.filter(|_| selection.msb.is_none())?;
        let number = match selection.family {
            Family::Registered => 100,
            Family::NonRegistered => 98,
        };
        Some((U7::low_bits(number), lsb))
    }

    fn entered(&self, key: Option<ParameterKey>) -> ParameterHistory {
        key.and_then(|key| self.parameters.get(&key)).copied().unwrap_or_default()
    }

    fn parameter(
        &self,
        key: ParameterKey,
        first: u64,
        state: &ChannelState,
        view: &View<'_>,
    ) -> ParameterLog {
        let history = self.entered(Some(key));
        let value = state.parameters.get(&key).copied().unwrap_or_default();
        let side = |stamp: Stamp| if stamp < self.reset { Side::Before } else { Side::Since };
        let entry = |value: Option<U7>, stamp| value.map(|value| Entry { side: side(stamp), value });
        let before = history.steps_before_reset;
        ParameterLog {
            freshness: match view.freshness(history.latest) {
                Freshness::News => Freshness::News,
                // Choosing it again is news of the parameter that is chosen.
                Freshness::Known if state.selection.and_then(Selection::key) == Some(key) => {
                    view.freshness(self.selection)
                }
                Freshness::Known => Freshness::Known,
            },
            family: key.family,
            msb: key.msb,
            lsb: key.lsb,
            counts: false,
            values: true,
            entry_msb: entry(value.msb, history.msb),
            entry_lsb: entry(value.lsb, history.lsb),
            all_steps: (value.steps != 0 || history.steps.since(first))
                .then(|| (side(history.steps), Button::new(value.steps))),
            steps_since_reset: (before != 0 && value.steps != 0).then(|| Button::new(value.steps - before)),
            count: None,
        }
    }
}
