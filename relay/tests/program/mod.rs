//! Starting the relay's binary and ending it.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// How long a start may take on a busy machine.
const START_MAX: Duration = Duration::from_secs(20);

/// A running relay; it ends with this value.
pub(crate) struct Relay {
    child: Child,
    invites: Vec<String>,
    lines: Receiver<String>,
}

impl Relay {
    /// Starts one and waits for its first invite.
    pub(crate) fn start(state: &Path, arguments: &[&str]) -> Self {
        let mut command = command(arguments);
        command.arg("--state").arg(state).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let output = child.stdout.take().unwrap();
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            BufReader::new(output).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        let mut relay = Self { child, invites: Vec::new(), lines };
        relay.invites.push(relay.lines.recv_timeout(START_MAX).unwrap());
        relay
    }

    /// All that it has printed: invites come in one write, so with the first come all.
    pub(crate) fn invites(&self) -> Vec<String> {
        let mut invites = self.invites.clone();
        while let Ok(line) = self.lines.recv_timeout(Duration::from_millis(100)) {
            invites.push(line);
        }
        invites
    }

    /// Sends it a signal.
    #[cfg(unix)]
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let process = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(process, signal).unwrap();
    }

    /// Its exit code, if it ends in time.
    #[cfg(unix)]
    pub(crate) fn end_within(&mut self, time: Duration) -> Option<i32> {
        // Its standard output closes when it ends.
        loop {
            match self.lines.recv_timeout(time) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => return self.child.wait().unwrap().code(),
                Err(RecvTimeoutError::Timeout) => return None,
            }
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The binary with these arguments, in an environment without any of its variables.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockstep-relay"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("LOCKSTEP_") || name == "STATE_DIRECTORY" {
            command.env_remove(name);
        }
    }
    // Several of these run at a time, and the usual ports are there once.
    command.env("LOCKSTEP_RELAY_MIDI_PORT", "0").args(arguments);
    command
}

/// Runs it to its end.
pub(crate) fn run(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

/// Runs it to its end with this state folder.
pub(crate) fn run_in(state: &Path, arguments: &[&str]) -> Output {
    command(arguments).arg("--state").arg(state).output().unwrap()
}

/// What it said on standard error before it ended with this code.
pub(crate) fn failure(output: &Output, code: i32) -> String {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The part behind `#`.
pub(crate) fn secret_of(invite: &str) -> String {
    invite.trim().split_once('#').unwrap().1.to_owned()
}

/// The port in an invite that names one.
pub(crate) fn port_of(invite: &str) -> u16 {
    let (before, _) = invite.rsplit_once('/').unwrap();
    before.rsplit_once(':').unwrap().1.parse().unwrap()
}
