//! The parameters that a host automates, and the settings that it saves beside them.
//!
//! Identifiers are for ever: projects and automation lanes name them. No parameter is smoothed here; the engine
//! moves without a click.

mod choices;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lockstep_shared::time::GRID_RATE;
use nice_plug::formatters;
use nice_plug::params::persist::PersistentField;
use nice_plug::prelude::{BoolParam, EnumParam, FloatParam, FloatRange, Params};
use nice_plug::util;
use serde::{Deserialize, Serialize};

use crate::engine::{ClockOffset, Controls, JitterPreset, SyncMode};
use crate::instance::{Instance, Settings};
pub(crate) use choices::{
    FormatChoice, GridUnitChoice, JitterChoice, RoleChoice, RoomModeChoice, SyncModeChoice,
};

/// The longest Sync Delay.
pub(crate) const SYNC_DELAY_MS_MAX: f32 = 5_000.0;
/// The furthest Clock Offset, early or late.
const CLOCK_OFFSET_MS_MAX: f32 = 250.0;
/// The longest Fixed Jitter.
const JITTER_FIXED_MS_MAX: f32 = 200.0;
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
    /// How remote strips lie against the host's beats.
    #[id = "sync_mode"]
    pub(crate) sync_mode: EnumParam<SyncModeChoice>,
    /// The unit of the Grid mode.
    #[id = "grid_unit"]
    pub(crate) grid_unit: EnumParam<GridUnitChoice>,
    /// What the host's transport is to the room's musical time.
    #[id = "role"]
    pub(crate) role: EnumParam<RoleChoice>,
    /// How much later than the room's beats the MIDI clock leaves that this DAW follows; early below zero.
    #[id = "clock_offset"]
    pub(crate) clock_offset: FloatParam,
    /// The track as if the plugin were not there: the dry input at 0 dB on the main output, silence on every other
    /// output, silence to the room. The member stays in the room, so switching back is instant.
    #[id = "bypass"]
    pub(crate) bypass: BoolParam,
    /// How delay is weighed against gaps.
    #[id = "jitter"]
    pub(crate) jitter: EnumParam<JitterChoice>,
    /// The delay for the network where it is fixed.
    #[id = "jitter_fixed"]
    pub(crate) jitter_fixed: FloatParam,
    /// How samples travel, in both directions.
    #[id = "format"]
    pub(crate) format: EnumParam<FormatChoice>,
    #[persist = "settings"]
    settings: SavedSettingsOf,
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
            sync_mode: EnumParam::new("Sync Mode", SyncModeChoice::Tight),
            grid_unit: EnumParam::new("Grid Unit", GridUnitChoice::Smallest),
            role: EnumParam::new("Transport Role", RoleChoice::Auto),
            clock_offset: FloatParam::new(
                "Clock Offset",
                0.0,
                FloatRange::Linear { min: -CLOCK_OFFSET_MS_MAX, max: CLOCK_OFFSET_MS_MAX },
            )
            .with_unit(" ms")
            .with_step_size(0.1)
            .with_value_to_string(formatters::v2s_f32_rounded(1)),
            bypass: BoolParam::new("Bypass", false).make_bypass(),
            jitter: EnumParam::new("Jitter", JitterChoice::Default),
            jitter_fixed: FloatParam::new(
                "Fixed Jitter",
                10.0,
                FloatRange::Linear { min: 0.0, max: JITTER_FIXED_MS_MAX },
            )
            .with_unit(" ms")
            .with_value_to_string(formatters::v2s_f32_rounded(2)),
            format: EnumParam::new("Format", FormatChoice::Auto),
            settings: SavedSettingsOf(instance),
        }
    }

    /// The values now, within their ranges whatever the host wrote.
    ///
    /// Real-time: yes. Bound: one relaxed load a parameter.
    pub(crate) fn controls(&self) -> Controls {
        let controls = Controls {
            sync_delay_ms: within(self.sync_delay.value(), SYNC_DELAY_MS_MAX),
            send_gain: within_gain(self.send_gain.value()),
            receive_gain: within_gain(self.receive_gain.value()),
            monitor_gain: within_gain(self.monitor_gain.value()),
            mute_send: self.mute_send.value(),
            mute_receive: self.mute_receive.value(),
            room_mode: self.room_mode.value().into(),
            sync_mode: match self.sync_mode.value() {
                SyncModeChoice::Tight => SyncMode::Tight,
                SyncModeChoice::Room => SyncMode::Room,
                SyncModeChoice::Grid => SyncMode::Grid(self.grid_unit.value().into()),
            },
            role: self.role.value().into(),
            clock_offset: ClockOffset::from_millis(self.clock_offset.value().into()),
            jitter: match self.jitter.value() {
                JitterChoice::Tight => JitterPreset::Tight,
                JitterChoice::Default => JitterPreset::Default,
                JitterChoice::Recording => JitterPreset::Recording,
                JitterChoice::Fixed => fixed(within(self.jitter_fixed.value(), JITTER_FIXED_MS_MAX)),
            },
            format: self.format.value().into(),
        };
        if self.bypass.value() { bypassed(controls) } else { controls }
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

/// A fixed delay, in the grid's frames.
fn fixed(delay_ms: f32) -> JitterPreset {
    JitterPreset::Fixed(f64::from(delay_ms) * f64::from(GRID_RATE) / 1_000.0)
}

/// What bypass makes of `controls`; the delay stays, so that switching back finds everything in place.
const fn bypassed(controls: Controls) -> Controls {
    Controls { monitor_gain: 1.0, mute_send: true, mute_receive: true, ..controls }
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

#[cfg(test)]
mod tests {
    use nice_plug::prelude::Param;

    use super::*;
    use crate::engine::{Role, RoomMode};

    fn parameters() -> (Parameters, Arc<Mutex<Instance>>) {
        let instance = Arc::new(Mutex::new(Instance::new()));
        (Parameters::new(Arc::clone(&instance)), instance)
    }

    #[test]
    fn identifiers_and_names_stay_what_projects_hold() {
        let (parameters, _) = parameters();
        let map: Vec<String> = parameters.param_map().into_iter().map(|(id, _, _)| id).collect();
        assert_eq!(
            map,
            [
                "sync_delay",
                "send_gain",
                "receive_gain",
                "monitor_gain",
                "mute_send",
                "mute_receive",
                "room_mode",
                "sync_mode",
                "grid_unit",
                "role",
                "clock_offset",
                "bypass",
                "jitter",
                "jitter_fixed",
                "format"
            ]
        );
    }

    #[test]
    fn a_new_track_sounds_as_before_and_hears_the_others() {
        let controls = parameters().0.controls();
        assert_eq!(
            controls,
            Controls {
                sync_delay_ms: 0.0,
                send_gain: 1.0,
                receive_gain: 1.0,
                monitor_gain: 1.0,
                mute_send: false,
                mute_receive: false,
                room_mode: RoomMode::Auto,
                sync_mode: SyncMode::Tight,
                role: Role::Auto,
                clock_offset: ClockOffset::default(),
                jitter: JitterPreset::Default,
                format: None,
            }
        );
    }

    #[test]
    fn bypass_is_the_dry_track_and_silence_to_the_room() {
        let controls = Controls { monitor_gain: 0.25, sync_delay_ms: 80.0, ..parameters().0.controls() };
        let bypassed = bypassed(controls);
        assert!((bypassed.monitor_gain - 1.0).abs() < f32::EPSILON);
        assert!(bypassed.mute_send && bypassed.mute_receive);
        assert!((bypassed.sync_delay_ms - 80.0).abs() < f32::EPSILON);
    }

    #[test]
    fn a_straight_line_of_automation_is_a_straight_line_of_delay() {
        let (parameters, _) = parameters();
        for (normalized, ms) in [(0.0, 0.0), (0.25, 1_250.0), (0.5, 2_500.0), (1.0, 5_000.0)] {
            assert!((parameters.sync_delay.preview_plain(normalized) - ms).abs() < 0.01);
        }
    }

    #[test]
    fn faders_read_in_decibels_and_end_in_silence() {
        let (parameters, _) = parameters();
        let gain = &parameters.send_gain;
        assert_eq!(gain.normalized_value_to_string(0.0, true), "-inf dB");
        assert_eq!(gain.normalized_value_to_string(1.0, true), "12.00 dB");
        let half = gain.string_to_normalized_value("-6 dB").expect("a gain");
        assert!((gain.preview_plain(half) - 0.501_187).abs() < 1e-3);
    }

    #[test]
    fn what_is_no_number_is_silence() {
        assert!(within(f32::NAN, 5.0).abs() < f32::EPSILON);
        assert!((within(f32::INFINITY, 5.0) - 5.0).abs() < f32::EPSILON);
        assert!(within(-1.0, 5.0).abs() < f32::EPSILON);
    }

    #[test]
    fn a_project_gives_and_takes_the_settings_and_no_more() {
        let (parameters, instance) = parameters();
        let settings = Settings {
            room: "relay/studio".to_owned(),
            member_name: "Ada \"the\" Ö".to_owned(),
            strip_name: "viola".to_owned(),
        };
        lock(&instance).set_settings(settings.clone());
        let saved = parameters.serialize_fields();
        lock(&instance).set_settings(Settings::default());
        parameters.deserialize_fields(&saved);
        assert_eq!(*lock(&instance).settings(), settings);
    }

    #[test]
    fn strange_settings_are_cut_to_what_is_usable() {
        let (parameters, instance) = parameters();
        let strange = format!("{{\"room\":\"{}\",\"later\":1}}", "r\\n".repeat(10_000));
        parameters.deserialize_fields(&[("settings".to_owned(), strange)].into());
        assert_eq!(
            *lock(&instance).settings(),
            Settings { room: "r".repeat(SETTING_CHARS_MAX), ..Settings::default() }
        );
    }
}
