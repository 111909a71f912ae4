//! Cutting SQL text into tokens, as far as finding statements and their first keywords needs it.
//!
//! The rules are PostgreSQL's ("Lexical Structure"): nested comments, dollar quotes, `E''` strings, quoted
//! identifiers. Where a setting of the server could change the meaning (`standard_conforming_strings`), or a quote is
//! not closed, the text is *doubtful*.

/// A token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// An identifier or keyword without quotes.
    Word(&'a str),
    /// `;`
    Semicolon,
    /// `(`
    Parenthesis,
    /// `)`
    ClosingParenthesis,
    /// A string, quoted identifier, number, parameter or operator.
    Other,
}

/// Walks over the tokens of a text.
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// A backslash in any string escapes what follows: `standard_conforming_strings` is off.
    has_escapes: bool,
    /// Where a string or comment ends cannot be told for certain.
    pub(super) is_doubtful: bool,
}

fn is_word_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

fn is_word(byte: u8) -> bool {
    is_word_start(byte) || byte.is_ascii_digit() || byte == b'$'
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, has_escapes: false, is_doubtful: false }
    }

    /// In a session whose `standard_conforming_strings` is known.
    pub(super) fn knowing(text: &'a str, standard_conforming_strings: bool) -> Self {
        Self { has_escapes: !standard_conforming_strings, ..Self::new(text) }
    }

    /// The last byte of the token that came last: of a quoted identifier, its quote.
    pub(super) fn last_byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at.checked_sub(1)?).copied()
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at + ahead).copied()
    }

    fn skip_while(&mut self, is_wanted: impl Fn(u8) -> bool) {
        while self.peek(0).is_some_and(&is_wanted) {
            self.at += 1;
        }
    }

    /// Skips white space and comments.
    fn skip_space(&mut self) {
        loop {
            match (self.peek(0), self.peek(1)) {
                // The vertical tab counts since PostgreSQL 16.
                (Some(b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c), _) => self.at += 1,
                (Some(b'-'), Some(b'-')) => self.skip_while(|byte| byte != b'\n' && byte != b'\r'),
                (Some(b'/'), Some(b'*')) => self.skip_block_comment(),
                _ => return,
            }
        }
    }

    fn skip_block_comment(&mut self) {
        let mut depth = 0_usize;
        loop {
            match (self.peek(0), self.peek(1)) {
                (Some(b'/'), Some(b'*')) => {
                    depth += 1;
                    self.at += 2;
                }
                (Some(b'*'), Some(b'/')) => {
                    depth -= 1;
                    self.at += 2;
                    if depth == 0 {
                        return;
                    }
                }
                (Some(_), _) => self.at += 1,
                (None, _) => {
                    self.is_doubtful = true;
                    return;
                }
            }
        }
    }

    /// Skips a quoted string or identifier; the opening quote is at hand. Doubled quotes need no care: they end one
    /// string and begin the next.
    fn skip_quoted(&mut self, quote: u8, has_escapes: bool) {
        self.at += 1;
        loop {
            match self.peek(0) {
                Some(b'\\') if quote == b'\'' => {
                    if has_escapes {
                        self.at += 2;
                    } else {
                        // With standard_conforming_strings off the backslash would escape the quote.
                        self.is_doubtful |= self.peek(1) == Some(b'\'');
                        self.at += 1;
                    }
                }
                Some(byte) => {
                    self.at += 1;
                    if byte == quote {
                        return;
                    }
                }
                None => {
                    self.is_doubtful = true;
                    return;
                }
            }
        }
    }

    /// Skips an `E''` string with what continues it on further lines.
    fn skip_escape_string(&mut self) {
        loop {
            self.skip_quoted(b'\'', true);
            let end = self.at.min(self.text.len());
            self.at = end;
            self.skip_space();
            if self.peek(0) != Some(b'\'') {
                self.at = end;
                return;
            }
        }
    }

    /// Skips `$tag$ … $tag$`, or just the `$` when none begins here.
    fn skip_dollar(&mut self) {
        let start = self.at;
        self.at += 1;
        if self.peek(0).is_some_and(|byte| byte.is_ascii_digit()) {
            self.skip_while(|byte| byte.is_ascii_digit());
            return;
        }
        if self.peek(0).is_some_and(is_word_start) {
            self.skip_while(|byte| is_word(byte) && byte != b'$');
        }
        if self.peek(0) != Some(b'$') {
            return;
        }
        self.at += 1;
        let tag = &self.text[start..self.at];
        match self.text[self.at..].find(tag) {
            Some(length) => self.at += length + tag.len(),
            None => {
                self.is_doubtful = true;
                self.at = self.text.len();
            }
        }
    }
}

impl<'a> Iterator for Scanner<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        self.skip_space();
        let byte = self.peek(0)?;
        let start = self.at;
        match byte {
            b';' => {
                self.at += 1;
                return Some(Token::Semicolon);
            }
            b'(' => {
                self.at += 1;
                return Some(Token::Parenthesis);
            }
            b')' => {
                self.at += 1;
                return Some(Token::ClosingParenthesis);
            }
            b'\'' if self.has_escapes => self.skip_escape_string(),
            b'\'' | b'"' => self.skip_quoted(byte, false),
            b'$' => self.skip_dollar(),
            b'0'..=b'9' => self.skip_while(|byte| is_word(byte) || byte == b'.'),
            _ if is_word_start(byte) => {
                self.skip_while(is_word);
                let word = &self.text[start..self.at];
                if matches!(word, "e" | "E") && self.peek(0) == Some(b'\'') {
                    self.skip_escape_string();
                } else {
                    return Some(Token::Word(word));
                }
            }
            _ => self.at += 1,
        }
        self.at = self.at.min(self.text.len());
        Some(Token::Other)
    }
}
