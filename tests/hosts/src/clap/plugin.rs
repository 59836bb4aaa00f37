//! One instance, seen from the main thread.

use std::ffi::CString;
use std::io::Read;

use clack_extensions::audio_ports::{AudioPortFlags, AudioPortInfoBuffer, PluginAudioPorts};
use clack_extensions::latency::PluginLatency;
use clack_extensions::note_ports::{NoteDialects, NotePortInfoBuffer, PluginNotePorts};
use clack_extensions::params::{ParamInfoBuffer, ParamInfoFlags, PluginParams};
use clack_extensions::render::{PluginRender, RenderMode};
use clack_extensions::state::PluginState;
use clack_host::prelude::*;

use super::handlers::{Handlers, MainThread, Requests, Shared};
use super::processor::{EventLog, Processor, input_events};
use super::{ClapError, Description};
use crate::block::{Input, ParameterId, Sent};

/// How an instance is to be driven.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Activation {
    /// Frames a second.
    pub sample_rate: f64,
    /// The shortest block.
    pub frames_min: u32,
    /// The longest block.
    pub frames_max: u32,
}

/// Whether the host keeps real time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Render {
    /// One block in one block's time.
    Realtime,
    /// As fast as it goes.
    Offline,
}

/// Which side of the plugin a port is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortDirection {
    /// Into the plugin.
    Input,
    /// Out of the plugin.
    Output,
}

/// An audio port as the plugin declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Its name.
    pub name: String,
    /// Its channels.
    pub channels: u32,
    /// Whether it is the main one.
    pub main: bool,
}

/// A parameter as the plugin declares it.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Its identity.
    pub id: ParameterId,
    /// Its name.
    pub name: String,
    /// The least plain value.
    pub min: f64,
    /// The greatest plain value.
    pub max: f64,
    /// The plain value at first.
    pub default: f64,
    /// Whether it takes whole values only.
    pub stepped: bool,
    /// Whether a DAW may automate it.
    pub automatable: bool,
    /// Whether it is the bypass switch.
    pub bypass: bool,
}

/// One plugin instance. Dropping it destroys the instance; deactivate it first.
pub struct Plugin {
    instance: PluginInstance<Handlers>,
    description: Description,
}

impl Plugin {
    pub(super) fn create(entry: &PluginEntry, description: Description) -> Result<Self, ClapError> {
        let host = HostInfo::new("Lockstep test host", "Lockstep", "", env!("CARGO_PKG_VERSION"))
            .map_err(refused("describing the host"))?;
        let id = CString::new(description.id.as_str()).map_err(refused("naming the plugin"))?;
        let instance = PluginInstance::<Handlers>::new(
            |()| Shared::new(),
            |shared| MainThread { shared },
            entry,
            &id,
            &host,
        )
        .map_err(refused("creating the instance"))?;
        Ok(Self { instance, description })
    }

    /// Makes the instance ready to process, and processing.
    ///
    /// # Errors
    /// If it is active already or refuses.
    pub fn activate(&mut self, activation: Activation) -> Result<Processor, ClapError> {
        let stopped = self
            .instance
            .activate(
                |_, _| (),
                PluginAudioConfiguration {
                    sample_rate: activation.sample_rate,
                    min_frames_count: activation.frames_min,
                    max_frames_count: activation.frames_max,
                },
            )
            .map_err(refused("activating"))?;
        match stopped.start_processing() {
            Ok(started) => Ok(Processor::new(started)),
            Err(error) => {
                self.instance.deactivate(error.into_stopped_processor());
                Err(ClapError::Refused {
                    action: "starting to process",
                    reason: "the plugin said no".to_owned(),
                })
            }
        }
    }

    /// Stops processing and gives back what [`Self::activate`] made ready.
    pub fn deactivate(&mut self, processor: Processor) {
        self.instance.deactivate(processor.into_stopped());
    }

    /// Calls the plugin on the main thread if it asked to be, and returns what it has asked since the last call.
    pub fn serve_requests(&mut self) -> Requests {
        let requests = self.instance.access_shared_handler(Shared::take_requests);
        if requests.callback > 0 {
            self.instance.call_on_main_thread_callback();
        }
        requests
    }

