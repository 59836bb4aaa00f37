//! How exact the impairment proxy is: what it adds of its own to the delays of its model.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use lockstep_shared::time::convert::f64_from_u64;
use lockstep_shared::time::{LocalTime, Span};

use super::{Figure, Holds, Length};
use crate::net::{Counts, PathPlan};
use crate::shell::clock;
use crate::shell::impairment::{Direction, Proxy, Report, Settings};

/// As many players as a jam has.
const CLIENTS: usize = 3;
/// A datagram of 128 frames in 16 bits, and its period.
const BYTES: usize = 560;
const PERIOD: Span = Span::from_micros(2_667);

/// All rows: a jam's traffic over cable, both ways.
///
/// # Errors
/// The system refuses a socket.
pub fn impairment_figures(length: Length) -> Result<Vec<Figure>> {
    let seconds = match length {
        Length::Quick => 5,
        Length::Full => 30,
    };
    let Report { late, up, down, underway, priority, .. } = measure(Span::from_millis(seconds * 1_000))?;
    let note = format!("cable, {seconds} s, {priority}");
    let row = |name: &str, goal, measured, unit| Figure {
        name: format!("impairment.{name}"),
        note: note.clone(),
        goal,
        measured,
        holds: Holds::AtMost,
        unit,
    };
    let due = |direction: Direction| {
        let Counts { received, lost, queue_dropped, duplicated, .. } = direction.counts;
        received + duplicated - lost - queue_dropped
    };
    let accounted = up.delivered + down.delivered + u64::try_from(underway)?;
    Ok(vec![
        row("late_p50", 100.0, late.p50_us, "us"),
        row("late_p99", 200.0, late.p99_us, "us"),
        // Of what the model delivers.
        row("not_delivered", 0.0, f64_from_u64((due(up) + due(down)).abs_diff(accounted)), ""),
    ])
}

fn measure(span: Span) -> Result<Report> {
    let server = socket()?;
    let settings = Settings {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        to: server.local_addr()?,
        plan: PathPlan::cable(),
        seed: 1,
    };
    let proxy = Proxy::open(settings)?;
    let address = proxy.address();
    let stop = Arc::new(AtomicBool::new(false));
    let told = || {
        let stop = Arc::clone(&stop);
        move || stop.load(Ordering::Relaxed)
    };
    let (for_proxy, for_server) = (told(), told());
    let proxy = std::thread::spawn(move || proxy.run(LocalTime::NEVER, &for_proxy));
    let echo = std::thread::spawn(move || echo(&server, &for_server));
    let clients = (0..CLIENTS).map(|_| socket()).collect::<std::io::Result<Vec<UdpSocket>>>()?;
    let mut next = clock::now();
    let end = next + span;
    let mut buffer = [0; BYTES];
    while next < end {
        for client in &clients {
            client.send_to(&[7; BYTES], address)?;
            // What came back is of no more use.
            while client.recv(&mut buffer).is_ok() {}
        }
        next += PERIOD;
        clock::sleep_until(next);
    }
    stop.store(true, Ordering::Relaxed);
    let report = proxy.join().ok().context("the proxy's thread failed")?;
    echo.join().ok().context("the server's thread failed")?;
    Ok(report)
}

fn socket() -> std::io::Result<UdpSocket> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Sends back whatever comes.
fn echo(server: &UdpSocket, stop: &dyn Fn() -> bool) {
    let mut buffer = [0; BYTES];
    let _ = server.set_nonblocking(false);
    let _ = server.set_read_timeout(Some(Duration::from_millis(20)));
    while !stop() {
        if let Ok((length, from)) = server.recv_from(&mut buffer) {
            let _ = server.send_to(&buffer[..length], from);
        }
    }
}
