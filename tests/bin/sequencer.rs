//! `lockstep-sequencer`: a room in which one member leads and one follows, on this machine, and what `aseqdump` hears of the
//! follower's MIDI clock through ALSA's sequencer. Exits with 3 where there is no sequencer to try it with.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, Result, ensure};
use lockstep_plugin::engine::Role;
use lockstep_plugin::status::Part;
use lockstep_shared::time::Span;
use lockstep_tests::oracle::Source;
use lockstep_tests::shell::clock;
use lockstep_tests::shell::relay_process::RelayProcess;
use lockstep_tests::shell::runner::{Playing, RunningMember, SeatedMember};

/// How long the room plays.
const SPAN: Span = Span::from_millis(12_000);
/// By then the follower has joined and opened its port.
const PORT_WITHIN: Span = Span::from_millis(5_000);
const NO_SEQUENCER: u8 = 3;

fn main() -> ExitCode {
    if !std::path::Path::new("/dev/snd/seq").exists() {
        print("no sequencer: /dev/snd/seq is not there");
        return ExitCode::from(NO_SEQUENCER);
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print(&format!("lockstep-sequencer: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let relay = RelayProcess::start()?;
    let playing = |player| Playing::only(Source::Noise { player }, 512, SPAN);
    let leader =
        RunningMember::start(&relay.invite, 1, Playing { role: Role::Lead, bpm: Some(120.0), ..playing(1) })?;
    ensure!(!ports()?.contains("Lockstep Clock"), "the port is there before anybody follows");
    let follower = SeatedMember::start(&relay.invite, Playing { role: Role::Follow, ..playing(2) })?;
    let until = clock::now() + PORT_WITHIN;
    while !ports()?.contains("Lockstep Clock") {
        ensure!(clock::now() < until, "no port \"Lockstep Clock\"; aconnect lists:\n{}", ports()?);
        clock::sleep_until(clock::now() + Span::from_millis(50));
    }
    ports()?.lines().skip_while(|line| !line.contains("'Lockstep'")).take(2).for_each(print);
    let mut listener = Command::new("aseqdump")
        .args(["-p", "Lockstep"])
        .stdout(Stdio::piped())
        .spawn()
        .context("aseqdump does not start")?;
    let heard = listener.stdout.take().context("aseqdump has no output")?;
    let heard = std::thread::spawn(move || -> Vec<String> {
        BufReader::new(heard).lines().map_while(Result::ok).collect()
    });
    let shown = follower.join().context("the follower failed")?;
    leader.join().context("the leader failed")?;
    // What was sent last is on its way.
    clock::sleep_until(clock::now() + Span::from_millis(500));
    let is_gone = !ports()?.contains("Lockstep Clock");
    listener.kill()?;
    listener.wait()?;
    let heard = heard.join().ok().context("nobody read what aseqdump heard")?;
    report(&heard);
    print(&format!("{shown:?}"));
    ensure!(shown.musical.part == Part::Follows, "the editor shows {:?}", shown.musical);
    ensure!(is_gone, "the port is there after the link has ended");
    Ok(())
}

fn report(heard: &[String]) {
    heard.iter().for_each(|line| print(line));
}

/// What `aconnect -l` lists.
fn ports() -> Result<String> {
    let listed = Command::new("aconnect").arg("-l").output().context("aconnect does not start")?;
    Ok(String::from_utf8_lossy(&listed.stdout).into_owned())
}

#[expect(clippy::print_stdout, reason = "what was heard is what this program is for")]
fn print(line: &str) {
    println!("{line}");
}
