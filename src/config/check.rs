//! Options compared with their tables: every deviation becomes a problem that says key, place, found, expected.

use super::{Data, Kind, Mapping, Node, OptionSpec, Problem, Severity, Span, duration};
use std::fmt::Write as _;

/// Checks kinds and required options. `get` finds an option by name; `place` is where a missing one is reported.
///
/// An option may stand in several tables (two alerters that share one); it must suit all of them.
pub fn check<'n>(
    get: impl Fn(&str) -> Option<&'n Node>,
    place: &Span,
    tables: &[&[OptionSpec]],
) -> Vec<Problem> {
    let mut problems: Vec<Problem> = Vec::new();
    for spec in tables.iter().copied().flatten() {
        let found = match get(spec.name) {
            Some(value) => check_value(spec, value),
            None if spec.required => Some(missing(spec, place)),
            None => None,
        };
        // The same option in two tables is one problem.
        let known = |problem: &Problem| {
            problems.iter().any(|other| {
                other.span.start == problem.span.start && other.message == problem.message
            })
        };
        if let Some(problem) = found.filter(|problem| !known(problem)) {
            problems.push(problem);
        }
    }
    problems
}

/// Options that no table has and `known` does not accept.
pub fn unknown(
    options: &Mapping,
    tables: &[&[OptionSpec]],
    known: &dyn Fn(&str) -> bool,
) -> Vec<Problem> {
    let specs = || tables.iter().copied().flatten();
    let mut problems = Vec::new();
    for (key, _) in options.iter() {
        let Some(name) = key.as_str() else {
            let message = format!(
                "a key that is {} (`{}`) is no option",
                key.kind_name(),
                key.key_text()
            );
            problems.push(
                Problem::warning("W0604", &key.span, message)
                    .help("quote it if it is meant as text"),
            );
            continue;
        };
        if specs().any(|spec| spec.name == name) || known(name) {
            continue;
        }
        let problem = Problem::warning("W0604", &key.span, format!("unknown option `{name}`"));
        problems.push(match nearest(name, specs().map(|spec| spec.name)) {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None => problem,
        });
    }
    problems
}

/// Options that are accepted without effect, each with its reason.
pub fn without_effect(options: &Mapping, tables: &[&[OptionSpec]]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (key, _) in options.iter() {
        let spec = tables
            .iter()
            .copied()
            .flatten()
            .find(|spec| key.as_str() == Some(spec.name));
        if let Some((spec, why)) = spec.and_then(|spec| Some((spec, spec.no_effect?))) {
            problems.push(Problem {
                severity: Severity::Note,
                ..Problem::warning(
                    "N0606",
                    &key.span,
                    format!("`{}` has no effect here: {why}", spec.name),
                )
            });
        }
    }
    problems
}

