//! Options that say how a session works once it is open.

use serde_json::{Map, Value};

use super::error::ConfigError;
use super::sources::unexpected;
use crate::session::{PoolerSearch, QueryProtocol, SessionOptions};

/// What the options object says; what is left out is as it is by default.
pub(super) fn from_options(options: &Map<String, Value>) -> Result<SessionOptions, ConfigError> {
    let mut session = SessionOptions { pooler_search: PoolerSearch::ByIdentity, ..SessionOptions::default() };
    let size = count(options, "statementCacheSize")?;
    let has_size = size.is_some();
    if let Some(size) = size {
        session.statement_cache_size = size;
        // Who says how many statements there are to be knows of poolers that keep them: only an error shows another.
        session.pooler_search = PoolerSearch::ByErrors;
    }
    let Some(mode) = options.get("statementMode").filter(|mode| !mode.is_null()) else { return Ok(session) };
    match mode.as_str() {
        Some("cache") if session.statement_cache_size == 0 => return Err(contradiction("cache", "at least 1", 0)),
        Some("cache") => {}
        Some(mode @ ("unnamed" | "simple")) => {
            if has_size && session.statement_cache_size > 0 {
                return Err(contradiction(mode, "0", session.statement_cache_size));
            }
            session.statement_cache_size = 0;
            session.pooler_search = PoolerSearch::ByErrors;
            if mode == "simple" {
                session.query_protocol = QueryProtocol::Simple;
            }
        }
        _ => return Err(unexpected("option statementMode", "one of cache, unnamed, simple", mode)),
    }
    Ok(session)
}

fn contradiction(mode: &str, expected: &str, size: usize) -> ConfigError {
    let text = format!("option statementCacheSize: expected {expected} with statementMode '{mode}', got {size}");
    ConfigError::new(text)
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
