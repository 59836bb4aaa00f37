//! The relay's sequencer against the kernel's, and against ALSA's own programs. Where there is no sequencer the tests say
//! so and pass; `cargo xtask test --only sequencer` runs them in a virtual machine that has one.
#![cfg(target_os = "linux")]

mod programs;
mod side;

use std::process::Command;

use alsa::seq::{Addr, EvNote, EventType, PortCap, PortType, Seq};
use lockstep_relay::bridge::patch::Connection;
use lockstep_relay::shell::clock;
use lockstep_relay::shell::sequencer::Event;
use lockstep_shared::midi::Realtime;
use lockstep_shared::midi::message::{Exclusive, Message};
use lockstep_shared::time::{LocalTime, Span};

use programs::{Listener, SONG, aconnect, song};
use side::{Side, pair, tallied, with_sequencer};

fn exclusive(length: usize, seed: usize) -> Message {
    let content: Vec<u8> =
        (0..length).map(|place| (place * 7 + place / 128 + seed).to_le_bytes()[0] & 0x7F).collect();
    Message::Exclusive(Exclusive::new(&content).expect("data bytes"))
}

#[test]
fn every_kind_of_message_arrives_in_its_order() {
    with_sequencer(|| {
        let (one, port, mut other) = pair();
        let shorts: [&[u8]; 20] = [
            &[0x90, 60, 100],
            &[0xF8],
            &[0x90, 60, 0],
            &[0x85, 1, 64],
            &[0xA1, 2, 3],
            &[0xB2, 64, 127],
            &[0xC3, 5],
            &[0xD4, 6],
            &[0xE5, 0, 0],
            &[0xE5, 127, 127],
            &[0xF1, 0x35],
            &[0xF2, 1, 2],
            &[0xF3, 9],
            &[0xF6],
            &[0xFA],
            &[0xFB],
            &[0xFC],
            &[0xFE],
            &[0xF2, 127, 127],
            &[0xFF],
        ];
        let sent: Vec<Message> =
            shorts.iter().map(|bytes| Message::from_short(bytes).expect("one message")).collect();
        for message in &sent {
            one.sequencer.send(port, clock::now(), message).expect("room");
        }
        let received: Vec<Message> =
            other.receive(sent.len()).into_iter().map(|(_, message)| message).collect();
        assert_eq!(received, sent);
        println!("{} messages as sent; {:?}", sent.len(), other.sequencer.tally());
    });
}

#[test]
fn exclusive_messages_are_whole_and_the_clock_passes_through_them() {
    with_sequencer(|| {
        let (one, port, mut other) = pair();
        let sent = [exclusive(0, 0), exclusive(10_000, 1), exclusive(Exclusive::MAX, 2), exclusive(254, 3)];
        let note = Message::from_short(&[0x90, 1, 2]).expect("a note");
        let begin = clock::now();
        for message in &sent {
            one.sequencer.send(port, begin, message).expect("room");
        }
        one.sequencer.send(port, begin, &note).expect("room");
        let clocks = 20;
        for tick in 0..clocks {
            let at = begin + Span::from_millis(10 * tick);
            one.sequencer.send(port, at, &Message::Realtime(Realtime::Clock)).expect("room");
        }
        let received = other.receive(sent.len() + 1 + usize::try_from(clocks).expect("few"));
        let (ticks, others): (Vec<_>, Vec<_>) =
            received.into_iter().partition(|(_, message)| matches!(message, Message::Realtime(_)));
        assert_eq!(ticks.len(), 20);
        let latest =
            ticks.iter().zip(0..).map(|((at, _), tick)| *at - (begin + Span::from_millis(10 * tick))).max();
        let took = others.last().map(|(at, _)| *at - begin);
        let others: Vec<Message> = others.into_iter().map(|(_, message)| message).collect();
        assert!(
            others[..4] == sent && others[4] == note,
            "{} messages are not those that were sent",
            others.len()
        );
        let tally = one.sequencer.tally();
        assert_eq!(tally.refused + tally.dropped, 0, "{tally:?}");
        println!("75,790 bytes whole in {took:?}; the latest of 20 ticks meanwhile by {latest:?}");
    });
}

#[test]
fn events_leave_when_they_are_due() {
    with_sequencer(|| {
        let (one, port, mut other) = pair();
        let begin = clock::now() + Span::from_millis(200);
        let step = Span::from_nanos(20_833_333);
        let count = 240;
        let due: Vec<LocalTime> =
            (0..count).map(|tick| begin + Span::from_nanos(step.nanos() * tick)).collect();
        for at in &due {
            one.sequencer.send(port, *at, &Message::Realtime(Realtime::Clock)).expect("room");
        }
        let received = other.receive(due.len());
        let late = received.iter().zip(&due).map(|((at, _), due)| *at - *due).collect();
        let intervals = received.windows(2).map(|two| (two[1].0 - two[0].0 - step).abs()).collect();
        println!("due to read, {count} ticks of 20.83 ms: {}", percentiles(late));
        println!("intervals, from 20.83 ms: {}", percentiles(intervals));
        let earliest = received.iter().zip(&due).map(|((at, _), due)| *at - *due).min().expect("ticks");
        assert!(earliest > Span::from_millis(-2), "{earliest} early");
        let direct = clock::now();
        one.sequencer.send(port, direct, &Message::Realtime(Realtime::Stop)).expect("room");
        println!("at once, send to read: {}", other.receive(1)[0].0 - direct);
    });
}

