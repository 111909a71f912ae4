//! What an ErrorResponse leads to (rules 11 to 14).

use oxpg_codec::types::TypeCode;

use super::Session;
use super::event::{ProtocolViolation, Sink};
use super::failure::{Failure, FailureKind, ServerMessage};
use super::receiving::unexpected;
use super::request::Task;
use super::written::{Outcome, Retry, Stage, WrittenRequest};

/// SQLSTATEs with which Parse fails when the parameter types that it was given do not fit (any more): the same text
/// without them may do.
const TYPES_MISFIT: [&str; 7] = ["42883", "42725", "42804", "42704", "42846", "42P08", "42P18"];

/// Why a request that somebody else's cancel hit is not sent again.
const NOT_RESENT: &str = " (a cancel request that was meant for another call hit this one; it was rolled back and not \
                          sent again by itself, because it may not be repeated or was no longer the last in the pipeline)";

/// With this Bind fails when a composite type is not as it was when it was looked up (`record_recv` in rowtypes.c).
const ATTRIBUTES_MISFIT: &str = "42804";

/// With these, too, by SQLSTATE and routine; or what a codec of the application's made is malformed.
const MAYBE_MISFIT: (&str, &str) = ("22P03", "record_recv");
const MALFORMED_RECORD: (&str, &str) = ("22P02", "record_in");

/// With this Parse and Bind fail when a type is gone, in one of these routines: lsyscache.c, parse_type.c, typcache.c.
const TYPE_IS_GONE: &str = "XX000";
const TYPE_LOOK_UPS: [&str; 6] = [
    "getTypeInputInfo",
    "getTypeBinaryInputInfo",
    "getTypeOutputInfo",
    "getTypeBinaryOutputInfo",
    "getBaseTypeAndTypmod",
    "lookup_type_cache",
];

/// What a Bind that went by old types comes to.
const PARTS_CHANGED: &str = " (a type has changed since it was looked up; what was known of it is dropped, so the same \
                             call works)";

/// What a Bind that went by an old description comes to.
const CHANGED: &str = " (the statement's result has changed since it was described; what was known of it is now \
                       renewed, so the same call works)";

impl Session {
    pub(super) fn error_response(
        &mut self,
        message: ServerMessage,
        sink: &mut impl Sink,
    ) -> Result<(), ProtocolViolation> {
        if message.is_fatal() {
            self.end_by_fatal(message, sink);
            return Ok(());
        }
        let Some(head) = self.written.front().filter(|head| head.has_answers_due()) else {
            return Err(unexpected(b'E'));
        };
        let verdict = self.judge(head, &message);
        if verdict.is_stale
            && let Some(query) = head.pending.query()
        {
            query.forget_description();
        }
        let (stage, statement) = (head.stage, head.statement.clone());
        if let Some(name) = statement {
            match stage {
                Stage::Parsing => self.statements.failed(&name),
                Stage::ParametersDue | Stage::ColumnsDue => self.statements.discard(&name),
                _ if verdict.is_outdated => self.statements.discard(&name),
                _ => {}
            }
        }
        if verdict.is_cache_lost {
            self.statements.forget_all(true);
        }
        if verdict.is_catalog_stale {
            self.catalog.invalidate();
        }
        let Some(head) = self.written.front_mut() else { return Ok(()) };
        let mut failure = Failure::of_server(message);
        failure.is_safe_to_retry = verdict.is_safe_to_retry;
        if let Some(words) = verdict.words {
            failure = failure.explained(words);
        }
        if verdict.is_catalog_stale {
            failure.kind = FailureKind::OutdatedSchema;
        }
        if let Some(sqlstate) = verdict.sqlstate {
            failure.sqlstate = Some(sqlstate.to_owned());
        }
        if !matches!(head.outcome, Some(Outcome::Failed(_))) {
            head.outcome = Some(Outcome::Failed(Box::new(failure)));
        }
        head.retry = verdict.retry;
        head.stage = Stage::Over;
        head.closes = 0;
        if !head.is_synced {
            // The server skips everything until a Sync.
            self.sync_head();
        }
        Ok(())
    }

