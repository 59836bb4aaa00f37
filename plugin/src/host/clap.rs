//! The CLAP entry point, and the shim between a CLAP host and nice-plug.
//!
//! nice-plug's own export macro would hand the host a `clap_plugin` of nice-plug's. Here the host gets a copy of it
//! with six functions replaced; everything else, all extensions among it, goes straight through, because
//! `plugin_data` stays what nice-plug set. What each does:
//!
//! | function | why |
//! |---|---|
//! | `init` | gives the editor a way to mark the project as changed: nice-plug has none for settings outside the parameters; asks whether the host lets its [transport] be moved |
//! | `activate` | makes the memory that `process` pads with, off the audio thread |
//! | `process` | stamps the callback; carries the room's MIDI and the MIDI clock; shows nice-plug every declared port whatever the host connected: nice-plug reads past the host's array when there are fewer ports, and skips the plugin when a port has no memory |
//! | `get_extension` | offers no window to a host that lacks the host's side of `clap.gui`: nice-plug would abort when asked to open one; offers the [note ports](note_port) |
//! | `on_main_thread` | asks the host to mark the project as changed, and its transport to move, which only the main thread may |
//! | `destroy` | frees the shim after nice-plug has freed the plugin |
#![expect(unsafe_code, reason = "the CLAP interface is C: pointers in, pointers out")]

mod note_port;
pub(super) mod reaper;
mod transport;

use std::ffi::{CStr, c_char, c_void};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use clap_sys::audio_buffer::clap_audio_buffer;
use clap_sys::entry::clap_plugin_entry;
use clap_sys::ext::gui::CLAP_EXT_GUI;
use clap_sys::ext::note_ports::CLAP_EXT_NOTE_PORTS;
use clap_sys::ext::params::{CLAP_EXT_PARAMS, clap_plugin_params};
use clap_sys::ext::state::{CLAP_EXT_STATE, clap_host_state};
use clap_sys::factory::plugin_factory::{CLAP_PLUGIN_FACTORY_ID, clap_plugin_factory};
use clap_sys::host::clap_host;
use clap_sys::plugin::{clap_plugin, clap_plugin_descriptor};
use clap_sys::process::{CLAP_PROCESS_CONTINUE, CLAP_PROCESS_ERROR, clap_process, clap_process_status};
use clap_sys::version::CLAP_VERSION;
use nice_plug::wrapper::clap::{PluginDescriptor, Wrapper};
use nice_plug::wrapper::setup_logger;

use self::note_port::EventSender;
use self::transport::HostTransport;
use super::adapter::Lockstep;
use super::edition;
use super::padding::{PORTS_MAX, Padding};
use super::seam::{Outputs, Seam};
use crate::shell::wait_for_resolvers;

/// Where every CLAP host begins.
#[unsafe(no_mangle)]
#[used]
pub static clap_entry: clap_plugin_entry = clap_plugin_entry {
    clap_version: CLAP_VERSION,
    init: Some(init_library),
    deinit: Some(deinit_library),
    get_factory: Some(get_factory),
};

type Plugin = Lockstep<edition::Clap>;

static FACTORY: clap_plugin_factory = clap_plugin_factory {
    get_plugin_count: Some(get_plugin_count),
    get_plugin_descriptor: Some(get_plugin_descriptor),
    create_plugin: Some(create_plugin),
};

unsafe extern "C" fn init_library(_path: *const c_char) -> bool {
    setup_logger::<Plugin>();
    true
}

unsafe extern "C" fn deinit_library() {
    wait_for_resolvers();
}

unsafe extern "C" fn get_factory(id: *const c_char) -> *const c_void {
    // SAFETY: the host passes a C string or null, and null is tested first.
    if !id.is_null() && unsafe { CStr::from_ptr(id) } == CLAP_PLUGIN_FACTORY_ID {
        (&raw const FACTORY).cast()
    } else {
        null()
    }
}

unsafe extern "C" fn get_plugin_count(_factory: *const clap_plugin_factory) -> u32 {
    1
}

unsafe extern "C" fn get_plugin_descriptor(
    _factory: *const clap_plugin_factory,
    index: u32,
) -> *const clap_plugin_descriptor {
    if index == 0 { descriptor().clap_plugin_descriptor() } else { null() }
}

fn descriptor() -> &'static PluginDescriptor {
    static DESCRIPTOR: OnceLock<PluginDescriptor> = OnceLock::new();
    DESCRIPTOR.get_or_init(PluginDescriptor::for_plugin::<Plugin>)
}

