//! The real relay in a process of its own, on a free port of the loopback.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use lockstep_hosts::{clock, location};
use lockstep_shared::session::Invite;
use lockstep_shared::time::Span;

/// A running relay with one room; it ends with this value.
pub(super) struct Relay {
    child: Child,
    folder: PathBuf,
    members_max: u8,
    /// Of its room.
    pub(super) invite: Invite,
}

impl Relay {
    /// Opens a room for so many members; state and log lie in `folder`.
    pub(super) fn start(folder: &Path, members_max: u8) -> Self {
        let folder = folder.join("relay");
        fs::create_dir_all(&folder).unwrap();
        let (child, invite) = spawn(&folder, members_max, 0);
        Self { child, folder, members_max, invite }
    }

    /// Ends it without a word to anyone, as a crash does.
    pub(super) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again after [`Self::kill`], on the same port and with the same state.
    pub(super) fn revive(&mut self) {
        let (child, invite) = spawn(&self.folder, self.members_max, self.invite.port);
        assert_eq!(invite, self.invite, "the state folder keeps key and secret");
        self.child = child;
    }

    /// Waits until its figures show so many members.
    pub(super) fn wait_for_members(&self, members: u64) {
        let limit = clock::now() + Span::from_millis(5_000);
        while self.figure("members_now") < members {
            assert!(clock::now() < limit, "{members} members are not in the room after 5 s");
            clock::sleep(Span::from_millis(20));
        }
    }

    /// One of the figures that it writes every second.
    pub(super) fn figure(&self, name: &str) -> u64 {
        let text = fs::read(self.folder.join("stats.json")).unwrap_or_default();
        let figures: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
        figures[name].as_u64().unwrap_or_default()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(folder: &Path, members_max: u8, port: u16) -> (Child, Invite) {
    let mut child = Command::new(location::built_relay().unwrap_or_else(|missing| panic!("{missing}")))
        .args(["--midi-port", "0", "--public-host", "127.0.0.1", "--listen", &format!("127.0.0.1:{port}")])
        .args(["--members-max", &members_max.to_string()])
        .arg("--state")
        .arg(folder.join("state"))
        .arg("--stats-json")
        .arg(folder.join("stats.json"))
        .stdout(Stdio::piped())
        .stderr(File::options().create(true).append(true).open(folder.join("log")).unwrap())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (child, Invite::parse(&line).unwrap())
}
