//! Fields of a Jira: which one an option means, and how its values are written.

use crate::alerter::SendError;
use crate::event::python;
use serde_json::{Map, Value, json};

/// Kinds of fields that are texts by their schema, yet want objects.
const OBJECTS: [&str; 3] = [
    "com.atlassian.jira.plugin.system.customfieldtypes:multicheckboxes",
    "com.atlassian.jira.plugin.system.customfieldtypes:multiselect",
    "com.atlassian.jira.plugin.system.customfieldtypes:radiobuttons",
];

/// Sets the field that an option such as `jira_story_points` means.
///
/// # Errors
/// Jira has no such field, or it does not take such a value.
pub(super) fn set(
    issue: &mut Map<String, Value>,
    fields: &Value,
    option: &str,
    value: Value,
) -> Result<(), SendError> {
    let content = |message: String| SendError::Content(message);
    let wanted = plain(option.strip_prefix("jira_").unwrap_or(option));
    let field = find(fields, &wanted, "name").or_else(|| find(fields, &wanted, "id"));
    let id = field.and_then(|field| field.get("id")?.as_str());
    let schema = field.and_then(|field| field.get("schema"));
    let (Some(id), Some(schema)) = (id, schema) else {
        return Err(content(format!(
            "Jira has no field {wanted:?} that can be set ({option})"
        )));
    };
    let part = |name: &str| schema.get(name).and_then(Value::as_str);
    let is_object = part("custom").is_some_and(|custom| OBJECTS.contains(&custom));
    let write = |kind: Option<&str>, value: Value| match kind {
        Some("string" | "date" | "datetime") if is_object => Ok(json!({"value": value})),
        Some("string" | "date" | "datetime") => Ok(value),
        Some("option") => Ok(json!({"value": value})),
        Some("number") => whole(&value).ok_or_else(|| {
            content(format!(
                "{option} is {}, but must be a number",
                python::str(&value)
            ))
        }),
        _ => Ok(json!({"name": value})),
    };
    let value = match (part("type"), value) {
        (Some("array"), Value::Array(items)) => {
            let items = items.into_iter().map(|item| write(part("items"), item));
            Value::Array(items.collect::<Result<_, _>>()?)
        }
        (Some("array"), item) => Value::Array(vec![write(part("items"), item)?]),
        (kind, value) => write(kind, value)?,
    };
    issue.insert(id.to_owned(), value);
    Ok(())
}

fn plain(name: &str) -> String {
    name.replace('_', " ").to_lowercase()
}

fn find<'a>(fields: &'a Value, wanted: &str, member: &str) -> Option<&'a Value> {
    fields.as_array()?.iter().find(|field| {
        let name = field.get(member).and_then(Value::as_str);
        name.is_some_and(|name| plain(name) == wanted)
    })
}

/// Without its fraction.
fn whole(value: &Value) -> Option<Value> {
    match value {
        Value::Number(number) if python::is_integer(number) => Some(value.clone()),
        Value::Number(number) => {
            let text = format!("{:.0}", number.as_f64()?.trunc());
            Some(json!(text.parse::<i64>().ok()?))
        }
        Value::String(text) => Some(json!(text.trim().parse::<i64>().ok()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(schema: &Value, value: Value, expected: &Value) {
        let fields = json!([{"id": "f1", "name": "Story Points", "schema": schema}]);
        let mut issue = Map::new();
        let result = set(&mut issue, &fields, "jira_story_points", value);
        let found = match result {
            Ok(()) => issue["f1"].clone(),
            Err(error) => json!(error.to_string()),
        };
        assert_eq!(found, *expected);
    }

    #[test]
    fn the_schema_says_how_a_value_is_written() {
        check(&json!({"type": "string"}), json!("a"), &json!("a"));
        check(&json!({"type": "number"}), json!("5"), &json!(5));
        check(&json!({"type": "number"}), json!(-2.7), &json!(-2));
        check(
            &json!({"type": "option"}),
            json!("a"),
            &json!({"value": "a"}),
        );
        check(&json!({"type": "user"}), json!("a"), &json!({"name": "a"}));
        let texts = json!({"type": "array", "items": "string"});
        check(&texts, json!("a"), &json!(["a"]));
        let boxes = json!({"type": "array", "items": "string", "custom": OBJECTS[0]});
        check(
            &boxes,
            json!(["a", "b"]),
            &json!([{"value": "a"}, {"value": "b"}]),
        );
        check(
            &json!({"type": "number"}),
            json!("many"),
            &json!("jira_story_points is many, but must be a number"),
        );
    }

    #[test]
    fn a_field_is_found_by_name_or_id_or_not_at_all() {
        let fields = json!([{"id": "due_date", "name": "Until", "schema": {"type": "date"}}]);
        let mut issue = Map::new();
        assert!(set(&mut issue, &fields, "jira_due_date", json!("d")).is_ok());
        assert!(set(&mut issue, &fields, "jira_until", json!("d")).is_ok());
        let error = set(&mut issue, &fields, "jira_other_one", json!("d")).unwrap_err();
        let expected = "Jira has no field \"other one\" that can be set (jira_other_one)";
        assert_eq!(error.to_string(), expected);
    }
}
