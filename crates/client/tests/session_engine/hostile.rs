//! A server that does not keep to the protocol: an error, never a panic.

use oxpg_client::session::EndCause;
use proptest::prelude::*;

use crate::client::Client;

/// Feeds bytes, ends the session as its owner would, and gives the violation's text.
fn feed(client: &mut Client, bytes: &[u8]) -> Option<String> {
    let mut rest = bytes;
    loop {
        match client.session.receive(rest, &mut client.sink) {
            Ok(received) if received.is_stopped => rest = &rest[received.consumed..],
            Ok(_) => return None,
            Err(violation) => {
                let text = violation.to_string();
                client.session.end(EndCause::Violation(violation), &mut client.sink);
                return Some(text);
            }
        }
    }
}

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    bytes.extend_from_slice(&(u32::try_from(body.len()).unwrap() + 4).to_be_bytes());
    bytes.extend_from_slice(body);
    bytes
}

#[test]
fn impossible_lengths_are_refused_at_once() {
    for length in [0_i32, 3, -1, i32::MIN] {
        for tag in *b"DCZ" {
            let mut client = Client::new();
            let mut bytes = vec![tag];
            bytes.extend_from_slice(&length.to_be_bytes());
            assert!(feed(&mut client, &bytes).unwrap().contains("length"));
        }
    }
    let mut client = Client::new();
    assert!(feed(&mut client, b"Z\x7f\xff\xff\xff").unwrap().contains("ReadyForQuery"));
}

#[test]
fn what_is_longer_than_its_kind_can_be_is_not_waited_for() {
    for tag in 0..=u8::MAX {
        let longest = match tag {
            b'D' | b'd' => 0x3fff_ffff,
            b'E' | b'N' => 64 << 20,
            b'T' | b't' => 16 << 20,
            b'A' => 4 << 20,
            _ => 30_000,
        };
        for (length, is_waited_for) in [(longest, true), (longest + 1, false), (i32::MAX, false)] {
            let mut client = Client::new();
            let mut bytes = vec![tag];
            bytes.extend_from_slice(&length.to_be_bytes());
            let violation = feed(&mut client, &bytes);
            assert_eq!(violation.is_none(), is_waited_for, "{:?} of {length} bytes: {violation:?}", char::from(tag));
        }
    }
}

#[test]
fn settings_without_end_end_the_session() {
    let mut client = Client::new();
    let setting = |number: usize| message(b'S', format!("setting {number}\0on\0").as_bytes());
    // One is known from the start.
    for round in 0..3 {
        for number in 1..500 {
            assert_eq!(feed(&mut client, &setting(number)), None, "{number}, round {round}");
        }
    }
    assert!(feed(&mut client, &setting(500)).unwrap().contains("more than 500 settings"));
    assert_eq!(client.session.parameters().len(), 500);
}

#[test]
fn counts_larger_than_the_bytes_are_refused() {
    for (tag, body) in [(b't', &[255, 255][..]), (b't', &[0, 2, 0, 0, 0, 23]), (b'T', &[255, 255, b'a', 0])] {
        let mut client = Client::new();
        client.query(1, "select 1 1 $1", 0);
        client.flush();
        let mut bytes = message(b'1', &[]);
        if tag == b'T' {
            bytes.extend(message(b't', &[0, 0]));
        }
        bytes.extend(message(tag, body));
        assert!(feed(&mut client, &bytes).unwrap().contains("shorter"));
        assert_eq!(client.sqlstate(1), "08P01");
    }
}

