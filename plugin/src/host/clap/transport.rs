//! What lets a plugin work a CLAP host's transport: REAPER's functions, or the draft extension `clap.transport-control`.
//!
//! A host is asked for both when the plugin is initialized. Of the draft's version 1, what the mover needs is a jump, a start
//! from there and a stop there; it has no tempo, so the user sets that, and drift is taken in by jumps. Both were checked
//! against our own host that offers them, and no DAW.

use std::ffi::{CStr, c_char, c_int, c_void};

use clap_sys::ext::draft::transport_control::{CLAP_EXT_TRANSPORT_CONTROL, clap_host_transport_control};
use clap_sys::fixedpoint::{CLAP_BEATTIME_FACTOR, clap_beattime};
use lockstep_shared::time::Beats;
use lockstep_shared::transport::{Abilities, Ability, Command};

use super::HostPointer;
use super::reaper::Reaper;

/// The name under which REAPER gives its functions.
const REAPER: &CStr = c"cockos.reaper_extension";

/// What stands behind [`REAPER`]'s name.
#[repr(C)]
struct ReaperInfo {
    caller_version: c_int,
    main_window: *mut c_void,
    register: Option<unsafe extern "C" fn(*const c_char, *mut c_void) -> c_int>,
    get_function: Option<unsafe extern "C" fn(*const c_char) -> *mut c_void>,
}

/// The transport of a host that lets itself be asked.
pub(super) enum HostTransport {
    /// REAPER's.
    Reaper(Reaper),
    /// Of a host that has the draft extension.
    Control(Control),
}

/// The functions of the draft extension that are used, all of them there.
pub(super) struct Control {
    host: HostPointer,
    jump: unsafe extern "C" fn(*const clap_sys::host::clap_host, clap_beattime),
    play_on: unsafe extern "C" fn(*const clap_sys::host::clap_host),
    pause: unsafe extern "C" fn(*const clap_sys::host::clap_host),
}

// SAFETY: it is made, used and freed on the host's main thread; only its place in the shim is shared.
unsafe impl Sync for Control {}

impl HostTransport {
    /// Asks the host; none if its transport cannot be moved. Not before `init`.
    pub(super) fn find(host: HostPointer) -> Option<Self> {
        let found = Self::reaper(host).or_else(|| Control::find(host).map(Self::Control))?;
        found.abilities().suffice().then_some(found)
    }

    fn reaper(host: HostPointer) -> Option<Self> {
        // SAFETY: what the host returns for this name is this struct or null.
        let info = unsafe { host.extension(REAPER).cast::<ReaperInfo>().as_ref() }?;
        let get_function = info.get_function?;
        // SAFETY: REAPER's own function: it returns the function of a name, or null.
        let reaper = unsafe { Reaper::find(|name| get_function(name.as_ptr())) };
        reaper.abilities().suffice().then_some(Self::Reaper(reaper))
    }

    /// What it can be asked.
    pub(super) fn abilities(&self) -> Abilities {
        match self {
            Self::Reaper(reaper) => reaper.abilities(),
            Self::Control(_) => Abilities::of(&[Ability::Start, Ability::Jump, Ability::Stop]),
        }
    }

    /// Does it.
    ///
    /// # Safety
    ///
    /// On the host's main thread, while the plugin exists.
    pub(super) unsafe fn obey(&self, command: Command) {
        // SAFETY: as promised.
        unsafe {
            match self {
                Self::Reaper(reaper) => reaper.obey(command),
                Self::Control(control) => control.obey(command),
            }
        }
    }
}

impl Control {
    fn find(host: HostPointer) -> Option<Self> {
        // SAFETY: what the host returns for this name is this struct or null.
        let control = unsafe {
            host.extension(CLAP_EXT_TRANSPORT_CONTROL).cast::<clap_host_transport_control>().as_ref()
        }?;
        Some(Self {
            host,
            jump: control.request_jump?,
            play_on: control.request_continue?,
            pause: control.request_pause?,
        })
    }

    /// # Safety
    ///
    /// As for [`HostTransport::obey`].
    unsafe fn obey(&self, command: Command) {
        let host = self.host.0;
        // SAFETY: the host's own functions and pointer, on its main thread, as promised.
        unsafe {
            match command {
                Command::Start(beats) => {
                    (self.jump)(host, beat_time(beats));
                    (self.play_on)(host);
                }
                Command::Jump(beats) => (self.jump)(host, beat_time(beats)),
                Command::Stop => (self.pause)(host),
                // Beyond its abilities, and so never asked.
                Command::Tempo(_) | Command::Nudge(_) => {}
            }
        }
    }
}

/// A beat in CLAP's fixed point.
fn beat_time(beats: Beats) -> clap_beattime {
    let fixed = i128::from(beats.micro()) * i128::from(CLAP_BEATTIME_FACTOR) / 1_000_000;
    clap_beattime::try_from(fixed).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::ptr::null_mut;

    use super::*;

    #[test]
    fn a_reaper_without_a_function_can_do_that_much_less() {
        unsafe extern "C" fn stand_in() {}
        let without = |missing: &'static CStr| {
            let find = |name: &CStr| {
                if name == missing { null_mut() } else { stand_in as *mut c_void }
            };
            // SAFETY: nothing that was found is called.
            unsafe { Reaper::find(find) }.abilities()
        };
        assert!(!without(c"CSurf_OnPlayRateChange").has(Ability::Nudge));
        assert!(without(c"CSurf_OnPlayRateChange").suffice());
        assert!(!without(c"SetCurrentBPM").has(Ability::Tempo));
        for needed in [c"OnPlayButton", c"OnStopButton", c"SetEditCurPos", c"TimeMap2_QNToTime"] {
            assert!(!without(needed).suffice());
        }
    }

    #[test]
    fn beats_become_fixed_point() {
        assert_eq!(beat_time(Beats::from_quarters(1.5)), 3 << 30);
        assert_eq!(beat_time(Beats::from_quarters(-0.25)), -(1 << 29));
    }
}
