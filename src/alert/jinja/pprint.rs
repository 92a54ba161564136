//! Python's `pprint.pformat`, for the filter `pprint`.

use super::values::{pairs, repr};
use minijinja::value::{Value, ValueKind};

const WIDTH: usize = 80;

/// Lists and objects that do not fit on a line get a line per member, objects by key.
pub(super) fn pprint(value: &Value) -> String {
    let mut out = String::new();
    write(value, 0, 0, &mut out);
    out
}

/// Writes a value that starts in column `indent` and is followed by `allowance` closing characters.
fn write(value: &Value, indent: usize, allowance: usize, out: &mut String) {
    let line = repr(&sorted(value));
    if line.chars().count() + indent + allowance <= WIDTH {
        out.push_str(&line);
        return;
    }
    match value.kind() {
        ValueKind::Map => {
            out.push('{');
            let mut members: Vec<(Value, Value)> = pairs(value).collect();
            members.sort_by(|(a, _), (b, _)| a.cmp(b));
            let last = members.len().saturating_sub(1);
            for (at, (key, item)) in members.iter().enumerate() {
                let key = repr(key);
                new_line(at, indent, out);
                out.push_str(&key);
                out.push_str(": ");
                let allowance = if at == last { allowance + 1 } else { 1 };
                write(item, indent + key.chars().count() + 3, allowance, out);
            }
            out.push('}');
        }
        ValueKind::Seq if value.len() != Some(0) => {
            let (open, close) = if value.is_tuple() {
                ('(', ')')
            } else {
                ('[', ']')
            };
            out.push(open);
            let items: Vec<Value> = value.try_iter().into_iter().flatten().collect();
            let last = items.len().saturating_sub(1);
            for (at, item) in items.iter().enumerate() {
                new_line(at, indent, out);
                let allowance = if at == last { allowance + 1 } else { 1 };
                write(item, indent + 1, allowance, out);
            }
            out.push(close);
        }
        _ => out.push_str(&line),
    }
}

fn new_line(at: usize, indent: usize, out: &mut String) {
    if at > 0 {
        out.push_str(",\n");
        out.extend(std::iter::repeat_n(' ', indent + 1));
    }
}

/// The value with all its objects in the order of their keys.
fn sorted(value: &Value) -> Value {
    match value.kind() {
        ValueKind::Map => {
            let mut members: Vec<(Value, Value)> = pairs(value)
                .map(|(key, item)| (key, sorted(&item)))
                .collect();
            members.sort_by(|(a, _), (b, _)| a.cmp(b));
            Value::from_pairs(members)
        }
        ValueKind::Seq if !value.is_tuple() => value
            .try_iter()
            .into_iter()
            .flatten()
            .map(|item| sorted(&item))
            .collect(),
        _ => value.clone(),
    }
}
