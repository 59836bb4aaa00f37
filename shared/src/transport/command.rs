//! What a host is asked, and what it can be asked.

use crate::time::convert::i64_round;
use crate::time::{Beats, Tempo};

/// One thing that the host is to do at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Play from here.
    Start(Beats),
    /// Go on from here, playing.
    Jump(Beats),
    /// Stand.
    Stop,
    /// Have this tempo.
    Tempo(Tempo),
    /// Run so much faster than the tempo says, until told otherwise.
    Nudge(Nudge),
}

/// A small deviation from the tempo, in parts in a million, within [`Nudge::MOST`] to both sides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nudge(i16);

/// One kind of [`Command`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ability {
    /// [`Command::Start`].
    Start,
    /// [`Command::Jump`].
    Jump,
    /// [`Command::Stop`].
    Stop,
    /// [`Command::Tempo`].
    Tempo,
    /// [`Command::Nudge`].
    Nudge,
}

/// What a host can do: a set of [`Ability`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Abilities(u8);

impl Nudge {
    /// As the tempo says.
    pub const NONE: Self = Self(0);
    /// One percent.
    pub const MOST: Self = Self(10_000);

    /// The nearest step to `deviation`, a ratio less one, held within the range; none for NaN.
    #[must_use]
    pub fn from_deviation(deviation: f64) -> Self {
        let most = i64::from(Self::MOST.0);
        Self(i16::try_from(i64_round(deviation * 1e6).clamp(-most, most)).unwrap_or(0))
    }

    /// How much faster, as a ratio less one.
    #[must_use]
    pub fn deviation(self) -> f64 {
        f64::from(self.0) * 1e-6
    }

    /// By what the tempo is multiplied.
    #[must_use]
    pub fn ratio(self) -> f64 {
        1.0 + self.deviation()
    }
}

impl Abilities {
    /// Nothing.
    pub const NONE: Self = Self(0);

    /// These.
    #[must_use]
    pub fn of(abilities: &[Ability]) -> Self {
        Self(abilities.iter().fold(0, |bits, ability| bits | ability.bit()))
    }

    /// Whether this one is among them.
    #[must_use]
    pub const fn has(self, ability: Ability) -> bool {
        self.0 & ability.bit() != 0
    }

    /// Whether a transport can be moved with them at all: the rest is for precision.
    #[must_use]
    pub const fn suffice(self) -> bool {
        self.has(Ability::Start) && self.has(Ability::Jump) && self.has(Ability::Stop)
    }

    /// The set as one number, for an atomic between threads.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Back from [`Abilities::bits`].
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }
}

impl Ability {
    const fn bit(self) -> u8 {
        match self {
            Self::Start => 1,
            Self::Jump => 2,
            Self::Stop => 4,
            Self::Tempo => 8,
            Self::Nudge => 16,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nudge_is_at_most_one_percent() {
        assert_eq!(Nudge::from_deviation(0.5), Nudge::MOST);
        assert_eq!(Nudge::from_deviation(f64::NEG_INFINITY).ratio().to_string(), "0.99");
        assert_eq!(Nudge::from_deviation(f64::NAN), Nudge::NONE);
    }

    #[test]
    fn a_host_that_cannot_jump_cannot_be_moved() {
        let abilities = Abilities::of(&[Ability::Start, Ability::Stop, Ability::Tempo]);
        assert!(abilities.has(Ability::Tempo) && !abilities.has(Ability::Nudge) && !abilities.suffice());
        let enough = Abilities::of(&[Ability::Start, Ability::Stop, Ability::Jump]);
        assert!(Abilities::from_bits(enough.bits()).suffice());
    }
}
