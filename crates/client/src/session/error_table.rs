//! What an error of the server's shows: one table of phase, SQLSTATE and routine. Nothing here depends on the text of a
//! message.

use oxpg_codec::types::TypeCode;

use super::course::Phase;
use super::failure::ServerMessage;
use super::query::Description;
use super::standing::{Circumstances, Standing};

/// What an error shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// A cancel request that was meant for another call hit this one.
    CancelOfAnother,
    /// The server does not have the statement any more.
    StatementLost,
    /// The server has a statement of this name, which was never given to it.
    NameTaken,
    /// The statement's result is not what it was when it was parsed.
    PlanStale,
    /// A type of a parameter is not as it was when it was looked up.
    TypeChanged,
    /// The types that the statement's parameters were given, when it was parsed, do not fit what it names any more.
    Outgrown,
    /// What the statement names may be another thing than when it was parsed, or gone.
    NamesChanged,
    /// A value does not fit the type that its parameter was given when the statement was parsed; it may fit that of now.
    ValueRefused,
}

/// Where an error shows something: rows of the table are tried in order.
struct Row {
    phase: Option<Phase>,
    /// Whole ones, or classes. None means any.
    sqlstates: &'static [&'static str],
    /// None means any.
    routines: &'static [&'static str],
    /// What must hold besides.
    holds: fn(&Standing<'_>, Circumstances) -> bool,
    meaning: Meaning,
}

/// Routines in which a type that is gone is missed: lsyscache.c, parse_type.c, typcache.c.
const TYPE_LOOK_UPS: &[&str] = &[
    "getTypeInputInfo",
    "getTypeBinaryInputInfo",
    "getTypeOutputInfo",
    "getTypeBinaryOutputInfo",
    "getBaseTypeAndTypmod",
    "lookup_type_cache",
];

/// `undefined_function`, `ambiguous_function`, `datatype_mismatch`, `undefined_object`, `cannot_coerce`,
/// `ambiguous_parameter`, `indeterminate_datatype`, `wrong_object_type`
pub(super) const MISFITS: &[&str] = &["42883", "42725", "42804", "42704", "42846", "42P08", "42P18", "42809"];

/// `undefined_table`, `undefined_column`, `invalid_schema_name`, `ambiguous_column`
const NAMES_GONE: &[&str] = &["42P01", "42703", "3F000", "42702"];

/// Class 22, data exceptions; `protocol_violation`, "insufficient data left in message".
const REFUSED_VALUES: &[&str] = &["22", "08P01"];

const TABLE: &[Row] = &[
    Row {
        phase: None,
        // query_canceled
        sqlstates: &["57014"],
        routines: &[],
        holds: |standing, circumstances| circumstances.is_exposed && !standing.is_copying_out,
        meaning: Meaning::CancelOfAnother,
    },
    Row {
        phase: Some(Phase::Binding),
        // invalid_sql_statement_name
        sqlstates: &["26000"],
        routines: &[],
        holds: |standing, _| standing.is_named,
        meaning: Meaning::StatementLost,
    },
    Row {
        phase: Some(Phase::Parsing),
        // duplicate_prepared_statement
        sqlstates: &["42P05"],
        routines: &[],
        holds: |standing, _| standing.is_named,
        meaning: Meaning::NameTaken,
    },
    Row {
        phase: Some(Phase::Binding),
        // feature_not_supported: "cached plan must not change result type"
        sqlstates: &["0A000"],
        routines: &["RevalidateCachedQuery"],
        holds: |standing, _| standing.is_named,
        meaning: Meaning::PlanStale,
    },
    Row {
        phase: Some(Phase::Binding),
        // datatype_mismatch: a composite type has other attributes (`record_recv` in rowtypes.c)
        sqlstates: &["42804"],
        routines: &[],
        holds: |standing, _| has_trees(standing),
        meaning: Meaning::TypeChanged,
    },
    Row {
        phase: Some(Phase::Binding),
        // internal_error
        sqlstates: &["XX000"],
        routines: TYPE_LOOK_UPS,
        holds: |standing, _| has_trees(standing),
        meaning: Meaning::TypeChanged,
    },
    Row {
        phase: Some(Phase::Binding),
        // invalid_binary_representation; or what a codec of the application's made is malformed. What was healed went
        // by the types as they are.
        sqlstates: &["22P03"],
        routines: &["record_recv"],
        holds: |standing, circumstances| has_trees(standing) && !circumstances.was_healed,
        meaning: Meaning::TypeChanged,
    },
    Row {
        phase: Some(Phase::Binding),
        // invalid_text_representation, in text of ours; in other text it is the application's own that is malformed.
        sqlstates: &["22P02"],
        routines: &["record_in"],
        holds: |standing, circumstances| has_trees(standing) && !circumstances.was_healed && has_text_of_ours(standing),
        meaning: Meaning::TypeChanged,
    },
    Row {
        phase: Some(Phase::Binding),
        sqlstates: MISFITS,
        routines: &[],
        holds: |standing, _| standing.is_named,
        meaning: Meaning::Outgrown,
    },
    Row {
        phase: Some(Phase::Binding),
        sqlstates: NAMES_GONE,
        routines: &[],
        holds: |standing, _| standing.is_named,
        meaning: Meaning::NamesChanged,
    },
    Row {
        phase: Some(Phase::Binding),
        sqlstates: REFUSED_VALUES,
        routines: &[],
        holds: |standing, circumstances| standing.is_named && standing.is_warm && !circumstances.was_healed,
        meaning: Meaning::ValueRefused,
    },
];

/// Parameters went by types whose parts were looked up.
fn has_trees(standing: &Standing<'_>) -> bool {
    standing.description.is_some_and(Description::has_tree_parameters)
}

/// Parameters with parts were written in the text format.
fn has_text_of_ours(standing: &Standing<'_>) -> bool {
    let is_ours = |code: TypeCode| code == TypeCode::COMPOUND_TEXT;
    standing.description.is_some_and(|known| known.parameters.iter().any(|parameter| is_ours(parameter.code)))
}

impl Row {
    fn applies(&self, standing: &Standing<'_>, circumstances: Circumstances, message: &ServerMessage) -> bool {
        let is_among =
            |known: &[&str], field: Option<&str>| known.is_empty() || field.is_some_and(|field| known.contains(&field));
        let is_of = |known: &[&str], sqlstate: &str| known.iter().any(|class| sqlstate.starts_with(class));
        self.phase.is_none_or(|phase| phase == standing.phase)
            && (self.sqlstates.is_empty() || message.field(b'C').is_some_and(|state| is_of(self.sqlstates, state)))
            && is_among(self.routines, message.field(b'R'))
            && (self.holds)(standing, circumstances)
    }
}

/// What an error shows beside its own matter, if anything.
pub(super) fn meaning_of(
    standing: &Standing<'_>,
    circumstances: Circumstances,
    message: &ServerMessage,
) -> Option<Meaning> {
    TABLE.iter().find(|row| row.applies(standing, circumstances, message)).map(|row| row.meaning)
}
