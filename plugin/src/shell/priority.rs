//! The link thread's place in the scheduler.

/// Asks that the calling thread runs when it is due, before every ordinary thread and after the host's audio threads.
/// Where the system refuses, it runs like every other: the delay then grows by what a busy machine makes it wait.
pub(super) fn raise_current_thread() {
    exact_timers();
    raise();
}

/// An ordinary thread's timers may fire 50 us late by default (prctl(2), `PR_SET_TIMERSLACK`); ours 1 ns.
fn exact_timers() {
    #[cfg(target_os = "linux")]
    {
        let _ = rustix::thread::set_current_timer_slack(core::num::NonZeroU64::new(1));
    }
}

#[cfg(unix)]
fn raise() {
    use thread_priority::unix::{
        RealtimeThreadSchedulePolicy, ThreadSchedulePolicy, set_thread_priority_and_policy, thread_native_id,
    };
    /// Hosts and sound servers run their audio threads at 40 and above.
    const FIFO_PRIORITY: u8 = 10;
    let Ok(priority) = thread_priority::ThreadPriorityValue::try_from(FIFO_PRIORITY) else { return };
    let _ = set_thread_priority_and_policy(
        thread_native_id(),
        thread_priority::ThreadPriority::Crossplatform(priority),
        ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo),
    );
}

#[cfg(not(unix))]
fn raise() {
    let _ = thread_priority::set_current_thread_priority(thread_priority::ThreadPriority::Max);
}
