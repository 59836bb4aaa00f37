//! The media thread's place in the scheduler.

/// Above every ordinary thread, within what a service unit's `LimitRTPRIO=50` grants.
#[cfg(unix)]
const FIFO_PRIORITY: u8 = 40;

/// What the media thread got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheduling {
    /// Real time: runs the moment it is due, before every ordinary thread.
    Fifo,
    /// Like every other thread: late when the machine is busy.
    Ordinary,
}

impl Scheduling {
    /// Its word in logs and figures.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Fifo => "fifo",
            Self::Ordinary => "ordinary",
        }
    }
}

/// Asks for real-time scheduling and exact timers for the calling thread.
#[must_use]
pub fn raise_current_thread() -> Scheduling {
    exact_timers();
    if raised() { Scheduling::Fifo } else { Scheduling::Ordinary }
}

/// An ordinary thread's timers may fire 50 us late by default (prctl(2), `PR_SET_TIMERSLACK`); ours 1 ns.
fn exact_timers() {
    #[cfg(target_os = "linux")]
    {
        // Refused only where a sandbox forbids it; deadlines are then a little late, which the figures show.
        let _ = rustix::thread::set_current_timer_slack(core::num::NonZeroU64::new(1));
    }
}

#[cfg(unix)]
fn raised() -> bool {
    use thread_priority::unix::{
        RealtimeThreadSchedulePolicy, ThreadSchedulePolicy, set_thread_priority_and_policy, thread_native_id,
    };
    let Ok(priority) = thread_priority::ThreadPriorityValue::try_from(FIFO_PRIORITY) else {
        return false;
    };
    set_thread_priority_and_policy(
        thread_native_id(),
        thread_priority::ThreadPriority::Crossplatform(priority),
        ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo),
    )
    .is_ok()
}

#[cfg(not(unix))]
fn raised() -> bool {
    thread_priority::set_current_thread_priority(thread_priority::ThreadPriority::Max).is_ok()
}
