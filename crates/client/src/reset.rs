//! Bringing a session back to how it was when it was opened: one script for `reset()` and for every pool.

use crate::session::{ServerKind, Session, Work};

/// What a session may have left behind, apart from its prepared statements: asyncpg's reset query, and the roles,
/// temporary tables and sequences' last values that it forgets.
macro_rules! reset {
    ($before:literal) => {
        concat!(
            $before,
            "SET SESSION AUTHORIZATION DEFAULT; SELECT pg_catalog.pg_advisory_unlock_all(); CLOSE ALL; UNLISTEN *; RESET ALL; ",
            "DISCARD TEMP; DISCARD SEQUENCES",
        )
    };
}
const RESET: &str = reset!("");
/// The same where a transaction is or may be open.
const RESET_TRANSACTION: &str = reset!("ROLLBACK; ");

/// What other servers have of it: as asyncpg, which leaves the rest out, and for Redshift the role.
const fn reset_of(kind: ServerKind) -> &'static str {
    match kind {
        ServerKind::PostgreSql => RESET,
        ServerKind::Redshift => "SET SESSION AUTHORIZATION DEFAULT; RESET ALL",
        ServerKind::CockroachDb | ServerKind::CrateDb => "",
        // It takes nothing but its own commands, and has nothing to reset.
        ServerKind::PgBouncerConsole => "SHOW VERSION",
    }
}

/// Of a session in which the application has used PREPARE. The driver's own statements go as well, and are prepared again at
/// their next use.
const DEALLOCATE: &str = "; DEALLOCATE ALL";

/// The request that resets a session once all that is in flight there has ended. It leaves the driver's prepared statements
/// alone, unless there are others.
///
/// With something still in flight the last known status says nothing of the transaction, and a ROLLBACK too many does
/// no harm: the server answers it with a warning.
#[must_use]
pub fn reset(session: &Session) -> Work {
    let kind = session.server_kind();
    let is_outside = session.is_idle() && session.transaction_status() == b'I';
    let text = match kind {
        ServerKind::PostgreSql if session.has_prepared() => {
            format!("{}{DEALLOCATE}", if is_outside { RESET } else { RESET_TRANSACTION }).into()
        }
        _ if is_outside || !kind.has_transactions() => reset_of(kind).into(),
        ServerKind::PostgreSql => RESET_TRANSACTION.into(),
        _ => format!("ROLLBACK; {}", reset_of(kind)).into(),
    };
    Work::Script { text, is_control: true }
}

/// The request that ends, without a word of SQL, when all that was in flight before it has ended.
#[must_use]
pub fn settlement() -> Work {
    Work::Script { text: "".into(), is_control: true }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::session::{
        Catalog, Description, Event, Request, RequestId, ResultFormats, Route, RowTaken, SessionOptions, SessionStart,
        Sink,
    };

    /// Nobody listens.
    struct Nobody;

    impl Sink for Nobody {
        fn row(&mut self, _: RequestId, _: &Rc<Description>, _: ResultFormats, _: &[u8], _: usize) -> RowTaken {
            RowTaken::Taken
        }

        fn event(&mut self, _: Event) {}
    }

    fn session(transaction_status: u8) -> Session {
        session_of(&[], transaction_status)
    }

    fn session_of(parameters: &[(&str, &str)], transaction_status: u8) -> Session {
        let start = SessionStart {
            parameters: parameters.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            backend_pid: 1,
            secret_key: Vec::new(),
            transaction_status,
            statement_prefix: String::new(),
            route: Route::new(),
        };
        Session::new(SessionOptions::default(), start, Catalog::new())
    }

    fn text_of(work: Work) -> String {
        match work {
            Work::Script { text, is_control: true } => text.to_string(),
            other => panic!("not a script of the driver's own: {other:?}"),
        }
    }

    #[test]
    fn an_idle_session_outside_a_transaction_rolls_nothing_back() {
        let text = text_of(reset(&session(b'I')));
        assert!(text.starts_with("SET SESSION AUTHORIZATION DEFAULT; "), "{text}");
        for part in ["pg_catalog.pg_advisory_unlock_all()", "CLOSE ALL", "UNLISTEN *", "RESET ALL", "DISCARD TEMP"] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(text.ends_with("DISCARD SEQUENCES"), "{text}");
    }

    #[test]
    fn servers_that_are_not_postgresql_are_asked_for_what_they_have() {
        for (name, value, outside, inside) in [
            ("crdb_version", "v23.1.11", "", "ROLLBACK; "),
            (
                "padb_revision",
                "1.0",
                "SET SESSION AUTHORIZATION DEFAULT; RESET ALL",
                "ROLLBACK; SET SESSION AUTHORIZATION DEFAULT; RESET ALL",
            ),
            ("crate_version", "5.4", "", ""),
            ("server_version", "1.18.0/bouncer", "SHOW VERSION", "SHOW VERSION"),
        ] {
            let parameters = [("is_superuser", "on"), (name, value)];
            assert_eq!(text_of(reset(&session_of(&parameters, b'I'))), outside, "{name}");
            assert_eq!(text_of(reset(&session_of(&parameters, b'T'))), inside, "{name}");
        }
    }

    #[test]
    fn a_transaction_that_is_or_may_be_open_is_rolled_back_first() {
        let mut busy = session(b'I');
        busy.submit(Request { id: 1, work: settlement() }, &mut Nobody);
        for session in [session(b'T'), session(b'E'), busy] {
            let text = text_of(reset(&session));
            assert_eq!(text.strip_prefix("ROLLBACK; "), Some(RESET));
        }
    }

    /// The server has executed a script that ended with this tag.
    fn execute(session: &mut Session, tag: &str) {
        session.submit(Request { id: 1, work: Work::Script { text: "…".into(), is_control: false } }, &mut Nobody);
        let mut answer = vec![b'C'];
        answer.extend(u32::try_from(tag.len() + 5).unwrap().to_be_bytes());
        answer.extend(tag.as_bytes());
        answer.extend(b"\0Z\0\0\0\x05I");
        session.advance_output(session.output().len());
        session.receive(&answer, &mut Nobody).unwrap();
    }

    #[test]
    fn statements_of_prepare_go_and_while_there_are_none_the_drivers_stay() {
        let mut session = session(b'I');
        execute(&mut session, "SELECT 1");
        assert_eq!(text_of(reset(&session)), RESET);
        execute(&mut session, "PREPARE");
        assert_eq!(text_of(reset(&session)), format!("{RESET}; DEALLOCATE ALL"));
        // One of them may be left.
        execute(&mut session, "DEALLOCATE");
        assert!(session.has_prepared());
        execute(&mut session, "DEALLOCATE ALL");
        assert_eq!(text_of(reset(&session)), RESET);
    }
}
