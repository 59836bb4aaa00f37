use crate::midi::Realtime;
use crate::midi::message::{Channel, Exclusive, Message, U7, Voice};
use crate::rtpmidi::journal::Acknowledged;
use crate::rtpmidi::packet::{Command, End, Packet, Timed};
use crate::rtpmidi::time::Timestamp;
use crate::time::{LocalTime, Span};

use super::*;

fn millis(millis: i64) -> LocalTime {
    LocalTime::ZERO + Span::from_millis(millis)
}

fn strike(note: u8) -> Message {
    let (note, velocity) = (U7::low_bits(note), U7::MAX);
    Message::Voice(Channel::of_status(0), Voice::NoteOn { note, velocity })
}

fn sender(settings: SenderSettings) -> Sender {
    Sender::new(settings, 0xABCD, 65_535)
}

fn push(sender: &mut Sender, now: LocalTime, message: &Message) {
    sender.push(now, Timestamp::at(now), message).expect("room");
}

/// All packets that are due.
fn packets(sender: &mut Sender, now: LocalTime) -> Vec<Vec<u8>> {
    let mut packet = Vec::new();
    core::iter::from_fn(|| sender.poll_transmit(now, &mut packet).then(|| packet.clone())).collect()
}

/// The messages of a packet, with the ticks since its timestamp.
fn messages(packet: &[u8]) -> Vec<(u32, Message)> {
    let commands = Packet::decode(packet).expect("a packet").commands;
    let message = |timed: Timed<'_>| match timed.command {
        Command::Message(message) => Some((timed.after_ticks, message)),
        Command::Segment(_) | Command::Undefined(_) => None,
    };
    commands.filter_map(|timed| message(timed.expect("a list"))).collect()
}

#[test]
fn a_note_after_a_pause_leaves_at_once_and_others_within_two_milliseconds() {
    let mut sender = sender(SenderSettings::default());
    push(&mut sender, millis(10), &strike(60));
    push(&mut sender, millis(10), &strike(64));
    let first = packets(&mut sender, millis(10));
    assert_eq!(first.len(), 1);
    assert_eq!(messages(&first[0]), [(0, strike(60)), (0, strike(64))]);
    let packet = Packet::decode(&first[0]).expect("a packet");
    assert_eq!((packet.header.sequence, packet.header.ssrc), (65_535, 0xABCD));
    assert_eq!((first[0][0], first[0][1]), (0x80, 97), "no marker");
    assert_eq!(packet.journal, Some(&[0, 0xFF, 0xFE][..]), "an empty journal says that nothing is missing");

    push(&mut sender, millis(11), &strike(67));
    assert_eq!(packets(&mut sender, millis(11)), Vec::<Vec<u8>>::new());
    assert_eq!(sender.poll_timeout(), Some(millis(12)));
    let second = packets(&mut sender, millis(12));
    assert_eq!(messages(&second[0]), [(0, strike(67))]);
    assert_eq!(Packet::decode(&second[0]).expect("a packet").header.sequence, 0);
}

#[test]
fn no_journal_as_a_whole_says_that_it_has_no_news() {
    let mut sender = sender(SenderSettings::default());
    let mut sent = Vec::new();
    for at in [10, 50, 500, 510] {
        push(&mut sender, millis(at), &strike(60));
        for now in [at, at + 35, at + 110, at + 310] {
            sent.extend(packets(&mut sender, millis(now)));
        }
    }
    assert!(sent.len() > 8, "no guards");
    for packet in &sent {
        let journal = Packet::decode(packet).expect("a packet").journal.expect("a journal");
        assert_eq!(journal[0] & 0x80, 0, "pymidi leaves such a packet out whole");
    }
}

#[test]
fn the_clock_leaves_at_once_takes_others_along_and_stands_by_time() {
    let mut sender = sender(SenderSettings::default());
    push(&mut sender, millis(10), &strike(60));
    packets(&mut sender, millis(10));
    push(&mut sender, millis(11), &strike(64));
    let clock = Message::Realtime(Realtime::Clock);
    sender.push(millis(11), Timestamp::at(millis(31)), &clock).expect("room");
    let sent = packets(&mut sender, millis(11));
    assert_eq!(messages(&sent[0]), [(0, strike(64)), (200, clock)]);
}

#[test]
fn stamps_of_a_channel_do_not_go_back() {
    let mut sender = sender(SenderSettings::default());
    sender.push(millis(10), Timestamp::at(millis(30)), &strike(60)).expect("room");
    sender.push(millis(10), Timestamp::at(millis(20)), &strike(62)).expect("room");
    let other = Message::Voice(Channel::of_status(1), Voice::Program(U7::ZERO));
    sender.push(millis(10), Timestamp::at(millis(20)), &other).expect("room");
    let sent = packets(&mut sender, millis(10));
    assert_eq!(messages(&sent[0]), [(0, other), (100, strike(60)), (100, strike(62))]);
}

