//! A room's ports and those of its participants, who are outside: what is played arrives everywhere, nothing hangs, and
//! connections are as the rules say.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use lockstep_shared::time::Span;
use lockstep_tests::shell::clock;
use lockstep_tests::shell::relay_process::RelayProcess;

use crate::keyboard::Keyboard;
use crate::outside::Outside;
use crate::programs::{Listener, address, ports, run as run_program};
use crate::{print, wait};

/// Nothing here takes longer, even in an emulated machine.
const WITHIN: Span = Span::from_millis(10_000);
/// From a participant's last word to the end of its notes.
const SILENCED_WITHIN: Span = Span::from_millis(7_500);
/// What the rules say: two lines each.
const RULES: &str = "# The keyboard plays into Ada's port, and hears her.\n\
                     Keyboard:keys$\n    Lockstep:Ada$\n\
                     @exact\nLockstep:Ada\n    Keyboard:keys\n";
const FEWER_RULES: &str = "@exact\nLockstep:Ada\n    Keyboard:keys\n";
const BROKEN_RULES: &str = "Keyboard:keys$\n    Lockstep:(Ada$\n";
/// What `aplaymidi` plays, and how `aseqdump` writes it.
const SONG: [(&[u8], &str); 8] = [
    (&[0x90, 60, 100], "Note on 0, note 60, velocity 100"),
    (&[0xC0, 5], "Program change 0, program 5"),
    (&[0x80, 60, 64], "Note off 0, note 60, velocity 64"),
    (&[0xB0, 7, 99], "Control change 0, controller 7, value 99"),
    (&[0xE0, 0, 32], "Pitch bend 0, value -4096"),
    (&[0xD3, 9], "Channel aftertouch 3, value 9"),
    (&[0xA3, 1, 2], "Polyphonic aftertouch 3, note 1, value 2"),
    (&[0x93, 1, 2], "Note on 3, note 1, velocity 2"),
];
/// What ends what the song has left sounding, when `aplaymidi` has gone.
const SONG_END: [(&[u8], &str); 3] = [
    (&[0xE0, 0, 64], "Pitch bend 0, value 0"),
    (&[0x83, 1, 64], "Note off 3, note 1, velocity 64"),
    (&[0xD3, 0], "Channel aftertouch 3, value 0"),
];
/// Bytes inside of the exclusive message that ends the song but for its last note.
const EXCLUSIVE_BYTES: usize = 2_500;

pub(crate) fn run(outside: SocketAddr, midi_port: u16) -> Result<()> {
    let rules = RulesFile::write(RULES)?;
    let keyboard = Keyboard::open()?;
    let relay = RelayProcess::configured(&format!(
        "[midi]\nport = {midi_port}\nrules = {:?}\n[[room]]\nname = \"studio\"\n[room.midi]\nwho = \"anyone\"\n",
        rules.0
    ))?;
    let mut outside = Outside::connect(outside)?;
    for name in ["Ada", "Bob"] {
        outside.tell(&format!("join {name}"))?;
    }
    let room = port("studio")?;
    let ada = port("Ada")?;
    let bob = port("Bob")?;
    print(&format!("ports: the room {room}, Ada {ada}, Bob {bob}"));
    let listeners = [Listener::start("the room's port", &room)?, Listener::start("Ada's port", &ada)?];
    song(&mut outside, &listeners[0], &bob)?;
    by_rule(&mut outside, &keyboard, &listeners[0])?;
    let bob_hears = Listener::start("Bob's port", &bob)?;
    lost(&mut outside, &listeners, &bob_hears)?;
    drop(bob_hears);
    returned(&mut outside, &relay, &listeners, &ada)?;
    rules_change(&relay, &rules, &room)
}

