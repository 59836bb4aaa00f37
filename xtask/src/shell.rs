//! The operating system, as the tasks need it: where the repository is, commands run to their end, and the
//! clock.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result, bail};

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    let manifest =
        std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&manifest).parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// Cargo's output folder.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// A command that starts in the root of the repository.
pub(crate) fn command<S: AsRef<OsStr>>(program: S) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    command
}

/// The cargo that started this program, in the root of the repository.
pub(crate) fn cargo<const N: usize>(arguments: [&str; N]) -> Command {
    let mut command = command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments);
    // What cargo set for this program would be taken for the child's own.
    command.env_remove("CARGO_MANIFEST_DIR");
    command
}

/// The command as one would type it.
pub(crate) fn typed(command: &Command) -> String {
    let program =
        Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    command.get_args().fold(program, |line, argument| {
        let argument = argument.to_string_lossy();
        if argument.contains(' ') { format!("{line} '{argument}'") } else { format!("{line} {argument}") }
    })
}

/// Runs `command` to its end with its output on ours. Fails when the command does.
pub(crate) fn stream(command: &mut Command) -> Result<()> {
    let line = typed(command);
    let status = command.status().with_context(|| format!("cannot start `{line}`"))?;
    if !status.success() {
        bail!("`{line}` ended with {status}");
    }
    Ok(())
}

/// Runs `command` to its end and returns what it printed; nothing of it is shown unless it fails.
pub(crate) fn capture(command: &mut Command) -> Result<String> {
    let line = typed(command);
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start `{line}`"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`{line}` ended with {}: {}", output.status, said.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether `program` is found on the search path.
pub(crate) fn is_on_path(program: &str) -> bool {
    let name = format!("{program}{}", std::env::consts::EXE_SUFFIX);
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(&name).is_file()))
}

/// The one place of this program that reads the clock.
#[expect(clippy::disallowed_methods, reason = "the build script's only clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The date, which a virtual machine is told.
#[expect(clippy::disallowed_methods, reason = "the build script's only date")]
pub(crate) fn wall_clock() -> SystemTime {
    SystemTime::now()
}

/// The one place of this program that waits.
#[expect(clippy::disallowed_methods, reason = "the build script's only wait")]
pub(crate) fn wait(duration: Duration) {
    std::thread::sleep(duration);
}
