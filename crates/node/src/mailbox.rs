//! The mailbox: what happened, as records and cells for JavaScript.
//!
//! `docs/internals/boundary.md` draws the layout. This file fills it; `delivery.rs` hands it over.

use std::rc::Rc;

use oxpg_client::session::Description;
use oxpg_codec::batch::{Batch, Memory, OwnedRow, Pushed, ResultText, RowError, RowTypes, own_memory_row};
use oxpg_codec::boundary::{MAILBOX_RECORDS, RECORD_WORDS, record, record_word as word};

use crate::connection::{Connection, Origin};
use crate::failure::{self, FailureData};

/// Records past which rows wait for a delivery; completions are always taken.
const ROW_RECORDS: usize = MAILBOX_RECORDS - 96;
/// Records for which memory is kept between deliveries: a burst of completions takes more.
const KEPT_RECORDS: usize = 2 * MAILBOX_RECORDS;

/// Kinds of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum Kind {
    Rows = record::ROWS,
    Described = record::DESCRIBED,
    Done = record::DONE,
    Failed = record::FAILED,
    Opened = record::OPENED,
    Granted = record::GRANTED,
    Drained = record::DRAINED,
    Closed = record::CLOSED,
    Notice = record::NOTICE,
    Notification = record::NOTIFICATION,
    Parameter = record::PARAMETER,
    Credentials = record::CREDENTIALS,
    Pooled = record::POOLED,
    Served = record::SERVED,
}

