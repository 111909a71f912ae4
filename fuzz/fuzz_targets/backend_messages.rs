//! A hostile server against the session engine: whatever bytes come, in whatever pieces, while requests of every
//! kind are in flight, there is no panic, and every request settles exactly once.
#![no_main]

use std::collections::HashSet;
use std::rc::Rc;

use libfuzzer_sys::fuzz_target;
use oxpg_client::session::{
    Bind, Catalog, Description, EndCause, Event, PoolerSearch, Query, Request, RequestId, ResultForm, ResultFormats,
    ResultOptions, Route, RowTaken, Session, SessionOptions, SessionStart, Sink, Work,
};

#[derive(Default)]
struct Ends {
    settled: HashSet<RequestId>,
    asked: Vec<(RequestId, Rc<Description>)>,
    /// Cancels whose connections are not over.
    cancels: Vec<u32>,
    is_closed: bool,
    rows: usize,
}

impl Sink for Ends {
    fn row(
        &mut self,
        request: RequestId,
        _: &Rc<Description>,
        _: ResultFormats,
        row: &[u8],
        _: usize,
    ) -> RowTaken {
        assert!(!self.settled.contains(&request), "a row after the end");
        self.rows += 1;
        match self.rows % 7 {
            3 => RowTaken::Full,
            4 => RowTaken::UnknownType(70_000 + u32::from(row.first().is_some_and(|byte| byte % 2 == 0))),
            5 => RowTaken::Malformed("no".to_owned()),
            6 if row.len() % 5 == 4 => RowTaken::OutdatedType("not any more".to_owned()),
            _ => RowTaken::Taken,
        }
    }

    fn event(&mut self, event: Event) {
        assert!(!self.is_closed, "an event after the last one");
        match event {
            Event::Described { request, description, needs_bind: true } => self.asked.push((request, description)),
            Event::Completed { request, .. }
            | Event::Failed { request, .. }
            | Event::Returned { request: Request { id: request, .. }, .. }
            | Event::Aborted { request, .. } => {
                assert!(self.settled.insert(request), "settled twice");
            }
            Event::CancelWanted { number } => self.cancels.push(number),
            Event::Closed { .. } => self.is_closed = true,
            _ => {}
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((&[setup, cut, flags], stream)) = data.split_first_chunk::<3>() else { return };
    let statement_cache_size = [0, 1, 100][usize::from(flags % 3)];
    let returns_requests = flags & 32 != 0;
    let pooler_search =
        [PoolerSearch::Off, PoolerSearch::ByErrors, PoolerSearch::ByIdentity][usize::from(flags / 3 % 3)];
    let options = SessionOptions {
        statement_cache_size,
        batch_output_bytes: 64,
        resend_bytes: 16,
        returns_requests,
        pooler_search,
    };
    let start = SessionStart {
        parameters: Vec::new(),
        backend_pid: 1,
        secret_key: vec![0; 4],
        transaction_status: b'I',
        statement_prefix: "fuzz".to_owned(),
        route: Route::new(),
    };
    let mut session = Session::new(options, start, Catalog::new());
    let mut ends = Ends::default();
    let queries = ["select $1", "insert into t values ($1)", "copy t from stdin", "discard all", "commit"];
    let queries: Vec<_> = (1..).zip(queries).map(|(id, text)| Query::new(id, text, true)).collect();
    let mut submitted = Vec::new();
    for id in 0..8_u32 {
        let query = Rc::clone(&queries[(usize::from(setup) + id as usize) % queries.len()]);
        let work = match (setup >> (id % 8)) & 7 {
            0..=3 => {
                let form = if flags & 16 != 0 { ResultForm::Count } else { ResultForm::Rows };
                let formats = if flags & 32 != 0 { ResultFormats::Text } else { ResultFormats::ByType };
                let result = ResultOptions { max_rows: id % 2, form, formats };
                Work::Query { query, bind: None, result, is_fresh: flags & 64 != 0 }
            }
            4 => Work::Prepare { query },
            5 => Work::Script { text: "select 1; commit".into(), is_control: flags & 8 != 0 },
            _ => {
                let form = if flags & 16 != 0 { ResultForm::Rows } else { ResultForm::Count };
                Work::Batch { query, form }
            }
        };
        session.submit(Request { id, work }, &mut ends);
        submitted.push(id);
    }
    let mut left = HashSet::new();
    let mut unread: Vec<u8> = Vec::new();
    let mut violation = None;
    'pieces: for piece in stream.chunks(usize::from(cut).max(1)) {
        unread.extend_from_slice(piece);
        loop {
            match session.receive(&unread, &mut ends) {
                Ok(received) => {
                    unread.drain(..received.consumed);
                    if !received.is_stopped {
                        break;
                    }
                }
                Err(error) => {
                    violation = Some(error);
                    break 'pieces;
                }
            }
        }
        for (request, description) in std::mem::take(&mut ends.asked) {
            if ends.settled.contains(&request) || left.contains(&request) {
                continue;
            }
            let bind = Bind { description, parameters: vec![0; 4 + unread.len() % 32] };
            match (flags ^ piece[0]) & 3 {
                0 => {
                    left.insert(request);
                    session.refuse_bind(request, &mut ends);
                }
                1 => {
                    session.batch_row(request, bind, &mut ends);
                    session.batch_chunk(request, &mut ends);
                }
                2 => session.batch_abort(request, &mut ends),
                _ => {
                    session.bind(request, bind, &mut ends);
                    session.batch_end(request, &mut ends);
                }
            }
        }
        let id = u32::from(piece[0] % 64);
        if id < 8 && !ends.settled.contains(&id) && left.insert(id) {
            session.abandon(id, &mut ends);
        }
        let count = session.output().len();
        session.advance_output(count.min(usize::from(cut) * 8));
        session.pump(&mut ends);
        if let Some(number) = ends.cancels.pop() {
            session.cancel_finished(number, &mut ends);
        }
    }
    session.end(violation.map_or(EndCause::EndOfStream, EndCause::Violation), &mut ends);
    assert!(ends.is_closed && session.is_idle());
    for id in submitted {
        assert!(ends.settled.contains(&id) != left.contains(&id), "request {id} was settled, or its caller left");
    }
});
