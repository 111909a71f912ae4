//! Writes the generated sources of oxpg, or with `--check` only says which of them are stale.
//!
//! `cargo run -p oxpg-codegen` writes, from the tables in `data/`,
//! - `src/errors/sqlstate.ts` (`sqlstate.tsv`),
//! - `src/types/type-code.ts` and `crates/codec/src/types/families.rs` (`types.tsv`),
//! - `crates/codec/src/types/built_in.rs` (`types.tsv`),
//! - `src/session-options.ts` and `crates/client/src/open/parameters.rs` (`options.tsv`),
//! - `crates/codec/src/boundary.rs`, `src/types/boundary.ts` and the tables in `docs/internals/boundary.md`
//!   (`boundary.tsv`).

#![forbid(unsafe_code)]

mod facts;
mod sources;

use sources::Source;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        [] => write_sources(),
        ["--check"] => check_sources(),
        _ => Err(format!("usage: oxpg-codegen [--check], not {}", arguments.join(" "))),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            // A closed standard error leaves nobody to tell.
            let _ = writeln!(io::stderr(), "{problem}");
            ExitCode::FAILURE
        }
    }
}

fn generated() -> Result<Vec<Source>, String> {
    sources::generate(&Path::new(env!("CARGO_MANIFEST_DIR")).join("data"))
}

fn place(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// Leaves a file alone that is as it should be, so that nothing is built again for it.
fn write_sources() -> Result<(), String> {
    for Source { path, text } in generated()? {
        let place = place(path);
        if !std::fs::read_to_string(&place).is_ok_and(|present| present == text) {
            std::fs::write(&place, text).map_err(|error| format!("{path}: {error}"))?;
        }
    }
    Ok(())
}

fn check_sources() -> Result<(), String> {
    compare(&generated()?, |path| std::fs::read_to_string(place(path)))
}

/// Compares every source with what is present.
///
/// # Errors
/// One line for each that differs or cannot be read.
fn compare(sources: &[Source], present: impl Fn(&str) -> io::Result<String>) -> Result<(), String> {
    let problem = |source: &Source| match present(source.path) {
        Ok(text) if text == source.text => None,
        Ok(_) => Some(format!("{} is stale: run `cargo run -p oxpg-codegen`", source.path)),
        Err(error) => Some(format!("{}: {error}", source.path)),
    };
    let problems: Vec<String> = sources.iter().filter_map(problem).collect();
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checked_in_sources_are_the_generated_ones() {
        check_sources().unwrap();
    }

    #[test]
    fn every_stale_source_is_named() {
        let sources = ["a", "b", "c", "d"].map(|path| Source { path, text: format!("{path} text") });
        let problems = compare(&sources, |path| match path {
            "a" => Ok("a text".to_owned()),
            "c" => Err(io::Error::from(io::ErrorKind::NotFound)),
            _ => Ok("older text".to_owned()),
        });
        let problems = problems.unwrap_err();
        let lines: Vec<&str> = problems.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[0].starts_with("b is stale: run `cargo run -p oxpg-codegen`"));
        assert!(lines[1].starts_with("c: "));
        assert!(lines[2].starts_with("d is stale"));
    }

    /// The text with one of its numbers another one, for each of them.
    fn with_another_number(text: &str) -> Vec<String> {
        let is_start = |at: usize| {
            let front = text[..at].bytes().next_back();
            text.as_bytes()[at].is_ascii_digit() && !front.is_some_and(|byte| byte.is_ascii_alphanumeric())
        };
        let starts = (0..text.len()).filter(|at| text.is_char_boundary(*at) && is_start(*at));
        starts.map(|at| format!("{}7{}", &text[..at], &text[at..])).collect()
    }

    #[test]
    fn a_number_changed_on_one_side_alone_is_refused() {
        let sources = generated().unwrap();
        for path in [
            "crates/codec/src/boundary.rs",
            "src/types/boundary.ts",
            "crates/codec/src/types/families.rs",
            "src/types/type-code.ts",
        ] {
            let source = sources.iter().find(|source| source.path == path).unwrap();
            let changed = with_another_number(&source.text);
            assert!(changed.len() > 40, "{path}: {}", changed.len());
            for changed in changed {
                let present = |other: &str| match sources.iter().find(|source| source.path == other) {
                    Some(_) if other == path => Ok(changed.clone()),
                    Some(source) => Ok(source.text.clone()),
                    None => Err(io::Error::from(io::ErrorKind::NotFound)),
                };
                let problem = compare(&sources, present).unwrap_err();
                assert_eq!(problem, format!("{path} is stale: run `cargo run -p oxpg-codegen`"));
            }
        }
    }

    #[test]
    fn there_are_262_classes() {
        let sources = generated().unwrap();
        let classes = sources.iter().find(|source| source.path == "src/errors/sqlstate.ts").unwrap();
        assert_eq!(classes.text.matches("export class ").count(), 262);
    }
}
