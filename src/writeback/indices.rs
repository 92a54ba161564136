//! The writeback indices on a server: making them, and copying an old one.

use super::client::{Client, EsError, Generation, path_of};
use super::index_name;
use crate::engine::Index;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

/// ElastAlert's mapping of an index.
fn mapping(index: Index, generation: Generation) -> Value {
    let text = match index {
        Index::Alerts => include_str!("mappings/alerts.json"),
        Index::Status => include_str!("mappings/status.json"),
        Index::Silence => include_str!("mappings/silence.json"),
        Index::Error => include_str!("mappings/error.json"),
        Index::Past => include_str!("mappings/past.json"),
    };
    let text = match generation {
        Generation::Seven => text.replace("date_optional_time", "dateOptionalTime"),
        Generation::Eight => text.to_owned(),
    };
    serde_json::from_str(&text).unwrap_or_default()
}

/// What happens to indices that are there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// They stay as they are.
    Keep,
    /// They are deleted, with all they hold, and made anew.
    Replace,
}

/// Makes the writeback indices that are not there, in ElastAlert's order, each with its mapping from the start. Tells of each deleted or
/// created. A second process doing the same at the same time does no harm.
///
/// # Errors
/// The server is not reachable or refuses; what was made until then stays, and calling this again goes on.
pub async fn create(
    client: &Client,
    writeback_index: &str,
    existing: Existing,
    mut tell: impl FnMut(Change),
) -> Result<(), EsError> {
    let generation = client.version().await?.generation()?;
    for index in Index::ALL {
        let name = index_name(writeback_index, index);
        let path = path_of(&name);
        if client.exists(&path).await? {
            match existing {
                Existing::Keep => continue,
                Existing::Replace => {
                    tell(Change::Deleting(name.clone()));
                    delete(client, &path).await?;
                }
            }
        }
        let body = json!({"mappings": mapping(index, generation)});
        match client.call(Method::PUT, &path, Some(&body)).await {
            Ok(_) => tell(Change::Created(name)),
            Err(EsError::Status { kind, .. }) if kind == "resource_already_exists_exception" => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A change to the indices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// An index is about to be deleted.
    Deleting(String),
    /// An index was made.
    Created(String),
}

async fn delete(client: &Client, path: &str) -> Result<(), EsError> {
    match client.call(Method::DELETE, path, None).await {
        Err(error) if !error.is_index_missing() => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Whether an index (or alias) is there.
///
/// # Errors
/// The server is not reachable or refuses.
pub async fn exists(client: &Client, name: &str) -> Result<bool, EsError> {
    client.exists(&path_of(name)).await
}

/// Copies all documents of an index into another, inside the server, and waits until it is done. Returns how many there were.
///
/// # Errors
/// The server is not reachable or refuses, or documents could not be copied.
pub async fn copy(client: &Client, from: &str, to: &str) -> Result<u64, EsError> {
    let destination = match client.version().await?.generation()? {
        // An index made by version 6 has a type of its own, which the new one would not take.
        Generation::Seven => json!({"index": to, "type": "_doc"}),
        Generation::Eight => json!({"index": to}),
    };
    let body = json!({"source": {"index": from}, "dest": destination});
    let started = client
        .call(
            Method::POST,
            "/_reindex?wait_for_completion=false",
            Some(&body),
        )
        .await?;
    let task = started
        .get("task")
        .and_then(Value::as_str)
        .ok_or_else(|| client.odd("_reindex names no task"))?;
    let path = format!("/_tasks{}", path_of(task));
    loop {
        let answer = client.call(Method::GET, &path, None).await?;
        if answer.get("completed") == Some(&Value::Bool(true)) {
            return outcome(client, &answer);
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

fn outcome(client: &Client, answer: &Value) -> Result<u64, EsError> {
    let failure = answer
        .get("error")
        .or_else(|| answer.pointer("/response/failures/0"));
    if let Some(failure) = failure {
        return Err(EsError::Status {
            host: client.host().to_owned(),
            status: 500,
            kind: "reindex failed".to_owned(),
            reason: failure.to_string(),
        });
    }
    Ok(answer
        .pointer("/response/total")
        .and_then(Value::as_u64)
        .unwrap_or(0))
}
