//! The control socket: how `lockstep-relay status`, `monitor`, `panic` and the others reach a relay that runs.
//!
//! A Unix socket in the state folder, so that whoever may read the relay's key may command it, and nobody else. One
//! JSON object a line: a [`Request`] in, an [`Answer`] out; after `monitor` one object for each message until the asker
//! hangs up. Systems without Unix sockets have no control socket, and say so.

#[cfg(unix)]
mod client;
#[cfg(unix)]
mod server;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::wake::Waker;
use crate::bridge::patch::Rules;
use crate::relay::command::{Answer, Command};

#[cfg(unix)]
pub use client::ask;
#[cfg(unix)]
pub use server::serve;

/// A request, as it comes over the socket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Request {
    /// Of the relay.
    Relay(Command),
    /// Of the sequencer's ports.
    Ports(PortsCommand),
}

/// What may be asked of the sequencer's ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
pub enum PortsCommand {
    /// Tell the live connections, as rules.
    Patch,
    /// Read the file of rules anew.
    Reload,
}

/// A request on its way to the media thread, and where the answer goes.
#[derive(Debug)]
pub struct Asked {
    /// What is asked.
    pub request: Request,
    /// With [`PortsCommand::Reload`]: the rules.
    pub rules: Option<Rules>,
    /// Takes one answer. Nobody may be there any more.
    pub answer: SyncSender<Answer>,
}

/// Asks the media thread.
#[derive(Clone, Debug)]
pub struct Asker {
    commands: Sender<Asked>,
    waker: Waker,
}

/// Why a relay cannot be asked.
#[derive(Debug, Error)]
pub enum ControlError {
    /// No relay there.
    #[error(
        "no relay runs with the state folder {folder} ({reason}); give the running relay's with --state FOLDER"
    )]
    NotRunning {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// It hung up.
    #[error("the relay hung up: {0}")]
    HungUp(io::Error),
    /// It speaks otherwise.
    #[error("the relay answered what this program does not understand; both must be of one version")]
    Unreadable,
    /// It says no.
    #[error("{0}")]
    Refused(String),
    /// No sockets of this kind.
    #[error("this system has no Unix sockets, so a running relay cannot be asked here")]
    #[cfg(not(unix))]
    Unsupported,
}

/// The media thread's end.
#[must_use]
pub fn commands(waker: Waker) -> (Asker, Receiver<Asked>) {
    let (commands, receiver) = channel();
    (Asker { commands, waker }, receiver)
}

/// Where the socket is.
#[must_use]
pub fn socket_path(folder: &Path) -> PathBuf {
    folder.join("control.sock")
}

impl Asker {
    /// Hands `command` to the media thread.
    pub fn ask(&self, asked: Asked) {
        // When the media thread has ended the asker's answer never comes: its sender is dropped with the message.
        let _ = self.commands.send(asked);
        self.waker.wake();
    }
}

/// There is none here.
///
/// # Errors
/// Always.
#[cfg(not(unix))]
pub fn ask(
    _folder: &Path,
    _request: &Request,
    _answered: impl FnMut(Answer) -> Result<(), io::Error>,
) -> Result<(), ControlError> {
    Err(ControlError::Unsupported)
}
