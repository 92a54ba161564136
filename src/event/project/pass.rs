//! The one pass over an event's text.

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
    object: &'p Object,
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
        self.object(0, 1, false, 1)?;
        match self.scanner.peek() {
            None => Ok(()),
            Some(_) => Err(Stop::Broken),
        }
    }

    /// Goes through an object that names lead into.
    fn object(&mut self, object: usize, way: u64, in_list: bool, depth: usize) -> Result<(), Stop> {
        if depth > MAX_DEPTH {
            return Err(Stop::Broken);
        }
        let (Some(inside), Some(seen)) = (
            self.projector.objects.get(object),
            self.into.objects.get_mut(object),
        ) else {
            return Err(Stop::Odd);
        };
        let again = seen.0 >= self.into.first_visit;
        if again && !(in_list && seen.1 == way) {
            return Err(Stop::Odd);
        }
        self.into.visit += 1;
        *seen = (self.into.visit, way);
        let inside = Inside {
            object: inside,
            visit: self.into.visit,
            way,
            in_list,
            depth,
        };
        self.scanner.expect(b'{')?;
        let mut more = !self.scanner.take(b'}');
        while more {
            self.pair(inside)?;
            more = self.scanner.another(b'}')?;
        }
        Ok(())
    }

    /// Goes over a name and its value.
    fn pair(&mut self, inside: Inside<'p>) -> Result<(), Stop> {
        let (name, escaped) = self.scanner.string()?;
        self.scanner.expect(b':')?;
        let name = self.text.get(name.start..name.end).unwrap_or_default();
        let member = if escaped {
            let mut text = String::new();
            unescape(name, &mut text);
            inside.find(&text)?
        } else {
            inside.find(name)?
        };
        match member {
            None => self
                .scanner
                .value(inside.depth)
                .map(drop)
                .map_err(Stop::from),
            Some(member) => self.member(inside, member),
        }
    }

    /// Notes a member that somebody looks at.
    fn member(&mut self, inside: Inside<'p>, member: Member) -> Result<(), Stop> {
        self.scanner.peek();
        let start = self.scanner.at();
        let way = (inside.way ^ member.number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let target = self.projector.objects.get(member.object);
        let leads_on = target.is_some_and(|object| !object.names.is_empty());
        let shape = self.scanner.scalar()?;
        match shape {
            Shape::Object if leads_on => {
                self.object(member.object, way, inside.in_list, inside.depth + 1)?;
            }
            Shape::List if leads_on => self.list(member.object, way, inside.depth + 1)?,
            Shape::Object | Shape::List => {
                self.scanner.value(inside.depth)?;
            }
            Shape::Null | Shape::Bool(_) | Shape::Number(_) | Shape::Text(_) => {}
        }
        let span = Span {
            start,
            end: self.scanner.at(),
        };
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

    /// Goes through the objects of a list, lists in it opened.
    fn list(&mut self, object: usize, way: u64, depth: usize) -> Result<(), Stop> {
        if depth > MAX_DEPTH {
            return Err(Stop::Broken);
        }
        self.scanner.expect(b'[')?;
        let mut more = !self.scanner.take(b']');
        while more {
            match self.scanner.scalar()? {
                Shape::Object => self.object(object, way, true, depth + 1)?,
                Shape::List => self.list(object, way, depth + 1)?,
                Shape::Null | Shape::Bool(_) | Shape::Number(_) | Shape::Text(_) => {}
            }
            more = self.scanner.another(b']')?;
        }
        Ok(())
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
        // For an index dots at the end of a name do not count.
        if name.ends_with('.') && self.object.find(name.trim_end_matches('.')).is_some() {
            return Err(Stop::Odd);
        }
        Ok(self.object.find(name))
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