#[test]
fn guards_follow_a_burst_and_end_with_its_acknowledgement() {
    let guards = |acknowledged: bool| {
        let mut sender = sender(SenderSettings::default());
        push(&mut sender, millis(0), &strike(60));
        packets(&mut sender, millis(0));
        if acknowledged {
            assert_eq!(sender.handle_feedback(&[65_535, 0]), Acknowledged::Moved);
        }
        let mut times = Vec::new();
        for now in 1..2_000 {
            for packet in packets(&mut sender, millis(now)) {
                let packet = Packet::decode(&packet).expect("a packet");
                assert!(
                    packet.commands.is_empty() && packet.journal.is_some_and(|journal| journal.len() > 3)
                );
                times.push(now);
            }
        }
        times
    };
    assert_eq!(guards(false), [30, 100, 300]);
    assert_eq!(guards(true), Vec::<i64>::new());
}

#[test]
fn feedback_is_read_where_it_was_first_right() {
    let mut sender = sender(SenderSettings::default());
    for now in 0..4 {
        push(&mut sender, millis(now * 10), &strike(60));
        packets(&mut sender, millis(now * 10));
    }
    // Sent: 65,535, 0, 1 and 2. A peer that writes into the other place.
    assert_eq!(sender.handle_feedback(&[0, 65_535]), Acknowledged::Moved);
    assert_eq!(sender.handle_feedback(&[1, 0]), Acknowledged::Ignored, "the wrong place now");
    assert_eq!(sender.handle_feedback(&[0, 1]), Acknowledged::Moved);
    assert_eq!(sender.handle_feedback(&[0, 9]), Acknowledged::Ignored, "never sent");
    assert_eq!((sender.counters().acknowledged, sender.counters().feedback_ignored), (2, 2));
}

#[test]
fn without_a_journal_there_are_no_guards() {
    let mut sender = sender(SenderSettings { journal: None, ..SenderSettings::default() });
    push(&mut sender, millis(0), &strike(60));
    let sent = packets(&mut sender, millis(0));
    assert_eq!(Packet::decode(&sent[0]).expect("a packet").journal, None);
    assert_eq!(sender.poll_timeout(), None);
}

#[test]
fn notes_pass_a_dump_and_only_the_clock_does_if_asked() {
    for (interleaving, passed) in [(Interleaving::Everything, true), (Interleaving::Clock, false)] {
        let mut sender = sender(SenderSettings { interleaving, ..SenderSettings::default() });
        push(&mut sender, millis(0), &Message::Exclusive(Exclusive::new(&[1; 60_000]).expect("data")));
        let (mut segments, mut note_at, mut clock_at, mut end_at) = (0, 0, 0, 0);
        for now in 0..400 {
            if now == 50 {
                push(&mut sender, millis(now), &strike(60));
                push(&mut sender, millis(now), &Message::Realtime(Realtime::Clock));
            }
            for packet in packets(&mut sender, millis(now)) {
                assert!(packet.len() <= 1_200);
                for timed in Packet::decode(&packet).expect("a packet").commands {
                    match timed.expect("a list").command {
                        Command::Message(Message::Realtime(_)) => clock_at = now,
                        Command::Message(_) => note_at = now,
                        Command::Segment(segment) => {
                            segments += 1;
                            end_at = if segment.end == End::Last { now } else { end_at };
                        }
                        Command::Undefined(status) => panic!("{status:x}"),
                    }
                }
            }
        }
        assert_eq!((segments, clock_at, end_at), (118, 50, 117));
        assert_eq!(note_at, if passed { 50 } else { end_at }, "{interleaving:?}");
    }
}

#[test]
fn what_waits_is_bounded() {
    let mut sender = sender(SenderSettings::default());
    let dump = Message::Exclusive(Exclusive::new(&[1; Exclusive::MAX]).expect("data"));
    let taken = |sender: &mut Sender, message: &Message| {
        (0..20_000).filter(|_| sender.push(millis(0), Timestamp::default(), message).is_ok()).count()
    };
    assert_eq!(taken(&mut sender, &dump), 4);
    assert_eq!(taken(&mut sender, &strike(60)), 8_192);
    assert_eq!(sender.counters().refused, 20_000 - 4 + 20_000 - 8_192);
    assert!(packets(&mut sender, millis(0)).iter().all(|packet| packet.len() <= 1_200));
    assert_eq!(sender.counters().messages, 8_192);
}
