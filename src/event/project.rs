//! Picking fields out of an event's JSON text without building the document.
//!
//! The names of all fields that anybody asks for form one tree; one pass over the text notes where those stand and passes over everything else.
//! A field is asked for in one of two ways. A *field* is looked up as ElastAlert does ([`FieldPath`]) and is one piece of JSON. The *values*
//! of a name are what an index would find ([`EveryWay`]): every way to it counts, and lists are opened.
//!
//! A text is accepted exactly when [`parse_document`] accepts it. Where the order or the choice of values would take more than one pass (a name twice in
//! an object, one field reached in two ways, names ending in dots), the document is parsed and the fields are taken from it.

mod leaves;
mod pass;

use super::every_way::{EveryWay, Visit, flatten};
use super::json::{EventError, parse_document, text_of};
use super::scan::{Scanner, Shape, Span};
use super::{Document, Field, FieldPath, Fields};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use leaves::Nodes;
use pass::{Pass, Stop};
use serde_json::Value;

pub use leaves::{Leaf, Leaves};

/// Finds a fixed set of fields in JSON texts.
#[derive(Debug)]
pub struct Projector {
    fields: Vec<FieldPath>,
    /// For each field, how it is followed.
    routes: Vec<Route>,
    values: Vec<EveryWay>,
    /// The objects that names lead into, by what of a name led there; the first is the event itself.
    objects: Vec<Object>,
    /// How many members of objects somebody looks at.
    members: usize,
    /// Whether every member is noted, asked for or not.
    walks: bool,
}

/// An object inside an event, by the beginning of a name that leads to it.
#[derive(Debug, Default)]
struct Object {
    names: HashMap<String, Member, FixedState>,
    /// What the names that are looked up have in common: a set of bits, see [`mark`].
    marks: [u64; MARKS / 64],
    /// The slot for values of this very name.
    slot: Option<usize>,
}

/// A member that somebody looks at.
#[derive(Debug, Clone, Copy)]
struct Member {
    number: usize,
    /// The object that the name leads to, should the member be one.
    object: usize,
}

/// How a field is looked up: what to try after each dot that the name may be cut at, longest name first.
#[derive(Debug)]
struct Route {
    cuts: Vec<Vec<Step>>,
}

/// One way for a field to go on: the member under a name.
#[derive(Debug)]
struct Step {
    /// The member's number.
    member: usize,
    /// `name[3]`: the element of the list that the member is.
    element: Option<usize>,
    /// Where the field goes on when the member is an object. `None`: it ends here.
    next: Option<usize>,
}

/// What was found in one event. Kept and used again, so that the steady state allocates nothing.
#[derive(Debug, Default)]
pub struct Projection {
    /// Counts objects of all events that were gone into.
    visit: u64,
    /// The first visit of this event.
    first_visit: u64,
    /// By member: the last visit in which it was seen, where it is, and whether it is in a list.
    members: Vec<Seen>,
    /// By object: the last visit, and by which way it was reached.
    objects: Vec<(u64, u64)>,
    fields: Vec<Option<Piece>>,
    slots: Vec<Slot>,
    /// The slots that have runs.
    filled: Vec<usize>,
    runs: Vec<Run>,
    items: Vec<Stored>,
    /// Texts that do not stand in the event as they are.
    texts: String,
    nodes: Nodes,
}

#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    visit: u64,
    span: Span,
    shape: Shape,
    in_list: bool,
}

/// A piece of text: of the event, or of what was added to it.
#[derive(Debug, Clone, Copy)]
enum Piece {
    Event(Span),
    Added(Span),
}

/// The values of a name.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    /// The way they were reached.
    way: u64,
    /// The first and the last run.
    runs: Option<(usize, usize)>,
}

/// The values of one member.
#[derive(Debug, Clone, Copy)]
struct Run {
    start: usize,
    end: usize,
    next: Option<usize>,
}

#[derive(Debug, Clone, Copy)]
enum Stored {
    Null,
    Bool(bool),
    Number(Piece),
    Text(Piece),
    Object,
}

