//! The wire with a scripted transport on one side, a session on the other, and a reactor that only takes notes.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use oxpg_client::session::{
    Bind, Catalog, Description, EndCause, Event, Query, Request, RequestId, ResultFormats, ResultOptions, Route,
    RowTaken, Session, SessionOptions, SessionStart, Sink, Work,
};

use super::{Descriptor, Progress, Reading, TERMINATE, Transport, Wire};
use crate::reactor::{Interest, Reactor, Wake};

/// What the next read finds, when no bytes are left.
#[derive(Clone, Copy, Default)]
enum Silence {
    #[default]
    Blocked,
    Ended,
    Reset,
}

/// Both ends of a transport.
#[derive(Default)]
struct Line {
    /// Each read gets at most one of them.
    incoming: VecDeque<Vec<u8>>,
    silence: Silence,
    reads: usize,
    outgoing: Vec<u8>,
    /// Bytes that the socket takes before it blocks.
    room: usize,
    is_broken: bool,
    /// Bytes that the transport took and has not written.
    held: Vec<u8>,
}

/// A plain socket, or one that seals what it carries: then a short read means nothing, and it takes more than the socket
/// has room for.
struct Scripted<const IS_SEALED: bool>(Rc<RefCell<Line>>);

impl<const IS_SEALED: bool> Transport for Scripted<IS_SEALED> {
    const SHORT_READ_EMPTIES: bool = !IS_SEALED;

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
struct Notes {
    interest: Cell<Option<Interest>>,
    changes: Cell<usize>,
    is_refusing: bool,
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
    fn disarmed(&mut self) {}
    fn waker(&self) -> Arc<dyn Wake> {
        Arc::new(NoWake)
    }
    fn close(&mut self) {}
}

/// What the session told.
#[derive(Default)]
struct Mail {
    rows: Vec<Vec<u8>>,
    /// Rows that fit.
    room: usize,
    is_paused: bool,
    notified: Vec<String>,
    asked: Option<Rc<Description>>,
    completed: usize,
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
fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    bytes.extend(u32::try_from(body.len() + 4).unwrap().to_be_bytes());
    bytes.extend(body);
    bytes
}

fn notification(payload: &str) -> Vec<u8> {
    message(b'A', &[&[0, 0, 0, 9], b"news\0".as_slice(), payload.as_bytes(), b"\0"].concat())
}

/// A row of one int4.
fn row(value: u8) -> Vec<u8> {
    message(b'D', &[0, 1, 0, 0, 0, 4, 0, 0, 0, value])
}

struct Bench<const IS_SEALED: bool> {
    line: Rc<RefCell<Line>>,
    reactor: Notes,
    wire: Wire<Scripted<IS_SEALED>, Notes>,
    session: Session,
    mail: Mail,
    buffer: Vec<u8>,
}

impl<const IS_SEALED: bool> Bench<IS_SEALED> {
    fn with_leftover(leftover: Vec<u8>) -> Self {
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

    fn new() -> Self {
        Self::with_leftover(Vec::new())
    }

    fn arrive(&self, bytes: impl Into<Vec<u8>>) {
        self.line.borrow_mut().incoming.push_back(bytes.into());
    }

    fn read(&mut self) -> Reading {
        self.read_within(&mut usize::MAX.clone())
    }

    fn read_within(&mut self, budget: &mut usize) -> Reading {
        self.wire.read(&mut self.session, (&mut self.buffer, budget), &self.reactor, &mut self.mail)
    }

    fn flush(&mut self) -> bool {
        self.wire.flush(&mut self.session, &self.reactor, &mut self.mail)
    }

    fn is_dirty(&self) -> bool {
        self.wire.is_dirty(&self.session)
    }

    fn interest(&self) -> Option<Interest> {
        self.reactor.interest.get()
    }

    fn written(&self) -> Vec<u8> {
        self.line.borrow().outgoing.clone()
    }

    /// Submits something to say.
    fn say(&mut self, text: &str) {
        let work = Work::Script { text: text.into(), is_control: false };
        self.session.submit(Request { id: 1, work }, &mut self.mail);
    }

    /// Brings a query so far that rows may come.
    fn await_rows(&mut self) {
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

    fn row_values(&self) -> Vec<u8> {
        self.mail.rows.iter().filter_map(|row| row.last().copied()).collect()
    }
}

type Plain = Bench<false>;
type Sealed = Bench<true>;

#[test]
fn messages_cut_anywhere_arrive_whole() {
    let bytes = [notification("first"), notification("second")].concat();
    for cut in 1..bytes.len() {
        let mut bench = Plain::new();
        for part in [&bytes[..cut], &bytes[cut..]] {
            bench.arrive(part);
            assert!(matches!(bench.read(), Reading::Drained));
        }
        assert_eq!(bench.mail.notified, ["first", "second"], "cut at {cut}");
        assert!(!bench.wire.has_unparsed());
    }
}

#[test]
fn a_message_larger_than_the_shared_buffer_is_put_together_and_its_memory_given_back() {
    let large = "x".repeat(3 << 20);
    let mut bench = Plain::new();
    bench.arrive([notification("before"), notification(&large), notification("after")].concat());
    assert!(matches!(bench.read(), Reading::Drained));
    assert_eq!(bench.mail.notified.len(), 3);
    assert!(bench.mail.notified[1] == large && bench.mail.notified[2] == "after");
    assert!(!bench.wire.has_unparsed());
    assert!(bench.wire.unparsed.capacity() < 4 << 10, "an idle connection holds no memory for reading");
}

#[test]
fn what_was_read_before_the_session_was_taken_over_is_parsed_first() {
    let bytes = notification("early");
    let mut bench = Plain::with_leftover(bytes[..9].to_vec());
    assert!(bench.wire.has_unparsed());
    bench.arrive(&bytes[9..]);
    assert!(matches!(bench.read(), Reading::Drained));
    assert_eq!(bench.mail.notified, ["early"]);
}

#[test]
fn a_short_read_saves_the_next_one_where_it_empties_the_transport() {
    let mut bench = Plain::new();
    bench.arrive(notification("one"));
    assert!(matches!(bench.read(), Reading::Drained));
    assert_eq!(bench.line.borrow().reads, 1);

    let mut bench = Sealed::new();
    bench.arrive(notification("one"));
    bench.arrive(notification("two"));
    assert!(matches!(bench.read(), Reading::Drained));
    assert_eq!(bench.mail.notified, ["one", "two"], "records are read until the transport itself has no more");
    assert_eq!(bench.line.borrow().reads, 3);
}

#[test]
fn a_spent_budget_leaves_the_rest_for_the_next_turn() {
    let mut bench = Plain::new();
    bench.arrive(notification(&"x".repeat(5_000)));
    let mut budget = 1_500;
    assert!(matches!(bench.read_within(&mut budget), Reading::Unfinished));
    assert_eq!(budget, 0);
    assert_eq!(bench.line.borrow().reads, 2, "1024 bytes, and once more");
    assert!(bench.mail.notified.is_empty());
    assert!(matches!(bench.read(), Reading::Drained));
    assert_eq!(bench.mail.notified.len(), 1);
}

#[test]
fn the_end_of_the_stream_ends_the_session() {
    for (silence, is_expected) in [
        (Silence::Ended, (|cause| matches!(cause, EndCause::EndOfStream)) as fn(&EndCause) -> bool),
        (Silence::Reset, |cause| matches!(cause, EndCause::Reset { code: "ECONNRESET", .. })),
    ] {
        let mut bench = Plain::new();
        bench.arrive(notification("last words"));
        bench.line.borrow_mut().silence = silence;
        assert!(matches!(bench.read(), Reading::Drained));
        let Reading::Over(cause) = bench.read() else { panic!("still open") };
        assert!(is_expected(&cause), "{cause:?}");
        assert_eq!(bench.mail.notified, ["last words"]);
    }
}

#[test]
fn what_is_no_message_ends_the_session() {
    let mut bench = Plain::new();
    bench.arrive(message(b'?', b""));
    assert!(matches!(bench.read(), Reading::Over(EndCause::Violation(_))));
}

#[test]
fn a_blocked_write_waits_for_the_loop_and_reading_goes_on() {
    let mut bench = Plain::new();
    bench.line.borrow_mut().room = 10;
    bench.say("SELECT 'a text that does not fit'");
    let said = bench.session.output().to_vec();
    assert!(bench.is_dirty());
    assert!(bench.flush());
    assert_eq!(bench.interest(), Some(Interest::ReadWrite));
    assert!(!bench.is_dirty(), "the loop tells when there is room");
    bench.arrive(notification("meanwhile"));
    assert!(matches!(bench.read(), Reading::Drained));
    assert_eq!(bench.mail.notified, ["meanwhile"]);

    bench.line.borrow_mut().room = usize::MAX;
    assert!(bench.flush());
    assert_eq!(bench.interest(), Some(Interest::Read));
    assert_eq!(bench.written(), said);
    assert!(!bench.is_dirty());
}

#[test]
fn a_write_that_is_not_blocked_changes_nothing_at_the_reactor() {
    let mut bench = Plain::new();
    bench.say("SELECT 1");
    assert!(bench.flush());
    assert_eq!(bench.reactor.changes.get(), 0);
}

#[test]
fn what_a_transport_holds_back_makes_the_wire_dirty_until_it_is_written() {
    let mut bench = Sealed::new();
    bench.line.borrow_mut().room = 10;
    bench.say("SELECT 'a text that does not fit'");
    let said = bench.session.output().to_vec();
    assert!(bench.flush());
    assert!(bench.session.output().is_empty(), "the transport has taken all of it");
    assert_eq!(bench.interest(), Some(Interest::ReadWrite));
    bench.line.borrow_mut().room = 5;
    assert!(bench.flush());
    assert_eq!(bench.interest(), Some(Interest::ReadWrite));
    bench.line.borrow_mut().room = usize::MAX;
    assert!(bench.flush());
    assert_eq!(bench.interest(), Some(Interest::Read));
    assert_eq!(bench.written(), said);
}

#[test]
fn what_reading_leaves_inside_a_transport_is_flushed_without_output() {
    let mut bench = Sealed::new();
    assert!(!bench.is_dirty());
    bench.line.borrow_mut().held = b"an answer to the peer's key update".to_vec();
    assert!(bench.is_dirty());
    assert!(bench.flush());
    assert!(!bench.is_dirty());
    assert_eq!(bench.written(), b"an answer to the peer's key update");
}

#[test]
fn after_a_failed_write_what_the_server_said_before_comes_first() {
    let mut bench = Plain::new();
    bench.line.borrow_mut().is_broken = true;
    bench.arrive(notification("why I leave"));
    bench.line.borrow_mut().silence = Silence::Ended;
    bench.say("SELECT 1");
    assert!(!bench.flush(), "the caller has the rest read");
    assert!(!bench.is_dirty(), "nothing is written before that");
    let Reading::Over(cause) = bench.read() else { panic!("still open") };
    assert!(matches!(cause, EndCause::Reset { code: "EPIPE", .. }), "{cause:?}");
    assert_eq!(bench.mail.notified, ["why I leave"]);
}

#[test]
fn after_a_failed_write_a_silent_server_is_not_waited_for() {
    let mut bench = Plain::new();
    bench.line.borrow_mut().is_broken = true;
    bench.say("SELECT 1");
    assert!(!bench.flush());
    assert!(matches!(bench.read(), Reading::Over(EndCause::Reset { code: "EPIPE", .. })));
}

#[test]
fn a_full_mailbox_is_tried_again_without_new_bytes() {
    let mut bench = Plain::new();
    bench.await_rows();
    bench.mail.room = 2;
    bench.arrive([row(1), row(2), row(3), message(b'C', b"SELECT 3\0"), message(b'Z', b"I")].concat());
    assert!(matches!(bench.read(), Reading::Unfinished));
    assert_eq!(bench.row_values(), [1, 2]);
    assert_eq!(bench.interest(), Some(Interest::Read));
    bench.mail.room = usize::MAX;
    assert!(matches!(bench.read(), Reading::Drained));
    assert_eq!(bench.row_values(), [1, 2, 3]);
    assert_eq!(bench.mail.completed, 1);
}

#[test]
fn a_paused_wire_reads_nothing_and_wakes_nobody_until_it_is_resumed() {
    let mut bench = Plain::new();
    bench.await_rows();
    (bench.mail.room, bench.mail.is_paused) = (1, true);
    bench.arrive([row(1), row(2)].concat());
    assert!(matches!(bench.read(), Reading::Paused));
    assert_eq!(bench.interest(), Some(Interest::Nothing));
    assert!(bench.wire.has_unparsed());

    bench.arrive([row(3), message(b'C', b"SELECT 3\0"), message(b'Z', b"I")].concat());
    let reads = bench.line.borrow().reads;
    bench.mail.room = usize::MAX;
    assert!(matches!(bench.read(), Reading::Paused), "the owner has not said so");
    assert_eq!((bench.line.borrow().reads, bench.row_values()), (reads, vec![1]));
    bench.wire.watch_again(&bench.reactor);
    assert_eq!(bench.interest(), Some(Interest::Nothing));

    bench.mail.is_paused = false;
    assert!(bench.wire.resume(&bench.reactor));
    assert_eq!(bench.interest(), Some(Interest::Read));
    assert!(!bench.wire.resume(&bench.reactor), "once is enough");
    assert!(matches!(bench.read(), Reading::Drained));
    assert_eq!(bench.row_values(), [1, 2, 3]);
    assert_eq!(bench.mail.completed, 1);
}

#[test]
fn a_resumed_wire_parses_what_it_kept_though_the_socket_has_nothing() {
    let mut bench = Plain::new();
    bench.await_rows();
    (bench.mail.room, bench.mail.is_paused) = (0, true);
    bench.arrive([row(1), message(b'C', b"SELECT 1\0"), message(b'Z', b"I")].concat());
    assert!(matches!(bench.read(), Reading::Paused));
    (bench.mail.room, bench.mail.is_paused) = (1, false);
    assert!(bench.wire.resume(&bench.reactor));
    assert!(matches!(bench.read(), Reading::Drained));
    assert_eq!((bench.row_values(), bench.mail.completed), (vec![1], 1));
}

#[test]
fn a_paused_wire_still_writes() {
    let mut bench = Plain::new();
    bench.await_rows();
    (bench.mail.room, bench.mail.is_paused) = (0, true);
    bench.arrive(row(1));
    assert!(matches!(bench.read(), Reading::Paused));
    let before = bench.written().len();
    bench.line.borrow_mut().room = 3;
    bench.say("SELECT 2");
    assert!(bench.is_dirty());
    assert!(bench.flush());
    assert_eq!(bench.interest(), Some(Interest::Write));
    bench.line.borrow_mut().room = usize::MAX;
    assert!(bench.flush());
    assert_eq!(bench.interest(), Some(Interest::Nothing));
    assert!(bench.written().len() > before + 3);
}

#[test]
fn the_farewell_is_said_between_messages_only() {
    let mut bench = Plain::new();
    bench.wire.farewell(&bench.session);
    assert_eq!(bench.written(), TERMINATE);

    let mut bench = Plain::new();
    bench.line.borrow_mut().room = 3;
    bench.say("SELECT 1");
    assert!(bench.flush());
    bench.line.borrow_mut().room = usize::MAX;
    bench.wire.farewell(&bench.session);
    assert_eq!(bench.written().len(), 3, "half a message was said, and another would be read as its rest");
}

#[test]
fn a_disconnected_wire_says_goodbye_and_is_not_watched() {
    let Bench { line, reactor, wire, session, .. } = Plain::new();
    wire.disconnect(&session, &reactor);
    assert_eq!(line.borrow().outgoing, TERMINATE);
    assert_eq!(reactor.interest.get(), None);
}

#[test]
fn a_socket_that_cannot_be_watched_makes_no_wire() {
    let mut reactor = Notes { is_refusing: true, ..Notes::default() };
    let wire = Wire::connect(Scripted::<false>(Rc::default()), Vec::new(), 1, &mut reactor);
    assert_eq!(wire.err().as_deref(), Some("EBADF"));
}
