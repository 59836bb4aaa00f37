//! Waiting for a datagram or a deadline, whichever comes first, finer than a millisecond.

use std::io;
use std::net::UdpSocket;
use std::time::Duration;

/// Returns when a datagram is there or `timeout` has passed. The socket is non-blocking.
#[cfg(unix)]
pub(super) fn for_datagram(socket: &UdpSocket, timeout: Duration) -> io::Result<()> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    let timeout = Timespec {
        tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: timeout.subsec_nanos().into(),
    };
    match poll(&mut [PollFd::new(socket, PollFlags::IN)], Some(&timeout)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Returns when a datagram is there or `timeout` has passed: here by short sleeps between looks, for the portable
/// socket cannot wait for less than its clock's tick.
#[cfg(not(unix))]
#[expect(clippy::disallowed_methods, reason = "waiting is what this file is for")]
pub(super) fn for_datagram(socket: &UdpSocket, timeout: Duration) -> io::Result<()> {
    const LOOK_EVERY: Duration = Duration::from_micros(500);
    let mut left = timeout;
    loop {
        match socket.peek(&mut [0; 1]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            _ => return Ok(()),
        }
        if left.is_zero() {
            return Ok(());
        }
        std::thread::sleep(left.min(LOOK_EVERY));
        left = left.saturating_sub(LOOK_EVERY);
    }
}
