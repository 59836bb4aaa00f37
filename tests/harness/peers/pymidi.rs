//! pymidi as a participant that the relay invites: what enters through the multicast gateway arrives there in order.
//!
//! pymidi answers invitations and clocks, with a number of its own on each port; it acknowledges nothing, repairs
//! nothing and plays nothing. It knows notes, pressure on keys and controllers. A packet whose journal it cannot read it
//! leaves out whole.

use std::ffi::OsStr;
use std::process::Command;

use anyhow::{Context as _, Error, Result, ensure};
use lockstep_shared::time::Span;

use super::multicast::{GROUP, Speaker};
use super::program::Program;
use crate::shell::clock;
use crate::shell::midi_player::free_ports;
use crate::shell::relay_process::RelayProcess;

const SERVER: &str = include_str!("pymidi.py");
const GATEWAY_PORT: u16 = 21_971;
/// The relay invites at once, and again each second.
const COMES_WITHIN: Span = Span::from_millis(10_000);
const HEARD_WITHIN: Span = Span::from_millis(3_000);

/// What was heard.
#[derive(Clone, Debug)]
pub struct Heard {
    /// Messages, all in order.
    pub messages: usize,
    /// What the relay says of the participant.
    pub status: String,
}

/// Has pymidi, run by `python`, hear what is played.
///
/// # Errors
/// What was not heard, or otherwise than it was played.
pub fn hear(python: &OsStr) -> Result<Heard> {
    let port = free_ports()?;
    let server = Program::start(Command::new(python).args(["-c", SERVER, &port.to_string()]))?;
    server.line_that("that it listens", COMES_WITHIN, |line| line == "listening")?;
    let relay = RelayProcess::with_configuration(&format!(
        "[midi]\nport = {}\nsequencer = false\n[[room]]\nname = \"studio\"\n[room.midi]\nwho = \"nobody\"\n\
         invite = [\"127.0.0.1:{port}\"]\n\
         multicast = {{ group = \"{GROUP}\", port = {GATEWAY_PORT}, interface = \"127.0.0.1\" }}\n",
        free_ports()?,
    ))?;
    server.line_that("that the room came", COMES_WITHIN, |line| line == "connected studio")?;
    let until = clock::now() + COMES_WITHIN;
    while !relay.ask(&["status"])?.map_err(Error::msg)?.contains(" here ") {
        ensure!(clock::now() < until, "pymidi is not here: {}", relay.ask(&["status"])?.map_err(Error::msg)?);
        clock::sleep_until(clock::now() + Span::from_millis(50));
    }
    let speaker = Speaker::new(GATEWAY_PORT)?;
    let mut messages = 0;
    for (pause, played) in music() {
        clock::sleep_until(clock::now() + pause);
        for message in &played {
            speaker.say(message)?;
        }
        for message in &played {
            let words: Vec<String> = message.iter().map(u8::to_string).collect();
            let wanted = format!("command {}", words.join(" "));
            let line = server.line(HEARD_WITHIN).with_context(|| format!("{wanted:?} was not heard"))?;
            ensure!(line == wanted, "{wanted:?} was played as number {messages}, and {line:?} heard");
            messages += 1;
        }
    }
    let more = server.rest(Span::from_millis(500));
    ensure!(more.is_empty(), "heard beyond what was played: {more:?}");
    let status = relay.ask(&["status"])?.map_err(Error::msg)?;
    relay.end()?;
    server.line_that("that the room has gone", COMES_WITHIN, |line| line == "disconnected studio")?;
    Ok(Heard { messages, status })
}

/// Messages that go together, after pauses of every kind: the journal is another one each time.
fn music() -> Vec<(Span, Vec<Vec<u8>>)> {
    let mut music = Vec::new();
    let pauses = [0, 1, 3, 10, 35, 120, 400, 700];
    for (channel, pause) in (0_u8..16).zip(pauses.iter().cycle()) {
        let pause = Span::from_millis(*pause);
        let note = 40 + channel * 3;
        music.push((pause, vec![vec![0x90 | channel, note, 100]]));
        music.push((pause, vec![vec![0xB0 | channel, 7, 90 + channel], vec![0xB0 | channel, 10, channel]]));
        music.push((pause, vec![vec![0xA0 | channel, note, 33]]));
        music.push((pause, vec![vec![0x80 | channel, note, 64]]));
    }
    // A chord in one go, and its end; a pedal in between.
    let chord = |status, velocity| [48, 55, 60, 64, 67].map(|note| vec![status, note, velocity]).to_vec();
    music.push((Span::from_millis(500), chord(0x90, 80)));
    music.push((Span::from_millis(50), vec![vec![0xB0, 64, 127]]));
    music.push((Span::from_millis(50), chord(0x80, 0)));
    music.push((Span::from_millis(900), vec![vec![0xB0, 64, 0]]));
    music
}
