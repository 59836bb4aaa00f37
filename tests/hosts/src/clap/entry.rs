//! A CLAP library, or an entry linked into this process.
#![expect(unsafe_code, reason = "loading a library runs its code")]

use std::ffi::CStr;
use std::path::Path;

use clack_host::prelude::*;

use super::{ClapError, EntryDescriptor, Plugin};

/// A loaded CLAP library. Instances keep it loaded; the last owner unloads it.
pub struct ClapHost {
    entry: PluginEntry,
}

/// What a library says about one of its plugins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Its unique id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its maker.
    pub vendor: String,
    /// Its version.
    pub version: String,
    /// Its features, such as `audio-effect`.
    pub features: Vec<String>,
}

impl ClapHost {
    /// Loads a `.clap` (or the bare library).
    ///
    /// # Errors
    /// If the file is no CLAP library, or its entry refuses to start.
    pub fn load(path: &Path) -> Result<Self, ClapError> {
        // SAFETY: the file is the plugin under test; its code is trusted as this repository's own.
        let entry = unsafe { PluginEntry::load(path) }.map_err(|error| ClapError::Load {
            path: path.display().to_string(),
            reason: format!("{error}; {error:?}"),
        })?;
        Ok(Self { entry })
    }

    /// Starts an entry that is linked into this process, so that a sanitizer or a debugger sees all of it.
    ///
    /// # Errors
    /// If the entry refuses to start.
    pub fn in_process(entry: &'static EntryDescriptor) -> Result<Self, ClapError> {
        // SAFETY: the entry is a static of a crate linked into this process; it stays valid.
        let entry = unsafe { PluginEntry::load_from_raw(entry, c"in-process") }
            .map_err(|error| ClapError::Load { path: "in process".to_owned(), reason: error.to_string() })?;
        Ok(Self { entry })
    }

    /// The plugins in the library.
    #[must_use]
    pub fn descriptions(&self) -> Vec<Description> {
        let Some(factory) = self.entry.get_plugin_factory() else {
            return Vec::new();
        };
        factory
            .plugin_descriptors()
            .map(|descriptor| Description {
                id: text(descriptor.id()),
                name: text(descriptor.name()),
                vendor: text(descriptor.vendor()),
                version: text(descriptor.version()),
                features: descriptor.features().map(|feature| text(Some(feature))).collect(),
            })
            .collect()
    }

    /// A new instance of the plugin called `id`.
    ///
    /// # Errors
    /// If there is none, or it refuses to be created.
    pub fn instantiate(&self, id: &str) -> Result<Plugin, ClapError> {
        let Some(description) = self.descriptions().into_iter().find(|description| description.id == id)
        else {
            return Err(ClapError::UnknownPlugin(id.to_owned()));
        };
        Plugin::create(&self.entry, description)
    }

    /// A new instance of the library's first plugin.
    ///
    /// # Errors
    /// If there is none, or it refuses to be created.
    pub fn instantiate_first(&self) -> Result<Plugin, ClapError> {
        let Some(description) = self.descriptions().into_iter().next() else {
            return Err(ClapError::UnknownPlugin("(first)".to_owned()));
        };
        Plugin::create(&self.entry, description)
    }
}

fn text(value: Option<&CStr>) -> String {
    value.map(|value| value.to_string_lossy().into_owned()).unwrap_or_default()
}
