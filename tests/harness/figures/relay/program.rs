//! The relay's program: built, started, asked for its processor time, ended.

use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use lockstep_shared::time::Span;

/// Builds the relay for speed; returns where it is.
pub(super) fn build() -> io::Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--release", "--package", "lockstep-relay", "--bin", "lockstep-relay"]);
    command.args(["--message-format", "json-render-diagnostics"]);
    let built =
        command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).stderr(Stdio::inherit()).output()?;
    if !built.status.success() {
        return Err(io::Error::other("the relay does not build"));
    }
    // Cargo names the file that it made: the target folder may be anywhere.
    String::from_utf8_lossy(&built.stdout)
        .lines()
        .filter_map(|line| line.split_once("\"executable\":\"")?.1.split_once('"'))
        .map(|(path, _)| PathBuf::from(path))
        .next_back()
        .ok_or_else(|| io::Error::other("cargo does not say where the relay is"))
}

/// A running relay; it ends with this value.
#[derive(Debug)]
pub(super) struct Program {
    child: Child,
    invite: String,
    state: PathBuf,
}

impl Program {
    /// Starts it on a free port of loopback.
    pub(super) fn start(binary: &Path) -> io::Result<Self> {
        let state = std::env::temp_dir().join(format!("lockstep-bench-relay-{}", std::process::id()));
        let mut command = Command::new(binary);
        command
            .args(["--listen", "127.0.0.1:0", "--members-max", "100", "--log", "warn", "--state"])
            .arg(&state);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().ok_or_else(|| io::Error::other("the relay has no output"))?;
        // Made before the first line is awaited, so that the relay ends on every way out of here.
        let mut program = Self { child, invite: String::new(), state };
        BufReader::new(output).read_line(&mut program.invite)?;
        Ok(program)
    }

    /// The invite that it printed.
    pub(super) fn invite(&self) -> &str {
        self.invite.trim()
    }

    /// Processor time of all its threads since its start: the first number of each `schedstat` (Linux,
    /// Documentation/scheduler/sched-stats), in nanoseconds.
    pub(super) fn cpu(&self) -> io::Result<Span> {
        let mut nanos = 0_i64;
        for thread in std::fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let text = std::fs::read_to_string(thread?.path().join("schedstat"))?;
            let run: i64 = text
                .split_whitespace()
                .next()
                .and_then(|number| number.parse().ok())
                .ok_or_else(|| io::Error::other("schedstat is not as documented"))?;
            nanos += run;
        }
        Ok(Span::from_nanos(nanos))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.state);
    }
}
