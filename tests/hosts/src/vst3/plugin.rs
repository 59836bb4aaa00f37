//! One instance: its life, buses and parameters.
#![expect(unsafe_code, reason = "VST3 is a COM interface")]

use std::sync::Arc;

use vst3::Steinberg::Vst::{
    BusDirections_, BusInfo, BusTypes_, IAudioProcessor, IAudioProcessorTrait, IComponent, IComponentHandler,
    IComponentTrait, IEditController, IEditControllerTrait, IHostApplication, MediaTypes_, ParameterInfo,
    ParameterInfo_::ParameterFlags_, ProcessModes_, ProcessSetup, String128, SymbolicSampleSizes_,
};
use vst3::Steinberg::{FUnknown, IPluginBaseTrait, TBool, int32};
use vst3::{ComPtr, ComWrapper};

use super::factory::Module;
use super::objects::{ComponentHandler, HandlerLog, HostApplication};
use super::{Vst3Error, check, reaper};
use crate::block::{ParameterId, Sent};
use crate::console::{Console, Offer};

/// How the host says that it will call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One block in one block's time.
    Realtime,
    /// Ahead of time, in blocks.
    Prefetch,
    /// As fast as it goes.
    Offline,
}

impl Mode {
    pub(super) fn code(self) -> int32 {
        let code = match self {
            Self::Realtime => ProcessModes_::kRealtime,
            Self::Prefetch => ProcessModes_::kPrefetch,
            Self::Offline => ProcessModes_::kOffline,
        };
        int32::try_from(code).unwrap_or_default()
    }
}

/// How an instance is to be driven.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Setup {
    /// Frames a second.
    pub sample_rate: f64,
    /// The longest block.
    pub frames_max: u32,
    /// How the host will call.
    pub mode: Mode,
}

/// Which side of the plugin a bus is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BusDirection {
    /// Into the plugin.
    Input,
    /// Out of the plugin.
    Output,
}

impl BusDirection {
    fn code(self) -> int32 {
        let code = match self {
            Self::Input => BusDirections_::kInput,
            Self::Output => BusDirections_::kOutput,
        };
        int32::try_from(code).unwrap_or_default()
    }
}

/// Whether a bus is to be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BusSwitch {
    /// It is.
    On,
    /// It is not.
    Off,
}

/// An audio bus as the plugin declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bus {
    /// Its name.
    pub name: String,
    /// Its channels.
    pub channels: i32,
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
    /// Its unit.
    pub unit: String,
    /// Steps between the least and the greatest value; 0 is continuous.
    pub steps: i32,
    /// The normalized value at first.
    pub default: f64,
    /// Whether a DAW may automate it.
    pub automatable: bool,
    /// Whether it is the bypass switch.
    pub bypass: bool,
}

/// One instance, initialized. Dropping it stops, deactivates and terminates it.
pub struct Plugin {
    pub(super) component: ComPtr<IComponent>,
    pub(super) processor: ComPtr<IAudioProcessor>,
    pub(super) controller: ComPtr<IEditController>,
    handler: ComWrapper<ComponentHandler>,
    pub(super) setup: Setup,
    pub(super) frames_done: i64,
    /// What came out of the last block beside audio.
    pub(super) sent: Vec<Sent>,
    running: bool,
    /// Last, so that the library outlives the objects.
    _module: Arc<Module>,
}

const AUDIO: int32 = 0;
const SWITCH_ON: TBool = 1;
const SWITCH_OFF: TBool = 0;

impl Plugin {
    pub(super) fn initialize(component: ComPtr<IComponent>, module: Arc<Module>) -> Result<Self, Vst3Error> {
        debug_assert_eq!(MediaTypes_::kAudio, 0, "the media type of audio");
        let plain = ComWrapper::new(HostApplication)
            .to_com_ptr::<IHostApplication>()
            .ok_or(Vst3Error::Missing("host context"))?;
        let context = match Console::get().offer() {
            Offer::Reaper | Offer::DeafReaper => reaper::context(),
            Offer::Nothing | Offer::TransportControl => plain.as_ptr().cast::<FUnknown>(),
        };
        // SAFETY: the component lives, and keeps its own reference to the context if it needs one.
        check("initializing", unsafe { component.initialize(context) })?;
        let processor = component.cast().ok_or(Vst3Error::Missing("audio processor"))?;
        let controller: ComPtr<IEditController> =
            component.cast().ok_or(Vst3Error::Missing("edit controller in the same object"))?;
        let handler = ComWrapper::new(ComponentHandler::default());
        let pointer =
            handler.to_com_ptr::<IComponentHandler>().ok_or(Vst3Error::Missing("component handler"))?;
        // SAFETY: the controller adds its own reference.
        check("setting the component handler", unsafe { controller.setComponentHandler(pointer.as_ptr()) })?;
        let setup = Setup { sample_rate: 48_000.0, frames_max: 0, mode: Mode::Realtime };
        Ok(Self {
            component,
            processor,
            controller,
            handler,
            setup,
            frames_done: 0,
            sent: Vec::new(),
            running: false,
            _module: module,
        })
    }

