//! The options of a rule that runs, in little room.
//!
//! As [`Node`]s the options of a rule take some three kilobytes, and hardly any of them is looked at again before the rule is loaded anew. Packed they are
//! a run of bytes: for each node what it is, where it stands as the distance from the node before, and its text unless the file has it at that place.

use super::{Data, Mapping, Node, Properties, SourceFile, Span};
use serde_json::Value;
use std::fmt;
use std::sync::Arc;

/// Options that are unpacked where somebody asks for them, places and all. Finding one takes well below a microsecond, unpacking all a few.
#[derive(Clone, Default)]
pub struct Packed {
    /// Each member with its length before it.
    bytes: Box<[u8]>,
    /// The files that the places are in.
    files: Box<[Arc<SourceFile>]>,
    /// See [`Properties`].
    shared: Arc<Mapping>,
    secrets: Arc<[&'static str]>,
}

/// The names only: values may be secret.
impl fmt::Debug for Packed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.unpack().fmt(f)
    }
}

impl Packed {
    /// Packs options, with others laid over them. What they share with those of other rules stays shared.
    pub fn new(options: &Properties, over: &Mapping) -> Self {
        let own = &options.own;
        let replaced = |key: &Node| key.as_str().and_then(|name| over.entry(name));
        let kept = own
            .iter()
            .map(|(key, value)| replaced(key).unwrap_or((key, value)));
        let added = over
            .iter()
            .filter(|(key, _)| key.as_str().is_none_or(|name| own.get(name).is_none()));
        let mut packer = Packer::default();
        let mut bytes = Vec::new();
        for (key, value) in kept.chain(added) {
            packer.before = Before::default();
            packer.node(key);
            packer.node(value);
            put_number(&mut bytes, packer.bytes.len());
            bytes.append(&mut packer.bytes);
        }
        Self {
            bytes: bytes.into(),
            files: packer.files.into(),
            shared: Arc::clone(&options.shared),
            secrets: Arc::clone(&options.secrets),
        }
    }

    /// All of them.
    pub fn unpack(&self) -> Properties {
        let own = self.members().filter_map(Unpacker::member).collect();
        Properties::new(Mapping(own))
            .over(Arc::clone(&self.shared))
            .with_secrets(Arc::clone(&self.secrets))
    }

    /// The node under a name, null included.
    pub fn get(&self, name: &str) -> Option<Node> {
        let own = self.members().find_map(|mut member| {
            let key = member.node()?;
            (key.as_str() == Some(name)).then(|| member.node())?
        });
        own.or_else(|| self.shared.get(name).cloned())
    }

    /// The option as JSON; `None` when absent or null.
    pub fn value(&self, name: &str) -> Option<Value> {
        let node = self.get(name).filter(|node| !node.is_null());
        node.map(|node| node.to_value())
    }

    /// Whether an option is one that texts must not show.
    pub fn is_secret(&self, name: &str) -> bool {
        self.secrets.contains(&name)
    }

    fn members(&self) -> impl Iterator<Item = Unpacker<'_>> {
        let mut rest = Unpacker {
            bytes: &self.bytes,
            files: &self.files,
            before: Before::default(),
        };
        std::iter::from_fn(move || {
            let length = rest.number()?;
            Some(Unpacker {
                bytes: rest.take(length)?,
                ..rest
            })
        })
    }
}

/// The place of the node before, from which the next is counted.
#[derive(Debug, Clone, Copy, Default)]
struct Before {
    file: usize,
    start: usize,
}

/// What a node is: the lower bits of its first byte.
mod kind {
    pub(super) const NULL: u8 = 0;
    pub(super) const FALSE: u8 = 1;
    pub(super) const TRUE: u8 = 2;
    pub(super) const INT: u8 = 3;
    pub(super) const BIG_INT: u8 = 4;
    pub(super) const FLOAT: u8 = 5;
    pub(super) const TEXT: u8 = 6;
    /// A text that stands in the file just so.
    pub(super) const WRITTEN: u8 = 7;
    /// The same, with a quote before and behind it.
    pub(super) const QUOTED: u8 = 8;
    pub(super) const TIME: u8 = 9;
    pub(super) const BYTES: u8 = 10;
    pub(super) const SEQ: u8 = 11;
    pub(super) const MAP: u8 = 12;
    /// Added where the node stands in another file than the one before it.
    pub(super) const OTHER_FILE: u8 = 0x80;
}

