//! `blacklist`: an event matches when the value of a field is in a list.
//!
//! <https://elastalert2.readthedocs.io/en/latest/ruletypes.html#blacklist>. ElastAlert fails on an array; here any element in the list is enough.

use super::list;
use super::list::{ArrayRule, COMPARE_KEY, Entries, FILTER_BY_LIST, Standing};
use super::stateless::Stateless;
use crate::config::Properties;
use crate::event::FieldPath;
use crate::rule::{Built, Common, Observed, RuleState, RuleType, RuleTypeEntry, Verdict};
use std::sync::Arc;

pub(super) const ENTRY: RuleTypeEntry = RuleTypeEntry {
    name: "blacklist",
    doc: "Matches events whose field has a value that is in a list.",
    options: &[
        COMPARE_KEY,
        list::list_option("blacklist"),
        FILTER_BY_LIST,
        super::UNUSED_TIMEFRAME,
    ],
    build,
    advice: list::advice,
};

#[derive(Debug)]
struct Blacklist {
    fields: [FieldPath; 1],
    entries: Entries,
}

fn build(properties: &Properties, common: &Common) -> Built {
    let entries = list::entries("blacklist", properties, &common.working_directory)?;
    Ok(Arc::new(Blacklist {
        fields: [list::compare_key(properties)],
        entries: entries.into_iter().map(String::into_boxed_str).collect(),
    }))
}

impl RuleType for Blacklist {
    fn fields(&self) -> &[FieldPath] {
        &self.fields
    }

    fn sample(&self, event: &Observed<'_>) -> Verdict {
        let field = event.fields.field(0);
        match list::standing(&self.entries, field, ArrayRule::AnyElement) {
            Standing::Listed => Verdict::Match,
            Standing::Null | Standing::Unlisted => Verdict::Nothing,
        }
    }

    fn state(&self) -> Box<dyn RuleState> {
        Box::new(Stateless)
    }
}
