//! A room in which one member leads and one follows, on this machine, and what `aseqdump` hears of the follower's MIDI
//! clock.
//!
//! It checks what is heard and in which order, not when: see `cargo xtask bench clock-output` for that.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use lockstep_shared::time::Span;
use lockstep_tests::shell::clock;
use lockstep_tests::shell::conductor::{Conductor, follow};
use lockstep_tests::shell::relay_process::RelayProcess;

use crate::programs::ports;
use crate::{print, wait};

const PORT: &str = "Lockstep Clock";
/// From the follower's beginning to its port.
const PORT_WITHIN: Span = Span::from_millis(10_000);
/// How long `aseqdump` listens. At 120 BPM that is 480 ticks, those before the beginning included.
const LISTEN: Span = Span::from_millis(10_000);
/// Fewer ticks from the beginning on are not a clock that ran all the time: it begins within four seconds.
const TICKS_MIN: usize = 280;

pub(crate) fn run() -> Result<()> {
    let relay = RelayProcess::start()?;
    ensure!(!ports()?.contains(PORT), "{PORT:?} is there before anybody follows");
    // The follower is there first: it hears the beginning.
    let (follower, audio_end) = follow(&relay.invite)?;
    let until = clock::now() + PORT_WITHIN;
    while !ports()?.contains(PORT) {
        let notices = follower.status().notices;
        ensure!(clock::now() < until, "no port {PORT:?}: {notices:?}; aconnect lists:\n{}", ports()?);
        wait(Span::from_millis(50));
    }
    ports()?.lines().skip_while(|line| !line.contains("'Lockstep'")).take(2).for_each(print);
    let mut listener = Command::new("aseqdump")
        .args(["-p", "Lockstep"])
        .stdout(Stdio::piped())
        .spawn()
        .context("aseqdump does not start")?;
    let lines = listener.stdout.take().context("aseqdump has no output")?;
    let lines =
        std::thread::spawn(move || BufReader::new(lines).lines().map_while(Result::ok).collect::<Vec<_>>());
    wait(Span::from_millis(500));
    let leader = Conductor::start(&relay.invite, 1, 120.0)?;
    wait(LISTEN);
    let shown = follower.status();
    drop((follower, audio_end));
    drop(leader);
    wait(Span::from_millis(500));
    let is_closed = !ports()?.contains(PORT);
    listener.kill()?;
    listener.wait()?;
    let heard = lines.join().ok().context("nobody read what aseqdump heard")?;
    report(&heard)?;
    print(&format!("the follower's editor: {:?} {:?}", shown.musical, shown.notices));
    ensure!(is_closed, "{PORT:?} is there after the link has ended");
    print("the port is gone with the link");
    Ok(())
}

/// Prints what was heard, and sees that it is a clock: one beginning, its ticks, one end.
fn report(heard: &[String]) -> Result<()> {
    let events: Vec<&str> = heard.iter().filter_map(|line| event(line)).collect();
    let runs = events.chunk_by(|one, other| one == other);
    let told: Vec<String> = runs
        .map(|run| if run.len() == 1 { run[0].to_owned() } else { format!("{} x {}", run.len(), run[0]) })
        .collect();
    print(&format!("aseqdump heard: {}", told.join(", ")));
    let count = |wanted: &[&str]| events.iter().filter(|event| wanted.contains(event)).count();
    ensure!(count(&["Start", "Continue"]) == 1, "not one beginning");
    ensure!(count(&["Stop"]) == 1 && events.last() == Some(&"Stop"), "not one end");
    let begun = events.iter().position(|event| ["Start", "Continue"].contains(event)).unwrap_or(0);
    let ticks = events[begun..].iter().filter(|event| **event == "Clock").count();
    ensure!(ticks >= TICKS_MIN, "{ticks} ticks in {:.0} s", LISTEN.secs_f64());
    Ok(())
}

/// What a line of `aseqdump` says of the port, if anything: "128:0   Song position pointer      value 16".
fn event(line: &str) -> Option<&'static str> {
    ["Clock", "Start", "Continue", "Stop", "Song position pointer"]
        .into_iter()
        .find(|event| line.split_once("  ").is_some_and(|(_, said)| said.trim_start().starts_with(event)))
}
