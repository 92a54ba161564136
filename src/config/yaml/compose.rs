//! From parser events to nodes: tags, anchors, merge keys and duplicate keys as in PyYAML's composer and constructor.

use super::resolve::{Tag, construct, implicit};
use super::{Source, hint, mapping};
use crate::config::{Data, Mapping, Node, Problem, Span};
use granit_parser::{Event, Parser, ScalarStyle, StrInput};
use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// Deepest nesting, aliases included. Real files stay below 20; everything that walks a node recursively relies on it.
const MAX_DEPTH: usize = 200;

/// How much aliases may add to a document, in nodes (a long text counts as several): nine lines of aliases to aliases make a billion.
const MAX_ALIASED: usize = 1_000_000;

/// The problem is noted; nothing more can be read.
struct Stop;

/// A node on its way into a collection.
#[derive(Clone)]
struct Composed {
    node: Node,
    /// Levels of collections in it.
    height: usize,
    /// Nodes in it.
    weight: usize,
    /// Whether Python would take it as a key.
    hashable: bool,
}

/// A key: an ordinary one, or `<<`.
enum Key {
    Merge(Span),
    Value(Composed),
}

pub(super) fn compose(source: &Source<'_>) -> (Option<Node>, Vec<Problem>) {
    let options = granit_parser::options! {
        bom_inside_document_as_content: true,
        block_scalar_eof_without_line_feed: true,
        emit_anchor_events: true,
        max_buffered_comment_events: usize::MAX,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    let mut composer = Composer {
        source,
        events: Parser::new_from_str_with_options(source.text(), options),
        anchors: HashMap::new(),
        names: HashSet::new(),
        aliased: 0,
        problems: Vec::new(),
        comments: Vec::new(),
        opaque: Vec::new(),
    };
    let node = composer.document();
    let mut problems = composer.problems;
    problems.extend(source.variables(&composer.comments));
    let failed = problems.iter().any(Problem::is_error);
    if !failed {
        problems.extend(source.tab([composer.comments, composer.opaque].concat()));
    }
    (node.ok().filter(|_| !failed), problems)
}

struct Composer<'a> {
    source: &'a Source<'a>,
    events: Parser<'a, StrInput<'a>>,
    anchors: HashMap<usize, Composed>,
    names: HashSet<String>,
    aliased: usize,
    problems: Vec<Problem>,
    comments: Vec<Range<usize>>,
    /// Quoted and block texts: in them a tab is just a character.
    opaque: Vec<Range<usize>>,
}

type Place = Range<usize>;

