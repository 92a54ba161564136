//! What is told of the rule's documents before it runs over them: how many there are, and what the first looks like.

use super::Args;
use super::console::Console;
use super::range::Range;
use super::source::{self, Source};
use crate::event::dumps::Dumps;
use crate::event::{Document, FieldPath};
use crate::rule::Rule;
use crate::writeback::search::Hit;
use serde_json::{Value, json};
use std::io;
use std::ops::ControlFlow;
use std::path::Path;

/// What is asked, and where the answer goes.
pub(super) struct Query<'a> {
    pub(super) args: &'a Args,
    pub(super) rule: &'a Rule,
    pub(super) range: Range,
    pub(super) console: &'a Console,
}

impl Query<'_> {
    /// Shows the block, or puts it into the formatted output. The documents to be saved or printed.
    ///
    /// # Errors
    /// The query cannot be answered.
    pub(super) fn show(
        &self,
        source: &dyn Source,
        formatted: &mut Document,
    ) -> anyhow::Result<Vec<Hit>> {
        let first = self.read(source, 1)?;
        let Some(first) = first.first() else {
            if !self.args.formatted_output {
                self.console.line("Didn't get any results.");
            }
            return Ok(Vec::new());
        };
        let count = source.count(&source::request(self.rule, self.range, 1))?;
        let days = self.args.days;
        if self.args.formatted_output {
            let terms: Vec<&String> = first.source.keys().collect();
            formatted.insert("hits".to_owned(), count.into());
            formatted.insert("days".to_owned(), days.into());
            formatted.insert("terms".to_owned(), json!(terms));
            formatted.insert("result".to_owned(), Value::Object(first.source.clone()));
        } else {
            let plural = if days > 1 { "s" } else { "" };
            let mut block = format!(
                "Got {count} hits from the last {days} day{plural}\n\nAvailable terms in first hit:\n"
            );
            add_terms(&first.source, "", &mut block);
            self.console.line(&block);
        }
        self.warn_of_missing(&first.source);
        let is_wanted = self.args.save_json.is_some() || self.args.formatted_output;
        if !is_wanted || self.args.count_only {
            return Ok(Vec::new());
        }
        let hits = self.read(source, self.args.max_query_size)?;
        if self.args.formatted_output {
            let results = hits
                .iter()
                .map(|hit| json!({"_index": hit.index, "_id": hit.id, "_source": hit.source}));
            formatted.insert("results".to_owned(), results.collect());
        } else {
            let count = hits.len();
            self.console
                .line(&format!("Downloaded {count} documents to save"));
        }
        Ok(hits)
    }

    /// Reads so many documents at most.
    fn read(&self, source: &dyn Source, most: u32) -> anyhow::Result<Vec<Hit>> {
        let request = source::request(self.rule, self.range, most);
        let mut found = Vec::new();
        source.read(&request, &mut |hits| {
            found.extend(hits);
            if found.len() < request.page_size {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        })?;
        found.truncate(request.page_size);
        Ok(found)
    }

    /// Says which fields that the rule names are not in a document.
    fn warn_of_missing(&self, document: &Document) {
        let properties = self.rule.properties();
        let is_missing = |field: &String| {
            !FieldPath::new(field.as_str())
                .get_some(document)
                .is_some_and(crate::event::python::is_truthy)
        };
        for key in properties
            .texts("compare_key")
            .iter()
            .filter(|key| is_missing(key))
        {
            self.console.error(&format!(
                "Warning: compare key {key} is either missing or null!"
            ));
        }
        for term in properties.texts("include") {
            if is_missing(&term) && !term.contains('*') {
                self.console
                    .error(&format!("Included term {term} may be missing or null"));
            }
        }
        for term in properties.texts("top_count_keys") {
            let bare = term.strip_suffix(".raw").or(term.strip_suffix(".keyword"));
            if is_missing(&bare.unwrap_or(&term).to_owned()) {
                self.console
                    .error(&format!("top_count_key {term} may be missing"));
            }
        }
    }
}

/// One line for each field that is no object, with its dotted path.
fn add_terms(document: &Document, parent: &str, block: &mut String) {
    for (name, value) in document {
        match value {
            Value::Object(inner) => add_terms(inner, &format!("{parent}{name}."), block),
            _ => {
                let line = ["\t", parent, name, "\n"].concat();
                block.push_str(&line);
            }
        }
    }
}

/// A document with its id as a member.
pub(super) fn with_id(hit: &Hit) -> Value {
    let mut document = hit.source.clone();
    document.insert("_id".to_owned(), hit.id.as_str().into());
    Value::Object(document)
}

/// Saves documents as a JSON array.
///
/// # Errors
/// The file cannot be written.
pub(super) fn save(path: &Path, hits: &[Hit]) -> io::Result<()> {
    let documents: Value = hits.iter().map(with_id).collect();
    let layout = Dumps {
        indent: Some(4),
        ..Dumps::default()
    };
    std::fs::write(path, layout.to_text(&documents) + "\n")
}
