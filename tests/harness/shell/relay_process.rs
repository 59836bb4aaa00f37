//! The real relay as a process of its own, and what the scheduler says it costs.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use lockstep_shared::session::Invite;
use lockstep_shared::time::convert::f64_from_u64;
use rustix::process::{Pid, Signal, kill_process};

const LOOPBACK: &str = "127.0.0.1:0";

/// A running relay; it ends with this value.
#[derive(Debug)]
pub struct RelayProcess {
    child: Child,
    folder: PathBuf,
    /// Of its one room.
    pub invite: Invite,
}

impl RelayProcess {
    /// Starts the relay that was built beside this program, on a free port of the loopback, without any MIDI of its own.
    pub fn start() -> Result<Self> {
        Self::with(LOOPBACK, "[midi]\nport = 0\nsequencer = false\n")
    }

    /// Starts one on every address, configured by this text.
    pub fn configured(text: &str) -> Result<Self> {
        Self::with("0.0.0.0:0", text)
    }

    /// Starts one with this configuration, but for where it listens and keeps its state.
    pub fn with_configuration(text: &str) -> Result<Self> {
        Self::with(LOOPBACK, text)
    }

    /// Asks it what an admin asks, by `lockstep-relay` with these words: what that printed, or why it failed.
    pub fn ask(&self, words: &[&str]) -> Result<Result<String, String>> {
        let output = Command::new(program()?).arg("--state").arg(&self.folder).args(words).output()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        Ok(if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) })
    }

    /// Starts one with so many rooms, whose RTP-MIDI sessions anyone may join; the first one's control port is `port`.
    pub fn with_midi(port: u16, rooms: u16) -> Result<Self> {
        let mut text = format!("[midi]\nport = {port}\nsequencer = false\n");
        for room in 0..rooms {
            text += &format!("[[room]]\nname = \"room-{room}\"\n[room.midi]\nwho = \"anyone\"\n");
        }
        Self::with_configuration(&text)
    }

    fn with(listen: &str, configuration: &str) -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("lockstep-bench-{}", std::process::id()));
        let file = folder.with_extension("toml");
        std::fs::write(&file, configuration)?;
        let mut child = Command::new(program()?)
            .args(["--listen", listen, "--log", "warn", "--members-max", "100", "--state"])
            .arg(&folder)
            .args(["--public-host", "127.0.0.1", "--config"])
            .arg(&file)
            .stdout(Stdio::piped())
            .spawn()
            .context("the relay does not start")?;
        let mut line = String::new();
        let stdout = child.stdout.take().context("the relay has no output")?;
        BufReader::new(stdout).read_line(&mut line)?;
        let _ = std::fs::remove_file(file);
        let invite = Invite::parse(&line).context("the relay printed no invite")?;
        Ok(Self { child, folder, invite })
    }

    /// Has it say goodbye to all and end.
    ///
    /// # Errors
    /// It ended otherwise.
    pub fn end(mut self) -> Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        let status = self.child.wait()?;
        ensure!(status.success(), "the relay ended with {status}");
        Ok(())
    }

    /// Seconds that its threads have run so far, as the scheduler counts them.
    pub fn cpu_seconds(&self) -> Result<f64> {
        let mut nanos = 0;
        for thread in std::fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let text = std::fs::read_to_string(thread?.path().join("schedstat"))?;
            nanos += text.split_whitespace().next().context("an empty schedstat")?.parse::<u64>()?;
        }
        Ok(f64_from_u64(nanos) * 1e-9)
    }

    /// Memory that it holds.
    pub fn resident_mib(&self) -> Result<f64> {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        let kib: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
        Ok(f64_from_u64(kib) / 1_024.0)
    }
}

impl Drop for RelayProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The relay's program, beside this one.
pub fn program() -> Result<PathBuf> {
    let program = std::env::current_exe()?.with_file_name("lockstep-relay");
    if !program.exists() {
        bail!("{} is not built: cargo build --release -p lockstep-relay", program.display());
    }
    Ok(program)
}
