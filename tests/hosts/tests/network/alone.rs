//! A test in a process of its own: the plugin reads the environment and is one member a process.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// Names the folder of the test that the process is to run.
const VARIABLE: &str = "LOCKSTEP_TEST_ALONE";

/// One at a time: each of these tests wants several processes in real time.
static TURN: Mutex<()> = Mutex::new(());

/// Runs `body` in a process of its own, with an empty folder; the user's settings folder lies in there too. `test` is
/// the calling test's full name.
pub(super) fn alone(test: &str, body: impl FnOnce(&Path)) {
    if let Some(folder) = std::env::var_os(VARIABLE) {
        return body(Path::new(&folder));
    }
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = empty_folder(test);
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(VARIABLE, &folder)
        .env("XDG_CONFIG_HOME", folder.join("settings"))
        .env_remove("LOCKSTEP_INVITE")
        .env_remove("LOCKSTEP_NAME")
        .env_remove("LOCKSTEP_JOURNAL")
        .output()
        .unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
    assert!(said.contains("1 passed"), "there is no test called {test}:\n{said}");
    // For whoever runs with --nocapture: the figures.
    for line in said.lines().filter(|line| line.starts_with("figure: ")) {
        eprintln!("{test}: {line}");
    }
}

fn empty_folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test.replace("::", "-"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}
