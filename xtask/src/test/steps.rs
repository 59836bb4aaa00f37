//! The steps of `cargo xtask test`, in their order.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::bundle::{self, Profile};
use crate::install::{Need, ensure, python, shown};
use crate::shell::{capture, cargo, command, is_on_path, root, stream, target};
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
    Step { name: "realtime", about: "the audio thread under RealtimeSanitizer", run: realtime },
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
    passed(&mut cargo(["clippy", "--quiet", "--workspace", "--all-targets", "--", "--deny", "warnings"]))
}

fn units() -> Result<Outcome> {
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
    passed(&mut cargo(["test", "--quiet", "--workspace", "--doc"]))
}

fn corpora() -> Result<Outcome> {
    // The bodies of the fuzz targets compile on the stable toolchain, as a test over the committed corpora.
    passed(&mut cargo(["test", "--quiet", "--package", "lockstep-tests", "--test", "corpora"]))
}

fn hosts() -> Result<Outcome> {
    let bundles = bundle::build(Profile::Debug, &["assert_process_allocs"])?;
    let mut hosts = cargo(["test", "--package", "lockstep-hosts", "--no-fail-fast"]);
    passed(hosts.env("LOCKSTEP_CLAP", bundles.clap).env("LOCKSTEP_VST3", bundles.vst3))
}

fn foreign() -> Result<Outcome> {
    ensure(&[Need::Build, Need::Ardour, Need::PythonHosts])?;
    let bundles = bundle::build(Profile::Release, &[])?;
    for script in foreign_scripts()? {
        println!("{}", shown(&script));
        let mut host = match script.extension().and_then(|extension| extension.to_str()) {
            Some("py") => Command::new(python()),
            Some("sh") => Command::new("bash"),
            _ => bail!("{}: neither .py nor .sh, so nothing to start it with", shown(&script)),
        };
        stream(host.current_dir(root()).arg(&script).arg(&bundles.vst3))?;
    }
    Ok(Outcome::Passed)
}

/// The programs in `tests/hosts/foreign`: each takes the `.vst3` and fails when its host found a fault.
fn foreign_scripts() -> Result<Vec<PathBuf>> {
    let folder = root().join("tests/hosts/foreign");
    let listed = std::fs::read_dir(&folder).with_context(|| format!("cannot list {}", shown(&folder)))?;
    let mut scripts: Vec<PathBuf> = listed
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "py" || extension == "sh"))
        .collect();
    scripts.sort();
    if scripts.is_empty() {
        bail!("{} holds no host", shown(&folder));
    }
    Ok(scripts)
}

fn realtime() -> Result<Outcome> {
    let library = sanitizer_library()?;
    let mut run = cargo([
        "test",
        "--release",
        "--package",
        "lockstep-hosts",
        "--features",
        "rtsan",
        "--test",
        "realtime",
    ]);
    run.env("RTSAN_ENABLE", "1");
    run.env("RTSAN_LIB_PATH", library);
    run.env("RTSAN_OPTIONS", "halt_on_error=false");
    // A folder of its own: these variables change what is built, and the normal build would follow them back.
    passed(run.env("CARGO_TARGET_DIR", target().join("realtime")))
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

fn passed(command: &mut Command) -> Result<Outcome> {
    stream(command)?;
    Ok(Outcome::Passed)
}
