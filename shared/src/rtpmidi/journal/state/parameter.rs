//! Registered and non-registered parameters.
//!
//! Controllers 101 and 100 (or 99 and 98) choose one, 6 and 38 enter its value, 96 and 97 step it. Each half of a number
//! stays until another of its family comes; a half of the other family forgets both. 127 127 chooses none.

use std::collections::BTreeMap;

use crate::midi::message::U7;

use super::super::wire::{Button, Family};

/// The most parameters of a channel that are remembered: beyond, the one with the lowest number is forgotten.
pub const PARAMETERS_MAX: usize = 256;

/// Which parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ParameterKey {
    /// Registered or not.
    pub family: Family,
    /// The high half of its number.
    pub msb: U7,
    /// The low half of its number.
    pub lsb: U7,
}

/// What was entered into a parameter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parameter {
    /// Controller 6.
    pub msb: Option<U7>,
    /// Controller 38, if it came after controller 6.
    pub lsb: Option<U7>,
    /// What controllers 96 and 97 added since.
    pub steps: i16,
}

/// How far the choice of a parameter has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Registered or not.
    pub family: Family,
    /// The high half of the number.
    pub msb: Option<U7>,
    /// The low half of the number.
    pub lsb: Option<U7>,
}

/// Half a number.
#[derive(Clone, Copy, Debug)]
pub(super) enum Half {
    High(U7),
    Low(U7),
}

impl Parameter {
    pub(super) fn step(&mut self, by: i16) {
        self.steps = (self.steps + by).clamp(-Button::MAX, Button::MAX);
    }
}

impl Selection {
    /// The parameter, if both halves of its number are known.
    #[must_use]
    pub fn key(self) -> Option<ParameterKey> {
        let (msb, lsb) = self.msb.zip(self.lsb)?;
        Some(ParameterKey { family: self.family, msb, lsb })
    }

    pub(super) fn after(before: Option<Self>, family: Family, half: Half) -> Option<Self> {
        let mut selection =
            before.filter(|before| before.family == family).unwrap_or(Self { family, msb: None, lsb: None });
        match half {
            Half::High(msb) => selection.msb = Some(msb),
            Half::Low(lsb) => selection.lsb = Some(lsb),
        }
        let none = (selection.msb, selection.lsb) == (Some(U7::MAX), Some(U7::MAX));
        (!none).then_some(selection)
    }
}

impl From<ParameterKey> for Selection {
    fn from(key: ParameterKey) -> Self {
        Self { family: key.family, msb: Some(key.msb), lsb: Some(key.lsb) }
    }
}

pub(super) fn insert(
    parameters: &mut BTreeMap<ParameterKey, Parameter>,
    key: ParameterKey,
) -> &mut Parameter {
    if parameters.len() >= PARAMETERS_MAX && !parameters.contains_key(&key) {
        parameters.pop_first();
    }
    parameters.entry(key).or_default()
}
