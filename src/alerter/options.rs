//! Reading options that many alerters have in the same form.

use crate::alert::{Alert, ArgumentPath, TextError, property};
use crate::config::{Kind, Problem, Properties, Span};
use crate::event::Document;
use crate::event::format::{Argument, Format};
use serde_json::Value;

/// What `*_ca_certs` takes: `true`, or the path of a PEM file.
pub(super) const CERTIFICATES: Kind = Kind::AnyOf(&[Kind::Bool, Kind::Str]);

/// An option's text, or a default.
pub(super) fn text_or(properties: &Properties, name: &str, default: &str) -> String {
    properties.text(name).unwrap_or_else(|| default.to_owned())
}

/// An option's text unless it is empty.
pub(super) fn filled(properties: &Properties, name: &str) -> Option<String> {
    properties.text(name).filter(|text| !text.is_empty())
}

/// Whether an option is `true`.
pub(super) fn is_set(properties: &Properties, name: &str) -> bool {
    properties.bool(name) == Some(true)
}

/// A port.
///
/// # Errors
/// The number is none.
pub(super) fn port(
    properties: &Properties,
    name: &str,
    default: u16,
    place: &Span,
) -> Result<u16, Vec<Problem>> {
    let Some(number) = properties.int(name) else {
        return Ok(default);
    };
    u16::try_from(number).map_err(|_| {
        let span = properties.get(name).map_or(place, |node| &node.span);
        let message = format!("{name} is {number}, but ports are 1 to 65535");
        vec![Problem::error("E0311", span, message)]
    })
}

/// An `alert_info`: the alerter's type and what it says about itself.
pub(super) fn info<const N: usize>(kind: &str, members: [(&str, Value); N]) -> Document {
    let kind = [("type", Value::String(kind.to_owned()))];
    kind.into_iter()
        .chain(members)
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// A text with placeholders `{0}`, `{1}`, … for fields of the first match, as `alert_subject` has them.
#[derive(Debug)]
pub(super) struct Formatted {
    text: String,
    /// `None`: the text is printed as it is.
    arguments: Option<Vec<ArgumentPath>>,
}

impl Formatted {
    /// The text of an option; its arguments are in the option of the same name with `_args` at the end.
    pub(super) fn read(properties: &Properties, name: &str) -> Option<Self> {
        let text = properties.text(name)?;
        Some(Self::new(properties, text, &format!("{name}_args")))
    }

    pub(super) fn new(properties: &Properties, text: String, arguments: &str) -> Self {
        let arguments = properties.contains(arguments).then(|| {
            let paths = properties.texts(arguments);
            paths.iter().map(|path| ArgumentPath::new(path)).collect()
        });
        Self { text, arguments }
    }

    /// The text for an alert; fields that neither match nor rule have become `missing`.
    pub(super) fn render(&self, alert: &Alert<'_>, missing: &str) -> Result<String, TextError> {
        let Some(paths) = &self.arguments else {
            return Ok(self.text.clone());
        };
        let mut values = Vec::with_capacity(paths.len());
        for path in paths {
            let found = match alert.matches.first() {
                Some(first) => path.get(first)?,
                None => None,
            };
            values.push(match found {
                Some(value) => Argument::Value(value),
                None => property(alert.rule, path.as_str())
                    .filter(Argument::is_truthy)
                    .unwrap_or_else(|| Argument::text(missing)),
            });
        }
        Ok(Format::new(&self.text).render(values.as_slice())?)
    }
}
