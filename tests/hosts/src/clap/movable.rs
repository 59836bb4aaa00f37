//! The host's side of extensions through which a plugin moves the transport: what the [`Console`] offers.
#![expect(unsafe_code, reason = "extensions that clack does not know are C structs of functions")]

use std::ffi::{CStr, c_char, c_int, c_void};

use clack_host::extensions::prelude::*;
use clack_host::prelude::*;
use clap_sys::ext::draft::transport_control::{CLAP_EXT_TRANSPORT_CONTROL, clap_host_transport_control};
use clap_sys::fixedpoint::{CLAP_BEATTIME_FACTOR, clap_beattime};
use clap_sys::host::clap_host;
use lockstep_shared::time::convert::f64_from_i64;

use super::handlers::Handlers;
use crate::console::{Console, Offer, Press};
use crate::reaper;

/// Declares what the console offers.
pub(super) fn declare(builder: &mut HostExtensions<'_, Handlers>) {
    match Console::get().offer() {
        Offer::Nothing => {}
        Offer::Reaper | Offer::DeafReaper => {
            builder.register::<ReaperExtension>();
        }
        Offer::TransportControl => {
            builder.register::<TransportControl>();
        }
    }
}

/// As REAPER lays it out.
#[repr(C)]
struct ReaperInfo {
    caller_version: c_int,
    /// No window: a null pointer, as a type that threads may share.
    main_window: Option<&'static ()>,
    register: Option<unsafe extern "C" fn(*const c_char, *mut c_void) -> c_int>,
    get_function: Option<unsafe extern "C" fn(*const c_char) -> *mut c_void>,
}

#[derive(Clone, Copy)]
struct ReaperExtension;

// SAFETY: the name is that of this struct.
unsafe impl Extension for ReaperExtension {
    const IDENTIFIERS: &[&CStr] = &[c"cockos.reaper_extension"];
    type ExtensionSide = HostExtensionSide;

    unsafe fn from_raw(_raw: RawExtension<HostExtensionSide>) -> Self {
        Self
    }
}

// SAFETY: the struct has C's layout, as REAPER documents it.
unsafe impl ExtensionImplementation<Handlers> for ReaperExtension {
    const IMPLEMENTATION: RawExtensionImplementation = RawExtensionImplementation::new(&ReaperInfo {
        caller_version: 0x20E,
        main_window: None,
        register: None,
        get_function: Some(reaper::function),
    });
}

#[derive(Clone, Copy)]
struct TransportControl;

// SAFETY: the name is that of this struct.
unsafe impl Extension for TransportControl {
    const IDENTIFIERS: &[&CStr] = &[CLAP_EXT_TRANSPORT_CONTROL];
    type ExtensionSide = HostExtensionSide;

    unsafe fn from_raw(_raw: RawExtension<HostExtensionSide>) -> Self {
        Self
    }
}

// SAFETY: the struct is CLAP's own.
unsafe impl ExtensionImplementation<Handlers> for TransportControl {
    const IMPLEMENTATION: RawExtensionImplementation =
        RawExtensionImplementation::new(&clap_host_transport_control {
            request_start: Some(start),
            request_stop: Some(stop),
            request_continue: Some(play_on),
            request_pause: Some(pause),
            request_toggle_play: None,
            request_jump: Some(jump),
            request_loop_region: None,
            request_toggle_loop: None,
            request_enable_loop: None,
            request_record: None,
            request_toggle_record: None,
        });
}

unsafe extern "C" fn start(_host: *const clap_host) {
    Console::get().press(Press::Locate(0.0));
    Console::get().press(Press::Play);
}

unsafe extern "C" fn stop(_host: *const clap_host) {
    Console::get().press(Press::Stop);
    Console::get().press(Press::Locate(0.0));
}

unsafe extern "C" fn play_on(_host: *const clap_host) {
    Console::get().press(Press::Play);
}

unsafe extern "C" fn pause(_host: *const clap_host) {
    Console::get().press(Press::Stop);
}

unsafe extern "C" fn jump(_host: *const clap_host, position: clap_beattime) {
    let quarters = f64_from_i64(position) / f64_from_i64(CLAP_BEATTIME_FACTOR);
    Console::get().press(Press::Locate(quarters));
}
