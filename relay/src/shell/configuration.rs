//! The configuration file on its way from the disk to [`crate::config`].

use std::path::Path;

use crate::config::{ConfigError, FileConfig};

/// Reads the file at `path`.
///
/// # Errors
/// It cannot be read, or it is not a configuration.
pub fn read(path: &Path) -> Result<FileConfig, ConfigError> {
    let name = path.display().to_string();
    let text =
        std::fs::read_to_string(path).map_err(|reason| FileConfig::unreadable(&name, &reason.to_string()))?;
    FileConfig::parse(&name, &text)
}
