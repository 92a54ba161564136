//! The projector: what it picks out of a text is what the parsed document has, and both refuse the same texts for the same reasons.

use std::collections::BTreeSet;
use tripline::event::FieldPath;
use tripline::event::json::parse_document;
use tripline::event::project::{Item, Projected, Projection, Projector};

/// The longest list of names that is tried.
const NAMES: usize = 16;

fn shown(projector: &Projector, projected: Projected<'_>) -> Vec<String> {
    let fields = (0..projector.fields().len()).map(|slot| projected.field(slot).to_value());
    let values = (0..projector.values().len()).map(|slot| {
        let members = projected.members(slot);
        members
            .map(Iterator::collect)
            .collect::<Vec<Vec<Item<'_>>>>()
    });
    fields
        .map(|field| format!("{field:?}"))
        .chain(values.map(|values| format!("{values:?}")))
        .collect()
}

/// Names with commas between them, and an event on the second line.
pub fn agrees(input: &[u8]) {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let (names, event) = input.split_at(end);
    let event = event.strip_prefix(b"\n").unwrap_or(event);
    let names = String::from_utf8_lossy(names);
    let names: BTreeSet<&str> = names.split(',').take(NAMES).collect();
    let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
    let fields = names.iter().map(|name| FieldPath::new(name.as_str()));
    let projector = Projector::new(fields.collect(), &names);
    let mut used = Projection::default();
    // What the event before left behind must not show.
    let _before = projector.project(br#"{"a": {"b": [1, {"c": 2}]}, "message": "x"}"#, &mut used);
    let found = projector.project(event, &mut used);
    match (parse_document(event), found) {
        (Ok(document), Ok(found)) => {
            let mut plain = Projection::default();
            let expected = projector.project_document(&document, &mut plain);
            assert_eq!(shown(&projector, found), shown(&projector, expected));
            for (slot, path) in projector.fields().iter().enumerate() {
                let expected = path.get_some(&document).cloned().unwrap_or_default();
                assert_eq!(found.field(slot).to_value(), expected, "{path}");
            }
        }
        (expected, found) => assert_eq!(expected.err(), found.map(|_| ()).err()),
    }
}
