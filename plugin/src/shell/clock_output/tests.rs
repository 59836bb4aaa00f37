//! What reaches a port, and when.

use std::sync::{Mutex, MutexGuard};

use lockstep_shared::midi::{Realtime, SongPosition};

use super::*;

/// The port is the process's, and tests run side by side.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
static SENT: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());
static OPENED: AtomicU64 = AtomicU64::new(0);
static CLOSED: AtomicU64 = AtomicU64::new(0);

struct Recording;

impl ClockSink for Recording {
    fn send(&mut self, _due: LocalTime, message: &[u8]) -> Result<(), Unsent> {
        SENT.lock().unwrap().push(message.to_vec());
        Ok(())
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        CLOSED.fetch_add(1, Ordering::Relaxed);
    }
}

fn alone() -> MutexGuard<'static, ()> {
    let guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    SENT.lock().unwrap().clear();
    OPENED.store(0, Ordering::Relaxed);
    CLOSED.store(0, Ordering::Relaxed);
    guard
}

fn sent() -> Vec<Vec<u8>> {
    SENT.lock().unwrap().clone()
}

#[expect(clippy::unnecessary_wraps, reason = "it stands for an opener that may fail")]
fn opens() -> Result<Box<dyn ClockSink>, String> {
    OPENED.fetch_add(1, Ordering::Relaxed);
    Ok(Box::new(Recording))
}

fn refuses() -> Result<Box<dyn ClockSink>, String> {
    OPENED.fetch_add(1, Ordering::Relaxed);
    Err("no MIDI here".to_owned())
}

fn at(millis: i64) -> LocalTime {
    LocalTime::ZERO + Span::from_millis(millis)
}

#[test]
fn the_port_opens_when_the_daw_follows_and_carries_the_bytes() {
    let _alone = alone();
    let mut output = ClockOutput::with_opener(opens);
    output.send(at(0), Realtime::Clock);
    assert_eq!(OPENED.load(Ordering::Relaxed), 0, "nothing is opened by being there");
    assert_eq!(output.follow(at(0)), Heard::FromNowOn);
    assert_eq!(output.follow(at(1)), Heard::Unchanged);
    let position = SongPosition::new(300).unwrap();
    for event in [Realtime::SongPosition(position), Realtime::Continue, Realtime::Clock, Realtime::Stop] {
        output.send(at(2), event);
    }
    assert_eq!(sent(), [vec![0xF2, 44, 2], vec![0xFB], vec![0xF8], vec![0xFC]]);
    assert_eq!(output.notice(), None);
    drop(output);
    assert_eq!(sent().len(), 4, "a DAW that stands is not stopped again");
    assert_eq!(CLOSED.load(Ordering::Relaxed), 1);
}

#[test]
fn a_daw_that_runs_is_stopped_once_at_the_end() {
    let _alone = alone();
    let mut output = ClockOutput::with_opener(opens);
    output.follow(at(0));
    output.send(at(1), Realtime::Start);
    output.send(at(2), Realtime::Clock);
    drop(output);
    assert_eq!(sent(), [vec![0xFA], vec![0xF8], vec![0xFC]]);
}

#[test]
fn a_daw_that_follows_no_more_is_stopped_and_the_port_stays() {
    let _alone = alone();
    let mut output = ClockOutput::with_opener(opens);
    output.follow(at(0));
    output.send(at(1), Realtime::Start);
    output.rest(at(2));
    output.rest(at(3));
    assert_eq!(sent(), [vec![0xFA], vec![0xFC]]);
    assert_eq!(CLOSED.load(Ordering::Relaxed), 0);
    assert_eq!(output.follow(at(4)), Heard::FromNowOn);
    assert_eq!(OPENED.load(Ordering::Relaxed), 1);
}

#[test]
fn a_system_without_midi_is_asked_every_ten_seconds() {
    let _alone = alone();
    let mut output = ClockOutput::with_opener(refuses);
    for millis in 0..20_001 {
        assert_eq!(output.follow(at(millis)), Heard::Unchanged);
        output.send(at(millis), Realtime::Start);
    }
    assert_eq!(OPENED.load(Ordering::Relaxed), 3);
    assert_eq!(output.notice().unwrap(), "no MIDI here");
    output.rest(at(20_001));
    assert_eq!(output.notice(), None, "who does not follow needs no port");
}

#[test]
fn two_rooms_share_one_port_and_one_of_them_speaks() {
    let _alone = alone();
    let (mut first, mut second) = (ClockOutput::with_opener(opens), ClockOutput::with_opener(opens));
    assert_eq!(first.follow(at(0)), Heard::FromNowOn);
    assert_eq!(second.follow(at(0)), Heard::Unchanged);
    second.send(at(1), Realtime::Start);
    assert_eq!(sent(), [[0_u8; 0]; 0]);
    assert!(second.notice().unwrap().contains("another room"));
    first.send(at(2), Realtime::Start);
    drop(first);
    assert_eq!(sent(), [[0xFA], [0xFC]]);
    assert_eq!(second.follow(at(3)), Heard::FromNowOn);
    assert_eq!((OPENED.load(Ordering::Relaxed), CLOSED.load(Ordering::Relaxed)), (1, 0));
    drop(second);
    assert_eq!(CLOSED.load(Ordering::Relaxed), 1);
}

#[test]
fn a_redirection_comes_before_the_system() {
    let _alone = alone();
    let redirection = redirect_clock(Box::new(Recording));
    let mut output = ClockOutput::with_opener(refuses);
    assert_eq!(output.follow(at(0)), Heard::FromNowOn);
    output.send(at(1), Realtime::Clock);
    assert_eq!(sent(), [[0xF8]]);
    drop((output, redirection));
    assert_eq!((OPENED.load(Ordering::Relaxed), CLOSED.load(Ordering::Relaxed)), (0, 1));
}

#[cfg(target_os = "linux")]
#[test]
fn a_missing_sequencer_is_explained() {
    use std::io::{Error, ErrorKind};

    assert!(system::refusal(&Error::from(ErrorKind::NotFound)).contains("modprobe snd-seq"));
    assert!(system::refusal(&Error::from(ErrorKind::PermissionDenied)).contains("group audio"));
    assert!(system::refusal(&Error::from_raw_os_error(6)).contains("os error 6"));
}
