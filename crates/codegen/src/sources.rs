//! The generated sources and the tables they come from.

mod boundary_md;
mod boundary_rs;
mod boundary_ts;
mod built_in_rs;
mod families_rs;
mod families_ts;
mod parameters_rs;
mod session_options_ts;
mod sqlstate_ts;
mod type_code_ts;

use crate::facts::{boundary, families, options, sqlstate, types};
use std::path::Path;

/// One generated file.
pub(crate) struct Source {
    /// Where it belongs, from the root of the repository.
    pub(crate) path: &'static str,
    /// What it holds.
    pub(crate) text: String,
}

/// Every generated file, from the tables in `folder`.
///
/// # Errors
/// Names the table that cannot be read or is wrong, and says how.
pub(crate) fn generate(folder: &Path) -> Result<Vec<Source>, String> {
    let classes = read(folder, "sqlstate.tsv", |table| {
        let facts = sqlstate::parse(table)?;
        Ok(sqlstate_ts::source(&sqlstate::parents_first(&facts)?))
    })?;
    let families = read(folder, "types.tsv", families::parse)?;
    let types = read(folder, "types.tsv", |table| types::parse(table, &families))?;
    let options = read(folder, "options.tsv", options::parse)?;
    let numbers = read(folder, "boundary.tsv", boundary::parse)?;
    let fingerprint = boundary::fingerprint(&numbers, &families);
    let page =
        read(&folder.join("../../.."), "docs/internals/boundary.md", |page| boundary_md::source(page, &numbers))?;
    Ok(vec![
        Source { path: "crates/codec/src/boundary.rs", text: boundary_rs::source(&numbers, fingerprint) },
        Source { path: "src/types/boundary.ts", text: boundary_ts::source(&numbers, fingerprint) },
        Source { path: "docs/internals/boundary.md", text: page },
        Source { path: "src/errors/sqlstate.ts", text: classes },
        Source { path: "src/types/type-code.ts", text: type_code_ts::source(&families) },
        Source { path: "crates/codec/src/types/families.rs", text: families_rs::source(&families) },
        Source { path: "src/decode/readers/families.ts", text: families_ts::readers(&families) },
        Source { path: "src/encode/families.ts", text: families_ts::writers(&families) },
        Source { path: "crates/codec/src/types/built_in.rs", text: built_in_rs::source(&types) },
        Source { path: "src/session-options.ts", text: session_options_ts::source(&options.public) },
        Source { path: "crates/client/src/open/parameters.rs", text: parameters_rs::source(&options.parameters) },
    ])
}

fn read<T>(folder: &Path, name: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Result<T, String> {
    let path = folder.join(name);
    let in_table = |problem: String| format!("{}: {problem}", path.display());
    let table = std::fs::read_to_string(&path).map_err(|error| in_table(error.to_string()))?;
    parse(&table).map_err(in_table)
}
