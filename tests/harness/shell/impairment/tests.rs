//! The proxy between real sockets, against the model alone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use super::*;
use crate::net::{Counts, Jitter, Loss, Order};

/// Nothing is waited for longer.
const PATIENCE: Span = Span::from_millis(5_000);

struct Running {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Report>,
}

impl Running {
    fn start(plan: PathPlan, seed: u64, to: SocketAddr) -> Self {
        let settings = Settings { listen: ([127, 0, 0, 1], 0).into(), to, plan, seed };
        let proxy = Proxy::open(settings).unwrap();
        let address = proxy.address();
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let thread =
            std::thread::spawn(move || proxy.run(LocalTime::NEVER, &|| told.load(Ordering::Relaxed)));
        Self { address, stop, thread }
    }

    fn end(self) -> Report {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    socket
}

/// Receives until `count` datagrams are there, or nothing has come for a while.
fn receive(socket: &UdpSocket, count: usize) -> Vec<(Vec<u8>, SocketAddr, LocalTime)> {
    let (mut buffer, mut taken) = ([0; 64], Vec::new());
    let mut patience = clock::now() + PATIENCE;
    while taken.len() < count && clock::now() < patience {
        if let Ok((length, from)) = socket.recv_from(&mut buffer) {
            taken.push((buffer[..length].to_vec(), from, clock::now()));
            patience = clock::now() + PATIENCE;
        }
    }
    taken
}

fn at_once() -> PathPlan {
    PathPlan { base: Span::ZERO, ..PathPlan::clean() }
}

#[test]
fn everything_arrives_in_order_and_both_ways_when_nothing_is_impaired() {
    let (server, client) = (socket(), socket());
    let proxy = Running::start(at_once(), 1, server.local_addr().unwrap());
    let mut behind = None;
    for round in 0..100_u8 {
        client.send_to(&[round, 1], proxy.address).unwrap();
        let [(up, from, _)] = &receive(&server, 1)[..] else { panic!("{round} did not arrive") };
        assert_eq!(up, &[round, 1]);
        assert_eq!(behind.replace(*from).unwrap_or(*from), *from, "a client keeps its address");
        server.send_to(&[round, 2], from).unwrap();
        let [(down, from, _)] = &receive(&client, 1)[..] else { panic!("{round} did not come back") };
        assert_eq!((&down[..], *from), (&[round, 2][..], proxy.address));
    }
    let report = proxy.end();
    assert_eq!((report.clients, report.underway, report.turned_away), (1, 0, 0));
    for direction in [report.up, report.down] {
        let counts = Counts { received: 100, ..Counts::default() };
        assert_eq!((direction.counts, direction.delivered, direction.unsent), (counts, 100, 0));
    }
}

#[test]
fn two_clients_are_told_apart() {
    let (server, clients) = (socket(), [socket(), socket()]);
    let proxy = Running::start(at_once(), 1, server.local_addr().unwrap());
    for round in 0..50_u8 {
        for (number, client) in (0..).zip(&clients) {
            client.send_to(&[number, round], proxy.address).unwrap();
        }
    }
    let mut addresses = BTreeMap::new();
    for (bytes, from, _) in receive(&server, 100) {
        assert_eq!(*addresses.entry(bytes[0]).or_insert(from), from);
        server.send_to(&bytes, from).unwrap();
    }
    assert_eq!(addresses.len(), 2);
    assert_ne!(addresses[&0], addresses[&1]);
    for (number, client) in (0..).zip(&clients) {
        let back = receive(client, 50);
        assert_eq!(back.len(), 50);
        assert!(back.iter().all(|(bytes, ..)| bytes[0] == number));
    }
    assert_eq!(proxy.end().clients, 2);
}

#[test]
fn what_becomes_of_each_datagram_is_what_the_model_says() {
    const COUNT: u16 = 2_000;
    let plan = PathPlan {
        base: Span::from_millis(30),
        jitter: Jitter::Normal(Span::from_millis(5)),
        order: Order::Free,
        loss: Loss::in_bursts(0.1, 3.0),
        duplication: 0.05,
        ..PathPlan::clean()
    };
    // The first client's way up; nothing in this plan depends on when datagrams are sent.
    let mut model = Path::new(plan.clone(), Rng::new(9).fork());
    let expected: Vec<Vec<Span>> = (0..COUNT)
        .map(|number| {
            let at = LocalTime::ZERO + Span::from_millis(i64::from(number) * 1_000);
            model.send(at, 30).into_iter().map(|due| due - at).collect()
        })
        .collect();
    let arrivals: usize = expected.iter().map(Vec::len).sum();
    assert!((1_750..2_000).contains(&arrivals), "{arrivals}");

    let (server, client) = (socket(), socket());
    let proxy = Running::start(plan, 9, server.local_addr().unwrap());
    let address = proxy.address;
    let sender = std::thread::spawn(move || {
        let mut sent = Vec::new();
        for number in 0..COUNT {
            sent.push(clock::now());
            client.send_to(&number.to_le_bytes(), address).unwrap();
            clock::sleep_until(clock::now() + Span::from_micros(500));
        }
        sent
    });
    let mut taken = vec![Vec::new(); usize::from(COUNT)];
    for (bytes, _, at) in receive(&server, arrivals) {
        taken[usize::from(u16::from_le_bytes([bytes[0], bytes[1]]))].push(at);
    }
    let sent = sender.join().unwrap();
    let report = proxy.end();
    let mut off = Vec::new();
    for ((mut expected, taken), sent) in expected.into_iter().zip(taken).zip(sent) {
        assert_eq!(taken.len(), expected.len());
        expected.sort();
        for (delay, at) in expected.iter().zip(taken) {
            let late = at - (sent + *delay);
            assert!(late >= Span::ZERO, "nothing arrives before it is due: {late}");
            off.push(late);
        }
    }
    off.sort();
    // As late as a machine that does much else may make it.
    assert!(off[off.len() / 2] < Span::from_millis(5), "{}", off[off.len() / 2]);
    let Counts { received, lost, queue_dropped, duplicated, .. } = report.up.counts;
    assert_eq!((received, queue_dropped), (2_000, 0));
    assert_eq!(report.up.delivered, received - lost + duplicated);
    assert!((report.up.delay_ms.mean - 30.0).abs() < 0.5, "{:?}", report.up.delay_ms);
    assert_eq!(report.down.counts, Counts::default());
}

#[test]
fn a_server_that_is_not_there_ends_nothing() {
    let nobody = socket().local_addr().unwrap();
    let client = socket();
    let proxy = Running::start(at_once(), 1, nobody);
    for _ in 0..20 {
        client.send_to(&[1], proxy.address).unwrap();
        clock::sleep_until(clock::now() + Span::from_millis(2));
    }
    let report = proxy.end();
    assert_eq!(report.up.counts.received, 20);
    assert_eq!(report.up.delivered + report.up.unsent, 20);
}
