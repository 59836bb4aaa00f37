use super::super::Chapter;
use super::super::wire::{Decoded, Freshness, Journal, Rendering};
use super::*;
use crate::midi::message::{Exclusive, U7};

const ROOM: usize = 1_000;

fn short(bytes: &[u8]) -> Message {
    Message::from_short(bytes).expect("a whole message")
}

fn strike(note: u8) -> Message {
    short(&[0x90, note, 100])
}

/// The journal of the packet, which then carries `messages`.
fn packet(history: &mut History, sequence: u64, messages: &[Message]) -> Option<Journal> {
    let mut bytes = Vec::new();
    history.write(sequence, ROOM, &mut bytes);
    for message in messages {
        history.record(sequence, message);
    }
    (!bytes.is_empty()).then(|| {
        let Decoded { journal, fault } = Journal::decode(&bytes).expect("a header");
        assert_eq!(fault, None);
        journal
    })
}

fn struck(journal: &Journal) -> Vec<u8> {
    let notes = journal.channels.iter().flat_map(|channel| &channel.notes);
    notes.flat_map(|notes| notes.logs.iter().map(|log| log.note.get())).collect()
}

#[test]
fn nothing_said_is_no_journal() {
    let mut history = History::new(Checkpoint::ClosedLoop);
    assert_eq!(packet(&mut history, 7, &[strike(60)]), None);
    let journal = packet(&mut history, 8, &[]).expect("a note was struck");
    assert_eq!((journal.checkpoint, struck(&journal)), (7, vec![60]));
}

#[test]
fn what_is_acknowledged_is_not_said_again() {
    let mut history = History::new(Checkpoint::ClosedLoop);
    for sequence in 100..110 {
        packet(&mut history, sequence, &[strike(sequence.to_le_bytes()[0])]);
    }
    assert_eq!(history.acknowledge(105), Acknowledged::Moved);
    let journal = packet(&mut history, 110, &[]).expect("some are not acknowledged");
    assert_eq!((journal.checkpoint, struck(&journal)), (106, vec![106, 107, 108, 109]));
    assert_eq!(history.acknowledge(110), Acknowledged::Moved);
    assert_eq!(packet(&mut history, 111, &[]), None);
}

#[test]
fn acknowledgements_that_cannot_be_are_ignored() {
    let mut history = History::new(Checkpoint::ClosedLoop);
    assert_eq!(history.acknowledge(5), Acknowledged::Ignored);
    for sequence in 65_530..65_540 {
        packet(&mut history, sequence, &[strike(60)]);
    }
    // Before the first, zero (which is the low half of 65,536), after the last.
    for highest in [65_529, 0, 4, 30_000] {
        assert_eq!(history.acknowledge(highest), Acknowledged::Ignored, "{highest}");
    }
    // 65,537 and then an older one.
    assert_eq!(history.acknowledge(1), Acknowledged::Moved);
    assert_eq!(history.acknowledge(65_535), Acknowledged::Ignored);
    assert_eq!(history.acknowledge(1), Acknowledged::Ignored);
}

#[test]
fn policies_decide_how_far_back_a_journal_reaches() {
    let keys = |policy, acknowledged: bool| {
        let mut history = History::new(policy);
        for sequence in 1..=40 {
            packet(&mut history, sequence, &[strike(sequence.to_le_bytes()[0])]);
            if acknowledged {
                history.acknowledge(u16::try_from(sequence).expect("small"));
            }
        }
        packet(&mut history, 41, &[]).map_or(0, |journal| struck(&journal).len())
    };
    assert_eq!(keys(Checkpoint::ClosedLoop, true), 0);
    assert_eq!(keys(Checkpoint::ClosedLoop, false), 40);
    assert_eq!(keys(Checkpoint::OpenLoop { packets: 10 }, true), 10);
    assert_eq!(keys(Checkpoint::Anchor, true), 40);
}

#[test]
fn only_the_packet_before_is_news() {
    let mut history = History::new(Checkpoint::ClosedLoop);
    packet(&mut history, 1, &[strike(60), short(&[0xB1, 7, 1])]);
    packet(&mut history, 2, &[strike(61), short(&[0xB0, 7, 1])]);
    let journal = packet(&mut history, 3, &[]).expect("news");
    let [first, second] = &journal.channels[..] else { panic!("two channels") };
    assert_eq!(
        (journal.freshness, first.freshness, second.freshness),
        (Freshness::News, Freshness::News, Freshness::Known)
    );
    let logs: Vec<_> = first.notes.iter().flat_map(|notes| &notes.logs).map(|log| log.freshness).collect();
    assert_eq!(logs, [Freshness::Known, Freshness::News]);
    let later = packet(&mut history, 4, &[]).expect("not acknowledged");
    assert_eq!(later.freshness, Freshness::Known);
    assert!(later.channels.iter().all(|channel| channel.freshness == Freshness::Known));
}