/// One value, lists opened.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Item<'p> {
    /// Null.
    Null,
    /// True or false.
    Bool(bool),
    /// A number, as it was written.
    Number(&'p str),
    /// A text.
    Text(&'p str),
    /// An object, and its members where they are at hand.
    Object(Option<&'p Document>),
}

/// What was found, with the text it was found in.
#[derive(Debug, Clone, Copy)]
pub struct Projected<'p> {
    text: &'p str,
    found: &'p Projection,
}

/// How many marks there are.
const MARKS: usize = 1024;

/// A mark of a name: a number below [`MARKS`].
fn mark(name: &[u8]) -> usize {
    let byte = |at: usize| name.get(at).copied().map_or(0, usize::from);
    let last = name.len().wrapping_sub(1);
    (name.len() * 7 + byte(0) * 31 + byte(name.len() / 2) * 67 + byte(last) * 131) % MARKS
}

impl Object {
    fn find(&self, name: &str) -> Option<Member> {
        let mark = mark(name.as_bytes());
        let marks = self.marks.get(mark / 64)?;
        if marks >> (mark % 64) & 1 == 0 {
            return None;
        }
        self.names.get(name).copied()
    }
}

impl Projector {
    /// A projector for these fields and the values of these names, each name once. A slot's number is the position in its list.
    pub fn new(fields: Vec<FieldPath>, names: &[String]) -> Self {
        let mut projector = Self {
            fields: Vec::new(),
            routes: Vec::new(),
            values: names.iter().map(|name| EveryWay::new(name)).collect(),
            objects: vec![Object::default()],
            members: 0,
            walks: false,
        };
        let mut known = HashMap::with_hasher(FixedState::default());
        for (slot, name) in names.iter().enumerate() {
            let cuts = cuts(name);
            for (at, &start) in cuts.iter().enumerate() {
                for &end in cuts.iter().skip(at + 1) {
                    projector.member(&mut known, name, start, end);
                }
            }
            if let Some(&object) = known.get(name.as_str())
                && let Some(object) = projector.objects.get_mut(object)
            {
                object.slot = Some(slot);
            }
        }
        projector.routes = fields
            .iter()
            .map(|field| projector.route(&mut known, field))
            .collect();
        projector.fields = fields;
        projector
    }

    /// Finds the leaves of events as well, see [`Projected::leaves`].
    #[must_use]
    pub fn with_leaves(self) -> Self {
        Self {
            walks: true,
            ..self
        }
    }

    /// The fields, by slot.
    pub fn fields(&self) -> &[FieldPath] {
        &self.fields
    }

    /// The names whose values are found, by slot.
    pub fn values(&self) -> &[EveryWay] {
        &self.values
    }

    fn route(&mut self, known: &mut Known, field: &FieldPath) -> Route {
        let name = field.as_str();
        let mut cuts = cuts(name);
        if field.is_one_name() {
            cuts = vec![0, name.len() + 1];
        }
        let mut route = Route { cuts: Vec::new() };
        for (at, &start) in cuts.iter().enumerate() {
            let mut steps = Vec::new();
            for (next, &end) in cuts.iter().enumerate().skip(at + 1).rev() {
                let next = (next + 1 < cuts.len()).then_some(next);
                let member = self.member(known, name, start, end);
                steps.push(Step {
                    member,
                    element: None,
                    next,
                });
                let element = name.get(start..end - 1).and_then(element_of);
                if let Some((list, element)) = element {
                    let member = self.member(known, name, start, start + list.len() + 1);
                    steps.push(Step {
                        member,
                        element: Some(element),
                        next,
                    });
                }
            }
            route.cuts.push(steps);
        }
        route
    }

    /// The number of the member that a part of a name stands for, from one cut to before another, in the object that the part before leads to.
    fn member(&mut self, known: &mut Known, name: &str, start: usize, end: usize) -> usize {
        let mut object_at = |prefix: &str, objects: &mut Vec<Object>| {
            *known.entry_ref(prefix).or_insert_with(|| {
                objects.push(Object::default());
                objects.len() - 1
            })
        };
        let inside = match start.checked_sub(1).and_then(|end| name.get(..end)) {
            // The event itself, which is not the object under the empty name.
            None => 0,
            Some(prefix) => object_at(prefix, &mut self.objects),
        };
        let prefix = name.get(..end - 1).unwrap_or(name);
        let object = object_at(prefix, &mut self.objects);
        let name = name.get(start..end - 1).unwrap_or_default();
        let next = self.members;
        let Some(inside) = self.objects.get_mut(inside) else {
            return next;
        };
        let mark = mark(name.as_bytes());
        if let Some(marks) = inside.marks.get_mut(mark / 64) {
            *marks |= 1 << (mark % 64);
        }
        let member = *inside.names.entry_ref(name).or_insert(Member {
            number: next,
            object,
        });
        self.members += usize::from(member.number == next);
        member.number
    }

    /// Finds the fields of one event.
    ///
    /// # Errors
    /// The text is no event.
    pub fn project<'p>(
        &self,
        bytes: &'p [u8],
        into: &'p mut Projection,
    ) -> Result<Projected<'p>, EventError> {
        into.begin(self);
        let text = text_of(bytes).unwrap_or_default();
        let mut pass = Pass {
            projector: self,
            text,
            scanner: Scanner::new(text.as_bytes(), 0),
            into: &mut *into,
        };
        match pass.event() {
            Ok(()) => pass.follow_all(),
            Err(Stop::Broken | Stop::Odd) => {
                let document = parse_document(bytes)?;
                into.begin(self);
                self.take(&document, into);
            }
        }
        Ok(Projected { text, found: into })
    }

    /// Takes the fields from a document: the plain way, which the pass over the text must agree with.
    pub fn project_document<'p>(
        &self,
        document: &Document,
        into: &'p mut Projection,
    ) -> Projected<'p> {
        into.begin(self);
        self.take(document, into);
        Projected {
            text: "",
            found: into,
        }
    }

    fn take(&self, document: &Document, into: &mut Projection) {
        for (slot, path) in self.values.iter().enumerate() {
            path.members(document, &mut |member| {
                let start = into.items.len();
                flatten(member, &mut |value| {
                    let stored = match value {
                        Value::Null => Stored::Null,
                        Value::Bool(value) => Stored::Bool(*value),
                        Value::Number(number) => {
                            Stored::Number(into.add(|texts| texts.push_str(number.as_str())))
                        }
                        Value::String(text) => Stored::Text(into.add(|texts| texts.push_str(text))),
                        Value::Array(_) | Value::Object(_) => Stored::Object,
                    };
                    into.items.push(stored);
                    Visit::Continue
                });
                into.end_run(slot, start);
                Visit::Continue
            });
        }
        for (slot, path) in self.fields.iter().enumerate() {
            let piece = path
                .get(document)
                .map(|value| into.add(|texts| texts.push_str(&value.to_string())));
            if let Some(field) = into.fields.get_mut(slot) {
                *field = piece;
            }
        }
    }
}

