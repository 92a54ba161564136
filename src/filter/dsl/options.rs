//! Values and options inside clauses.

use super::read::Reader;
use super::{Operator, Scalar};
use crate::config::{Data, Mapping, Node};
use crate::filter::date::Zone;
use crate::filter::fuzzy::Fuzziness;

/// How many of several clauses must match: `2`, `-1`, `75%`, `2<-25% 9<-3`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::filter) struct Minimum {
    /// Up to so many clauses the rule before counts; ascending as written.
    steps: Vec<(i64, Amount)>,
    /// The rule without a condition.
    plain: Option<Amount>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Amount {
    Count(i64),
    Percent(i64),
}

impl Amount {
    fn parse(text: &str) -> Option<Self> {
        let number = |text: &str| text.parse::<i32>().ok().map(i64::from);
        match text.split_once('%') {
            Some((percent, "")) => number(percent).map(Self::Percent),
            Some(_) => None,
            None => number(text).map(Self::Count),
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "fractions are cut off on purpose"
    )]
    #[expect(clippy::cast_precision_loss, reason = "Lucene computes in 32 bits")]
    fn of(self, clauses: i64) -> i64 {
        match self {
            Self::Count(count) if count < 0 => clauses + count,
            Self::Count(count) => count,
            Self::Percent(percent) => {
                let part = (clauses.saturating_mul(percent) as f32 * (1.0 / 100.0)) as i64;
                if percent < 0 { clauses + part } else { part }
            }
        }
        .max(0)
    }
}

impl Minimum {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim_matches(|c| c <= ' ');
        if !text.contains('<') {
            return Some(Self {
                steps: Vec::new(),
                plain: Some(Amount::parse(text)?),
            });
        }
        let mut steps = Vec::new();
        let spaced = text
            .split('<')
            .map(str::trim_ascii)
            .collect::<Vec<_>>()
            .join("<");
        for part in spaced.split_ascii_whitespace() {
            let (bound, amount) = part.split_once('<')?;
            steps.push((bound.parse().ok()?, Amount::parse(amount)?));
        }
        Some(Self { steps, plain: None })
    }

    /// How many of so many clauses must match.
    pub(in crate::filter) fn of(&self, clauses: usize) -> usize {
        let clauses = i64::try_from(clauses).unwrap_or(i64::MAX);
        let mut result = self.plain.map_or(clauses, |amount| amount.of(clauses));
        for (bound, amount) in &self.steps {
            if clauses <= *bound {
                break;
            }
            result = amount.of(clauses);
        }
        usize::try_from(result).unwrap_or(0)
    }
}

impl Scalar {
    /// A scalar of the rule file; `None` for null, lists and objects.
    pub(super) fn of(node: &Node) -> Option<Self> {
        Some(match &node.data {
            Data::Null | Data::Seq(_) | Data::Map(_) => return None,
            Data::Bool(value) => Self::Boolean(*value),
            Data::Int(number) => Self::Integer(*number),
            Data::BigInt(text) => Self::BigInteger(text.clone()),
            Data::Float(number) => Self::Float(*number),
            Data::Str(text) => Self::Text(text.clone()),
            // ElastAlert sends YAML's dates in ISO form.
            Data::Time(text) => Self::Text(text.replacen(' ', "T", 1)),
            Data::Bytes(bytes) => Self::Text(String::from_utf8_lossy(bytes).into_owned()),
        })
    }
}

fn weight(node: &Node) -> Option<f64> {
    match Scalar::of(node)? {
        Scalar::Boolean(_) => None,
        scalar => crate::filter::number::double(&scalar.text()),
    }
}

impl Reader {
    pub(super) fn boost(&mut self, clause: &str, node: &Node) {
        match weight(node) {
            Some(boost) if boost >= 0.0 => {}
            Some(_) => self.malformed(node, format!("[{clause}] \"boost\" is negative")),
            None => self.malformed(node, format!("[{clause}] \"boost\" is not a number")),
        }
    }
}

