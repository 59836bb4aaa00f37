//! A CLAP host on `clack-host`: loads a library or an entry linked into this process, and drives instances of it.
//!
//! ```text
//! ClapHost --instantiate--> Plugin --activate--> Processor --process--> Processor --deactivate--> Plugin
//!            (any thread)    (main thread)         (any one thread)                 (main thread)
//! ```
//!
//! The host declares the extensions a DAW declares (parameters, state, latency, ports, thread check, and those that the
//! process's [console](crate::console) offers) and keeps what
//! the plugin asks of it as [`Requests`] to be looked at and obeyed, or not, by the caller.

mod entry;
mod handlers;
mod movable;
mod plugin;
mod processor;

pub use entry::{ClapHost, Description};
pub use handlers::Requests;
pub use plugin::{Activation, Parameter, Plugin, Port, PortDirection, Render};
pub use processor::Processor;

pub use clack_host::entry::EntryDescriptor;
pub use clack_host::process::ProcessStatus;

/// What can go wrong between host and plugin.
#[derive(Debug, thiserror::Error)]
pub enum ClapError {
    /// The library cannot be loaded or refuses to start.
    #[error("cannot load {path}: {reason}")]
    Load {
        /// The file, or `in process`.
        path: String,
        /// The loader's words.
        reason: String,
    },
    /// The library holds no plugin of this id.
    #[error("no plugin with the id {0}")]
    UnknownPlugin(String),
    /// The plugin refused.
    #[error("{action} failed: {reason}")]
    Refused {
        /// What was asked.
        action: &'static str,
        /// Why it failed.
        reason: String,
    },
    /// The plugin lacks an extension that the caller needs.
    #[error("the plugin has no {0} extension")]
    Missing(&'static str),
}
