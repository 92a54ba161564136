//! Whether an edited rule keeps its state.

use crate::config::Properties;
use crate::rule::{RuleTypeEntry, time_field};

/// What a rule's state depends on, beside the options of its type and of its clock.
const COMMON: [&str; 5] = ["type", "filter", "query_key", "timeframe", "buffer_time"];

/// A hash over what a rule's state depends on. FNV-1a, because it must be the same in every version of the program.
pub(super) fn of(properties: &Properties, entry: &RuleTypeEntry) -> u64 {
    let time = time_field::OPTIONS.iter().map(|spec| spec.name);
    let mut names: Vec<&str> = entry
        .options
        .iter()
        .map(|spec| spec.name)
        .chain(COMMON)
        .chain(time)
        .collect();
    names.sort_unstable();
    names.dedup();
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for name in names {
        let value = properties.value(name).unwrap_or_default();
        for byte in format!("{name}={value}\n").bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash
}