/// The objects found so far by the beginnings of names that lead to them.
type Known = HashMap<String, usize, FixedState>;

/// Where the parts of a name begin, and one past its end.
fn cuts(name: &str) -> Vec<usize> {
    let after_dots = name.match_indices('.').map(|(at, _)| at + 1);
    std::iter::once(0)
        .chain(after_dots)
        .chain([name.len() + 1])
        .collect()
}

/// `name[3]` as `name` and 3.
fn element_of(name: &str) -> Option<(&str, usize)> {
    let (list, digit) = name.strip_suffix(']')?.rsplit_once('[')?;
    match digit.as_bytes() {
        [digit @ b'0'..=b'9'] => Some((list, usize::from(digit - b'0'))),
        _ => None,
    }
}

impl Projection {
    /// Forgets the last event.
    fn begin(&mut self, projector: &Projector) {
        self.visit += 1;
        self.first_visit = self.visit;
        self.members
            .resize(projector.members.max(self.members.len()), Seen::default());
        self.objects
            .resize(projector.objects.len().max(self.objects.len()), (0, 0));
        self.fields.clear();
        self.fields.resize(projector.fields.len(), None);
        self.slots.clear();
        self.slots.resize(projector.values.len(), Slot::default());
        self.filled.clear();
        self.runs.clear();
        self.items.clear();
        self.texts.clear();
        self.nodes.clear();
    }

