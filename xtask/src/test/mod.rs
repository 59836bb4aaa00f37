//! `cargo xtask test`: everything that a change must pass, in one command, the same here and in CI.
//!
//! The steps are a table ([`steps::ALL`]) and run in its order, the quick ones first. Each prints its name and
//! how long it took; the first that fails ends the run unless `--keep-going`. Nothing is skipped in silence: a
//! step that cannot run has failed. The exceptions are the one build that needs a target which is not part of a normal
//! toolchain, what needs ALSA's sequencer where neither this system nor a virtual machine has one, and programs of
//! others to play with that cannot be installed: they say that they did not run, and why.

mod midi;
mod sequencer;
mod steps;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::shell::now;
use steps::{Outcome, Step};

/// Run everything that a change must pass.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// Run this step alone; may be given more than once
    #[arg(long, value_name = "STEP")]
    only: Vec<String>,
    /// Go on after a step has failed
    #[arg(long)]
    keep_going: bool,
    /// List the steps and what each is for
    #[arg(long)]
    list: bool,
}

struct Finished {
    name: &'static str,
    result: Result<Outcome>,
    took: Duration,
}

pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    if options.list {
        for step in steps::ALL {
            println!("{:<10} {}", step.name, step.about);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let chosen = choose(&options.only)?;
    let mut finished: Vec<Finished> = Vec::new();
    for step in &chosen {
        println!("\n=== {} ({} of {}): {}", step.name, finished.len() + 1, chosen.len(), step.about);
        let start = now();
        let result = (step.run)();
        let took = start.elapsed();
        match &result {
            Ok(Outcome::Passed) => println!("=== {} passed in {}", step.name, seconds(took)),
            Ok(Outcome::NotRun(why)) => println!("=== {} passed in {}; {why}", step.name, seconds(took)),
            Err(error) => println!("=== {} FAILED after {}: {error:#}", step.name, seconds(took)),
        }
        let stop = result.is_err() && !options.keep_going;
        finished.push(Finished { name: step.name, result, took });
        if stop {
            break;
        }
    }
    Ok(summarise(&chosen, &finished))
}

fn choose(only: &[String]) -> Result<Vec<&'static Step>> {
    if only.is_empty() {
        return Ok(steps::ALL.iter().collect());
    }
    let find = |name: &String| match steps::ALL.iter().find(|step| step.name == name) {
        Some(step) => Ok(step),
        None => bail!("no step `{name}`; `cargo xtask test --list` names them"),
    };
    only.iter().map(find).collect()
}

fn summarise(chosen: &[&'static Step], finished: &[Finished]) -> ExitCode {
    println!("\nsummary");
    for Finished { name, result, took } in finished {
        let said = match result {
            Ok(Outcome::Passed) => "passed".to_owned(),
            Ok(Outcome::NotRun(why)) => format!("passed; {why}"),
            Err(error) => format!("FAILED: {error:#}"),
        };
        println!("  {name:<10} {:>8}  {said}", seconds(*took));
    }
    for step in chosen.iter().skip(finished.len()) {
        println!("  {:<10} {:>8}  not reached, an earlier step failed", step.name, "");
    }
    let total: Duration = finished.iter().map(|step| step.took).sum();
    println!("  {:<10} {:>8}", "total", seconds(total));
    let passed = finished.iter().filter(|step| step.result.is_ok()).count();
    let failed = finished.len() - passed;
    println!("{passed} passed, {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn seconds(took: Duration) -> String {
    format!("{:.1} s", took.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_named_once_and_chosen_by_name() {
        for step in steps::ALL {
            let chosen = choose(&[step.name.to_owned()]).unwrap();
            assert_eq!(chosen[0].about, step.about, "{} names two steps", step.name);
        }
        assert!(choose(&["no-such-step".to_owned()]).is_err());
    }
}
