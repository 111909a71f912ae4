//! Stand-ins for what is around a wire: a scripted transport on one side, a session on the other, and a reactor that only
//! takes notes.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use oxpg_client::session::{
    Bind, Catalog, Description, Event, Query, Request, RequestId, ResultFormats, ResultOptions, Route, RowTaken,
    Session, SessionOptions, SessionStart, Sink, Work,
};

use super::super::{Descriptor, Progress, Reading, Transport, Wire};
use crate::reactor::{Interest, Reactor, Wake};

/// What the next read finds, when no bytes are left.
#[derive(Clone, Copy, Default)]
pub(super) enum Silence {
    #[default]
    Blocked,
    Ended,
    Reset,
}

/// Both ends of a transport.
#[derive(Default)]
pub(super) struct Line {
    /// Each read gets at most one of them.
    pub(super) incoming: VecDeque<Vec<u8>>,
    pub(super) silence: Silence,
    pub(super) reads: usize,
    pub(super) outgoing: Vec<u8>,
    /// Bytes that the socket takes before it blocks.
    pub(super) room: usize,
    pub(super) is_broken: bool,
    /// Bytes that the transport took and has not written.
    pub(super) held: Vec<u8>,
    pub(super) is_cut_short: bool,
    pub(super) has_unsent: bool,
}

/// A plain socket, or one that seals what it carries: then a short read means nothing, and it takes more than the socket
/// has room for.
pub(super) struct Scripted<const IS_SEALED: bool>(pub(super) Rc<RefCell<Line>>);

impl<const IS_SEALED: bool> Transport for Scripted<IS_SEALED> {
    fn is_emptied_by(&self, count: usize, room: usize) -> bool {
        !IS_SEALED && count < room
    }

    fn descriptor(&self) -> Descriptor {
        7
    }

    fn read(&mut self, buffer: &mut [u8]) -> Progress {
        assert!(!buffer.is_empty());
        let mut line = self.0.borrow_mut();
        line.reads += 1;
        let Some(mut bytes) = line.incoming.pop_front() else {
            return match line.silence {
                Silence::Blocked => Progress::Blocked,
                Silence::Ended => Progress::Ended,
                Silence::Reset => Progress::Failed(io::ErrorKind::ConnectionReset.into()),
            };
        };
        if bytes.len() > buffer.len() {
            line.incoming.push_front(bytes.split_off(buffer.len()));
        }
        buffer[..bytes.len()].copy_from_slice(&bytes);
        Progress::Moved(bytes.len())
    }

    fn write(&mut self, bytes: &[u8]) -> Progress {
        assert!(!bytes.is_empty());
        let mut line = self.0.borrow_mut();
        if line.is_broken {
            return Progress::Failed(io::ErrorKind::BrokenPipe.into());
        }
        let count = bytes.len().min(line.room);
        line.room -= count;
        line.outgoing.extend_from_slice(&bytes[..count]);
        if IS_SEALED && line.held.is_empty() {
            line.held.extend_from_slice(&bytes[count..]);
            return Progress::Moved(bytes.len());
        }
        if count == 0 { Progress::Blocked } else { Progress::Moved(count) }
    }

    fn is_holding_output(&self) -> bool {
        !self.0.borrow().held.is_empty()
    }

    fn has_unsent(&self) -> bool {
        self.0.borrow().has_unsent
    }

    fn cut_short(&mut self) {
        self.0.borrow_mut().is_cut_short = true;
    }

    fn flush(&mut self) -> Progress {
        let mut line = self.0.borrow_mut();
        let count = line.held.len().min(line.room);
        if count == 0 {
            return Progress::Blocked;
        }
        line.room -= count;
        let written: Vec<u8> = line.held.drain(..count).collect();
        line.outgoing.extend(written);
        Progress::Moved(count)
    }
}

/// Knows what it was told, and does nothing.
#[derive(Default)]
pub(super) struct Notes {
    pub(super) interest: Cell<Option<Interest>>,
    pub(super) changes: Cell<usize>,
    pub(super) is_refusing: bool,
}

struct NoWake;

impl Wake for NoWake {
    fn wake(&self) {}
}

impl Reactor for Notes {
    type Watch = ();

    fn watch(&mut self, descriptor: Descriptor, connection: u32) -> Result<(), String> {
        assert_eq!((descriptor, connection), (7, 1));
        if self.is_refusing {
            return Err("EBADF".into());
        }
        self.interest.set(Some(Interest::Read));
        Ok(())
    }

    fn set_interest(&self, (): (), interest: Interest) {
        self.interest.set(Some(interest));
        self.changes.set(self.changes.get() + 1);
    }

    fn unwatch(&self, (): ()) {
        self.interest.set(None);
    }

    fn hold(&mut self) {}
    fn release(&mut self, _count: usize) {}
    fn is_free(&self) -> bool {
        true
    }
    fn spin(&mut self, _wanted: bool) {}
    fn arm(&mut self, _deadline_ms: u64, _now_ms: u64) {}
    fn armed_at_ms(&self) -> u64 {
        u64::MAX
    }

    fn disarmed(&mut self) {}
    fn waker(&self) -> Arc<dyn Wake> {
        Arc::new(NoWake)
    }
    fn close(&mut self) {}
}

/// What the session told.
#[derive(Default)]
pub(super) struct Mail {
    pub(super) rows: Vec<Vec<u8>>,
    /// Rows that fit.
    pub(super) room: usize,
    pub(super) is_paused: bool,
    pub(super) notified: Vec<String>,
    pub(super) asked: Option<Rc<Description>>,
    pub(super) completed: usize,
}

