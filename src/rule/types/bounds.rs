//! The bounds of the aggregation types, and how their numbers are written.

use crate::config::{Problem, Properties};
use crate::event::format::{Argument, Format, FormatError, percent};
use crate::event::python;
use crate::rule::Common;
use serde_json::Value;

/// Bounds of which at least one is required, both exclusive.
#[derive(Debug)]
pub(super) struct Bounds {
    pub(super) min: Option<Bound>,
    pub(super) max: Option<Bound>,
}

/// A bound, and its text as the rule has it.
#[derive(Debug)]
pub(super) struct Bound {
    value: f64,
    text: String,
}

impl Bounds {
    /// Reads two options.
    pub(super) fn load(
        properties: &Properties,
        common: &Common,
        [min, max]: [&str; 2],
    ) -> Result<Self, Vec<Problem>> {
        let bound = |name: &str| {
            let value = properties.number(name)?;
            let text = properties.text(name)?;
            Some(Bound { value, text })
        };
        let bounds = Self {
            min: bound(min),
            max: bound(max),
        };
        if bounds.min.is_none() && bounds.max.is_none() {
            let message = format!("this rule type needs {min} or {max}");
            return Err(vec![Problem::error("E0433", &common.span, message)]);
        }
        Ok(bounds)
    }

    /// Whether a value is outside.
    pub(super) fn are_violated_by(&self, value: f64) -> bool {
        self.is_above(value) || self.is_below(value)
    }

    /// Whether a value is above the upper bound.
    pub(super) fn is_above(&self, value: f64) -> bool {
        self.max.as_ref().is_some_and(|max| value > max.value)
    }

    /// Whether a value is below the lower bound.
    pub(super) fn is_below(&self, value: f64) -> bool {
        self.min.as_ref().is_some_and(|min| value < min.value)
    }

    /// How far a value is from being outside.
    pub(super) fn distance(&self, value: f64) -> Option<f64> {
        let above = self.max.as_ref().map(|max| max.value - value);
        let below = self.min.as_ref().map(|min| value - min.value);
        let nearest = [above, below].into_iter().flatten().reduce(f64::min);
        nearest.map(|distance| {
            if self.are_violated_by(value) {
                0.0
            } else {
                distance.max(0.0)
            }
        })
    }

    /// As the texts of alerts show them.
    pub(super) fn text(&self) -> String {
        let text =
            |bound: &Option<Bound>| bound.as_ref().map_or("None".to_owned(), |b| b.text.clone());
        format!("(min: {} max : {})", text(&self.min), text(&self.max))
    }
}

/// `metric_format_string`, `percentage_format_string`: `str.format` if it begins with a brace, else `%`.
#[derive(Debug)]
pub(super) struct NumberFormat(String);

impl NumberFormat {
    /// Reads the option; it must fit numbers such as `number`.
    pub(super) fn load(
        properties: &Properties,
        name: &str,
        number: &Value,
    ) -> Result<Option<Self>, Vec<Problem>> {
        let (Some(text), Some(node)) = (properties.text(name), properties.get(name)) else {
            return Ok(None);
        };
        let format = Self(text);
        match format.render(number) {
            Ok(_) => Ok(Some(format)),
            Err(error) => {
                let message = format!("{name} does not fit a number: {error}");
                let help = "for example '{:.2f}' or '%.2f'";
                Err(vec![
                    Problem::error("E0434", &node.span, message).help(help),
                ])
            }
        }
    }

    fn render(&self, value: &Value) -> Result<String, FormatError> {
        let arguments = [Argument::value(value)];
        if self.0.starts_with('{') {
            Format::new(&self.0).render(arguments.as_slice())
        } else {
            percent::format(&self.0, &percent::Operand::Values(&arguments))
        }
    }

    /// A number's text.
    pub(super) fn text(&self, value: &Value) -> String {
        self.render(value).unwrap_or_else(|_| python::str(value))
    }
}
