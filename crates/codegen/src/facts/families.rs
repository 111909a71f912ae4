//! Reads the families of `data/types.tsv`: the lines that begin with a number.

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
    /// What reads its cells in JavaScript; `None` for families whose types say so.
    pub(crate) reader: Option<Place>,
    /// What writes its parameter cells in JavaScript; `None` for families of which there are no parameters.
    pub(crate) writer: Option<Place>,
    /// One line of documentation.
    pub(crate) description: String,
}

/// A function or constant of a TypeScript file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The file in its folder, without its ending.
    pub(crate) file: String,
    /// What the file exports.
    pub(crate) name: String,
    /// The name, or a call of it.
    pub(crate) expression: String,
}

/// Whether a line is a family's.
pub(crate) fn is_family(line: &str) -> bool {
    line.starts_with(|first: char| first.is_ascii_digit() || first == '-')
}

/// Reads the table.
///
/// # Errors
/// Says which line is wrong, and how: a malformed field, a repeated number or constant; or that the unknown family is
/// not number 0.
pub(crate) fn parse(table: &str) -> Result<Vec<Family>, String> {
    let mut numbers = HashSet::new();
    let mut constants = HashSet::new();
    let families = read_lines(table, is_family, |line| {
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
    let [number, constant, reader, writer, description] = fields(line)?;
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
    Ok(Family {
        number: code,
        constant: constant.to_owned(),
        reader: place(reader)?,
        writer: place(writer)?,
        description: description.to_owned(),
    })
}

/// `file:expression`, or `-`.
fn place(field: &str) -> Result<Option<Place>, String> {
    if field == "-" {
        return Ok(None);
    }
    let problem = || format!("{field:?} is no place in TypeScript: expected file:expression");
    let (file, expression) = field.split_once(':').ok_or_else(problem)?;
    let name = expression.split('(').next().unwrap_or_default();
    let is_file = !file.is_empty() && file.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let is_call = expression == name || expression.ends_with(')');
    if !(is_file && is_name && is_call) {
        return Err(problem());
    }
    Ok(Some(Place { file: file.to_owned(), name: name.to_owned(), expression: expression.to_owned() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_becomes_a_family() {
        let table = "# comment\n\n0\tUNKNOWN\t-\t-\tno codec\n127\tINT4\tnumbers:read(mapping)\ta-b:write\t`int4`\nINT4\tint4\t23\t0\n";
        let families = parse(table).unwrap();
        assert_eq!(families.len(), 2);
        let place = |file: &str, name: &str, expression: &str| {
            Some(Place { file: file.to_owned(), name: name.to_owned(), expression: expression.to_owned() })
        };
        assert_eq!(
            families[1],
            Family {
                number: 127,
                constant: "INT4".to_owned(),
                reader: place("numbers", "read", "read(mapping)"),
                writer: place("a-b", "write", "write"),
                description: "`int4`".to_owned()
            }
        );
        assert_eq!((&families[0].reader, &families[0].writer), (&None, &None));
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        let refused = |table: &str| parse(table).unwrap_err();
        assert!(refused("1\tINT4").contains("line 1: expected 5 fields separated by tabs, not 2"));
        assert!(
            refused("# comment\n128\tINT4\t-\t-\tx").contains("line 2: expected a number from 0 to 127, not \"128\"")
        );
        assert!(refused("-1\tINT4\t-\t-\tx").contains("expected a number"));
        for constant in ["", "int4", "4INT", "INT 4", "ARRAY"] {
            assert!(refused(&format!("1\t{constant}\t-\t-\tx")).contains("no constant name"), "{constant}");
        }
        for place in ["", "numbers", "numbers:", ":read", "Numbers:read", "numbers:read(", "numbers:re ad"] {
            assert!(refused(&format!("1\tINT4\t{place}\t-\tx")).contains("no place in TypeScript"), "{place}");
            assert!(refused(&format!("1\tINT4\t-\t{place}\tx")).contains("no place in TypeScript"), "{place}");
        }
        for description in ["", " ", "x ", "x */ y"] {
            assert!(refused(&format!("1\tINT4\t-\t-\t{description}")).contains("no description"), "{description}");
        }
        assert!(refused("1\tINT4\t-\t-\tx\n1\tINT8\t-\t-\tx").contains("line 2: number 1 is there twice"));
        assert!(refused("1\tINT4\t-\t-\tx\n2\tINT4\t-\t-\tx").contains("line 2: constant INT4 is there twice"));
    }

    #[test]
    fn number_0_is_the_unknown_family() {
        let problem = "there is no family UNKNOWN with the number 0";
        assert_eq!(parse("1\tINT4\t-\t-\tx").unwrap_err(), problem);
        assert_eq!(parse("0\tINT4\t-\t-\tx\n1\tUNKNOWN\t-\t-\tx").unwrap_err(), problem);
    }
}
