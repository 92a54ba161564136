//! `tripline explain`: why a rule's filter picks an event or does not.

use crate::config::Colours;
use crate::filter::{Clue, Filter, FilterEvent};

/// The clause tree with ✓ or ✗ for each clause, what the event has there, and one sentence on what decided.
pub(super) fn render(filter: &Filter, event: &FilterEvent<'_>, colours: Colours) -> String {
    let explanation = filter.explain(event);
    let mut text = String::new();
    draw(&explanation.root, None, 0, colours, &mut text);
    text.push('\n');
    text.push_str(&explanation.sentence());
    text.push('\n');
    text
}

/// How many clauses with the same mark are shown one below the other.
const MAX_ALIKE: usize = 8;
/// A value longer than this, in characters, is not shown again for the next clause.
const MAX_AGAIN: usize = 30;

fn mark(matched: bool, colours: Colours) -> &'static str {
    match (matched, colours) {
        (true, Colours::Off) => "✓ ",
        (false, Colours::Off) => "✗ ",
        (true, Colours::On) => "\u{1b}[32m✓\u{1b}[0m ",
        (false, Colours::On) => "\u{1b}[31m✗\u{1b}[0m ",
    }
}

fn draw(clue: &Clue, above: Option<&Clue>, depth: usize, colours: Colours, text: &mut String) {
    text.push_str(&"  ".repeat(depth));
    text.push_str(mark(clue.matched, colours));
    text.push_str(&clue.asks);
    if let Some(seen) = &clue.seen {
        let again = above.is_some_and(|above| above.seen == clue.seen);
        text.push_str("   ← ");
        text.push_str(if again && seen.chars().count() > MAX_AGAIN {
            "the same"
        } else {
            seen
        });
    }
    text.push('\n');
    let mut above = None;
    for matched in [true, false] {
        let alike: Vec<&Clue> = clue
            .parts
            .iter()
            .filter(|part| part.matched == matched)
            .collect();
        let most = if alike.len() > MAX_ALIKE + 1 {
            MAX_ALIKE
        } else {
            alike.len()
        };
        for part in alike.iter().take(most) {
            draw(part, above, depth + 1, colours, text);
            above = Some(*part);
        }
        if let more @ 1.. = alike.len() - most {
            text.push_str(&"  ".repeat(depth + 1));
            text.push_str(mark(matched, colours));
            text.push_str(&format!("{more} more\n"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Data, Mapping as Members, Node, Span};
    use crate::event::WallTime;
    use crate::filter::Mapping;

    fn text(text: &str) -> Node {
        Node::text(text, &Span::nowhere())
    }

    fn object(key: &str, value: Node) -> Node {
        Node {
            data: Data::Map(Members(vec![(text(key), value)])),
            span: Span::nowhere(),
        }
    }

    #[test]
    fn the_tree_shows_what_was_compared() {
        let query = object(
            "query",
            text("host:web-* AND NOT response:200 AND level:ERROR"),
        );
        let filter = Filter::load(&[object("query_string", query)], &Mapping::dynamic()).unwrap();
        let document =
            serde_json::from_str(r#"{"host": "db-1", "response": 500, "level": "error"}"#).unwrap();
        let event = FilterEvent {
            document: &document,
            index: None,
            id: None,
            now: WallTime(0),
        };
        let expected = "\
✗ all of
  ✓ level is \"error\"   ← \"error\" (terms: error)
  ✓ none of
    ✗ response is 200   ← 500
  ✗ host begins with \"web-\"   ← \"db-1\" (terms: db, 1)

The event does not match: the filter asks that host begins with \"web-\", but the event has \"db-1\" (terms: db, 1).
";
        assert_eq!(render(&filter, &event, Colours::Off), expected);
    }
}
