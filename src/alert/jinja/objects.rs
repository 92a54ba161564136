//! What Python prints in a way of its own: ranges, and the views of an object's members.

use super::filters::invalid;
use super::values::{pairs, repr};
use minijinja::Error;
use minijinja::value::{Enumerator, Object, ObjectRepr, Value};
use std::sync::Arc;

/// More items than a text could want.
const MAX_RANGE: u64 = 100_000;

/// A list that prints as something else.
#[derive(Debug)]
struct Named {
    /// How it prints; `None`: its name around its items.
    repr: Option<String>,
    name: &'static str,
    items: Vec<Value>,
}

impl Object for Named {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.items.get(key.as_usize()?).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.items.len())
    }
}

/// Writes one of these objects; false when the value is none.
pub(super) fn write_repr(value: &Value, out: &mut String) -> bool {
    let Some(named) = value.downcast_object_ref::<Named>() else {
        return false;
    };
    match &named.repr {
        Some(repr) => out.push_str(repr),
        None => {
            let items: Vec<String> = named.items.iter().map(repr).collect();
            out.push_str(&format!("{}([{}])", named.name, items.join(", ")));
        }
    }
    true
}

/// `range([start,] stop[, step])`.
pub(super) fn range(first: i64, second: Option<i64>, step: Option<i64>) -> Result<Value, Error> {
    let (start, stop) = second.map_or((0, first), |stop| (first, stop));
    let step = step.unwrap_or(1);
    let span = match step {
        0 => return Err(invalid("range: the step is 0")),
        1.. => stop.saturating_sub(start),
        _ => start.saturating_sub(stop),
    };
    let count = u64::try_from(span).map_or(0, |span| span.div_ceil(step.unsigned_abs()));
    if count > MAX_RANGE {
        return Err(invalid("range: more than 100000 items"));
    }
    let items = std::iter::successors(Some(start), |at| at.checked_add(step));
    let count = usize::try_from(count).unwrap_or_default();
    Ok(Value::from_object(Named {
        repr: Some(if step == 1 {
            format!("range({start}, {stop})")
        } else {
            format!("range({start}, {stop}, {step})")
        }),
        name: "range",
        items: items.take(count).map(Value::from).collect(),
    }))
}

/// `keys()`, `values()` and `items()` of an object; `None`: another method.
pub(super) fn view(value: &Value, method: &str) -> Option<Value> {
    let members = pairs(value);
    let (name, items) = match method {
        "keys" => ("dict_keys", members.map(|(key, _)| key).collect()),
        "values" => ("dict_values", members.map(|(_, item)| item).collect()),
        "items" => ("dict_items", members.map(Value::from).collect()),
        _ => return None,
    };
    Some(Value::from_object(Named {
        repr: None,
        name,
        items,
    }))
}
