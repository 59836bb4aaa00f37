//! A VST3 library and its classes.
#![expect(unsafe_code, reason = "loading a library runs its code; VST3 is a COM interface")]

use std::ffi::{c_char, c_void};
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::Arc;

use libloading::Library;
use vst3::Steinberg::Vst::IComponent;
use vst3::Steinberg::{
    IPluginFactory, IPluginFactory2, IPluginFactory2Trait, IPluginFactoryTrait, PClassInfo2, TUID,
};
use vst3::{ComPtr, Interface};

use super::plugin::Plugin;
use super::{Vst3Error, check};

/// A loaded VST3 library. Instances keep it loaded; the last owner unloads it.
pub struct Vst3Host {
    factory: ComPtr<IPluginFactory>,
    module: Arc<Module>,
}

/// One class of a library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    /// Its identity.
    pub id: [u8; 16],
    /// Its name.
    pub name: String,
    /// Its category; effects are `Audio Module Class`.
    pub category: String,
    /// Its subcategories, such as `Fx|Network`.
    pub subcategories: String,
    /// Its maker.
    pub vendor: String,
    /// Its version.
    pub version: String,
}

type Entry = unsafe extern "C" fn(*mut c_void) -> bool;
type Exit = unsafe extern "C" fn() -> bool;
type GetFactory = unsafe extern "system" fn() -> *mut IPluginFactory;

/// The library, told of its start and its end.
pub(super) struct Module {
    library: Library,
}

impl Drop for Module {
    fn drop(&mut self) {
        // SAFETY: the symbol's type is fixed by the VST3 standard; every object of the library is gone, because each
        // holds this module.
        unsafe {
            if let Ok(exit) = self.library.get::<Exit>(b"ModuleExit\0") {
                exit();
            }
        }
    }
}

impl Vst3Host {
    /// Loads a `.vst3` bundle, or the bare library.
    ///
    /// # Errors
    /// If the file is no VST3 library, or refuses to start.
    pub fn load(path: &Path) -> Result<Self, Vst3Error> {
        let file = library_in(path);
        let load_error = |reason: String| Vst3Error::Load { path: file.display().to_string(), reason };
        // SAFETY: the file is the plugin under test; its code is trusted as this repository's own.
        let library = unsafe { Library::new(&file) }.map_err(|error| load_error(error.to_string()))?;
        let module = Arc::new(Module { library });
        // SAFETY: the symbols' types are fixed by the VST3 standard; the handle is opaque to this plugin.
        let factory = unsafe {
            if let Ok(entry) = module.library.get::<Entry>(b"ModuleEntry\0")
                && !entry(ptr::null_mut())
            {
                return Err(load_error("ModuleEntry said no".to_owned()));
            }
            let get = module
                .library
                .get::<GetFactory>(b"GetPluginFactory\0")
                .map_err(|error| load_error(error.to_string()))?;
            ComPtr::from_raw(get())
        };
        let factory = factory.ok_or_else(|| load_error("GetPluginFactory gave null".to_owned()))?;
        Ok(Self { factory, module })
    }

    /// The classes in the library.
    ///
    /// # Errors
    /// If the factory does not describe them.
    pub fn classes(&self) -> Result<Vec<Class>, Vst3Error> {
        let factory: ComPtr<IPluginFactory2> =
            self.factory.cast().ok_or(Vst3Error::Missing("second factory interface"))?;
        // SAFETY: the factory lives; an all-zero description is valid, as it holds numbers and characters only.
        let count = unsafe { factory.countClasses() };
        (0..count)
            .map(|index| {
                // SAFETY: as above.
                let mut info: PClassInfo2 = unsafe { std::mem::zeroed() };
                // SAFETY: the pointer is valid for the call.
                check("describing a class", unsafe { factory.getClassInfo2(index, &raw mut info) })?;
                Ok(Class {
                    id: info.cid.map(c_char::cast_unsigned),
                    name: text(&info.name),
                    category: text(&info.category),
                    subcategories: text(&info.subCategories),
                    vendor: text(&info.vendor),
                    version: text(&info.version),
                })
            })
            .collect()
    }

    /// A new, initialized instance of the class called `name`.
    ///
    /// # Errors
    /// If there is none, or it refuses.
    pub fn create(&self, name: &str) -> Result<Plugin, Vst3Error> {
        let class = self
            .classes()?
            .into_iter()
            .find(|class| class.name == name)
            .ok_or_else(|| Vst3Error::UnknownClass(name.to_owned()))?;
        let id: TUID = class.id.map(u8::cast_signed);
        let mut object = ptr::null_mut();
        // SAFETY: both ids are 16 bytes, as the standard has it; `object` is valid for the call.
        let code = unsafe {
            self.factory.createInstance(id.as_ptr(), IComponent::IID.as_ptr().cast(), &raw mut object)
        };
        check("creating an instance", code)?;
        // SAFETY: the factory gave one reference to an object with the interface that was asked for.
        let component = unsafe { ComPtr::from_raw(object.cast::<IComponent>()) }
            .ok_or(Vst3Error::Missing("component interface"))?;
        Plugin::initialize(component, Arc::clone(&self.module))
    }
}

/// A bundle on Linux is a folder around one library.
fn library_in(path: &Path) -> PathBuf {
    if !path.is_dir() {
        return path.to_owned();
    }
    let stem = path.file_stem().unwrap_or_default();
    let mut file = path.join("Contents").join(format!("{}-linux", std::env::consts::ARCH)).join(stem);
    file.set_extension("so");
    file
}

fn text(characters: &[c_char]) -> String {
    let bytes: Vec<u8> = characters
        .iter()
        .take_while(|character| **character != 0)
        .map(|character| character.cast_unsigned())
        .collect();
    String::from_utf8_lossy(&bytes).into_owned()
}
