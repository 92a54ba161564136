//! `str.format`: the text with its placeholders.

use super::{Argument, FormatError, ascii, spec};
use serde_json::Value;
use std::borrow::Cow;

/// A format string, parsed once.
#[derive(Debug, Clone, PartialEq)]
pub struct Format {
    pieces: Vec<Piece>,
}

/// Where placeholders find their values.
pub trait Arguments {
    /// `{0}`, `{}`.
    fn positional(&self, index: usize) -> Option<Argument<'_>>;

    /// `{name}`.
    fn named(&self, name: &str) -> Option<Argument<'_>>;
}

/// Arguments without names.
impl Arguments for [Argument<'_>] {
    fn positional(&self, index: usize) -> Option<Argument<'_>> {
        self.get(index).cloned()
    }

    fn named(&self, _name: &str) -> Option<Argument<'_>> {
        None
    }
}

/// Arguments with names.
impl Arguments for [(String, Argument<'_>)] {
    fn positional(&self, _index: usize) -> Option<Argument<'_>> {
        None
    }

    fn named(&self, name: &str) -> Option<Argument<'_>> {
        // A name given twice means the later one, as in a Python dict.
        let found = self.iter().rev().find(|(key, _)| key == name);
        found.map(|(_, value)| value.clone())
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Piece {
    Literal(String),
    Placeholder(Placeholder),
    /// From here on the text is not well formed.
    Broken(FormatError),
}

/// A placeholder may hold placeholders in its specification, and those none.
const MAX_DEPTH: usize = 2;

#[derive(Debug, Clone, PartialEq)]
struct Placeholder {
    name: Name,
    path: Vec<Step>,
    conversion: Option<char>,
    /// May itself hold placeholders.
    spec: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq)]
enum Name {
    Index(usize),
    Name(String),
}

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Attribute(String),
    Index(usize),
    Key(String),
}

impl Format {
    /// Parses a format string. Where it is not well formed (braces that do not match, an unknown conversion, `{}` and `{0}` mixed)
    /// it fails when that place is reached, as in Python.
    pub fn new(text: &str) -> Self {
        Self {
            pieces: pieces(text, &mut Numbering::Undecided, MAX_DEPTH),
        }
    }

    /// What makes this format fail whatever its arguments are.
    pub fn broken(&self) -> Option<&FormatError> {
        broken(&self.pieces)
    }

    /// The first placeholder that has no value, whatever the values are.
    pub fn lacking(&self, arguments: &(impl Arguments + ?Sized)) -> Option<FormatError> {
        lacking(&self.pieces, arguments)
    }

    /// Puts the values in.
    ///
    /// # Errors
    /// A placeholder without a value, a specification that does not fit its value, a place that is not well formed.
    pub fn render(&self, arguments: &(impl Arguments + ?Sized)) -> Result<String, FormatError> {
        render(&self.pieces, arguments)
    }
}

/// Whether placeholders are numbered by themselves or by hand: Python refuses a mixture.
enum Numbering {
    Undecided,
    Automatic(usize),
    Manual,
}

impl Numbering {
    fn next(&mut self) -> Result<usize, FormatError> {
        let next = match self {
            Self::Undecided => 0,
            Self::Automatic(next) => *next,
            Self::Manual => return Err(mixed()),
        };
        *self = Self::Automatic(next + 1);
        Ok(next)
    }

    fn manual(&mut self) -> Result<(), FormatError> {
        if matches!(self, Self::Automatic(_)) {
            return Err(mixed());
        }
        *self = Self::Manual;
        Ok(())
    }
}

fn mixed() -> FormatError {
    FormatError::Invalid("{} and {0} cannot be mixed in one text".to_owned())
}

fn broken(pieces: &[Piece]) -> Option<&FormatError> {
    pieces.iter().find_map(|piece| match piece {
        Piece::Literal(_) => None,
        Piece::Placeholder(placeholder) => broken(&placeholder.spec),
        Piece::Broken(error) => Some(error),
    })
}

fn lacking(pieces: &[Piece], arguments: &(impl Arguments + ?Sized)) -> Option<FormatError> {
    pieces.iter().find_map(|piece| match piece {
        Piece::Literal(_) | Piece::Broken(_) => None,
        Piece::Placeholder(placeholder) => placeholder
            .name
            .find(arguments)
            .err()
            .or_else(|| lacking(&placeholder.spec, arguments)),
    })
}