#[derive(Default)]
struct Packer {
    bytes: Vec<u8>,
    files: Vec<Arc<SourceFile>>,
    before: Before,
}

impl Packer {
    fn node(&mut self, node: &Node) {
        let Span { file, start, end } = &node.span;
        let known = self.files.iter().position(|known| Arc::ptr_eq(known, file));
        let at = known.unwrap_or_else(|| {
            self.files.push(Arc::clone(file));
            self.files.len() - 1
        });
        let kind = kind_of(&node.data, &node.span);
        if at == self.before.file {
            self.bytes.push(kind);
        } else {
            self.bytes.push(kind | kind::OTHER_FILE);
            self.number(at);
        }
        // Zigzag: the sign in the lowest bit.
        let distance = start.wrapping_sub(self.before.start).cast_signed();
        self.number(((distance << 1) ^ (distance >> (isize::BITS - 1))).cast_unsigned());
        self.number(end.saturating_sub(*start));
        self.before = Before {
            file: at,
            start: *start,
        };
        match &node.data {
            Data::Null | Data::Bool(_) => {}
            Data::Int(value) => self.bytes.extend(value.to_le_bytes()),
            Data::Float(value) => self.bytes.extend(value.to_le_bytes()),
            Data::Str(_) if kind != kind::TEXT => {}
            Data::Str(text) | Data::BigInt(text) | Data::Time(text) => self.block(text.as_bytes()),
            Data::Bytes(bytes) => self.block(bytes),
            Data::Seq(items) => {
                self.number(items.len());
                items.iter().for_each(|item| self.node(item));
            }
            Data::Map(map) => {
                self.number(map.0.len());
                for (key, value) in map.iter() {
                    self.node(key);
                    self.node(value);
                }
            }
        }
    }

    fn number(&mut self, number: usize) {
        put_number(&mut self.bytes, number);
    }

    fn block(&mut self, block: &[u8]) {
        self.number(block.len());
        self.bytes.extend_from_slice(block);
    }
}

fn kind_of(data: &Data, span: &Span) -> u8 {
    match data {
        Data::Null => kind::NULL,
        Data::Bool(false) => kind::FALSE,
        Data::Bool(true) => kind::TRUE,
        Data::Int(_) => kind::INT,
        Data::BigInt(_) => kind::BIG_INT,
        Data::Float(_) => kind::FLOAT,
        Data::Str(text) if written(span) == Some(text) => kind::WRITTEN,
        Data::Str(text) if quoted(span) == Some(text) => kind::QUOTED,
        Data::Str(_) => kind::TEXT,
        Data::Time(_) => kind::TIME,
        Data::Bytes(_) => kind::BYTES,
        Data::Seq(_) => kind::SEQ,
        Data::Map(_) => kind::MAP,
    }
}

fn written(span: &Span) -> Option<&str> {
    span.file.text.get(span.start..span.end)
}

fn quoted(span: &Span) -> Option<&str> {
    let end = span.end.checked_sub(1)?;
    span.file.text.get(span.start.checked_add(1)?..end)
}

/// Seven bits a byte, the lowest first; the eighth says that more follow.
fn put_number(bytes: &mut Vec<u8>, mut number: usize) {
    while let high @ 1.. = number >> 7 {
        bytes.push(0x80 | low_bits(number));
        number = high;
    }
    bytes.push(low_bits(number));
}

fn low_bits(number: usize) -> u8 {
    number.to_le_bytes()[0] & 0x7f
}

/// Reads what [`Packer`] wrote.
#[derive(Clone, Copy)]
struct Unpacker<'a> {
    bytes: &'a [u8],
    files: &'a [Arc<SourceFile>],
    before: Before,
}

