//! `whitelist`: an event matches when the value of a field is not in a list.
//!
//! <https://elastalert2.readthedocs.io/en/latest/ruletypes.html#whitelist>. ElastAlert fails on an array; here one element that is not in the list
//! is enough for a match.

use super::list;
use super::list::{ArrayRule, COMPARE_KEY, Entries, FILTER_BY_LIST, Standing};
use super::stateless::Stateless;
use crate::config::{Problem, Properties, opt};
use crate::event::FieldPath;
use crate::rule::{Built, Common, Observed, RuleState, RuleType, RuleTypeEntry, Verdict};
use std::sync::Arc;

pub(super) const ENTRY: RuleTypeEntry = RuleTypeEntry {
    name: "whitelist",
    doc: "Matches events whose field has a value that is not in a list.",
    options: &[
        COMPARE_KEY,
        list::list_option("whitelist"),
        opt("ignore_null")
            .bool()
            .required()
            .doc("Whether events without the field are no match (true) or a match (false).")
            .hint("add `ignore_null: true` to let events without the field pass, or `ignore_null: false` to make each of them a match"),
        FILTER_BY_LIST,
        super::UNUSED_TIMEFRAME,
    ],
    build,
    advice: list::advice,
};

#[derive(Debug)]
struct Whitelist {
    fields: [FieldPath; 1],
    entries: Entries,
    ignore_null: bool,
}

fn build(properties: &Properties, common: &Common) -> Built {
    let entries = list::entries("whitelist", properties, &common.working_directory);
    let Some(ignore_null) = properties.bool("ignore_null") else {
        let message = "whitelist needs ignore_null: what is to become of events without the field?";
        let help = "ignore_null: true lets them pass in silence, ignore_null: false makes each of them a match";
        let mut problems = entries.err().unwrap_or_default();
        problems.push(Problem::error("E0414", &common.span, message).help(help));
        return Err(problems);
    };
    let entries = entries?;
    Ok(Arc::new(Whitelist {
        fields: [list::compare_key(properties)],
        entries: entries.into_iter().map(String::into_boxed_str).collect(),
        ignore_null,
    }))
}

impl RuleType for Whitelist {
    fn fields(&self) -> &[FieldPath] {
        &self.fields
    }

    fn sample(&self, event: &Observed<'_>) -> Verdict {
        let field = event.fields.field(0);
        match list::standing(&self.entries, field, ArrayRule::EveryElement) {
            Standing::Unlisted => Verdict::Match,
            Standing::Null if !self.ignore_null => Verdict::Match,
            Standing::Null | Standing::Listed => Verdict::Nothing,
        }
    }

    fn state(&self) -> Box<dyn RuleState> {
        Box::new(Stateless)
    }
}
