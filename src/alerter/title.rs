//! Default subjects.

use crate::alert::Alert;
use crate::event::python;

/// `PREFIX: NAME`, and the value of the query key if the first match has it at top level.
pub(super) fn with_query_key(prefix: &str, alert: &Alert<'_>) -> String {
    let name = &alert.rule.name;
    let value = alert.rule.query_key.as_ref().and_then(|key| {
        let value = alert.matches.first()?.get(&key.name)?;
        python::is_truthy(value).then(|| python::str(value))
    });
    match value {
        Some(value) => format!("{prefix}: {name} - {value}"),
        None => format!("{prefix}: {name}"),
    }
}
