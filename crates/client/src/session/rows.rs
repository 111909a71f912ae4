//! A result's rows on their way to the sink.
//!
//! Rows with values of unknown types (anonymous records bring theirs along), or of types that have changed since they
//! were looked up, are kept, with all behind them, until their request is over, and delivered after a look-up: see
//! `engine/looking_up.rs`. Its effect is done then, so they are not thrown away.

use std::collections::VecDeque;
use std::rc::Rc;

use super::catalog::Catalog;
use super::course::Turn;
use super::event::{RowTaken, Sink};
use super::failure::{Failure, FailureKind};
use super::query::Description;
use super::request::RequestId;
use super::result_options::{ResultForm, ResultFormats};

/// A type that goes on changing while it is looked up is given up after so many rounds.
pub(super) const MOST_ROUNDS: u8 = 8;
/// So often the types of a result's columns are looked up anew. A value that still does not fit them then was made by
/// what they were when the statement was executed.
const MOST_RENEWALS: u8 = 2;

/// What becomes of a result's rows, and what became of them so far.
#[derive(Debug)]
pub(super) struct Rows {
    form: ResultForm,
    formats: ResultFormats,
    /// Rows with values whose types have to be looked up, and all behind them.
    parked: Option<Box<ParkedRows>>,
    /// Why the rows cannot be delivered.
    failure: Option<Box<Failure>>,
    has_any: bool,
}

/// Rows that wait for the types of their values.
#[derive(Debug, Default)]
struct ParkedRows {
    rows: VecDeque<Box<[u8]>>,
    /// Bytes of the rows.
    size: usize,
    type_oids: Vec<u32>,
    /// Types that were looked up for them.
    asked: Vec<u32>,
    /// How often one of those was not known all the same.
    repetitions: u8,
    /// The types of the columns are to be looked up anew.
    is_outdated: bool,
    /// How often they were.
    renewals: u8,
}

/// What has to be looked up for rows that wait.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    pub(super) type_oids: Vec<u32>,
    /// What is known of the columns' types is wrong.
    pub(super) is_outdated: bool,
}

/// How far the delivery of parked rows came.
pub(super) enum Delivered {
    /// All of them, or none will be.
    All,
    /// The sink is full.
    Full,
    /// Types have to be looked up, once more.
    Unknown,
}

impl Rows {
    pub(super) fn new(form: ResultForm, formats: ResultFormats) -> Self {
        Self { form, formats, parked: None, failure: None, has_any: false }
    }

    /// A row has come: `remaining` bytes are behind it. False when the sink is full.
    pub(super) fn take<S: Sink>(
        &mut self,
        description: Option<&Rc<Description>>,
        body: &[u8],
        remaining: usize,
        turn: &mut Turn<'_, S>,
    ) -> bool {
        let (Some(request), Some(description), None) = (turn.id, description, &self.failure) else { return true };
        if self.form == ResultForm::Count {
            self.has_any = true;
            return true;
        }
        if self.parked.is_some() {
            let size = self.park(body, None).size;
            turn.sink.keeps(request, size);
            return true;
        }
        match turn.sink.row(request, description, self.formats, body, remaining) {
            RowTaken::Taken => self.has_any = true,
            RowTaken::Full => return false,
            RowTaken::UnknownType(type_oid) => {
                self.has_any = true;
                self.park(body, Some(type_oid));
            }
            RowTaken::OutdatedType(_) => {
                self.has_any = true;
                self.park(body, None).is_outdated = true;
            }
            refused => self.refuse(refused, &turn.shared.catalog),
        }
        true
    }

    /// All rows that come wait for these types, and so does the end of their request.
    pub(super) fn await_types(&mut self, mut type_oids: Vec<u32>) {
        self.parked.get_or_insert_default().type_oids.append(&mut type_oids);
    }

    /// Rows have arrived.
    pub(super) fn has_any(&self) -> bool {
        self.has_any
    }

    /// The rows are of no use: none is delivered from here on.
    pub(super) fn fail(&mut self, failure: Failure) {
        self.failure = Some(Box::new(failure));
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failure.is_some()
    }

    pub(super) fn take_failure(&mut self) -> Option<Box<Failure>> {
        self.failure.take()
    }

    pub(super) fn are_parked(&self) -> bool {
        self.parked.is_some()
    }

    /// The types of the columns were looked up anew.
    pub(super) fn are_renewed(&self) -> bool {
        self.parked.as_ref().is_some_and(|parked| parked.renewals > 0)
    }

    /// Keeps a row. With an OID, that of a type which has to be looked up for it.
    fn park(&mut self, row: &[u8], type_oid: Option<u32>) -> &mut ParkedRows {
        let parked = self.parked.get_or_insert_default();
        parked.rows.push_back(row.into());
        parked.size += row.len();
        if let Some(type_oid) = type_oid {
            parked.type_oids.push(type_oid);
        }
        parked
    }

    /// What has to be looked up for what is parked.
    pub(super) fn take_wanted(&mut self) -> Wanted {
        self.parked.as_mut().map_or_else(Wanted::default, |parked| {
            let type_oids = std::mem::take(&mut parked.type_oids);
            parked.asked.extend_from_slice(&type_oids);
            let is_outdated = std::mem::take(&mut parked.is_outdated);
            parked.renewals += u8::from(is_outdated);
            Wanted { type_oids, is_outdated }
        })
    }

    /// Offers what is parked to the sink.
    pub(super) fn deliver_parked(
        &mut self,
        request: RequestId,
        description: &Rc<Description>,
        catalog: &Catalog,
        sink: &mut impl Sink,
    ) -> Delivered {
        while let Some(parked) = self.parked.as_mut().filter(|_| self.failure.is_none()) {
            let Some(row) = parked.rows.front() else { break };
            let remaining = parked.size.saturating_sub(row.len());
            match sink.row(request, description, self.formats, row, remaining) {
                RowTaken::Taken => {
                    parked.size = remaining;
                    parked.rows.pop_front();
                }
                RowTaken::Full => return Delivered::Full,
                RowTaken::UnknownType(type_oid) if parked.repetitions < MOST_ROUNDS => {
                    parked.repetitions += u8::from(parked.asked.contains(&type_oid));
                    parked.type_oids.push(type_oid);
                    return Delivered::Unknown;
                }
                RowTaken::OutdatedType(_) if parked.renewals < MOST_RENEWALS => {
                    parked.is_outdated = true;
                    return Delivered::Unknown;
                }
                refused => self.refuse(refused, catalog),
            }
        }
        self.parked = None;
        Delivered::All
    }

    /// A row was not taken, and none will be.
    fn refuse(&mut self, refused: RowTaken, catalog: &Catalog) {
        let (kind, text) = match refused {
            RowTaken::Taken | RowTaken::Full => return,
            RowTaken::Malformed(text) => (FailureKind::Protocol, text),
            RowTaken::Unsupported(text) => (FailureKind::Unsupported, text),
            RowTaken::OutdatedType(text) => {
                catalog.invalidate();
                let text = format!("{text}; what was known of it is dropped, so the next call works");
                (FailureKind::OutdatedSchema, text)
            }
            RowTaken::UnknownType(_) => return self.fail(changing()),
        };
        self.fail(Failure::new(kind, None, text));
    }
}

/// The types went on changing.
pub(super) fn changing() -> Failure {
    let text = "the statement's types went on changing while they were looked up";
    Failure::new(FailureKind::OutdatedSchema, None, text)
}
