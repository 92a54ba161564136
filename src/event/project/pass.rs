//! The one pass over an event's text.

use super::leaves::{First, NodeId};
use super::{Member, Object, Piece, Projection, Projector, Route, Seen, Stored};
use crate::event::json::MAX_DEPTH;
use crate::event::scan::{Broken, Scanner, Shape, Span, unescape};
use serde_json::Number;

/// Why the pass cannot tell what is in an event.
pub(super) enum Stop {
    /// It seems to be no event.
    Broken,
    /// The document must be looked at.
    Odd,
}

impl From<Broken> for Stop {
    fn from(_: Broken) -> Self {
        Self::Broken
    }
}

/// One pass over a text.
pub(super) struct Pass<'p, 't> {
    pub(super) projector: &'p Projector,
    pub(super) text: &'t str,
    pub(super) scanner: Scanner<'t>,
    pub(super) into: &'p mut Projection,
}

/// The object that is gone through.
#[derive(Clone, Copy)]
struct Inside<'p> {
    /// The names that lead on; `None`: nobody asks for what is in it.
    object: Option<&'p Object>,
    /// The number of this visit.
    visit: u64,
    /// By which members it was reached.
    way: u64,
    in_list: bool,
    depth: usize,
}

impl<'p, 't> Pass<'p, 't> {
    /// Goes over the whole event.
    pub(super) fn event(&mut self) -> Result<(), Stop> {
        let event = Inside {
            object: None,
            visit: 0,
            way: 1,
            in_list: false,
            depth: 0,
        };
        self.object(Some(0), &event, event.way, NodeId::EVENT)?;
        match self.scanner.peek() {
            None => {
                if self.projector.walks {
                    self.into.nodes.complete();
                }
                Ok(())
            }
            Some(_) => Err(Stop::Broken),
        }
    }

    /// Goes through an object, which names lead into if it has a number.
    fn object(
        &mut self,
        object: Option<usize>,
        around: &Inside<'p>,
        way: u64,
        node: NodeId,
    ) -> Result<(), Stop> {
        let mut inside = Inside {
            object: None,
            way,
            depth: around.depth + 1,
            ..*around
        };
        if inside.depth > MAX_DEPTH {
            return Err(Stop::Broken);
        }
        if let Some(object) = object {
            let (Some(names), Some(seen)) = (
                self.projector.objects.get(object),
                self.into.objects.get_mut(object),
            ) else {
                return Err(Stop::Odd);
            };
            let again = seen.0 >= self.into.first_visit;
            if again && !(inside.in_list && seen.1 == way) {
                return Err(Stop::Odd);
            }
            self.into.visit += 1;
            *seen = (self.into.visit, way);
            inside.object = Some(names);
            inside.visit = self.into.visit;
        }
        self.scanner.expect(b'{')?;
        let mut more = !self.scanner.take(b'}');
        while more {
            self.pair(&inside, node)?;
            more = self.scanner.another(b'}')?;
        }
        Ok(())
    }

    /// Goes over a name and its value.
    fn pair(&mut self, inside: &Inside<'p>, parent: NodeId) -> Result<(), Stop> {
        let (place, escaped) = self.scanner.string()?;
        self.scanner.expect(b':')?;
        let name = self.text.get(place.start..place.end).unwrap_or_default();
        let member = if escaped {
            let mut text = String::new();
            unescape(name, &mut text);
            inside.find(&text)?
        } else {
            inside.find(name)?
        };
        let node = if self.projector.walks {
            self.into.nodes.begin(parent, Some((place, escaped)))
        } else {
            parent
        };
        match member {
            Some(member) => self.member(member, inside, node),
            None if self.projector.walks => self.value(None, inside, inside.way, node).map(drop),
            None => Ok(self.scanner.value(inside.depth).map(drop)?),
        }
    }

