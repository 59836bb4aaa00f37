//! What lets a plugin work a VST3 host's transport: REAPER's functions. VST3 itself has nothing for it.
//!
//! REAPER's context answers to an interface of REAPER's own, which gives functions by name. VST3 also has no way to be called
//! on the main thread while no window is open, and REAPER has: a timer, which calls a function without arguments about thirty
//! times a second. So one timer of the module goes through the instances that are there, and asks REAPER for what their links
//! want. A REAPER that registers no timers cannot be moved. All this was checked against our own host that offers the same,
//! not in REAPER.
//!
//! An instance is in the list from `initialize` to `terminate`, both on the main thread like the timer itself; the timer is
//! registered as long as there are any.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::null_mut;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use vst3::Steinberg::{FUnknown, FUnknownVtbl, TUID, kResultOk, uint32};
use vst3::uid;

use crate::host::clap::reaper::Reaper;
use crate::host::seam::Seam;
use crate::shell::clock;

/// The identifier of [`ReaperHost`].
const REAPER_HOST: TUID = uid(0x79655E36, 0x77EE_4267, 0xA573_FEF7, 0x4912_C27C);

/// The interface of REAPER's context.
#[repr(C)]
struct ReaperHost {
    vtbl: *const ReaperHostVtbl,
}

#[repr(C)]
struct ReaperHostVtbl {
    base: FUnknownVtbl,
    get_function: unsafe extern "system" fn(*mut ReaperHost, *const c_char) -> *mut c_void,
    get_parent: unsafe extern "system" fn(*mut ReaperHost, uint32) -> *mut c_void,
    extended: unsafe extern "system" fn(
        *mut ReaperHost,
        uint32,
        *mut c_void,
        *mut c_void,
        *mut c_void,
    ) -> *mut c_void,
}

/// REAPER's `plugin_register`.
type Register = unsafe extern "C" fn(name: *const c_char, info: *mut c_void) -> c_int;
/// What it takes as a timer.
type Timer = unsafe extern "C" fn();

/// An instance whose host can be moved.
struct Moved {
    /// Which, for its own list entry alone.
    instance: usize,
    seam: Weak<Seam>,
    reaper: Arc<Reaper>,
    register: Register,
}

static MOVED: Mutex<Vec<Moved>> = Mutex::new(Vec::new());

/// Asks whether the host's transport can be moved, and has it moved from here on.
///
/// # Safety
///
/// On the host's main thread, with the context that it gave this instance, or null.
pub(super) unsafe fn attach(instance: usize, seam: &Arc<Seam>, context: *mut FUnknown) {
    // SAFETY: as promised.
    unsafe {
        // A host that initializes twice is attached once.
        detach(instance);
        let Some((reaper, register)) = find(context) else { return };
        let abilities = reaper.abilities();
        if !abilities.suffice() {
            return;
        }
        let is_first = list().is_empty();
        if is_first && register(c"timer".as_ptr(), timer()) == 0 {
            return;
        }
        list().push(Moved { instance, seam: Arc::downgrade(seam), reaper: Arc::new(reaper), register });
        seam.remote().offer(abilities, None);
    }
}

/// Does what is left to do, and lets the host be.
///
/// # Safety
///
/// On the host's main thread.
pub(super) unsafe fn detach(instance: usize) {
    let place = list().iter().position(|moved| moved.instance == instance);
    let Some(place) = place else { return };
    let moved = list().swap_remove(place);
    // SAFETY: as promised; the functions are REAPER's own.
    unsafe {
        if let Some(seam) = moved.seam.upgrade() {
            obey(&seam, &moved.reaper);
            seam.remote().withdraw();
        }
        if list().is_empty() {
            (moved.register)(c"-timer".as_ptr(), timer());
        }
    }
}

/// The functions of a host that is REAPER.
///
/// # Safety
///
/// `context` is an object of the host, or null.
unsafe fn find(context: *mut FUnknown) -> Option<(Reaper, Register)> {
    if context.is_null() {
        return None;
    }
    let (id, mut object) = (REAPER_HOST, null_mut());
    // SAFETY: not null; the host's own function fills `object` on success.
    let code = unsafe { ((*(*context).vtbl).queryInterface)(context, &raw const id, &raw mut object) };
    if code != kResultOk || object.is_null() {
        return None;
    }
    let host = object.cast::<ReaperHost>();
    // SAFETY: the object has the interface that was asked for, and the one reference that came with it is given back.
    unsafe {
        let function = |name: &CStr| ((*(*host).vtbl).get_function)(host, name.as_ptr());
        let reaper = Reaper::find(function);
        let register = std::mem::transmute::<*mut c_void, Option<Register>>(function(c"plugin_register"));
        ((*(*host).vtbl).base.release)(host.cast());
        Some((reaper, register?))
    }
}

/// [`on_timer`], as REAPER takes it.
fn timer() -> *mut c_void {
    const TIMER: Timer = on_timer;
    TIMER as *mut c_void
}

/// What REAPER calls on its main thread.
unsafe extern "C" fn on_timer() {
    // Without the list's lock while REAPER is at work: it may call back.
    let all: Vec<_> = list().iter().map(|moved| (moved.seam.clone(), Arc::clone(&moved.reaper))).collect();
    for (seam, reaper) in all {
        if let Some(seam) = seam.upgrade() {
            // SAFETY: REAPER calls its timers on its main thread, and the instance is still in the list.
            unsafe { obey(&seam, &reaper) };
        }
    }
}

/// # Safety
///
/// On the host's main thread, while the instance exists.
unsafe fn obey(seam: &Seam, reaper: &Reaper) {
    while let Some(command) = seam.remote().take(clock::now()) {
        // SAFETY: as promised.
        unsafe { reaper.obey(command) };
    }
}

fn list() -> MutexGuard<'static, Vec<Moved>> {
    MOVED.lock().unwrap_or_else(PoisonError::into_inner)
}
