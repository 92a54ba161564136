//! The values that fields of an index have: what a new_term rule knows when it begins.

use super::client::{Client, EsError, path_of};
use super::search::all_shards;
use reqwest::Method;
use serde_json::{Value, json};

/// Values asked for at once.
const PAGE: usize = 1000;

impl Client {
    /// Hands over each combination of values that the fields have in the documents that match, page by page. No such index or field: none.
    ///
    /// # Errors
    /// The server is not reachable or refuses the query, such as one about a field of type text.
    pub async fn values(
        &self,
        index: &str,
        query: &Value,
        fields: &[String],
        mut take: impl FnMut(Vec<Value>),
    ) -> Result<(), EsError> {
        let path = format!("{}/_search?ignore_unavailable=true", path_of(index));
        let sources: Vec<Value> = fields
            .iter()
            .enumerate()
            .map(|(place, field)| json!({place.to_string(): {"terms": {"field": field}}}))
            .collect();
        let mut after = None;
        loop {
            let mut composite = json!({"size": PAGE, "sources": sources});
            if let (Some(after), Some(composite)) = (after.take(), composite.as_object_mut()) {
                composite.insert("after".to_owned(), after);
            }
            let body =
                json!({"size": 0, "query": query, "aggs": {"values": {"composite": composite}}});
            let mut answer = self.call(Method::POST, &path, Some(&body)).await?;
            all_shards(self, &answer)?;
            // Without any index there is no aggregation.
            let Some(values) = answer.pointer_mut("/aggregations/values") else {
                return Ok(());
            };
            let Some(Value::Array(buckets)) = values.get_mut("buckets").map(Value::take) else {
                return Err(self.odd("an aggregation without buckets"));
            };
            after = values.get_mut("after_key").map(Value::take);
            let is_last = buckets.len() < PAGE || after.is_none();
            for mut bucket in buckets {
                let mut value = |place: usize| {
                    let value = bucket.pointer_mut(&format!("/key/{place}"));
                    value.map(Value::take).unwrap_or_default()
                };
                take((0..fields.len()).map(&mut value).collect());
            }
            if is_last {
                return Ok(());
            }
        }
    }
}