    fn add(&mut self, write: impl FnOnce(&mut String)) -> Piece {
        let start = self.texts.len();
        write(&mut self.texts);
        Piece::Added(Span {
            start,
            end: self.texts.len(),
        })
    }

    /// Makes the items from a start on the values of one more member.
    fn end_run(&mut self, number: usize, start: usize) {
        let Some(slot) = self.slots.get_mut(number) else {
            return;
        };
        if slot.runs.is_none() {
            self.filled.push(number);
        }
        let number = self.runs.len();
        self.runs.push(Run {
            start,
            end: self.items.len(),
            next: None,
        });
        slot.runs = match slot.runs {
            None => Some((number, number)),
            Some((first, last)) => {
                if let Some(last) = self.runs.get_mut(last) {
                    last.next = Some(number);
                }
                Some((first, number))
            }
        };
    }
}

impl<'p> Projected<'p> {
    fn piece(self, piece: Piece) -> &'p str {
        let (text, span) = match piece {
            Piece::Event(span) => (self.text, span),
            Piece::Added(span) => (self.found.texts.as_str(), span),
        };
        text.get(span.start..span.end).unwrap_or_default()
    }

    /// The field in a slot.
    pub fn field(self, slot: usize) -> Field<'p> {
        match self.found.fields.get(slot).copied().flatten() {
            None => Field::Missing,
            Some(piece) => match self.piece(piece) {
                "null" => Field::Missing,
                json => Field::Json(json),
            },
        }
    }

    /// The values of the name in a slot, one list of them for each member that was found.
    pub fn members(self, slot: usize) -> impl Iterator<Item = impl Iterator<Item = Item<'p>>> {
        let mut next = self
            .found
            .slots
            .get(slot)
            .and_then(|slot| slot.runs)
            .map(|(first, _)| first);
        std::iter::from_fn(move || {
            let run = self.found.runs.get(next?)?;
            next = run.next;
            let items = self.found.items.get(run.start..run.end)?;
            Some(items.iter().map(move |item| self.item(*item)))
        })
    }

    /// The leaves; `None` if nobody asked for them, or if the document must be looked at.
    pub fn leaves(self) -> Option<Leaves<'p>> {
        self.found.nodes.leaves(self.text)
    }

    /// The slots in which there are values.
    pub fn found(self) -> impl Iterator<Item = usize> {
        self.found.filled.iter().copied()
    }

    /// The values of the name in a slot.
    pub fn items(self, slot: usize) -> impl Iterator<Item = Item<'p>> {
        self.members(slot).flatten()
    }

    fn item(self, stored: Stored) -> Item<'p> {
        match stored {
            Stored::Null => Item::Null,
            Stored::Bool(value) => Item::Bool(value),
            Stored::Number(piece) => Item::Number(self.piece(piece)),
            Stored::Text(piece) => Item::Text(self.piece(piece)),
            Stored::Object => Item::Object(None),
        }
    }
}

impl<'v> From<&'v Value> for Item<'v> {
    /// A list counts as an object: what is in it is for the caller to show.
    fn from(value: &'v Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => Self::Number(number.as_str()),
            Value::String(text) => Self::Text(text),
            Value::Object(members) => Self::Object(Some(members)),
            Value::Array(_) => Self::Object(None),
        }
    }
}

/// One rule's view of a projection: the slots of the fields it asked for, in its order.
#[derive(Debug, Clone, Copy)]
pub struct ProjectedFields<'p> {
    /// What was found.
    pub projected: Projected<'p>,
    /// The rule's slots.
    pub slots: &'p [usize],
}

impl Fields for ProjectedFields<'_> {
    fn field(&self, position: usize) -> Field<'_> {
        self.slots
            .get(position)
            .map_or(Field::Missing, |&slot| self.projected.field(slot))
    }
}

#[cfg(test)]
mod tests;