unsafe extern "C" fn create_plugin(
    _factory: *const clap_plugin_factory,
    host: *const clap_host,
    id: *const c_char,
) -> *const clap_plugin {
    if host.is_null() || id.is_null() {
        return null();
    }
    // SAFETY: not null, and the host passes a C string.
    if unsafe { CStr::from_ptr(id) } != descriptor().clap_id() {
        return null();
    }
    // SAFETY: not null, and the host keeps it valid until the plugin is destroyed.
    Shim::create(unsafe { HostPointer::new(host) })
}

/// What the host's `clap_plugin` pointer points to, together with what the replaced functions need.
#[repr(C)]
struct Shim {
    /// First, so that a pointer to it is a pointer to the shim.
    outer: clap_plugin,
    /// nice-plug's functions.
    inner: clap_plugin,
    host: HostPointer,
    seam: Arc<Seam>,
    project_changed: Arc<AtomicBool>,
    /// Set by `init` if the host's transport can be moved; used on the main thread only.
    transport: OnceLock<HostTransport>,
    /// Whether the host has its side of `clap.gui`, known after `init`.
    host_has_windows: AtomicBool,
    /// Only ever tried, never waited for: `activate` and `process` do not overlap unless the host breaks the rules.
    padding: Mutex<Padding>,
}

impl Shim {
    fn create(host: HostPointer) -> *const clap_plugin {
        let seam = Arc::new(Seam::default());
        seam.set_host_name(host.name());
        // SAFETY: the host outlives the plugin, as `HostPointer` was promised.
        let wrapper = Seam::offer(&seam, || unsafe { Wrapper::<Plugin>::new(host.0) });
        let inner = *wrapper.clap_plugin.borrow();
        // `destroy` turns this reference back into an `Arc`, through `plugin_data`.
        let _ = Arc::into_raw(wrapper);
        let shim = Box::new(Self {
            outer: clap_plugin {
                init: Some(Self::init),
                destroy: Some(Self::destroy),
                activate: Some(Self::activate),
                process: Some(Self::process),
                get_extension: Some(Self::get_extension),
                on_main_thread: Some(Self::on_main_thread),
                ..inner
            },
            inner,
            host,
            seam,
            project_changed: Arc::default(),
            transport: OnceLock::new(),
            host_has_windows: AtomicBool::new(false),
            padding: Mutex::default(),
        });
        Box::into_raw(shim).cast::<clap_plugin>().cast_const()
    }

    /// # Safety
    ///
    /// `plugin` came from [`Shim::create`] and has not been destroyed, or is null.
    unsafe fn of<'a>(plugin: *const clap_plugin) -> Option<&'a Self> {
        // SAFETY: `outer` is the first field of a `repr(C)` struct, and the pointer was made from the whole struct.
        unsafe { plugin.cast::<Self>().as_ref() }
    }

    unsafe extern "C" fn init(plugin: *const clap_plugin) -> bool {
        // SAFETY: the host calls with the plugin that it was given.
        let Some(shim) = (unsafe { Self::of(plugin) }) else { return false };
        let host = shim.host;
        shim.host_has_windows.store(!host.extension(CLAP_EXT_GUI).is_null(), Ordering::Relaxed);
        let project_changed = Arc::clone(&shim.project_changed);
        shim.seam.set_marker(Some(Box::new(move || {
            project_changed.store(true, Ordering::Release);
            host.request_callback();
        })));
        if let Some(transport) = HostTransport::find(host) {
            let abilities = transport.abilities();
            // A host that initializes twice keeps the first, which is the same.
            let _ = shim.transport.set(transport);
            let waker = Box::new(move || host.request_callback());
            shim.seam.remote().offer(abilities, Some(waker));
        }
        // SAFETY: nice-plug's own function with the `plugin_data` that it set.
        shim.inner.init.is_some_and(|init| unsafe { init(plugin) })
    }

    unsafe extern "C" fn destroy(plugin: *const clap_plugin) {
        // SAFETY: the host calls with the plugin that it was given.
        let Some(shim) = (unsafe { Self::of(plugin) }) else { return };
        shim.seam.set_marker(None);
        // What was bent is straightened before the host is out of reach.
        shim.move_transport();
        shim.seam.remote().withdraw();
        if let Some(destroy) = shim.inner.destroy {
            // SAFETY: nice-plug's own function with the `plugin_data` that it set.
            unsafe { destroy(plugin) };
        }
        // SAFETY: made by `Box::into_raw` in `create`; the host does not use the plugin after `destroy`, and the
        // reference above is not used again.
        drop(unsafe { Box::from_raw(plugin.cast::<Self>().cast_mut()) });
    }