    /// Chooses how the host renders; to be called while inactive.
    ///
    /// # Errors
    /// If the plugin has no such choice, or refuses this one.
    pub fn set_render(&mut self, render: Render) -> Result<(), ClapError> {
        let handle = self.instance.plugin_handle();
        let extension: PluginRender = handle.get_extension().ok_or(ClapError::Missing("render"))?;
        let mode = match render {
            Render::Realtime => RenderMode::Realtime,
            Render::Offline => RenderMode::Offline,
        };
        extension.set(&handle, mode).map_err(refused("setting the render mode"))
    }

    /// Whether the plugin says that it cannot be rendered offline.
    ///
    /// # Errors
    /// If it has no render extension.
    pub fn needs_real_time(&mut self) -> Result<bool, ClapError> {
        let handle = self.instance.plugin_handle();
        let extension: PluginRender = handle.get_extension().ok_or(ClapError::Missing("render"))?;
        Ok(extension.has_realtime_requirement(&handle))
    }

    /// The state that a DAW would save with its project.
    ///
    /// # Errors
    /// If the plugin cannot save.
    pub fn save_state(&mut self) -> Result<Vec<u8>, ClapError> {
        let handle = self.instance.plugin_handle();
        let extension: PluginState = handle.get_extension().ok_or(ClapError::Missing("state"))?;
        let mut bytes = Vec::new();
        extension.save(&handle, &mut bytes).map_err(refused("saving the state"))?;
        Ok(bytes)
    }

    /// Restores what [`Self::save_state`] gave, or anything else a DAW might find in a project file.
    ///
    /// # Errors
    /// If the plugin refuses it.
    pub fn load_state(&mut self, state: &mut impl Read) -> Result<(), ClapError> {
        let handle = self.instance.plugin_handle();
        let extension: PluginState = handle.get_extension().ok_or(ClapError::Missing("state"))?;
        extension.load(&handle, state).map_err(refused("loading the state"))
    }

    /// Hands parameter changes to an inactive instance, outside any block.
    ///
    /// # Errors
    /// If it is active or has no parameters.
    pub fn flush(&mut self, inputs: &[Input]) -> Result<Vec<Sent>, ClapError> {
        let Some(mut handle) = self.instance.inactive_plugin_handle() else {
            return Err(ClapError::Refused { action: "flushing", reason: "the plugin is active".to_owned() });
        };
        let extension: PluginParams = handle.get_extension().ok_or(ClapError::Missing("params"))?;
        let mut events = EventBuffer::with_capacity(inputs.len());
        input_events(&mut events, inputs);
        let mut log = EventLog::default();
        extension.flush(
            &mut handle,
            &InputEvents::from_buffer(&events),
            &mut OutputEvents::from_buffer(&mut log),
        );
        Ok(log.into_sent())
    }

    /// What the library says about this plugin.
    #[must_use]
    pub const fn description(&self) -> &Description {
        &self.description
    }

    /// The audio ports on one side, in order.
    ///
    /// # Errors
    /// If the plugin declares no ports at all.
    pub fn ports(&mut self, direction: PortDirection) -> Result<Vec<Port>, ClapError> {
        let handle = self.instance.plugin_handle();
        let extension: PluginAudioPorts = handle.get_extension().ok_or(ClapError::Missing("audio-ports"))?;
        let is_input = direction == PortDirection::Input;
        let ports = (0..extension.count(&handle, is_input))
            .filter_map(|index| {
                let mut buffer = AudioPortInfoBuffer::new();
                extension.get(&handle, index, is_input, &mut buffer).map(|port| Port {
                    name: text(port.name),
                    channels: port.channel_count,
                    main: port.flags.contains(AudioPortFlags::IS_MAIN),
                })
            })
            .collect();
        Ok(ports)
    }

    /// The names of the note ports on one side that speak MIDI, in order.
    ///
    /// # Errors
    /// If the plugin declares no note ports at all.
    pub fn midi_ports(&mut self, direction: PortDirection) -> Result<Vec<String>, ClapError> {
        let handle = self.instance.plugin_handle();
        let extension: PluginNotePorts = handle.get_extension().ok_or(ClapError::Missing("note-ports"))?;
        let is_input = direction == PortDirection::Input;
        let names = (0..extension.count(&handle, is_input)).filter_map(|index| {
            let mut buffer = NotePortInfoBuffer::new();
            let port = extension.get(&handle, index, is_input, &mut buffer)?;
            port.supported_dialects.contains(NoteDialects::MIDI).then(|| text(port.name))
        });
        Ok(names.collect())
    }

