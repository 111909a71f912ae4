//! What an error of the server's means for its request and for what is known (rules 11 to 14): one table of phase,
//! SQLSTATE and routine. Each kind of request says where it stands; nothing here depends on the text of a message.

use oxpg_codec::types::TypeCode;

use super::course::{Phase, Retry};
use super::failure::ServerMessage;
use super::query::Description;

/// Where a request stands when an error comes: its kind's own facts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing<'a> {
    pub(super) phase: Phase,
    /// It is one statement, which the server has rolled back if there was no transaction around it.
    pub(super) is_single: bool,
    /// Nothing of it was executed, since the error came in this phase.
    pub(super) is_unexecuted: bool,
    /// It may be sent again after somebody else's cancel has hit it.
    pub(super) may_repeat: bool,
    /// It may run on another connection.
    pub(super) may_move: bool,
    /// It may be sent again after what was known of its statement was wrong.
    pub(super) may_heal: bool,
    /// Its statement has a name on the server.
    pub(super) is_named: bool,
    /// It was parsed and described for an earlier request, perhaps long ago.
    pub(super) is_warm: bool,
    /// It is refused already, and only waits for a COPY's end.
    pub(super) is_copying_out: bool,
    /// What its parameters went by.
    pub(super) description: Option<&'a Description>,
}

impl Standing<'_> {
    /// That of a request in this phase that was executed, is not single, and can neither be repeated, moved nor healed.
    pub(super) fn at(phase: Phase) -> Self {
        Self {
            phase,
            is_single: false,
            is_unexecuted: false,
            may_repeat: false,
            may_move: false,
            may_heal: false,
            is_named: false,
            is_warm: false,
            is_copying_out: false,
            description: None,
        }
    }
}

/// What the engine knows of a request that the server refuses.
#[derive(Clone, Copy, Debug)]
pub(super) struct Circumstances {
    /// Nothing is written behind it, its caller waits, and no transaction is open: sending again overtakes nobody, and
    /// is in no transaction that has just failed.
    pub(super) is_alone: bool,
    /// No transaction is open, as of the last ReadyForQuery.
    pub(super) is_outside_transaction: bool,
    /// Its owner takes requests back.
    pub(super) is_returnable: bool,
    /// It may have run while a cancel for another one was under way.
    pub(super) is_exposed: bool,
    /// It was sent again once after somebody else's cancel.
    pub(super) was_resent: bool,
    /// It was sent again once after what was known of it was wrong.
    pub(super) was_healed: bool,
}

/// What an error comes to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) retry: Option<Retry>,
    pub(super) is_safe_to_retry: bool,
    /// What the environment knows of the query is out of date.
    pub(super) is_stale: bool,
    /// The statement is of no more use.
    pub(super) is_outdated: bool,
    /// So are probably all others of the connection.
    pub(super) is_cache_lost: bool,
    /// So is what is known of the database's types.
    pub(super) is_catalog_stale: bool,
    /// So may be all that is known of statements, on other sessions too.
    pub(super) shows_change: bool,
    /// The driver's knowledge is to blame, and not the request.
    pub(super) is_outdated_schema: bool,
    /// A transaction pooler is between, unless the server is known to be the session's own.
    pub(super) shows_pooler: bool,
    /// The driver's own words, to go behind the server's.
    pub(super) words: Option<&'static str>,
}

/// What an error shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
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
const MISFITS: &[&str] = &["42883", "42725", "42804", "42704", "42846", "42P08", "42P18", "42809"];

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

/// Why a request that somebody else's cancel hit is not sent again.
const NOT_RESENT: &str = " (a cancel request that was meant for another call hit this one; it was rolled back and not \
                          sent again by itself, because it may not be repeated or was no longer the last in the pipeline)";

/// What a Bind that went by old types comes to.
const TYPE_CHANGED: &str = " (a type has changed since it was looked up; what was known of it is dropped, so the same \
                            call works)";

/// What a Bind to a statement that has outlived its parameters' types comes to.
const OUTGROWN: &str = " (the statement was prepared before something that it names was changed; it is prepared anew \
                        when it is used again, so the same call works)";