impl Sink for Mail {
    fn row(&mut self, _: RequestId, _: &Rc<Description>, _: ResultFormats, data_row: &[u8], _: usize) -> RowTaken {
        if self.rows.len() >= self.room {
            return RowTaken::Full;
        }
        self.rows.push(data_row.to_vec());
        RowTaken::Taken
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Notification { payload, .. } => self.notified.push(payload),
            Event::Notice(message) => self.notified.extend(message.field(b'M').map(str::to_owned)),
            Event::Described { description, needs_bind: true, .. } => self.asked = Some(description),
            Event::Completed { .. } => self.completed += 1,
            _ => {}
        }
    }

    fn is_paused(&self) -> bool {
        self.is_paused
    }
}

/// A backend message.
pub(super) fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    bytes.extend(u32::try_from(body.len() + 4).unwrap().to_be_bytes());
    bytes.extend(body);
    bytes
}

pub(super) fn notification(payload: &str) -> Vec<u8> {
    message(b'A', &[&[0, 0, 0, 9], b"news\0".as_slice(), payload.as_bytes(), b"\0"].concat())
}

/// A NoticeResponse, which may be long.
pub(super) fn notice(text: &str) -> Vec<u8> {
    message(b'N', &[b"M".as_slice(), text.as_bytes(), b"\0\0"].concat())
}

/// A row of one int4.
pub(super) fn row(value: u8) -> Vec<u8> {
    message(b'D', &[0, 1, 0, 0, 0, 4, 0, 0, 0, value])
}

pub(super) struct Bench<const IS_SEALED: bool> {
    pub(super) line: Rc<RefCell<Line>>,
    pub(super) reactor: Notes,
    pub(super) wire: Wire<Scripted<IS_SEALED>, Notes>,
    pub(super) session: Session,
    pub(super) mail: Mail,
    pub(super) buffer: Vec<u8>,
}

impl<const IS_SEALED: bool> Bench<IS_SEALED> {
    pub(super) fn with_leftover(leftover: Vec<u8>) -> Self {
        let line = Rc::new(RefCell::new(Line { room: usize::MAX, ..Line::default() }));
        let mut reactor = Notes::default();
        let wire = Wire::connect(Scripted(Rc::clone(&line)), leftover, 1, &mut reactor).unwrap();
        let start = SessionStart {
            parameters: Vec::new(),
            backend_pid: 1,
            secret_key: Vec::new(),
            transaction_status: b'I',
            statement_prefix: "oxpg".into(),
            route: Route::new(),
        };
        let session = Session::new(SessionOptions::default(), start, Catalog::new());
        let mail = Mail { room: usize::MAX, ..Mail::default() };
        Self { line, reactor, wire, session, mail, buffer: vec![0; 1024] }
    }

    pub(super) fn new() -> Self {
        Self::with_leftover(Vec::new())
    }

    pub(super) fn arrive(&self, bytes: impl Into<Vec<u8>>) {
        self.line.borrow_mut().incoming.push_back(bytes.into());
    }

    pub(super) fn read(&mut self) -> Reading {
        self.read_within(&mut usize::MAX.clone())
    }

    pub(super) fn read_within(&mut self, budget: &mut usize) -> Reading {
        self.wire.read(&mut self.session, (&mut self.buffer, budget), &self.reactor, &mut self.mail)
    }

    pub(super) fn flush(&mut self) -> bool {
        self.wire.flush(&mut self.session, &self.reactor, &mut self.mail)
    }

    pub(super) fn is_dirty(&self) -> bool {
        self.wire.is_dirty(&self.session)
    }

    pub(super) fn interest(&self) -> Option<Interest> {
        self.reactor.interest.get()
    }

    pub(super) fn written(&self) -> Vec<u8> {
        self.line.borrow().outgoing.clone()
    }

    /// Submits something to say.
    pub(super) fn say(&mut self, text: &str) {
        let work = Work::Script { text: text.into(), is_control: false };
        self.session.submit(Request { id: 1, work }, &mut self.mail);
    }

    /// Brings a query so far that rows may come.
    pub(super) fn await_rows(&mut self) {
        let query = Query::new(1, "SELECT n FROM numbers", true);
        let work = Work::Query { query, bind: None, result: ResultOptions::default(), is_fresh: false };
        self.session.submit(Request { id: 2, work }, &mut self.mail);
        assert!(self.flush());
        let column = [b"\0\x01n\0".as_slice(), &[0; 6], &[0, 0, 0, 23], &[0, 4, 0xff, 0xff, 0xff, 0xff, 0, 0]].concat();
        self.arrive([message(b'1', b""), message(b't', &[0, 0]), message(b'T', &column), message(b'Z', b"I")].concat());
        assert!(matches!(self.read(), Reading::Drained));
        let description = self.mail.asked.take().unwrap();
        self.session.bind(2, Bind { description, parameters: vec![0; 4] }, &mut self.mail);
        assert!(self.flush());
        self.arrive(message(b'2', b""));
        assert!(matches!(self.read(), Reading::Drained));
    }

    pub(super) fn row_values(&self) -> Vec<u8> {
        self.mail.rows.iter().filter_map(|row| row.last().copied()).collect()
    }
}

pub(super) type Plain = Bench<false>;
pub(super) type Sealed = Bench<true>;
