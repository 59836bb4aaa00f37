//! Real sockets on loopback.

use lockstep_shared::time::Span;

use super::*;
use crate::config::Listen;
use crate::shell::clock;

fn receive_all(udp: &mut Udp, index: usize, inbox: &mut Inbox) -> Vec<(SocketAddr, Vec<u8>)> {
    udp.receive(index, inbox).unwrap();
    inbox.datagrams().map(|(_, from, bytes)| (from, bytes.to_vec())).collect()
}

fn only(texts: &[&str]) -> Udp {
    open(&Listen::Only(texts.iter().map(|text| text.parse().unwrap()).collect())).unwrap()
}

#[test]
fn a_batch_comes_in_and_goes_out_in_order() {
    let mut udp = only(&["127.0.0.1:0"]);
    let relay = udp.addresses().next().unwrap();
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    for byte in 0..40_u8 {
        peer.send_to(&[byte; 5], relay).unwrap();
    }
    let mut inbox = Inbox::new();
    let mut got = receive_all(&mut udp, 0, &mut inbox);
    assert!(inbox.is_full());
    got.extend(receive_all(&mut udp, 0, &mut inbox));
    assert!(receive_all(&mut udp, 0, &mut inbox).is_empty());
    let from = peer.local_addr().unwrap();
    assert_eq!(got, (0..40).map(|byte| (from, vec![byte; 5])).collect::<Vec<_>>());

    let mut outbox = Outbox::new();
    let mut sent = 0_u8;
    while outbox.write(|buffer| {
        buffer[..3].fill(sent);
        Some((from, 3))
    }) {
        sent += 1;
    }
    assert!(outbox.is_full() && sent == 16);
    assert_eq!(udp.send(&mut outbox), Sent { sent: 16, refused: 0 });
    assert!(outbox.is_empty());
    for byte in 0..sent {
        let mut bytes = [0; 8];
        assert_eq!(peer.recv_from(&mut bytes).unwrap(), (3, relay));
        assert_eq!(bytes[..3], [byte; 3]);
    }
}

#[test]
fn one_socket_serves_both_families_and_shows_plain_addresses() {
    let mut udp = open(&Listen::Everywhere { port: 0 }).unwrap();
    let relay = udp.addresses().next().unwrap();
    if relay.is_ipv4() {
        return; // This machine has no IPv6.
    }
    let (mut inbox, mut outbox) = (Inbox::new(), Outbox::new());
    for local in ["127.0.0.1", "::1"] {
        let peer = UdpSocket::bind((local, 0)).unwrap();
        peer.send_to(b"hello", (local, relay.port())).unwrap();
        let from = peer.local_addr().unwrap();
        assert_eq!(receive_all(&mut udp, 0, &mut inbox), [(from, b"hello".to_vec())]);
        outbox.write(|buffer| {
            buffer[..2].copy_from_slice(b"hi");
            Some((from, 2))
        });
        assert_eq!(udp.send(&mut outbox), Sent { sent: 1, refused: 0 });
        let mut bytes = [0; 8];
        assert_eq!(peer.recv_from(&mut bytes).unwrap().0, 2);
    }
}

#[test]
fn an_answer_leaves_through_the_socket_its_peer_spoke_to() {
    let mut udp = only(&["127.0.0.1:0", "127.0.0.1:0"]);
    let second = udp.addresses().nth(1).unwrap();
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.send_to(b"x", second).unwrap();
    let (mut inbox, mut outbox) = (Inbox::new(), Outbox::new());
    assert!(receive_all(&mut udp, 0, &mut inbox).is_empty());
    let from = receive_all(&mut udp, 1, &mut inbox)[0].0;
    outbox.write(|_| Some((from, 1)));
    udp.send(&mut outbox);
    assert_eq!(peer.recv_from(&mut [0; 8]).unwrap(), (1, second));
}

#[test]
fn a_datagram_that_cannot_leave_does_not_hold_up_the_next() {
    let mut udp = only(&["127.0.0.1:0"]);
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut outbox = Outbox::new();
    for target in ["127.0.0.1:0".parse().unwrap(), "[::1]:9".parse().unwrap(), peer.local_addr().unwrap()] {
        outbox.write(|_| Some((target, 4)));
    }
    assert_eq!(udp.send(&mut outbox), Sent { sent: 1, refused: 2 });
    assert_eq!(peer.recv_from(&mut [0; 8]).unwrap().0, 4);
}

#[cfg(target_os = "linux")]
#[test]
fn a_datagram_that_waited_is_as_old_as_its_arrival() {
    let mut udp = only(&["127.0.0.1:0"]);
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut inbox = Inbox::new();
    // The first datagrams after the wish was said may be stamped when they are read.
    for _ in 0..50 {
        let before = clock::now();
        peer.send_to(b"x", udp.addresses().next().unwrap()).unwrap();
        let sent = clock::now();
        std::thread::park_timeout(Duration::from_millis(5));
        let read = clock::now();
        udp.receive(0, &mut inbox).unwrap();
        let (at, ..) = inbox.datagrams().next().unwrap();
        // Two clocks are read one after the other: a preemption between them shows as an age.
        if before - at < Span::from_millis(1) && at - sent < Span::from_millis(1) && at < read {
            return;
        }
    }
    panic!("no datagram of 50 was as old as its arrival");
}

#[test]
fn the_portable_way_does_the_same() {
    let udp = only(&["127.0.0.1:0"]);
    let socket = &udp.sockets[0];
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (mut inbox, mut outbox) = (Inbox::new(), Outbox::new());
    let error = portable::receive(&socket.udp, &mut inbox).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    for byte in 0..3_u8 {
        peer.send_to(&[byte; 5], socket.address).unwrap();
    }
    portable::receive(&socket.udp, &mut inbox).unwrap();
    let got: Vec<_> = inbox.datagrams().map(|(_, _, bytes)| bytes.to_vec()).collect();
    assert_eq!(got, [[0_u8; 5], [1; 5], [2; 5]]);
    outbox.write(|_| Some((peer.local_addr().unwrap(), 6)));
    assert_eq!(portable::send(&socket.udp, &mut outbox, 0..1).unwrap(), 1);
    assert_eq!(peer.recv_from(&mut [0; 8]).unwrap().0, 6);
}

#[test]
fn a_port_in_use_and_a_foreign_address_have_their_own_sentence() {
    let udp = only(&["127.0.0.1:0"]);
    let taken = udp.addresses().next().unwrap();
    let sentence = open(&Listen::Only(vec![taken])).unwrap_err().to_string();
    assert!(sentence.contains("is in use") && sentence.contains("--listen"), "{sentence}");
    let foreign = "192.0.2.1:48064".parse().unwrap();
    let sentence = open(&Listen::Only(vec![foreign])).unwrap_err().to_string();
    assert!(sentence.contains("has no address 192.0.2.1:48064"), "{sentence}");
}
