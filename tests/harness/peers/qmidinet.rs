//! `QmidiNet` on the multicast gateway, between JACK and the room, both ways.
//!
//! It runs without a screen, on a JACK server whose device is a dummy, in a group of our own on the loopback. What
//! JACK's sequencer plays is heard by an RTP-MIDI participant of the room, and what that plays is seen by JACK's monitor.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, bail, ensure};
use core::net::SocketAddr;
use lockstep_shared::midi::message::Message;
use lockstep_shared::time::{LocalTime, Span};

use super::multicast::GROUP;
use super::program::Program;
use crate::shell::clock;
use crate::shell::midi_player::{MidiPlayer, free_ports};
use crate::shell::relay_process::RelayProcess;

const GATEWAY_PORT: u16 = 21_972;
/// Always the same: JACK knows eight servers at most, and gives the place of one that was killed to its namesake only.
const SERVER: &str = "lockstep-peers";
const COMES_WITHIN: Span = Span::from_millis(10_000);
/// JACK's sequencer: a loop of a quarter of a second with two notes.
const LOOP: [&str; 7] = ["12000", "0", "60", "3000", "6000", "63", "3000"];
/// Notes and their ends that are heard before it is enough.
const HEARD_MIN: usize = 16;
/// So many other messages go the other way.
const PLAYED: u8 = 24;

/// What went which way.
#[derive(Clone, Copy, Debug, Default)]
pub struct Exchanged {
    /// From JACK to the participant.
    pub from_jack: usize,
    /// From the participant to JACK.
    pub to_jack: usize,
}

/// Lets JACK and a participant of a room play to each other.
///
/// # Errors
/// What did not start, or was not heard as it was played.
pub fn exchange() -> Result<Exchanged> {
    let jack = Jack::start()?;
    let mut bridge = jack.command("qmidinet");
    bridge.args(["-g", "-a", "0", "-j", "1", "-n", "1", "-i", "lo", "-u", &GROUP.to_string()]);
    let _bridge = Program::start(bridge.args(["-p", &GATEWAY_PORT.to_string()]))?;
    jack.wait_for("QmidiNet:in_1")?;
    let control = free_ports()?;
    let _relay = RelayProcess::with_configuration(&format!(
        "[midi]\nport = {control}\nsequencer = false\n[[room]]\nname = \"studio\"\n[room.midi]\nwho = \"anyone\"\n\
         multicast = {{ group = \"{GROUP}\", port = {GATEWAY_PORT}, interface = \"127.0.0.1\" }}\n",
    ))?;
    let mut player = MidiPlayer::new("keys", SocketAddr::from(([127, 0, 0, 1], control)), 1)?;
    turn_until(&mut player, COMES_WITHIN, |player| player.peer.is_here());
    ensure!(player.peer.is_here(), "the participant did not come in");
    let from_jack = from_jack(&jack, &mut player)?;
    let to_jack = to_jack(&jack, &mut player)?;
    Ok(Exchanged { from_jack, to_jack })
}

/// JACK's sequencer plays.
fn from_jack(jack: &Jack, player: &mut MidiPlayer) -> Result<usize> {
    let _sequencer = Program::start(jack.command("jack_midiseq").arg("sequencer").args(LOOP))?;
    jack.wait_for("sequencer:out")?;
    jack.connect("sequencer:out", "QmidiNet:in_1")?;
    turn_until(player, COMES_WITHIN, |player| player.peer.heard.len() >= HEARD_MIN);
    let heard: Vec<Vec<u8>> = player.peer.heard.iter().map(|heard| bytes(&heard.message)).collect();
    ensure!(heard.len() >= HEARD_MIN, "{} messages of JACK's sequencer were heard", heard.len());
    let order = [(0x90, 60), (0x80, 60), (0x90, 63), (0x80, 63)];
    let first = order.iter().position(|place| [heard[0][0], heard[0][1]] == <[u8; 2]>::from(*place));
    let Some(first) = first else { bail!("{:02x?} was heard first", heard[0]) };
    for (message, (status, note)) in heard.iter().zip(order.iter().cycle().skip(first)) {
        ensure!(message[..2] == [*status, *note], "out of order: {heard:02x?}");
    }
    Ok(heard.len())
}

