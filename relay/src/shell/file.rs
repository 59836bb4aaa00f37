//! Reading the configuration file.

use std::path::Path;

use crate::config::{ConfigError, ConfigFile};

/// Reads a configuration file.
pub fn read(path: &Path) -> Result<ConfigFile, ConfigError> {
    let text =
        std::fs::read_to_string(path).map_err(|error| ConfigError::Read { path: path.to_owned(), error })?;
    toml::from_str(&text).map_err(|error| ConfigError::Parse { path: path.to_owned(), error })
}