/// Judges an error.
pub(super) fn judge(standing: &Standing<'_>, circumstances: Circumstances, message: &ServerMessage) -> Verdict {
    let plain = Verdict { is_safe_to_retry: standing.is_unexecuted, ..Verdict::default() };
    let Some(row) = TABLE.iter().find(|row| row.applies(standing, circumstances, message)) else { return plain };
    if row.meaning == Meaning::CancelOfAnother {
        return judge_cancel(standing, circumstances);
    }
    let may_heal = standing.may_heal && circumstances.is_alone && !circumstances.was_healed;
    let can_move = standing.may_heal && circumstances.is_returnable && circumstances.is_outside_transaction;
    let retry = if may_heal { Some(Retry::Heal) } else { can_move.then_some(Retry::Elsewhere) };
    match row.meaning {
        Meaning::CancelOfAnother => plain,
        Meaning::StatementLost | Meaning::PlanStale => Verdict {
            retry,
            is_safe_to_retry: true,
            is_stale: true,
            is_outdated: true,
            is_cache_lost: row.meaning == Meaning::StatementLost || !may_heal,
            shows_change: row.meaning == Meaning::PlanStale,
            shows_pooler: row.meaning == Meaning::StatementLost,
            ..plain
        },
        Meaning::Outgrown => Verdict {
            retry,
            is_safe_to_retry: true,
            is_stale: true,
            is_outdated: true,
            is_outdated_schema: !circumstances.was_healed,
            shows_change: true,
            words: (!circumstances.was_healed).then_some(OUTGROWN),
            ..plain
        },
        Meaning::NamesChanged => Verdict { retry, is_stale: true, is_outdated: true, ..plain },
        Meaning::ValueRefused => Verdict { retry, is_outdated: true, ..plain },
        Meaning::NameTaken => Verdict { retry, shows_pooler: true, ..plain },
        Meaning::TypeChanged => Verdict {
            retry,
            is_safe_to_retry: true,
            is_stale: true,
            is_outdated: true,
            is_catalog_stale: true,
            is_outdated_schema: true,
            shows_change: true,
            words: Some(TYPE_CHANGED),
            ..plain
        },
    }
}

