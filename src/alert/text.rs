//! `alert_subject` and `alert_text` with their arguments.

use super::jinja::{Broken, Jinja};
use super::lookup::ArgumentPath;
use super::{Alert, Process, TextError};
use crate::config::{Data, Kind, Node, OptionSpec, Problem, Properties, Span, duration, opt, read};
use crate::event::format::{Argument, Format, FormatError};
use crate::event::{Document, python};
use crate::rule::Rule;
use serde_json::Value;
use std::borrow::Cow;

pub(super) const OPTIONS: &[OptionSpec] = &[
    opt("alert_subject")
        .kind(Kind::AnyOf(&[Kind::Str, Kind::Number, Kind::Bool]))
        .doc("The alert's subject; default is the rule's name or what the alerter prefers."),
    opt("alert_subject_args").may_be_empty()
        .kind(Kind::List(&Kind::Str))
        .doc("Fields whose values replace the placeholders of alert_subject."),
    opt("alert_subject_max_len")
        .int()
        .default("2048")
        .doc("Where a long alert_subject is cut, in characters."),
    opt("alert_text")
        .doc("The alert's text, printed before everything else."),
    opt("alert_text_args")
        .kind(Kind::List(&Kind::Str))
        .doc("Fields whose values replace the placeholders {0}, {1}, … of alert_text."),
    opt("alert_text_kw")
        .kind(Kind::Map)
        .doc("Fields and the named placeholders of alert_text that their values replace."),
    opt("alert_text_type")
        .one_of(&[
            "alert_text_only",
            "alert_text_jinja",
            "exclude_fields",
            "aggregation_summary_only",
        ])
        .doc("Which parts the body has; without it: the text, what the rule type says, top counts and all fields."),
    opt("jinja_template_path")
        .doc("A file with the Jinja template, relative to the working directory; wins over alert_text."),
    opt("jinja_root_name")
        .default("_data")
        .doc("The name under which a Jinja template finds all fields in one object."),
    opt("jinja_filters")
        .kind(Kind::List(&Kind::Str))
        .doc("Python classes with filters: not supported."),
    opt("alert_missing_value")
        .default("<MISSING VALUE>")
        .doc("Printed for a field that is absent or null."),
];

/// Which parts of the body a match prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// No `alert_text_type`: everything.
    Full,
    /// `alert_text_only`.
    TextOnly,
    /// `alert_text_jinja`.
    Jinja,
    /// `exclude_fields`.
    ExcludeFields,
    /// `aggregation_summary_only`.
    SummaryOnly,
}

impl Layout {
    pub(super) fn of(properties: &Properties) -> Self {
        match properties.text("alert_text_type").as_deref() {
            Some("alert_text_only") => Self::TextOnly,
            Some("alert_text_jinja") => Self::Jinja,
            Some("exclude_fields") => Self::ExcludeFields,
            Some("aggregation_summary_only") => Self::SummaryOnly,
            _ => Self::Full,
        }
    }
}

/// A text of the rule.
#[derive(Debug)]
pub(super) enum Text {
    /// Printed as it is.
    Plain(String),
    /// A format string with its arguments.
    Format(Box<(Format, Fields)>),
    /// A template.
    Jinja(Box<Jinja>),
    /// A subject's template that cannot be compiled: ElastAlert finds out when it sends.
    Broken(String),
}

/// The fields a format string's placeholders stand for.
#[derive(Debug)]
pub(super) enum Fields {
    /// By position.
    Args(Vec<ArgumentPath>),
    /// By name.
    Kw(Vec<(String, ArgumentPath)>),
}

impl Text {
    /// `alert_subject`.
    pub(super) fn subject(properties: &Properties, layout: Layout) -> Option<Self> {
        let text = properties.text("alert_subject")?;
        if let Some(args) = args(properties, "alert_subject_args") {
            return Some(Self::Format(Box::new((Format::new(&text), args))));
        }
        if layout != Layout::Jinja {
            return Some(Self::Plain(text));
        }
        Some(match jinja(&text, properties) {
            Ok(template) => template,
            Err(broken) => Self::Broken(broken.into_iter().map(|b| b.message).collect()),
        })
    }

    /// `alert_text`, or the template in a file; empty when absent.
    pub(super) fn body(
        properties: &Properties,
        layout: Layout,
        process: &Process,
    ) -> Result<Self, Vec<Problem>> {
        let text = properties.text("alert_text").unwrap_or_default();
        if layout != Layout::Jinja {
            let fields = args(properties, "alert_text_args").or_else(|| kw(properties));
            return Ok(match fields {
                Some(fields) => Self::Format(Box::new((Format::new(&text), fields))),
                None => Self::Plain(text),
            });
        }
        if properties.contains("jinja_filters") {
            let span = span(properties, "jinja_filters");
            let message = "`jinja_filters` names Python classes, and Python does not run here";
            let problem = Problem::error("E0905", &span, message)
                .help("remove it; Jinja's own filters are there");
            return Err(vec![problem]);
        }
        let (text, span) = match properties.text("jinja_template_path") {
            Some(path) => {
                let path = process.working_directory.join(path);
                let file = read(&path).map_err(|mut problem| {
                    problem.message = format!("{} {}", path.display(), problem.message);
                    problem.span = span(properties, "jinja_template_path");
                    vec![problem]
                })?;
                (file.text().to_owned(), Span::of_file(&file))
            }
            None => (text, span(properties, "alert_text")),
        };
        jinja(&text, properties).map_err(|broken| {
            let problem = |broken: Broken| {
                let problem = Problem::error("E0901", &span, broken.message);
                match broken.help {
                    Some(help) => problem.help(help),
                    None => problem,
                }
            };
            broken.into_iter().map(problem).collect()
        })
    }