    /// The parameters, in the plugin's order.
    ///
    /// # Errors
    /// If the plugin has no parameters at all.
    pub fn parameters(&mut self) -> Result<Vec<Parameter>, ClapError> {
        let (handle, extension) = self.params()?;
        let parameters = (0..extension.count(&handle))
            .filter_map(|index| {
                let mut buffer = ParamInfoBuffer::new();
                extension.get_info(&handle, index, &mut buffer).map(|info| Parameter {
                    id: ParameterId(info.id.get()),
                    name: text(info.name),
                    min: info.min_value,
                    max: info.max_value,
                    default: info.default_value,
                    stepped: info.flags.contains(ParamInfoFlags::IS_STEPPED),
                    automatable: info.flags.contains(ParamInfoFlags::IS_AUTOMATABLE),
                    bypass: info.flags.contains(ParamInfoFlags::IS_BYPASS),
                })
            })
            .collect();
        Ok(parameters)
    }

    /// The parameter called `name`.
    ///
    /// # Errors
    /// If there is none, naming those there are.
    pub fn parameter(&mut self, name: &str) -> Result<Parameter, ClapError> {
        let parameters = self.parameters()?;
        let names: Vec<_> = parameters.iter().map(|parameter| parameter.name.clone()).collect();
        parameters.into_iter().find(|parameter| parameter.name == name).ok_or_else(|| ClapError::Refused {
            action: "finding a parameter",
            reason: format!("{name} is not one of {}", names.join(", ")),
        })
    }

    /// A parameter's plain value now.
    ///
    /// # Errors
    /// If there is no such parameter.
    pub fn value(&mut self, parameter: ParameterId) -> Result<f64, ClapError> {
        let (handle, extension) = self.params()?;
        extension.get_value(&handle, ClapId::new(parameter.0)).ok_or_else(|| unknown(parameter))
    }

    /// How the plugin writes a plain value.
    ///
    /// # Errors
    /// If it cannot.
    pub fn value_to_text(&mut self, parameter: ParameterId, value: f64) -> Result<String, ClapError> {
        let (handle, extension) = self.params()?;
        let mut buffer = [0; 256];
        extension
            .value_to_text(&handle, ClapId::new(parameter.0), value, &mut buffer)
            .map(|written| text(written))
            .map_err(refused("writing a value"))
    }

    /// The plain value that the plugin reads in `text`.
    ///
    /// # Errors
    /// If it reads none.
    pub fn text_to_value(&mut self, parameter: ParameterId, text: &str) -> Result<f64, ClapError> {
        let (handle, extension) = self.params()?;
        let text = CString::new(text).map_err(refused("reading a value"))?;
        extension.text_to_value(&handle, ClapId::new(parameter.0), &text).ok_or_else(|| ClapError::Refused {
            action: "reading a value",
            reason: text.to_string_lossy().into_owned(),
        })
    }

    /// The delay that the plugin reports, in frames.
    ///
    /// # Errors
    /// If it has no latency extension.
    pub fn latency_frames(&mut self) -> Result<u32, ClapError> {
        let handle = self.instance.plugin_handle();
        let extension: PluginLatency = handle.get_extension().ok_or(ClapError::Missing("latency"))?;
        Ok(extension.get(&handle))
    }

    fn params(&mut self) -> Result<(PluginMainThreadHandle<'_>, PluginParams), ClapError> {
        let handle = self.instance.plugin_handle();
        let extension = handle.get_extension().ok_or(ClapError::Missing("params"))?;
        Ok((handle, extension))
    }
}

fn unknown(parameter: ParameterId) -> ClapError {
    ClapError::Refused { action: "reading a parameter", reason: format!("no parameter {}", parameter.0) }
}

fn refused<E: std::fmt::Display>(action: &'static str) -> impl Fn(E) -> ClapError {
    move |error| ClapError::Refused { action, reason: error.to_string() }
}

/// Names in CLAP structs are padded with zeros.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned()
}
