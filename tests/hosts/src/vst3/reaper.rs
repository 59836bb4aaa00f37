//! The context that REAPER gives to a VST3 plugin: its name, and its functions.
//!
//! It is no [`vst3::ComWrapper`], which knows the interfaces of the standard alone: two tables of functions, whose objects
//! are statics, and so are never freed.
#![expect(unsafe_code, reason = "VST3 is a COM interface")]

use std::ffi::{c_char, c_void};
use std::ptr::{from_ref, null_mut};

use vst3::Steinberg::Vst::{IHostApplication, IHostApplication_iid, IHostApplicationVtbl, String128};
use vst3::Steinberg::{
    FUnknown, FUnknown_iid, FUnknownVtbl, TUID, kNoInterface, kNotImplemented, kResultOk, tresult, uint32,
};
use vst3::uid;

use crate::reaper;

/// As REAPER documents it.
const REAPER_HOST: TUID = uid(0x79655E36, 0x77EE_4267, 0xA573_FEF7, 0x4912_C27C);

#[repr(C)]
struct ReaperHost {
    vtbl: &'static ReaperHostVtbl,
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

const BASE: FUnknownVtbl =
    FUnknownVtbl { queryInterface: query_interface, addRef: count_reference, release: count_reference };

static CONTEXT_TABLE: IHostApplicationVtbl =
    IHostApplicationVtbl { base: BASE, getName: get_name, createInstance: create_instance };
static CONTEXT: IHostApplication = IHostApplication { vtbl: &raw const CONTEXT_TABLE };
static REAPER_TABLE: ReaperHostVtbl = ReaperHostVtbl { base: BASE, get_function, get_parent, extended };
static REAPER: ReaperHost = ReaperHost { vtbl: &REAPER_TABLE };

/// The context.
pub(super) fn context() -> *mut FUnknown {
    from_ref(&CONTEXT).cast_mut().cast()
}

unsafe extern "system" fn query_interface(
    _object: *mut FUnknown,
    id: *const TUID,
    object: *mut *mut c_void,
) -> tresult {
    // SAFETY: the plugin passes an identifier and a place for the object.
    unsafe {
        *object = if *id == REAPER_HOST {
            from_ref(&REAPER).cast_mut().cast()
        } else if [FUnknown_iid, IHostApplication_iid].contains(&*id) {
            context().cast()
        } else {
            null_mut()
        };
        if (*object).is_null() { kNoInterface } else { kResultOk }
    }
}

/// A static has no count.
const unsafe extern "system" fn count_reference(_object: *mut FUnknown) -> uint32 {
    1
}

unsafe extern "system" fn get_name(_object: *mut IHostApplication, name: *mut String128) -> tresult {
    let mut text = [0; 128];
    for (target, source) in text.iter_mut().zip("Lockstep test host with REAPER's functions".encode_utf16()) {
        *target = source;
    }
    // SAFETY: the plugin passes a place for a name.
    unsafe { *name = text };
    kResultOk
}

const unsafe extern "system" fn create_instance(
    _object: *mut IHostApplication,
    _class: *mut TUID,
    _interface: *mut TUID,
    _instance: *mut *mut c_void,
) -> tresult {
    kNotImplemented
}

unsafe extern "system" fn get_function(_object: *mut ReaperHost, name: *const c_char) -> *mut c_void {
    // SAFETY: the plugin passes a C string.
    unsafe { reaper::function(name) }
}

const unsafe extern "system" fn get_parent(_object: *mut ReaperHost, _which: uint32) -> *mut c_void {
    null_mut()
}

const unsafe extern "system" fn extended(
    _object: *mut ReaperHost,
    _call: uint32,
    _first: *mut c_void,
    _second: *mut c_void,
    _third: *mut c_void,
) -> *mut c_void {
    null_mut()
}
