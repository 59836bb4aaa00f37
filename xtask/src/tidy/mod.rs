//! `cargo xtask tidy`: the rules of the code base that neither the compiler nor clippy checks.
//!
//! Every rule reads text. [`tree`] lists the repository's files; [`source`] knows just enough of Rust to tell
//! code from comments and strings; the rules are in [`walls`] (who may name what), [`words`] (what nobody
//! writes), [`layout`] (files and folders) and [`wire_hash`] (the protocol's page follows the protocol).

mod layout;
mod source;
mod tree;
mod walls;
mod wire_hash;
mod words;

use std::fmt;
use std::process::ExitCode;

use anyhow::Result;

use crate::shell::{capture, cargo, command, is_on_path};
use tree::Tree;

/// Check the rules of the code base that the compiler does not.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// Write the current hash of shared/src/wire into ARCHITECTURE.md, after its protocol section was read again
    #[arg(long)]
    bless: bool,
}

/// A rule broken at one place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    file: String,
    line: usize,
    sentence: String,
}

impl Finding {
    fn new(file: &str, line: usize, sentence: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line, sentence: sentence.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.sentence)
    }
}

/// Whether `shared` was built for a target that has no operating system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PureBuild {
    Passed,
    Failed(String),
    NotRun(String),
}

/// What a run of all rules gave.
#[derive(Clone, Debug)]
pub(crate) struct Checked {
    pub(crate) files: usize,
    pub(crate) findings: Vec<Finding>,
    pub(crate) pure_build: PureBuild,
}

pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    if options.bless {
        let hash = wire_hash::bless(&Tree::read()?)?;
        println!("ARCHITECTURE.md now says wire-hash: {hash}");
    }
    let checked = check()?;
    checked.print();
    Ok(if checked.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Checks every rule.
pub(crate) fn check() -> Result<Checked> {
    let tree = Tree::read()?;
    let mut findings = Vec::new();
    walls::check(&tree, &mut findings);
    words::check(&tree, &mut findings);
    layout::check(&tree, &mut findings);
    wire_hash::check(&tree, &mut findings);
    findings.sort();
    findings.dedup();
    Ok(Checked { files: tree.files().len(), findings, pure_build: build_without_operating_system() })
}

impl Checked {
    /// Whether no rule is broken. A pure build that could not be made on this machine is none.
    pub(crate) fn holds(&self) -> bool {
        self.findings.is_empty() && !matches!(self.pure_build, PureBuild::Failed(_))
    }

    pub(crate) fn print(&self) {
        for finding in &self.findings {
            println!("{finding}");
        }
        match &self.pure_build {
            PureBuild::Passed => println!("lockstep-shared builds for {PURE_TARGET}"),
            PureBuild::Failed(why) => println!("lockstep-shared does not build for {PURE_TARGET}: {why}"),
            PureBuild::NotRun(why) => println!("not run: the {PURE_TARGET} build of lockstep-shared ({why})"),
        }
        println!("tidy: {} files, {} findings", self.files, self.findings.len());
    }
}

const PURE_TARGET: &str = "wasm32-unknown-unknown";

fn build_without_operating_system() -> PureBuild {
    if !is_on_path("rustup") {
        return PureBuild::NotRun("rustup is not here to tell which targets are installed".to_owned());
    }
    match capture(command("rustup").args(["target", "list", "--installed"])) {
        Err(error) => PureBuild::NotRun(format!("{error:#}")),
        Ok(installed) if !installed.lines().any(|target| target == PURE_TARGET) => {
            PureBuild::NotRun(format!("the target is not installed: rustup target add {PURE_TARGET}"))
        }
        Ok(_) => {
            let mut build = cargo(["check", "--quiet", "--package", "lockstep-shared", "--lib", "--target"]);
            match capture(build.arg(PURE_TARGET)) {
                Ok(_) => PureBuild::Passed,
                Err(error) => PureBuild::Failed(format!("{error:#}")),
            }
        }
    }
}
