//! Whether a server and we said the same of a filter, and which differences are meant.

use super::Answer;
use serde_json::{Map, Value};

/// What we said.
pub type Ours = Result<Vec<Option<bool>>, String>;

pub enum Verdict {
    Same,
    /// They differ as they should, and why. How often is printed.
    Meant(&'static str),
    Different(String),
}

/// What fails at a field's type, or in a query string or regular expression; a server that finds that nothing can match does not look at it.
const CODES_AT_FIELDS: [&str; 3] = ["E0205", "E0206", "E0207"];

/// Compares what one index says.
pub fn together(
    filter: &Value,
    theirs: &Answer,
    ours: &Ours,
    documents: &[Option<Map<String, Value>>],
) -> Verdict {
    match (theirs, ours) {
        (Err(_), Err(_)) => Verdict::Same,
        (Ok(theirs), Ok(ours)) if same(theirs, ours) => Verdict::Same,
        (Ok(theirs), Ok(ours)) => Verdict::Different(shown(theirs, ours, documents)),
        (Err(theirs), Ok(_)) if theirs.contains("_field_names") => {
            Verdict::Meant("a pattern took in a field of the server's own")
        }
        (Err(theirs), Ok(_)) => Verdict::Different(format!("error expected: {theirs}")),
        (Ok(theirs), Err(ours)) => refused(filter, theirs.contains(&Some(true)), ours),
    }
}

/// What a filter means that we refuse and a server does not.
fn refused(filter: &Value, finds: bool, ours: &str) -> Verdict {
    if ours.contains("E0203") {
        return Verdict::Meant("refused by name");
    }
    if ours.contains("a clause is an object such as") {
        return Verdict::Meant("the server passes over a text where a clause should stand");
    }
    if ours.contains("minimum_should_match takes") {
        return Verdict::Meant("minimum_should_match is checked where it is not used, too");
    }
    if !finds && ours.contains("E0201") {
        return Verdict::Meant("what is not built as it should be matches nothing there");
    }
    let at_fields = CODES_AT_FIELDS.iter().any(|code| ours.contains(code));
    if !finds && at_fields && filter.to_string().contains("\"range\"") {
        return Verdict::Meant(
            "the server drops a range that no document can be in, and what stands beside it",
        );
    }
    Verdict::Different(format!("error where none is: {ours}"))
}

/// Compares what indices of one document each say: with what we make of each such index, which must be the same; and with what we say of the
/// document as an event, which may differ only where a field counts that the document does not have.
pub fn apart(
    filter: &Value,
    theirs: &Answer,
    ours: &Ours,
    alone: &[Option<Result<bool, String>>],
    documents: &[Option<Map<String, Value>>],
) -> Verdict {
    let text = filter.to_string();
    if text.contains("_index") {
        return Verdict::Meant("the indices have names of their own");
    }
    let theirs = match theirs {
        Ok(theirs) => theirs.clone(),
        // No index had an answer.
        Err(error)
            if error.contains("query_shard_exception") || error.contains("parse_exception") =>
        {
            vec![None; alone.len()]
        }
        Err(error) => {
            return match ours {
                Err(_) => Verdict::Same,
                Ok(_) => Verdict::Different(format!("error expected: {error}")),
            };
        }
    };
    for ((theirs, ours), document) in theirs.iter().zip(alone).zip(documents) {
        let Some(ours) = ours else { continue };
        let wrong = match (theirs, ours) {
            (Some(theirs), Ok(ours)) => (theirs != ours).then(|| format!("{theirs} expected")),
            (None, Err(_)) => None,
            (None, Ok(_)) if text.contains("*") => None,
            (None, Ok(_)) => Some("error expected".to_owned()),
            (Some(finds), Err(ours)) => match refused(filter, *finds, ours) {
                Verdict::Different(text) => Some(text),
                Verdict::Meant(_) | Verdict::Same => None,
            },
        };
        if let Some(wrong) = wrong {
            let document = Value::Object(document.clone().unwrap_or_default());
            return Verdict::Different(format!("{wrong} in an index of {document}"));
        }
    }
    match ours {
        Ok(ours) if same(&theirs, ours) => Verdict::Same,
        Err(ours) if CODES_AT_FIELDS.iter().any(|code| ours.contains(code)) => {
            Verdict::Meant("what is wrong with a filter is told even if no event has the field")
        }
        Err(ours) => refused(filter, theirs.contains(&Some(true)), ours),
        Ok(_) if has_text_without_words(&text) => {
            Verdict::Meant("a text without words drops out even if the event lacks the field")
        }
        Ok(ours) => Verdict::Different(shown(&theirs, ours, documents)),
    }
}

/// Whether a filter may have a text that the standard analyzer finds no words in.
fn has_text_without_words(filter: &str) -> bool {
    [
        "…",
        "½",
        "&",
        "-",
        "<",
        ">",
        "\\\"\\\"",
        "\"\"",
        "\" ",
        "zero_terms_query",
        "\"stop\"",
    ]
    .iter()
    .any(|part| filter.contains(part))
}

/// Whether we say the same of every document that the server could decide.
fn same(theirs: &[Option<bool>], ours: &[Option<bool>]) -> bool {
    let mut pairs = theirs.iter().zip(ours);
    theirs.len() == ours.len() && pairs.all(|(theirs, ours)| theirs.is_none() || theirs == ours)
}

fn shown(
    theirs: &[Option<bool>],
    ours: &[Option<bool>],
    documents: &[Option<Map<String, Value>>],
) -> String {
    let pairs = theirs.iter().zip(ours).zip(documents);
    let wrong: Vec<String> = pairs
        .filter(|((theirs, ours), _)| theirs.is_some() && theirs != ours)
        .map(|((theirs, _), document)| {
            let document = Value::Object(document.clone().unwrap_or_default()).to_string();
            let short: String = document.chars().take(900).collect();
            format!("\n  {theirs:?}: {short}")
        })
        .collect();
    let few: String = wrong.iter().take(2).map(String::as_str).collect();
    format!("{} documents differ:{few}", wrong.len())
}
