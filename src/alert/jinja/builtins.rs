//! Filters of minijinja that do the right thing once they get what Python would give them.

use super::values::text;
use minijinja::value::{Rest, Value, ValueOrKwargs};
use minijinja::{Environment, Error, State, filters};

/// Registers each filter twice: as it is, under a name that no template can use, and as what prepares its value.
pub(super) fn add(environment: &mut Environment<'static>) {
    environment.add_filter("builtin upper", filters::upper);
    environment.add_filter("upper", of_text("builtin upper"));
    environment.add_filter("builtin lower", filters::lower);
    environment.add_filter("lower", of_text("builtin lower"));
    environment.add_filter("builtin title", filters::title);
    environment.add_filter("title", of_text("builtin title"));
    environment.add_filter("builtin capitalize", filters::capitalize);
    environment.add_filter("capitalize", of_text("builtin capitalize"));
    environment.add_filter("builtin trim", filters::trim);
    environment.add_filter("trim", of_text("builtin trim"));
    environment.add_filter("builtin wordcount", minijinja_contrib::filters::wordcount);
    environment.add_filter("wordcount", of_text("builtin wordcount"));
    environment.add_filter("builtin map", filters::map);
    environment.add_filter("map", of_items("builtin map"));
    environment.add_filter("builtin select", filters::select);
    environment.add_filter("select", of_items("builtin select"));
    environment.add_filter("builtin reject", filters::reject);
    environment.add_filter("reject", of_items("builtin reject"));
    environment.add_filter("builtin selectattr", filters::selectattr);
    environment.add_filter("selectattr", of_items("builtin selectattr"));
    environment.add_filter("builtin rejectattr", filters::rejectattr);
    environment.add_filter("rejectattr", of_items("builtin rejectattr"));
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
