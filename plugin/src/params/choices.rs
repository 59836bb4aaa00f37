//! Choices as a host shows them. Identifiers are for ever: projects name them.

use nice_plug::prelude::Enum;

use crate::engine::{Format, GridUnit, Role, RoomMode};

/// [`RoomMode`] as a host shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub(crate) enum RoomModeChoice {
    #[id = "auto"]
    #[name = "Auto"]
    Auto,
    #[id = "stems"]
    #[name = "Stems"]
    Stems,
    #[id = "mix"]
    #[name = "Mix"]
    Mix,
}

/// [`SyncMode`] as a host shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub(crate) enum SyncModeChoice {
    #[id = "tight"]
    #[name = "Tight"]
    Tight,
    #[id = "room"]
    #[name = "Room"]
    Room,
    #[id = "grid"]
    #[name = "Grid"]
    Grid,
}

/// [`GridUnit`] as a host shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub(crate) enum GridUnitChoice {
    #[id = "smallest"]
    #[name = "Smallest that fits"]
    Smallest,
    #[id = "1_16"]
    #[name = "1/16"]
    Sixteenth,
    #[id = "1_8"]
    #[name = "1/8"]
    Eighth,
    #[id = "1_4"]
    #[name = "1/4"]
    Quarter,
    #[id = "1_2"]
    #[name = "1/2"]
    Half,
    #[id = "1_bar"]
    #[name = "1 bar"]
    Bar,
    #[id = "2_bars"]
    #[name = "2 bars"]
    TwoBars,
    #[id = "4_bars"]
    #[name = "4 bars"]
    FourBars,
}

/// [`Role`] as a host shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub(crate) enum RoleChoice {
    #[id = "auto"]
    #[name = "Auto"]
    Auto,
    #[id = "off"]
    #[name = "Off"]
    Off,
    #[id = "lead"]
    #[name = "Lead"]
    Lead,
    #[id = "follow"]
    #[name = "Follow"]
    Follow,
}

/// [`JitterPreset`] as a host shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub(crate) enum JitterChoice {
    #[id = "tight"]
    #[name = "Tight"]
    Tight,
    #[id = "default"]
    #[name = "Default"]
    Default,
    #[id = "recording"]
    #[name = "Recording"]
    Recording,
    #[id = "fixed"]
    #[name = "Fixed"]
    Fixed,
}

/// [`Format`] as a host shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub(crate) enum FormatChoice {
    #[id = "auto"]
    #[name = "Auto"]
    Auto,
    #[id = "pcm16"]
    #[name = "PCM 16"]
    Pcm16,
    #[id = "pcm24"]
    #[name = "PCM 24"]
    Pcm24,
    #[id = "float32"]
    #[name = "Float 32"]
    Float32,
    #[id = "lossless16"]
    #[name = "Lossless 16"]
    Lossless16,
    #[id = "lossless24"]
    #[name = "Lossless 24"]
    Lossless24,
}

impl From<RoomModeChoice> for RoomMode {
    fn from(choice: RoomModeChoice) -> Self {
        match choice {
            RoomModeChoice::Auto => Self::Auto,
            RoomModeChoice::Stems => Self::Stems,
            RoomModeChoice::Mix => Self::Mix,
        }
    }
}

impl From<GridUnitChoice> for GridUnit {
    fn from(choice: GridUnitChoice) -> Self {
        match choice {
            GridUnitChoice::Smallest => Self::Smallest,
            GridUnitChoice::Sixteenth => Self::Sixteenth,
            GridUnitChoice::Eighth => Self::Eighth,
            GridUnitChoice::Quarter => Self::Quarter,
            GridUnitChoice::Half => Self::Half,
            GridUnitChoice::Bar => Self::Bar,
            GridUnitChoice::TwoBars => Self::TwoBars,
            GridUnitChoice::FourBars => Self::FourBars,
        }
    }
}

impl From<RoleChoice> for Role {
    fn from(choice: RoleChoice) -> Self {
        match choice {
            RoleChoice::Auto => Self::Auto,
            RoleChoice::Off => Self::Off,
            RoleChoice::Lead => Self::Lead,
            RoleChoice::Follow => Self::Follow,
        }
    }
}

impl From<FormatChoice> for Option<Format> {
    fn from(choice: FormatChoice) -> Self {
        match choice {
            FormatChoice::Auto => None,
            FormatChoice::Pcm16 => Some(Format::Pcm16),
            FormatChoice::Pcm24 => Some(Format::Pcm24),
            FormatChoice::Float32 => Some(Format::Float32),
            FormatChoice::Lossless16 => Some(Format::Lossless16),
            FormatChoice::Lossless24 => Some(Format::Lossless24),
        }
    }
}
