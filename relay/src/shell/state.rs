//! The state folder: the relay's key and each room's secret, one small file each.
//!
//! | file | content |
//! |---|---|
//! | `relay.key` | the private X25519 key, 64 hexadecimal digits |
//! | `rooms/NAME.secret` | the room's secret, 32 hexadecimal digits |
//!
//! A file appears whole or not at all, readable by its owner alone. What exists is never written again, so a folder
//! that has become read-only serves as before. Deleting a room's file makes its old invite void at the next start.

use std::io;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use lockstep_shared::session::{RelayKey, RoomSecret};
use thiserror::Error;

/// Why the state folder cannot be used, and what to do.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StateError {
    /// Nothing says where it is.
    #[error(
        "no state folder: neither STATE_DIRECTORY, XDG_STATE_HOME nor HOME is set; give one with --state FOLDER"
    )]
    Nowhere,
    /// It cannot be made, or a new file in it cannot.
    #[error("cannot write {path}: {reason}; give a folder that this user may write with --state FOLDER")]
    Unwritable {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// A file is there but cannot be read.
    #[error(
        "cannot read {path}: {reason}; let this user read it, or give another folder with --state FOLDER"
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// A file is there but is not a key or secret.
    #[error(
        "{path} is damaged (it must hold {digits} hexadecimal digits); restore it from a backup, or delete \
         it to have a new one made, which makes the old invites void"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// How many digits it should hold.
        digits: usize,
    },
    /// The system has no randomness to give.
    #[error("the system gives no randomness for a new key: {0}")]
    Entropy(String),
}

/// The state folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    folder: PathBuf,
}

impl State {
    /// The folder that was asked for, else the one that the system keeps for this service or user.
    ///
    /// # Errors
    /// Nothing was asked for and the environment names no folder.
    pub fn locate(asked: Option<&Path>) -> Result<Self, StateError> {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let folder = if let Some(folder) = asked {
            folder.to_owned()
        } else if let Some(list) = variable("STATE_DIRECTORY") {
            // systemd.exec(5): several folders are separated by colons; the first is ours.
            let first = list.to_string_lossy().split(':').next().unwrap_or_default().to_owned();
            PathBuf::from(first)
        } else if let Some(folder) = variable("XDG_STATE_HOME") {
            PathBuf::from(folder).join("lockstep")
        } else if let Some(home) = variable("HOME").or_else(|| variable("LOCALAPPDATA")) {
            PathBuf::from(home).join(".local/state/lockstep")
        } else {
            return Err(StateError::Nowhere);
        };
        Ok(Self { folder })
    }

    /// Where it is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The relay's key, made on the first call ever.
    ///
    /// # Errors
    /// The file cannot be read, is damaged, or cannot be made.
    pub fn relay_key(&self) -> Result<RelayKey, StateError> {
        load_or_make(&self.folder.join("relay.key")).map(RelayKey::from_private)
    }

    /// The secret of the room called `name` (which [`crate::config`] has checked), made on the first call ever.
    ///
    /// # Errors
    /// The file cannot be read, is damaged, or cannot be made.
    pub fn room_secret(&self, name: &str) -> Result<RoomSecret, StateError> {
        load_or_make(&self.folder.join("rooms").join(format!("{name}.secret"))).map(RoomSecret)
    }
}

/// Fresh bytes from the system.
///
/// # Errors
/// The system has none.
pub fn entropy<const N: usize>() -> Result<[u8; N], StateError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| StateError::Entropy(error.to_string()))?;
    Ok(bytes)
}

fn load_or_make<const N: usize>(path: &Path) -> Result<[u8; N], StateError> {
    if let Some(bytes) = load(path)? {
        return Ok(bytes);
    }
    let fresh = entropy::<N>()?;
    let unwritable = |reason| StateError::Unwritable { path: path.to_owned(), reason };
    match publish(path, &to_hexadecimal(&fresh)) {
        Ok(()) => Ok(fresh),
        // Another process made it in the meantime: its bytes count.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            load(path)?.ok_or_else(|| unwritable(error))
        }
        Err(error) => Err(unwritable(error)),
    }
}

fn load<const N: usize>(path: &Path) -> Result<Option<[u8; N]>, StateError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        // Not UTF-8: certainly not ours.
        Err(error) if error.kind() == io::ErrorKind::InvalidData => String::new(),
        Err(reason) => return Err(StateError::Unreadable { path: path.to_owned(), reason }),
    };
    let damaged = || StateError::Damaged { path: path.to_owned(), digits: 2 * N };
    from_hexadecimal(text.trim()).ok_or_else(damaged).map(Some)
}

/// Writes `text` beside `path`, then gives it that name, unless the name is taken.
fn publish(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    create_folder(folder)?;
    let draft = folder.join(format!(".draft-{}", std::process::id()));
    let written = write_private(&draft, text).and_then(|()| std::fs::hard_link(&draft, path));
    let removed = std::fs::remove_file(&draft);
    written.and(removed)
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn create_folder(folder: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Two digits a byte, and the end of the line.
fn to_hexadecimal(bytes: &[u8]) -> String {
    let mut text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    text.push('\n');
    text
}

fn from_hexadecimal<const N: usize>(text: &str) -> Option<[u8; N]> {
    // `from_str_radix` would take a sign too.
    if text.len() != 2 * N || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; N];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(folder: &tempfile::TempDir) -> State {
        State::locate(Some(&folder.path().join("a/b"))).unwrap()
    }

    #[test]
    fn what_was_made_once_is_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let state = state(&folder);
        let (key, secret) = (state.relay_key().unwrap(), state.room_secret("studio").unwrap());
        assert_eq!(*state.relay_key().unwrap().private(), *key.private());
        assert_eq!(state.room_secret("studio").unwrap().0, secret.0);
        assert_ne!(state.room_secret("other").unwrap().0, secret.0);
        let names: Vec<_> =
            std::fs::read_dir(state.folder()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names.len(), 2, "nothing but the key and rooms/: {names:?}");
    }

    #[test]
    fn a_name_that_is_taken_is_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        publish(&path, "first").unwrap();
        assert_eq!(publish(&path, "second").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "first");
    }

    #[test]
    fn a_damaged_key_is_named_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let state = state(&folder);
        for bytes in [&b"short\n"[..], b"", b"\xff\xfe", &[b'+'; 64]] {
            create_folder(state.folder()).unwrap();
            std::fs::write(state.folder().join("relay.key"), bytes).unwrap();
            let sentence = state.relay_key().unwrap_err().to_string();
            assert!(sentence.contains("relay.key is damaged (it must hold 64 "), "{sentence}");
            assert_eq!(std::fs::read(state.folder().join("relay.key")).unwrap(), bytes);
        }
    }

    #[test]
    fn a_folder_that_cannot_be_made_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a"), "a file where a folder should be").unwrap();
        let sentence = state(&folder).relay_key().unwrap_err().to_string();
        assert!(sentence.contains("cannot") && sentence.contains("--state FOLDER"), "{sentence}");
    }
}
