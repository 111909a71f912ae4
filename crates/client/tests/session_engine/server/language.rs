//! The model server's toy language.
//!
//! | text | does |
//! |---|---|
//! | `insert N [$1] [returning]` | one effect `(N, $1)`; returns one row when asked |
//! | `select N COUNT [$1]` | `COUNT` rows `($1 or N, i)` |
//! | `update N` | one effect |
//! | `fail N` | an error when executed |
//! | `wrong …` | an error when parsed |
//! | `begin`, `commit`, `rollback`, `savepoint s`, `release savepoint s`, `rollback to savepoint s` | that |
//! | `set NAME VALUE` | reports the setting, once, in front of ReadyForQuery |
//! | `discard all`, `deallocate x` | forgets statements |
//! | `copy in`, `copy out` | COPY |
//! | `move forward N from "portal"` | moves a portal of a `select` |
//! | `alter …`, `create …`, `set …`, `reset …` | nothing, with their tags |
//! | `with … {OID,…} …` | a look-up of types |
//! | `select pg_catalog.pg_backend_pid()` | what it says it is |
//!
//! The simple protocol takes several of them, separated by `;`.

use super::{Refused, Server, refused};

impl Server {
    /// Executes one statement and answers with its rows and tag.
    pub(super) fn perform(
        &mut self,
        text: &str,
        parameter: i32,
        limit: usize,
        before: &mut usize,
        is_extended: bool,
    ) -> Result<(), Refused> {
        self.executed.push(text.to_owned());
        let lower = text.to_ascii_lowercase();
        let words: Vec<&str> = lower.split_whitespace().collect();
        let number = words.get(1).and_then(|word| word.parse::<u32>().ok()).unwrap_or(0);
        let marker = if has_parameter(&lower) { parameter.cast_unsigned() } else { number };
        match words[0] {
            "insert" => {
                self.transaction.push((number, parameter));
                if returns_rows(&lower) {
                    self.row(marker, 0);
                }
                self.complete("INSERT 0 1");
            }
            "update" => {
                self.transaction.push((number, parameter));
                self.complete("UPDATE 1");
            }
            "select" if words[1] == "pg_catalog.pg_backend_pid()" => {
                let text = self.backend_pid.to_string();
                let mut body = vec![0, 1, 0, 0, 0, u8::try_from(text.len()).unwrap()];
                body.extend_from_slice(text.as_bytes());
                self.send(b'D', &body);
                self.complete("SELECT 1");
            }
            "select" => {
                let count: usize = words.get(2).and_then(|word| word.parse().ok()).unwrap_or(0);
                let left = count.saturating_sub(*before);
                let shown = if limit == 0 { left } else { left.min(limit) };
                for row in *before..*before + shown {
                    self.row(marker, u32::try_from(row).unwrap());
                }
                *before += shown;
                if limit != 0 && shown == limit {
                    self.send(b's', &[]);
                } else {
                    self.complete(&format!("SELECT {shown}"));
                }
            }
            "move" => {
                let limit: usize = words[2].parse().unwrap();
                let name = words[4].trim_matches('"').to_owned();
                let Some(portal) = self.portals.get_mut(&name) else {
                    return Err(refused("34000", format!("cursor \"{name}\" does not exist")));
                };
                let count: usize = portal.text.split_whitespace().nth(2).map_or(0, |word| word.parse().unwrap());
                let moved = limit.min(count.saturating_sub(portal.shown));
                portal.shown += moved;
                self.complete(&format!("MOVE {moved}"));
            }
            "with" => self.look_up(&lower),
            "alter" => self.complete("ALTER TABLE"),
            "create" => self.complete("CREATE TABLE"),
            "reset" => self.complete("RESET"),
            "fail" => return Err(refused("23505", format!("failure {number}"))),
            "set" => {
                // SET NAMES is another name of SET client_encoding.
                let name = words[1].replace("names", "client_encoding");
                self.reports.retain(|(known, _)| *known != name);
                self.reports.push((name, words[2].to_ascii_uppercase()));
                self.complete("SET");
            }
            "discard" => {
                self.named.clear();
                self.unnamed = None;
                self.complete("DISCARD ALL");
            }
            "deallocate" => {
                self.named.remove(words[1]);
                self.complete("DEALLOCATE");
            }
            "copy" if words[1] == "in" => {
                self.send(b'G', &[0, 0, 0]);
                self.copy_in = Some(is_extended);
            }
            "copy" => {
                self.send(b'H', &[0, 0, 0]);
                self.send(b'd', b"1\n");
                self.send(b'd', b"2\n");
                self.send(b'c', &[]);
                self.complete("COPY 2");
            }
            _ => self.control(&words, &lower)?,
        }
        Ok(())
    }

