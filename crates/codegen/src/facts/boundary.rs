//! Reads `data/boundary.tsv`: one number that Rust and JavaScript share a line.

use super::{fields, once, read_lines};
use std::collections::HashSet;

/// What a number may be one of, and how both sides name it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Group {
    /// The name in the table, which is that of the module in Rust.
    pub(crate) name: &'static str,
    /// The object in TypeScript; `None` for constants that stand alone.
    pub(crate) object: Option<&'static str>,
    /// The type of the constants in Rust.
    pub(crate) rust_type: &'static str,
    /// One line of documentation.
    pub(crate) description: &'static str,
    /// The size that all numbers of the group must be below: they are places in something of that size.
    pub(crate) below: Option<&'static str>,
    /// Whether two names may have one number, since they are never meant at once.
    pub(crate) may_repeat: bool,
    /// Whether the numbers are bits that are set together.
    pub(crate) is_bits: bool,
}

const fn group(name: &'static str, object: &'static str, rust_type: &'static str, description: &'static str) -> Group {
    Group { name, object: Some(object), rust_type, description, below: None, may_repeat: false, is_bits: false }
}

/// The group of sizes, whose constants stand alone.
pub(crate) const SIZE: &str = "size";

/// All groups, in the order in which they are generated.
pub(crate) static GROUPS: &[Group] = &[
    Group { object: None, may_repeat: true, ..group(SIZE, "", "usize", "Sizes that both sides know.") },
    Group { object: None, ..group("id", "", "u32", "How ids are told apart.") },
    Group {
        below: Some("HEADER_WORDS"),
        ..group("command_word", "CommandWord", "usize", "Words of a command's header.")
    },
    group("opcode", "Opcode", "u32", "What a command asks for."),
    Group { is_bits: true, ..group("flag", "Flag", "u32", "Bits of a command's flags.") },
    group("form", "Form", "u32", "What becomes of a result's rows."),
    group("record", "RecordKind", "i32", "What a record tells."),
    Group {
        below: Some("RECORD_WORDS"),
        may_repeat: true,
        ..group("record_word", "RecordWord", "usize", "Words of a record, by the kind that has them.")
    },
    group("command", "CommandNumber", "u8", "Commands of the tags in DONE records."),
    group(
        "transaction_status",
        "TransactionStatusByte",
        "u8",
        "Bytes of a transaction's status, as ReadyForQuery has them.",
    ),
    group("mark", "Mark", "u8", "What a cell of the mailbox holds."),
    group("text_mode", "TextMode", "i32", "How the text ranges of a segment are meant."),
    group("cell_tag", "CellTag", "i32", "Tags of parameter cells, and their payloads."),
    group("codec_choice", "CodecChoice", "u32", "How values of one type are to cross, as `chooseCodec` takes it."),
    group("close_reason", "CloseReason", "i32", "Why a pool has closed a connection."),
];

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Number {
    /// The name of its group.
    pub(crate) group: String,
    /// The name of the constant: upper-case letters and digits.
    pub(crate) constant: String,
    /// The number.
    pub(crate) number: i64,
    /// One line of documentation.
    pub(crate) description: String,
}

/// Reads the table.
///
/// # Errors
/// Says which line is wrong, and how: a malformed field, a group that does not exist, a repeated name or number, a
/// number that does not fit its type or its place.
pub(crate) fn parse(table: &str) -> Result<Vec<Number>, String> {
    let mut names = HashSet::new();
    let mut numbers = HashSet::new();
    let found = read_lines(
        table,
        |_| true,
        |line| {
            let number = parse_line(line)?;
            let group = group_of(&number)?;
            once(&mut names, "constant", format!("{}::{}", number.group, number.constant))?;
            if !group.may_repeat {
                once(&mut numbers, "number", format!("{} of {}", number.number, number.group))?;
            }
            Ok(number)
        },
    )?;
    for number in &found {
        let Some(name) = group_of(number)?.below else { continue };
        let size = size_of(&found, name)?;
        if number.number >= size {
            return Err(format!("{} {} is not below {name}, which is {size}", number.group, number.constant));
        }
    }
    if size_of(&found, "HEADER_WORDS")? % 2 != 0 {
        return Err("HEADER_WORDS is odd: cells have to start on 8 bytes".to_owned());
    }
    Ok(found)
}

/// The group of a number.
///
/// # Errors
/// When there is no such group.
fn group_of(number: &Number) -> Result<&'static Group, String> {
    let found = GROUPS.iter().find(|group| group.name == number.group);
    found.ok_or_else(|| format!("{} is of the group {}, which does not exist", number.constant, number.group))
}

fn size_of(numbers: &[Number], name: &str) -> Result<i64, String> {
    let size = numbers.iter().find(|number| number.group == SIZE && number.constant == name);
    size.map(|size| size.number).ok_or_else(|| format!("there is no size {name}"))
}

