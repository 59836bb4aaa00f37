//! The file of the rules that connect the sequencer's ports.

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::bridge::patch::{RuleError, Rules};

/// Why there are no rules.
#[derive(Debug, Error)]
pub enum RulesError {
    /// The configuration names no file.
    #[error("the configuration names no rules; write rules = \"FILE\" under [midi]")]
    None,
    /// It cannot be read.
    #[error("cannot read {path}: {reason}; the rules stay as they were")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system said.
        reason: std::io::Error,
    },
    /// There is a mistake in it.
    #[error("{path}: {mistake}; the rules stay as they were")]
    Mistaken {
        /// Which.
        path: PathBuf,
        /// Where, and what.
        mistake: RuleError,
    },
}

/// The rules of the file at `path`.
///
/// # Errors
/// Why there are none.
pub fn read(path: Option<&Path>) -> Result<Rules, RulesError> {
    let path = path.ok_or(RulesError::None)?;
    let text = std::fs::read_to_string(path)
        .map_err(|reason| RulesError::Unreadable { path: path.to_owned(), reason })?;
    Rules::parse(&text).map_err(|mistake| RulesError::Mistaken { path: path.to_owned(), mistake })
}
