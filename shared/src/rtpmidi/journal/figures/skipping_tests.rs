//! S bits: a receiver that lost one packet and reads only what is marked as news has the sender's state as well.

use super::super::wire::{
    ChannelJournal, Controllers, Exclusives, Freshness, Journal, Notes, ParameterLogs, PolyPressures, Simple,
    SystemJournal, Transaction,
};
use super::super::{Checkpoint, History, Loss, Recovery};
use super::source::Source;
use crate::time::Span;

#[test]
fn what_is_not_news_may_be_skipped_after_one_loss() {
    let mut source = Source::new(17);
    let mut history = History::new(Checkpoint::ClosedLoop);
    let mut recovery = Recovery::default();
    let mut skipped = 0;
    for sequence in 0..6_000_u64 {
        let mut bytes = Vec::new();
        history.write(sequence, 4_000, &mut bytes);
        let lost = sequence % 3 == 1;
        if sequence % 3 == 2 && !bytes.is_empty() {
            let journal = Journal::decode(&bytes).expect("a header").journal;
            let news = news_of(&journal);
            let mut short = Vec::new();
            news.encode(&mut short);
            skipped += bytes.len() - short.len();
            let mut repairs = Vec::new();
            recovery.repair(Loss::One, Span::from_nanos(0), &short, &mut repairs).expect("readable");
            for (heard, said) in recovery.state().channels.iter().zip(history.state().channels.iter()) {
                assert_eq!(heard, said, "{sequence}: {journal:?}");
            }
            assert_eq!(recovery.state().system, history.state().system, "{sequence}: {journal:?}");
        }
        for _ in 0..sequence % 4 {
            let message = source.next();
            history.record(sequence, &message);
            if !lost {
                recovery.note(&message);
            }
        }
        let [low, high, ..] = sequence.to_le_bytes();
        if sequence.is_multiple_of(60) {
            history.acknowledge(u16::from_le_bytes([low, high]));
        }
    }
    assert!(skipped > 100_000, "{skipped}");
}

/// What of `journal` is marked as news, at every level.
fn news_of(journal: &Journal) -> Journal {
    let channels = journal.channels.iter().filter(|channel| channel.freshness == Freshness::News);
    let system = journal.system.as_ref().filter(|system| system.freshness == Freshness::News);
    Journal {
        system: system.map(news_of_system),
        channels: channels.map(news_of_channel).collect(),
        ..journal.clone()
    }
}

fn news_of_system(journal: &SystemJournal) -> SystemJournal {
    let marked = |field: Option<(Freshness, _)>| field.filter(|(freshness, _)| is_news(*freshness));
    let exclusives = journal.exclusives.as_ref().map(|exclusives| {
        let logs = exclusives.logs.iter().enumerate();
        let news = logs.filter(|(place, _)| is_news(exclusives.freshness_of(*place)));
        Exclusives { logs: news.map(|(_, log)| log.clone()).collect() }
    });
    SystemJournal {
        freshness: journal.freshness,
        simple: journal.simple.as_ref().filter(|chapter| is_news(chapter.freshness)).map(|chapter| Simple {
            reset: marked(chapter.reset),
            tune: marked(chapter.tune),
            song: marked(chapter.song),
            ..chapter.clone()
        }),
        active_sensing: journal.active_sensing.filter(|chapter| is_news(chapter.freshness)),
        sequencing: journal.sequencing.filter(|chapter| is_news(chapter.freshness)),
        time_code: journal.time_code.filter(|chapter| is_news(chapter.freshness)),
        exclusives: exclusives.filter(|exclusives| !exclusives.logs.is_empty()),
    }
}

fn news_of_channel(journal: &ChannelJournal) -> ChannelJournal {
    let notes = journal.notes.as_ref().map(|notes| Notes {
        freshness: notes.freshness,
        logs: news(&notes.logs, |log| log.freshness),
        released: if is_news(notes.freshness) { notes.released } else { 0 },
    });
    let parameters =
        journal.parameters.as_ref().filter(|chapter| is_news(chapter.freshness)).map(|chapter| {
            let mut logs = news(&chapter.logs, |log| log.freshness);
            if chapter.transaction == Transaction::Open && logs.last() != chapter.logs.last() {
                logs.extend(chapter.logs.last());
            }
            ParameterLogs { logs, ..chapter.clone() }
        });
    ChannelJournal {
        program: journal.program.filter(|chapter| is_news(chapter.freshness)),
        controllers: journal
            .controllers
            .as_ref()
            .filter(|chapter| is_news(chapter.freshness))
            .map(|chapter| Controllers { logs: news(&chapter.logs, |log| log.freshness), ..chapter.clone() }),
        parameters,
        wheel: journal.wheel.filter(|chapter| is_news(chapter.freshness)),
        notes: notes.filter(|notes| notes.released != 0 || !notes.logs.is_empty()),
        // The counts of keys that N tells are needed with it, old or new.
        extras: journal.extras.clone(),
        pressing: journal.pressing.filter(|chapter| is_news(chapter.freshness)),
        poly_pressures: journal.poly_pressures.as_ref().filter(|chapter| is_news(chapter.freshness)).map(
            |chapter| PolyPressures { logs: news(&chapter.logs, |log| log.freshness), ..chapter.clone() },
        ),
        ..journal.clone()
    }
}

fn news<T: Clone>(logs: &[T], freshness: impl Fn(&T) -> Freshness) -> Vec<T> {
    logs.iter().filter(|log| is_news(freshness(log))).cloned().collect()
}

fn is_news(freshness: Freshness) -> bool {
    freshness == Freshness::News
}
