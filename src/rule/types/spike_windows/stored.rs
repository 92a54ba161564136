//! Cells as they lie in memory between events. A rule may have millions of keys, most of which have one event: their windows need no memory of their own.

use super::pair::{Current, NEVER, Total, Windows};
use super::{Amount, Cell};
use crate::event::EventTime;
use crate::rule::kept::KeptEvent;
use crate::rule::window::Window;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;

/// A [`Cell`] that nobody is working on.
#[derive(Debug, Default)]
pub(super) struct Stored {
    windows: Kept,
    /// [`Cell::first`].
    first: OptionalTime,
    /// [`Cell::quiet_until`].
    quiet_until: OptionalTime,
}

/// A time, or [`NEVER`] for none.
#[derive(Debug, Clone, Copy)]
struct OptionalTime(EventTime);

#[derive(Debug, Default)]
enum Kept {
    /// The key is forgotten.
    #[default]
    None,
    One(Sole),
    Many(Box<Windows>),
}

/// [`Windows`] with one item in either of them.
#[derive(Debug)]
struct Sole {
    time: EventTime,
    what: Current,
    is_reference: bool,
    /// What the sums of both were before anything was added: one from which all was taken away is not minus zero, see [`Total`].
    cur_is_touched: bool,
    reference_is_touched: bool,
    newest: EventTime,
    reference_newest: EventTime,
    emptied: EventTime,
    born: u32,
    seen: u32,
}

impl Default for OptionalTime {
    fn default() -> Self {
        Self(NEVER)
    }
}

impl From<Option<EventTime>> for OptionalTime {
    fn from(time: Option<EventTime>) -> Self {
        Self(time.unwrap_or(NEVER))
    }
}

impl OptionalTime {
    fn get(self) -> Option<EventTime> {
        (self.0 != NEVER).then_some(self.0)
    }
}

impl Stored {
    /// The cell, to be worked on and stored again.
    pub(super) fn open(&mut self) -> Cell {
        Cell {
            windows: match std::mem::take(&mut self.windows) {
                Kept::None => None,
                Kept::One(sole) => Some(Box::new(sole.open())),
                Kept::Many(windows) => Some(windows),
            },
            first: self.first.get(),
            quiet_until: self.quiet_until.get(),
        }
    }

    /// Whether the key is forgotten.
    pub(super) fn is_forgotten(&self) -> bool {
        matches!(self.windows, Kept::None)
    }

    /// [`Cell::first`].
    pub(super) fn first(&self) -> Option<EventTime> {
        self.first.get()
    }

    /// The events kept.
    pub(super) fn kept(&self) -> impl Iterator<Item = &KeptEvent> {
        let (one, many) = match &self.windows {
            Kept::None => (None, None),
            Kept::One(sole) => (Some(&sole.what.event), None),
            Kept::Many(windows) => (None, Some(windows.cur.iter())),
        };
        let many = many.into_iter().flatten();
        one.into_iter().chain(many.map(|item| &item.what.event))
    }

    /// Both windows, to look at.
    pub(super) fn windows(&self) -> Option<Cow<'_, Windows>> {
        match &self.windows {
            Kept::None => None,
            Kept::One(sole) => Some(Cow::Owned(sole.clone().open())),
            Kept::Many(windows) => Some(Cow::Borrowed(windows)),
        }
    }
}

impl From<Cell> for Stored {
    fn from(cell: Cell) -> Self {
        let windows = match cell.windows {
            None => Kept::None,
            Some(windows) => match Sole::of(&windows) {
                Some(sole) => Kept::One(sole),
                None => Kept::Many(windows),
            },
        };
        Self {
            windows,
            first: cell.first.into(),
            quiet_until: cell.quiet_until.into(),
        }
    }
}

impl Clone for Sole {
    fn clone(&self) -> Self {
        Self {
            what: self.what.clone(),
            ..*self
        }
    }
}

impl Sole {
    /// `None` where something would be lost.
    fn of(windows: &Windows) -> Option<Self> {
        if windows.len() != 1 {
            return None;
        }
        let current = windows.cur.oldest().map(|item| (item.time, &item.what));
        let reference = windows.reference.oldest();
        let (time, what) = match (current, reference) {
            (Some((time, what)), _) => (time, what.clone()),
            (None, Some(item)) => {
                let what = Current {
                    amount: item.what,
                    event: KeptEvent::default(),
                };
                (item.time, what)
            }
            (None, None) => return None,
        };
        let amount = Some(what.amount);
        let (cur, reference) = match current {
            Some(_) => (amount, None),
            None => (None, amount),
        };
        Some(Self {
            time,
            what,
            is_reference: current.is_none(),
            cur_is_touched: is_touched(&windows.cur_total, cur)?,
            reference_is_touched: is_touched(&windows.reference_total, reference)?,
            newest: windows.newest,
            reference_newest: windows.reference_newest,
            emptied: windows.emptied,
            born: windows.born,
            seen: windows.seen,
        })
    }

    fn open(self) -> Windows {
        let amount = self.what.amount;
        let (mut cur, mut reference) = (Window::default(), Window::default());
        let (in_cur, in_reference) = if self.is_reference {
            reference.insert(self.time, amount);
            (None, Some(amount))
        } else {
            cur.insert(self.time, self.what);
            (Some(amount), None)
        };
        Windows {
            cur,
            cur_total: total(self.cur_is_touched, in_cur),
            reference,
            reference_total: total(self.reference_is_touched, in_reference),
            newest: self.newest,
            reference_newest: self.reference_newest,
            emptied: self.emptied,
            born: self.born,
            seen: self.seen,
        }
    }
}

/// The total of at most one amount.
fn total(is_touched: bool, amount: Option<Amount>) -> Total {
    let mut total = Total::default();
    if is_touched {
        total.sum = 0.0;
    }
    if let Some(amount) = amount {
        total.add(amount);
    }
    total
}

/// The opposite of [`total`]; `None` for totals that it does not give.
fn is_touched(found: &Total, amount: Option<Amount>) -> Option<bool> {
    let is_it = |is_touched: &bool| {
        let total = total(*is_touched, amount);
        (total.sum.to_bits(), total.number) == (found.sum.to_bits(), found.number)
    };
    [false, true].into_iter().find(is_it)
}

/// Saved as a [`Cell`] is.
impl Serialize for Stored {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.windows(), self.first.get(), self.quiet_until.get()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Stored {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (windows, first, quiet_until) = Deserialize::deserialize(deserializer)?;
        let cell = Cell {
            windows,
            first,
            quiet_until,
        };
        Ok(cell.into())
    }
}