#[test]
fn old_strikes_are_not_to_be_played() {
    let mut history = History::new(Checkpoint::ClosedLoop);
    packet(&mut history, 1, &[strike(60)]);
    let mut rendering = |sequence| {
        let journal = packet(&mut history, sequence, &[]).expect("not acknowledged");
        journal.channels[0].notes.as_ref().map(|notes| notes.logs[0].rendering)
    };
    assert_eq!(rendering(2), Some(Rendering::Play));
    assert_eq!(rendering(200), Some(Rendering::Skip));
}

#[test]
fn all_notes_off_is_told_instead_of_the_notes() {
    let mut history = History::new(Checkpoint::ClosedLoop);
    packet(&mut history, 1, &[strike(60), strike(60), short(&[0xB0, 123, 0])]);
    let journal = packet(&mut history, 2, &[]).expect("a command");
    assert_eq!((&journal.channels[0].notes, &journal.channels[0].extras), (&None, &None));
    assert_eq!(journal.channels[0].controllers.as_ref().map(|chapter| chapter.logs.len()), Some(1));
}

#[test]
fn the_least_important_waits_and_is_told_later() {
    let mut history = History::new(Checkpoint::ClosedLoop);
    let exclusive = Exclusive::new(&[7; 40]).map(Message::Exclusive).expect("data");
    let mut messages: Vec<_> = (0..30).map(|note| strike(40 + note)).collect();
    messages.extend([exclusive, short(&[0xF8]), short(&[0xE0, 1, 2])]);
    packet(&mut history, 1, &messages);
    let mut bytes = Vec::new();
    let written = history.write(2, 3 + 3 + 2 + 2 * 30 + 4, &mut bytes);
    assert_eq!((written.bytes, written.left_out > 0), (bytes.len(), true));
    let journal = Journal::decode(&bytes).expect("a header").journal;
    assert_eq!((struck(&journal).len(), journal.channels[0].wheel.is_some()), (30, true));
    assert_eq!(journal.system.as_ref().and_then(|system| system.exclusives.as_ref()), None);
    // Acknowledged together with what it had no room for: that comes next, and nothing else.
    assert_eq!(history.acknowledge(2), Acknowledged::Moved);
    let journal = packet(&mut history, 3, &[]).expect("what waited");
    assert_eq!(journal.channels, []);
    assert!(journal.system.is_some_and(|system| system.exclusives.is_some()));
}

#[test]
fn the_most_important_that_waits_is_named() {
    let mut history = History::new(Checkpoint::ClosedLoop);
    packet(&mut history, 1, &[strike(60), short(&[0xB0, 7, 1]), short(&[0xF8])]);
    let mut bytes = Vec::new();
    let written = history.write(2, 3 + 3 + 4, &mut bytes);
    assert_eq!((written.left_out, written.most_important), (2, Some(Chapter::Controllers)));
}

#[test]
fn a_whole_state_that_nobody_acknowledges_stays_within_its_limit() {
    let mut history = History::new(Checkpoint::ClosedLoop);
    let mut longest = 0;
    for sequence in 1..2_000_u64 {
        let mut bytes = Vec::new();
        history.write(sequence, ROOM, &mut bytes);
        longest = longest.max(bytes.len());
        let [low, high, ..] = sequence.to_le_bytes();
        for kind in [0x90, 0xA0, 0xB0, 0xD0, 0xE0] {
            let data = [low & 127, (low ^ high) & 127];
            let message = [kind | low & 15, data[0], data[1]];
            history.record(sequence, &short(&message[..if kind == 0xD0 { 2 } else { 3 }]));
        }
    }
    assert!(longest <= ROOM && longest > ROOM / 2, "{longest}");
}

#[test]
fn an_exclusive_message_too_long_to_tell_is_counted() {
    let mut history = History::new(Checkpoint::ClosedLoop);
    let long = Exclusive::new(&[1; 2_000]).map(Message::Exclusive).expect("data");
    packet(&mut history, 1, &[long]);
    let journal = packet(&mut history, 2, &[]).expect("a command");
    let logs = journal
        .system
        .and_then(|system| system.exclusives)
        .map(|exclusives| exclusives.logs)
        .unwrap_or_default();
    assert_eq!(logs.iter().map(|log| (log.count, log.data.clone())).collect::<Vec<_>>(), [(Some(1), None)]);
    assert_eq!(history.state().channels[0].program, None::<U7>);
}