    /// Why this text fails whatever it is rendered for.
    pub(super) fn broken(&self) -> Option<String> {
        match self {
            Self::Plain(_) | Self::Jinja(_) => None,
            Self::Format(parts) => {
                let (format, fields) = &**parts;
                let lacking = || fields.lacking(format);
                let error = format.broken().cloned().or_else(lacking)?;
                Some(error.to_string())
            }
            Self::Broken(message) => Some(message.clone()),
        }
    }

    pub(super) fn render(
        &self,
        alert: &Alert<'_>,
        matched: &Document,
    ) -> Result<Cow<'_, str>, TextError> {
        match self {
            Self::Plain(text) => Ok(Cow::Borrowed(text)),
            Self::Format(parts) => {
                let (format, fields) = &**parts;
                fields.render(format, alert, matched).map(Cow::Owned)
            }
            Self::Jinja(template) => template.render(matched).map(Cow::Owned),
            Self::Broken(message) => Err(TextError(message.clone())),
        }
    }
}

fn jinja(text: &str, properties: &Properties) -> Result<Text, Vec<Broken>> {
    let root = properties.text("jinja_root_name");
    let root = root.as_deref().unwrap_or("_data");
    Ok(Text::Jinja(Box::new(Jinja::new(text, root, properties)?)))
}

/// Where an option is written.
pub(super) fn span(properties: &Properties, name: &str) -> Span {
    properties
        .get(name)
        .map_or_else(Span::nowhere, |node| node.span.clone())
}

fn args(properties: &Properties, name: &str) -> Option<Fields> {
    let paths = properties.get(name)?.as_seq()?;
    Some(Fields::Args(
        paths
            .iter()
            .map(|path| ArgumentPath::new(&path.key_text()))
            .collect(),
    ))
}

fn kw(properties: &Properties) -> Option<Fields> {
    let members = properties.get("alert_text_kw")?.as_map()?;
    Some(Fields::Kw(
        members
            .iter()
            .map(|(path, name)| (name.key_text(), ArgumentPath::new(&path.key_text())))
            .collect(),
    ))
}

impl Fields {
    /// A placeholder that stands for no field.
    fn lacking(&self, format: &Format) -> Option<FormatError> {
        let value = || Argument::text("");
        match self {
            Self::Args(paths) => format.lacking(vec![value(); paths.len()].as_slice()),
            Self::Kw(paths) => {
                let named: Vec<_> = paths.iter().map(|(n, _)| (n.clone(), value())).collect();
                format.lacking(named.as_slice())
            }
        }
    }

    fn render(
        &self,
        format: &Format,
        alert: &Alert<'_>,
        matched: &Document,
    ) -> Result<String, TextError> {
        let missing = || Argument::text(alert.template.missing_value());
        let rendered = match self {
            Self::Args(paths) => {
                let mut values = Vec::with_capacity(paths.len());
                for path in paths {
                    values.push(match path.get(matched)? {
                        Some(value) => Argument::Value(as_shown(alert, path, value)),
                        None => property(alert.rule, path.as_str())
                            .filter(Argument::is_truthy)
                            .unwrap_or_else(missing),
                    });
                }
                format.render(values.as_slice())
            }
            Self::Kw(paths) => {
                let mut values = Vec::with_capacity(paths.len());
                for (name, path) in paths {
                    let value = match path.get(matched)? {
                        Some(value) => Argument::Value(as_shown(alert, path, value)),
                        None => property(alert.rule, path.as_str()).unwrap_or_else(missing),
                    };
                    values.push((name.clone(), value));
                }
                format.render(values.as_slice())
            }
        };
        rendered.map_err(TextError::from)
    }
}

/// A tuple of ElastAlert's as the text it prints as.
fn as_shown<'a>(alert: &Alert<'_>, path: &ArgumentPath, value: Cow<'a, Value>) -> Cow<'a, Value> {
    match value.as_array() {
        Some(items) if alert.is_tuple(path.as_str(), &value) => {
            Cow::Owned(Value::String(python::tuple_repr(items)))
        }
        _ => value,
    }
}

/// An option of a rule as a text prints it; `None` when absent, null or secret.
pub(crate) fn property(rule: &Rule, name: &str) -> Option<Argument<'static>> {
    let options = &rule.options;
    let node = options.get(name).filter(|_| !options.is_secret(name))?;
    printed(&as_loaded(name, &node))
}

/// An option as ElastAlert has it once a rule is loaded: the names of fields in a key are joined.
pub(super) fn as_loaded<'a>(name: &str, node: &'a Node) -> Cow<'a, Node> {
    match (name, &node.data) {
        ("query_key" | "aggregation_key" | "compare_key", Data::Seq(names)) => {
            let names: Vec<String> = names.iter().map(Node::key_text).collect();
            Cow::Owned(Node::text(names.join(","), &node.span))
        }
        _ => Cow::Borrowed(node),
    }
}

/// A value in the options as a text prints it; `None` when null.
pub(crate) fn printed(node: &Node) -> Option<Argument<'static>> {
    if node.is_null() {
        return None;
    }
    Some(match as_duration(node) {
        Some(duration) => Argument::Duration(duration),
        None => Argument::Value(Cow::Owned(node.to_value())),
    })
}

/// An object of nothing but time units is a duration: ElastAlert makes a `timedelta` of every option that takes one.
fn as_duration(node: &Node) -> Option<std::time::Duration> {
    match &node.data {
        Data::Map(members) if !members.0.is_empty() => duration(node),
        _ => None,
    }
}
