//! Capture files of datagrams, as tools for networks read them.

use core::net::IpAddr;
use std::io::{self, Write};

use crate::midi::Datagram;

/// The file's kind: times in microseconds, in the order of the bytes that follow.
const MAGIC: u32 = 0xA1B2_C3D4;
/// Packets of the internet protocol with nothing before them.
const LINK_RAW: u32 = 101;
const BYTES_MAX: u32 = 65_535;
const IP_HEADER_BYTES: u16 = 20;
const UDP_HEADER_BYTES: u16 = 8;

/// Writes a pcap file of version 2.4.
///
/// # Errors
/// What `file` refuses; an address that is not IPv4; a datagram longer than one can be.
pub fn write(datagrams: &[Datagram], file: &mut impl Write) -> io::Result<()> {
    for word in [MAGIC, 4 << 16 | 2, 0, 0, BYTES_MAX, LINK_RAW] {
        file.write_all(&word.to_le_bytes())?;
    }
    for datagram in datagrams {
        let packet = packet(datagram)?;
        let micros = datagram.left.nanos() / 1_000;
        let length = i64::try_from(packet.len()).unwrap_or(i64::MAX);
        for word in [micros / 1_000_000, micros % 1_000_000, length, length] {
            let word = u32::try_from(word).map_err(io::Error::other)?;
            file.write_all(&word.to_le_bytes())?;
        }
        file.write_all(&packet)?;
    }
    Ok(())
}

/// IPv4 and UDP around it.
fn packet(datagram: &Datagram) -> io::Result<Vec<u8>> {
    let (IpAddr::V4(from), IpAddr::V4(to)) = (datagram.from.ip(), datagram.to.ip()) else {
        return Err(io::Error::other("not IPv4"));
    };
    let udp = u16::try_from(datagram.bytes.len()).map_err(io::Error::other)? + UDP_HEADER_BYTES;
    let [length_high, length_low] = (udp + IP_HEADER_BYTES).to_be_bytes();
    let mut packet = vec![0x45, 0, length_high, length_low, 0, 0, 0x40, 0, 64, 17, 0, 0];
    packet.extend(from.octets());
    packet.extend(to.octets());
    let sum = checksum(&packet);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet.extend(datagram.from.port().to_be_bytes());
    packet.extend(datagram.to.port().to_be_bytes());
    packet.extend(udp.to_be_bytes());
    // UDP over IPv4 may leave its checksum out.
    packet.extend([0, 0]);
    packet.extend(&datagram.bytes);
    Ok(packet)
}

/// The complement of the sum with the carries added again.
fn checksum(header: &[u8]) -> u16 {
    let (pairs, _) = header.as_chunks::<2>();
    let sum: u32 = pairs.iter().map(|pair| u32::from(u16::from_be_bytes(*pair))).sum();
    let folded = (sum & 0xFFFF) + (sum >> 16);
    !u16::try_from((folded & 0xFFFF) + (folded >> 16)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use lockstep_shared::time::LocalTime;

    #[test]
    fn a_header_that_adds_up_sums_to_zero() {
        let datagram = Datagram {
            left: LocalTime::from_nanos(1_500_000_000),
            from: ([10, 0, 0, 1], 5_004).into(),
            to: ([10, 0, 1, 1], 5_006).into(),
            bytes: vec![1, 2, 3],
        };
        let packet = packet(&datagram).unwrap();
        assert_eq!(packet.len(), 31);
        assert_eq!(checksum(&packet[..20]), 0);
        let mut file = Vec::new();
        write(&[datagram], &mut file).unwrap();
        assert_eq!(file.len(), 24 + 16 + 31);
        assert_eq!(file[24..40], [1, 0, 0, 0, 0x20, 0xA1, 7, 0, 31, 0, 0, 0, 31, 0, 0, 0]);
    }
}
