//! Many changes in one request: `_bulk`.

use super::client::{Client, EsError, error_kind, error_reason};
use super::index_name;
use crate::store::documents::Outgoing;
use serde_json::{Value, json};

/// What became of the changes of a request.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Positions of those that are done.
    pub(super) done: Vec<u64>,
    /// Those that will never be taken.
    pub(super) refused: Vec<Refused>,
    /// How many may be taken later.
    pub(super) later: usize,
    /// What the server said of one of them.
    pub(super) why_later: Option<String>,
}

/// A change that the server will never take.
#[derive(Debug)]
pub(super) struct Refused {
    /// Its position in the queue.
    pub(super) position: u64,
    /// The server's index.
    pub(super) index: String,
    /// The document.
    pub(super) id: String,
    /// The error's type.
    pub(super) kind: String,
    /// The server's words.
    pub(super) reason: String,
}

/// The request's body: a line that says what to do, and for documents written one with the document.
pub(super) fn body(writeback_index: &str, changes: &[Outgoing]) -> String {
    let mut lines = String::new();
    for change in changes {
        let target = json!({"_index": index_name(writeback_index, change.index), "_id": change.id});
        let action = if change.json.is_some() {
            "index"
        } else {
            "delete"
        };
        lines.push_str(&json!({action: target}).to_string());
        lines.push('\n');
        if let Some(document) = &change.json {
            lines.push_str(document);
            lines.push('\n');
        }
    }
    lines
}

/// Sends changes and reads what became of each.
pub(super) async fn send(
    client: &Client,
    writeback_index: &str,
    changes: &[Outgoing],
) -> Result<Outcome, EsError> {
    let answer = client
        .call_lines("/_bulk", body(writeback_index, changes))
        .await?;
    let items = answer
        .get("items")
        .and_then(Value::as_array)
        .filter(|items| items.len() == changes.len())
        .ok_or_else(|| client.odd("_bulk does not answer for every item"))?;
    let mut outcome = Outcome::default();
    for (change, item) in changes.iter().zip(items) {
        let result = item
            .as_object()
            .and_then(|item| item.values().next())
            .unwrap_or(&Value::Null);
        outcome.add(writeback_index, change, result);
    }
    Ok(outcome)
}

impl Outcome {
    fn add(&mut self, writeback_index: &str, change: &Outgoing, result: &Value) {
        let status = result.get("status").and_then(Value::as_u64).unwrap_or(500);
        let kind = error_kind(result);
        // A document to delete that is not there: the end is the same. (A missing index has an error; a missing document has none.)
        let gone = change.json.is_none() && status == 404 && result.get("error").is_none();
        if (200..300).contains(&status) || gone {
            self.done.push(change.position);
        } else if is_final(status, &kind) {
            self.refused.push(Refused {
                position: change.position,
                index: index_name(writeback_index, change.index),
                id: change.id.clone(),
                reason: error_reason(result).unwrap_or_default(),
                kind,
            });
        } else {
            self.later += 1;
            self.why_later =
                error_reason(result).map(|reason| format!("{status} {kind}: {reason}"));
        }
    }
}

/// Whether trying again can't help. What an operator may put right (credentials, a missing or closed index, a full disk, too many shards) is
/// tried again; a document that does not fit the mapping never will.
pub(super) fn is_final(status: u64, kind: &str) -> bool {
    const CURABLE: [&str; 3] = [
        "cluster_block_exception",
        "index_closed_exception",
        "validation_exception",
    ];
    (400..500).contains(&status)
        && !matches!(status, 401 | 403 | 404 | 408 | 429)
        && !CURABLE.contains(&kind)
}