impl<'a> Unpacker<'a> {
    fn member(mut self) -> Option<(Node, Node)> {
        Some((self.node()?, self.node()?))
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(length)?;
        self.bytes = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn number(&mut self) -> Option<usize> {
        let mut number = 0;
        for shift in (0..usize::BITS).step_by(7) {
            let byte = self.byte()?;
            number |= usize::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn block(&mut self) -> Option<&'a [u8]> {
        let length = self.number()?;
        self.take(length)
    }

    fn text(&mut self) -> Option<String> {
        String::from_utf8(self.block()?.to_vec()).ok()
    }

    fn eight(&mut self) -> Option<[u8; 8]> {
        self.take(8)?.try_into().ok()
    }

    fn node(&mut self) -> Option<Node> {
        let first = self.byte()?;
        if first & kind::OTHER_FILE != 0 {
            self.before.file = self.number()?;
        }
        let zigzag = self.number()?;
        let distance = (zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed();
        let start = self.before.start.wrapping_add_signed(distance);
        self.before.start = start;
        let span = Span {
            file: Arc::clone(self.files.get(self.before.file)?),
            start,
            end: start.checked_add(self.number()?)?,
        };
        let data = match first & !kind::OTHER_FILE {
            kind::NULL => Data::Null,
            kind::FALSE => Data::Bool(false),
            kind::TRUE => Data::Bool(true),
            kind::INT => Data::Int(i64::from_le_bytes(self.eight()?)),
            kind::BIG_INT => Data::BigInt(self.text()?),
            kind::FLOAT => Data::Float(f64::from_le_bytes(self.eight()?)),
            kind::TEXT => Data::Str(self.text()?),
            kind::WRITTEN => Data::Str(written(&span)?.to_owned()),
            kind::QUOTED => Data::Str(quoted(&span)?.to_owned()),
            kind::TIME => Data::Time(self.text()?),
            kind::BYTES => Data::Bytes(self.block()?.to_vec()),
            kind::SEQ => {
                let count = self.number()?;
                let items = (0..count).map(|_| self.node());
                Data::Seq(items.collect::<Option<_>>()?)
            }
            kind::MAP => {
                let count = self.number()?;
                let members = (0..count).map(|_| Some((self.node()?, self.node()?)));
                Data::Map(Mapping(members.collect::<Option<_>>()?))
            }
            _ => return None,
        };
        Some(Node { data, span })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::yaml;
    use std::path::PathBuf;

    fn options(name: &str, text: &str) -> Mapping {
        let file = Arc::new(SourceFile {
            path: PathBuf::from(name),
            text: text.to_owned(),
        });
        let home = |name: &str| (name == "HOME").then(|| "/root".to_owned());
        let (node, problems) = yaml::parse(&file, Some(&home));
        assert!(problems.iter().all(|problem| !problem.is_error()));
        node.unwrap().as_map().unwrap().clone()
    }

    const TEXT: &str = r#"
name: web
"type": 'any'
double: "a\nb"
single: 'it''s'
block: |
  one
  two
folded: long
  text
path: $HOME/x
list: [1, -2, 0x10, 99999999999999999999, 1.5, .nan, ~, yes, no]
when: 2001-01-01
map: {a: {b: [{c: é}, [], {}]}, 3: three}
bytes: !!binary aGVsbG8=
empty: ""
again: &x {q: 1}
alias: *x
"#;

    #[test]
    fn unpacked_is_what_was_packed() {
        let mut own = options("a.yaml", TEXT);
        own.0.extend(options("b.yaml", "imported: [x, \"y\"]").0);
        own.0.push((
            Node::text("made", &Span::nowhere()),
            Node::text("here", &Span::nowhere()),
        ));
        let shared = Arc::new(options("c.yaml", "name: no\nowner: me"));
        let properties = Properties::new(own)
            .over(Arc::clone(&shared))
            .with_secrets(["owner"].into());
        let over = options("d.yaml", "path: /y\nnew: {seconds: 5}");
        let packed = Packed::new(&properties, &over);
        let expected = properties.overlaid(&over);
        let unpacked = packed.unpack();
        let shown = |properties: &Properties| {
            let members = properties.iter();
            members
                .map(|(key, value)| format!("{key:?}: {value:?}"))
                .collect::<Vec<_>>()
        };
        assert_eq!(shown(&unpacked), shown(&expected));
        for (key, value) in expected.iter() {
            let Some(name) = key.as_str() else { continue };
            assert_eq!(
                format!("{:?}", packed.get(name)),
                format!("{:?}", Some(value)),
                "{name}"
            );
            assert_eq!(packed.value(name), expected.value(name));
        }
        assert!(packed.get("nothing").is_none());
        assert!(packed.is_secret("owner") && unpacked.is_secret("owner"));
        assert!(!packed.is_secret("name"));
    }

    #[test]
    fn what_the_file_has_is_not_kept_twice() {
        let text = "the same text as in the file ".repeat(100);
        let own = options("a.yaml", &format!("plain: {text}\nquoted: \"{text}\"\n"));
        let packed = Packed::new(&Properties::new(own), &Mapping::default());
        assert!(packed.bytes.len() < 50, "{} bytes", packed.bytes.len());
    }
}
