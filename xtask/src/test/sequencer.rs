//! What has to do with ALSA's sequencer: here if this machine has one, else in a virtual machine that has.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::steps::Outcome;
use crate::install::{Need, ensure};
use crate::machine::{Job, KERNEL, Machine};
use crate::shell::{capture, cargo, is_on_path, stream, target};

/// Where the sequencer is.
enum Place {
    Here,
    Inside(Machine),
}

pub(super) fn run() -> Result<Outcome> {
    let place = match find() {
        Ok(place) => place,
        Err(error) => return Ok(Outcome::NotRun(format!("not run: no ALSA sequencer here, and {error:#}"))),
    };
    ensure(&[Need::Build])?;
    let relay_tests = test_program("lockstep-relay", "sequencer")?;
    stream(&mut cargo(["build", "--package", "lockstep-relay"]))?;
    stream(&mut cargo(["build", "--package", "lockstep-tests", "--bin", "lockstep-sequencer"]))?;
    let folder = target().join("debug");
    // Tests that measure and programs that they start: one at a time.
    place.run(&relay_tests, &["--nocapture", "--test-threads=1"], &[])?;
    place.run(&folder.join("lockstep-sequencer"), &[], &[folder.join("lockstep-relay")])?;
    Ok(Outcome::Passed)
}

fn find() -> Result<Place> {
    if Path::new("/dev/snd/seq").exists() && is_on_path("aseqdump") {
        return Ok(Place::Here);
    }
    Machine::prepare(KERNEL).map(Place::Inside)
}

impl Place {
    /// Runs a program to its end; fails if it does.
    fn run(&self, program: &Path, arguments: &[&str], files: &[PathBuf]) -> Result<()> {
        let name = program.file_name().unwrap_or_default().to_string_lossy();
        match self {
            Self::Here => stream(Command::new(program).args(arguments)),
            Self::Inside(machine) => {
                println!("{name} in the virtual machine");
                let words = [program.to_string_lossy().into_owned()].into_iter();
                let mut job =
                    Job::new(words.chain(arguments.iter().map(|word| (*word).to_owned())).collect());
                job.files = files.to_vec();
                match machine.run(&job)? {
                    0 => Ok(()),
                    code => bail!("{name} ended with {code}"),
                }
            }
        }
    }
}

/// Builds the integration tests called `name` of a package, and returns where they are.
fn test_program(package: &str, name: &str) -> Result<PathBuf> {
    let mut build =
        cargo(["test", "--no-run", "--message-format=json-render-diagnostics", "--package", package]);
    let built = capture(build.args(["--test", name]))?;
    built
        .lines()
        .find_map(|line| executable(line, name))
        .with_context(|| format!("cargo built no test {name:?}"))
}

/// The program of the test called `name`, if this line of cargo's output tells of it: it tells of others too.
fn executable(line: &str, name: &str) -> Option<PathBuf> {
    let told: Value = serde_json::from_str(line).ok()?;
    let target = told.get("target")?;
    let is_it =
        target.get("name")? == name && target.get("kind")?.as_array()?.iter().any(|kind| kind == "test");
    is_it.then(|| told.get("executable")?.as_str().map(PathBuf::from))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_is_told_from_the_program_it_tests() {
        let line = |kind: &str, name: &str| {
            format!(r#"{{"target":{{"kind":["{kind}"],"name":"{name}"}},"executable":"/target/{kind}"}}"#)
        };
        assert_eq!(executable(&line("bin", "one"), "one"), None);
        assert_eq!(executable(&line("test", "other"), "one"), None);
        assert_eq!(executable(&line("test", "one"), "one"), Some(PathBuf::from("/target/test")));
        assert_eq!(executable("   Compiling one", "one"), None);
    }
}
