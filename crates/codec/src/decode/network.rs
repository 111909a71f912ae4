//! `inet`, `cidr`, `macaddr` and `macaddr8`, printed as PostgreSQL prints them.

use super::stack_text::{LOWER_HEX, StackText};
use super::{Cell, Destination, Problem, Stop};

/// PGSQL_AF_INET and PGSQL_AF_INET6, the same on all systems.
const IPV4: u8 = 2;
const IPV6: u8 = 3;
/// The longest address with its netmask: `ffff:…:ffff/128`.
type AddressText = StackText<48>;

/// Decodes an inet or cidr: `network_send` in PostgreSQL's network.c.
pub(super) fn inet(destination: &mut Destination<'_>, bytes: &[u8]) -> Result<Cell, Stop> {
    let ([family, bits, is_cidr, length], address) =
        bytes.split_first_chunk::<4>().ok_or(Stop::Malformed(Problem::Truncated))?;
    if usize::from(*length) != address.len() {
        let expected = 4 + usize::from(*length);
        return Err(Stop::Malformed(Problem::Length { expected, actual: bytes.len() }));
    }
    let mut text = AddressText::new();
    let most_bits = match *family {
        IPV4 => {
            write_ipv4(&mut text, *address_of::<4>(address)?);
            32
        }
        IPV6 => {
            write_ipv6(&mut text, *address_of::<16>(address)?);
            128
        }
        _ => return Err(Stop::invalid("an unknown address family")),
    };
    if *bits > most_bits {
        return Err(Stop::invalid("a netmask longer than the address"));
    }
    if *bits < most_bits || *is_cidr != 0 {
        text.push(b'/');
        text.push_decimal(u64::from(*bits));
    }
    destination.text_value(text.bytes())
}

fn address_of<const LENGTH: usize>(address: &[u8]) -> Result<&[u8; LENGTH], Stop> {
    address.try_into().map_err(|_| Stop::invalid("an address whose length is not that of its family"))
}

fn write_ipv4(text: &mut AddressText, bytes: [u8; 4]) {
    for (index, byte) in bytes.into_iter().enumerate() {
        if index > 0 {
            text.push(b'.');
        }
        text.push_decimal(u64::from(byte));
    }
}

/// As `inet_net_ntop_ipv6` in PostgreSQL's inet_net_ntop.c: the first of the longest runs of zero words is `::`, and
/// what is or maps an IPv4 address ends as one.
fn write_ipv6(text: &mut AddressText, bytes: [u8; 16]) {
    let mut words = [0_u16; 8];
    for (word, bytes) in words.iter_mut().zip(bytes.as_chunks::<2>().0) {
        *word = u16::from_be_bytes(*bytes);
    }
    let (zeros_start, zeros_end) = longest_zeros(&words);
    let holds_ipv4 = zeros_start == 0 && (zeros_end == 6 || (zeros_end == 5 && words[5] == 0xffff));
    let word_count = if holds_ipv4 { 6 } else { 8 };
    for (index, word) in words.into_iter().enumerate().take(word_count) {
        if (zeros_start..zeros_end).contains(&index) {
            if index == zeros_start {
                text.push(b':');
            }
            continue;
        }
        if index > 0 {
            text.push(b':');
        }
        text.push_hex(u32::from(word), LOWER_HEX);
    }
    if holds_ipv4 {
        text.push(b':');
        let [.., a, b, c, d] = bytes;
        write_ipv4(text, [a, b, c, d]);
    } else if zeros_end == 8 {
        text.push(b':');
    }
}

/// The first of the longest runs of two or more zero words, or an empty run.
fn longest_zeros(words: &[u16; 8]) -> (usize, usize) {
    let (mut longest, mut start) = ((0, 0), 0);
    for (index, word) in words.iter().enumerate() {
        if *word != 0 {
            start = index + 1;
        } else if index + 1 - start > (longest.1 - longest.0).max(1) {
            longest = (start, index + 1);
        }
    }
    longest
}

/// Decodes a macaddr (6 bytes) or macaddr8 (8 bytes).
pub(super) fn macaddr(destination: &mut Destination<'_>, bytes: &[u8]) -> Result<Cell, Stop> {
    if bytes.len() != 6 && bytes.len() != 8 {
        return Err(Stop::Malformed(Problem::Length { expected: 6, actual: bytes.len() }));
    }
    let mut text = StackText::<23>::new();
    for (index, byte) in bytes.iter().enumerate() {
        if index > 0 {
            text.push(b':');
        }
        text.push_hex_pair(*byte);
    }
    destination.text_value(text.bytes())
}
