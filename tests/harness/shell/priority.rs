//! A thread's claim on the processor.

use thread_priority::{
    RealtimeThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};

/// As DAWs have it for their audio threads.
pub const AUDIO: u8 = 60;
/// Above them: a network does not wait for the computers at its ends.
pub const NETWORK: u8 = 65;

/// Asks for `SCHED_FIFO` with this priority, and for timers that are exact, for the calling thread; the answer says what
/// it got.
pub fn claim(priority: u8) -> String {
    exact_timers();
    let Ok(value) = ThreadPriorityValue::try_from(priority) else {
        return format!("normal: {priority} is no priority here");
    };
    let claimed = set_thread_priority_and_policy(
        thread_native_id(),
        ThreadPriority::Crossplatform(value),
        ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo),
    );
    match claimed {
        Ok(()) => format!("SCHED_FIFO {priority}"),
        Err(error) => format!("normal: SCHED_FIFO was not permitted ({error:?})"),
    }
}

/// An ordinary thread's timers may fire 50 us late by default (prctl(2), `PR_SET_TIMERSLACK`); now 1 ns.
fn exact_timers() {
    #[cfg(target_os = "linux")]
    {
        let _ = rustix::thread::set_current_timer_slack(core::num::NonZeroU64::new(1));
    }
}