    unsafe extern "C" fn activate(
        plugin: *const clap_plugin,
        sample_rate: f64,
        frames_min: u32,
        frames_max: u32,
    ) -> bool {
        // SAFETY: the host calls with the plugin that it was given.
        let Some(shim) = (unsafe { Self::of(plugin) }) else { return false };
        let padding = Padding::new(PORTS_MAX, usize::try_from(frames_max).unwrap_or(0));
        *shim.padding.lock().unwrap_or_else(PoisonError::into_inner) = padding;
        // SAFETY: nice-plug's own function with the `plugin_data` that it set.
        shim.inner
            .activate
            .is_some_and(|activate| unsafe { activate(plugin, sample_rate, frames_min, frames_max) })
    }

    /// Real-time: yes. Bound: constant, beside the plugin's own work.
    unsafe extern "C" fn process(
        plugin: *const clap_plugin,
        process: *const clap_process,
    ) -> clap_process_status {
        let now = crate::shell::clock::now();
        // SAFETY: the host calls with the plugin that it was given and with a `clap_process` for this call.
        let (Some(shim), Some(process)) = (unsafe { (Self::of(plugin), process.as_ref()) }) else {
            return CLAP_PROCESS_ERROR;
        };
        if process.frames_count == 0 {
            return shim.flush(plugin, process);
        }
        let Ok(mut padding) = shim.padding.try_lock() else { return CLAP_PROCESS_ERROR };
        if usize::try_from(process.frames_count).map_or(true, |frames| frames > padding.frames()) {
            return CLAP_PROCESS_ERROR;
        }

        // SAFETY: the counts say how many ports the host's arrays have.
        let (host_inputs, host_outputs) = unsafe {
            (
                ports(process.audio_inputs, process.audio_inputs_count),
                ports(process.audio_outputs.cast_const(), process.audio_outputs_count),
            )
        };
        let mut connected = Outputs::default();
        let mut input_channels =
            [0, 1].map(|channel| host_channel(host_inputs, 0, channel).unwrap_or_else(|| padding.silence()));
        let mut output_channels = [[null_mut(); 2]; PORTS_MAX];
        for (port, channels) in output_channels.iter_mut().enumerate() {
            for (channel, samples) in channels.iter_mut().enumerate() {
                *samples = if let Some(samples) = host_channel(host_outputs, port, channel) {
                    connected.connect(port);
                    samples
                } else {
                    padding.scratch(port, channel)
                };
            }
        }
        let input = stereo_port(&mut input_channels);
        let mut outputs = output_channels.each_mut().map(stereo_port);
        // SAFETY: the host's list of events is valid for the call, or null.
        let sender = unsafe { EventSender::new(&shim.seam, process.out_events) };
        let out_events = sender.list();
        let padded = clap_process {
            audio_inputs: &raw const input,
            audio_inputs_count: 1,
            audio_outputs: outputs.as_mut_ptr(),
            audio_outputs_count: ALL_PORTS,
            out_events: if process.out_events.is_null() { null() } else { &raw const out_events },
            ..*process
        };

        shim.seam.begin_callback(now, connected);
        // SAFETY: the host's list of events is valid for the call, or null.
        unsafe { note_port::hear(&shim.seam, process.in_events, process.frames_count) };
        // SAFETY: nice-plug's own function with the `plugin_data` that it set; every channel points to at least
        // `frames_count` frames, the host's or the padding's, which stays locked.
        let status = shim
            .inner
            .process
            .map_or(CLAP_PROCESS_ERROR, |inner| unsafe { inner(plugin, &raw const padded) });
        sender.finish();

        for port in 0..host_outputs.len() {
            // SAFETY: within the host's array. nice-plug never sets the mask, and a stale one would claim silence.
            unsafe { (*process.audio_outputs.add(port)).constant_mask = 0 };
        }
        status
    }

    unsafe extern "C" fn get_extension(plugin: *const clap_plugin, id: *const c_char) -> *const c_void {
        // SAFETY: the host calls with the plugin that it was given.
        let Some(shim) = (unsafe { Self::of(plugin) }) else { return null() };
        // SAFETY: the host passes a C string or null, and null is tested first.
        let asked = if id.is_null() { c"" } else { unsafe { CStr::from_ptr(id) } };
        if asked == CLAP_EXT_GUI && !shim.host_has_windows.load(Ordering::Relaxed) {
            return null();
        }
        if asked == CLAP_EXT_NOTE_PORTS {
            return (&raw const note_port::NOTE_PORTS).cast();
        }
        // SAFETY: nice-plug's own function with the `plugin_data` that it set.
        shim.inner.get_extension.map_or(null(), |get_extension| unsafe { get_extension(plugin, id) })
    }

    unsafe extern "C" fn on_main_thread(plugin: *const clap_plugin) {
        // SAFETY: the host calls with the plugin that it was given.
        let Some(shim) = (unsafe { Self::of(plugin) }) else { return };
        if shim.project_changed.swap(false, Ordering::Acquire) {
            shim.host.mark_dirty();
        }
        shim.move_transport();
        if let Some(on_main_thread) = shim.inner.on_main_thread {
            // SAFETY: nice-plug's own function with the `plugin_data` that it set.
            unsafe { on_main_thread(plugin) };
        }
    }

