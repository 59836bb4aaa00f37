//! SIGINT and SIGTERM: the first asks the relay to stop and tell its members, the second ends the process at once.
//! SIGHUP asks it to read the rules of its ports anew.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[cfg(unix)]
use signal_hook::consts::SIGHUP;
use signal_hook::consts::{SIGINT, SIGTERM};

/// The exit code after a second signal: 128 + SIGINT, as a shell reports an interrupted program.
const EXIT_INTERRUPTED: i32 = 130;

/// Whether a signal has asked to stop. On Unix a thread that polls [`StopRequest::wake`] is woken by it.
#[derive(Debug)]
pub struct StopRequest {
    requested: Arc<AtomicBool>,
    reload: Arc<AtomicBool>,
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
        let reload = Arc::new(AtomicBool::new(false));
        #[cfg(unix)]
        let (wake, wakers) = std::os::unix::net::UnixStream::pair()?;
        #[cfg(unix)]
        {
            wake.set_nonblocking(true)?;
            signal_hook::flag::register(SIGHUP, Arc::clone(&reload))?;
            signal_hook::low_level::pipe::register(SIGHUP, wakers.try_clone()?)?;
        }
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
            reload,
            #[cfg(unix)]
            wake,
        })
    }

    /// Whether a signal has come.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.requested.load(Ordering::Relaxed)
    }

    /// Whether a signal has asked to read the rules anew, since this was asked.
    #[must_use]
    pub fn take_reload(&self) -> bool {
        if !self.reload.swap(false, Ordering::Relaxed) {
            return false;
        }
        #[cfg(unix)]
        {
            use std::io::Read as _;
            let mut bytes = [0; 16];
            while (&self.wake).read(&mut bytes).is_ok_and(|count| count == bytes.len()) {}
        }
        true
    }

    /// Readable from a signal on; one that asks to reload is cleared by [`Self::take_reload`].
    #[cfg(unix)]
    #[must_use]
    pub const fn wake(&self) -> &std::os::unix::net::UnixStream {
        &self.wake
    }
}
