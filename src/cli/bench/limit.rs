//! The limit that deciding is measured against: `serde_json` alone, reading the fields that the rules look at and passing over the rest.

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

/// The members of an object that are read.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    members: HashMap<String, Wanted, foldhash::fast::FixedState>,
    /// Bit `n` is set when a name of `n` bytes is among them (63: or more).
    lengths: u64,
}

impl Wanted {
    /// The members that dotted paths lead to, through objects.
    pub(super) fn of(paths: &[String]) -> Self {
        let mut root = Self::default();
        for path in paths {
            let mut object = &mut root;
            for name in path.split('.') {
                object.lengths |= 1 << name.len().min(63);
                object = object.members.entry(name.to_owned()).or_default();
            }
        }
        root
    }

    /// Reads an event; the bytes of the values found, so that nothing can be left out of the work.
    ///
    /// # Errors
    /// It is no JSON object.
    pub(super) fn read(&self, event: &[u8]) -> Result<usize, serde_json::Error> {
        let mut deserializer = serde_json::Deserializer::from_slice(event);
        let found = Object(self).deserialize(&mut deserializer)?;
        deserializer.end().map(|()| found)
    }
}

struct Object<'w>(&'w Wanted);

/// A member's name or a text: borrowed unless it has escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> DeserializeSeed<'de> for Object<'_> {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<usize, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<usize, A::Error> {
        let mut found = 0;
        while let Some(Text(name)) = map.next_key()? {
            let possible = self.0.lengths & (1 << name.len().min(63)) != 0;
            match possible.then(|| self.0.members.get(&*name)).flatten() {
                Some(inner) => found += map.next_value_seed(Object(inner))?,
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<usize, A::Error> {
        let mut found = 0;
        while let Some(inside) = items.next_element_seed(Object(self.0))? {
            found += inside;
        }
        Ok(found)
    }

    fn visit_str<E>(self, text: &str) -> Result<usize, E> {
        Ok(text.len())
    }

    fn visit_bool<E>(self, _: bool) -> Result<usize, E> {
        Ok(1)
    }

    fn visit_u64<E>(self, _: u64) -> Result<usize, E> {
        Ok(1)
    }

    fn visit_i64<E>(self, _: i64) -> Result<usize, E> {
        Ok(1)
    }

    fn visit_f64<E>(self, _: f64) -> Result<usize, E> {
        Ok(1)
    }

    fn visit_unit<E>(self) -> Result<usize, E> {
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_on_the_way_are_read() {
        let wanted = Wanted::of(&["a.b".to_owned(), "c".to_owned()]);
        let event = br#"{"a": [{"b": "xy"}, 1], "c": "\u0041bc", "d": {"c": "no"}, "e": 1e9}"#;
        assert_eq!(wanted.read(event).unwrap(), 2 + 1 + 3);
        assert!(wanted.read(b"{\"c\": tru}").is_err());
    }
}