/// The participant plays.
fn to_jack(jack: &Jack, player: &mut MidiPlayer) -> Result<usize> {
    let monitor = Program::start(jack.command("jack_midi_dump").arg("monitor"))?;
    jack.wait_for("monitor:input")?;
    jack.connect("QmidiNet:out_1", "monitor:input")?;
    let mut seen = 0;
    for number in 0..PLAYED {
        let message = match number % 4 {
            0 => vec![0x90 | (number % 16), 30 + number, 100],
            1 => vec![0xB0 | (number % 16), 7, number],
            2 => vec![0xE0 | (number % 16), number, 64],
            _ => vec![0xC0 | (number % 16), number],
        };
        let Some(played) = Message::from_short(&message) else { bail!("no message: {message:02x?}") };
        ensure!(player.peer.play(clock::now(), &played), "the participant is gone");
        let wanted: Vec<String> = message.iter().map(|byte| format!("{byte:02x}")).collect();
        let wanted = wanted.join(" ");
        // A participant that only waited would neither send, were it kept from running, nor be taken for alive.
        let mut line = String::new();
        turn_until(player, COMES_WITHIN, |_| {
            line = monitor.line(Span::ZERO).unwrap_or_default();
            !line.trim().is_empty()
        });
        ensure!(line.to_lowercase().contains(&wanted), "{wanted:?} was played, and {line:?} seen");
        seen += 1;
    }
    Ok(seen)
}

fn bytes(message: &Message) -> Vec<u8> {
    let mut bytes = Vec::new();
    message.encode(&mut bytes);
    bytes
}

fn turn_until(player: &mut MidiPlayer, time: Span, mut is_done: impl FnMut(&MidiPlayer) -> bool) {
    let until: LocalTime = clock::now() + time;
    while clock::now() < until && !is_done(player) {
        player.turn();
        clock::sleep_until(clock::now() + Span::from_millis(1));
    }
}

/// A JACK server of our own, and a home for the programs that use it.
struct Jack {
    home: PathBuf,
    server: Option<Program>,
}

impl Jack {
    fn start() -> Result<Self> {
        let home = std::env::temp_dir().join(format!("{SERVER}-{}", std::process::id()));
        std::fs::create_dir_all(&home)?;
        let mut jack = Self { home, server: None };
        let mut server = jack.command("jackd");
        // Synchronous: a client that the machine is late with is waited for, and misses nothing.
        server.args(["-n", SERVER, "-r", "-S", "-t", "500", "-d", "dummy", "-r", "48000", "-p", "1024"]);
        jack.server = Some(Program::start(&mut server)?);
        jack.wait_for("system:playback_1")?;
        Ok(jack)
    }

    /// A program that uses the server and no screen.
    fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.env("JACK_DEFAULT_SERVER", SERVER).env("JACK_NO_AUDIO_RESERVATION", "1");
        command.env("JACK_NO_START_SERVER", "1").env("QT_QPA_PLATFORM", "offscreen");
        for folder in ["HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"] {
            command.env(folder, &self.home);
        }
        command.stderr(Stdio::null());
        command
    }

    fn wait_for(&self, port: &str) -> Result<()> {
        ensure!(self.has_ports(|ports| ports.lines().any(|line| line == port))?, "JACK has no port {port}");
        Ok(())
    }

    /// Waits for ports as wanted; returns whether they came.
    fn has_ports(&self, is_it: impl Fn(&str) -> bool) -> Result<bool> {
        let until = clock::now() + COMES_WITHIN;
        loop {
            // A server that has stuck would be asked for ever.
            let listed = self.command("timeout").args(["5", "jack_lsp"]).stdin(Stdio::null()).output()?;
            if is_it(&String::from_utf8_lossy(&listed.stdout)) {
                return Ok(true);
            }
            if clock::now() >= until {
                return Ok(false);
            }
            clock::sleep_until(clock::now() + Span::from_millis(50));
        }
    }

    fn connect(&self, from: &str, to: &str) -> Result<()> {
        let status = self.command("jack_connect").args([from, to]).stdin(Stdio::null()).status()?;
        ensure!(status.success(), "JACK does not connect {from} with {to}");
        Ok(())
    }
}

impl Drop for Jack {
    fn drop(&mut self) {
        // A server that is asked to end before it has seen a client's end hangs.
        let _ = self.has_ports(|ports| ports.lines().all(|line| line.starts_with("system:")));
        drop(self.server.take());
        let _ = std::fs::remove_dir_all(&self.home);
    }
}
