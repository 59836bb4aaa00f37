//! The parameters that a host automates, and the settings that it saves beside them.
//!
//! Identifiers are for ever: projects and automation lanes name them. No parameter is smoothed here; the engine
//! moves without a click.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nice_plug::formatters;
use nice_plug::params::persist::PersistentField;
use nice_plug::prelude::{BoolParam, Enum, EnumParam, FloatParam, FloatRange, Params};
use nice_plug::util;
use serde::{Deserialize, Serialize};

use crate::engine::{Controls, RoomMode};
use crate::instance::{Instance, Settings};

/// The longest Sync Delay.
pub(crate) const SYNC_DELAY_MS_MAX: f32 = 5_000.0;
/// The largest gain.
const GAIN_DB_MAX: f32 = 12.0;
/// Where the faders' decibel scale ends; below it they fall to silence.
const FADER_DB_MIN: f32 = -60.0;
/// The longest room or name that a project may bring: longer ones are cut, so that no project fills the screen.
const SETTING_CHARS_MAX: usize = 256;

/// Everything that a project saves.
#[derive(Params)]
pub(crate) struct Parameters {
    /// Playout delay beyond the automatic minimum. Linear, so that a straight automation line is a steady glide.
    #[id = "sync_delay"]
    pub(crate) sync_delay: FloatParam,
    /// Gain of what is sent.
    #[id = "send_gain"]
    pub(crate) send_gain: FloatParam,
    /// Gain of what is received.
    #[id = "receive_gain"]
    pub(crate) receive_gain: FloatParam,
    /// Gain of the track's own sound in the main output. 0 dB by default: a track that gets the plugin sounds as
    /// before, plus the others; whoever wants to hear themselves through the room turns it down.
    #[id = "monitor_gain"]
    pub(crate) monitor_gain: FloatParam,
    /// Sends silence.
    #[id = "mute_send"]
    pub(crate) mute_send: BoolParam,
    /// Plays nothing of the others.
    #[id = "mute_receive"]
    pub(crate) mute_receive: BoolParam,
    /// What to ask the relay for.
    #[id = "room_mode"]
    pub(crate) room_mode: EnumParam<RoomModeChoice>,
    /// The track as if the plugin were not there: the dry input at 0 dB on the main output, silence on every other
    /// output, silence to the room. The member stays in the room, so switching back is instant.
    #[id = "bypass"]
    pub(crate) bypass: BoolParam,
    #[persist = "settings"]
    settings: SavedSettingsOf,
}

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

/// The settings as a project holds them. What is missing keeps its default; what is unknown is passed over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct SavedSettings {
    room: String,
    member_name: String,
    strip_name: String,
}

/// The instance, seen as the place where [`SavedSettings`] are kept.
struct SavedSettingsOf(Arc<Mutex<Instance>>);

impl Parameters {
    /// The defaults; what a project restores goes to `instance`.
    pub(crate) fn new(instance: Arc<Mutex<Instance>>) -> Self {
        Self {
            sync_delay: FloatParam::new(
                "Sync Delay",
                0.0,
                FloatRange::Linear { min: 0.0, max: SYNC_DELAY_MS_MAX },
            )
            .with_unit(" ms")
            .with_value_to_string(formatters::v2s_f32_rounded(2)),
            send_gain: gain("Send Gain"),
            receive_gain: gain("Receive Gain"),
            monitor_gain: gain("Monitor"),
            mute_send: BoolParam::new("Mute Send", false),
            mute_receive: BoolParam::new("Mute Receive", false),
            room_mode: EnumParam::new("Room Mode", RoomModeChoice::Auto),
            bypass: BoolParam::new("Bypass", false).make_bypass(),
            settings: SavedSettingsOf(instance),
        }
    }

    /// The values now, within their ranges whatever the host wrote.
    ///
    /// Real-time: yes. Bound: one relaxed load a parameter.
    pub(crate) fn controls(&self) -> Controls {
        let bypass = self.bypass.value();
        Controls {
            sync_delay_ms: within(self.sync_delay.value(), SYNC_DELAY_MS_MAX),
            send_gain: within_gain(self.send_gain.value()),
            receive_gain: within_gain(self.receive_gain.value()),
            monitor_gain: if bypass { 1.0 } else { within_gain(self.monitor_gain.value()) },
            mute_send: bypass || self.mute_send.value(),
            mute_receive: bypass || self.mute_receive.value(),
            room_mode: self.room_mode.value().into(),
        }
    }
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

impl From<&Settings> for SavedSettings {
    fn from(settings: &Settings) -> Self {
        Self {
            room: settings.room.clone(),
            member_name: settings.member_name.clone(),
            strip_name: settings.strip_name.clone(),
        }
    }
}

impl From<SavedSettings> for Settings {
    fn from(saved: SavedSettings) -> Self {
        Self {
            room: cut(&saved.room),
            member_name: cut(&saved.member_name),
            strip_name: cut(&saved.strip_name),
        }
    }
}

impl PersistentField<'_, SavedSettings> for SavedSettingsOf {
    fn set(&self, saved: SavedSettings) {
        lock(&self.0).set_settings(saved.into());
    }

    fn map<F, R>(&self, f: F) -> R
    where
        F: Fn(&SavedSettings) -> R,
    {
        f(&SavedSettings::from(lock(&self.0).settings()))
    }
}

/// The instance, for the main thread and the editor; a panic in one of them does not take it from the other. The
/// audio thread never comes here.
pub(crate) fn lock(instance: &Mutex<Instance>) -> MutexGuard<'_, Instance> {
    instance.lock().unwrap_or_else(PoisonError::into_inner)
}

fn gain(name: &str) -> FloatParam {
    let range = FloatRange::Skewed {
        min: 0.0,
        max: util::db_to_gain(GAIN_DB_MAX),
        factor: FloatRange::gain_skew_factor(FADER_DB_MIN, GAIN_DB_MAX),
    };
    FloatParam::new(name, 1.0, range)
        .with_unit(" dB")
        .with_value_to_string(formatters::v2s_f32_gain_to_db(2))
        .with_string_to_value(formatters::s2v_f32_gain_to_db())
}

fn within_gain(value: f32) -> f32 {
    within(value, util::db_to_gain(GAIN_DB_MAX))
}

/// `value` in `0..=max`; zero for what is not a number.
fn within(value: f32, max: f32) -> f32 {
    if value.is_nan() { 0.0 } else { value.clamp(0.0, max) }
}

fn cut(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(SETTING_CHARS_MAX).collect()
}
