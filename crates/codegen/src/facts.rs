//! Reads the tables in `data/`: one fact a line, its fields separated by tabs.

pub(crate) mod boundary;
pub(crate) mod families;
pub(crate) mod options;
pub(crate) mod sqlstate;
pub(crate) mod types;

use std::collections::HashSet;
use std::fmt::Display;
use std::hash::Hash;

/// Reads every line of a table that is `wanted` with `read`, except empty ones and those that start with `#`.
///
/// # Errors
/// The first error of `read`, with the number of its line.
fn read_lines<Fact>(
    table: &str,
    wanted: impl Fn(&str) -> bool,
    mut read: impl FnMut(&str) -> Result<Fact, String>,
) -> Result<Vec<Fact>, String> {
    table
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#') && wanted(line))
        .map(|(index, line)| read(line).map_err(|problem| format!("line {}: {problem}", index + 1)))
        .collect()
}

/// The fields of a line.
///
/// # Errors
/// Says how many there are when there are not `N`.
fn fields<const N: usize>(line: &str) -> Result<[&str; N], String> {
    let found: Vec<&str> = line.split('\t').collect();
    found.try_into().map_err(|found: Vec<&str>| format!("expected {N} fields separated by tabs, not {}", found.len()))
}

/// Notes a value that a table may hold only once; `what` says what it is.
///
/// # Errors
/// Names a value that was there before.
fn once<T: Display + Eq + Hash>(seen: &mut HashSet<T>, what: &str, value: T) -> Result<(), String> {
    let problem = format!("{what} {value} is there twice");
    if seen.insert(value) { Ok(()) } else { Err(problem) }
}
