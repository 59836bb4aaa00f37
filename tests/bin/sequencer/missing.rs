//! A relay where there is no sequencer: it starts, and says once what is missing.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use lockstep_shared::time::Span;
use lockstep_tests::shell::relay_process;

use crate::{print, wait};

pub(crate) fn run() -> Result<()> {
    let folder = std::env::temp_dir().join(format!("lockstep-missing-{}", std::process::id()));
    let mut relay = Command::new(relay_process::program()?)
        .args(["--listen", "127.0.0.1:0", "--midi-port", "0", "--room", "studio", "--state"])
        .arg(&folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("the relay does not start")?;
    let mut invite = String::new();
    BufReader::new(relay.stdout.take().context("the relay has no output")?).read_line(&mut invite)?;
    wait(Span::from_millis(500));
    let is_running = relay.try_wait()?.is_none();
    let _ = relay.kill();
    let said = relay.wait_with_output()?.stderr;
    let _ = std::fs::remove_dir_all(folder);
    let said = String::from_utf8_lossy(&said);
    ensure!(is_running && invite.starts_with("lockstep://"), "the relay does not run:\n{said}");
    let lines: Vec<&str> = said.lines().filter(|line| line.contains("sequencer")).collect();
    ensure!(lines.len() == 1, "not said once:\n{said}");
    ensure!(!said.contains("ALSA lib"), "the library speaks for itself:\n{said}");
    print(&format!("the relay runs, and says once: {}", lines[0]));
    Ok(())
}
