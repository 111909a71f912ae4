//! What goes out as one Sync group: statements of the application's behind settings, and what opens a transaction.

use std::rc::Rc;

use oxpg_client::session::{Context, Member, ResultOptions, Work};
use oxpg_codec::boundary::{PARAMETER_CELL_BYTES, flag};
use oxpg_codec::parameters::{EncodeError, encode_parameters};
use oxpg_codec::types::ParameterType;

use super::{Parcel, form_of};
use crate::environment::Environment;
use crate::failure::FailureData;
use crate::outbox::Command;
use crate::requests::Place;

/// `text` in pg_type.
const TEXT_OID: u32 = 25;

/// The commands of a group, until the last one is there.
pub(crate) struct Gathered {
    target: u32,
    context: Option<Box<Context>>,
    members: Vec<Member>,
}

impl Environment {
    /// The first of the commands of a group: its members follow.
    pub(super) fn group(&mut self, parcel: &Parcel<'_>) {
        let Command { slot, target, query, count, timeout_ms, .. } = parcel.command;
        self.begin(slot, Place::Connection(target), timeout_ms, parcel.now_ms);
        let context = match self.context(parcel, query, parcel.command.cells, count) {
            Ok(context) => context,
            Err(failure) => return self.fail(slot, *failure),
        };
        if let Some(state) = self.calls.requests.get_mut(slot) {
            state.gathered = Some(Box::new(Gathered { target, context, members: Vec::new() }));
        }
    }

    /// A statement of a group, which is sent behind the last one. One whose group has failed already is passed by.
    pub(super) fn member(&mut self, parcel: &Parcel<'_>) {
        let Command { slot, query, max_rows, description, count, flags, form, .. } = parcel.command;
        if self.calls.requests.get(slot).is_none_or(|state| state.gathered.is_none()) {
            return;
        }
        let Some(query) = self.defined(slot, query) else { return };
        let is_fresh = flags & flag::FRESH != 0;
        let known = query.description().filter(|known| known.id == description);
        let bind = match known.map(|known| self.encode(parcel, known, count)).transpose() {
            Ok(bind) => bind,
            Err(mut failure) => {
                let number = self.calls.requests.get(slot).and_then(|state| state.gathered.as_ref());
                failure.row = number.and_then(|gathered| u32::try_from(gathered.members.len()).ok());
                return self.fail(slot, *failure);
            }
        };
        let result = ResultOptions { max_rows, form: form_of(form), ..ResultOptions::default() };
        let Some(state) = self.calls.requests.get_mut(slot) else { return };
        let Some(mut gathered) = state.gathered.take() else { return };
        gathered.members.push(Member { query, bind, result, is_fresh });
        if flags & flag::LAST == 0 {
            state.gathered = Some(gathered);
            return;
        }
        let Gathered { target, context, members } = *gathered;
        self.dispatch(target, slot, Work::Group { context, members }, parcel.now_ms);
    }

    /// What opens a transaction on a connection.
    pub(super) fn opening(&mut self, parcel: &Parcel<'_>) {
        let Command { slot, target, query, count, .. } = parcel.command;
        self.begin(slot, Place::Connection(target), 0, parcel.now_ms);
        let text: Option<Box<str>> = parcel.single_text().map(Into::into);
        let cells = parcel.command.cells.get(PARAMETER_CELL_BYTES..).unwrap_or_default();
        match (text, self.context(parcel, query, cells, count.saturating_sub(1))) {
            (Some(text), Ok(context)) => self.submit(target, slot, Work::Opening { text, context }),
            (None, _) => self.fail(slot, FailureData::internal("an opening without text")),
            (_, Err(failure)) => self.fail(slot, *failure),
        }
    }

    /// The context of a command, whose parameters are texts; none if `query` is 0.
    fn context(
        &self,
        parcel: &Parcel<'_>,
        query: u32,
        cells: &[u8],
        count: u32,
    ) -> Result<Option<Box<Context>>, Box<FailureData>> {
        if query == 0 {
            return Ok(None);
        }
        let unknown = || Box::new(FailureData::internal("a query that the addon does not know"));
        let query = self.calls.queries.get(query).map(Rc::clone).ok_or_else(unknown)?;
        let types = vec![ParameterType::built_in(TEXT_OID); count as usize];
        let mut parameters = Vec::with_capacity(16 + types.len() * 16);
        encode_parameters(&types, cells, parcel.text, parcel.extras, &mut parameters)
            .map_err(|error: EncodeError| Box::new(FailureData::data(&error)))?;
        Ok(Some(Box::new(Context { query, parameters })))
    }
}
