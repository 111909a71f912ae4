//! Reads `data/sqlstate.tsv`: one SQLSTATE a line.

use super::{fields, once, read_lines};
use std::collections::{HashMap, HashSet};

/// Classes that the table's classes extend and that are written by hand in `src/errors/`.
pub(crate) const HAND_WRITTEN: [&str; 2] = ["PostgresError", "PostgresLogMessage"];

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fact {
    /// Five digits or upper-case letters.
    pub(crate) sqlstate: String,
    /// PostgreSQL's name of the condition, as PL/pgSQL has it.
    pub(crate) condition: String,
    /// The name of the class.
    pub(crate) class: String,
    /// The class that it extends.
    pub(crate) parent: String,
}

/// Reads the table.
///
/// # Errors
/// Says which line is wrong, and how: a malformed field, a repeated SQLSTATE or class, a parent that does not exist.
pub(crate) fn parse(table: &str) -> Result<Vec<Fact>, String> {
    let mut codes = HashSet::new();
    let mut classes: HashSet<String> = HAND_WRITTEN.iter().map(ToString::to_string).collect();
    let facts = read_lines(
        table,
        |_| true,
        |line| {
            let fact = parse_line(line)?;
            once(&mut codes, "SQLSTATE", fact.sqlstate.clone())?;
            once(&mut classes, "class", fact.class.clone())?;
            Ok(fact)
        },
    )?;
    match facts.iter().find(|fact| !classes.contains(&fact.parent)) {
        Some(orphan) => Err(format!("{} extends {}, which is no class", orphan.class, orphan.parent)),
        None => Ok(facts),
    }
}

fn parse_line(line: &str) -> Result<Fact, String> {
    let [sqlstate, kind, condition, class, parent] = fields(line)?;
    if sqlstate.len() != 5 || !sqlstate.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase()) {
        return Err(format!("{sqlstate:?} is no SQLSTATE"));
    }
    if !matches!(kind, "E" | "W") {
        return Err(format!("expected the kind E or W, not {kind:?}"));
    }
    if condition.is_empty() || !condition.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Err(format!("{condition:?} is no condition name"));
    }
    for name in [class, parent] {
        let starts_well = name.bytes().next().is_some_and(|byte| byte.is_ascii_uppercase());
        if !starts_well || !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(format!("{name:?} is no class name"));
        }
    }
    Ok(Fact {
        sqlstate: sqlstate.to_owned(),
        condition: condition.to_owned(),
        class: class.to_owned(),
        parent: parent.to_owned(),
    })
}

/// The facts ordered so that every class comes after the one it extends; otherwise the table's order.
///
/// # Errors
/// Names a class whose ancestors form a circle.
pub(crate) fn parents_first(facts: &[Fact]) -> Result<Vec<&Fact>, String> {
    let by_class: HashMap<&str, &Fact> = facts.iter().map(|fact| (fact.class.as_str(), fact)).collect();
    let mut placed = HashSet::new();
    let mut ordered = Vec::with_capacity(facts.len());
    for fact in facts {
        let mut line = Vec::new();
        let mut next = Some(fact);
        while let Some(ancestor) = next.filter(|ancestor| !placed.contains(ancestor.class.as_str())) {
            if line.len() > facts.len() {
                return Err(format!("{} is its own ancestor", fact.class));
            }
            line.push(ancestor);
            next = by_class.get(ancestor.parent.as_str()).copied();
        }
        for ancestor in line.into_iter().rev() {
            placed.insert(ancestor.class.as_str());
            ordered.push(ancestor);
        }
    }
    Ok(ordered)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_becomes_a_fact() {
        let facts = parse("# comment\n\n23505\tE\tunique_violation\tUniqueViolationError\tPostgresError\n").unwrap();
        assert_eq!(facts.len(), 1);
        assert_eq!(facts[0].sqlstate, "23505");
        assert_eq!(facts[0].condition, "unique_violation");
        assert_eq!(facts[0].class, "UniqueViolationError");
        assert_eq!(facts[0].parent, "PostgresError");
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        let refused = |table: &str| parse(table).unwrap_err();
        assert!(refused("23505\tE\tunique_violation\tA").contains("line 1: expected 5 fields"));
        assert!(refused("2350\tE\tx\tA\tPostgresError").contains("no SQLSTATE"));
        assert!(refused("23505\tQ\tx\tA\tPostgresError").contains("kind"));
        assert!(refused("23505\tE\tx y\tA\tPostgresError").contains("no condition name"));
        assert!(refused("23505\tE\tx\t'a'\tPostgresError").contains("no class name"));
        assert!(refused("23505\tE\tx\tA\tMissing").contains("A extends Missing"));
        assert!(refused("1\n").contains("line 1"));
        let twice = "23505\tE\tx\tA\tPostgresError\n23505\tE\tx\tB\tPostgresError";
        assert!(refused(twice).contains("line 2: SQLSTATE 23505 is there twice"));
        let same_class = "23505\tE\tx\tA\tPostgresError\n23506\tE\tx\tA\tPostgresError";
        assert!(refused(same_class).contains("class A is there twice"));
    }

    #[test]
    fn parents_come_before_their_children() {
        let facts = parse("10001\tE\tc\tC\tB\n10002\tE\tb\tB\tA\n10003\tE\ta\tA\tPostgresError").unwrap();
        let names: Vec<&str> = parents_first(&facts).unwrap().iter().map(|fact| fact.class.as_str()).collect();
        assert_eq!(names, ["A", "B", "C"]);
    }

    #[test]
    fn a_circle_is_refused() {
        let facts = parse("10001\tE\ta\tA\tB\n10002\tE\tb\tB\tA").unwrap();
        assert!(parents_first(&facts).unwrap_err().contains("its own ancestor"));
    }
}
