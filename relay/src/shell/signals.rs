//! SIGINT and SIGTERM: the first asks the relay to stop and tell its members, the second ends the process at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};

/// The exit code after a second signal: 128 + SIGINT, as a shell reports an interrupted program.
const EXIT_INTERRUPTED: i32 = 130;

/// Whether a signal has asked to stop. On Unix a thread that polls [`StopRequest::wake`] is woken by it.
#[derive(Debug)]
pub struct StopRequest {
    requested: Arc<AtomicBool>,
    #[cfg(unix)]
    wake: std::os::unix::net::UnixStream,
}

impl StopRequest {
    /// Listens to both signals from now on.
    ///
    /// # Errors
    /// The system refuses a handler or a socket pair.
    pub fn listen() -> io::Result<Self> {
        let requested = Arc::new(AtomicBool::new(false));
        #[cfg(unix)]
        let (wake, wakers) = std::os::unix::net::UnixStream::pair()?;
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal finds the flag down, the second finds it up and exits.
            signal_hook::flag::register_conditional_shutdown(
                signal,
                EXIT_INTERRUPTED,
                Arc::clone(&requested),
            )?;
            signal_hook::flag::register(signal, Arc::clone(&requested))?;
            #[cfg(unix)]
            signal_hook::low_level::pipe::register(signal, wakers.try_clone()?)?;
        }
        Ok(Self {
            requested,
            #[cfg(unix)]
            wake,
        })
    }

    /// Whether a signal has come.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.requested.load(Ordering::Relaxed)
    }

    /// Readable from the first signal on.
    #[cfg(unix)]
    #[must_use]
    pub const fn wake(&self) -> &std::os::unix::net::UnixStream {
        &self.wake
    }
}
