//! Small files that a configuration names: read as a whole, and only where they are what they should be.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::Path;

/// A file is read so far and no further.
const MAX_BYTES: u64 = 1 << 20;

/// What came of reading a file.
pub(super) enum Contents {
    /// There is none.
    Absent,
    /// It must not or cannot be used; says why.
    Unusable(String),
    /// Its text.
    Text(String),
}

/// Reads a file, unless `objection` has something against it.
pub(super) fn read(path: &Path, objection: impl Fn(&Metadata) -> Option<&'static str>) -> Contents {
    match read_checked(path, objection) {
        Ok(Ok(text)) => Contents::Text(text),
        Ok(Err(why)) => Contents::Unusable(why.to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Contents::Absent,
        Err(error) => Contents::Unusable(error.to_string()),
    }
}

fn read_checked(
    path: &Path,
    objection: impl Fn(&Metadata) -> Option<&'static str>,
) -> io::Result<Result<String, &'static str>> {
    // Opening a FIFO would wait for a writer, so the kind of file comes first; the descriptor's own is what counts.
    if !std::fs::metadata(path)?.is_file() {
        return Ok(Err("it is not a regular file"));
    }
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Ok(Err("it is not a regular file"));
    }
    if let Some(why) = objection(&metadata) {
        return Ok(Err(why));
    }
    if metadata.len() > MAX_BYTES {
        return Ok(Err("it is larger than 1 MiB"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8(bytes).map_err(|_| "it is not UTF-8"))
}
