//! Subject and body of an alert (`elastalert.alerts.BasicMatchString`, `Alerter.create_alert_body`).

use super::text::Layout;
use super::top_counts;
use super::{Alert, BodyStyle, TextError};
use crate::event::dumps::Dumps;
use crate::event::{Document, python};
use serde_json::Value;
use std::fmt::Write as _;

/// Stands after each of several matches.
const SEPARATOR: &str = "\n----------------------------------------\n";

/// Lists and objects among the fields.
const FIELD_JSON: Dumps = Dumps {
    indent: Some(4),
    sort_keys: true,
    ascii: false,
    compact: false,
};

impl Alert<'_> {
    /// The subject; `default` when the rule has no `alert_subject`. It may hold line breaks.
    ///
    /// # Errors
    /// The subject cannot be rendered.
    pub fn subject(&self, default: &str) -> Result<String, TextError> {
        let (Some(subject), Some(first)) = (&self.template.subject, self.matches.first()) else {
            return Ok(default.to_owned());
        };
        let subject = subject.render(self, first)?;
        Ok(cut(&subject, self.template.subject_max_len))
    }

    /// The body.
    ///
    /// # Errors
    /// The text cannot be rendered.
    pub fn body(&self, style: BodyStyle) -> Result<String, TextError> {
        let mut body = String::new();
        if style.summary {
            if let Some(summary) = &self.template.summary {
                let (before, after) = style.fence.unwrap_or_default();
                let table = summary.render(self.matches, style.table_width)?;
                body = format!("{before}{table}{after}");
            }
            if self.template.layout == Layout::SummaryOnly {
                return Ok(body);
            }
        }
        for matched in self.matches {
            self.write_match(matched, style, &mut body)?;
            if self.matches.len() > 1 {
                body.push_str(SEPARATOR);
            }
        }
        Ok(body)
    }

    /// What the rule type says about a match; empty for most.
    pub fn rule_text(&self, matched: &Document) -> String {
        let times = |timestamp: &Value, back| self.template.times.pretty(timestamp, back);
        self.rule.kind.text(matched, &times)
    }

    fn write_match(
        &self,
        matched: &Document,
        style: BodyStyle,
        body: &mut String,
    ) -> Result<(), TextError> {
        let start = body.len();
        if self.template.named {
            body.push_str(&self.rule.name);
            body.push_str("\n\n");
        }
        body.push_str(&self.template.text.render(self, matched)?);
        end_paragraph(body, start);
        match self.template.layout {
            Layout::TextOnly | Layout::Jinja => return Ok(()),
            Layout::Full | Layout::ExcludeFields | Layout::SummaryOnly => {}
        }
        body.push_str(&self.rule_text(matched));
        end_paragraph(body, start);
        if self.template.top_counts {
            write_top_counts(matched, body);
        }
        if self.template.layout != Layout::ExcludeFields {
            match style.json {
                None => self.write_fields(matched, body),
                Some((before, after)) => {
                    let mut fields = matched.clone();
                    fields.retain(|key, _| !key.starts_with(top_counts::PREFIX));
                    body.push_str(before);
                    FIELD_JSON.write_to(&Value::Object(fields), body);
                    body.push_str(after);
                }
            }
        }
        Ok(())
    }

    /// Whether elastalert2 prints a value as a tuple. Not what has waited in an aggregation: it comes back from Elasticsearch as a list.
    pub(super) fn is_tuple(&self, field: &str, value: &Value) -> bool {
        self.rule.aggregation.is_none() && self.rule.kind.is_tuple(field, value)
    }

    fn write_fields(&self, matched: &Document, body: &mut String) {
        let mut fields: Vec<(&String, &Value)> = matched
            .iter()
            .filter(|(key, _)| !key.starts_with(top_counts::PREFIX))
            .collect();
        fields.sort_by_key(|(key, _)| *key);
        for (key, value) in fields {
            body.push_str(key);
            body.push_str(": ");
            match value {
                Value::Array(items) if self.is_tuple(key, value) => {
                    body.push_str(&python::tuple_repr(items));
                }
                Value::Array(_) | Value::Object(_) => FIELD_JSON.write_to(value, body),
                Value::String(text) => body.push_str(text),
                other => body.push_str(&python::str(other)),
            }
            body.push('\n');
        }
    }
}

/// The first `len` characters, as Python's `text[:len]`: a negative length counts from the end.
fn cut(text: &str, len: i64) -> String {
    let keep = match usize::try_from(len.unsigned_abs()) {
        Ok(len_abs) if len < 0 => text.chars().count().saturating_sub(len_abs),
        Ok(len_abs) => len_abs,
        Err(_) => return text.to_owned(),
    };
    text.chars().take(keep).collect()
}

/// Adds line breaks until the text from `start` on ends with an empty line.
fn end_paragraph(body: &mut String, start: usize) {
    while !body.get(start..).is_some_and(|text| text.ends_with("\n\n")) {
        body.push('\n');
    }
}

fn write_top_counts(matched: &Document, body: &mut String) {
    for (key, counts) in matched {
        let (Some(field), Some(counts)) =
            (key.strip_prefix(top_counts::PREFIX), counts.as_object())
        else {
            continue;
        };
        let _infallible = writeln!(body, "{field}:");
        let mut counts: Vec<(&String, &Value)> = counts.iter().collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(count.as_u64()));
        if counts.is_empty() {
            body.push_str("No events found.\n");
        }
        for (term, count) in counts {
            let _infallible = writeln!(body, "{term}: {}", python::str(count));
        }
        body.push('\n');
    }
}
