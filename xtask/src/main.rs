//! `cargo xtask NAME`: the only build script of this repository, one file a task.
//!
//! | task | file |
//! |---|---|
//! | `test` | `test/`: everything a change must pass, in one command |
//! | `bundle` | `bundle.rs`: the `.clap` and the `.vst3` in `bundles/out` |
//! | `tidy` | `tidy/`: the rules of the code base that the compiler does not check |
//! | `sim`, `bench` | `programs.rs`: the two measuring programs of `tests`, built and started |
//!
//! What has to be installed for each of them is listed once, in `install.rs`. This crate depends on no other
//! crate of the workspace, so that `tidy` and `test` start when one of those does not compile.
#![expect(clippy::print_stdout, reason = "a command line program talks on its standard output")]

mod bundle;
mod install;
mod programs;
mod shell;
mod test;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Builds, tests, measures and plays Lockstep.
///
/// Start with `cargo xtask jam`: a few players make music together through a relay on this machine, and you
/// get what each one heard, pictures and a report.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 100)]
struct CommandLine {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Run everything that a change must pass
    Test(test::Options),
    /// Build the plugin and lay out bundles/out/Lockstep.clap and Lockstep.vst3
    Bundle(bundle::Options),
    /// Check the rules of the code base that the compiler does not
    Tidy(tidy::Options),
    /// Run a simulated session: cargo xtask sim -- --help tells more
    Sim(programs::SimOptions),
    /// Print one table of figures against their goals: cargo xtask bench relay
    Bench(programs::BenchOptions),
}

fn main() -> ExitCode {
    let outcome = match CommandLine::parse().task {
        Task::Test(options) => test::run(&options),
        Task::Bundle(options) => bundle::run(&options),
        Task::Tidy(options) => tidy::run(&options),
        Task::Sim(options) => programs::sim(&options),
        Task::Bench(options) => programs::bench(&options),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
