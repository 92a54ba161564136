//! Filters of minijinja that do the right thing once they get what Python would give them.

use super::values::text;
use minijinja::value::{Rest, Value, ValueOrKwargs};
use minijinja::{Environment, Error, State, filters};

/// Registers each filter twice: as it is, under a name that no template can use, and as what prepares its value.
macro_rules! prepared {
    ($environment:ident, $prepare:ident, $($name:literal => $filter:path),+ $(,)?) => {$(
        $environment.add_filter(concat!("builtin ", $name), $filter);
        $environment.add_filter($name, $prepare(concat!("builtin ", $name)));
    )+};
}

pub(super) fn add(environment: &mut Environment<'static>) {
    prepared!(
        environment, of_text,
        "upper" => filters::upper,
        "lower" => filters::lower,
        "title" => filters::title,
        "capitalize" => filters::capitalize,
        "trim" => filters::trim,
        "wordcount" => minijinja_contrib::filters::wordcount,
    );
    prepared!(
        environment, of_items,
        "map" => filters::map,
        "select" => filters::select,
        "reject" => filters::reject,
        "selectattr" => filters::selectattr,
        "rejectattr" => filters::rejectattr,
    );
}

/// A filter of texts: any other value is first printed as Python prints it.
fn of_text(
    name: &'static str,
) -> impl Fn(&mut State<'_, '_>, Value, Rest<ValueOrKwargs>) -> Result<Value, Error> {
    move |state, value, rest| {
        let value = match value.as_str() {
            Some(_) => value,
            None => Value::from(text(&value)),
        };
        call(state, name, value, rest)
    }
}

/// A filter of items: of whatever is false there are none, as of `0` or `None`.
fn of_items(
    name: &'static str,
) -> impl Fn(&mut State<'_, '_>, Value, Rest<ValueOrKwargs>) -> Result<Value, Error> {
    move |state, value, rest| {
        if !value.is_true() {
            return Ok(Value::from(Vec::<Value>::new()));
        }
        call(state, name, value, rest)
    }
}

fn call(
    state: &mut State<'_, '_>,
    name: &str,
    value: Value,
    rest: Rest<ValueOrKwargs>,
) -> Result<Value, Error> {
    let mut args = vec![value];
    args.extend(rest.into_values());
    state.apply_filter(name, &args)
}
