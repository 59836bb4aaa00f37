//! REAPER's own functions for its transport, which it gives to plugins by name; both shims use them.
//!
//! | function | for |
//! |---|---|
//! | `OnPlayButton`, `OnStopButton` | what the buttons do |
//! | `SetEditCurPos`, `TimeMap2_QNToTime` | going to a beat: REAPER goes to seconds, and its tempo map says which |
//! | `SetCurrentBPM` | the tempo |
//! | `CSurf_OnPlayRateChange`, `Master_GetPlayRate` | running a little faster or slower: the play rate moves neither the tempo map nor the beat |
//! | `GetPlayState` | leaving a recording where it is |
//!
//! A name that REAPER does not know costs the ability that needs it. All may be called on the main thread only. Names and
//! types are those of REAPER's public documentation of its functions.

use std::ffi::{CStr, c_int, c_void};
use std::sync::atomic::Ordering;

use atomic_float::AtomicF64;
use lockstep_shared::transport::{Abilities, Ability, Command, Nudge};

/// The project in front, as REAPER's functions take it.
const CURRENT_PROJECT: *mut c_void = std::ptr::null_mut();
/// The bit of `GetPlayState` that says that it records.
const RECORDS: c_int = 4;

type Press = unsafe extern "C" fn();
type SetEditCursor = unsafe extern "C" fn(seconds: f64, moves_view: bool, seeks: bool);
type QuartersToSeconds = unsafe extern "C" fn(project: *mut c_void, quarters: f64) -> f64;
type SetTempo = unsafe extern "C" fn(project: *mut c_void, bpm: f64, is_undoable: bool);
type SetPlayRate = unsafe extern "C" fn(rate: f64);
type PlayRate = unsafe extern "C" fn(project: *mut c_void) -> f64;
type PlayState = unsafe extern "C" fn() -> c_int;

/// The functions that this REAPER has.
pub(in crate::host) struct Reaper {
    play: Option<Press>,
    stop: Option<Press>,
    set_edit_cursor: Option<SetEditCursor>,
    quarters_to_seconds: Option<QuartersToSeconds>,
    set_tempo: Option<SetTempo>,
    set_play_rate: Option<SetPlayRate>,
    play_rate: Option<PlayRate>,
    play_state: Option<PlayState>,
    /// The user's play rate while it is bent; NaN while it is not.
    own_rate: AtomicF64,
}

impl Reaper {
    /// Asks `find` for each function by its name.
    ///
    /// # Safety
    ///
    /// What `find` returns is REAPER's function of that name, or null.
    pub(in crate::host) unsafe fn find(find: impl Fn(&CStr) -> *mut c_void) -> Self {
        // SAFETY: as promised, and these are the functions' types; null becomes `None`.
        unsafe {
            Self {
                play: std::mem::transmute::<*mut c_void, Option<Press>>(find(c"OnPlayButton")),
                stop: std::mem::transmute::<*mut c_void, Option<Press>>(find(c"OnStopButton")),
                set_edit_cursor: std::mem::transmute::<*mut c_void, Option<SetEditCursor>>(find(
                    c"SetEditCurPos",
                )),
                quarters_to_seconds: std::mem::transmute::<*mut c_void, Option<QuartersToSeconds>>(find(
                    c"TimeMap2_QNToTime",
                )),
                set_tempo: std::mem::transmute::<*mut c_void, Option<SetTempo>>(find(c"SetCurrentBPM")),
                set_play_rate: std::mem::transmute::<*mut c_void, Option<SetPlayRate>>(find(
                    c"CSurf_OnPlayRateChange",
                )),
                play_rate: std::mem::transmute::<*mut c_void, Option<PlayRate>>(find(c"Master_GetPlayRate")),
                play_state: std::mem::transmute::<*mut c_void, Option<PlayState>>(find(c"GetPlayState")),
                own_rate: AtomicF64::new(f64::NAN),
            }
        }
    }

    /// What can be asked with the functions that are there.
    pub(in crate::host) fn abilities(&self) -> Abilities {
        let goes = self.set_edit_cursor.is_some() && self.quarters_to_seconds.is_some();
        let all = [
            (Ability::Start, goes && self.play.is_some()),
            (Ability::Jump, goes),
            (Ability::Stop, self.stop.is_some()),
            (Ability::Tempo, self.set_tempo.is_some()),
            (Ability::Nudge, self.set_play_rate.is_some() && self.play_rate.is_some()),
        ];
        let there: Vec<Ability> =
            all.into_iter().filter(|(_, is_there)| *is_there).map(|(it, _)| it).collect();
        Abilities::of(&there)
    }

    /// Does it.
    ///
    /// # Safety
    ///
    /// On REAPER's main thread, while the plugin exists.
    pub(in crate::host) unsafe fn obey(&self, command: Command) {
        // SAFETY: REAPER's own functions with the types that it documents, on its main thread, as promised.
        unsafe {
            match command {
                Command::Start(beats) => {
                    self.go_to(beats.quarters());
                    if let Some(play) = self.play {
                        play();
                    }
                }
                Command::Jump(beats) => self.go_to(beats.quarters()),
                Command::Stop => {
                    if let Some(stop) = self.stop {
                        stop();
                    }
                }
                Command::Tempo(tempo) => {
                    if let Some(set_tempo) = self.set_tempo {
                        set_tempo(CURRENT_PROJECT, tempo.bpm(), false);
                    }
                }
                Command::Nudge(nudge) => self.bend(nudge),
            }
        }
    }

    /// # Safety
    ///
    /// As for [`Reaper::obey`].
    unsafe fn go_to(&self, quarters: f64) {
        let (Some(set_edit_cursor), Some(seconds)) = (self.set_edit_cursor, self.quarters_to_seconds) else {
            return;
        };
        // SAFETY: as in `obey`.
        unsafe {
            if self.play_state.is_none_or(|state| state() & RECORDS == 0) {
                set_edit_cursor(seconds(CURRENT_PROJECT, quarters), false, true);
            }
        }
    }

    /// # Safety
    ///
    /// As for [`Reaper::obey`].
    unsafe fn bend(&self, nudge: Nudge) {
        let (Some(set_play_rate), Some(play_rate)) = (self.set_play_rate, self.play_rate) else { return };
        let kept = self.own_rate.load(Ordering::Relaxed);
        // SAFETY: as in `obey`.
        let own = if kept.is_nan() { unsafe { play_rate(CURRENT_PROJECT) } } else { kept };
        if nudge == Nudge::NONE && kept.is_nan() {
            return;
        }
        self.own_rate.store(if nudge == Nudge::NONE { f64::NAN } else { own }, Ordering::Relaxed);
        // SAFETY: as in `obey`.
        unsafe { set_play_rate(own * nudge.ratio()) };
    }
}