/// Well-formed messages of every kind.
fn samples() -> Vec<Vec<u8>> {
    vec![
        message(b'1', &[]),
        message(b'2', &[]),
        message(b'3', &[]),
        message(b'C', b"SELECT 1\0"),
        message(b'D', &[0, 2, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 1]),
        message(b'E', b"SERROR\0C22012\0Mno\0\0"),
        message(b'G', &[0, 0, 0]),
        message(b'H', &[0, 0, 0]),
        message(b'I', &[]),
        message(b'K', &[0; 8]),
        message(b'R', &[0; 4]),
        message(b'T', b"\0\x01a\0\0\0\0\0\0\0\0\0\0\x17\0\x04\xff\xff\xff\xff\0\0"),
        message(b'V', &[0; 4]),
        message(b'W', &[0, 0, 0]),
        message(b'Z', b"I"),
        message(b'c', &[]),
        message(b'd', b"1"),
        message(b'n', &[]),
        message(b's', &[]),
        message(b't', &[0, 0]),
        message(b'v', &[0; 8]),
        message(b'?', &[]),
        message(b'N', b"SNOTICE\0C00000\0Mhm\0\0"),
        message(b'A', b"\0\0\0\x01a\0b\0"),
        message(b'S', b"a\0b\0"),
    ]
}

#[test]
fn what_nothing_asked_for_is_a_violation() {
    for sample in samples() {
        let mut client = Client::new();
        client.warm("select 1 1");
        let is_async = matches!(sample[0], b'N' | b'A' | b'S');
        assert_eq!(feed(&mut client, &sample).is_none(), is_async, "{:?}", char::from(sample[0]));
        // The same before BindComplete: only BindComplete and an error make sense.
        let mut client = Client::new();
        client.warm("select 1 1");
        client.query(1, "select 1 1", 0);
        client.flush();
        let is_expected = is_async || matches!(sample[0], b'2' | b'E');
        assert_eq!(feed(&mut client, &sample).is_none(), is_expected, "{:?}", char::from(sample[0]));
    }
}

#[test]
fn trailing_bytes_and_unknown_statuses_are_violations() {
    for bytes in [message(b'2', b"x"), message(b'Z', b"X"), message(b'Z', b"II"), message(b'Z', &[])] {
        let mut client = Client::new();
        client.warm("select 1 1");
        client.query(1, "select 1 1", 0);
        client.flush();
        assert!(feed(&mut client, &bytes).is_some());
        assert!(client.is_settled(1));
    }
}

#[test]
fn text_that_is_not_utf8_is_no_reason_to_fail() {
    let mut client = Client::new();
    assert!(feed(&mut client, &message(b'S', b"a\xff\0b\xfe\0")).is_none());
    assert_eq!(client.sink.lines, ["parameter a\u{fffd} b\u{fffd}"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn any_messages_in_any_order_settle_everything(
        setup in proptest::collection::vec(0..9_u32, 0..6),
        messages in proptest::collection::vec((0..26_usize, any::<u16>()), 0..30),
        cut in any::<u16>(),
    ) {
        let mut client = Client::new();
        client.warm("select 1 1 $1");
        let mut ids = Vec::new();
        for (id, kind) in (1..).zip(setup) {
            match kind {
                0..=2 => client.query(id, "select 1 1 $1", 0),
                3 => client.query(id, "insert 2 $1", 0),
                4 => client.script(id, "select 1; copy in", false),
                5 => client.script(id, "begin", true),
                6 => client.prepare(id, "insert 3 $1"),
                7 => client.batch(id, "select 1 1 $1", true),
                _ => client.query_of(id, "copy in", 0, 3),
            }
            ids.push(id);
        }
        client.flush();
        let samples = samples();
        let mut bytes: Vec<u8> = Vec::new();
        for (kind, noise) in messages {
            match samples.get(kind) {
                Some(sample) => bytes.extend_from_slice(sample),
                None => bytes.extend_from_slice(&noise.to_be_bytes()),
            }
        }
        let cut = usize::from(cut).min(bytes.len());
        let mut unread = Vec::new();
        for piece in [&bytes[..cut], &bytes[cut..]] {
            unread.extend_from_slice(piece);
            match client.session.receive(&unread, &mut client.sink) {
                Ok(received) => {
                    unread.drain(..received.consumed);
                    client.answer();
                    client.flush();
                }
                Err(violation) => {
                    client.session.end(EndCause::Violation(violation), &mut client.sink);
                    break;
                }
            }
        }
        client.session.end(EndCause::EndOfStream, &mut client.sink);
        for id in ids {
            prop_assert!(client.is_settled(id));
        }
        prop_assert!(client.sink.closed.is_some());
    }
}