/// `aplaymidi` into a participant's port, to the participants and to `aseqdump`.
fn song(outside: &mut Outside, at_room: &Listener, into: &str) -> Result<()> {
    let file = std::env::temp_dir().join(format!("lockstep-song-{}.mid", std::process::id()));
    std::fs::write(&file, standard_file())?;
    let played = run_program("aplaymidi", &["-p", into, &file.to_string_lossy()]);
    let _ = std::fs::remove_file(&file);
    played?;
    let exclusive = exclusive();
    let last = SONG.len() - 1;
    let mut wanted: Vec<String> = SONG.iter().map(|(bytes, _)| digits(bytes)).collect();
    wanted.insert(last, digits(&exclusive));
    wanted.extend(SONG_END.iter().map(|(bytes, _)| digits(bytes)));
    for name in ["Ada", "Bob"] {
        let mut heard = outside.heard(name, wanted.len())?;
        // On the network notes do not wait for a dump that is sent in parts.
        for all in [&mut heard, &mut wanted] {
            all.sort_by_key(|message| message.starts_with("f0"));
        }
        ensure!(heard == wanted, "{name} heard {:?}\nand not {:?}", short(&heard), short(&wanted));
    }
    for (_, said) in &SONG[..last] {
        at_room.expect(said, WITHIN)?;
    }
    let mut bytes = Vec::new();
    while bytes.last() != Some(&0xF7) {
        let said = at_room.next(clock::now() + WITHIN)?;
        let piece = said.strip_prefix("System exclusive").with_context(|| format!("{said:?} in between"))?;
        for byte in piece.split_whitespace() {
            bytes.push(u8::from_str_radix(byte, 16)?);
        }
    }
    ensure!(bytes == exclusive, "{} bytes heard of {}", bytes.len(), exclusive.len());
    for (_, said) in SONG[last..].iter().chain(&SONG_END) {
        at_room.expect(said, WITHIN)?;
    }
    print(&format!(
        "aplaymidi into Bob's port: {} messages, {} bytes of one, at Ada, at Bob and at aseqdump, and what it left sounding ended",
        wanted.len(),
        bytes.len()
    ));
    Ok(())
}

/// What a rule connected carries: the keyboard plays into Ada's port.
fn by_rule(outside: &mut Outside, keyboard: &Keyboard, at_room: &Listener) -> Result<()> {
    let messages: [(&[u8], &str); 4] = [
        (&[0xF3, 9], "Song select value 9"),
        (&[0xF6], "Tune request"),
        (&[0xFF], "Reset"),
        (&[0x95, 64, 3], "Note on 5, note 64, velocity 3"),
    ];
    for (bytes, said) in &messages {
        keyboard.play(bytes)?;
        at_room.expect(said, WITHIN)?;
    }
    keyboard.play(&[0x85, 64, 3])?;
    at_room.expect("Note off 5, note 64, velocity 3", WITHIN)?;
    let mut wanted: Vec<String> = messages.iter().map(|(bytes, _)| digits(bytes)).collect();
    wanted.push("854003".to_owned());
    for name in ["Ada", "Bob"] {
        let heard = outside.heard(name, wanted.len())?;
        ensure!(heard == wanted, "{name} heard {heard:?} of the keyboard, and not {wanted:?}");
    }
    print("a keyboard that a rule connects: song select, tune request, reset and a note, everywhere");
    Ok(())
}

/// A note of a participant that is lost ends.
fn lost(outside: &mut Outside, listeners: &[Listener], at_other: &Listener) -> Result<()> {
    outside.tell("play Ada 90436a")?;
    for listener in listeners {
        listener.expect("Note on 0, note 67, velocity 106", WITHIN)?;
    }
    let heard = outside.heard("Bob", 1)?;
    ensure!(heard == ["90436a"], "Bob heard {heard:?}");
    outside.tell("lose Ada")?;
    let begin = clock::now();
    for listener in listeners {
        listener.expect("Note off 0, note 67, velocity 64", SILENCED_WITHIN)?;
    }
    let took = clock::now() - begin;
    let heard = outside.heard("Bob", 1)?;
    ensure!(heard == ["804340"], "Bob heard {heard:?}");
    // What she plays is at her port, and at no other participant's.
    outside.tell("play Bob 900102")?;
    at_other.expect("Note on 0, note 1, velocity 2", WITHIN)?;
    outside.tell("play Bob 800140")?;
    at_other.expect("Note off 0, note 1, velocity 64", WITHIN)?;
    for said in ["Note on 0, note 1, velocity 2", "Note off 0, note 1, velocity 64"] {
        listeners[0].expect(said, WITHIN)?;
    }
    print(&format!(
        "Ada was lost, and her note ended {:.1} s later at both ports and at Bob",
        took.secs_f64()
    ));
    Ok(())
}

/// Who comes back has the same port, with its connections.
fn returned(outside: &mut Outside, relay: &RelayProcess, listeners: &[Listener], ada: &str) -> Result<()> {
    outside.tell("join Ada")?;
    let now = port("Ada")?;
    ensure!(now == ada, "Ada's port was {ada} and is {now}:\n{}", ports()?);
    ensure!(!ports()?.contains("Ada in studio"), "she has two ports:\n{}", ports()?);
    outside.tell("play Ada 904801")?;
    outside.tell("play Ada 804840")?;
    for listener in listeners {
        listener.expect("Note on 0, note 72, velocity 1", WITHIN)?;
        listener.expect("Note off 0, note 72, velocity 64", WITHIN)?;
    }
    let patch = patch(relay)?;
    for pair in [["Keyboard:keys", "Lockstep:Ada"], ["Lockstep:Ada", "Keyboard:keys"]] {
        ensure!(is_rule(&patch, pair), "no rule for {pair:?} in\n{patch}");
    }
    print(&format!("Ada is back at {now}; lockstep-relay patch prints:\n{}", patch.trim_end()));
    Ok(())
}

