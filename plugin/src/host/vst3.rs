//! The VST3 entry points, and the shim between a VST3 host and nice-plug.
//!
//! A VST3 object is a row of pointers to function tables. After nice-plug has made one, the shim points three of them
//! at copies of their tables in which some functions differ. The copies lie inside the [`Shim`], so a function finds
//! its shim from the table that it was called through. What each does:
//!
//! | function | why |
//! |---|---|
//! | `IComponent::initialize` | learns the host's name, which nice-plug does not ask for, and whether it lets its [transport] be moved |
//! | `IComponent::getBusCount`, `getBusInfo`, `activateBus` | declare the [event buses](events) |
//! | `IComponent::terminate` | forgets the host, which is gone afterwards |
//! | `IAudioProcessor::setupProcessing` | makes the padding; calls nice-plug twice, because it stores the mode of the call before, so an offline render would be taken for real time and the playback after it for offline |
//! | `IAudioProcessor::process` | stamps the callback; carries the room's MIDI; shows nice-plug every declared bus whatever the host connected: nice-plug reads past the host's array when there are fewer, and skips the plugin when a bus is off |
//! | `IEditController::setComponentHandler` | gives the editor a way to mark the project as changed |
#![expect(
    unsafe_code,
    reason = "the VST3 interface is C++: objects by pointer, calls through function tables"
)]

mod events;
mod factory;
mod transport;

use std::mem::offset_of;
use std::ptr::null_mut;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;

pub use factory::GetPluginFactory;
use nice_plug::wrapper::vst3::Wrapper;
use vst3::Steinberg::Vst::{
    AudioBusBuffers, AudioBusBuffers__type0, BusDirection, BusInfo, IAudioProcessor, IAudioProcessorVtbl,
    IComponent, IComponentHandler, IComponentHandler2, IComponentHandler2Trait, IComponentVtbl,
    IEditController, IEditControllerVtbl, IHostApplication, IHostApplicationTrait, MediaType, ProcessData,
    ProcessSetup, String128, SymbolicSampleSizes_,
};
use vst3::Steinberg::{
    FUnknown, IPluginBase, TBool, int32, kInvalidArgument, kResultFalse, kResultOk, tresult,
};
use vst3::{ComRef, ComWrapper};

use super::adapter::Lockstep;
use super::edition::Edition;
use super::padding::{PORTS_MAX, Padding};
use super::seam::{Outputs, Seam};

/// The copied tables of one object, and what their replaced functions need.
struct Shim {
    component: IComponentVtbl,
    processor: IAudioProcessorVtbl,
    controller: IEditControllerVtbl,
    /// nice-plug's tables.
    inner: Inner,
    /// Output buses that the class declares.
    ports: usize,
    /// Weak, because the seam keeps the shim.
    seam: Weak<Seam>,
    /// Only ever tried on the audio thread, never waited for: `setupProcessing` and `process` do not overlap unless
    /// the host breaks the rules.
    padding: Mutex<Padding>,
}

#[derive(Clone, Copy)]
struct Inner {
    component: IComponentVtbl,
    processor: IAudioProcessorVtbl,
    controller: IEditControllerVtbl,
}

/// A new object of one class, behind its shim.
fn create<E: Edition>() -> ComWrapper<Wrapper<Lockstep<E>>> {
    let seam = Arc::new(Seam::default());
    let object = ComWrapper::new(Seam::offer(&seam, Wrapper::<Lockstep<E>>::new));
    let ports = 1 + E::LAYOUTS.first().map_or(0, |layout| layout.aux_output_ports.len());
    let (Some(component), Some(processor), Some(controller)) = (
        object.as_com_ref::<IComponent>(),
        object.as_com_ref::<IAudioProcessor>(),
        object.as_com_ref::<IEditController>(),
    ) else {
        return object;
    };
    // SAFETY: nice-plug's class has these three interfaces; each pointer leads to a slot of the new object that holds
    // the address of a table. Nobody else has the object yet.
    unsafe {
        let (component, processor, controller) =
            (component.as_ptr(), processor.as_ptr(), controller.as_ptr());
        let inner = Inner {
            component: *(*component).vtbl,
            processor: *(*processor).vtbl,
            controller: *(*controller).vtbl,
        };
        let shim = Box::into_raw(Box::new(Shim::new(inner, ports, Arc::downgrade(&seam))));
        (*component).vtbl = &raw const (*shim).component;
        (*processor).vtbl = &raw const (*shim).processor;
        (*controller).vtbl = &raw const (*shim).controller;
        seam.keep(Box::new(Kept(shim)));
    }
    object
}