    /// Asks the host for what the link's thread wants of its transport. On the main thread only.
    fn move_transport(&self) {
        let Some(transport) = self.transport.get() else { return };
        while let Some(command) = self.seam.remote().take(crate::shell::clock::now()) {
            // SAFETY: called by functions that the host calls on its main thread, before the plugin is freed.
            unsafe { transport.obey(command) };
        }
    }

    /// A call without frames only carries events; nice-plug would take its empty buffers for an error.
    fn flush(&self, plugin: *const clap_plugin, process: &clap_process) -> clap_process_status {
        let Some(get_extension) = self.inner.get_extension else { return CLAP_PROCESS_ERROR };
        // SAFETY: nice-plug's own function; what it returns for this name is this struct, alive with the plugin.
        let params =
            unsafe { get_extension(plugin, CLAP_EXT_PARAMS.as_ptr()).cast::<clap_plugin_params>().as_ref() };
        if let Some(flush) = params.and_then(|params| params.flush) {
            // SAFETY: the host's event lists are valid for the call; nice-plug tests them for null.
            unsafe { flush(plugin, process.in_events, process.out_events) };
        }
        CLAP_PROCESS_CONTINUE
    }
}

/// The host, valid until its plugin is destroyed.
#[derive(Clone, Copy)]
struct HostPointer(*const clap_host);

// SAFETY: of the host's functions only `request_callback` is called on another thread than the main one, and CLAP
// allows that one on every thread.
unsafe impl Send for HostPointer {}

impl HostPointer {
    /// # Safety
    ///
    /// `host` is valid until the plugin that is made for it is destroyed.
    const unsafe fn new(host: *const clap_host) -> Self {
        Self(host)
    }

    fn name(self) -> String {
        // SAFETY: valid, as `new` was promised.
        let name = unsafe { (*self.0).name };
        if name.is_null() {
            return String::new();
        }
        // SAFETY: not null, and CLAP makes it a C string.
        unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned()
    }

    fn request_callback(self) {
        // SAFETY: valid, as `new` was promised: `destroy` takes the marker away that calls this.
        if let Some(request_callback) = unsafe { (*self.0).request_callback } {
            // SAFETY: the host's own function and pointer, allowed on every thread.
            unsafe { request_callback(self.0) };
        }
    }

    /// On the main thread only, not before `init`.
    fn mark_dirty(self) {
        // SAFETY: what the host returns for this name is this struct or null.
        let state = unsafe { self.extension(CLAP_EXT_STATE).cast::<clap_host_state>().as_ref() };
        if let Some(mark_dirty) = state.and_then(|state| state.mark_dirty) {
            // SAFETY: the host's own function and pointer, on the main thread.
            unsafe { mark_dirty(self.0) };
        }
    }

    /// Not before `init`. Null for what the host does not have.
    fn extension(self, id: &CStr) -> *const c_void {
        // SAFETY: valid, as `new` was promised.
        let get_extension = unsafe { (*self.0).get_extension };
        // SAFETY: the host's own function and pointer.
        get_extension.map_or(null(), |get_extension| unsafe { get_extension(self.0, id.as_ptr()) })
    }
}

/// [`PORTS_MAX`] as CLAP counts.
const ALL_PORTS: u32 = 9;
const _: () = assert!(ALL_PORTS as usize == PORTS_MAX);

/// # Safety
///
/// `first` points to `count` ports that stay valid for the call, or is null.
unsafe fn ports<'a>(first: *const clap_audio_buffer, count: u32) -> &'a [clap_audio_buffer] {
    match usize::try_from(count) {
        // SAFETY: as promised.
        Ok(count) if !first.is_null() => unsafe { std::slice::from_raw_parts(first, count) },
        _ => &[],
    }
}

/// The host's memory for one channel, if it gave any.
fn host_channel(ports: &[clap_audio_buffer], port: usize, channel: usize) -> Option<*mut f32> {
    let port = ports.get(port)?;
    let channels = usize::try_from(port.channel_count).unwrap_or(0);
    if port.data32.is_null() || channel >= channels {
        return None;
    }
    // SAFETY: `data32` is an array of `channel_count` pointers.
    let samples = unsafe { *port.data32.add(channel) };
    (!samples.is_null()).then_some(samples)
}

fn stereo_port(channels: &mut [*mut f32; 2]) -> clap_audio_buffer {
    clap_audio_buffer {
        data32: channels.as_mut_ptr(),
        data64: null_mut(),
        channel_count: 2,
        latency: 0,
        constant_mask: 0,
    }
}
