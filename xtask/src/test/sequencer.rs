//! What has to do with ALSA's sequencer: here if this machine has one, else in a virtual machine that has.

use std::io::{BufRead as _, BufReader};
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::steps::Outcome;
use crate::install::{Need, ensure};
use crate::machine::{Forward, HOST_INSIDE, Job, KERNEL, Machine};
use crate::shell::{capture, cargo, is_on_path, stream, target};

const DEVICE: &str = "/dev/snd/seq";

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
    place.run(&relay_tests, &["--nocapture", "--test-threads=1"], &[], &[])?;
    let (sequencer, relay) = (folder.join("lockstep-sequencer"), [folder.join("lockstep-relay")]);
    place.run(&sequencer, &["follower"], &relay, &[])?;
    ports(&place, &sequencer, &relay)?;
    place.run(&sequencer, &["clock", "--seconds", "5"], &relay, &[])?;
    if Path::new(DEVICE).exists() {
        return Ok(Outcome::NotRun(format!(
            "not run: a relay where there is no sequencer, as {DEVICE} is here"
        )));
    }
    stream(Command::new(&sequencer).arg("missing"))?;
    Ok(Outcome::Passed)
}

/// The relay's ports beside the sequencer, and RTP-MIDI participants on this machine, that is, outside of a virtual one.
fn ports(place: &Place, sequencer: &Path, relay: &[PathBuf]) -> Result<()> {
    let control = free_pair()?;
    let outside = Outside::start(sequencer, control)?;
    let (host, inside) = match place {
        Place::Here => ("127.0.0.1", control),
        Place::Inside(_) => (HOST_INSIDE, 5_004),
    };
    let address = format!("{host}:{}", outside.port);
    let forwards =
        [(control, inside), (control + 1, inside + 1)].map(|(host, machine)| Forward { host, machine });
    let words = ["ports", "--outside", &address, "--midi-port", &inside.to_string()];
    place.run(sequencer, &words, relay, &forwards)
}

/// The participants outside; they end with this value.
struct Outside {
    process: Child,
    /// Where they are told what to do.
    port: u16,
}

impl Outside {
    fn start(program: &Path, control: u16) -> Result<Self> {
        let mut process = Command::new(program)
            .args(["outside", "--room", &format!("127.0.0.1:{control}")])
            .stdout(Stdio::piped())
            .spawn()
            .context("the participants do not start")?;
        let output = process.stdout.take().context("no output")?;
        let mut outside = Self { process, port: 0 };
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let port = line.trim().rsplit(':').next().and_then(|port| port.parse().ok());
        outside.port = port.with_context(|| format!("the participants said {line:?}"))?;
        Ok(outside)
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The first of two neighbouring UDP ports that are free.
fn free_pair() -> Result<u16> {
    for _ in 0..200 {
        let control = UdpSocket::bind("127.0.0.1:0")?;
        let port = control.local_addr()?.port();
        if port % 2 == 0 && UdpSocket::bind(("127.0.0.1", port + 1)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no two neighbouring UDP ports are free")
}

fn find() -> Result<Place> {
    if Path::new(DEVICE).exists() && is_on_path("aseqdump") {
        return Ok(Place::Here);
    }
    Machine::prepare(KERNEL).map(Place::Inside)
}

impl Place {
    /// Runs a program to its end; fails if it does.
    fn run(&self, program: &Path, arguments: &[&str], files: &[PathBuf], forwards: &[Forward]) -> Result<()> {
        let name = program.file_name().unwrap_or_default().to_string_lossy();
        match self {
            Self::Here => stream(Command::new(program).args(arguments)),
            Self::Inside(machine) => {
                println!("{name} {} in the virtual machine", arguments.join(" "));
                let words = [program.to_string_lossy().into_owned()].into_iter();
                let mut job =
                    Job::new(words.chain(arguments.iter().map(|word| (*word).to_owned())).collect());
                job.files = files.to_vec();
                job.forwards = forwards.to_vec();
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
