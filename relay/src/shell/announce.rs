//! Telling the local network of the rooms' RTP-MIDI sessions: mDNS, `_apple-midi._udp`, with nothing installed.

use mdns_sd::{ServiceDaemon, ServiceInfo};
use tracing::{info, warn};

/// The service that RTP-MIDI sessions are found by.
const SERVICE: &str = "_apple-midi._udp.local.";

/// Sessions announced; taken back when this goes.
#[derive(Default)]
pub struct Announcements {
    daemon: Option<ServiceDaemon>,
}

impl core::fmt::Debug for Announcements {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Announcements").field("running", &self.daemon.is_some()).finish()
    }
}

impl Announcements {
    /// Announces sessions, each by its name and control port. What fails is said: sessions work without being found.
    #[must_use]
    pub fn start<'a>(host: &str, sessions: impl Iterator<Item = (&'a str, u16)>) -> Self {
        let sessions: Vec<_> = sessions.collect();
        if sessions.is_empty() {
            return Self::default();
        }
        let daemon = match ServiceDaemon::new() {
            Ok(daemon) => daemon,
            Err(reason) => {
                warn!(%reason, "RTP-MIDI sessions are not announced; peers reach them by address and port");
                return Self::default();
            }
        };
        for (name, port) in sessions {
            match announce(&daemon, host, name, port) {
                Ok(()) => info!(name, port, "RTP-MIDI session announced on the local network"),
                Err(reason) => warn!(name, port, %reason, "RTP-MIDI session not announced"),
            }
        }
        Self { daemon: Some(daemon) }
    }
}

fn announce(daemon: &ServiceDaemon, host: &str, name: &str, port: u16) -> mdns_sd::Result<()> {
    let host = format!("{host}.local.");
    let no_text: &[(&str, &str)] = &[];
    let service = ServiceInfo::new(SERVICE, name, &host, (), port, no_text)?.enable_addr_auto();
    daemon.register(service)
}

impl Drop for Announcements {
    fn drop(&mut self) {
        if let Some(daemon) = &self.daemon
            && let Ok(stopped) = daemon.shutdown()
        {
            // Goodbyes leave within it; a network that is down keeps nobody from stopping.
            let _ = stopped.recv_timeout(core::time::Duration::from_millis(500));
        }
    }
}
