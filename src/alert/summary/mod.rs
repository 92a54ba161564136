//! `summary_table_fields`: how often each combination of values occurs among an alert's matches.

mod ascii;
mod html;
mod markdown;

use super::TextError;
use super::lookup::ArgumentPath;
use crate::config::{Kind, Node, OptionSpec, Properties, opt};
use crate::event::{Document, python};
use indexmap::IndexMap;
use serde_json::Value;

pub(super) const OPTIONS: &[OptionSpec] = &[
    opt("summary_table_fields")
        .kind(Kind::List(&Kind::AnyOf(&[Kind::Str, Kind::Map])))
        .doc("Fields of the table that stands before the matches: paths, or {path, header}."),
    opt("summary_table_type")
        .one_of(&["ascii", "html", "markdown"])
        .default("ascii")
        .doc("How the summary table is drawn."),
    opt("summary_table_max_rows")
        .int()
        .doc("Keep only so many rows, those with the largest counts."),
    opt("summary_prefix").doc("A line before the summary table; not printed with html."),
    opt("summary_suffix").doc("Text after the summary table."),
];

/// The header of the last column.
const COUNT: &str = "count";

/// A rule's summary table.
#[derive(Debug)]
pub(super) struct Summary {
    fields: Vec<Field>,
    kind: TableKind,
    max_rows: Option<usize>,
    prefix: String,
    suffix: String,
}

#[derive(Debug)]
struct Field {
    path: ArgumentPath,
    header: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TableKind {
    Ascii,
    Html,
    Markdown,
}

/// Headers and cells, the count included; every row is as long as the header.
struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Summary {
    /// The rule's table; `None` without `summary_table_fields`.
    pub(super) fn new(properties: &Properties) -> Option<Self> {
        let fields = properties.get("summary_table_fields")?.as_seq()?;
        Some(Self {
            fields: fields.iter().map(Field::new).collect(),
            kind: match properties.text("summary_table_type").as_deref() {
                Some("html") => TableKind::Html,
                Some("markdown") => TableKind::Markdown,
                _ => TableKind::Ascii,
            },
            max_rows: properties
                .int("summary_table_max_rows")
                .and_then(|rows| usize::try_from(rows).ok()),
            prefix: properties.text("summary_prefix").unwrap_or_default(),
            suffix: properties.text("summary_suffix").unwrap_or_default(),
        })
    }

    /// A header that occurs twice, which HTML tables cannot have.
    pub(super) fn repeated_header(&self) -> Option<&str> {
        let html = self.kind == TableKind::Html;
        html.then(|| html::repeated(self.fields.iter().map(|field| field.header.as_str())))?
    }

    /// The table with what stands around it; `width` is the most columns an ascii table may take.
    ///
    /// # Errors
    /// More columns than fit, a header twice in HTML, a list index out of range.
    pub(super) fn render(&self, matches: &[Document], width: usize) -> Result<String, TextError> {
        let table = self.table(matches)?;
        let top = self
            .max_rows
            .map_or_else(String::new, |rows| format!("Showing top {rows} rows\n"));
        let table = match self.kind {
            TableKind::Html => return Ok(format!("{}{top}{}", html::draw(&table)?, self.suffix)),
            TableKind::Ascii => ascii::draw(&table, width)?,
            TableKind::Markdown => markdown::draw(&table),
        };
        let prefix = if self.prefix.is_empty() {
            String::new()
        } else {
            format!("{}\n", self.prefix)
        };
        let paths = self.fields.iter().map(|field| field.path.as_str());
        let names = Value::Array(
            paths
                .chain([COUNT])
                .map(|name| Value::String(name.to_owned()))
                .collect(),
        );
        Ok(format!(
            "{prefix}Aggregation resulted in the following data for summary_table_fields ==> {}:\n\n{table}\n{top}{}",
            python::repr(&names),
            self.suffix
        ))
    }

    fn table(&self, matches: &[Document]) -> Result<Table, TextError> {
        let mut counts: IndexMap<Vec<String>, usize> = IndexMap::new();
        for matched in matches {
            let mut row = Vec::with_capacity(self.fields.len() + 1);
            for field in &self.fields {
                let value = field.path.get(matched)?;
                row.push(value.map_or_else(|| "None".to_owned(), |value| python::str(&value)));
            }
            *counts.entry(row).or_default() += 1;
        }
        let mut rows: Vec<(Vec<String>, usize)> = counts.into_iter().collect();
        if let Some(max) = self.max_rows {
            rows.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
            rows.truncate(max);
        }
        let headers = self.fields.iter().map(|field| field.header.clone());
        Ok(Table {
            header: headers.chain([COUNT.to_owned()]).collect(),
            rows: rows
                .into_iter()
                .map(|(mut row, count)| {
                    row.push(count.to_string());
                    row
                })
                .collect(),
        })
    }
}

impl Field {
    fn new(node: &Node) -> Self {
        let member = |name| node.get(name).map(Node::key_text);
        let path = member("path").unwrap_or_else(|| node.key_text());
        Self {
            header: member("header").unwrap_or_else(|| path.clone()),
            path: ArgumentPath::new(&path),
        }
    }
}
