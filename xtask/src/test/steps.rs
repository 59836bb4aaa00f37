//! The steps of `cargo xtask test`, in their order.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::{midi, sequencer};
use crate::bundle::{self, Profile};
use crate::install::{Need, ensure, python};
use crate::jam;
use crate::shell::{capture, cargo, command, is_on_path, stream, target};
use crate::tidy::{self, PureBuild};

/// One thing that a change must pass.
pub(super) struct Step {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) run: fn() -> Result<Outcome>,
}

/// How a step ended that did not fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Passed,
    /// Passed but for a part that this machine cannot do, and why.
    NotRun(String),
}

/// All steps.
pub(super) const ALL: &[Step] = &[
    Step { name: "install", about: "what the later steps need is there", run: install },
    Step { name: "format", about: "the code is formatted", run: format },
    Step { name: "tidy", about: "the rules that the compiler does not check", run: tidy },
    Step { name: "lints", about: "clippy has nothing to say", run: lints },
    Step { name: "units", about: "unit tests, scenarios in the simulator, loopback", run: units },
    Step { name: "documents", about: "the examples in the documentation run", run: documents },
    Step { name: "corpora", about: "decoders survive every input that a fuzzer kept", run: corpora },
    Step {
        name: "hosts",
        about: "the plugin in our own hosts, asserting that it never allocates",
        run: hosts,
    },
    Step {
        name: "foreign",
        about: "the plugin in hosts of others: DawDreamer, pedalboard, Ardour",
        run: foreign,
    },
    Step {
        name: "sequencer",
        about: "MIDI through ALSA's sequencer, as aseqdump hears it, in a virtual machine if need be",
        run: sequencer::run,
    },
    Step { name: "midi", about: "RTP-MIDI with tshark, pymidi and QmidiNet", run: midi::run },
    Step { name: "realtime", about: "the audio thread under RealtimeSanitizer", run: realtime },
    Step { name: "jam", about: "two players make music for a few seconds", run: short_jam },
];

fn install() -> Result<Outcome> {
    ensure(&[Need::Build, Need::Music, Need::Ardour, Need::PythonHosts])?;
    Ok(Outcome::Passed)
}

fn format() -> Result<Outcome> {
    passed(&mut cargo(["fmt", "--all", "--check"]))
}

fn tidy() -> Result<Outcome> {
    let checked = tidy::check()?;
    checked.print();
    if !checked.holds() {
        bail!("{} findings", checked.findings.len());
    }
    Ok(match checked.pure_build {
        PureBuild::NotRun(why) => Outcome::NotRun(format!("not run: wasm32 build, {why}")),
        PureBuild::Passed | PureBuild::Failed(_) => Outcome::Passed,
    })
}

fn lints() -> Result<Outcome> {
    ensure(&[Need::Build])?;
    passed(&mut cargo(["clippy", "--quiet", "--workspace", "--all-targets", "--", "--deny", "warnings"]))
}

fn units() -> Result<Outcome> {
    ensure(&[Need::Build])?;
    // The hosts have a step of their own: they want the built plugin.
    let runner = if is_on_path("cargo-nextest") {
        cargo(["nextest", "run", "--workspace", "--exclude", "lockstep-hosts", "--no-fail-fast"])
    } else {
        cargo(["test", "--workspace", "--exclude", "lockstep-hosts", "--all-targets", "--no-fail-fast"])
    };
    let mut runner = runner;
    passed(&mut runner)
}

fn documents() -> Result<Outcome> {
    ensure(&[Need::Build])?;
    passed(&mut cargo(["test", "--quiet", "--workspace", "--doc"]))
}

fn corpora() -> Result<Outcome> {
    ensure(&[Need::Build])?;
    // The bodies of the fuzz targets compile on the stable toolchain, as a test over the committed corpora.
    passed(&mut cargo(["test", "--quiet", "--package", "lockstep-tests", "--test", "corpora"]))
}

fn hosts() -> Result<Outcome> {
    let bundles = bundle::build(Profile::Debug, &["assert_process_allocs"])?;
    // The tests with a network find it beside themselves.
    stream(&mut cargo(["build", "--package", "lockstep-relay"]))?;
    let mut hosts = cargo(["test", "--package", "lockstep-hosts", "--no-fail-fast"]);
    passed(hosts.env("LOCKSTEP_PLUGIN", bundles.clap))
}

fn foreign() -> Result<Outcome> {
    ensure(&[Need::Build, Need::Ardour, Need::PythonHosts])?;
    let bundles = bundle::build(Profile::Release, &[])?;
    let mut hosts = command("sh");
    hosts.arg("tests/hosts/foreign/run.sh").arg(&bundles.vst3);
    passed(hosts.env("LOCKSTEP_PYTHON", python(Need::PythonHosts)))
}

/// 10,000 blocks in a room that members join, play in and leave.
fn realtime() -> Result<Outcome> {
    let library = sanitizer_library()?;
    let bundles = jam::build()?;
    let mut build =
        sanitized(cargo(["build", "--package", "lockstep-hosts", "--features", "rtsan"]), &library);
    stream(build.args(["--bin", "lockstep-rtsan"]))?;
    let visitors = jam::Visitors::start(&bundles.clap)?;
    let mut run = sanitized(cargo(["run", "--package", "lockstep-hosts", "--features", "rtsan"]), &library);
    run.args(["--bin", "lockstep-rtsan", "--", "--blocks", "10000"]);
    stream(run.env("LOCKSTEP_INVITE", visitors.invite()).env("LOCKSTEP_NAME", "sanitizer"))?;
    let came = visitors.end()?;
    println!("{came} members joined, played and left meanwhile");
    Ok(Outcome::Passed)
}

/// The command with RealtimeSanitizer built in, in a folder of its own: these variables change what is built, and the
/// normal build would follow them back.
fn sanitized(mut command: Command, library: &Path) -> Command {
    command.env("RTSAN_ENABLE", "1").env("RTSAN_LIB_PATH", library);
    command.env("CARGO_TARGET_DIR", target().join("realtime"));
    command
}

/// RealtimeSanitizer's runtime, which comes with the toolchain.
fn sanitizer_library() -> Result<PathBuf> {
    let sysroot = capture(command("rustc").args(["--print", "sysroot"]))?;
    let triple = capture(command("rustc").args(["--print", "host-tuple"]))?;
    let folder = PathBuf::from(sysroot.trim()).join("lib/rustlib").join(triple.trim()).join("lib");
    let listed = std::fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
    listed
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .find(|path| path.to_string_lossy().ends_with("_rt.rtsan.a"))
        .with_context(|| format!("this toolchain brings no RealtimeSanitizer in {}", folder.display()))
}

fn short_jam() -> Result<Outcome> {
    jam::run_short()?;
    Ok(Outcome::Passed)
}

fn passed(command: &mut Command) -> Result<Outcome> {
    stream(command)?;
    Ok(Outcome::Passed)
}