fn parse_line(line: &str) -> Result<Number, String> {
    let [group, constant, number, description] = fields(line)?;
    let is_name_byte = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    if !constant.starts_with(|first: char| first.is_ascii_uppercase()) || !constant.bytes().all(is_name_byte) {
        return Err(format!("{constant:?} is no constant name"));
    }
    if description.trim().is_empty()
        || description.trim() != description
        || description.contains("*/")
        || description.contains('|')
    {
        return Err(format!("{description:?} is no description"));
    }
    let value: i64 = number.parse().map_err(|_| format!("{number:?} is no number"))?;
    let fact = Number {
        group: group.to_owned(),
        constant: constant.to_owned(),
        number: value,
        description: description.to_owned(),
    };
    let group = group_of(&fact)?;
    let fits = match group.rust_type {
        "u8" => u8::try_from(value).is_ok(),
        "i32" => i32::try_from(value).is_ok(),
        _ => u32::try_from(value).is_ok(),
    };
    if !fits {
        return Err(format!("{value} is no {}", group.rust_type));
    }
    if group.is_bits && value.count_ones() != 1 {
        return Err(format!("{value} is not one bit"));
    }
    Ok(fact)
}

/// What both sides compare before they trust each other: a hash (FNV-1a) of everything that the tables say of the
/// boundary, except the documentation.
pub(crate) fn fingerprint(numbers: &[Number], families: &[super::families::Family]) -> u32 {
    let numbers = numbers.iter().map(|number| format!("{}.{}={}\n", number.group, number.constant, number.number));
    let families = families.iter().map(|family| format!("family.{}={}\n", family.constant, family.number));
    numbers.chain(families).fold(0x811c_9dc5, |hash, line| {
        line.bytes().fold(hash, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::families;

    const SIZES: &str = "size\tHEADER_WORDS\t2\tx\nsize\tRECORD_WORDS\t2\tx\n";

    #[test]
    fn a_line_becomes_a_number() {
        let numbers = parse(&format!("# comment\n\n{SIZES}text_mode\tDIRECT\t-1\t`t`\n")).unwrap();
        let direct = Number {
            group: "text_mode".to_owned(),
            constant: "DIRECT".to_owned(),
            number: -1,
            description: "`t`".to_owned(),
        };
        assert_eq!(numbers[2], direct);
    }

    #[test]
    fn mistakes_are_named() {
        let refused = |line: &str| parse(&format!("{SIZES}{line}")).unwrap_err();
        assert!(refused("mark\tNULL\t1").contains("line 3: expected 4 fields separated by tabs, not 3"));
        assert!(refused("colour\tRED\t1\tx").contains("RED is of the group colour, which does not exist"));
        assert!(refused("mark\tnull\t1\tx").contains("\"null\" is no constant name"));
        assert!(refused("mark\tNULL\tone\tx").contains("\"one\" is no number"));
        assert!(refused("mark\tNULL\t256\tx").contains("256 is no u8"));
        assert!(refused("opcode\tQUERY\t-1\tx").contains("-1 is no u32"));
        assert!(refused("record\tROWS\t2147483648\tx").contains("2147483648 is no i32"));
        assert!(refused("flag\tFRESH\t3\tx").contains("3 is not one bit"));
        assert!(refused("mark\tNULL\t1\ta | b").contains("no description"));
        assert!(refused("mark\tA\t1\tx\nmark\tB\t1\tx").contains("line 4: number 1 of mark is there twice"));
        assert!(refused("mark\tA\t1\tx\nmark\tA\t2\tx").contains("line 4: constant mark::A is there twice"));
        assert!(refused("command_word\tA\t2\tx").contains("command_word A is not below HEADER_WORDS, which is 2"));
        assert!(refused("record_word\tA\t2\tx").contains("record_word A is not below RECORD_WORDS, which is 2"));
        assert_eq!(parse("").unwrap_err(), "there is no size HEADER_WORDS");
        assert!(parse("size\tHEADER_WORDS\t3\tx").unwrap_err().contains("HEADER_WORDS is odd"));
    }

    #[test]
    fn every_number_of_the_tables_changes_the_fingerprint() {
        let numbers = parse(include_str!("../../data/boundary.tsv")).unwrap();
        let families = families::parse(include_str!("../../data/types.tsv")).unwrap();
        let mut seen = HashSet::from([fingerprint(&numbers, &families)]);
        for index in 0..numbers.len() {
            let mut changed = numbers.clone();
            changed[index].number ^= 1;
            assert!(seen.insert(fingerprint(&changed, &families)), "{:?}", numbers[index]);
        }
        for index in 0..families.len() {
            let mut changed = families.clone();
            changed[index].number ^= 1;
            assert!(seen.insert(fingerprint(&numbers, &changed)), "{:?}", families[index]);
        }
    }
}
