//! SIGINT and SIGTERM: the first one stops the relay and tells its members, the second one ends it at once.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::media::Shared;

/// Listens for signals on a thread of its own.
#[cfg(unix)]
pub(super) fn listen(shared: &Arc<Shared>) -> std::io::Result<()> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;

    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let shared = Arc::clone(shared);
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        for _ in signals.forever() {
            if shared.stop.swap(true, Ordering::Relaxed) {
                std::process::exit(1);
            }
        }
    })?;
    Ok(())
}

/// On other systems a signal ends the process as the system has it; members notice the silence.
#[cfg(not(unix))]
pub(super) fn listen(_shared: &Arc<Shared>) -> std::io::Result<()> {
    Ok(())
}
