//! The module's entry points and the factory with its two classes.

use std::ffi::c_void;

use nice_plug::wrapper::setup_logger;
use nice_plug::wrapper::vst3::{PluginInfo, Wrapper};
use vst3::Steinberg::{
    FIDString, FUnknown, IPluginFactory, IPluginFactory2, IPluginFactory2Trait, IPluginFactory3,
    IPluginFactory3Trait, IPluginFactoryTrait, PClassInfo, PClassInfo2, PClassInfoW, PFactoryInfo, TUID,
    int32, kInvalidArgument, kResultOk, tresult,
};
use vst3::{Class, ComWrapper};

use super::super::adapter::Lockstep;
use super::super::edition::{Edition, Vst3MultiOut, Vst3Stereo};
use super::create;
use crate::shell::wait_for_resolvers;

/// Where every VST3 host begins. The caller owns the reference.
#[unsafe(no_mangle)]
pub extern "system" fn GetPluginFactory() -> *mut c_void {
    let factory = ComWrapper::new(Factory {
        classes: [
            PluginInfo::for_plugin::<Lockstep<Vst3Stereo>>(),
            PluginInfo::for_plugin::<Lockstep<Vst3MultiOut>>(),
        ],
    });
    factory.to_com_ptr::<IPluginFactory>().map_or(std::ptr::null_mut(), |factory| factory.into_raw().cast())
}

/// A host calls this once after loading the module.
#[cfg(all(target_family = "unix", not(target_os = "macos")))]
#[unsafe(no_mangle)]
extern "C" fn ModuleEntry(_library: *mut c_void) -> bool {
    setup_logger::<Lockstep<Vst3Stereo>>();
    true
}

/// A host calls this once before unloading the module.
#[cfg(all(target_family = "unix", not(target_os = "macos")))]
#[unsafe(no_mangle)]
extern "C" fn ModuleExit() -> bool {
    wait_for_resolvers();
    true
}

/// A host calls this once after loading the bundle.
#[cfg(target_os = "macos")]
#[unsafe(no_mangle)]
extern "C" fn bundleEntry(_bundle: *mut c_void) -> bool {
    setup_logger::<Lockstep<Vst3Stereo>>();
    true
}

/// A host calls this once before unloading the bundle.
#[cfg(target_os = "macos")]
#[unsafe(no_mangle)]
extern "C" fn bundleExit() -> bool {
    wait_for_resolvers();
    true
}

/// A host calls this once after loading the module.
#[cfg(target_os = "windows")]
#[unsafe(no_mangle)]
extern "system" fn InitDll() -> bool {
    setup_logger::<Lockstep<Vst3Stereo>>();
    true
}

/// A host calls this once before unloading the module.
#[cfg(target_os = "windows")]
#[unsafe(no_mangle)]
extern "system" fn ExitDll() -> bool {
    wait_for_resolvers();
    true
}

/// The classes, the plain one first: a host that takes the first takes the one that works on any track.
struct Factory {
    classes: [PluginInfo; 2],
}

impl Factory {
    fn class(&self, index: int32) -> Option<&PluginInfo> {
        usize::try_from(index).ok().and_then(|index| self.classes.get(index))
    }
}

impl Class for Factory {
    type Interfaces = (IPluginFactory, IPluginFactory2, IPluginFactory3);
}

impl IPluginFactoryTrait for Factory {
    unsafe fn getFactoryInfo(&self, info: *mut PFactoryInfo) -> tresult {
        // SAFETY: the host passes a struct to fill, or null.
        unsafe { fill(info, self.class(0).map(PluginInfo::create_factory_info)) }
    }

    unsafe fn countClasses(&self) -> int32 {
        int32::try_from(self.classes.len()).unwrap_or(0)
    }

    unsafe fn getClassInfo(&self, index: int32, info: *mut PClassInfo) -> tresult {
        // SAFETY: the host passes a struct to fill, or null.
        unsafe { fill(info, self.class(index).map(PluginInfo::create_class_info)) }
    }

    unsafe fn createInstance(
        &self,
        class: FIDString,
        interface: FIDString,
        object: *mut *mut c_void,
    ) -> tresult {
        if class.is_null() || interface.is_null() || object.is_null() {
            return kInvalidArgument;
        }
        // SAFETY: not null, and a class identifier is 16 bytes.
        let class = unsafe { *class.cast::<[u8; 16]>() };
        if class == *self.classes[0].cid {
            // SAFETY: both tested; an interface identifier is 16 bytes.
            unsafe { instance::<Vst3Stereo>(interface, object) }
        } else if class == *self.classes[1].cid {
            // SAFETY: both tested; an interface identifier is 16 bytes.
            unsafe { instance::<Vst3MultiOut>(interface, object) }
        } else {
            kInvalidArgument
        }
    }
}

impl IPluginFactory2Trait for Factory {
    unsafe fn getClassInfo2(&self, index: int32, info: *mut PClassInfo2) -> tresult {
        // SAFETY: the host passes a struct to fill, or null.
        unsafe { fill(info, self.class(index).map(PluginInfo::create_class_info_2)) }
    }
}

impl IPluginFactory3Trait for Factory {
    unsafe fn getClassInfoUnicode(&self, index: int32, info: *mut PClassInfoW) -> tresult {
        // SAFETY: the host passes a struct to fill, or null.
        unsafe { fill(info, self.class(index).map(PluginInfo::create_class_info_unicode)) }
    }

    unsafe fn setHostContext(&self, _context: *mut FUnknown) -> tresult {
        kResultOk
    }
}

/// # Safety
///
/// `target` is valid to write, or null.
unsafe fn fill<T>(target: *mut T, value: Option<T>) -> tresult {
    match value {
        Some(value) if !target.is_null() => {
            // SAFETY: as promised.
            unsafe { target.write(value) };
            kResultOk
        }
        _ => kInvalidArgument,
    }
}

/// A new object of one class, as the interface asked for.
///
/// # Safety
///
/// `interface` is a 16-byte identifier, `object` is valid to write.
unsafe fn instance<E: Edition>(interface: FIDString, object: *mut *mut c_void) -> tresult {
    let wrapper: ComWrapper<Wrapper<Lockstep<E>>> = create::<E>();
    let Some(unknown) = wrapper.as_com_ref::<FUnknown>() else { return kInvalidArgument };
    let unknown = unknown.as_ptr();
    // SAFETY: the object's own function; on success it adds the reference that the host will own, and ours goes with
    // `wrapper`.
    unsafe { ((*(*unknown).vtbl).queryInterface)(unknown, interface.cast::<TUID>(), object) }
}