/// The members of a clause's object, read one by one. What is left at the end is not known.
pub(super) struct Options<'n> {
    clause: &'static str,
    map: &'n Mapping,
    known: Vec<&'static str>,
}

impl<'n> Options<'n> {
    pub(super) fn new(clause: &'static str, map: &'n Mapping) -> Self {
        Self {
            clause,
            map,
            known: Vec::new(),
        }
    }

    /// A member, null or not.
    pub(super) fn node(&mut self, name: &'static str) -> Option<&'n Node> {
        self.known.push(name);
        self.map.get(name)
    }

    /// Members that change scores or the way of searching, not what matches.
    pub(super) fn ignore(&mut self, names: &[&'static str]) {
        self.known.extend(names);
    }

    pub(super) fn scalar(&mut self, name: &'static str, reader: &mut Reader) -> Option<Scalar> {
        let node = self.node(name)?;
        let scalar = Scalar::of(node);
        if scalar.is_none() {
            reader.malformed(
                node,
                format!(
                    "[{}] {name:?} is {}, not a value",
                    self.clause,
                    node.kind_name()
                ),
            );
        }
        scalar
    }

    pub(super) fn text(&mut self, name: &'static str, reader: &mut Reader) -> Option<String> {
        self.scalar(name, reader).map(Scalar::into_text)
    }

    pub(super) fn boolean(&mut self, name: &'static str, reader: &mut Reader) -> Option<bool> {
        let node = self.node(name)?;
        match Scalar::of(node) {
            Some(Scalar::Boolean(value)) => return Some(value),
            // An empty text is false, as the server's reader of JSON has it.
            Some(Scalar::Text(text)) if text == "true" || text == "false" || text.is_empty() => {
                return Some(text == "true");
            }
            _ => {}
        }
        let message = format!(
            "[{}] {name:?} is {}, not true or false",
            self.clause,
            node.kind_name()
        );
        reader.malformed(node, message);
        None
    }

    pub(super) fn whole(&mut self, name: &'static str, reader: &mut Reader) -> Option<i64> {
        let node = self.node(name)?;
        let number = Scalar::of(node).and_then(|scalar| {
            let (whole, _) = crate::filter::number::whole(&scalar.text()).ok()?;
            i64::try_from(whole)
                .ok()
                .filter(|whole| i32::try_from(*whole).is_ok())
        });
        if number.is_none() {
            reader.malformed(
                node,
                format!("[{}] {name:?} is not a whole number", self.clause),
            );
        }
        number
    }

    /// A whole number that is not negative.
    pub(super) fn count(&mut self, name: &'static str, reader: &mut Reader) -> Option<usize> {
        let number = self.whole(name, reader)?;
        let count = usize::try_from(number).ok();
        if let (None, Some(node)) = (count, self.map.get(name)) {
            reader.malformed(node, format!("[{}] {name:?} is negative", self.clause));
        }
        count
    }

    pub(super) fn minimum(&mut self, reader: &mut Reader) -> Option<Minimum> {
        let node = self.node("minimum_should_match")?;
        // The server's readers of the other clauses refuse it.
        if node.is_null() && self.clause == "bool" {
            return None;
        }
        let minimum = Scalar::of(node).and_then(|scalar| Minimum::parse(&scalar.text()));
        if minimum.is_none() {
            reader.malformed(
                node,
                format!(
                    "[{}] minimum_should_match takes 2, -1, 75% or 3<90%",
                    self.clause
                ),
            );
        }
        minimum
    }

    pub(super) fn operator(&mut self, name: &'static str, reader: &mut Reader) -> Option<Operator> {
        let text = self.text(name, reader)?;
        match text.to_lowercase().as_str() {
            "or" => Some(Operator::Or),
            "and" => Some(Operator::And),
            _ => {
                if let Some(node) = self.map.get(name) {
                    reader.malformed(
                        node,
                        format!(
                            "[{}] {name:?} is {text:?}, not \"and\" or \"or\"",
                            self.clause
                        ),
                    );
                }
                None
            }
        }
    }

    pub(super) fn fuzziness(&mut self, reader: &mut Reader) -> Option<Fuzziness> {
        let node = self.node("fuzziness")?;
        let text = Scalar::of(node).map(Scalar::into_text);
        let fuzziness = text
            .filter(|text| !text.trim_start().starts_with('-'))
            .and_then(|text| Fuzziness::parse(&text));
        if fuzziness.is_none() {
            reader.malformed(
                node,
                format!(
                    "[{}] \"fuzziness\" takes AUTO, AUTO:3,6, 0, 1 or 2",
                    self.clause
                ),
            );
        }
        fuzziness
    }

    /// `max_expansions`: how many terms a server would try at most. Here every term is tried.
    pub(super) fn expansions(&mut self, name: &'static str, least: i64, reader: &mut Reader) {
        if let Some(number) = self.whole(name, reader)
            && number < least
            && let Some(node) = self.map.get(name)
        {
            reader.malformed(
                node,
                format!("[{}] {name:?} is less than {least}", self.clause),
            );
        }
    }

    pub(super) fn time_zone(&mut self, reader: &mut Reader) -> Option<String> {
        let text = self.text("time_zone", reader)?;
        if let (None, Some(node)) = (Zone::parse(&text), self.map.get("time_zone")) {
            reader.malformed(
                node,
                format!("[{}] there is no time zone {text:?}", self.clause),
            );
        }
        Some(text)
    }

    /// `boost`: changes scores only, but is checked.
    pub(super) fn boost(&mut self, reader: &mut Reader) {
        if let Some(node) = self.node("boost") {
            reader.boost(self.clause, node);
        }
    }

    /// Numbers that change scores only, but are checked.
    pub(super) fn weights(&mut self, names: &[&'static str], reader: &mut Reader) {
        for name in names {
            if let Some(node) = self.node(name)
                && weight(node).is_none()
            {
                reader.malformed(node, format!("[{}] {name:?} is not a number", self.clause));
            }
        }
    }

    /// `rewrite` and `fuzzy_rewrite`: how a server would search, checked only.
    pub(super) fn rewrite(&mut self, name: &'static str, reader: &mut Reader) {
        let Some(text) = self.text(name, reader) else {
            return;
        };
        let known = [
            "constant_score",
            "constant_score_boolean",
            "constant_score_auto",
            "scoring_boolean",
        ]
        .contains(&text.as_str())
            || ["top_terms_boost_", "top_terms_blended_freqs_", "top_terms_"]
                .iter()
                .any(|start| {
                    text.strip_prefix(start)
                        .is_some_and(|n| n.parse::<u32>().is_ok())
                });
        if let (false, Some(node)) = (known, self.map.get(name)) {
            reader.malformed(
                node,
                format!("[{}] there is no rewrite method {text:?}", self.clause),
            );
        }
    }

    /// Names every member nobody asked for.
    pub(super) fn finish(self, reader: &mut Reader) {
        for (key, _) in self.map.iter() {
            let name = key.key_text();
            if !self.known.contains(&name.as_str()) {
                reader.unknown_option(self.clause, key, &name, &self.known);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minimums() {
        for (text, clauses, expected) in [
            ("2", 5, 2),
            ("-2", 5, 3),
            ("75%", 5, 3),
            ("-25%", 5, 4),
            ("2<75%", 2, 2),
            ("2<75%", 4, 3),
            ("2<-25% 9<-3", 10, 7),
            ("-9", 5, 0),
            ("9", 5, 9),
        ] {
            assert_eq!(
                Minimum::parse(text).unwrap().of(clauses),
                expected,
                "{text}"
            );
        }
        for bad in ["", "x", "2<", "50%x", "1.5"] {
            assert_eq!(Minimum::parse(bad), None, "{bad}");
        }
    }
}