/// A value that crosses beside the cells, in the array of extras.
pub(crate) enum Extra {
    Description(Rc<Description>),
    Failure(Box<FailureData>),
    Text(String),
    Opened(Box<SessionFacts>),
    Notice(Vec<(&'static str, String)>),
    Notification { pid: i32, channel: String, payload: String },
    Parameter(String, String),
    OwnRow(Box<OwnedRow>),
}

/// What JavaScript learns about a new session.
pub(crate) struct SessionFacts {
    pub(crate) backend_pid: i32,
    pub(crate) parameters: Vec<(String, String)>,
    pub(crate) transaction_status: u8,
    /// What the server said at the startup.
    pub(crate) notices: Vec<Vec<(&'static str, String)>>,
    pub(crate) origin: Origin,
}

impl SessionFacts {
    pub(crate) fn of(connection: &mut Connection) -> Self {
        let notices = std::mem::take(&mut connection.startup_notices);
        let origin = std::mem::take(&mut connection.origin);
        let session = &connection.session;
        Self {
            backend_pid: session.backend_pid(),
            parameters: session.parameters().to_vec(),
            transaction_status: session.transaction_status(),
            notices: notices.iter().map(|fields| failure::named(fields)).collect(),
            origin,
        }
    }
}

/// One record; words that hold an index into the extras are resolved at delivery.
pub(crate) struct Record {
    pub(crate) words: [i32; RECORD_WORDS],
    /// The word that an extra's index belongs into.
    pub(crate) extra: Option<(usize, Extra)>,
    /// The segment whose figures belong into a `Rows` record.
    pub(crate) segment: Option<usize>,
}

/// One environment's mailbox. The memory is JavaScript's; see `delivery.rs` for its lifetime.
pub(crate) struct Mailbox {
    cells: *mut u64,
    cell_count: usize,
    marks: *mut u8,
    bytes: *mut u8,
    byte_count: usize,
    pub(crate) records_memory: *mut i32,
    pub(crate) records_capacity: usize,
    pub(crate) batch: Batch,
    pub(crate) records: Vec<Record>,
    /// JavaScript is reading the cells: nothing may be written.
    pub(crate) is_reading: bool,
}

/// Whether a row found room.
pub(crate) enum RowFit {
    Taken,
    Full,
}

impl Mailbox {
    /// Takes the memory of four typed arrays that JavaScript keeps alive as long as the environment.
    ///
    /// # Safety
    /// `cells` must hold `cell_count` 8-aligned words, `marks` as many bytes, `bytes` `byte_count` bytes and
    /// `records` `records_capacity` records, all alive, never detached and never touched by another thread until
    /// the environment ends; JavaScript only reads them, and only inside a delivery.
    pub(crate) unsafe fn new(
        (cells, cell_count): (*mut u64, usize),
        marks: *mut u8,
        (bytes, byte_count): (*mut u8, usize),
        (records_memory, records_capacity): (*mut i32, usize),
    ) -> Self {
        Self {
            cells,
            cell_count,
            marks,
            bytes,
            byte_count,
            records_memory,
            records_capacity,
            batch: Batch::new(),
            records: Vec::new(),
            is_reading: false,
        }
    }

    /// Adds a row of a request's result.
    pub(crate) fn push_row(
        &mut self,
        request: u32,
        text: &mut ResultText,
        types: RowTypes<'_>,
        data_row: &[u8],
        remaining: usize,
    ) -> Result<RowFit, RowError> {
        if self.is_reading || self.records.len() >= ROW_RECORDS {
            return Ok(RowFit::Full);
        }
        // SAFETY: by the promise of `new`; JavaScript is not reading (checked above), and the slices do not
        // overlap and end with this call.
        let mut memory = unsafe {
            Memory {
                cells: std::slice::from_raw_parts_mut(self.cells, self.cell_count),
                marks: std::slice::from_raw_parts_mut(self.marks, self.cell_count),
                bytes: std::slice::from_raw_parts_mut(self.bytes, self.byte_count),
            }
        };
        match self.batch.push_row(&mut memory, text, request, types, data_row, remaining)? {
            Pushed::Appended => {}
            Pushed::Opened(segment) => {
                self.records.push(Record { words: head(Kind::Rows, request), extra: None, segment: Some(segment) });
            }
            Pushed::Full if self.batch.is_empty() => {
                let row = own_memory_row(types, data_row)?;
                self.push_extra(Kind::Rows, request, word::ROWS_OWN_MEMORY, Extra::OwnRow(Box::new(row)), |_| {});
            }
            Pushed::Full => return Ok(RowFit::Full),
        }
        Ok(RowFit::Taken)
    }

    /// Adds a record without an extra.
    pub(crate) fn push(&mut self, kind: Kind, slot: u32, fill: impl FnOnce(&mut [i32; RECORD_WORDS])) {
        self.batch.end_segment();
        let mut words = head(kind, slot);
        fill(&mut words);
        self.records.push(Record { words, extra: None, segment: None });
    }

    /// Tells which connection of its pool serves a request.
    pub(crate) fn push_served(&mut self, slot: u32, connection: u32) {
        self.push(Kind::Served, slot, |words| words[word::SERVED_CONNECTION] = connection.cast_signed());
    }

    /// Adds a record whose word `word` is the index of an extra.
    pub(crate) fn push_extra(
        &mut self,
        kind: Kind,
        slot: u32,
        word: usize,
        extra: Extra,
        fill: impl FnOnce(&mut [i32; RECORD_WORDS]),
    ) {
        self.batch.end_segment();
        let mut words = head(kind, slot);
        fill(&mut words);
        self.records.push(Record { words, extra: Some((word, extra)), segment: None });
    }

    /// A delivery is over: its memory may be written again. `records` is the delivered list, empty now; its
    /// allocation serves again unless JavaScript's calls have already brought new records.
    pub(crate) fn recycle(&mut self, records: Vec<Record>) {
        if self.records.is_empty() && records.capacity() <= KEPT_RECORDS {
            self.records = records;
        }
        self.batch.reset();
        self.is_reading = false;
    }

    /// A delivery broke off: what it held is lost, but the next one works.
    pub(crate) fn recover(&mut self) {
        if self.is_reading {
            self.recycle(Vec::new());
        }
    }

    pub(crate) fn has_news(&self) -> bool {
        !self.records.is_empty()
    }

    /// The mailbox's bytes, for the strings of shared segments.
    pub(crate) fn text(&self, start: usize, end: usize) -> &[u8] {
        // SAFETY: by the promise of `new`; nothing is written while the slice lives, since it borrows `self`.
        let bytes = unsafe { std::slice::from_raw_parts(self.bytes, self.byte_count) };
        bytes.get(start..end).unwrap_or_default()
    }
}

/// Words that are −1 where they mean nothing: those of indexes and ids.
const NOTHING: std::ops::Range<usize> = word::SLOT + 1..word::TRANSACTION_STATUS;

/// A record's first words; the rest say "nothing".
fn head(kind: Kind, slot: u32) -> [i32; RECORD_WORDS] {
    let mut words = [0; RECORD_WORDS];
    words[word::KIND] = kind as i32;
    words[word::SLOT] = slot.cast_signed();
    for word in &mut words[NOTHING] {
        *word = -1;
    }
    words
}