impl<'a> Composer<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Place), Stop> {
        loop {
            match self.events.next() {
                Some(Ok((event, span))) => {
                    let place = span.byte_range().unwrap_or_default();
                    match event {
                        Event::Comment(..) => self.comments.push(place),
                        Event::Anchor(_, name) => self.anchor(&name, place),
                        event => return Ok((event, place)),
                    }
                }
                Some(Err(error)) => {
                    self.problems.push(hint::syntax(self.source, &error));
                    return Err(Stop);
                }
                None => return Ok((Event::StreamEnd, Place::default())),
            }
        }
    }

    fn anchor(&mut self, name: &str, place: Place) {
        if !self.names.insert(name.to_owned()) {
            let message = format!("the anchor `&{name}` is defined twice");
            self.problems
                .push(Problem::error("E0103", &self.source.span(place), message));
        }
    }

    fn document(&mut self) -> Result<Node, Stop> {
        let nothing = Node {
            data: Data::Null,
            span: Span::of_file(self.source.file),
        };
        loop {
            let (event, place) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(nothing),
                Event::StreamStart | Event::DocumentStart(..) => {}
                event => {
                    let root = self.node(event, place, 0)?;
                    self.end_of_stream()?;
                    return Ok(root.node);
                }
            }
        }
    }

    fn end_of_stream(&mut self) -> Result<(), Stop> {
        loop {
            let (event, place) = self.next()?;
            match event {
                Event::DocumentStart(..) => {
                    let span = self.source.span(place);
                    self.problems.push(
                        Problem::error(
                            "E0104",
                            &span,
                            "a second document begins here, one file holds one",
                        )
                        .help("put it into a file of its own"),
                    );
                    return Err(Stop);
                }
                Event::StreamEnd => return Ok(()),
                _ => {}
            }
        }
    }

    fn node(&mut self, event: Event<'a>, place: Place, depth: usize) -> Result<Composed, Stop> {
        let anchor = match &event {
            Event::Scalar(_, _, anchor, _)
            | Event::SequenceStart(_, anchor, _)
            | Event::MappingStart(_, anchor, _) => *anchor,
            _ => 0,
        };
        let composed = match event {
            Event::Alias(id) => self.alias(id, place, depth)?,
            Event::Scalar(text, style, _, tag) => {
                let tag = tag.and_then(|tag| full_tag(&tag));
                self.scalar(&text, style, tag.as_deref(), place)
            }
            Event::SequenceStart(_, _, tag) => {
                let tag = tag.and_then(|tag| full_tag(&tag));
                self.sequence(tag.as_deref(), place, depth + 1)?
            }
            Event::MappingStart(_, _, tag) => {
                let tag = tag.and_then(|tag| full_tag(&tag));
                self.mapping(tag.as_deref(), place, depth + 1)?
            }
            // No other event stands where a node is expected.
            _ => self.refused("E0103", place, "a value was expected here".to_owned()),
        };
        if anchor != 0 {
            self.anchors.insert(anchor, composed.clone());
        }
        Ok(composed)
    }

    fn alias(&mut self, id: usize, place: Place, depth: usize) -> Result<Composed, Stop> {
        let span = self.source.span(place);
        let Some(target) = self.anchors.get(&id) else {
            self.problems.push(Problem::error(
                "E0106",
                &span,
                "this alias stands inside what it names",
            ));
            return Err(Stop);
        };
        self.aliased += target.weight;
        if self.aliased > MAX_ALIASED || depth + target.height > MAX_DEPTH {
            self.problems.push(Problem::error(
                "E0106",
                &span,
                "the aliases of this file make it too large",
            ));
            return Err(Stop);
        }
        let mut composed = target.clone();
        composed.node.span = span;
        Ok(composed)
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        tag: Option<&str>,
        place: Place,
    ) -> Composed {
        let plain = style == ScalarStyle::Plain;
        if !plain {
            self.opaque.push(place.clone());
        }
        let kind = match tag {
            None if plain => implicit(text),
            None => Tag::Str,
            Some(tag) => match scalar_tag(tag) {
                Some(kind) => kind,
                None => return self.unknown_tag(tag, place),
            },
        };
        match construct(kind, text) {
            Ok(data) => Composed {
                weight: 1 + text.len() / 32,
                ..self.leaf(data, place)
            },
            Err(message) => {
                if plain && tag.is_none() {
                    self.refused_with(message, place, "put it in quotes if it is meant as text")
                } else {
                    self.refused("E0105", place, message)
                }
            }
        }
    }

    fn sequence(
        &mut self,
        tag: Option<&str>,
        place: Place,
        depth: usize,
    ) -> Result<Composed, Stop> {
        let mut items = Vec::new();
        let (mut height, mut weight, mut hashable) = (1, 1, true);
        let end = loop {
            let (event, at) = self.next()?;
            if let Event::SequenceEnd = event {
                break at;
            }
            let item = self.node(event, at, depth)?;
            height = height.max(item.height + 1);
            weight += item.weight;
            hashable &= item.hashable;
            items.push(item.node);
        };
        let span = self.collection(place.clone(), &end, items.first(), items.last());
        let tuple = tag == Some("tag:yaml.org,2002:python/tuple");
        match tag {
            None
            | Some(
                "tag:yaml.org,2002:seq"
                | "tag:yaml.org,2002:python/list"
                | "tag:yaml.org,2002:python/tuple",
            ) => {}
            Some("tag:yaml.org,2002:omap" | "tag:yaml.org,2002:pairs") => {
                if let Err(at) = pairs(&mut items) {
                    self.problems.push(Problem::error(
                        "E0105",
                        &at,
                        "each item must be an object with one member here",
                    ));
                }
            }
            Some(tag) => return Ok(self.unknown_tag(tag, place)),
        }
        Ok(Composed {
            node: Node {
                data: Data::Seq(items),
                span,
            },
            height,
            weight,
            hashable: tuple && hashable,
        })
    }

    fn mapping(&mut self, tag: Option<&str>, place: Place, depth: usize) -> Result<Composed, Stop> {
        let mut merged = Vec::new();
        let mut own = Vec::new();
        let (mut height, mut weight) = (1, 1);
        let end = loop {
            let (event, at) = self.next()?;
            if let Event::MappingEnd = event {
                break at;
            }
            let key = self.key(event, at, depth)?;
            let (event, at) = self.next()?;
            let mut value = self.node(event, at, depth)?;
            height = height.max(value.height + 1);
            weight += value.weight + 1;
            match key {
                Key::Merge(span) => {
                    if let Err(problem) = mapping::merge(value.node, &span, &mut merged) {
                        self.problems.push(*problem);
                    }
                }
                Key::Value(key) => {
                    // An absent value has no place of its own.
                    if value.node.is_null() && value.node.span.start == value.node.span.end {
                        value.node.span = key.node.span.clone();
                    }
                    own.push((key.node, value.node));
                }
            }
        };
        let first = own.first().map(|(key, _)| key);
        let last = own.last().map(|(_, value)| value);
        let span = self.collection(place.clone(), &end, first, last);
        let set = match tag {
            None | Some("tag:yaml.org,2002:map" | "tag:yaml.org,2002:python/dict") => false,
            Some("tag:yaml.org,2002:set") => true,
            Some(tag) => return Ok(self.unknown_tag(tag, place)),
        };
        let mut map = mapping::unique(merged, own, &mut self.problems);
        if set {
            for (key, value) in &mut map.0 {
                *value = Node {
                    data: Data::Null,
                    span: key.span.clone(),
                };
            }
        }
        Ok(Composed {
            node: Node {
                data: Data::Map(map),
                span,
            },
            height,
            weight,
            hashable: false,
        })
    }

    fn key(&mut self, event: Event<'a>, place: Place, depth: usize) -> Result<Key, Stop> {
        if let Event::Scalar(text, style, _, tag) = &event {
            let tag = tag.as_ref().and_then(|tag| full_tag(tag));
            let plain = tag.is_none() && *style == ScalarStyle::Plain;
            if plain && text == "<<" || tag.as_deref() == Some("tag:yaml.org,2002:merge") {
                return Ok(Key::Merge(self.source.span(place)));
            }
            if plain && text == "=" {
                return Ok(Key::Value(self.leaf(Data::Str("=".to_owned()), place)));
            }
        }
        let at = place.clone();
        let key = self.node(event, place, depth)?;
        if !key.hashable {
            let what = key.node.kind_name();
            self.problems.push(hint::unhashable(self.source, at, what));
        }
        Ok(Key::Value(key))
    }

    fn leaf(&self, data: Data, place: Place) -> Composed {
        Composed {
            node: Node {
                data,
                span: self.source.span(place),
            },
            height: 0,
            weight: 1,
            hashable: true,
        }
    }

    /// The place of a collection: from its first to its last part, brackets included.
    fn collection(
        &self,
        start: Place,
        end: &Place,
        first: Option<&Node>,
        last: Option<&Node>,
    ) -> Span {
        let mut span = self.source.span(start.start..start.end.max(end.end));
        if start.is_empty()
            && let (Some(first), Some(last)) = (first, last)
        {
            span.start = span.start.min(first.span.start);
            if last.span.end > span.start {
                span.end = last.span.end;
            }
        }
        span
    }

    fn refused(&mut self, code: &'static str, place: Place, message: String) -> Composed {
        let composed = self.leaf(Data::Null, place);
        self.problems
            .push(Problem::error(code, &composed.node.span, message));
        composed
    }

    fn refused_with(&mut self, message: String, place: Place, help: &str) -> Composed {
        let composed = self.leaf(Data::Null, place);
        self.problems
            .push(Problem::error("E0105", &composed.node.span, message).help(help));
        composed
    }

    fn unknown_tag(&mut self, tag: &str, place: Place) -> Composed {
        let short = tag.replace("tag:yaml.org,2002:", "!!");
        let message = format!("the tag `{short}` means nothing here");
        self.refused_with(
            message,
            place,
            "put the text in quotes if the `!` belongs to it",
        )
    }
}

