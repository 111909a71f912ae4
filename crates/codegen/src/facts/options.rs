//! Reads `data/options.tsv`: one option, keyword or variable of connections a line.

use super::{fields, once, read_lines};
use std::collections::HashSet;

/// Ways in which Rust takes a value: the names of `Form` in `crates/client/src/open/sources.rs`, in lower case.
const FORMS: [&str; 12] = [
    "text",
    "texts",
    "hosts",
    "ports",
    "flag",
    "number",
    "milliseconds",
    "ssl",
    "password",
    "setting",
    "settings",
    "session",
];

/// Forms of values that have no keyword.
const WITHOUT_KEYWORD: [&str; 2] = ["settings", "session"];

/// Who reads an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// Rust, as a part of the configuration.
    Rust,
    /// JavaScript.
    Face,
}

/// What becomes of a keyword in a DSN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dsn {
    /// It is no keyword of ours: a server setting.
    Setting,
    Read,
    Refused,
    Ignored,
}

/// What JavaScript's users see of an option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PublicOption {
    pub(crate) name: String,
    /// In TypeScript.
    pub(crate) type_name: String,
    pub(crate) reader: Reader,
    /// A function of `src/options.ts` and its bounds.
    pub(crate) check: Option<Vec<String>>,
    pub(crate) doc: String,
}

/// What Rust knows of something that can be said of a connection. Empty texts stand for nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parameter {
    pub(crate) option: String,
    /// One of [`FORMS`].
    pub(crate) form: String,
    pub(crate) keyword: String,
    pub(crate) dsn: Dsn,
    pub(crate) variable: String,
}

/// The table: what is public, and what Rust knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) public: Vec<PublicOption>,
    pub(crate) parameters: Vec<Parameter>,
}

/// Reads the table.
///
/// # Errors
/// Says which line is wrong, and how: a malformed field, a repeated option, keyword or variable, an option that nobody
/// reads, a public one without documentation.
pub(crate) fn parse(table: &str) -> Result<Options, String> {
    let mut names = HashSet::new();
    let mut keywords = HashSet::new();
    let mut variables = HashSet::new();
    let mut options = Options::default();
    let lines = read_lines(
        table,
        |_| true,
        |line| {
            let (public, parameter) = parse_line(line)?;
            for (seen, what, value) in [
                (&mut names, "option", line.split('\t').next().unwrap_or_default()),
                (&mut keywords, "keyword", &parameter.keyword),
                (&mut variables, "variable", &parameter.variable),
            ] {
                if !matches!(value, "" | "-") {
                    once(seen, what, value.to_owned())?;
                }
            }
            Ok((public, parameter))
        },
    )?;
    for (public, parameter) in lines {
        options.public.extend(public);
        if !parameter.form.is_empty() {
            options.parameters.push(parameter);
        }
    }
    Ok(options)
}

