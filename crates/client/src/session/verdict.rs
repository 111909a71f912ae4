//! What an error of the server's means for its request and for what is known (rules 11 to 14): what the table says it
//! shows, where the request stands.

use super::course::Retry;
use super::error_table::{Meaning, meaning_of};
use super::failure::ServerMessage;
use super::standing::{Circumstances, Standing};

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
    let Some(meaning) = meaning_of(standing, circumstances, message) else { return plain };
    let may_heal = standing.may_heal && circumstances.is_alone && !circumstances.was_healed;
    let can_move = standing.may_heal && circumstances.is_returnable && circumstances.is_outside_transaction;
    let retry = if may_heal { Some(Retry::Heal) } else { can_move.then_some(Retry::Elsewhere) };
    match meaning {
        Meaning::CancelOfAnother => judge_cancel(standing, circumstances),
        Meaning::StatementLost | Meaning::PlanStale => Verdict {
            retry,
            is_safe_to_retry: true,
            is_stale: true,
            is_outdated: true,
            is_cache_lost: meaning == Meaning::StatementLost || !may_heal,
            shows_change: meaning == Meaning::PlanStale,
            shows_pooler: meaning == Meaning::StatementLost,
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
    use crate::session::course::Phase;
    use crate::session::error_table::MISFITS;
    use crate::session::query::Description;
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
