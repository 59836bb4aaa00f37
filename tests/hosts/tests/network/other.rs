//! Another member: `lockstep-host play` in a process of its own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use lockstep_hosts::block::Stereo;
use lockstep_shared::session::Invite;
use rustix::process::{Pid, Signal, kill_process};

use super::piece::Piece;
use crate::support::{OUTPUTS, plugin_file};
use crate::wav::{read_wav, write_wav};

/// A member that plays until it leaves.
pub(super) struct Other {
    child: Child,
    folder: PathBuf,
}

impl Other {
    /// Joins the room and plays `piece`, a loop. Its files lie in a folder of its name in `folder`.
    pub(super) fn join(folder: &Path, invite: &Invite, name: &str, piece: &Piece) -> Self {
        Self::start(folder, &invite.to_string(), name, piece)
    }

    /// The same with any text in place of the invite.
    pub(super) fn start(folder: &Path, invite: &str, name: &str, piece: &Piece) -> Self {
        Self::spawn(folder, invite, name, piece, &[])
    }

    /// Joins the room in silence, with a transport that these arguments of the host describe.
    pub(super) fn keep_time(folder: &Path, invite: &Invite, name: &str, arguments: &[&str]) -> Self {
        Self::spawn(folder, &invite.to_string(), name, &Piece::silence(), arguments)
    }

    fn spawn(folder: &Path, invite: &str, name: &str, piece: &Piece, arguments: &[&str]) -> Self {
        let folder = folder.join(name);
        fs::create_dir_all(&folder).unwrap();
        write_wav(&folder.join("in.wav"), &piece.stereo);
        let child = Command::new(env!("CARGO_BIN_EXE_lockstep-host"))
            .args(["play", "--seconds", "60", "--block", "128", "--plugin"])
            .arg(plugin_file())
            .arg("--input")
            .arg(folder.join("in.wav"))
            .arg("--output")
            .arg(folder.join("strip-0.wav"))
            .arg("--strip-outputs")
            .arg(&folder)
            .arg("--report")
            .arg(folder.join("report.json"))
            .arg("--beats")
            .arg(folder.join("beats.csv"))
            .args(arguments)
            .env("LOCKSTEP_INVITE", invite)
            .env("LOCKSTEP_NAME", name)
            .env("LOCKSTEP_JOURNAL", folder.join("journal"))
            .stderr(File::create(folder.join("log")).unwrap())
            .spawn()
            .unwrap();
        Self { child, folder }
    }

    /// Leaves while the others play on, and returns what came out of each output, the member's own track included.
    pub(super) fn leave(mut self, mut play_on: impl FnMut()) -> Vec<Stereo> {
        play_on();
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        let status = loop {
            play_on();
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
        };
        assert!(status.success(), "{}", fs::read_to_string(self.folder.join("log")).unwrap());
        let report: serde_json::Value =
            serde_json::from_slice(&fs::read(self.folder.join("report.json")).unwrap()).unwrap();
        assert_eq!(report["process_errors"], 0, "{report}");
        assert_eq!(report["allocations_in_process"], 0, "{report}");
        (0..OUTPUTS).map(|output| read_wav(&self.folder.join(format!("strip-{output}.wav")))).collect()
    }

    /// The names of the strips that it has played, as its journal has them.
    pub(super) fn strips_played(&self) -> Vec<String> {
        let journal = fs::read_to_string(self.folder.join("journal")).unwrap_or_default();
        let mut names: Vec<_> =
            journal.lines().filter_map(|line| line.split(',').nth(1)).map(str::to_owned).collect();
        names.sort();
        names.dedup();
        names
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
