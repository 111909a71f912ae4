//! A model of a PostgreSQL server: it executes frontend messages in order, on a toy language.

mod fields;
mod language;

use std::collections::{HashMap, VecDeque};

use fields::{text_at, u16_at, u32_at};
use language::{has_parameter, is_question, returns_rows};

/// `(N, $1)`; 0 where there is no `$1`.
pub(crate) type Effect = (u32, i32);

#[derive(Clone, Debug)]
struct Statement {
    text: String,
    generation: u32,
    /// That of `$1`, which it keeps.
    parameter_oid: u32,
}

#[derive(Clone, Debug)]
struct Portal {
    text: String,
    parameters: Vec<u8>,
    /// Rows that it has given.
    shown: usize,
}

/// What goes wrong, chosen by the test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Error,
    Fatal,
    Notice,
    /// The connection closes without a word.
    Silence,
}

pub(crate) struct Server {
    pub(crate) input: Vec<u8>,
    pub(crate) output: Vec<u8>,
    pub(crate) status: u8,
    pub(crate) is_dead: bool,
    pub(crate) committed: Vec<Effect>,
    /// The next executions meet these.
    pub(crate) faults: VecDeque<Option<Fault>>,
    /// Statements parsed in an older generation have a stale plan.
    pub(crate) generation: u32,
    /// Type of every column, and of `$1`.
    pub(crate) column_oid: u32,
    pub(crate) parameter_oid: u32,
    /// Values that were encoded for another type than their statement has.
    pub(crate) misread: usize,
    /// Values whose statement has another type than it would be given now: they are cast, and nobody is told.
    pub(crate) cast: usize,
    pub(crate) column_count: usize,
    /// What a look-up of types finds: its result's columns, the first of which is the type's OID.
    pub(crate) catalog: Vec<[&'static str; 12]>,
    /// No statement with this in it is parsed.
    pub(crate) unknown_word: Option<&'static str>,
    /// The next Binds meet these errors: SQLSTATE, message and the server's function.
    pub(crate) bind_errors: VecDeque<(&'static str, &'static str, &'static str)>,
    /// Every message as it was executed or skipped, by its type byte.
    pub(crate) log: String,
    pub(crate) executed: Vec<String>,
    pub(crate) parses: Vec<(String, String, Vec<u32>)>,
    is_cancelled: bool,
    is_skipping: bool,
    copy_in: Option<bool>,
    unnamed: Option<Statement>,
    named: HashMap<String, Statement>,
    /// By name; the unnamed one has none.
    portals: HashMap<String, Portal>,
    transaction: Vec<Effect>,
    savepoints: Vec<(String, usize)>,
    /// What it says it is.
    pub(crate) backend_pid: i32,
    /// A transaction pooler is in front: the prepared statements of its other servers, one of which is next.
    others: VecDeque<Memory>,
    /// Settings that changed since the last ReadyForQuery.
    reports: Vec<(String, String)>,
}

/// What stays with a server when a pooler takes its client away.
#[derive(Default)]
struct Memory {
    unnamed: Option<Statement>,
    named: HashMap<String, Statement>,
    backend_pid: i32,
}

/// An error that ends the statement.
type Refused = (&'static str, String, &'static str);

fn refused(sqlstate: &'static str, message: impl Into<String>) -> Refused {
    (sqlstate, message.into(), "model")
}

impl Server {
    pub(crate) fn new() -> Self {
        Self {
            input: Vec::new(),
            output: Vec::new(),
            status: b'I',
            is_dead: false,
            committed: Vec::new(),
            faults: VecDeque::new(),
            generation: 0,
            column_oid: 23,
            parameter_oid: 23,
            misread: 0,
            cast: 0,
            column_count: 2,
            catalog: Vec::new(),
            unknown_word: None,
            bind_errors: VecDeque::new(),
            log: String::new(),
            executed: Vec::new(),
            parses: Vec::new(),
            is_cancelled: false,
            is_skipping: false,
            copy_in: None,
            unnamed: None,
            named: HashMap::new(),
            portals: HashMap::new(),
            transaction: Vec::new(),
            savepoints: Vec::new(),
            backend_pid: 7,
            others: VecDeque::new(),
            reports: Vec::new(),
        }
    }

    /// Puts a transaction pooler in front of it and so many others.
    pub(crate) fn pool(&mut self, others: i32) {
        self.backend_pid = 100;
        self.others = (1..=others).map(|number| Memory { backend_pid: 100 + number, ..Memory::default() }).collect();
    }

    /// Its client is at the end of a transaction, and goes on with the next server.
    fn change_servers(&mut self) {
        let Some(next) = self.others.pop_front() else { return };
        self.others.push_back(Memory {
            unnamed: self.unnamed.take(),
            named: std::mem::take(&mut self.named),
            backend_pid: self.backend_pid,
        });
        (self.unnamed, self.named, self.backend_pid) = (next.unnamed, next.named, next.backend_pid);
    }

    /// A CancelRequest arrives: it hits what runs now, if anything does.
    pub(crate) fn cancel(&mut self) {
        self.is_cancelled = self.next_length().is_some();
    }

    pub(crate) fn names(&self) -> usize {
        self.named.len()
    }

    pub(crate) fn portals(&self) -> usize {
        self.portals.keys().filter(|name| !name.is_empty()).count()
    }

    pub(crate) fn forget_statements(&mut self) {
        self.named.clear();
    }

    pub(crate) fn send(&mut self, tag: u8, body: &[u8]) {
        self.output.push(tag);
        self.output.extend_from_slice(&(u32::try_from(body.len()).unwrap() + 4).to_be_bytes());
        self.output.extend_from_slice(body);
    }

    pub(crate) fn send_error(&mut self, kind: u8, severity: &str, refused: &Refused) {
        let mut body = Vec::new();
        for (code, text) in
            [(b'S', severity), (b'V', severity), (b'C', refused.0), (b'M', &refused.1), (b'R', refused.2)]
        {
            body.push(code);
            body.extend_from_slice(text.as_bytes());
            body.push(0);
        }
        body.push(0);
        self.send(kind, &body);
    }

    pub(crate) fn die(&mut self, message: &str) {
        self.send_error(b'E', "FATAL", &refused("57P01", message));
        self.is_dead = true;
    }

    fn next_length(&self) -> Option<usize> {
        let length = self.input.get(1..5)?;
        let total = usize::try_from(u32::from_be_bytes(length.try_into().unwrap())).unwrap() + 1;
        (self.input.len() >= total).then_some(total)
    }

    /// Executes one message; false when there is none.
    pub(crate) fn step(&mut self) -> bool {
        if self.is_dead {
            return false;
        }
        let Some(total) = self.next_length() else { return false };
        let message: Vec<u8> = self.input.drain(..total).collect();
        let (tag, body) = (message[0], &message[5..]);
        self.log.push(char::from(tag));
        self.execute_message(tag, body);
        true
    }

    pub(crate) fn run(&mut self) {
        while self.step() {}
    }

    fn execute_message(&mut self, tag: u8, body: &[u8]) {
        if let Some(is_extended) = self.copy_in {
            match tag {
                b'S' | b'H' => {}
                b'f' => {
                    self.copy_in = None;
                    self.fail(&refused("57014", "COPY from stdin failed"), is_extended);
                }
                _ => self.die("unexpected message type during COPY from stdin"),
            }
            return;
        }
        match tag {
            b'S' => self.sync(),
            b'Q' => self.simple(&text_at(body, &mut 0)),
            b'X' => self.is_dead = true,
            _ if self.is_skipping => {}
            b'H' => {}
            b'P' | b'B' | b'D' | b'E' | b'C' => {
                if let Err(refused) = self.extended(tag, body) {
                    self.fail(&refused, true);
                }
            }
            _ => self.die("invalid frontend message type"),
        }
    }

    fn fail(&mut self, refused: &Refused, is_extended: bool) {
        if self.is_dead {
            return;
        }
        self.send_error(b'E', "ERROR", refused);
        self.is_cancelled = false;
        self.portals.remove("");
        if self.status == b'I' {
            self.portals.clear();
            self.transaction.clear();
        } else {
            self.status = b'E';
        }
        if is_extended {
            self.is_skipping = true;
        } else {
            self.ready();
        }
    }

    fn ready(&mut self) {
        self.is_cancelled = false;
        for (name, value) in std::mem::take(&mut self.reports) {
            self.send(b'S', format!("{name}\0{value}\0").as_bytes());
        }
        let status = self.status;
        self.send(b'Z', &[status]);
        if status == b'I' {
            self.change_servers();
        }
    }

    fn commit_implicit(&mut self) {
        if self.status == b'I' {
            self.committed.append(&mut self.transaction);
            self.portals.clear();
        }
    }

    fn sync(&mut self) {
        self.is_skipping = false;
        self.commit_implicit();
        self.ready();
    }

    fn interrupt(&mut self) -> Result<(), Refused> {
        if std::mem::take(&mut self.is_cancelled) {
            return Err(refused("57014", "canceling statement due to user request"));
        }
        Ok(())
    }

    fn fault(&mut self) -> Result<(), Refused> {
        self.interrupt()?;
        match self.faults.pop_front().flatten() {
            None => Ok(()),
            Some(Fault::Error) => Err(refused("22012", "an injected error")),
            Some(Fault::Notice) => {
                self.send_error(b'N', "NOTICE", &refused("00000", "an injected notice"));
                Ok(())
            }
            Some(Fault::Fatal) => {
                self.die("an injected end");
                Err(refused("57P01", ""))
            }
            Some(Fault::Silence) => {
                self.is_dead = true;
                Err(refused("57P01", ""))
            }
        }
    }

    fn may_run(&self, text: &str) -> Result<(), Refused> {
        let ends = ["rollback", "commit", "end", "ROLLBACK"].iter().any(|word| text.starts_with(word));
        if self.status == b'E' && !ends {
            return Err(refused("25P02", "current transaction is aborted"));
        }
        Ok(())
    }

    fn extended(&mut self, tag: u8, body: &[u8]) -> Result<(), Refused> {
        let at = &mut 0;
        match tag {
            b'P' => {
                let (name, text) = (text_at(body, at), text_at(body, at));
                let count = usize::from(u16_at(body, at));
                let oids: Vec<u32> = (0..count).map(|_| u32_at(body, at)).collect();
                self.parses.push((name.clone(), text.clone(), oids.clone()));
                self.interrupt()?;
                self.may_run(&text)?;
                let is_unknown = |word: &str| text.to_ascii_lowercase().contains(word);
                if text.starts_with("wrong") || self.unknown_word.is_some_and(is_unknown) {
                    return Err(refused("42601", format!("syntax error at \"{text}\"")));
                }
                let parameter_oid = oids.first().copied().filter(|oid| *oid != 0).unwrap_or(self.parameter_oid);
                let statement = Statement { text, generation: self.generation, parameter_oid };
                if name.is_empty() {
                    self.unnamed = Some(statement);
                } else if self.named.insert(name, statement).is_some() {
                    return Err(refused("42P05", "prepared statement already exists"));
                }
                self.send(b'1', &[]);
            }
            b'D' => {
                assert_eq!(body[0], b'S');
                let statement = self.statement(&text_at(&body[1..], at))?;
                self.may_run(&statement.text)?;
                self.describe(&statement);
            }
            b'B' => self.bind(body)?,
            b'E' => {
                let portal = text_at(body, at);
                let limit = usize::try_from(u32_at(body, at)).unwrap();
                self.execute_portal(&portal, limit)?;
            }
            _ => {
                let name = text_at(&body[1..], at);
                if body[0] == b'S' {
                    self.named.remove(&name);
                } else {
                    self.portals.remove(&name);
                }
                self.send(b'3', &[]);
            }
        }
        Ok(())
    }

    fn statement(&self, name: &str) -> Result<Statement, Refused> {
        let found = if name.is_empty() { self.unnamed.as_ref() } else { self.named.get(name) };
        found.cloned().ok_or_else(|| refused("26000", format!("prepared statement \"{name}\" does not exist")))
    }

    fn describe(&mut self, Statement { text, parameter_oid, .. }: &Statement) {
        let mut parameters = vec![0, u8::from(has_parameter(text))];
        if has_parameter(text) {
            parameters.extend_from_slice(&parameter_oid.to_be_bytes());
        }
        self.send(b't', &parameters);
        if returns_rows(text) {
            let body = self.row_description();
            self.send(b'T', &body);
        } else {
            self.send(b'n', &[]);
        }
    }

    fn bind(&mut self, body: &[u8]) -> Result<(), Refused> {
        let at = &mut 0;
        let (portal, name) = (text_at(body, at), text_at(body, at));
        let is_own = name.is_empty() && !self.unnamed.as_ref().is_some_and(|known| has_parameter(&known.text));
        if !is_own && let Some((sqlstate, message, routine)) = self.bind_errors.pop_front() {
            return Err((sqlstate, message.to_owned(), routine));
        }
        let formats = usize::from(u16_at(body, at));
        *at += formats * 2;
        let count = usize::from(u16_at(body, at));
        let mut parameters = Vec::new();
        for _ in 0..count {
            let length = usize::try_from(u32_at(body, at)).unwrap();
            parameters.extend_from_slice(&body[*at..*at + length]);
            *at += length;
        }
        let result_formats = usize::from(u16_at(body, at));
        *at += result_formats * 2;
        assert_eq!(*at, body.len(), "a Bind message of the right length");
        self.interrupt()?;
        let statement = self.statement(&name)?;
        self.may_run(&statement.text)?;
        if statement.generation != self.generation && !is_question(&statement.text) {
            return Err(("0A000", "cached plan must not change result type".into(), "RevalidateCachedQuery"));
        }
        if count != usize::from(has_parameter(&statement.text)) {
            return Err(refused("08P01", "bind message supplies the wrong number of parameters"));
        }
        let columns = if returns_rows(&statement.text) { self.column_count } else { 0 };
        // None means text for all columns, and one is for all (PortalSetResultFormat in pquery.c).
        if result_formats > 1 && result_formats != columns {
            return Err(refused("08P01", "bind message has the wrong number of result formats"));
        }
        if let Some(told) = parameters.get(4..8) {
            self.misread += usize::from(told != statement.parameter_oid.to_be_bytes());
            self.cast += usize::from(self.parameter_oid != statement.parameter_oid);
            parameters.truncate(4);
        }
        if !portal.is_empty() && self.portals.contains_key(&portal) {
            return Err(refused("42P03", format!("cursor \"{portal}\" already exists")));
        }
        self.portals.insert(portal, Portal { text: statement.text, parameters, shown: 0 });
        self.send(b'2', &[]);
        Ok(())
    }

    fn execute_portal(&mut self, name: &str, limit: usize) -> Result<(), Refused> {
        let found = if name.is_empty() { self.portals.remove(name) } else { self.portals.get(name).cloned() };
        let Some(Portal { text, parameters, mut shown }) = found else {
            return Err(refused("34000", format!("portal \"{name}\" does not exist")));
        };
        // It reads no table that could change, and nobody waits for it.
        if !is_question(&text) {
            self.fault()?;
        }
        self.may_run(&text)?;
        let parameter = parameters.try_into().map_or(0, i32::from_be_bytes);
        if text.trim().is_empty() {
            self.send(b'I', &[]);
            return Ok(());
        }
        self.perform(&text, parameter, limit, &mut shown, true)?;
        if let Some(portal) = self.portals.get_mut(name) {
            portal.shown = shown;
        }
        Ok(())
    }

    fn simple(&mut self, script: &str) {
        self.is_skipping = false;
        self.unnamed = None;
        self.portals.remove("");
        let statements: Vec<&str> = script.split(';').map(str::trim).filter(|text| !text.is_empty()).collect();
        if statements.is_empty() {
            self.send(b'I', &[]);
        }
        for text in statements {
            let result = self.fault().and_then(|()| self.may_run(text)).and_then(|()| {
                if text.starts_with("wrong") {
                    return Err(refused("42601", "syntax error"));
                }
                if returns_rows(text) {
                    let body = self.row_description();
                    self.send(b'T', &body);
                }
                self.perform(text, 0, 0, &mut 0, false)
            });
            if let Err(refused) = result {
                return self.fail(&refused, false);
            }
            if self.copy_in.is_some() || self.is_dead {
                return;
            }
        }
        self.commit_implicit();
        self.ready();
    }
}