/// A tag in full; a lone `!` says nothing to PyYAML.
fn full_tag(tag: &granit_parser::Tag) -> Option<String> {
    let tag = format!("{}{}", tag.handle(), tag.suffix());
    (tag != "!").then_some(tag)
}

fn scalar_tag(tag: &str) -> Option<Tag> {
    Some(match tag.strip_prefix("tag:yaml.org,2002:")? {
        "null" | "python/none" => Tag::Null,
        "bool" | "python/bool" => Tag::Bool,
        "int" | "python/int" | "python/long" => Tag::Int,
        "float" | "python/float" => Tag::Float,
        "timestamp" => Tag::Timestamp,
        "binary" | "python/bytes" => Tag::Binary,
        "str" | "python/str" | "python/unicode" => Tag::Str,
        _ => return None,
    })
}

/// Turns objects with one member into lists of key and value.
fn pairs(items: &mut [Node]) -> Result<(), Span> {
    for item in items {
        match &mut item.data {
            Data::Map(Mapping(members)) if members.len() == 1 => {
                let pair = members
                    .drain(..)
                    .flat_map(|(key, value)| [key, value])
                    .collect();
                item.data = Data::Seq(pair);
            }
            _ => return Err(item.span.clone()),
        }
    }
    Ok(())
}