fn percentiles(mut spans: Vec<Span>) -> String {
    spans.sort();
    let [p50, p99, max] = [50, 99, 100].map(|percent| spans[(spans.len() - 1) * percent / 100]);
    format!("min {}, p50 {p50}, p99 {p99}, max {max}", spans[0])
}

#[test]
fn ports_and_connections_of_others_are_announced() {
    with_sequencer(|| {
        let mut side = Side::open();
        let (_, own) = side.open_port("studio");
        // The first port is the one that the client's name alone means.
        assert_eq!(own.port, 0);
        let mut listener = Listener::start();
        let there = side.port_called("aseqdump:aseqdump");
        let connection = Connection { from: own, to: there };
        aconnect(&[&own.to_string(), &there.to_string()]);
        side.wait("subscription", |event| (*event == Event::Subscribed(connection)).then_some(()));
        aconnect(&["-d", &own.to_string(), &there.to_string()]);
        side.wait("its end", |event| (*event == Event::Unsubscribed(connection)).then_some(()));
        aconnect(&[&own.to_string(), &there.to_string()]);
        side.wait("subscription", |event| (*event == Event::Subscribed(connection)).then_some(()));
        // Dead without a word: its connections end before it vanishes.
        listener.process.kill().expect("killed");
        side.wait("its end", |event| (*event == Event::Unsubscribed(connection)).then_some(()));
        side.wait("its absence", |event| (*event == Event::Vanished { address: there }).then_some(()));
        assert!(!side.patch.ports().contains_key(&there));
        println!("appeared, connected, disconnected, vanished");
    });
}

#[test]
fn rules_join_programs_and_what_they_play_is_heard() {
    with_sequencer(|| {
        let mut side = Side::with_rules("Lockstep:studio$\naseqdump:.*\n");
        let (port, own) = side.open_port("studio");
        let mut listener = Listener::start();
        let there = side.port_called("aseqdump:aseqdump");
        side.wait("connection", |event| {
            (*event == Event::Made(Connection { from: own, to: there })).then_some(())
        });
        assert_eq!(side.patch.dump().to_string(), "@exact\n\nLockstep:studio\n    aseqdump:aseqdump\n");
        // Played by a program to our port, and from there by hand to the listener, as the relay will do.
        let file = std::env::temp_dir().join(format!("lockstep-sequencer-{}.mid", std::process::id()));
        std::fs::write(&file, song()).expect("written");
        let mut player =
            Command::new("aplaymidi").args(["-p", &own.to_string()]).arg(&file).spawn().expect("aplaymidi");
        let wanted: Vec<Message> =
            SONG.iter().map(|bytes| Message::from_short(bytes).expect("a message")).collect();
        let received: Vec<Message> =
            side.receive(wanted.len()).into_iter().map(|(_, message)| message).collect();
        assert_eq!(received, wanted);
        for message in &received {
            side.sequencer.send(port, clock::now(), message).expect("room");
        }
        let long = exclusive(10_000, 5);
        side.sequencer.send(port, clock::now(), &long).expect("room");
        assert!(player.wait().expect("it ended").success());
        let _ = std::fs::remove_file(file);
        let heard = listener.heard_until_end_of_exclusive();
        let note = "Note on                 0, note 60, velocity 100";
        assert!(heard.first().is_some_and(|line| line.contains(note)), "{heard:?}");
        let bytes: Vec<u8> = heard
            .iter()
            .filter_map(|line| line.split_once("System exclusive"))
            .flat_map(|(_, bytes)| bytes.split_whitespace())
            .map(|byte| u8::from_str_radix(byte, 16).expect("hexadecimal"))
            .collect();
        let mut whole = Vec::new();
        long.encode(&mut whole);
        assert!(bytes == whole, "{} bytes heard of {}", bytes.len(), whole.len());
        let tally = side.sequencer.tally();
        assert_eq!(tally.refused, 0, "{tally:?}");
        println!(
            "aplaymidi to the relay to aseqdump: {} messages, and {} bytes of one",
            wanted.len(),
            bytes.len()
        );
    });
}