fn pieces(text: &str, numbering: &mut Numbering, depth: usize) -> Vec<Piece> {
    let mut pieces = Vec::new();
    if let Err(error) = parse(text, numbering, depth, &mut pieces) {
        pieces.push(Piece::Broken(error));
    }
    pieces
}

fn parse(
    text: &str,
    numbering: &mut Numbering,
    depth: usize,
    pieces: &mut Vec<Piece>,
) -> Result<(), FormatError> {
    let mut literal = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, found) = rest.split_at(at);
        literal.push_str(before);
        if let Some(after) = found.strip_prefix("{{") {
            literal.push('{');
            rest = after;
        } else if let Some(after) = found.strip_prefix("}}") {
            literal.push('}');
            rest = after;
        } else if let Some(after) = found.strip_prefix('{') {
            if depth == 0 {
                return Err(FormatError::Invalid(
                    "placeholders are nested too deeply".to_owned(),
                ));
            }
            if !literal.is_empty() {
                pieces.push(Piece::Literal(std::mem::take(&mut literal)));
            }
            let (placeholder, after) = placeholder(after, numbering, depth)?;
            pieces.push(Piece::Placeholder(placeholder));
            rest = after;
        } else {
            return Err(FormatError::Invalid(
                "single \"}\" in a format string (a brace is written twice)".to_owned(),
            ));
        }
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    Ok(())
}

/// Reads a placeholder from after its opening brace; gives what follows its closing brace.
fn placeholder<'a>(
    text: &'a str,
    numbering: &mut Numbering,
    depth: usize,
) -> Result<(Placeholder, &'a str), FormatError> {
    let unclosed = || FormatError::Invalid("expected \"}\" before the end of the text".to_owned());
    let end = field_end(text)?.ok_or_else(unclosed)?;
    let (field, mut rest) = text.split_at(end);
    let mut conversion = None;
    if let Some(after) = rest.strip_prefix('!') {
        let c = after.chars().next().ok_or_else(unclosed)?;
        if !matches!(c, 'r' | 's' | 'a') {
            return Err(FormatError::Invalid(format!("unknown conversion \"!{c}\"")));
        }
        conversion = Some(c);
        rest = after.get(1..).unwrap_or_default();
        if !rest.starts_with([':', '}']) {
            return Err(FormatError::Invalid(
                "expected \":\" or \"}\" after a conversion".to_owned(),
            ));
        }
    }
    let (name, path) = field_name(field, numbering)?;
    let (spec, rest) = match rest.strip_prefix(':') {
        Some(after) => {
            let end = spec_end(after).ok_or_else(unclosed)?;
            let (spec, rest) = after.split_at(end);
            (pieces(spec, numbering, depth - 1), rest)
        }
        None => (Vec::new(), rest),
    };
    let placeholder = Placeholder {
        name,
        path,
        conversion,
        spec,
    };
    Ok((placeholder, rest.strip_prefix('}').unwrap_or(rest)))
}

/// Where the field's name ends: at `!`, `:` or `}` outside of square brackets.
fn field_end(text: &str) -> Result<Option<usize>, FormatError> {
    let mut bracket = false;
    for (at, c) in text.char_indices() {
        match c {
            '{' => {
                return Err(FormatError::Invalid(
                    "unexpected \"{\" in a placeholder's name".to_owned(),
                ));
            }
            '[' => bracket = true,
            ']' => bracket = false,
            '!' | ':' | '}' if !bracket => return Ok(Some(at)),
            _ => {}
        }
    }
    Ok(None)
}

/// Where a specification ends: at the brace that closes the placeholder.
fn spec_end(text: &str) -> Option<usize> {
    let mut open = 0usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => open += 1,
            '}' if open == 0 => return Some(at),
            '}' => open -= 1,
            _ => {}
        }
    }
    None
}

