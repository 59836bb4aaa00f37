//! `cargo xtask NAME`: the only build script of this repository, one file a task.
//!
//! | task | file |
//! |---|---|
//! | `jam` | `jam/`: real music through real plugin processes and a real relay, measured |
//! | `test` | `test/`: everything a change must pass, in one command |
//! | `bundle` | `bundle.rs`: the `.clap` and the `.vst3` in `bundles/out` |
//! | `machine` | `machine/`: a command beside a real ALSA sequencer, in a virtual machine |
//! | `tidy` | `tidy/`: the rules of the code base that the compiler does not check |
//! | `sim`, `bench` | `programs.rs`: the two measuring programs of `tests`, built and started |
//! | `score` | `jam/score.rs`: writes the committed MIDI file again from its readable score |
//!
//! What has to be installed for each of them is listed once, in `install.rs`. This crate depends on no other
//! crate of the workspace, so that `tidy` and `test` start when one of those does not compile.
#![expect(clippy::print_stdout, reason = "a command line program talks on its standard output")]

mod bundle;
mod install;
mod jam;
mod machine;
mod numbers;
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
    /// Let players make real music together through a relay on this machine, and measure it
    Jam(jam::Options),
    /// Run everything that a change must pass
    Test(test::Options),
    /// Build the plugin and lay out bundles/out/Lockstep.clap and Lockstep.vst3
    Bundle(bundle::Options),
    /// Run a command beside a real ALSA sequencer, in a virtual machine: cargo xtask machine aconnect -l
    Machine(machine::Options),
    /// Check the rules of the code base that the compiler does not
    Tidy(tidy::Options),
    /// Run a simulated session: cargo xtask sim -- --help tells more
    Sim(programs::SimOptions),
    /// Print one table of figures against their goals: cargo xtask bench relay
    Bench(programs::BenchOptions),
    /// Write xtask/music/lockstep-jam.mid again from the score in xtask/src/jam/score.rs
    Score,
}

fn main() -> ExitCode {
    let outcome = match CommandLine::parse().task {
        Task::Jam(options) => jam::run(&options),
        Task::Test(options) => test::run(&options),
        Task::Bundle(options) => bundle::run(&options),
        Task::Machine(options) => machine::run(&options),
        Task::Tidy(options) => tidy::run(&options),
        Task::Sim(options) => programs::sim(&options),
        Task::Bench(options) => programs::bench(&options),
        Task::Score => jam::write_score(),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