/// The name most like `name`, if one is so like it that it was probably meant.
pub fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace('-', "_");
    let wanted = plain(name);
    let allowed = 1 + wanted.chars().count() / 6;
    candidates
        .map(|candidate| (strsim::osa_distance(&wanted, &plain(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= allowed && *distance < candidate.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn missing(spec: &OptionSpec, place: &Span) -> Problem {
    let mut message = format!("the option `{}` is missing", spec.name);
    if !spec.doc.is_empty() {
        let _infallible = write!(message, ": {}", lower(spec.doc.trim_end_matches('.')));
    }
    let problem = Problem::error("E0602", place, message);
    match spec.hint {
        Some(hint) => problem.help(hint),
        None => problem.help(format!("it takes {}", spec.kind)),
    }
}

fn check_value(spec: &OptionSpec, value: &Node) -> Option<Problem> {
    if spec.may_be_empty && value.is_null() {
        return None;
    }
    let problem = mismatch(spec.name, spec.kind, value, spec.secret)?;
    Some(match (spec.hint, problem.help.clone()) {
        (Some(hint), Some(help)) => problem.help(format!("{help}; {hint}")),
        (Some(hint), None) => problem.help(hint),
        _ => problem,
    })
}

/// What is wrong with a value; `name` is how the message calls it.
fn mismatch(name: &str, kind: Kind, value: &Node, secret: bool) -> Option<Problem> {
    if let Kind::Duration = kind
        && value.as_map().is_some()
    {
        return check_duration(name, value);
    }
    if let (Kind::List(item_kind), Data::Seq(items)) = (kind, &value.data) {
        return items
            .iter()
            .enumerate()
            .find_map(|(i, item)| mismatch(&format!("{name}[{i}]"), *item_kind, item, secret));
    }
    if let Kind::AnyOf(kinds) = kind {
        if kinds
            .iter()
            .any(|kind| mismatch(name, *kind, value, secret).is_none())
        {
            return None;
        }
        // A list among the alternatives tells which of its items is wrong.
        let list = kinds
            .iter()
            .find(|kind| matches!(kind, Kind::List(_)) && value.as_seq().is_some());
        if let Some(kind) = list {
            return mismatch(name, *kind, value, secret);
        }
    } else if fits(kind, value) {
        return None;
    }
    let message = format!("`{name}` takes {}, found {}", kind, found(value, secret));
    let problem = Problem::error(
        if matches!(kind, Kind::OneOf(_)) {
            "E0603"
        } else {
            "E0601"
        },
        &value.span,
        message,
    );
    Some(match remedy(name, kind, value) {
        Some(help) if !secret => problem.help(help),
        _ => problem,
    })
}

fn fits(kind: Kind, value: &Node) -> bool {
    match kind {
        Kind::Any => true,
        Kind::Str => matches!(value.data, Data::Str(_)),
        Kind::Bool => matches!(value.data, Data::Bool(_)),
        // A float without a fraction is an integer for JSON Schema, and so for ElastAlert.
        Kind::Int => match value.data {
            Data::Int(_) => true,
            Data::Float(value) => value.fract() == 0.0 && value.abs() < 9e15,
            _ => false,
        },
        Kind::Number => matches!(value.data, Data::Int(_) | Data::BigInt(_) | Data::Float(_)),
        Kind::OneOf(values) => value.as_str().is_some_and(|text| values.contains(&text)),
        Kind::Map => value.as_map().is_some(),
        Kind::Duration | Kind::List(_) => false,
        Kind::AnyOf(kinds) => kinds.iter().any(|kind| fits(*kind, value)),
    }
}

fn check_duration(name: &str, value: &Node) -> Option<Problem> {
    for (unit, amount) in value.as_map()?.iter() {
        let unit_name = unit.key_text();
        if !duration::UNITS.contains(&unit_name.as_str()) {
            let message = format!(
                "`{name}` has no unit `{unit_name}`, it takes {}",
                Kind::OneOf(&duration::UNITS)
            );
            let problem = Problem::error("E0605", &unit.span, message);
            return Some(match nearest(&unit_name, duration::UNITS.iter().copied()) {
                Some(near) => problem.help(format!("did you mean `{near}`?")),
                None => problem,
            });
        }
        if let Some(problem) = mismatch(&format!("{name}.{unit_name}"), Kind::Number, amount, false)
        {
            return Some(problem);
        }
    }
    duration(value).is_none().then(|| {
        Problem::error(
            "E0605",
            &value.span,
            format!("`{name}` is negative or beyond what a duration can be"),
        )
    })
}

/// What is there, in words and as written.
fn found(value: &Node, secret: bool) -> String {
    let written = written(value);
    if secret || written.is_empty() || written.contains('\n') || value.is_null() {
        value.kind_name().to_owned()
    } else {
        let short: String = written.chars().take(40).collect();
        let dots = if short.len() < written.len() {
            "…"
        } else {
            ""
        };
        format!("{} `{short}{dots}`", value.kind_name())
    }
}

/// The value as it stands in the file.
fn written(value: &Node) -> &str {
    value
        .span
        .file
        .text()
        .get(value.span.start..value.span.end)
        .unwrap_or_default()
        .trim()
}

fn remedy(name: &str, kind: Kind, value: &Node) -> Option<String> {
    let scalar = !matches!(value.data, Data::Null | Data::Seq(_) | Data::Map(_));
    match kind {
        Kind::Str if scalar => Some(format!("quote it: \"{}\"", written(value))),
        Kind::Duration => {
            let text = match &value.data {
                Data::Str(text) => text.clone(),
                Data::Int(seconds) => seconds.to_string(),
                _ => return None,
            };
            duration::from_short_form(&text).map(|object| format!("write {name}: {object}"))
        }
        Kind::Bool => {
            let text = value.as_str()?.to_lowercase();
            matches!(
                text.as_str(),
                "true" | "false" | "yes" | "no" | "on" | "off"
            )
            .then(|| format!("remove the quotes: {text}"))
        }
        Kind::Int | Kind::Number => {
            let text = value.as_str()?;
            text.parse::<f64>()
                .is_ok()
                .then(|| format!("remove the quotes: {text}"))
        }
        Kind::OneOf(values) => match value.as_str() {
            Some(text) => {
                nearest(text, values.iter().copied()).map(|near| format!("did you mean `{near}`?"))
            }
            None => None,
        },
        Kind::List(item) if scalar && mismatch(name, *item, value, false).is_none() => {
            Some(format!("write it as a list: [{}]", written(value)))
        }
        Kind::AnyOf(kinds) => kinds.iter().find_map(|kind| remedy(name, *kind, value)),
        _ => None,
    }
}

/// The sentence with its first letter small, unless the first word is a name.
fn lower(sentence: &str) -> String {
    let mut characters = sentence.chars();
    match (characters.next(), characters.clone().next()) {
        (Some(first), Some(second)) if second.is_lowercase() || second == ' ' => {
            first.to_lowercase().chain(characters).collect()
        }
        _ => sentence.to_owned(),
    }
}

#[cfg(test)]
mod tests;