/// Other rules, and rules that are none.
fn rules_change(relay: &RelayProcess, rules: &RulesFile, room: &str) -> Result<()> {
    let keyboard = address("Keyboard", "keys")?.context("no keyboard")?;
    run_program("aconnect", &[&keyboard, room])?;
    let by_hand = ["Keyboard:keys", "Lockstep:studio"];
    let to_ada = ["Keyboard:keys", "Lockstep:Ada"];
    until(|| Ok(is_rule(&patch(relay)?, by_hand))).context("the connection by hand is not told")?;
    std::fs::write(&rules.0, FEWER_RULES)?;
    relay.ask(&["reload"])?.map_err(anyhow::Error::msg)?;
    until(|| Ok(!is_rule(&patch(relay)?, to_ada))).context("what no rule wants is still connected")?;
    let left = patch(relay)?;
    ensure!(is_rule(&left, by_hand), "what was connected by hand is gone:\n{left}");
    std::fs::write(&rules.0, BROKEN_RULES)?;
    let refused = relay.ask(&["reload"])?.err().context("broken rules were taken")?;
    ensure!(refused.contains("line 2, column 14"), "no line and column in {refused:?}");
    wait(Span::from_millis(300));
    let after = patch(relay)?;
    ensure!(after == left, "broken rules changed\n{left}\nto\n{after}");
    print(&format!("reload disconnected what no rule wants, and refused a mistake: {refused}"));
    Ok(())
}

/// The address of one of the relay's ports, once it is there.
fn port(name: &str) -> Result<String> {
    let mut found = None;
    until(|| {
        found = address("Lockstep", name)?;
        Ok(found.is_some())
    })
    .with_context(|| format!("no port {name:?}"))?;
    found.context("no port")
}

fn patch(relay: &RelayProcess) -> Result<String> {
    relay.ask(&["patch"])?.map_err(anyhow::Error::msg)
}

/// Whether the text of rules has this one.
fn is_rule(text: &str, [from, to]: [&str; 2]) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines.windows(2).any(|pair| pair == [from, to])
}

fn until(mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    let end = clock::now() + WITHIN;
    while !is_so()? {
        ensure!(clock::now() < end, "it did not come about; aconnect lists:\n{}", ports()?);
        wait(Span::from_millis(50));
    }
    Ok(())
}

/// For people: the first bytes of each message.
fn short(messages: &[String]) -> Vec<&str> {
    messages.iter().map(|message| message.get(..20).unwrap_or(message)).collect()
}

fn digits(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut all, byte| {
        let _ = write!(all, "{byte:02x}");
        all
    })
}

fn exclusive() -> Vec<u8> {
    let content = (0..EXCLUSIVE_BYTES).map(|place| (place * 7 + place / 128).to_le_bytes()[0] & 0x7F);
    [0xF0].into_iter().chain(content).chain([0xF7]).collect()
}

/// A standard MIDI file of one track with the song, 10 ms between its events.
fn standard_file() -> Vec<u8> {
    let mut track = vec![];
    for (number, (bytes, _)) in SONG.iter().enumerate() {
        if number == SONG.len() - 1 {
            let exclusive = exclusive();
            let length = exclusive.len() - 1;
            let low = |value: usize| value.to_le_bytes()[0] & 0x7F;
            track.extend([10, 0xF0, 0x80 | low(length >> 7), low(length)]);
            track.extend(&exclusive[1..]);
        }
        track.push(10);
        track.extend_from_slice(bytes);
    }
    track.extend_from_slice(&[0, 0xFF, 0x2F, 0]);
    let length = u32::try_from(track.len()).unwrap_or(0).to_be_bytes();
    let header = [0, 0, 0, 6, 0, 0, 0, 1, 1, 0xF4];
    [&b"MThd"[..], &header, b"MTrk", &length, &track].concat()
}

/// The file of rules, gone with this value.
struct RulesFile(PathBuf);

impl RulesFile {
    fn write(text: &str) -> Result<Self> {
        let path = std::env::temp_dir().join(format!("lockstep-rules-{}.txt", std::process::id()));
        std::fs::write(&path, text)?;
        Ok(Self(path))
    }
}

impl Drop for RulesFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
