//! The recovery journal, from bytes.

use lockstep_shared::midi::message::Channel;
use lockstep_shared::rtpmidi::journal::JournalError;
use lockstep_shared::rtpmidi::journal::wire::Journal;

/// What can be read of a journal reads the same when it is written and read again, without a fault; no channel is there
/// twice, and a fault has words.
pub fn midi_journal(bytes: &[u8]) {
    let decoded = match Journal::decode(bytes) {
        Ok(decoded) => decoded,
        Err(error) => return assert_eq!(error, JournalError::NoHeader(bytes.len())),
    };
    let channels: u16 = decoded.journal.channels.iter().fold(0, |seen, journal| {
        assert_eq!(seen >> journal.channel.index() & 1, 0, "a channel twice");
        seen | 1 << journal.channel.index()
    });
    assert!(decoded.journal.channels.len() <= Channel::COUNT && channels.count_ones() <= 16);
    if let Some(fault) = decoded.fault {
        assert!(!fault.to_string().contains('\n'));
    }
    let mut again = Vec::new();
    decoded.journal.encode(&mut again);
    let second = Journal::decode(&again).expect("what we wrote");
    assert_eq!((second.fault, second.journal), (None, decoded.journal));
}
