//! `lockstep-bench NAME [--json FILE] [--quick]`: prints one table of figures against their goals, writes them as one
//! flat JSON object if asked, and succeeds only if every row holds.
#![expect(clippy::print_stdout, reason = "a command line program talks on its standard output")]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use lockstep_tests::figures::clock::clock_figures;
use lockstep_tests::figures::drift::drift_figures;
use lockstep_tests::figures::relay::relay_figures;
use lockstep_tests::figures::{Figure, Length};

#[derive(Debug, Parser)]
#[command(name = "lockstep-bench")]
struct CommandLine {
    /// Which table
    name: Table,
    /// Also write the figures as one flat JSON object
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Fewer repetitions: a smoke test, not a measurement
    #[arg(long)]
    quick: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Table {
    /// The room's clock
    Clock,
    /// Hours of two crystals that disagree
    Drift,
    /// What the relay costs
    Relay,
}

fn main() -> Result<ExitCode, std::io::Error> {
    let line = CommandLine::parse();
    let length = if line.quick { Length::Quick } else { Length::Full };
    let figures = match line.name {
        Table::Clock => clock_figures(length),
        Table::Drift => drift_figures(length),
        Table::Relay => relay_figures(length)?,
    };
    for figure in &figures {
        println!("{figure}");
    }
    if let Some(file) = line.json {
        std::fs::write(file, json(&figures))?;
    }
    Ok(if figures.iter().all(Figure::holds) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Names are ours and figures finite or not: JSON has no word for the latter, so they become null.
fn json(figures: &[Figure]) -> String {
    let number = |value: f64| if value.is_finite() { value.to_string() } else { "null".to_owned() };
    let rows: Vec<_> =
        figures.iter().map(|row| format!("  \"{}\": {}", row.name, number(row.measured))).collect();
    format!("{{\n{}\n}}\n", rows.join(",\n"))
}
