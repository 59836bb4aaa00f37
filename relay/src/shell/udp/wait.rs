//! Waiting for whatever comes first.

use core::time::Duration;

use std::net::UdpSocket;

use crate::shell::signals::StopRequest;
use crate::shell::wake::Wake;

/// What ends a wait beside a datagram.
#[derive(Debug)]
pub struct Interrupts {
    /// A signal asks to stop.
    pub stop: StopRequest,
    /// Another thread has something.
    pub wake: Wake,
}

/// Waits with ppoll(2), whose timeout is in nanoseconds.
#[cfg(unix)]
pub(super) fn wait<'a>(
    sockets: impl Iterator<Item = &'a UdpSocket>,
    time: Duration,
    interrupts: &Interrupts,
) {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    /// Sockets waited on: those of 62 rooms with MIDI. The others are looked at whenever one of these, or the time,
    /// ends the wait.
    const WAITED_MAX: usize = 126;
    let timeout = Timespec::try_from(time).ok();
    let stop = PollFd::new(interrupts.stop.wake(), PollFlags::IN);
    let wake = PollFd::new(interrupts.wake.stream(), PollFlags::IN);
    let mut waited: [PollFd<'_>; WAITED_MAX + 2] = core::array::from_fn(|_| wake.clone());
    waited[1] = stop;
    let mut count = 2;
    for (place, socket) in waited.iter_mut().skip(2).zip(sockets) {
        *place = PollFd::new(socket, PollFlags::IN);
        count += 1;
    }
    // An interrupted wait is a short one: the caller looks at everything again.
    let _ = poll(&mut waited[..count], timeout.as_ref());
}

/// Waits for at most a millisecond: without poll(2) a socket and a signal cannot be waited for together.
#[cfg(not(unix))]
pub(super) fn wait<'a>(
    mut sockets: impl Iterator<Item = &'a UdpSocket>,
    time: Duration,
    _interrupts: &Interrupts,
) {
    use socket2::SockRef;

    let time = time.min(Duration::from_millis(1));
    let Some(first) = sockets.next() else {
        std::thread::park_timeout(time);
        return;
    };
    if time.is_zero() {
        return;
    }
    let socket = SockRef::from(first);
    let _ = socket.set_nonblocking(false);
    let _ = socket.set_read_timeout(Some(time));
    let mut nothing = [0; 1];
    let _ = first.peek_from(&mut nothing);
    let _ = socket.set_nonblocking(true);
}
