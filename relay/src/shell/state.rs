//! The state folder: the relay's key and the rooms' secrets, each in a file that only the relay's user reads.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use lockstep_shared::session::{Entropy, RelayKey, RoomSecret};
use thiserror::Error;

const KEY_FILE: &str = "relay.key";

/// What went wrong with the state folder, in words for the admin.
#[derive(Debug, Error)]
pub enum StateError {
    /// There is no folder to use.
    #[error("no folder for the relay's key: set HOME, or name one with --state FOLDER")]
    NoFolder,
    /// The folder or a file in it cannot be written.
    #[error(
        "cannot write {path} ({error}); the relay must keep its key to be recognised again: make the folder \
             writable for its user, or name another with --state FOLDER"
    )]
    Write {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A file is there and cannot be read.
    #[error("cannot read {path}: {error}")]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A file holds something else.
    #[error(
        "{path} is damaged: it should hold {expected} hexadecimal digits. Restore it, or delete it to make a new \
             one, which makes all invites given so far useless"
    )]
    Damaged {
        /// Which.
        path: PathBuf,
        /// How many digits.
        expected: usize,
    },
    /// No randomness.
    #[error("the operating system gave no randomness: {0}")]
    Entropy(getrandom::Error),
}

/// The state folder.
#[derive(Clone, Debug)]
pub struct State {
    folder: PathBuf,
}

impl State {
    /// The folder given, or the system's place for a program's state.
    pub fn open(folder: Option<PathBuf>) -> Result<Self, StateError> {
        let from = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let folder = folder
            .or_else(|| from("STATE_DIRECTORY"))
            .or_else(|| from("XDG_STATE_HOME").map(|folder| folder.join("lockstep")))
            .or_else(|| from("HOME").map(|home| home.join(".local/state/lockstep")))
            .ok_or(StateError::NoFolder)?;
        Ok(Self { folder })
    }

    /// The relay's key, made at the first start.
    pub fn key(&self) -> Result<RelayKey, StateError> {
        self.kept::<32>(Path::new(KEY_FILE)).map(RelayKey::from_private)
    }

    /// A room's secret, made when it is first asked for.
    pub fn secret(&self, room: &str) -> Result<RoomSecret, StateError> {
        self.kept::<16>(&Path::new("rooms").join(format!("{room}.secret"))).map(RoomSecret)
    }

    /// Fresh entropy.
    pub fn seed() -> Result<[u8; 32], StateError> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(StateError::Entropy)?;
        Ok(seed)
    }

    /// The bytes in a file of hexadecimal digits, made if it is not there.
    fn kept<const N: usize>(&self, name: &Path) -> Result<[u8; N], StateError> {
        let path = self.folder.join(name);
        match fs::read_to_string(&path) {
            Ok(text) => from_hex(text.trim()).ok_or_else(|| StateError::Damaged { path, expected: 2 * N }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let bytes = Entropy::new(&Self::seed()?).bytes32();
                let mut kept = [0; N];
                kept.copy_from_slice(&bytes[..N]);
                write_private(&path, &to_hex(&kept)).map_err(|error| StateError::Write { path, error })?;
                Ok(kept)
            }
            Err(error) => Err(StateError::Read { path, error }),
        }
    }
}

/// Writes beside and renames, so that a crash or a full disk leaves no half of a key.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().ok_or_else(|| io::Error::other("no folder"))?;
    fs::create_dir_all(folder)?;
    let beside = path.with_extension(format!("new-{}", std::process::id()));
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let written = options.open(&beside).and_then(|mut file| {
        writeln!(file, "{text}")?;
        file.sync_all()
    });
    let renamed = written.and_then(|()| fs::rename(&beside, path));
    if renamed.is_err() {
        let _ = fs::remove_file(&beside);
    }
    renamed
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0; N];
    for (number, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * number..2 * number + 2)?, 16).ok()?;
    }
    Some(bytes)
}
