//! The secrets of sessions for those who debug them (the NSS key log format of SSLKEYLOGFILE).

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustls::KeyLog;

use super::super::{file_work, regular_file};

/// Appends to a file that only its owner can read. What cannot be written is not: nothing depends on it, and the variable
/// counts for the whole process.
#[derive(Debug)]
pub(super) struct KeyLogFile {
    path: PathBuf,
    /// What a handshake came to, until it is written: rustls must not wait for a file.
    lines: Mutex<String>,
}

impl KeyLogFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, lines: Mutex::default() }
    }

    /// Writes what has come together, in one piece.
    pub(super) async fn write(&self) {
        let lines = std::mem::take(&mut *self.lines.lock().unwrap_or_else(PoisonError::into_inner));
        if lines.is_empty() {
            return;
        }
        let path = self.path.clone();
        let _ = file_work::run(vec![path.clone()], move || append(&path, &lines)).await;
    }
}

fn append(path: &Path, lines: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let (mut file, metadata) = regular_file::open(path, &mut options)?;
    // A FIFO would have to be waited for.
    if metadata.is_file() || regular_file::is_device(&metadata) {
        file.write_all(lines.as_bytes())?;
    }
    Ok(())
}

impl KeyLog for KeyLogFile {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push_str(label);
        for bytes in [client_random, secret] {
            lines.push(' ');
            for byte in bytes {
                let _ = write!(lines, "{byte:02x}");
            }
        }
        lines.push('\n');
    }
}