#[test]
fn a_reader_that_sleeps_harms_nobody_else() {
    with_sequencer(|| {
        let (mut one, port, mut other) = pair();
        let sleeper = Seq::open(None, None, true).expect("a client");
        sleeper.set_client_name(c"sleeper").expect("a name");
        let capability = PortCap::WRITE | PortCap::SUBS_WRITE;
        sleeper.create_simple_port(c"in", capability, PortType::APPLICATION).expect("a port");
        let from = one.port_called("Lockstep:from");
        let to = one.port_called("sleeper:in");
        one.connect(from, to);
        let notes = (0..8).flat_map(|_| 0..125_u8);
        let notes: Vec<Message> =
            notes.map(|key| Message::from_short(&[0x90, key, 100]).expect("a note")).collect();
        for note in &notes {
            one.sequencer.send(port, clock::now(), note).expect("room");
            assert_eq!(other.receive(1)[0].1, *note);
        }
        let tally = one.sequencer.tally();
        assert!(tally.refused > 0, "{tally:?}");
        println!("{} notes heard once by the other; {} refused by the sleeper", notes.len(), tally.refused);
    });
}

#[test]
fn forged_announcements_and_broken_events_are_counted_and_nothing_else() {
    with_sequencer(|| {
        let mut side = Side::open();
        let (_, own) = side.open_port("studio");
        let forger = Seq::open(None, None, true).expect("a client");
        let port = forger.create_simple_port(c"out", PortCap::READ, PortType::APPLICATION).expect("a port");
        let own_addr = Addr { client: own.client.into(), port: own.port.into() };
        let forge = |mut event: alsa::seq::Event<'_>| {
            event.set_source(port);
            event.set_dest(own_addr);
            event.set_direct();
            forger.event_output_direct(&mut event).expect("sent");
        };
        forge(alsa::seq::Event::new(EventType::PortExit, &own_addr));
        forge(alsa::seq::Event::new(
            EventType::Noteon,
            &EvNote { channel: 77, note: 200, velocity: 255, ..EvNote::default() },
        ));
        forge(alsa::seq::Event::new_ext(EventType::Sysex, &[1_u8, 2, 3][..]));
        forge(alsa::seq::Event::new_ext(EventType::UsrVar0, &[1_u8, 2, 3][..]));
        forge(alsa::seq::Event::new_ext(EventType::Sysex, &[0xF0_u8, 1, 2][..]));
        forge(alsa::seq::Event::new(
            EventType::Noteon,
            &EvNote { note: 1, velocity: 1, ..EvNote::default() },
        ));
        let (_, message) = side.receive(1).remove(0);
        assert_eq!(Some(message), Message::from_short(&[0x90, 1, 1]));
        assert!(side.patch.ports().contains_key(&own));
        // Four of no use, and an exclusive message cut short.
        let tally = tallied(&side, |tally| tally.unknown >= 5);
        assert_eq!((tally.unknown, tally.received), (5, 1), "{tally:?}");
        println!("{tally:?}");
    });
}

#[test]
fn what_leaves_soon_leaves_before_the_ports_close() {
    with_sequencer(|| {
        let (one, port, mut other) = pair();
        let release = Message::from_short(&[0x80, 60, 64]).expect("a note");
        for later in [0, 1, 40] {
            one.sequencer.send(port, clock::now() + Span::from_millis(later), &release).expect("room");
        }
        drop(one);
        let released = other.receive(3);
        assert!(released.iter().all(|(_, message)| *message == release));
    });
}

#[test]
fn another_name_is_noticed_though_no_kernel_may_announce_it() {
    with_sequencer(|| {
        let mut side = Side::open();
        let other = Seq::open(None, None, true).expect("a client");
        let capability = PortCap::READ | PortCap::SUBS_READ;
        other.create_simple_port(c"out", capability, PortType::APPLICATION).expect("a port");
        let first = format!("Client-{}:out", other.client_id().expect("a number"));
        let address = side.port_called(&first);
        other.set_client_name(c"Keys").expect("a name");
        assert_eq!(side.port_called("Keys:out"), address);
    });
}

#[test]
fn a_relay_that_does_not_read_learns_that_it_missed_something() {
    with_sequencer(|| {
        let (one, port, mut other) = pair();
        let note = Message::from_short(&[0x90, 1, 2]).expect("a note");
        // Nothing is lost on the way there, so that what is missing at the end was lost at the end.
        let count = 12_000;
        for sent in 1..=count {
            while one.sequencer.send(port, clock::now(), &note).is_err() {
                std::thread::yield_now();
            }
            if sent % 100 == 0 {
                tallied(&other, |tally| tally.received + tally.unread >= sent);
            }
        }
        let tally = tallied(&other, |tally| tally.received + tally.unread >= count);
        assert_eq!(tally.received + tally.unread, count, "{tally:?}");
        assert!(tally.unread > 3_000, "{tally:?}");
        other.wait("overrun", |event| (*event == Event::Overrun).then_some(()));
        // From then on it hears again.
        one.sequencer.send(port, clock::now(), &note).expect("room");
        assert_eq!(other.receive(1)[0].1, note);
        println!("{tally:?}");
    });
}
