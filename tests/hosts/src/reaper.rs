//! REAPER's functions over the [`Console`]: names and types as REAPER documents them, nothing of its own.
//!
//! The song begins at 0 s and has one tempo, so a time is a beat times that. A change of tempo keeps the beat.
#![expect(unsafe_code, reason = "plugins are given C functions by name")]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::null_mut;
use std::sync::{Mutex, PoisonError};

use crate::console::{Console, Offer, Press};

type Timer = unsafe extern "C" fn();

static TIMERS: Mutex<Vec<Timer>> = Mutex::new(Vec::new());

/// The function of this name, or null.
///
/// # Safety
///
/// `name` is a C string.
pub(crate) unsafe extern "C" fn function(name: *const c_char) -> *mut c_void {
    match Console::get().offer() {
        Offer::Reaper | Offer::DeafReaper => {}
        Offer::Nothing | Offer::TransportControl => return null_mut(),
    }
    // SAFETY: as promised.
    match unsafe { CStr::from_ptr(name) }.to_bytes() {
        b"OnPlayButton" => on_play_button as *mut c_void,
        b"OnStopButton" => on_stop_button as *mut c_void,
        b"SetEditCurPos" => set_edit_cur_pos as *mut c_void,
        b"TimeMap2_QNToTime" => time_map_qn_to_time as *mut c_void,
        b"SetCurrentBPM" => set_current_bpm as *mut c_void,
        b"CSurf_OnPlayRateChange" => on_play_rate_change as *mut c_void,
        b"Master_GetPlayRate" => master_get_play_rate as *mut c_void,
        b"GetPlayState" => get_play_state as *mut c_void,
        b"plugin_register" => plugin_register as *mut c_void,
        _ => null_mut(),
    }
}

/// Calls the timers that plugins have registered, as REAPER does about thirty times a second. On the main thread.
pub fn run_timers() {
    // A timer may take itself away.
    let timers = TIMERS.lock().unwrap_or_else(PoisonError::into_inner).clone();
    for timer in timers {
        // SAFETY: the plugin registered a function of this type, and takes it away before it goes.
        unsafe { timer() };
    }
}

/// How many timers are registered.
#[must_use]
pub fn timers() -> usize {
    TIMERS.lock().unwrap_or_else(PoisonError::into_inner).len()
}

extern "C" fn on_play_button() {
    Console::get().press(Press::Play);
}

extern "C" fn on_stop_button() {
    Console::get().press(Press::Stop);
}

extern "C" fn set_edit_cur_pos(seconds: f64, _moves_view: bool, _seeks: bool) {
    Console::get().press(Press::Locate(seconds * Console::get().bpm() / 60.0));
}

extern "C" fn time_map_qn_to_time(_project: *mut c_void, quarters: f64) -> f64 {
    quarters * 60.0 / Console::get().bpm()
}

extern "C" fn set_current_bpm(_project: *mut c_void, bpm: f64, _is_undoable: bool) {
    Console::get().press(Press::Bpm(bpm));
}

extern "C" fn on_play_rate_change(rate: f64) {
    Console::get().press(Press::Rate(rate));
}

extern "C" fn master_get_play_rate(_project: *mut c_void) -> f64 {
    Console::get().rate()
}

/// Never recording.
const extern "C" fn get_play_state() -> c_int {
    0
}

/// Timers alone: a name, or the same after a minus to take it away.
///
/// # Safety
///
/// `name` is a C string, and `info` what goes with it.
unsafe extern "C" fn plugin_register(name: *const c_char, info: *mut c_void) -> c_int {
    // SAFETY: as promised; a timer comes with a function of this type.
    let (name, timer) =
        unsafe { (CStr::from_ptr(name), std::mem::transmute::<*mut c_void, Option<Timer>>(info)) };
    let Some(timer) = timer else { return 0 };
    let mut timers = TIMERS.lock().unwrap_or_else(PoisonError::into_inner);
    match name.to_bytes() {
        b"timer" => timers.push(timer),
        b"-timer" => timers.retain(|other| *other as usize != timer as usize),
        _ => return 0,
    }
    1
}
