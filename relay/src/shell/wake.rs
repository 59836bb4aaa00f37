//! Waking the media thread from another thread: for commands, and for what the sequencer has heard.

use std::io;
use std::sync::Arc;

#[cfg(unix)]
use std::os::unix::net::UnixStream;

/// Wakes the thread that waits on the [`Wake`].
#[derive(Clone, Debug)]
pub struct Waker {
    #[cfg(unix)]
    stream: Arc<UnixStream>,
    #[cfg(not(unix))]
    _nothing: Arc<()>,
}

/// What the media thread waits on beside its sockets. Elsewhere than on Unix it looks every millisecond anyway.
#[derive(Debug)]
pub struct Wake {
    #[cfg(unix)]
    stream: UnixStream,
}

/// A waker and what it wakes.
///
/// # Errors
/// The system refuses a socket pair.
pub fn pair() -> io::Result<(Waker, Wake)> {
    #[cfg(unix)]
    {
        let (stream, far) = UnixStream::pair()?;
        stream.set_nonblocking(true)?;
        far.set_nonblocking(true)?;
        Ok((Waker { stream: Arc::new(far) }, Wake { stream }))
    }
    #[cfg(not(unix))]
    Ok((Waker { _nothing: Arc::new(()) }, Wake {}))
}

impl Waker {
    /// Wakes it, now or at its next wait.
    pub fn wake(&self) {
        #[cfg(unix)]
        {
            use std::io::Write as _;
            // A full pipe wakes as well as one more byte in it.
            let _ = (&*self.stream).write(&[1]);
        }
    }
}

impl Wake {
    /// Takes back all wakes so far.
    pub fn clear(&self) {
        #[cfg(unix)]
        {
            use std::io::Read as _;
            let mut bytes = [0; 64];
            while (&self.stream).read(&mut bytes).is_ok_and(|count| count == bytes.len()) {}
        }
    }

    /// Readable while a wake is there.
    #[cfg(unix)]
    #[must_use]
    pub const fn stream(&self) -> &UnixStream {
        &self.stream
    }
}
