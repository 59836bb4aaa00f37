//! The machine-local file of invites. A project says which room it plays in, never its secret; the secret is looked
//! up here.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use lockstep_shared::session::Invite;
use thiserror::Error;

/// One invite a line.
const FILE: &str = "invites";

/// Why the invites could not be read or kept.
#[derive(Debug, Error)]
pub(crate) enum InvitesError {
    /// The system names no place for settings.
    #[error(
        "this system names no folder for settings (HOME is not set), so the invite is kept until the DAW closes"
    )]
    NoFolder,
    /// The file cannot be written.
    #[error("the invite could not be kept in {path}: {error}; it works until the DAW closes")]
    Write {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

/// The file, where the system keeps a program's settings.
#[derive(Debug)]
pub(crate) struct Invites {
    folder: Option<PathBuf>,
}

impl Invites {
    /// The user's own.
    pub(crate) fn of_user() -> Self {
        Self { folder: settings_folder() }
    }

    /// The invite for `place` (`HOST[:PORT]/ROOM`), if this machine has one. A damaged line is passed over.
    pub(crate) fn find(&self, place: &str) -> Option<Invite> {
        let text = fs::read_to_string(self.folder.as_ref()?.join(FILE)).ok()?;
        text.lines().filter_map(|line| Invite::parse(line).ok()).find(|invite| invite.place() == place)
    }

    /// Keeps an invite, in place of an earlier one for the same room.
    pub(crate) fn keep(&self, invite: &Invite) -> Result<(), InvitesError> {
        let folder = self.folder.as_ref().ok_or(InvitesError::NoFolder)?;
        let path = folder.join(FILE);
        self.write(folder, &path, invite).map_err(|error| InvitesError::Write { path, error })
    }

    fn write(&self, folder: &Path, path: &Path, invite: &Invite) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        let kept = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        let is_other = |line: &&str| Invite::parse(line).map_or(true, |kept| kept.place() != invite.place());
        let mut lines: Vec<String> = kept.lines().filter(is_other).map(str::to_owned).collect();
        lines.push(invite.to_string());
        // Written beside and renamed: a full disk or a crash leaves the file that was there.
        let beside = folder.join(format!("{FILE}.{}", std::process::id()));
        let mut file = private_file(&beside)?;
        file.write_all((lines.join("\n") + "\n").as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, path)
    }
}

#[cfg(unix)]
fn private_file(path: &Path) -> io::Result<fs::File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

#[cfg(not(unix))]
fn private_file(path: &Path) -> io::Result<fs::File> {
    // A user's settings folder is private to the user on these systems.
    fs::File::create(path)
}

fn settings_folder() -> Option<PathBuf> {
    let from = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if cfg!(target_os = "windows") {
        from("APPDATA").map(|folder| folder.join("Lockstep"))
    } else if cfg!(target_os = "macos") {
        from("HOME").map(|home| home.join("Library/Application Support/Lockstep"))
    } else {
        from("XDG_CONFIG_HOME")
            .or_else(|| from("HOME").map(|home| home.join(".config")))
            .map(|folder| folder.join("lockstep"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lockstep_shared::session::{RelayPublicKey, RoomSecret};

    fn invite(host: &str, secret: u8) -> Invite {
        Invite {
            host: host.into(),
            port: 48_064,
            room: "studio".into(),
            relay_key: RelayPublicKey([1; 32]),
            secret: RoomSecret([secret; 16]),
        }
    }

    #[test]
    fn a_newer_invite_replaces_the_one_for_its_room_and_no_other() {
        let folder = std::env::temp_dir().join(format!("lockstep-invites-{}", std::process::id()));
        let invites = Invites { folder: Some(folder.clone()) };
        assert_eq!(invites.find("a/studio"), None);
        for kept in [invite("a", 1), invite("b", 2), invite("a", 3)] {
            invites.keep(&kept).unwrap();
        }
        assert_eq!(invites.find("a/studio"), Some(invite("a", 3)));
        assert_eq!(invites.find("b/studio"), Some(invite("b", 2)));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(folder.join(FILE)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "the file holds secrets");
        }
        fs::remove_dir_all(folder).unwrap();
    }
}
