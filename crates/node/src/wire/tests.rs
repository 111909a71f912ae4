//! The wire between stand-ins.

mod stand_ins;

use std::rc::Rc;

use oxpg_client::session::EndCause;

use self::stand_ins::{Bench, Notes, Plain, Scripted, Sealed, Silence, message, notice, notification, row};
use super::{Reading, TERMINATE, Wire};
use crate::reactor::Interest;

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
    bench.arrive([notification("before"), notice(&large), notification("after")].concat());
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
fn a_server_that_takes_no_more_is_told_of_the_end_by_a_reset() {
    let mut bench = Plain::new();
    bench.wire.cut_short(&bench.session);
    assert!(!bench.line.borrow().is_cut_short, "it has got everything");
    bench.line.borrow_mut().has_unsent = true;
    bench.wire.cut_short(&bench.session);
    assert!(bench.line.borrow().is_cut_short, "the system took it, and holds it");

    let mut bench = Plain::new();
    bench.line.borrow_mut().room = 3;
    bench.say("SELECT 1");
    assert!(bench.flush());
    bench.wire.cut_short(&bench.session);
    assert!(bench.line.borrow().is_cut_short);

    let mut bench = Sealed::new();
    bench.line.borrow_mut().room = 3;
    bench.say("SELECT 1");
    assert!(bench.flush());
    assert!(bench.session.output().is_empty());
    bench.wire.cut_short(&bench.session);
    assert!(bench.line.borrow().is_cut_short, "the transport took it, and holds it");
}

#[test]
fn a_wire_that_is_withdrawn_leaves_its_last_words_to_others() {
    let Bench { line, reactor, wire, session, .. } = Plain::new();
    assert_eq!(wire.withdraw(&session, &reactor).1, TERMINATE);
    assert!(line.borrow().outgoing.is_empty());
    assert_eq!(reactor.interest.get(), None);

    let mut bench = Plain::new();
    bench.line.borrow_mut().room = 3;
    bench.say("SELECT 1");
    assert!(bench.flush());
    let Bench { reactor, wire, session, .. } = bench;
    assert!(wire.withdraw(&session, &reactor).1.is_empty(), "half a message was said");
}

#[test]
fn a_socket_that_cannot_be_watched_makes_no_wire() {
    let mut reactor = Notes { is_refusing: true, ..Notes::default() };
    let wire = Wire::connect(Scripted::<false>(Rc::default()), Vec::new(), 1, &mut reactor);
    assert_eq!(wire.err().as_deref(), Some("EBADF"));
}