fn field_name(field: &str, numbering: &mut Numbering) -> Result<(Name, Vec<Step>), FormatError> {
    let end = field.find(['.', '[']).unwrap_or(field.len());
    let (first, mut rest) = field.split_at(end);
    let name = if first.is_empty() {
        Name::Index(numbering.next()?)
    } else if first.bytes().all(|b| b.is_ascii_digit()) {
        numbering.manual()?;
        Name::Index(first.parse().map_err(|_| {
            FormatError::Invalid(format!("too many digits in the placeholder \"{first}\""))
        })?)
    } else {
        Name::Name(first.to_owned())
    };
    let mut path = Vec::new();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[']).unwrap_or(after.len());
            let (attribute, after) = after.split_at(end);
            if attribute.is_empty() {
                return Err(FormatError::Invalid(
                    "empty attribute in a placeholder".to_owned(),
                ));
            }
            path.push(Step::Attribute(attribute.to_owned()));
            rest = after;
        } else if let Some((key, after)) = rest
            .strip_prefix('[')
            .and_then(|after| after.split_once(']'))
        {
            if key.is_empty() {
                return Err(FormatError::Invalid(
                    "empty attribute in a placeholder".to_owned(),
                ));
            }
            path.push(match key.parse() {
                Ok(index) if key.bytes().all(|b| b.is_ascii_digit()) => Step::Index(index),
                _ => Step::Key(key.to_owned()),
            });
            rest = after;
        } else {
            return Err(FormatError::Invalid(format!(
                "the placeholder \"{field}\" is not written correctly"
            )));
        }
    }
    Ok((name, path))
}

fn render(pieces: &[Piece], arguments: &(impl Arguments + ?Sized)) -> Result<String, FormatError> {
    let mut out = String::new();
    for piece in pieces {
        match piece {
            Piece::Literal(text) => out.push_str(text),
            Piece::Broken(error) => return Err(error.clone()),
            Piece::Placeholder(placeholder) => {
                let value = placeholder.value(arguments)?;
                let spec = render(&placeholder.spec, arguments)?;
                let value = match placeholder.conversion {
                    None => value,
                    Some('r') => Argument::text(value.repr()),
                    Some('a') => Argument::text(ascii(&value.repr())),
                    Some(_) => Argument::text(value.str()),
                };
                out.push_str(&spec::apply(&value, &spec)?);
            }
        }
    }
    Ok(out)
}

impl Placeholder {
    fn value<'a>(
        &self,
        arguments: &'a (impl Arguments + ?Sized),
    ) -> Result<Argument<'a>, FormatError> {
        let mut value = self.name.find(arguments)?;
        for step in &self.path {
            value = step.take(&value)?;
        }
        Ok(value)
    }
}

impl Name {
    fn find<'a>(
        &self,
        arguments: &'a (impl Arguments + ?Sized),
    ) -> Result<Argument<'a>, FormatError> {
        match self {
            Self::Index(index) => arguments
                .positional(*index)
                .ok_or_else(|| FormatError::Invalid(format!("there is no argument {index}"))),
            Self::Name(name) => arguments
                .named(name)
                .ok_or_else(|| FormatError::NoArgument(name.clone())),
        }
    }
}

impl Step {
    fn take<'a>(&self, from: &Argument<'a>) -> Result<Argument<'a>, FormatError> {
        let found = match (from, self) {
            (Argument::Value(Cow::Borrowed(value)), step) => {
                step.member(value).map(|found| match found {
                    Cow::Borrowed(value) => Argument::value(value),
                    Cow::Owned(value) => Argument::Value(Cow::Owned(value)),
                })
            }
            (Argument::Value(Cow::Owned(value)), step) => step
                .member(value)
                .map(|found| Argument::Value(Cow::Owned(found.into_owned()))),
            (Argument::Duration(_), _) => None,
        };
        found.ok_or_else(|| {
            let type_name = from.type_name();
            FormatError::Invalid(match self {
                Self::Attribute(name) => format!("a {type_name} has no attribute \"{name}\""),
                Self::Index(index) => format!("a {type_name} has no member [{index}]"),
                Self::Key(key) => format!("a {type_name} has no member [{key}]"),
            })
        })
    }

    fn member<'a>(&self, value: &'a Value) -> Option<Cow<'a, Value>> {
        match (self, value) {
            (Self::Index(index), Value::Array(items)) => items.get(*index).map(Cow::Borrowed),
            (Self::Index(index), Value::String(text)) => text
                .chars()
                .nth(*index)
                .map(|c| Cow::Owned(Value::String(c.to_string()))),
            (Self::Key(key), Value::Object(members)) => members.get(key).map(Cow::Borrowed),
            _ => None,
        }
    }
}