/// The shim's memory, freed when the plugin behind the object is.
struct Kept(*mut Shim);

// SAFETY: a `Shim` is function pointers, a `Weak` and a `Mutex`, each of which may move between threads.
unsafe impl Send for Kept {}

impl Drop for Kept {
    fn drop(&mut self) {
        // SAFETY: made by `Box::into_raw` in `create` and freed only here. The plugin goes when the object's last
        // reference does, and by then its tables are not read again.
        drop(unsafe { Box::from_raw(self.0) });
    }
}

impl Shim {
    fn new(inner: Inner, ports: usize, seam: Weak<Seam>) -> Self {
        let mut shim = Self {
            component: inner.component,
            processor: inner.processor,
            controller: inner.controller,
            inner,
            ports: ports.min(PORTS_MAX),
            seam,
            padding: Mutex::default(),
        };
        shim.component.base.initialize = Self::initialize;
        shim.component.base.terminate = Self::terminate;
        shim.component.getBusCount = Self::get_bus_count;
        shim.component.getBusInfo = Self::get_bus_info;
        shim.component.activateBus = Self::activate_bus;
        shim.processor.setupProcessing = Self::setup_processing;
        shim.processor.process = Self::process;
        shim.controller.setComponentHandler = Self::set_component_handler;
        shim
    }

    /// # Safety
    ///
    /// `object` is the `IComponent` of an object that [`create`] made and that is alive.
    unsafe fn of_component<'a>(object: *mut IComponent) -> &'a Self {
        // SAFETY: the table lies in a `Shim`, and its pointer was made from the whole of it.
        unsafe { &*(*object).vtbl.byte_sub(offset_of!(Self, component)).cast::<Self>() }
    }

    /// # Safety
    ///
    /// `object` is the `IAudioProcessor` of an object that [`create`] made and that is alive.
    unsafe fn of_processor<'a>(object: *mut IAudioProcessor) -> &'a Self {
        // SAFETY: the table lies in a `Shim`, and its pointer was made from the whole of it.
        unsafe { &*(*object).vtbl.byte_sub(offset_of!(Self, processor)).cast::<Self>() }
    }

    /// # Safety
    ///
    /// `object` is the `IEditController` of an object that [`create`] made and that is alive.
    unsafe fn of_controller<'a>(object: *mut IEditController) -> &'a Self {
        // SAFETY: the table lies in a `Shim`, and its pointer was made from the whole of it.
        unsafe { &*(*object).vtbl.byte_sub(offset_of!(Self, controller)).cast::<Self>() }
    }

    unsafe extern "system" fn initialize(object: *mut IPluginBase, context: *mut FUnknown) -> tresult {
        // SAFETY: this function stands in `IComponent`'s table only, whose objects begin as an `IPluginBase`.
        let shim = unsafe { Self::of_component(object.cast()) };
        // SAFETY: the host passes an object of its own, or null.
        let host =
            unsafe { ComRef::from_raw(context) }.and_then(|context| context.cast::<IHostApplication>());
        if let (Some(host), Some(seam)) = (host, shim.seam.upgrade()) {
            let mut name: String128 = [0; 128];
            // SAFETY: `name` is what the function fills.
            if unsafe { host.getName(&raw mut name) } == kResultOk {
                seam.set_host_name(text(&name));
            }
        }
        if let Some(seam) = shim.seam.upgrade() {
            // SAFETY: the host initializes on its main thread, and passes an object of its own, or null.
            unsafe { transport::attach(object as usize, &seam, context) };
        }
        // SAFETY: nice-plug's own function and object.
        unsafe { (shim.inner.component.base.initialize)(object, context) }
    }

    unsafe extern "system" fn terminate(object: *mut IPluginBase) -> tresult {
        // SAFETY: this function stands in `IComponent`'s table only, whose objects begin as an `IPluginBase`.
        let shim = unsafe { Self::of_component(object.cast()) };
        if let Some(seam) = shim.seam.upgrade() {
            seam.set_marker(None);
        }
        // SAFETY: the host terminates on its main thread.
        unsafe { transport::detach(object as usize) };
        // SAFETY: nice-plug's own function and object.
        unsafe { (shim.inner.component.base.terminate)(object) }
    }

