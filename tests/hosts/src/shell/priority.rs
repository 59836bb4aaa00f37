//! The audio thread's claim on the processor.

use thread_priority::{
    RealtimeThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};

/// As DAWs have it: above everything that does not keep time, below the sound driver.
const FIFO_PRIORITY: u8 = 60;

/// Asks for SCHED_FIFO for the calling thread; the answer is a sentence for the report.
pub(crate) fn claim_real_time() -> String {
    let Ok(value) = ThreadPriorityValue::try_from(FIFO_PRIORITY) else {
        return format!("normal: {FIFO_PRIORITY} is no priority here");
    };
    let claimed = set_thread_priority_and_policy(
        thread_native_id(),
        ThreadPriority::Crossplatform(value),
        ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo),
    );
    match claimed {
        Ok(()) => "SCHED_FIFO".to_owned(),
        Err(error) => format!("normal: SCHED_FIFO was not permitted ({error:?})"),
    }
}
