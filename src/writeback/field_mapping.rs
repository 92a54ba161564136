//! How a server types the fields of an index.

use super::client::{Client, EsError, path_of};
use reqwest::Method;
use serde_json::{Map, Value, json};

impl Client {
    /// The mapping of an index with its analysis settings, `{mappings, settings}`. Of several indices that a pattern names, the one whose name
    /// comes last, the newest of those with dates, wins where they differ.
    ///
    /// # Errors
    /// The server is not reachable or refuses, or no index fits.
    pub async fn field_mapping(&self, index: &str) -> Result<Value, EsError> {
        let path = path_of(index);
        let answer = self
            .call(Method::GET, &format!("{path}/_mapping"), None)
            .await?;
        let mut indices: Vec<(&String, &Value)> =
            answer.as_object().into_iter().flatten().collect();
        indices.sort_by_key(|(name, _)| *name);
        let mut mappings = Map::new();
        for (_, index) in &indices {
            if let Some(Value::Object(own)) = index.get("mappings") {
                merge(&mut mappings, own);
            }
        }
        let Some((newest, _)) = indices.last() else {
            return Err(self.odd(&format!("no index is like {index:?}")));
        };
        let settings = self
            .call(Method::GET, &format!("{}/_settings", path_of(newest)), None)
            .await?;
        let analysis = settings
            .get(newest.as_str())
            .and_then(|index| index.pointer("/settings/index/analysis"));
        Ok(json!({"mappings": mappings, "settings": {"analysis": analysis}}))
    }
}

/// Lays one mapping over another, field by field.
fn merge(into: &mut Map<String, Value>, over: &Map<String, Value>) {
    for (name, value) in over {
        match (into.get_mut(name), value) {
            (Some(Value::Object(into)), Value::Object(over)) if !is_typed(into, over) => {
                merge(into, over);
            }
            _ => {
                into.insert(name.clone(), value.clone());
            }
        }
    }
}

/// Whether two fields have types, which are not mixed.
fn is_typed(one: &Map<String, Value>, other: &Map<String, Value>) -> bool {
    let is_leaf = |field: &Map<String, Value>| field.get("type").is_some_and(Value::is_string);
    is_leaf(one) || is_leaf(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_indices_win_field_by_field() {
        let mut into = json!({"properties": {"a": {"type": "text"}, "o": {"properties": {"x": {"type": "long"}}}}});
        let over = json!({"properties": {"a": {"type": "keyword"}, "o": {"properties": {"y": {"type": "ip"}}}}});
        let both = json!({"properties": {
            "a": {"type": "keyword"},
            "o": {"properties": {"x": {"type": "long"}, "y": {"type": "ip"}}}
        }});
        merge(into.as_object_mut().unwrap(), over.as_object().unwrap());
        assert_eq!(into, both);
    }
}
