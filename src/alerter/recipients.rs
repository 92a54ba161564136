//! Who gets a mail.

use crate::alert::Alert;
use crate::config::Properties;
use crate::event::{FieldPath, python};
use serde_json::Value;

/// Who gets a mail: always the same, or whom the match names.
#[derive(Debug)]
pub(super) struct Recipients {
    /// The option's addresses.
    pub(super) fixed: Vec<String>,
    field: Option<FieldPath>,
    /// Begins with `@`.
    domain: Option<String>,
}

impl Recipients {
    /// From the options `NAME`, `NAME_from_field` and `NAME_add_domain`.
    pub(super) fn read(properties: &Properties, name: &str) -> Self {
        let domain = properties.text(&format!("{name}_add_domain"));
        let field = properties.text(&format!("{name}_from_field"));
        Self {
            fixed: properties.texts(name),
            field: field.map(FieldPath::new),
            domain: domain.map(|domain| match domain.starts_with('@') {
                true => domain,
                false => format!("@{domain}"),
            }),
        }
    }

    /// The field of the first match, else the option's addresses.
    pub(super) fn of(&self, alert: &Alert<'_>) -> Vec<String> {
        let domain = self.domain.as_deref();
        let field = self.field.as_ref();
        let first = alert.matches.first();
        match field.zip(first).and_then(|(field, first)| field.get(first)) {
            Some(Value::String(address)) if address.contains('@') => vec![address.clone()],
            Some(Value::String(name)) => match domain {
                Some(domain) => vec![format!("{name}{domain}")],
                None => self.fixed.clone(),
            },
            Some(Value::Array(names)) => names
                .iter()
                .map(|name| python::str(name) + domain.unwrap_or_default())
                .collect(),
            _ => self.fixed.clone(),
        }
    }
}