    fn judge(&self, head: &WrittenRequest, message: &ServerMessage) -> Verdict {
        let is_query = matches!(head.pending.task, Task::Query { .. });
        let is_unexecuted = match head.pending.task {
            Task::Query { .. } => {
                matches!(head.stage, Stage::Parsing | Stage::ParametersDue | Stage::ColumnsDue | Stage::Binding)
            }
            Task::Prepare { .. } => true,
            Task::LookUp(_) => !head.pending.is_executed(),
            Task::Batch { .. } => head.stage != Stage::Batch,
            Task::Script { .. } => false,
        };
        // Sending again must overtake nobody, and be in no transaction that has just failed.
        let is_alone = self.written.len() == 1 && self.transaction_status == b'I' && head.pending.id.is_some();
        let can_move = self.options.returns_requests && self.transaction_status == b'I';
        let mut verdict = Verdict { is_safe_to_retry: is_unexecuted, ..Verdict::default() };
        if message.has_sqlstate("57014") && head.is_exposed && !head.is_copying_out {
            let may_repeat = match &head.pending.task {
                Task::Query { query, .. } => {
                    !head.has_rows && (is_unexecuted || (query.is_shareable && head.pending.bind.is_some()))
                }
                Task::Prepare { .. } | Task::LookUp(_) => true,
                Task::Batch { .. } => is_unexecuted,
                Task::Script { .. } => false,
            };
            let can_repeat = may_repeat && !head.pending.was_resent;
            if is_alone && can_repeat {
                verdict.retry = Some(Retry::Resend);
            } else {
                let is_movable = match &head.pending.task {
                    Task::Query { query, .. } => query.is_shareable,
                    Task::Prepare { .. } => true,
                    Task::Batch { .. } | Task::Script { .. } | Task::LookUp(_) => false,
                };
                verdict.retry = (can_move && is_movable && can_repeat).then_some(Retry::ResendElsewhere);
                verdict.words = Some(NOT_RESENT);
                // One statement and no transaction around it: the server rolled it back.
                verdict.is_safe_to_retry |= is_query && self.transaction_status == b'I';
            }
            return verdict;
        }
        let may_heal = is_query && is_alone && !head.pending.was_healed;
        let healing = match may_heal {
            true => Some(Retry::Heal),
            false => (is_query && can_move).then_some(Retry::Elsewhere),
        };
        let is_binding = head.stage == Stage::Binding || head.is_batch_binding();
        let is_lost = message.has_sqlstate("26000");
        let is_stale = message.has_sqlstate("0A000") && message.field(b'R') == Some("RevalidateCachedQuery");
        if is_binding && head.statement.is_some() && (is_lost || is_stale) {
            verdict.is_stale = true;
            verdict.is_outdated = true;
            verdict.retry = healing;
            verdict.is_cache_lost = is_lost || !may_heal;
            verdict.is_safe_to_retry = true;
        } else if is_binding && parts_misfit(head, message) {
            verdict.is_stale = true;
            verdict.is_outdated = true;
            verdict.is_catalog_stale = true;
            verdict.retry = healing;
            verdict.is_safe_to_retry = true;
            verdict.words = Some(PARTS_CHANGED);
        } else if head.is_whole && head.stage == Stage::Parsing {
            let has_types = head.description.as_ref().is_some_and(|known| !known.parameters.is_empty());
            let is_misfit = message.field(b'C').is_some_and(|sqlstate| TYPES_MISFIT.contains(&sqlstate));
            let is_gone = is_type_gone(message);
            if has_types && (is_misfit || is_gone) {
                verdict.is_stale = true;
                verdict.is_catalog_stale = is_gone;
                verdict.retry = healing;
                verdict.words = is_gone.then_some(PARTS_CHANGED);
            }
        } else if head.is_outdated && head.stage == Stage::Binding {
            // Bind went by an old description; what the server said since is true.
            verdict.retry = healing;
            verdict.words = Some(CHANGED);
            // "bind message has N result formats …": the server blames the protocol, and it was the schema.
            verdict.sqlstate = message.has_sqlstate("08P01").then_some("0A000");
        }
        verdict
    }

    /// Gives a request back to the front of the waiting ones, or to its owner.
    pub(super) fn try_again(&mut self, head: WrittenRequest, retry: Retry, sink: &mut impl Sink) {
        let mut pending = head.pending;
        match retry {
            Retry::Elsewhere | Retry::ResendElsewhere => {
                let Some(Outcome::Failed(failure)) = head.outcome else { return };
                if retry == Retry::Elsewhere {
                    // The parameters' types may have changed with the plan, which is as old on other connections.
                    pending.bind = None;
                    pending.is_cold_wanted = true;
                }
                pending.is_asked = false;
                return self.give_back(pending, *failure, sink);
            }
            Retry::Resend => pending.was_resent = true,
            Retry::Heal => {
                pending.was_healed = true;
                pending.is_cold_wanted = true;
            }
        }
        pending.is_asked = false;
        self.waiting.push_front(pending);
    }
}

/// Whether Bind failed because the parameters went by types that are not as they were.
fn parts_misfit(head: &WrittenRequest, message: &ServerMessage) -> bool {
    let Some(description) = head.description.as_ref().filter(|known| known.has_tree_parameters()) else {
        return false;
    };
    if message.has_sqlstate(ATTRIBUTES_MISFIT) || is_type_gone(message) {
        return true;
    }
    let is_from =
        |(sqlstate, routine): (&str, &str)| message.has_sqlstate(sqlstate) && message.field(b'R') == Some(routine);
    // In other text it is the application's own that is malformed.
    let is_ours = || description.parameters.iter().any(|parameter| parameter.code == TypeCode::COMPOUND_TEXT);
    // What was healed went by the types as they are.
    !head.pending.was_healed && (is_from(MAYBE_MISFIT) || (is_from(MALFORMED_RECORD) && is_ours()))
}

fn is_type_gone(message: &ServerMessage) -> bool {
    let is_look_up = |routine: &str| TYPE_LOOK_UPS.contains(&routine);
    message.has_sqlstate(TYPE_IS_GONE) && message.field(b'R').is_some_and(is_look_up)
}

/// What an error means for its request and the caches.
#[derive(Default)]
struct Verdict {
    retry: Option<Retry>,
    is_safe_to_retry: bool,
    /// What the environment knows of the query is out of date.
    is_stale: bool,
    /// The statement is of no more use.
    is_outdated: bool,
    /// So are probably all others of the connection.
    is_cache_lost: bool,
    /// So is what is known of the database's types.
    is_catalog_stale: bool,
    words: Option<&'static str>,
    /// The SQLSTATE that fits better than the server's.
    sqlstate: Option<&'static str>,
}
