//! RTP-MIDI at the real binary on real sockets. Participants are rooms of their own: a [`Bridge`] that invites.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![cfg(unix)]

use core::net::SocketAddr;
use std::io::{BufRead as _, BufReader};
use std::net::UdpSocket;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use lockstep_relay::bridge::{Bridge, BridgeSettings, Source};
use lockstep_relay::grid::Grid;
use lockstep_relay::shell::clock;
use lockstep_shared::midi::message::{Message, Voice};
use lockstep_shared::rtpmidi::control::{Control, Greeting, Ssrc, Token};
use lockstep_shared::rtpmidi::name::Name;
use lockstep_shared::rtpmidi::session::{Policy, Port};
use lockstep_shared::time::{LocalTime, Span};
use tempfile::TempDir;

/// What anything may take on a busy machine.
const SOON: Span = Span::from_millis(10_000);

/// A relay with one room, in a folder of its own; both go with the test.
struct Relay {
    child: Child,
    folder: TempDir,
    /// The control port.
    address: SocketAddr,
}

impl Relay {
    fn start(who: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = free_pair()[0].local_addr().unwrap();
        let text = format!(
            "[midi]\nsequencer = false\n[[room]]\nname = \"studio\"\n[room.midi]\nport = {}\nwho = \"{who}\"\n",
            address.port()
        );
        let file = folder.path().join("relay.toml");
        std::fs::write(&file, text).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_lockstep-relay"))
            .args(["--listen", "127.0.0.1:0", "--log", "error", "--config"])
            .arg(&file)
            .arg("--state")
            .arg(folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let relay = Self { child, folder, address };
        // It prints its invites first, and then answers admins.
        let until = clock::now() + SOON;
        while relay.ask(&["status"]).is_err() && clock::now() < until {
            std::thread::park_timeout(Duration::from_millis(10));
        }
        relay
    }

    /// Asks it as admins do; what it says if it does as told, or why not.
    fn ask(&self, arguments: &[&str]) -> Result<String, String> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lockstep-relay"));
        let output = command.arg("--state").arg(self.folder.path()).args(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
    }

    /// The line of its status that begins with this participant.
    fn line_of(&self, name: &str) -> Option<String> {
        let status = self.ask(&["status"]).unwrap();
        status.lines().find(|line| line.trim_start().starts_with(&format!("\"{name}\""))).map(str::to_owned)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A participant on real sockets, stepped by the test.
struct Participant {
    bridge: Bridge,
    grid: Grid,
    sockets: [UdpSocket; 2],
    /// What the others play, and when it came.
    heard: Vec<(LocalTime, Message)>,
}

impl Participant {
    fn new(name: &str, room: SocketAddr) -> Self {
        let now = clock::now();
        let grid = Grid::starting_at(now);
        let session = Some((Name::new(name), Policy::nobody()));
        let invite = vec![(room, Name::default())];
        let settings = BridgeSettings { session, invite, ..BridgeSettings::default() };
        let mut seed = [0; 32];
        seed[..name.len()].copy_from_slice(name.as_bytes());
        Self {
            bridge: Bridge::new(settings, grid, &seed, now),
            grid,
            sockets: free_pair(),
            heard: Vec::new(),
        }
    }

    fn turn(&mut self) {
        let mut buffer = [0; 2_048];
        for (socket, port) in self.sockets.iter().zip([Port::Control, Port::Data]) {
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                self.bridge.handle_datagram(clock::now(), port, from, &buffer[..length]);
            }
        }
        let now = clock::now();
        self.bridge.handle_timeout(now);
        while let Some(passed) = self.bridge.poll_passed(now) {
            if passed.from != Some(Source::RoomPort) {
                self.heard.push((now, passed.message));
            }
        }
        let mut out = Vec::new();
        while let Some((port, to)) = self.bridge.poll_transmit(now, &mut out) {
            // A loopback that is full loses what a network may lose.
            let _ = self.sockets[usize::from(port == Port::Data)].send_to(&out, to);
        }
    }

    fn play(&mut self, bytes: &[u8]) {
        let now = clock::now();
        self.bridge.take(now, Source::RoomPort, self.grid.position(now), message(bytes));
        self.turn();
    }

    fn is_here(&self) -> bool {
        self.bridge.status(clock::now()).participants.iter().any(|other| other.state == "here")
    }

    fn has_heard(&self, bytes: &[u8]) -> bool {
        self.heard.iter().any(|(_, heard)| *heard == message(bytes))
    }

    /// Whether the end of this note has come, in whatever words.
    fn has_heard_the_end_of(&self, note: u8) -> bool {
        self.heard.iter().any(|(_, heard)| {
            let Message::Voice(_, voice @ (Voice::NoteOff { note: of, .. } | Voice::NoteOn { note: of, .. })) =
                heard
            else {
                return false;
            };
            voice.is_release() && of.get() == note
        })
    }
}

fn message(bytes: &[u8]) -> Message {
    Message::from_short(bytes).unwrap()
}

/// Two neighbouring ports.
fn free_pair() -> [UdpSocket; 2] {
    let pair = || {
        let control = UdpSocket::bind("127.0.0.1:0").unwrap();
        let data = UdpSocket::bind(("127.0.0.1", control.local_addr().unwrap().port() + 1)).ok()?;
        control.set_nonblocking(true).unwrap();
        data.set_nonblocking(true).unwrap();
        Some([control, data])
    };
    std::iter::repeat_with(pair).take(100).flatten().next().unwrap()
}

/// Gives all a turn until `is_done`; whether it was in time.
fn turn_until(
    all: &mut [&mut Participant],
    within: Span,
    is_done: impl Fn(&[&mut Participant]) -> bool,
) -> bool {
    let until = clock::now() + within;
    while clock::now() < until {
        all.iter_mut().for_each(|one| one.turn());
        if is_done(all) {
            return true;
        }
        std::thread::park_timeout(Duration::from_millis(1));
    }
    false
}

#[test]
fn who_is_admitted_plays_with_the_others_and_leaves_no_note_behind() {
    let relay = Relay::start("approval");
    let (mut keys, mut pads) =
        (Participant::new("Keys", relay.address), Participant::new("Pads", relay.address));
    let is_asking = |name| {
        relay.line_of(name).is_some_and(|line| line.contains(" asking ") && line.contains("127.0.0.1"))
    };
    let both = &mut [&mut keys, &mut pads];
    assert!(
        turn_until(both, SOON, |_| is_asking("Keys") && is_asking("Pads")),
        "{:?}",
        relay.ask(&["status"])
    );
    assert!(relay.ask(&["admit", "studio", "Nobody"]).unwrap_err().contains("nobody in room"));
    for name in ["Keys", "Pads"] {
        relay.ask(&["admit", "studio", name]).unwrap();
    }
    assert!(turn_until(both, SOON, |all| all.iter().all(|one| one.is_here())), "not here after approval");
    assert!(relay.line_of("Keys").unwrap().contains(" here "));

    keys.play(&[0x90, 60, 100]);
    pads.play(&[0x91, 48, 90]);
    let both = &mut [&mut keys, &mut pads];
    let heard =
        turn_until(both, SOON, |all| all[1].has_heard(&[0x90, 60, 100]) && all[0].has_heard(&[0x91, 48, 90]));
    assert!(heard, "{:?} {:?}", keys.heard, pads.heard);
    assert!(keys.heard.len() == 1 && pads.heard.len() == 1, "somebody heard itself");

    // A panic ends what sounds, at all who hear it.
    relay.ask(&["panic", "studio", "Keys"]).unwrap();
    assert!(turn_until(&mut [&mut keys, &mut pads], SOON, |all| all[1].has_heard_the_end_of(60)));
    assert!(!keys.has_heard_the_end_of(48), "what others play goes on");

    // Whoever has shown that it answers, and falls silent with a key down, is ended within six seconds.
    turn_until(&mut [&mut keys, &mut pads], Span::from_millis(2_500), |_| false);
    keys.play(&[0x90, 72, 100]);
    assert!(turn_until(&mut [&mut keys, &mut pads], SOON, |all| all[1].has_heard(&[0x90, 72, 100])));
    let fell_silent = clock::now();
    drop(keys);
    assert!(turn_until(&mut [&mut pads], SOON, |all| all[0].has_heard_the_end_of(72)), "it hangs");
    let took = clock::now() - fell_silent;
    assert!(took < Span::from_millis(6_500), "its note sounded for {took:?} more");
    assert!(relay.line_of("Keys").unwrap().contains(" quiet "), "{:?}", relay.line_of("Keys"));

    // Whoever is sent away is gone.
    relay.ask(&["refuse", "studio", "Pads"]).unwrap();
    assert!(turn_until(&mut [&mut pads], SOON, |all| !all[0].is_here()), "still here");
}

#[test]
fn a_flood_of_invitations_disturbs_nobody_and_another_version_is_refused() {
    let relay = Relay::start("list\"\nlist = [\"Keys\", \"Pads\"]\nname = \"Studio");
    let (mut keys, mut pads) =
        (Participant::new("Keys", relay.address), Participant::new("Pads", relay.address));
    assert!(turn_until(&mut [&mut keys, &mut pads], SOON, |all| all.iter().all(|one| one.is_here())));

    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    stranger.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut bytes = Vec::new();
    let greeting = Greeting { name: Name::new("Keys"), ..Greeting::nameless(Token(5), Ssrc(6)) };
    Control::Invite(Greeting { version: 3, ..greeting }).encode(&mut bytes);
    stranger.send_to(&bytes, relay.address).unwrap();
    let mut answer = [0; 100];
    let (length, from) = stranger.recv_from(&mut answer).unwrap();
    let answer = Control::decode(&answer[..length]).unwrap();
    assert!(
        from == relay.address && matches!(&answer, Control::Refuse(no) if no.token == Token(5)),
        "{answer:?}"
    );

    let mut flooded = 0_u32;
    for note in 0..100 {
        for _ in 0..100 {
            flooded += 1;
            let greeting = Greeting::nameless(Token(flooded), Ssrc(flooded.wrapping_mul(0x9E37_79B9)));
            bytes.clear();
            Control::Invite(Greeting { name: Name::new(&format!("f{flooded}")), ..greeting })
                .encode(&mut bytes);
            // What a full loopback does not take was part of the flood.
            let _ = stranger.send_to(&bytes, relay.address);
        }
        keys.play(&[0x90, note, 100]);
        turn_until(&mut [&mut keys, &mut pads], Span::from_millis(5), |_| false);
    }
    let all = turn_until(&mut [&mut keys, &mut pads], SOON, |all| all[1].heard.len() >= 100);
    let heard: Vec<Message> = pads.heard.iter().map(|(_, message)| message.clone()).collect();
    let played: Vec<Message> = (0..100).map(|note| message(&[0x90, note, 100])).collect();
    assert!(all && heard == played, "{heard:?}");
    assert!(keys.is_here() && pads.is_here());
    for name in ["Keys", "Pads"] {
        assert!(relay.line_of(name).unwrap().contains(" here "));
    }
    let status = relay.ask(&["status"]).unwrap();
    assert_eq!(status.lines().filter(|line| line.starts_with("  \"")).count(), 2, "{status}");
}