/// Rule 11: somebody else's cancel hit it.
fn judge_cancel(standing: &Standing<'_>, circumstances: Circumstances) -> Verdict {
    let can_repeat = standing.may_repeat && !circumstances.was_resent;
    if circumstances.is_alone && can_repeat {
        let is_safe_to_retry = standing.is_unexecuted;
        return Verdict { retry: Some(Retry::Resend), is_safe_to_retry, ..Verdict::default() };
    }
    let can_move = standing.may_move && circumstances.is_returnable && circumstances.is_outside_transaction;
    Verdict {
        retry: (can_move && can_repeat).then_some(Retry::ResendElsewhere),
        words: Some(NOT_RESENT),
        is_safe_to_retry: standing.is_unexecuted || (standing.is_single && circumstances.is_outside_transaction),
        ..Verdict::default()
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use oxpg_codec::types::ParameterType;

    use super::*;
    use crate::session::{Catalog, Query};

    const ALONE: Circumstances = Circumstances {
        is_alone: true,
        is_outside_transaction: true,
        is_returnable: false,
        is_exposed: false,
        was_resent: false,
        was_healed: false,
    };

    const IN_POOL: Circumstances = Circumstances { is_alone: false, is_returnable: true, ..ALONE };

    fn message(sqlstate: &str, routine: &str) -> ServerMessage {
        let body = format!("SERROR\0C{sqlstate}\0Mno\0R{routine}\0\0");
        ServerMessage::read(body.as_bytes()).unwrap()
    }

    /// Of a statement with one parameter of a range type, in the binary format, or of one of its text.
    fn description(type_oid: u32) -> Rc<Description> {
        let catalog = Catalog::new();
        let mut parameters = vec![ParameterType::built_in(type_oid)];
        catalog.resolve(&mut parameters, &mut []).unwrap();
        Query::new(1, "", true).learn(parameters, Vec::new(), &catalog)
    }

    const INT4_RANGE: u32 = 3904;
    const REGCLASS_ARRAY: u32 = 2210;

    fn warm(phase: Phase, description: &Description) -> Standing<'_> {
        Standing {
            is_single: true,
            is_unexecuted: phase == Phase::Binding,
            may_heal: true,
            is_named: true,
            description: Some(description),
            ..Standing::at(phase)
        }
    }

    #[test]
    fn an_error_that_shows_nothing_is_the_requests_own() {
        let known = description(INT4_RANGE);
        for (sqlstate, routine) in [("23505", ""), ("22P02", "array_in"), ("XX000", "elog"), ("0A000", "other")] {
            for phase in [Phase::Parsing, Phase::Binding, Phase::Executing] {
                let verdict = judge(&warm(phase, &known), IN_POOL, &message(sqlstate, routine));
                let is_safe_to_retry = phase == Phase::Binding;
                assert_eq!(verdict, Verdict { is_safe_to_retry, ..Verdict::default() }, "{sqlstate} {phase:?}");
            }
        }
    }

    #[test]
    fn what_bind_shows_is_only_shown_by_bind() {
        let known = description(INT4_RANGE);
        let shows = [
            ("26000", "FetchPreparedStatement"),
            ("0A000", "RevalidateCachedQuery"),
            ("42804", "record_recv"),
            ("XX000", "getTypeBinaryInputInfo"),
            ("22P03", "record_recv"),
        ];
        for (sqlstate, routine) in shows {
            let said = message(sqlstate, routine);
            let verdict = judge(&warm(Phase::Binding, &known), ALONE, &said);
            assert_eq!(verdict.retry, Some(Retry::Heal), "{sqlstate}");
            assert!(verdict.is_stale && verdict.is_outdated && verdict.is_safe_to_retry, "{sqlstate}");
            assert_eq!(judge(&warm(Phase::Executing, &known), ALONE, &said), Verdict::default(), "{sqlstate}");
        }
    }

    #[test]
    fn a_lost_statement_loses_all_and_a_stale_plan_only_when_it_cannot_be_healed() {
        let known = description(INT4_RANGE);
        let standing = warm(Phase::Binding, &known);
        let (lost, stale) = (message("26000", ""), message("0A000", "RevalidateCachedQuery"));
        assert!(judge(&standing, ALONE, &lost).is_cache_lost);
        assert!(!judge(&standing, ALONE, &stale).is_cache_lost);
        let again = Circumstances { was_healed: true, ..ALONE };
        assert!(judge(&standing, again, &stale).is_cache_lost);
        assert_eq!(judge(&standing, again, &stale).retry, None);
        assert_eq!(judge(&standing, IN_POOL, &stale).retry, Some(Retry::Elsewhere));
        let in_transaction = Circumstances { is_outside_transaction: false, ..IN_POOL };
        assert_eq!(judge(&standing, in_transaction, &stale).retry, None);
        let unnamed = Standing { is_named: false, ..standing };
        assert_eq!(judge(&unnamed, ALONE, &lost), Verdict { is_safe_to_retry: true, ..Verdict::default() });
    }

    #[test]
    fn a_malformed_value_is_the_applications_where_its_text_is() {
        let (range, regclass) = (description(INT4_RANGE), description(REGCLASS_ARRAY));
        let said = message("22P02", "record_in");
        assert!(!judge(&warm(Phase::Binding, &range), ALONE, &said).is_catalog_stale);
        assert!(judge(&warm(Phase::Binding, &regclass), ALONE, &said).is_catalog_stale);
        let healed = Circumstances { was_healed: true, ..ALONE };
        assert!(!judge(&warm(Phase::Binding, &regclass), healed, &said).is_catalog_stale);
    }

    #[test]
    fn what_a_named_statement_has_outgrown_is_told_from_what_is_wrong() {
        let known = description(INT4_RANGE);
        let bound = warm(Phase::Binding, &known);
        for sqlstate in MISFITS {
            let said = message(sqlstate, "parse");
            let verdict = judge(&bound, ALONE, &said);
            assert_eq!(verdict.retry, Some(Retry::Heal), "{sqlstate}");
            assert!(verdict.is_outdated && verdict.shows_change && verdict.is_outdated_schema, "{sqlstate}");
            let unnamed = Standing { is_named: false, description: None, ..bound };
            assert_eq!(judge(&unnamed, ALONE, &said), Verdict { is_safe_to_retry: true, ..Verdict::default() });
        }
        for sqlstate in ["42P01", "42703"] {
            let verdict = judge(&bound, ALONE, &message(sqlstate, ""));
            assert_eq!((verdict.retry, verdict.shows_change), (Some(Retry::Heal), false), "{sqlstate}");
        }
        for sqlstate in ["22P02", "22003", "08P01"] {
            let said = message(sqlstate, "");
            let old = Standing { is_warm: true, ..bound };
            assert_eq!(judge(&old, ALONE, &said).retry, Some(Retry::Heal), "{sqlstate}");
            assert_eq!(judge(&bound, ALONE, &said).retry, None, "it was just described: {sqlstate}");
            let healed = Circumstances { was_healed: true, ..ALONE };
            assert_eq!(judge(&old, healed, &said), Verdict { is_safe_to_retry: true, ..Verdict::default() });
        }
    }

    #[test]
    fn somebody_elses_cancel_is_repeated_once_where_it_overtakes_nobody() {
        let exposed = Circumstances { is_exposed: true, ..ALONE };
        let select = Standing { is_single: true, may_repeat: true, may_move: true, ..Standing::at(Phase::Executing) };
        let said = message("57014", "ProcessInterrupts");
        assert_eq!(judge(&select, exposed, &said).retry, Some(Retry::Resend));
        assert_eq!(judge(&select, ALONE, &said), Verdict::default(), "its own cancel, or statement_timeout");
        let again = judge(&select, Circumstances { was_resent: true, ..exposed }, &said);
        assert_eq!((again.retry, again.is_safe_to_retry), (None, true));
        let pooled = Circumstances { is_exposed: true, ..IN_POOL };
        assert_eq!(judge(&select, pooled, &said).retry, Some(Retry::ResendElsewhere));
        let script = judge(&Standing::at(Phase::Executing), pooled, &said);
        assert_eq!((script.retry, script.is_safe_to_retry), (None, false));
        let copying = Standing { is_copying_out: true, ..select };
        assert_eq!(judge(&copying, exposed, &said), Verdict::default());
    }
}
