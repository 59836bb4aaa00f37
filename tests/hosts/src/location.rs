//! Where the built plugin is.

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

/// There is no plugin to load.
#[derive(Debug, thiserror::Error)]
#[error(
    "there is no {LIBRARY_NAME} beside {searched}: build it with `cargo build -p lockstep-plugin`, or name a file in \
     {PLUGIN_VARIABLE}"
)]
pub struct NotBuilt {
    searched: String,
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
    let executable = env::current_exe().unwrap_or_default();
    executable
        .ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join(LIBRARY_NAME))
        .find(|file| file.is_file())
        .ok_or_else(|| NotBuilt { searched: executable.display().to_string() })
}