    /// Tells the plugin how it will be driven; to be called while stopped.
    ///
    /// # Errors
    /// If it refuses.
    pub fn set_up(&mut self, setup: Setup) -> Result<(), Vst3Error> {
        self.setup = setup;
        let mut raw = ProcessSetup {
            processMode: setup.mode.code(),
            symbolicSampleSize: int32::try_from(SymbolicSampleSizes_::kSample32).unwrap_or_default(),
            maxSamplesPerBlock: int32::try_from(setup.frames_max).unwrap_or(int32::MAX),
            sampleRate: setup.sample_rate,
        };
        // SAFETY: the pointer is valid for the call.
        check("setting up", unsafe { self.processor.setupProcessing(&raw mut raw) })
    }

    /// Switches one bus on or off; to be called while stopped.
    ///
    /// # Errors
    /// If there is no such bus.
    pub fn set_bus(
        &mut self,
        direction: BusDirection,
        index: i32,
        switch: BusSwitch,
    ) -> Result<(), Vst3Error> {
        let state = match switch {
            BusSwitch::On => SWITCH_ON,
            BusSwitch::Off => SWITCH_OFF,
        };
        // SAFETY: plain numbers.
        check("switching a bus", unsafe { self.component.activateBus(AUDIO, direction.code(), index, state) })
    }

    /// Activates the plugin and tells it that blocks will come.
    ///
    /// # Errors
    /// If it refuses to be activated.
    pub fn start(&mut self) -> Result<(), Vst3Error> {
        // SAFETY: plain numbers.
        check("activating", unsafe { self.component.setActive(SWITCH_ON) })?;
        // SAFETY: plain numbers. Plugins may leave this call unimplemented, so its answer says nothing.
        unsafe { self.processor.setProcessing(SWITCH_ON) };
        self.running = true;
        Ok(())
    }

    /// Undoes [`Self::start`].
    ///
    /// # Errors
    /// If the plugin refuses to be deactivated.
    pub fn stop(&mut self) -> Result<(), Vst3Error> {
        self.running = false;
        // SAFETY: plain numbers. The answer says nothing, as in `start`.
        unsafe { self.processor.setProcessing(SWITCH_OFF) };
        // SAFETY: plain numbers.
        check("deactivating", unsafe { self.component.setActive(SWITCH_OFF) })
    }

    /// What the plugin has told its host since the last call.
    pub fn take_log(&mut self) -> HandlerLog {
        self.handler.take_log()
    }

    /// Sets a normalized value as a DAW's generic editor does.
    ///
    /// # Errors
    /// If there is no such parameter.
    pub fn set_value(&mut self, parameter: ParameterId, normalized: f64) -> Result<(), Vst3Error> {
        // SAFETY: plain numbers.
        check("setting a parameter", unsafe { self.controller.setParamNormalized(parameter.0, normalized) })
    }

    /// The audio buses on one side, in order.
    ///
    /// # Errors
    /// If the plugin does not describe one.
    pub fn buses(&self, direction: BusDirection) -> Result<Vec<Bus>, Vst3Error> {
        // SAFETY: plain numbers.
        let count = unsafe { self.component.getBusCount(AUDIO, direction.code()) };
        (0..count)
            .map(|index| {
                // SAFETY: an all-zero description is valid, as it holds numbers and characters only.
                let mut info: BusInfo = unsafe { std::mem::zeroed() };
                // SAFETY: the pointer is valid for the call.
                let code =
                    unsafe { self.component.getBusInfo(AUDIO, direction.code(), index, &raw mut info) };
                check("describing a bus", code)?;
                Ok(Bus {
                    name: wide_text(&info.name),
                    channels: info.channelCount,
                    main: u32::try_from(info.busType) == Ok(BusTypes_::kMain),
                })
            })
            .collect()
    }

