//! Finding a relay's address without making anybody wait for it.
//!
//! A name service that does not answer is waited for by the system for many seconds, and nothing ends that wait. So a
//! thread of its own asks, and whoever no longer wants the answer goes without it. The plugin's code must not be unloaded
//! under that thread: the export shims call [`wait_for_all`] when their module is about to go.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

/// Asks for the addresses of a host and port; errors are the system's own words.
pub(super) type Resolver = fn(&str, u16) -> Result<Vec<SocketAddr>, String>;

/// Threads that may still be asking.
static ASKING: Mutex<Vec<JoinHandle<()>>> = Mutex::new(Vec::new());

/// The system's way.
pub(super) fn system(host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    (host, port).to_socket_addrs().map(Iterator::collect).map_err(|error| error.to_string())
}

/// Begins to ask. The answer arrives at the receiver; a written address is there at once.
pub(super) fn ask(
    host: &str,
    port: u16,
    resolver: Resolver,
) -> std::io::Result<Receiver<Result<Vec<SocketAddr>, String>>> {
    let (answer, answers) = channel();
    if let Ok(ip) = host.parse::<IpAddr>() {
        // The receiver is there: it is returned below.
        let _ = answer.send(Ok(vec![(ip, port).into()]));
        return Ok(answers);
    }
    let host = host.to_owned();
    let thread = std::thread::Builder::new().name("lockstep-resolve".into()).spawn(move || {
        // Whoever asked may have gone.
        let _ = answer.send(resolver(&host, port));
    })?;
    let mut asking = ASKING.lock().unwrap_or_else(PoisonError::into_inner);
    asking.retain(|thread| !thread.is_finished());
    asking.push(thread);
    Ok(answers)
}

/// Waits until nobody asks any more, as long as the system takes.
#[cfg(any(feature = "host", test))]
pub(crate) fn wait_for_all() {
    let asking = std::mem::take(&mut *ASKING.lock().unwrap_or_else(PoisonError::into_inner));
    for thread in asking {
        let _ = thread.join();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_address_needs_no_asking() {
        let refuses: Resolver = |_, _| Err("asked".to_owned());
        for (host, expected) in [("192.0.2.7", "192.0.2.7:5"), ("2001:db8::1", "[2001:db8::1]:5")] {
            let answer = ask(host, 5, refuses).unwrap().try_recv().unwrap();
            assert_eq!(answer, Ok(vec![expected.parse().unwrap()]));
        }
        let answer = ask("relay.example", 5, refuses).unwrap().recv().unwrap();
        assert_eq!(answer, Err("asked".to_owned()));
    }
}