    unsafe extern "system" fn get_bus_count(
        object: *mut IComponent,
        media: MediaType,
        direction: BusDirection,
    ) -> int32 {
        if events::is_events(media) {
            return 1;
        }
        // SAFETY: this function stands in `IComponent`'s table only; nice-plug's own function and object.
        unsafe { (Self::of_component(object).inner.component.getBusCount)(object, media, direction) }
    }

    unsafe extern "system" fn get_bus_info(
        object: *mut IComponent,
        media: MediaType,
        direction: BusDirection,
        index: int32,
        info: *mut BusInfo,
    ) -> tresult {
        if events::is_events(media) {
            if index != 0 || info.is_null() {
                return kInvalidArgument;
            }
            // SAFETY: not null, and the host passes memory for one description.
            unsafe { info.write(events::bus(direction)) };
            return kResultOk;
        }
        // SAFETY: this function stands in `IComponent`'s table only; nice-plug's own function and object.
        unsafe {
            (Self::of_component(object).inner.component.getBusInfo)(object, media, direction, index, info)
        }
    }

    unsafe extern "system" fn activate_bus(
        object: *mut IComponent,
        media: MediaType,
        direction: BusDirection,
        index: int32,
        state: TBool,
    ) -> tresult {
        if events::is_events(media) {
            return if index == 0 { kResultOk } else { kInvalidArgument };
        }
        // SAFETY: this function stands in `IComponent`'s table only; nice-plug's own function and object.
        unsafe {
            (Self::of_component(object).inner.component.activateBus)(object, media, direction, index, state)
        }
    }

    unsafe extern "system" fn set_component_handler(
        object: *mut IEditController,
        handler: *mut IComponentHandler,
    ) -> tresult {
        // SAFETY: this function stands in `IEditController`'s table only.
        let shim = unsafe { Self::of_controller(object) };
        // SAFETY: the host passes an object of its own, or null.
        let second =
            unsafe { ComRef::from_raw(handler) }.and_then(|handler| handler.cast::<IComponentHandler2>());
        if let Some(seam) = shim.seam.upgrade() {
            let host_thread = thread::current().id();
            seam.set_marker(second.map(|second| -> Box<dyn Fn() + Send> {
                Box::new(move || {
                    // VST3 allows it on the host's own thread only; an editor on X11 runs on another, and there the
                    // settings are saved with the project without the host being told that it changed.
                    if thread::current().id() == host_thread {
                        // SAFETY: the reference is ours.
                        unsafe { second.setDirty(1) };
                    }
                })
            }));
        }
        // SAFETY: nice-plug's own function and object.
        unsafe { (shim.inner.controller.setComponentHandler)(object, handler) }
    }

    unsafe extern "system" fn setup_processing(
        object: *mut IAudioProcessor,
        setup: *mut ProcessSetup,
    ) -> tresult {
        // SAFETY: this function stands in `IAudioProcessor`'s table only; the host passes a setup, or null.
        let (shim, announced) = unsafe { (Self::of_processor(object), setup.as_ref()) };
        let Some(announced) = announced else { return kInvalidArgument };
        let frames = usize::try_from(announced.maxSamplesPerBlock).unwrap_or(0);
        *shim.padding.lock().unwrap_or_else(PoisonError::into_inner) = Padding::new(shim.ports, frames);
        let setup_inner = shim.inner.processor.setupProcessing;
        // SAFETY: nice-plug's own function and object. The first call stores the mode for the second to take up.
        unsafe {
            setup_inner(object, setup);
            setup_inner(object, setup)
        }
    }

