//! Reads `data/families.tsv`: one family of types a line.

use super::{fields, once, read_lines};
use std::collections::HashSet;

/// The bit of a type code that marks an array of the family in the bits below.
pub(crate) const ARRAY_BIT: u8 = 0x80;

/// The family of types without a binary codec. Its number is 0.
pub(crate) const UNKNOWN: &str = "UNKNOWN";

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Family {
    /// The type code, less than [`ARRAY_BIT`].
    pub(crate) number: u8,
    /// The name of the constant: upper-case letters and digits.
    pub(crate) constant: String,
    /// One line of documentation.
    pub(crate) description: String,
}

/// Reads the table.
///
/// # Errors
/// Says which line is wrong, and how: a malformed field, a repeated number or constant; or that the unknown family is
/// not number 0.
pub(crate) fn parse(table: &str) -> Result<Vec<Family>, String> {
    let mut numbers = HashSet::new();
    let mut constants = HashSet::new();
    let families = read_lines(table, |line| {
        let family = parse_line(line)?;
        once(&mut numbers, "number", family.number)?;
        once(&mut constants, "constant", family.constant.clone())?;
        Ok(family)
    })?;
    if families.iter().any(|family| family.number == 0 && family.constant == UNKNOWN) {
        return Ok(families);
    }
    Err(format!("there is no family {UNKNOWN} with the number 0"))
}

fn parse_line(line: &str) -> Result<Family, String> {
    let [number, constant, description] = fields(line)?;
    let code = number.parse().ok().filter(|code| *code < ARRAY_BIT);
    let code = code.ok_or_else(|| format!("expected a number from 0 to {}, not {number:?}", ARRAY_BIT - 1))?;
    let starts_well = constant.bytes().next().is_some_and(|byte| byte.is_ascii_uppercase());
    // `ARRAY` is the name of the bit in Rust.
    if constant == "ARRAY"
        || !starts_well
        || !constant.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
    {
        return Err(format!("{constant:?} is no constant name for a family"));
    }
    if description.trim().is_empty() || description.trim() != description || description.contains("*/") {
        return Err(format!("{description:?} is no description"));
    }
    Ok(Family { number: code, constant: constant.to_owned(), description: description.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_becomes_a_family() {
        let families = parse("# comment\n\n0\tUNKNOWN\tno codec\n127\tINT4\t`int4`\n").unwrap();
        assert_eq!(families.len(), 2);
        assert_eq!(families[1], Family { number: 127, constant: "INT4".to_owned(), description: "`int4`".to_owned() });
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        let refused = |table: &str| parse(table).unwrap_err();
        assert!(refused("1\tINT4").contains("line 1: expected 3 fields separated by tabs, not 2"));
        assert!(refused("# comment\n128\tINT4\tx").contains("line 2: expected a number from 0 to 127, not \"128\""));
        assert!(refused("-1\tINT4\tx").contains("expected a number"));
        for constant in ["", "int4", "4INT", "INT 4", "ARRAY"] {
            assert!(refused(&format!("1\t{constant}\tx")).contains("no constant name"), "{constant}");
        }
        for description in ["", " ", "x ", "x */ y"] {
            assert!(refused(&format!("1\tINT4\t{description}")).contains("no description"), "{description}");
        }
        assert!(refused("1\tINT4\tx\n1\tINT8\tx").contains("line 2: number 1 is there twice"));
        assert!(refused("1\tINT4\tx\n2\tINT4\tx").contains("line 2: constant INT4 is there twice"));
    }

    #[test]
    fn number_0_is_the_unknown_family() {
        let problem = "there is no family UNKNOWN with the number 0";
        assert_eq!(parse("1\tINT4\tx").unwrap_err(), problem);
        assert_eq!(parse("0\tINT4\tx\n1\tUNKNOWN\tx").unwrap_err(), problem);
    }
}