    fn control(&mut self, words: &[&str], lower: &str) -> Result<(), Refused> {
        let name = (*words.last().unwrap()).to_owned();
        match words[0] {
            "begin" => {
                self.status = b'T';
                self.complete("BEGIN");
            }
            "commit" | "end" => {
                let is_ok = self.status != b'E';
                self.status = b'I';
                self.portals.clear();
                self.savepoints.clear();
                if is_ok {
                    self.committed.append(&mut self.transaction);
                } else {
                    self.transaction.clear();
                }
                self.complete(if is_ok { "COMMIT" } else { "ROLLBACK" });
            }
            "rollback" if words.len() > 1 => {
                let position = self.savepoints.iter().rposition(|(known, _)| *known == name);
                let Some(position) = position else {
                    return Err(refused("3B001", "savepoint does not exist"));
                };
                self.transaction.truncate(self.savepoints[position].1);
                self.savepoints.truncate(position + 1);
                self.status = b'T';
                self.complete("ROLLBACK");
            }
            "rollback" => {
                if self.status == b'I' {
                    self.send_error(b'N', "WARNING", &refused("25P01", "there is no transaction in progress"));
                }
                self.status = b'I';
                self.portals.clear();
                self.transaction.clear();
                self.savepoints.clear();
                self.complete("ROLLBACK");
            }
            "savepoint" | "release" if self.status != b'T' => {
                return Err(refused("25P01", "can only be used in transaction blocks"));
            }
            "savepoint" => {
                self.savepoints.push((name, self.transaction.len()));
                self.complete("SAVEPOINT");
            }
            "release" => {
                let position = self.savepoints.iter().rposition(|(known, _)| *known == name);
                let Some(position) = position else {
                    return Err(refused("3B001", "savepoint does not exist"));
                };
                self.savepoints.truncate(position);
                self.complete("RELEASE");
            }
            _ => return Err(refused("42601", format!("syntax error at \"{lower}\""))),
        }
        Ok(())
    }

    /// The driver's own query for types: it names their OIDs in braces.
    fn look_up(&mut self, query: &str) {
        let asked = query.split(['{', '}']).nth(1).unwrap();
        let rows = self.catalog.clone();
        let found: Vec<_> = rows.iter().filter(|row| asked.split(',').any(|oid| oid == row[0])).collect();
        for row in &found {
            let mut body = vec![0, 12];
            for field in row.iter() {
                if field.is_empty() {
                    body.extend_from_slice(&(-1_i32).to_be_bytes());
                } else {
                    body.extend_from_slice(&u32::try_from(field.len()).unwrap().to_be_bytes());
                    body.extend_from_slice(field.as_bytes());
                }
            }
            self.send(b'D', &body);
        }
        self.complete(&format!("SELECT {}", found.len()));
    }

    fn row(&mut self, tag: u32, number: u32) {
        let mut body = vec![0, 2];
        for value in [tag, number] {
            body.extend_from_slice(&[0, 0, 0, 4]);
            body.extend_from_slice(&value.to_be_bytes());
        }
        self.send(b'D', &body);
    }

    fn complete(&mut self, tag: &str) {
        let mut body = tag.as_bytes().to_vec();
        body.push(0);
        self.send(b'C', &body);
    }

    pub(super) fn row_description(&self) -> Vec<u8> {
        let mut body = vec![0, u8::try_from(self.column_count).unwrap()];
        for name in ["tag", "number", "added"].into_iter().take(self.column_count) {
            body.extend_from_slice(name.as_bytes());
            body.push(0);
            body.extend_from_slice(&[0; 6]);
            body.extend_from_slice(&self.column_oid.to_be_bytes());
            body.extend_from_slice(&[0, 4, 255, 255, 255, 255, 0, 0]);
        }
        body
    }
}

/// Who the server is.
pub(super) fn is_question(text: &str) -> bool {
    text.contains("pg_backend_pid")
}

pub(super) fn has_parameter(text: &str) -> bool {
    text.contains("$1")
}

pub(super) fn returns_rows(text: &str) -> bool {
    text.starts_with("select") || text.ends_with("returning")
}