    /// The names of the event buses on one side, in order.
    ///
    /// # Errors
    /// If the plugin does not describe one.
    pub fn event_buses(&self, direction: BusDirection) -> Result<Vec<String>, Vst3Error> {
        let media = int32::try_from(MediaTypes_::kEvent).unwrap_or_default();
        // SAFETY: plain numbers.
        let count = unsafe { self.component.getBusCount(media, direction.code()) };
        (0..count)
            .map(|index| {
                // SAFETY: an all-zero description is valid, as it holds numbers and characters only.
                let mut info: BusInfo = unsafe { std::mem::zeroed() };
                // SAFETY: the pointer is valid for the call.
                let code =
                    unsafe { self.component.getBusInfo(media, direction.code(), index, &raw mut info) };
                check("describing an event bus", code)?;
                // SAFETY: plain numbers.
                check("switching an event bus", unsafe {
                    self.component.activateBus(media, direction.code(), index, SWITCH_ON)
                })?;
                Ok(wide_text(&info.name))
            })
            .collect()
    }

    /// The parameters, in the plugin's order.
    ///
    /// # Errors
    /// If the plugin does not describe one.
    pub fn parameters(&self) -> Result<Vec<Parameter>, Vst3Error> {
        // SAFETY: the controller lives.
        let count = unsafe { self.controller.getParameterCount() };
        (0..count)
            .map(|index| {
                // SAFETY: an all-zero description is valid, as it holds numbers and characters only.
                let mut info: ParameterInfo = unsafe { std::mem::zeroed() };
                // SAFETY: the pointer is valid for the call.
                check("describing a parameter", unsafe {
                    self.controller.getParameterInfo(index, &raw mut info)
                })?;
                Ok(Parameter {
                    id: ParameterId(info.id),
                    name: wide_text(&info.title),
                    unit: wide_text(&info.units),
                    steps: info.stepCount,
                    default: info.defaultNormalizedValue,
                    automatable: info.flags & ParameterFlags_::kCanAutomate != 0,
                    bypass: info.flags & ParameterFlags_::kIsBypass != 0,
                })
            })
            .collect()
    }

    /// The parameter called `name`.
    ///
    /// # Errors
    /// If there is none.
    pub fn parameter(&self, name: &str) -> Result<Parameter, Vst3Error> {
        self.parameters()?
            .into_iter()
            .find(|parameter| parameter.name == name)
            .ok_or(Vst3Error::Missing("parameter of this name"))
    }

    /// A parameter's normalized value now.
    #[must_use]
    pub fn value(&self, parameter: ParameterId) -> f64 {
        // SAFETY: plain numbers.
        unsafe { self.controller.getParamNormalized(parameter.0) }
    }

    /// The normalized value of a plain one.
    #[must_use]
    pub fn normalized(&self, parameter: ParameterId, plain: f64) -> f64 {
        // SAFETY: plain numbers.
        unsafe { self.controller.plainParamToNormalized(parameter.0, plain) }
    }

    /// The plain value of a normalized one.
    #[must_use]
    pub fn plain(&self, parameter: ParameterId, normalized: f64) -> f64 {
        // SAFETY: plain numbers.
        unsafe { self.controller.normalizedParamToPlain(parameter.0, normalized) }
    }

    /// How the plugin writes a normalized value.
    ///
    /// # Errors
    /// If it cannot.
    pub fn value_to_text(&self, parameter: ParameterId, normalized: f64) -> Result<String, Vst3Error> {
        let mut text: String128 = [0; 128];
        // SAFETY: the pointer is valid for the call.
        let code = unsafe { self.controller.getParamStringByValue(parameter.0, normalized, &raw mut text) };
        check("writing a value", code)?;
        Ok(wide_text(&text))
    }

    /// The normalized value that the plugin reads in `text`.
    ///
    /// # Errors
    /// If it reads none.
    pub fn text_to_value(&self, parameter: ParameterId, text: &str) -> Result<f64, Vst3Error> {
        let mut wide: Vec<u16> = text.encode_utf16().chain([0]).collect();
        let mut value = 0.0;
        // SAFETY: the text ends in zero; both pointers are valid for the call.
        let code =
            unsafe { self.controller.getParamValueByString(parameter.0, wide.as_mut_ptr(), &raw mut value) };
        check("reading a value", code)?;
        Ok(value)
    }

    /// The delay that the plugin reports, in frames.
    #[must_use]
    pub fn latency_frames(&self) -> u32 {
        // SAFETY: the processor lives.
        unsafe { self.processor.getLatencySamples() }
    }
}

impl Drop for Plugin {
    fn drop(&mut self) {
        if self.running {
            // A plugin that refuses to stop is terminated all the same.
            drop(self.stop());
        }
        // SAFETY: the last call on a living component; the null handler ends the plugin's use of ours.
        unsafe {
            self.controller.setComponentHandler(std::ptr::null_mut());
            self.component.terminate();
        }
    }
}

fn wide_text(characters: &[u16]) -> String {
    let end = characters.iter().position(|character| *character == 0).unwrap_or(characters.len());
    String::from_utf16_lossy(characters.get(..end).unwrap_or_default())
}
