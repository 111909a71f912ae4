//! Small files that a configuration names: read as a whole, and only where they are what they should be.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

/// A text is read so far and no further.
const MAX_TEXT_BYTES: u64 = 1 << 20;

/// Certificates and keys are read so far and no further: the roots of whole operating systems have some 300 kB.
pub(super) const MAX_BYTES: u64 = 16 << 20;

const NOT_REGULAR: &str = "it is not a regular file";

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

/// Opens a file without waiting for what is behind it.
///
/// Opening a FIFO waits for a writer, and what somebody writes can be read by one session only; none is meant where files
/// are read again and again.
pub(super) fn open(path: &Path, options: &mut OpenOptions) -> io::Result<(File, Metadata)> {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(options, nix::libc::O_NONBLOCK);
    let file = options.open(path)?;
    let metadata = file.metadata()?;
    Ok((file, metadata))
}

fn read_checked(
    path: &Path,
    objection: impl Fn(&Metadata) -> Option<&'static str>,
) -> io::Result<Result<String, &'static str>> {
    let (file, metadata) = open(path, OpenOptions::new().read(true))?;
    if !metadata.is_file() {
        return Ok(Err(NOT_REGULAR));
    }
    if let Some(why) = objection(&metadata) {
        return Ok(Err(why));
    }
    if metadata.len() > MAX_TEXT_BYTES {
        return Ok(Err("it is larger than 1 MiB"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_TEXT_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8(bytes).map_err(|_| "it is not UTF-8"))
}

/// Why bytes cannot be had of a file.
#[derive(Debug)]
pub(super) enum BytesError {
    /// The system's.
    Io(io::Error),
    /// Nothing that is read here, whoever else may read it; says why.
    Refused(String),
}

/// The bytes of a file, or of a device such as `/dev/null`, which is an empty one.
pub(super) fn bytes(path: &Path) -> Result<Vec<u8>, BytesError> {
    let (file, metadata) = open(path, OpenOptions::new().read(true)).map_err(BytesError::Io)?;
    if !metadata.is_file() && !is_device(&metadata) {
        return match metadata.is_dir() {
            true => Err(BytesError::Io(io::ErrorKind::IsADirectory.into())),
            false => Err(BytesError::Refused(NOT_REGULAR.to_owned())),
        };
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(BytesError::Io)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(BytesError::Refused(format!("it is larger than {} MiB", MAX_BYTES >> 20)));
    }
    Ok(bytes)
}

/// Whether it is a device of characters, such as `/dev/null`.
#[cfg(unix)]
pub(super) fn is_device(metadata: &Metadata) -> bool {
    std::os::unix::fs::FileTypeExt::is_char_device(&metadata.file_type())
}

#[cfg(not(unix))]
pub(super) fn is_device(_: &Metadata) -> bool {
    false
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn what_would_have_to_be_waited_for_or_has_no_end_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        assert!(matches!(bytes(&fifo), Err(BytesError::Refused(why)) if why == NOT_REGULAR));
        assert!(matches!(read(&fifo, |_| None), Contents::Unusable(why) if why == NOT_REGULAR));
        assert!(matches!(bytes(Path::new("/dev/zero")), Err(BytesError::Refused(why)) if why.contains("16 MiB")));
        assert!(matches!(bytes(folder.path()), Err(BytesError::Io(_))));
        assert_eq!(bytes(Path::new("/dev/null")).unwrap(), b"");
        let plain = folder.path().join("plain");
        std::fs::write(&plain, "text").unwrap();
        assert_eq!(bytes(&plain).unwrap(), b"text");
    }
}
