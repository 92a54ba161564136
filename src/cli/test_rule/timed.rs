//! Events with their times, and in the order of them.

use crate::event::json::EventError;
use crate::event::project::{Projection, Projector};
use crate::event::{EventTime, Field, FieldPath, Meta, RawEvent, python};
use crate::rule::{Rule, TimeError};
use crate::writeback::search::Hit;
use bytes::Bytes;
use std::sync::Arc;

/// Where events come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Origin {
    /// From the rule's index: alerts show it.
    Index,
    /// From a file or pipe: there is no index to show.
    Elsewhere,
}

/// Events, and the time of each.
#[derive(Debug, Default)]
pub(in crate::cli) struct Timed {
    pub(in crate::cli) times: Vec<EventTime>,
    pub(in crate::cli) events: Vec<RawEvent>,
}

/// What was found in documents. They are counted from 1.
#[derive(Debug, Default)]
pub(in crate::cli) struct Read {
    pub(in crate::cli) timed: Timed,
    /// The first document without a usable time.
    pub(in crate::cli) untimed: Option<(usize, TimeError)>,
    /// How many there are of those.
    pub(in crate::cli) untimed_count: u64,
    /// Documents that are none.
    pub(in crate::cli) broken: Vec<(usize, EventError)>,
}

impl Timed {
    pub(in crate::cli) fn len(&self) -> u64 {
        self.events.len() as u64
    }

    /// The first and the last time.
    pub(in crate::cli) fn bounds(&self) -> Option<(EventTime, EventTime)> {
        let (first, last) = (self.times.iter().min()?, self.times.iter().max()?);
        Some((*first, *last))
    }

    /// Sorts by time; events of one time stay in their order.
    pub(in crate::cli) fn sort(&mut self) {
        if self.times.is_sorted() {
            return;
        }
        let times = std::mem::take(&mut self.times);
        let events = std::mem::take(&mut self.events);
        let mut both: Vec<(EventTime, RawEvent)> = times.into_iter().zip(events).collect();
        both.sort_by_key(|(time, _)| *time);
        (self.times, self.events) = both.into_iter().unzip();
    }

    /// Documents that a search found, in its order.
    pub(in crate::cli) fn of_hits(rule: &Rule, hits: &[Hit]) -> Self {
        let mut timed = Self::default();
        for hit in hits {
            let value = rule.time.path.get_some(&hit.source);
            let time = rule.time.read(value.map_or(Field::Missing, Field::Value));
            let before = timed.times.last().copied().unwrap_or(EventTime(i64::MIN));
            // One without a time does not move the clock; the engine counts it.
            let time = time.map_or(before, |time| time.event_time());
            timed.times.push(time);
            let meta = Meta {
                index: Some(hit.index.clone()),
                id: Some(hit.id.clone()),
            };
            timed.events.push(RawEvent {
                bytes: serde_json::to_vec(&hit.source).unwrap_or_default().into(),
                meta: Some(Arc::new(meta)),
            });
        }
        timed
    }

    fn append(&mut self, other: &mut Self) {
        self.times.append(&mut other.times);
        self.events.append(&mut other.events);
    }
}

/// Finds time and id of each document.
pub(in crate::cli) fn read(rule: &Rule, documents: &[Bytes]) -> Read {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let size = documents.len().div_ceil(threads).max(1);
    let parts: Vec<Read> = std::thread::scope(|scope| {
        let parts: Vec<_> = documents
            .chunks(size)
            .enumerate()
            .map(|(part, chunk)| scope.spawn(move || read_part(rule, part * size, chunk)))
            .collect();
        parts
            .into_iter()
            .map(|part| {
                part.join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
            .collect()
    });
    let mut all = Read::default();
    for mut part in parts {
        all.timed.append(&mut part.timed);
        all.broken.append(&mut part.broken);
        all.untimed_count += part.untimed_count;
        all.untimed = all.untimed.or(part.untimed);
    }
    all
}

/// The same for some of them; `before` are before these.
fn read_part(rule: &Rule, before: usize, documents: &[Bytes]) -> Read {
    let projector = Projector::new(vec![rule.time.path.clone(), FieldPath::new("_id")], &[]);
    let (time_slot, id_slot) = (0, 1);
    let mut projection = Projection::default();
    let mut read = Read::default();
    for (number, bytes) in (before + 1..).zip(documents) {
        let projected = match projector.project(bytes, &mut projection) {
            Ok(projected) => projected,
            Err(error) => {
                read.broken.push((number, error));
                continue;
            }
        };
        match rule.time.read(projected.field(time_slot)) {
            Ok(time) => read.timed.times.push(time.event_time()),
            Err(error) => {
                read.untimed.get_or_insert((number, error));
                read.untimed_count += 1;
                continue;
            }
        }
        let id = match projected.field(id_slot) {
            Field::Missing => letters(number),
            id => python::str(&id.to_value()),
        };
        read.timed.events.push(RawEvent {
            bytes: bytes.clone(),
            meta: Some(Arc::new(Meta {
                index: None,
                id: Some(id),
            })),
        });
    }
    read
}

/// An id for a document without one: sixteen letters, as `elastalert-test-rule` gives them, but the same in every run.
fn letters(number: usize) -> String {
    // Spreads the numbers without letting two meet: the first step of splitmix64, whose every part can be undone.
    let mut spread = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    spread = (spread ^ (spread >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    spread = (spread ^ (spread >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    spread ^= spread >> 31;
    // Less than 52 to the power of 16: sixteen digits of 52 letters.
    let mut rest = (u128::from(spread) << 27) | u128::from(spread >> 37);
    (0..16)
        .map(|_| {
            let digit = u8::try_from(rest % 52).unwrap_or(0);
            rest /= 52;
            char::from(match digit {
                0..26 => b'a' + digit,
                _ => b'A' + (digit - 26),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn made_ids_are_sixteen_letters_and_differ() {
        let ids: HashSet<String> = (1..2000).map(letters).collect();
        assert_eq!(ids.len(), 1999);
        for id in ids {
            assert!(
                id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_alphabetic()),
                "{id}"
            );
        }
    }

    #[test]
    fn sorting_keeps_the_order_of_equal_times() {
        let event = |text: &'static str| RawEvent {
            bytes: Bytes::from_static(text.as_bytes()),
            meta: None,
        };
        let mut timed = Timed {
            times: vec![EventTime(2), EventTime(1), EventTime(2), EventTime(1)],
            events: ["a", "b", "c", "d"].map(event).to_vec(),
        };
        timed.sort();
        let order: Vec<&[u8]> = timed.events.iter().map(|event| &event.bytes[..]).collect();
        assert_eq!(order, [b"b", b"d", b"a", b"c"]);
        assert!(timed.times.is_sorted());
    }
}
