//! Waiting for whatever comes first.

use core::time::Duration;

use super::Socket;
use crate::shell::signals::StopRequest;

/// Waits with ppoll(2), whose timeout is in nanoseconds.
#[cfg(unix)]
pub(super) fn wait(sockets: &[Socket], time: Duration, stop: &StopRequest) {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    /// Sockets waited on; the others are looked at whenever one of these, or the time, ends the wait.
    const WAITED_MAX: usize = 15;
    let timeout = Timespec::try_from(time).ok();
    let mut descriptors = [const { None }; WAITED_MAX];
    for (descriptor, socket) in descriptors.iter_mut().zip(sockets) {
        *descriptor = Some(PollFd::new(&socket.udp, PollFlags::IN));
    }
    let stop = PollFd::new(stop.wake(), PollFlags::IN);
    // An interrupted wait is a short one: the caller looks at everything again.
    let _ = match descriptors {
        [None, ..] => poll(&mut [stop], timeout.as_ref()),
        [Some(only), None, ..] => poll(&mut [stop, only], timeout.as_ref()),
        several => {
            let mut waited: Vec<_> = several.into_iter().flatten().chain([stop]).collect();
            poll(&mut waited, timeout.as_ref())
        }
    };
}

/// Waits for at most a millisecond: without poll(2) a socket and a signal cannot be waited for together.
#[cfg(not(unix))]
pub(super) fn wait(sockets: &[Socket], time: Duration, _stop: &StopRequest) {
    use socket2::SockRef;

    let time = time.min(Duration::from_millis(1));
    let Some(first) = sockets.first() else {
        std::thread::park_timeout(time);
        return;
    };
    if time.is_zero() {
        return;
    }
    let socket = SockRef::from(&first.udp);
    let _ = socket.set_nonblocking(false);
    let _ = socket.set_read_timeout(Some(time));
    let mut nothing = [0; 1];
    let _ = first.udp.peek_from(&mut nothing);
    let _ = socket.set_nonblocking(true);
}
