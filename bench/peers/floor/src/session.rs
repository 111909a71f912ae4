//! A blocking session that keeps nothing of what it reads.

use std::io::{Read, Write};
use std::net::TcpStream;

use bytes::BytesMut;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use postgres_protocol::message::frontend;

pub struct Session {
    stream: TcpStream,
    input: Vec<u8>,
    start: usize,
    end: usize,
    sum: u64,
    prepared: String,
}

impl Session {
    /// `postgres://user:password@host:port/database`, nothing else.
    pub fn open(url: &str) -> Self {
        let rest = url.split_once("://").expect("a URL").1;
        let (credentials, place) = rest.rsplit_once('@').expect("credentials");
        let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
        let (address, database) = place.split_once('/').expect("a database");
        let database = database.split('?').next().unwrap_or(database);
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_nodelay(true).expect("nodelay");
        let mut session =
            Self { stream, input: vec![0; 1 << 18], start: 0, end: 0, sum: 0, prepared: String::new() };
        let mut out = BytesMut::new();
        frontend::startup_message([("user", user), ("database", database)], &mut out).expect("startup");
        session.send(&out);
        session.authenticate(password.as_bytes());
        session.until_ready();
        session
    }

    fn authenticate(&mut self, password: &[u8]) {
        let mut scram = ScramSha256::new(password, ChannelBinding::unsupported());
        loop {
            let (kind, body) = self.message();
            assert_eq!(kind, b'R', "an authentication message");
            let mut out = BytesMut::new();
            match i32::from_be_bytes(body[..4].try_into().expect("a code")) {
                0 => return,
                3 => frontend::password_message(password, &mut out).expect("password"),
                10 => {
                    frontend::sasl_initial_response(SCRAM_SHA_256, scram.message(), &mut out).expect("SASL");
                }
                11 => {
                    scram.update(&body[4..]).expect("the server's challenge");
                    frontend::sasl_response(scram.message(), &mut out).expect("SASL");
                }
                12 => scram.finish(&body[4..]).expect("the server's signature"),
                code => panic!("authentication {code} is not for the floor"),
            }
            if !out.is_empty() {
                self.send(&out);
            }
        }
    }

    pub fn prepare(&mut self, sql: &str) {
        if self.prepared == sql {
            return;
        }
        let mut out = BytesMut::new();
        frontend::close(b'S', "floor", &mut out).expect("Close");
        frontend::parse("floor", sql, [], &mut out).expect("Parse");
        frontend::sync(&mut out);
        self.send(&out);
        self.until_ready();
        self.prepared = sql.to_owned();
    }

    pub fn query(&mut self, parameters: &[i32]) {
        let mut out = Vec::with_capacity(64);
        message(&mut out, b'B', |out| {
            out.extend_from_slice(b"\0floor\0\0\x01\0\x01");
            out.extend_from_slice(&(parameters.len() as i16).to_be_bytes());
            for parameter in parameters {
                out.extend_from_slice(&4_i32.to_be_bytes());
                out.extend_from_slice(&parameter.to_be_bytes());
            }
            out.extend_from_slice(b"\0\x01\0\x01");
        });
        out.extend_from_slice(b"E\0\0\0\x09\0\0\0\0\0S\0\0\0\x04");
        self.send(&out);
        self.until_ready();
    }

    fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the server reads");
    }

    /// Reads to the next ReadyForQuery, and each byte of the rows on the way.
    fn until_ready(&mut self) {
        loop {
            let (kind, body) = self.range();
            match kind {
                b'D' => {
                    let sum = self.input[body].iter().fold(0_u64, |sum, byte| sum.wrapping_add(u64::from(*byte)));
                    self.sum = std::hint::black_box(self.sum.wrapping_add(sum));
                }
                b'Z' => return,
                b'E' => panic!("{}", String::from_utf8_lossy(&self.input[body])),
                _ => {}
            }
        }
    }

    fn message(&mut self) -> (u8, Vec<u8>) {
        let (kind, body) = self.range();
        assert_ne!(kind, b'E', "{}", String::from_utf8_lossy(&self.input[body.clone()]));
        (kind, self.input[body].to_vec())
    }

    fn range(&mut self) -> (u8, std::ops::Range<usize>) {
        loop {
            let have = self.end - self.start;
            if have >= 5 {
                let length = &self.input[self.start + 1..self.start + 5];
                let length = i32::from_be_bytes(length.try_into().expect("four bytes")) as usize;
                if have > length {
                    let body = self.start + 5..self.start + 1 + length;
                    self.start = body.end;
                    return (self.input[body.start - 5], body);
                }
            }
            if self.input.len() - self.end < 4096 {
                self.input.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
                if self.input.len() - self.end < 4096 {
                    self.input.resize(self.input.len() * 2, 0);
                }
            }
            let count = self.stream.read(&mut self.input[self.end..]).expect("the server answers");
            assert_ne!(count, 0, "the server closed the connection");
            self.end += count;
        }
    }
}

fn message(out: &mut Vec<u8>, kind: u8, body: impl FnOnce(&mut Vec<u8>)) {
    out.push(kind);
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    body(out);
    let length = (out.len() - at) as i32;
    out[at..at + 4].copy_from_slice(&length.to_be_bytes());
}
