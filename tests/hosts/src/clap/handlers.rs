//! The host's side of the conversation: what the plugin may ask, kept for the caller to see.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{self, ThreadId};

use clack_extensions::audio_ports::{AudioPortRescanFlags, HostAudioPorts, HostAudioPortsImpl};
use clack_extensions::latency::{HostLatency, HostLatencyImpl};
use clack_extensions::params::{
    HostParams, HostParamsImplMainThread, HostParamsImplShared, ParamClearFlags, ParamRescanFlags,
};
use clack_extensions::state::{HostState, HostStateImpl};
use clack_extensions::thread_check::{HostThreadCheck, HostThreadCheckImpl};
use clack_host::prelude::*;

use super::movable;

/// What a plugin has asked of its host since the last look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    /// To be deactivated and activated again.
    pub restart: u32,
    /// To be called on the main thread.
    pub callback: u32,
    /// To have its parameters flushed.
    pub flush: u32,
    /// To read its parameters anew.
    pub rescan: u32,
    /// To read its latency anew.
    pub latency: u32,
    /// To mark the project as changed.
    pub dirty: u32,
}

/// The handlers' type, as `clack-host` wants it.
pub(super) struct Handlers;

impl HostHandlers for Handlers {
    type Shared<'a> = Shared;
    type MainThread<'a> = MainThread<'a>;
    type AudioProcessor<'a> = ();

    fn declare_extensions(builder: &mut HostExtensions<'_, Self>, _shared: &Shared) {
        builder
            .register::<HostAudioPorts>()
            .register::<HostLatency>()
            .register::<HostParams>()
            .register::<HostState>()
            .register::<HostThreadCheck>();
        movable::declare(builder);
    }
}

/// Which thread is which, for the plugin's own checks.
#[derive(Debug)]
struct HostThreads {
    main: ThreadId,
    processing: AtomicBool,
}

/// What is reachable from every thread.
pub(super) struct Shared {
    threads: HostThreads,
    restart: AtomicU32,
    callback: AtomicU32,
    flush: AtomicU32,
    rescan: AtomicU32,
    latency: AtomicU32,
    dirty: AtomicU32,
}

impl Shared {
    /// For an instance whose main thread is the caller's.
    pub(super) fn new() -> Self {
        Self {
            threads: HostThreads { main: thread::current().id(), processing: AtomicBool::new(false) },
            restart: AtomicU32::new(0),
            callback: AtomicU32::new(0),
            flush: AtomicU32::new(0),
            rescan: AtomicU32::new(0),
            latency: AtomicU32::new(0),
            dirty: AtomicU32::new(0),
        }
    }

    /// The requests since the last call.
    pub(super) fn take_requests(&self) -> Requests {
        let take = |counter: &AtomicU32| counter.swap(0, Ordering::AcqRel);
        Requests {
            restart: take(&self.restart),
            callback: take(&self.callback),
            flush: take(&self.flush),
            rescan: take(&self.rescan),
            latency: take(&self.latency),
            dirty: take(&self.dirty),
        }
    }

    /// Marks the calling thread as inside an audio call, until [`Self::leave_audio_call`].
    pub(super) fn enter_audio_call(&self) {
        self.threads.processing.store(true, Ordering::Release);
    }

    /// Ends what [`Self::enter_audio_call`] began.
    pub(super) fn leave_audio_call(&self) {
        self.threads.processing.store(false, Ordering::Release);
    }
}

fn count(counter: &AtomicU32) {
    counter.fetch_add(1, Ordering::AcqRel);
}

impl SharedHandler<'_> for Shared {
    fn request_restart(&self) {
        count(&self.restart);
    }

    /// This host processes all the time.
    fn request_process(&self) {}

    fn request_callback(&self) {
        count(&self.callback);
    }
}

impl HostParamsImplShared for Shared {
    fn request_flush(&self) {
        count(&self.flush);
    }
}

/// A host that drives a plugin from one thread plays both roles in turn: inside an audio call it is the audio thread.
impl HostThreadCheckImpl for Shared {
    fn is_main_thread(&self) -> bool {
        thread::current().id() == self.threads.main && !self.threads.processing.load(Ordering::Acquire)
    }

    fn is_audio_thread(&self) -> bool {
        thread::current().id() != self.threads.main || self.threads.processing.load(Ordering::Acquire)
    }
}

/// What is reachable from the main thread alone.
pub(super) struct MainThread<'a> {
    pub(super) shared: &'a Shared,
}

impl<'a> MainThreadHandler<'a> for MainThread<'a> {}

impl HostParamsImplMainThread for MainThread<'_> {
    fn rescan(&self, _flags: ParamRescanFlags) {
        count(&self.shared.rescan);
    }

    fn clear(&self, _parameter: ClapId, _flags: ParamClearFlags) {}
}

impl HostStateImpl for MainThread<'_> {
    fn mark_dirty(&self) {
        count(&self.shared.dirty);
    }
}

impl HostLatencyImpl for MainThread<'_> {
    fn changed(&self) {
        count(&self.shared.latency);
    }
}

impl HostAudioPortsImpl for MainThread<'_> {
    fn is_rescan_flag_supported(&self, _flag: AudioPortRescanFlags) -> bool {
        false
    }

    fn rescan(&self, _flags: AudioPortRescanFlags) {}
}