    /// Real-time: yes. Bound: constant, beside the plugin's own work.
    unsafe extern "system" fn process(object: *mut IAudioProcessor, data: *mut ProcessData) -> tresult {
        let now = crate::shell::clock::now();
        // SAFETY: this function stands in `IAudioProcessor`'s table only; the host passes the data of this call.
        let (shim, data) = unsafe { (Self::of_processor(object), data.as_ref()) };
        let Some(data) = data else { return kInvalidArgument };
        if data.symbolicSampleSize != i32::try_from(SymbolicSampleSizes_::kSample32).unwrap_or(0) {
            return kResultFalse;
        }
        let Ok(mut padding) = shim.padding.try_lock() else { return kResultFalse };
        if usize::try_from(data.numSamples).map_or(true, |frames| frames > padding.frames()) {
            return kResultFalse;
        }

        // SAFETY: the counts say how many buses the host's arrays have.
        let (host_inputs, host_outputs) =
            unsafe { (buses(data.inputs, data.numInputs), buses(data.outputs, data.numOutputs)) };
        let mut connected = Outputs::default();
        let mut input_channels =
            [0, 1].map(|channel| host_channel(host_inputs, 0, channel).unwrap_or_else(|| padding.silence()));
        let mut output_channels = [[null_mut(); 2]; PORTS_MAX];
        for (port, channels) in output_channels.iter_mut().enumerate().take(shim.ports) {
            for (channel, samples) in channels.iter_mut().enumerate() {
                *samples = if let Some(samples) = host_channel(host_outputs, port, channel) {
                    connected.connect(port);
                    samples
                } else {
                    padding.scratch(port, channel)
                };
            }
        }
        let mut input = stereo_bus(&mut input_channels);
        let mut outputs = output_channels.each_mut().map(stereo_bus);
        // Without an output no audio is meant: some hosts flush parameters with frames but without channels, and to
        // process those frames would count time that did not pass. nice-plug knows a flush by the absent outputs.
        let flush = data.numSamples == 0 || connected.is_empty();
        let mut padded = ProcessData {
            numInputs: 1,
            numOutputs: if flush { 0 } else { i32::try_from(shim.ports).unwrap_or(0) },
            inputs: &raw mut input,
            outputs: outputs.as_mut_ptr(),
            ..*data
        };

        // The plugin that runs this holds its seam, so this is never the last reference and frees nothing.
        let seam = shim.seam.upgrade();
        if let Some(seam) = &seam {
            seam.begin_callback(now, connected);
            if let Some(mut midi) = seam.midi().filter(|_| !flush) {
                // SAFETY: the host's list for this call, or null.
                unsafe { events::hear(&mut midi, data.inputEvents, data.numSamples) };
            }
        }
        // SAFETY: nice-plug's own function and object; every channel of a declared bus points to at least
        // `numSamples` frames, the host's or the padding's, which stays locked.
        let result = unsafe { (shim.inner.processor.process)(object, &raw mut padded) };
        if let Some(mut midi) = seam.as_ref().and_then(|seam| seam.midi()) {
            // SAFETY: the host's list for this call, or null.
            unsafe { events::give(&mut midi, data.outputEvents) };
        }

        for port in 0..host_outputs.len() {
            // SAFETY: within the host's array. nice-plug never sets the flags, and stale ones would claim silence.
            unsafe { (*data.outputs.add(port)).silenceFlags = 0 };
        }
        result
    }
}

/// # Safety
///
/// `first` points to `count` buses that stay valid for the call, or is null.
unsafe fn buses<'a>(first: *mut AudioBusBuffers, count: i32) -> &'a [AudioBusBuffers] {
    match usize::try_from(count) {
        // SAFETY: as promised.
        Ok(count) if !first.is_null() => unsafe { std::slice::from_raw_parts(first, count) },
        _ => &[],
    }
}

/// The host's memory for one channel, if it gave any.
fn host_channel(buses: &[AudioBusBuffers], bus: usize, channel: usize) -> Option<*mut f32> {
    let bus = buses.get(bus)?;
    let channels = usize::try_from(bus.numChannels).unwrap_or(0);
    // SAFETY: the sample size was tested, so this is the union's live field.
    let pointers = unsafe { bus.__field0.channelBuffers32 };
    if pointers.is_null() || channel >= channels {
        return None;
    }
    // SAFETY: an array of `numChannels` pointers.
    let samples = unsafe { *pointers.add(channel) };
    (!samples.is_null()).then_some(samples)
}

fn stereo_bus(channels: &mut [*mut f32; 2]) -> AudioBusBuffers {
    AudioBusBuffers {
        numChannels: 2,
        silenceFlags: 0,
        __field0: AudioBusBuffers__type0 { channelBuffers32: channels.as_mut_ptr() },
    }
}

fn text(name: &String128) -> String {
    char::decode_utf16(name.iter().copied().take_while(|&unit| unit != 0))
        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}