fn parse_line(line: &str) -> Result<(Option<PublicOption>, Parameter), String> {
    let texts = fields::<9>(line)?;
    if texts.iter().any(|text| text.is_empty() || text.trim() != *text) {
        return Err("a field is empty, or starts or ends with a space; - stands for nothing".to_owned());
    }
    let [option, type_name, reader, check, form, keyword, dsn, variable, doc] =
        texts.map(|text| if text == "-" { "" } else { text });
    let reader = match reader {
        "rust" => Some(Reader::Rust),
        "face" => Some(Reader::Face),
        "" => None,
        other => return Err(format!("expected a reader, rust or face, not {other:?}")),
    };
    let dsn = match dsn {
        "read" => Dsn::Read,
        "refused" => Dsn::Refused,
        "ignored" => Dsn::Ignored,
        "" => Dsn::Setting,
        other => return Err(format!("expected read, refused or ignored, not {other:?}")),
    };
    // Keywords without an option have their text.
    let form = if form.is_empty() && option.is_empty() { "text" } else { form };
    if !form.is_empty() && !FORMS.contains(&form) {
        return Err(format!("{form:?} is no form of a value"));
    }
    if !form.is_empty() && keyword.is_empty() != WITHOUT_KEYWORD.contains(&form) {
        return Err(format!("the form {form} and the keyword {keyword:?} do not go together"));
    }
    if keyword.is_empty() && !(variable.is_empty() && dsn == Dsn::Setting) {
        return Err("a variable, or what is done in a DSN, needs a keyword".to_owned());
    }
    if option.is_empty() != reader.is_none() {
        return Err("an option has a reader, and nothing else has one".to_owned());
    }
    if reader == Some(Reader::Rust) && form.is_empty() {
        return Err(format!("{option} goes to Rust without a form"));
    }
    let public = match reader {
        Some(reader) if !type_name.is_empty() => {
            if doc.is_empty() || doc.contains("*/") {
                return Err(format!("{doc:?} is no documentation of {option}"));
            }
            let check: Vec<String> = check.split_whitespace().map(str::to_owned).collect();
            Some(PublicOption {
                name: option.to_owned(),
                type_name: type_name.to_owned(),
                reader,
                check: Some(check).filter(|check| !check.is_empty()),
                doc: doc.to_owned(),
            })
        }
        _ if !(type_name.is_empty() && check.is_empty() && doc.is_empty()) => {
            return Err("a check and documentation are for options with a type".to_owned());
        }
        _ => None,
    };
    let parameter = Parameter {
        option: option.to_owned(),
        form: form.to_owned(),
        keyword: keyword.to_owned(),
        dsn,
        variable: variable.to_owned(),
    };
    Ok((public, parameter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_becomes_an_option_and_a_parameter() {
        let line =
            "# comment\nsize\tnumber\trust\twholeNumber 0 9\ttext\tthe_size\tread\tPGSIZE\tHow large. Default 1.\n";
        let options = parse(line).unwrap();
        let public = PublicOption {
            name: "size".to_owned(),
            type_name: "number".to_owned(),
            reader: Reader::Rust,
            check: Some(["wholeNumber", "0", "9"].map(str::to_owned).to_vec()),
            doc: "How large. Default 1.".to_owned(),
        };
        assert_eq!(options.public, [public]);
        let parameter = Parameter {
            option: "size".to_owned(),
            form: "text".to_owned(),
            keyword: "the_size".to_owned(),
            dsn: Dsn::Read,
            variable: "PGSIZE".to_owned(),
        };
        assert_eq!(options.parameters, [parameter]);
    }

    #[test]
    fn what_only_one_side_knows_is_there_only() {
        let options = parse("mode\tMode\tface\t-\t-\t-\t-\t-\tWhat.\n-\t-\t-\t-\t-\tsslkey\tignored\t-\t-\n").unwrap();
        assert_eq!(options.public.len(), 1);
        assert_eq!(options.public[0].check, None);
        assert_eq!(options.parameters.len(), 1);
        assert_eq!((&*options.parameters[0].form, options.parameters[0].dsn), ("text", Dsn::Ignored));
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        for (line, problem) in [
            ("a\tb", "expected 9 fields"),
            ("a\tnumber\trust\t-\ttext\ta\tread\t\td", "a field is empty"),
            ("a\tnumber\tnode\t-\ttext\ta\tread\t-\td", "expected a reader"),
            ("a\tnumber\trust\t-\ttext\ta\tmaybe\t-\td", "expected read, refused or ignored"),
            ("a\tnumber\trust\t-\tnumeral\ta\tread\t-\td", "is no form"),
            ("a\tnumber\trust\t-\ttext\t-\t-\t-\td", "do not go together"),
            ("a\tnumber\trust\t-\tsession\ta\t-\t-\td", "do not go together"),
            ("a\tnumber\tface\t-\t-\t-\t-\tPGA\td", "needs a keyword"),
            ("a\tnumber\t-\t-\ttext\ta\tread\t-\td", "has a reader"),
            ("a\tnumber\trust\t-\t-\t-\t-\t-\td", "without a form"),
            ("a\tnumber\tface\t-\t-\t-\t-\t-\t-", "no documentation"),
            ("a\t-\trust\tdurationMs\ttext\ta\tread\t-\t-", "for options with a type"),
        ] {
            let error = parse(line).unwrap_err();
            assert!(error.starts_with("line 1: ") && error.contains(problem), "{line:?}: {error}");
        }
        let line = |option: &str, keyword: &str, variable: &str| {
            format!("{option}\tnumber\trust\t-\ttext\t{keyword}\tread\t{variable}\td\n")
        };
        for (second, problem) in
            [(line("a", "y", "Y"), "option a"), (line("b", "x", "Y"), "keyword x"), (line("b", "y", "X"), "variable X")]
        {
            let error = parse(&format!("{}{second}", line("a", "x", "X"))).unwrap_err();
            assert_eq!(error, format!("line 2: {problem} is there twice"));
        }
    }
}
