//! Options that say how a session works once it is open.

use serde_json::{Map, Value};

use super::error::ConfigError;
use super::sources::unexpected;
use crate::session::{PoolerSearch, SessionOptions};

/// What the options object says; what is left out is as it is by default.
pub(super) fn from_options(options: &Map<String, Value>) -> Result<SessionOptions, ConfigError> {
    let mut session = SessionOptions { pooler_search: PoolerSearch::ByIdentity, ..SessionOptions::default() };
    if let Some(size) = count(options, "statementCacheSize")? {
        session.statement_cache_size = size;
        // Who says how many statements there are to be knows of poolers that keep them: only an error shows another.
        session.pooler_search = PoolerSearch::ByErrors;
    }
    Ok(session)
}

fn count(options: &Map<String, Value>, name: &str) -> Result<Option<usize>, ConfigError> {
    match options.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_u64().and_then(|count| usize::try_from(count).ok()) {
            Some(count) => Ok(Some(count)),
            None => Err(unexpected(&format!("option {name}"), "a whole number from 0", value)),
        },
    }
}