    /// Notes a member that somebody looks at.
    fn member(&mut self, member: Member, inside: &Inside<'p>, node: NodeId) -> Result<(), Stop> {
        let way = (inside.way ^ member.number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let target = self.projector.objects.get(member.object);
        let leads_on = target.is_some_and(|object| !object.names.is_empty());
        let object = leads_on.then_some(member.object);
        let (span, shape) = self.value(object, inside, way, node)?;
        let Some(seen) = self.into.members.get_mut(member.number) else {
            return Err(Stop::Odd);
        };
        // The same name twice in one object: the last counts, and all that is below it.
        if seen.visit == inside.visit {
            return Err(Stop::Odd);
        }
        *seen = Seen {
            visit: inside.visit,
            span,
            shape,
            in_list: inside.in_list,
        };
        let Some(slot) = target.and_then(|object| object.slot) else {
            return Ok(());
        };
        let Some(found) = self.into.slots.get_mut(slot) else {
            return Err(Stop::Odd);
        };
        if found.runs.is_some() && found.way != way {
            return Err(Stop::Odd);
        }
        found.way = way;
        let first = self.into.items.len();
        self.items(span, shape);
        self.into.end_run(slot, first);
        Ok(())
    }

    /// Goes over a value: where it is, and what. Names lead into its objects if those have a number.
    fn value(
        &mut self,
        object: Option<usize>,
        inside: &Inside<'p>,
        way: u64,
        node: NodeId,
    ) -> Result<(Span, Shape), Stop> {
        self.scanner.peek();
        let start = self.scanner.at();
        let shape = self.scanner.scalar()?;
        let mut first = First::Missing;
        match shape {
            Shape::Object | Shape::List if object.is_none() && !self.projector.walks => {
                self.scanner.value(inside.depth)?;
            }
            Shape::Object => self.object(object, inside, way, node)?,
            Shape::List => first = self.list(object, inside, way, node)?,
            Shape::Null | Shape::Bool(_) | Shape::Number(_) | Shape::Text(_) => {}
        }
        let span = Span {
            start,
            end: self.scanner.at(),
        };
        if self.projector.walks {
            self.into.nodes.end(node, span, shape, first);
        }
        Ok((span, shape))
    }

    /// Goes through the elements of a list, lists in it opened.
    fn list(
        &mut self,
        object: Option<usize>,
        around: &Inside<'p>,
        way: u64,
        node: NodeId,
    ) -> Result<First, Stop> {
        let inside = Inside {
            in_list: true,
            depth: around.depth + 1,
            ..*around
        };
        if inside.depth > MAX_DEPTH {
            return Err(Stop::Broken);
        }
        self.scanner.expect(b'[')?;
        let mut first = First::Missing;
        let mut more = !self.scanner.take(b']');
        while more {
            first = first.or(self.element(object, &inside, way, node)?);
            more = self.scanner.another(b']')?;
        }
        Ok(first)
    }

    fn element(
        &mut self,
        object: Option<usize>,
        inside: &Inside<'p>,
        way: u64,
        list: NodeId,
    ) -> Result<First, Stop> {
        self.scanner.peek();
        let start = self.scanner.at();
        match self.scanner.scalar()? {
            Shape::Null => Ok(First::Missing),
            Shape::Bool(_) | Shape::Number(_) | Shape::Text(_) => Ok(First::Value),
            Shape::List => self.list(object, inside, way, list),
            Shape::Object if self.projector.walks => {
                let node = self.into.nodes.begin(list, None);
                self.object(object, inside, way, node)?;
                let value = Span {
                    start,
                    end: self.scanner.at(),
                };
                let nodes = &mut self.into.nodes;
                nodes.end(node, value, Shape::Object, First::Missing);
                Ok(First::Object)
            }
            Shape::Object => {
                self.object(object, inside, way, list)?;
                Ok(First::Object)
            }
        }
    }

    /// Stores the values of a member that has been gone over.
    fn items(&mut self, span: Span, shape: Shape) {
        let json = self.text.get(span.start..span.end).unwrap_or_default();
        let inner = Span {
            start: span.start + 1,
            end: span.end.saturating_sub(1),
        };
        let stored = match shape {
            Shape::Null => Stored::Null,
            Shape::Bool(value) => Stored::Bool(value),
            Shape::Number(false) => Stored::Number(Piece::Event(span)),
            // Exponents are kept in one form.
            Shape::Number(true) => {
                Stored::Number(self.into.add(|texts| match json.parse::<Number>() {
                    Ok(number) => texts.push_str(number.as_str()),
                    Err(_) => texts.push_str(json),
                }))
            }
            Shape::Text(false) => Stored::Text(Piece::Event(inner)),
            Shape::Text(true) => {
                let json = self.text.get(inner.start..inner.end).unwrap_or_default();
                Stored::Text(self.into.add(|texts| unescape(json, texts)))
            }
            Shape::Object => Stored::Object,
            Shape::List => return self.elements(span),
        };
        self.into.items.push(stored);
    }

    fn elements(&mut self, list: Span) {
        for (span, shape) in Elements::new(self.text, list) {
            self.items(span, shape);
        }
    }

    /// Follows every field to where it leads.
    pub(super) fn follow_all(&mut self) {
        for (slot, route) in self.projector.routes.iter().enumerate() {
            let span = self.follow(route, 0);
            if let Some(field) = self.into.fields.get_mut(slot) {
                *field = span.map(Piece::Event);
            }
        }
    }

    fn follow(&self, route: &Route, cut: usize) -> Option<Span> {
        for step in route.cuts.get(cut)? {
            let Some(seen) = self.into.members.get(step.member) else {
                continue;
            };
            if seen.visit <= self.into.first_visit || seen.in_list {
                continue;
            }
            if let Some(element) = step.element {
                if seen.shape != Shape::List {
                    continue;
                }
                let Some((span, shape)) = Elements::new(self.text, seen.span).nth(element) else {
                    continue;
                };
                return match step.next {
                    None => Some(span),
                    Some(_) if shape == Shape::Object => None,
                    Some(_) => Some(seen.span),
                };
            }
            return match step.next {
                Some(next) if seen.shape == Shape::Object => self.follow(route, next),
                _ => Some(seen.span),
            };
        }
        None
    }
}

impl Inside<'_> {
    fn find(&self, name: &str) -> Result<Option<Member>, Stop> {
        let Some(object) = self.object else {
            return Ok(None);
        };
        // For an index dots at the end of a name do not count.
        if name.ends_with('.') && object.find(name.trim_end_matches('.')).is_some() {
            return Err(Stop::Odd);
        }
        Ok(object.find(name))
    }
}

/// The elements of a list that has been gone over.
struct Elements<'t> {
    scanner: Scanner<'t>,
    more: bool,
}

impl<'t> Elements<'t> {
    fn new(text: &'t str, list: Span) -> Self {
        let mut scanner = Scanner::new(text.as_bytes(), list.start);
        let more = scanner.take(b'[') && !scanner.take(b']');
        Self { scanner, more }
    }
}

impl Iterator for Elements<'_> {
    type Item = (Span, Shape);

    fn next(&mut self) -> Option<(Span, Shape)> {
        if !self.more {
            return None;
        }
        self.scanner.peek();
        let start = self.scanner.at();
        let shape = self.scanner.value(0).ok()?;
        let end = self.scanner.at();
        self.more = self.scanner.another(b']').ok()?;
        Some((Span { start, end }, shape))
    }
}
