//! Reads the built-in types of `data/types.tsv`: the lines that are no family's.

use super::families::{Family, is_family};
use super::{fields, once, read_lines};
use std::collections::HashSet;

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Type {
    /// The constant of its family.
    pub(crate) family: String,
    /// Its name in PostgreSQL's catalog.
    pub(crate) name: String,
    /// Its OID, never 0.
    pub(crate) oid: u32,
    /// The OID of the array type over it; 0 when there is none.
    pub(crate) array_oid: u32,
}

/// Reads the table, whose types are of these families.
///
/// # Errors
/// Says which line is wrong, and how: a malformed field, a family that does not exist, a repeated name or OID.
pub(crate) fn parse(table: &str, families: &[Family]) -> Result<Vec<Type>, String> {
    let mut names = HashSet::new();
    let mut oids = HashSet::new();
    read_lines(
        table,
        |line| !is_family(line),
        |line| {
            let fact = parse_line(line)?;
            if families.iter().all(|family| family.constant != fact.family) {
                return Err(format!("{} is of the family {}, which does not exist", fact.name, fact.family));
            }
            once(&mut names, "type", fact.name.clone())?;
            once(&mut oids, "OID", fact.oid)?;
            if fact.array_oid != 0 {
                once(&mut oids, "OID", fact.array_oid)?;
            }
            Ok(fact)
        },
    )
}

fn parse_line(line: &str) -> Result<Type, String> {
    let [family, name, oid, array_oid] = fields(line)?;
    let is_name_byte = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if name.is_empty() || !name.bytes().all(is_name_byte) {
        return Err(format!("{name:?} is no type name"));
    }
    let number = |field: &str| field.parse().map_err(|_| format!("{field:?} is no OID"));
    let fact =
        Type { family: family.to_owned(), name: name.to_owned(), oid: number(oid)?, array_oid: number(array_oid)? };
    if fact.oid == 0 { Err(format!("the OID of {name} is 0")) } else { Ok(fact) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::families;

    fn read(table: &str) -> Result<Vec<Type>, String> {
        parse(table, &families::parse("0\tUNKNOWN\t-\t-\tx\n3\tINT4\t-\t-\tx").unwrap())
    }

    #[test]
    fn a_line_becomes_a_type() {
        let types = read("# comment\n\nINT4\tint4\t23\t1007\nUNKNOWN\ttrigger\t2279\t0\n").unwrap();
        let int4 = Type { family: "INT4".to_owned(), name: "int4".to_owned(), oid: 23, array_oid: 1007 };
        let trigger = Type { family: "UNKNOWN".to_owned(), name: "trigger".to_owned(), oid: 2279, array_oid: 0 };
        assert_eq!(types, [int4, trigger]);
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        let refused = |table: &str| read(table).unwrap_err();
        assert!(refused("INT4\tint4\t23").contains("line 1: expected 4 fields separated by tabs, not 3"));
        for name in ["", "Int4", "int4[]", "\"char\""] {
            assert!(refused(&format!("INT4\t{name}\t23\t1007")).contains("no type name"), "{name}");
        }
        assert!(refused("INT4\tint4\t-1\t1007").contains("\"-1\" is no OID"));
        assert!(refused("INT4\tint4\t23\t4294967296").contains("\"4294967296\" is no OID"));
        assert!(refused("INT4\tint4\t0\t1007").contains("the OID of int4 is 0"));
        assert!(
            refused("# comment\nINT5\tint5\t23\t1007")
                .contains("line 2: int5 is of the family INT5, which does not exist")
        );
    }

    #[test]
    fn names_and_oids_are_there_once() {
        let refused = |second: &str| read(&format!("INT4\tint4\t23\t1007\n{second}")).unwrap_err();
        assert_eq!(refused("INT4\tint4\t24\t1008"), "line 2: type int4 is there twice");
        assert_eq!(refused("INT4\tint5\t23\t1008"), "line 2: OID 23 is there twice");
        assert_eq!(refused("INT4\tint5\t24\t1007"), "line 2: OID 1007 is there twice");
        assert_eq!(refused("INT4\tint5\t1007\t0"), "line 2: OID 1007 is there twice");
        assert_eq!(refused("INT4\tint5\t24\t24"), "line 2: OID 24 is there twice");
    }
}
