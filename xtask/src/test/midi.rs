//! RTP-MIDI and the multicast gateway with programs of others. Each part that cannot have its program says so.

use std::process::Command;

use anyhow::{Result, bail};

use super::steps::Outcome;
use crate::install::{Need, ensure, python};
use crate::shell::{cargo, stream, target};

/// A program of others, and what we call the part that plays with it.
const PARTS: [(&str, Need); 3] =
    [("tshark", Need::Tshark), ("pymidi", Need::Pymidi), ("qmidinet", Need::QmidiNet)];

pub(super) fn run() -> Result<Outcome> {
    ensure(&[Need::Build])?;
    let mut build = cargo(["build", "--package", "lockstep-relay", "--package", "lockstep-tests"]);
    stream(build.args(["--bin", "lockstep-relay", "--bin", "lockstep-midi-peers"]))?;
    let program = target().join("debug/lockstep-midi-peers");
    let (mut failed, mut not_run) = (Vec::new(), Vec::new());
    for (name, need) in PARTS {
        if let Err(error) = ensure(&[need]) {
            // One line of the summary, whatever the error's lines are.
            let why = format!("{error:#}").split_whitespace().collect::<Vec<_>>().join(" ");
            not_run.push(format!("not run: {name}, {why}"));
            continue;
        }
        let mut part = Command::new(&program);
        part.arg(name).env("LOCKSTEP_PYTHON", python(Need::Pymidi));
        if let Err(error) = stream(&mut part) {
            failed.push(format!("{name}: {error:#}"));
        }
    }
    if !failed.is_empty() {
        bail!("{}", failed.join("; "));
    }
    Ok(if not_run.is_empty() { Outcome::Passed } else { Outcome::NotRun(not_run.join("; ")) })
}
