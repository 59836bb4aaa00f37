//! Members that come, play for a while and leave, one after the other, in a room of their own relay: company for a test
//! that wants members to join and leave.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use anyhow::{Context as _, Result, bail};

use super::relay::RelayProcess;
use crate::shell::{command, target};

/// How long each of them plays.
const SECONDS: &str = "2.5";

/// A relay and those who come and go.
pub(crate) struct Visitors {
    relay: RelayProcess,
    stop: Arc<AtomicBool>,
    coming: JoinHandle<Result<u32>>,
}

impl Visitors {
    /// Starts the relay, and the first visitor.
    pub(crate) fn start(plugin: &Path) -> Result<Self> {
        let folder = target().join("jam/visitors");
        std::fs::create_dir_all(&folder)?;
        let relay = RelayProcess::start(&folder)?;
        let stop = Arc::new(AtomicBool::new(false));
        let coming = {
            let (invite, stop, plugin) =
                (relay.invite().to_owned(), Arc::clone(&stop), std::path::absolute(plugin)?);
            std::thread::spawn(move || come_and_go(&invite, &plugin, &folder, &stop))
        };
        Ok(Self { relay, stop, coming })
    }

    pub(crate) fn invite(&self) -> &str {
        self.relay.invite()
    }

    /// Waits for the last one to leave; returns how many came.
    pub(crate) fn end(self) -> Result<u32> {
        self.stop.store(true, Ordering::Relaxed);
        let Ok(came) = self.coming.join() else { bail!("the visitors' thread failed") };
        self.relay.stop()?;
        came
    }
}

fn come_and_go(invite: &str, plugin: &Path, folder: &Path, stop: &AtomicBool) -> Result<u32> {
    let mut came = 0;
    while !stop.load(Ordering::Relaxed) {
        let program = target().join("release").join(format!("lockstep-host{}", std::env::consts::EXE_SUFFIX));
        let status = command(program)
            .args(["play", "--seconds", SECONDS, "--plugin"])
            .arg(plugin)
            .arg("--output")
            .arg(folder.join("visitor.wav"))
            .env("LOCKSTEP_INVITE", invite)
            .env("LOCKSTEP_NAME", format!("visitor {came}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .context("a visitor did not start")?;
        if !status.success() {
            bail!("a visitor's host ended with {status}");
        }
        came += 1;
    }
    Ok(came)
}
