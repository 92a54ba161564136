//! The members of an event that are no objects, wherever they are: what filters look through that name no field.

use crate::event::json;
use crate::event::scan::{Shape, Span, unescape};
use serde_json::Value;
use std::borrow::Cow;

/// What was gone over of one event, in the order of the text: every member, and every object in a list, before what is in it.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    all: Vec<Node>,
    /// Whether all of the event was gone over.
    complete: bool,
}

/// The number of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NodeId(usize);

/// What the first element of a list is that is not null, lists in it opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum First {
    Missing,
    Object,
    Value,
}

#[derive(Debug, Clone, Copy)]
struct Node {
    /// What it is in.
    parent: NodeId,
    /// Where its name is, and whether that has escapes; an element of a list has none.
    name: Option<(Span, bool)>,
    value: Span,
    is_leaf: bool,
}

/// The members of an event that are no objects and not null, lists of objects opened.
#[derive(Debug, Clone, Copy)]
pub struct Leaves<'p> {
    text: &'p str,
    nodes: &'p [Node],
}

/// One of them.
#[derive(Debug, Clone, Copy)]
pub struct Leaf<'p> {
    of: Leaves<'p>,
    node: &'p Node,
    number: usize,
}

impl First {
    /// What it is with what comes after.
    pub(super) fn or(self, next: Self) -> Self {
        if self == Self::Missing { next } else { self }
    }
}

impl NodeId {
    /// The event itself.
    pub(super) const EVENT: Self = Self(usize::MAX);
}

impl Nodes {
    pub(super) fn clear(&mut self) {
        self.all.clear();
        self.complete = false;
    }

    pub(super) fn complete(&mut self) {
        self.complete = true;
    }

    /// Begins with a member, or with an object in a list.
    pub(super) fn begin(&mut self, parent: NodeId, name: Option<(Span, bool)>) -> NodeId {
        self.all.push(Node {
            parent,
            name,
            value: Span::default(),
            is_leaf: false,
        });
        NodeId(self.all.len() - 1)
    }

    /// Ends it. Whether a list is one of values or of objects, its first element says.
    pub(super) fn end(&mut self, node: NodeId, value: Span, shape: Shape, first: First) {
        let is_leaf = match shape {
            Shape::Null | Shape::Object => false,
            Shape::Bool(_) | Shape::Number(_) | Shape::Text(_) => true,
            Shape::List => first == First::Value,
        };
        if is_leaf {
            // Objects among values are not opened.
            self.all.truncate(node.0 + 1);
        }
        if let Some(node) = self.all.get_mut(node.0) {
            node.value = value;
            node.is_leaf = is_leaf;
        }
    }

    /// The leaves of the event with this text; `None` where it was not gone over.
    pub(super) fn leaves<'p>(&'p self, text: &'p str) -> Option<Leaves<'p>> {
        self.complete.then_some(Leaves {
            text,
            nodes: &self.all,
        })
    }
}

impl<'p> Leaves<'p> {
    /// The event's text without what may stand around it.
    pub fn text(self) -> &'p str {
        self.text
    }

    /// All of them, in the order of the text.
    pub fn all(self) -> impl Iterator<Item = Leaf<'p>> {
        (0..self.nodes.len()).filter_map(move |number| self.get(number))
    }

    /// The one that has a place of the text in its value.
    pub fn at(self, place: usize) -> Option<Leaf<'p>> {
        let before = self.nodes.partition_point(|node| node.value.start <= place);
        let leaf = self.get(before.checked_sub(1)?)?;
        (place < leaf.node.value.end).then_some(leaf)
    }

    fn get(self, number: usize) -> Option<Leaf<'p>> {
        let node = self.nodes.get(number)?;
        node.is_leaf.then_some(Leaf {
            of: self,
            node,
            number,
        })
    }

    fn name_of(self, node: &Node) -> Option<Cow<'p, str>> {
        let (name, escaped) = node.name?;
        let name = self.text.get(name.start..name.end).unwrap_or_default();
        if !escaped {
            return Some(Cow::Borrowed(name));
        }
        let mut unescaped = String::new();
        unescape(name, &mut unescaped);
        Some(Cow::Owned(unescaped))
    }

    fn is_replaced(self, number: usize) -> bool {
        let Some(node) = self.nodes.get(number) else {
            return false;
        };
        let Some(name) = self.name_of(node) else {
            return false;
        };
        let after = self.nodes.iter().skip(number + 1);
        let mut same_object = after.filter(|other| other.parent == node.parent);
        same_object.any(|other| self.name_of(other).is_some_and(|other| other == name))
    }
}

impl Leaf<'_> {
    /// Its number, which is no other leaf's of the event.
    pub fn number(self) -> usize {
        self.number
    }

    /// Writes its full name into an empty text.
    pub fn write_name(self, into: &mut String) {
        self.write_name_of(self.node, into);
    }

    fn write_name_of(self, node: &Node, into: &mut String) {
        if let Some(parent) = self.of.nodes.get(node.parent.0) {
            self.write_name_of(parent, into);
        }
        if let Some(name) = self.of.name_of(node) {
            if !into.is_empty() {
                into.push('.');
            }
            into.push_str(&name);
        }
    }

    /// Its value.
    pub fn value(self) -> Value {
        let Span { start, end } = self.node.value;
        let json = self.of.text.get(start..end).unwrap_or_default();
        json::value(json).unwrap_or_default()
    }

    /// Whether it is not in the document, since another member of the same name comes after it or something that it is in.
    pub fn is_replaced(self) -> bool {
        let mut around = Some(self.number);
        while let Some(number) = around {
            if self.of.is_replaced(number) {
                return true;
            }
            let node = self.of.nodes.get(number);
            around = node.map(|node| node.parent.0);
        }
        false
    }
}
