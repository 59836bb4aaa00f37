//! Where the built plugin and the built relay are.

use std::env;
use std::path::PathBuf;

/// The environment variable that names another plugin file.
pub const PLUGIN_VARIABLE: &str = "LOCKSTEP_PLUGIN";

const LIBRARY_NAME: &str = if cfg!(target_os = "windows") {
    "lockstep_plugin.dll"
} else if cfg!(target_os = "macos") {
    "liblockstep_plugin.dylib"
} else {
    "liblockstep_plugin.so"
};

/// The relay's program.
const RELAY_NAME: &str = if cfg!(target_os = "windows") { "lockstep-relay.exe" } else { "lockstep-relay" };

/// There is no plugin to load, or no relay to run.
#[derive(Debug, thiserror::Error)]
pub enum NotBuilt {
    /// No plugin.
    #[error(
        "there is no {LIBRARY_NAME} beside {searched}: build it with `cargo build -p lockstep-plugin`, or name a file \
         in {PLUGIN_VARIABLE}"
    )]
    Plugin {
        /// The running executable.
        searched: String,
    },
    /// No relay.
    #[error("there is no {RELAY_NAME} beside {searched}: build it with `cargo build -p lockstep-relay`")]
    Relay {
        /// The running executable.
        searched: String,
    },
}

/// The plugin that this build made: the file in `LOCKSTEP_PLUGIN` if set, else the library in the folder of the
/// running executable or the one above it (where Cargo puts it).
///
/// # Errors
/// With a sentence that names the command to run, if there is none.
pub fn built_plugin() -> Result<PathBuf, NotBuilt> {
    if let Some(named) = env::var_os(PLUGIN_VARIABLE) {
        return Ok(PathBuf::from(named));
    }
    beside(LIBRARY_NAME).map_err(|searched| NotBuilt::Plugin { searched })
}

/// The relay that this build made, in the same places.
///
/// # Errors
/// With a sentence that names the command to run, if there is none.
pub fn built_relay() -> Result<PathBuf, NotBuilt> {
    beside(RELAY_NAME).map_err(|searched| NotBuilt::Relay { searched })
}

/// Looks beside the running executable and one folder above; without a find, says which executable that is.
fn beside(name: &str) -> Result<PathBuf, String> {
    let executable = env::current_exe().unwrap_or_default();
    let mut folders = executable.ancestors().skip(1).take(2);
    let file = folders.find_map(|folder| Some(folder.join(name)).filter(|file| file.is_file()));
    file.ok_or_else(|| executable.display().to_string())
}
