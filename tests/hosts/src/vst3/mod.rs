//! A VST3 host on the `vst3` crate's bindings: loads a library, lists its classes and drives instances of them.
//!
//! ```text
//! Vst3Host --create--> Plugin: set_bus*, set_up, start, process*, stop, (again)
//! ```
//!
//! The host is as plain as the standard allows: a host context that answers its name (and is REAPER's where the process's
//! [console](crate::console) offers that), a component handler that
//! remembers what it was told, parameter changes and streams in memory. It keeps no thread and makes no timers.

mod events;
mod factory;
mod objects;
mod plugin;
mod process;
mod reaper;
mod state;

pub use factory::{Class, Vst3Host};
pub use objects::{Edit, HandlerLog};
pub use plugin::{Bus, BusDirection, BusSwitch, Mode, Parameter, Plugin, Setup};

/// What can go wrong between host and plugin.
#[derive(Debug, thiserror::Error)]
pub enum Vst3Error {
    /// The library cannot be loaded.
    #[error("cannot load {path}: {reason}")]
    Load {
        /// The file.
        path: String,
        /// The loader's words.
        reason: String,
    },
    /// The library has no class of this name.
    #[error("no class called {0}")]
    UnknownClass(String),
    /// The object lacks an interface that every effect has.
    #[error("the plugin has no {0}")]
    Missing(&'static str),
    /// The plugin answered with a code other than success.
    #[error("{action} gave the code {code}")]
    Refused {
        /// What was asked.
        action: &'static str,
        /// The answer.
        code: i32,
    },
}

/// Turns an answer into a result.
fn check(action: &'static str, code: vst3::Steinberg::tresult) -> Result<(), Vst3Error> {
    if code == vst3::Steinberg::kResultOk { Ok(()) } else { Err(Vst3Error::Refused { action, code }) }
}
