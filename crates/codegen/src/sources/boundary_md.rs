//! Writes the tables of numbers in `docs/internals/boundary.md`; the prose around them is written by hand.

use crate::facts::boundary::{GROUPS, Group, Number};

/// The page with the table of each group between its marks, `<!-- numbers: opcode -->` and `<!-- end -->`.
///
/// # Errors
/// Names a group that the page has no marks for.
pub(crate) fn source(page: &str, numbers: &[Number]) -> Result<String, String> {
    let mut text = page.to_owned();
    for group in GROUPS {
        let start = format!("<!-- numbers: {} -->\n", group.name);
        let missing = || format!("there is no table of the group {}", group.name);
        let (front, behind) = text.split_once(&start).ok_or_else(missing)?;
        let (_, behind) = behind.split_once("<!-- end -->").ok_or_else(missing)?;
        text = format!("{front}{start}{}<!-- end -->{behind}", table(group, numbers));
    }
    Ok(text)
}

fn table(group: &Group, numbers: &[Number]) -> String {
    let mut text = String::from("| number | name | meaning |\n|---|---|---|\n");
    for Number { constant, number, description, .. } in numbers.iter().filter(|number| number.group == group.name) {
        text.push_str(&format!("| {number} | {constant} | {description} |\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::boundary::parse;

    fn page(without: &str) -> String {
        let marks = GROUPS.iter().filter(|group| group.name != without);
        let marks = marks.map(|group| format!("<!-- numbers: {} -->\nold\n<!-- end -->\nprose\n", group.name));
        marks.collect()
    }

    #[test]
    fn tables_stand_between_their_marks() {
        let numbers = parse("size\tHEADER_WORDS\t8\tWords\nmark\tNULL\t1\tNo value").unwrap();
        let text = source(&page(""), &numbers).unwrap();
        let mark = "<!-- numbers: mark -->\n| number | name | meaning |\n|---|---|---|\n\
                    | 1 | NULL | No value |\n<!-- end -->\nprose\n";
        assert!(text.contains(mark));
        assert!(!text.contains("old"));
        assert_eq!(source(&text, &numbers).unwrap(), text);
    }

    #[test]
    fn a_table_must_be_there() {
        let numbers = parse("size\tHEADER_WORDS\t8\tWords").unwrap();
        assert_eq!(source(&page("mark"), &numbers).unwrap_err(), "there is no table of the group mark");
    }
}
