//! Texts tried on an event before there is an alert: which of them cannot be made, and which fields they name.

use super::lookup::ArgumentPath;
use super::text::{property, span};
use super::{Alert, BodyStyle, Template, TextError};
use crate::config::{Data, Node, Properties, SourceFile, Span};
use crate::event::Document;
use crate::rule::Rule;
use std::sync::Arc;

/// Where texts and the fields in them are written.
#[derive(Debug)]
pub(super) struct Places {
    subject: Span,
    text: Span,
    table: Span,
    fields: Box<[(ArgumentPath, Span)]>,
}

impl Places {
    pub(super) fn of(properties: &Properties) -> Self {
        let text = match properties.contains("alert_text") {
            true => "alert_text",
            false => "jinja_template_path",
        };
        let mut places = Self {
            subject: span(properties, "alert_subject"),
            text: span(properties, text),
            table: span(properties, "summary_table_fields"),
            fields: fields(properties).into(),
        };
        places.let_go_of_texts();
        places
    }

    /// Few look at them again: the files' texts need not be kept for that.
    fn let_go_of_texts(&mut self) {
        let mut files: Vec<Arc<SourceFile>> = Vec::new();
        let fields = self.fields.iter_mut().map(|(_, span)| span);
        let spans = [&mut self.subject, &mut self.text, &mut self.table];
        for span in spans.into_iter().chain(fields) {
            let known = files.iter().find(|file| file.path == span.file.path);
            span.file = match known {
                Some(known) => Arc::clone(known),
                None if span.path().as_os_str().is_empty() => continue,
                None => {
                    let file = Arc::new(SourceFile::again(Arc::clone(&span.file.path)));
                    files.push(Arc::clone(&file));
                    file
                }
            };
        }
    }
}

/// The fields that placeholders and tables name.
fn fields(properties: &Properties) -> Vec<(ArgumentPath, Span)> {
    let mut nodes: Vec<&Node> = Vec::new();
    let texts = [
        ("alert_subject_args", "alert_subject"),
        ("alert_text_args", "alert_text"),
        ("alert_text_kw", "alert_text"),
    ];
    for (option, text) in texts {
        match properties.get(option).map(|node| &node.data) {
            _ if !properties.contains(text) => {}
            Some(Data::Seq(items)) => nodes.extend(items),
            Some(Data::Map(members)) => nodes.extend(members.iter().map(|(path, _)| path)),
            _ => {}
        }
    }
    let columns = properties
        .get("summary_table_fields")
        .and_then(Node::as_seq);
    let path = |column| Node::get(column, "path").unwrap_or(column);
    nodes.extend(columns.unwrap_or_default().iter().map(path));
    let field = |node: &&Node| (ArgumentPath::new(&node.key_text()), node.span.clone());
    nodes.iter().map(field).collect()
}

/// A field that a text names.
#[derive(Debug)]
pub struct Named<'a> {
    path: &'a ArgumentPath,
    /// Where.
    pub span: &'a Span,
}

impl Named<'_> {
    /// The name, up to the first list index.
    pub fn name(&self) -> &str {
        let path = self.path.as_str();
        path.split_once('[').map_or(path, |(name, _)| name)
    }

    /// Whether there is something to print: a value in the match, or an option of the rule.
    pub fn is_in(&self, matched: &Document, rule: &Rule) -> bool {
        // An index that is too large is a failure of the text, not a name that nobody knows.
        !matches!(self.path.get(matched), Ok(None)) || property(rule, self.path.as_str()).is_some()
    }
}

impl Template {
    /// The fields that `alert_subject_args`, `alert_text_args`, `alert_text_kw` and `summary_table_fields` name.
    pub fn fields(&self) -> impl Iterator<Item = Named<'_>> {
        let fields = self.places.fields.iter();
        fields.map(|(path, span)| Named { path, span })
    }
}

impl Alert<'_> {
    /// What of its texts cannot be made, and where that is written: subject, table and text, each on its own. A text that fails whatever
    /// the match is, is left out: [`Template::warnings`] has it.
    pub fn failures(&self) -> Vec<(Span, TextError)> {
        let Template {
            subject,
            text,
            summary,
            places,
            ..
        } = self.template;
        let Some(first) = self.matches.first() else {
            return Vec::new();
        };
        let subject = subject
            .as_ref()
            .and_then(|text| text.render(self, first).err());
        let text = text.render(self, first).err();
        let width = BodyStyle::default().table_width;
        let table = summary
            .as_ref()
            .and_then(|table| table.render(self.matches, width).err());
        let known = |span: &Span| {
            let mut warnings = self.template.warnings.iter();
            warnings.any(|problem| problem.span.start == span.start)
        };
        [
            (&places.subject, subject),
            (&places.text, text),
            (&places.table, table),
        ]
        .into_iter()
        .filter_map(|(span, error)| Some((span.clone(), error?)))
        .filter(|(span, _)| !known(span))
        .collect()
    }
}
