//! The relay of a jam: a process on the loopback, with a state folder of its own.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use crate::shell::{command, now, target, wait};

/// A running relay; it ends with this value.
pub(crate) struct RelayProcess {
    child: Child,
    invite: String,
    stats: PathBuf,
}

/// What the relay counted, as the report shows it.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct RelayFigures {
    pub(super) cpu_seconds_per_second: f64,
    pub(super) datagrams_in: u64,
    pub(super) datagrams_out: u64,
    pub(super) resident_mib: f64,
}

/// The part of the relay's own counters that is used here.
#[derive(Deserialize)]
struct Counters {
    seconds: f64,
    cpu_seconds: Option<f64>,
    datagrams_in: u64,
    datagrams_out: u64,
    resident_mib: Option<f64>,
}

impl RelayProcess {
    /// Starts the release build on a free port.
    pub(super) fn start(folder: &Path) -> Result<Self> {
        let stats = folder.join("relay.json");
        let log = std::fs::File::create(folder.join("relay.log"))?;
        let program =
            target().join("release").join(format!("lockstep-relay{}", std::env::consts::EXE_SUFFIX));
        let mut child = command(&program)
            .args(["run", "--listen", "127.0.0.1:0", "--midi-port", "0", "--state"])
            .arg(folder.join("relay-state"))
            .arg("--stats-json")
            .arg(&stats)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let mut invite = String::new();
        let stdout = child.stdout.take().context("the relay has no output")?;
        BufReader::new(stdout).read_line(&mut invite)?;
        let invite = invite.trim().to_owned();
        if !invite.starts_with("lockstep://") {
            let said = std::fs::read_to_string(folder.join("relay.log")).unwrap_or_default();
            bail!("the relay printed no invite; it said: {}", said.trim());
        }
        Ok(Self { child, invite, stats })
    }

    pub(super) fn invite(&self) -> &str {
        &self.invite
    }

    /// The invite without its secret.
    pub(super) fn place(&self) -> &str {
        self.invite.split('#').next().unwrap_or_default()
    }

    /// Ends it as an admin would, and returns what it counted.
    pub(super) fn stop(mut self) -> Result<RelayFigures> {
        /// It tells its members and writes its counters.
        const PATIENCE: Duration = Duration::from_secs(5);

        super::players::ask_to_end(&self.child);
        let asked = now();
        while self.child.try_wait()?.is_none() {
            if asked.elapsed() > PATIENCE {
                bail!("the relay did not end when asked to");
            }
            wait(Duration::from_millis(20));
        }
        let text = std::fs::read_to_string(&self.stats).context("the relay left no counters")?;
        let counted: Counters = serde_json::from_str(&text).context("the relay's counters")?;
        Ok(RelayFigures {
            cpu_seconds_per_second: counted.cpu_seconds.context("no CPU time")? / counted.seconds,
            datagrams_in: counted.datagrams_in,
            datagrams_out: counted.datagrams_out,
            resident_mib: counted.resident_mib.context("no memory")?,
        })
    }
}

impl Drop for RelayProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
