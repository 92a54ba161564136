//! How states are saved: a byte for the version of the form, then the state.

use serde::Serialize;
use serde::de::Deserialize;

/// Writes a state.
pub(super) fn save<T: Serialize>(version: u8, state: &T) -> Vec<u8> {
    let written = postcard::to_extend(state, vec![version]);
    // Writing into memory fails only for forms that no state has (sequences of unknown length). A state that cannot be written is
    // found out by its tests, and is refused when read.
    written.unwrap_or_default()
}

/// Reads a state that [`save`] wrote.
pub(super) fn load<'a, T: Deserialize<'a>>(version: u8, saved: &'a [u8]) -> Result<T, String> {
    match saved.split_first() {
        Some((&found, state)) if found == version => {
            let (state, rest) = postcard::take_from_bytes(state)
                .map_err(|error| format!("the saved state is damaged: {error}"))?;
            if rest.is_empty() {
                Ok(state)
            } else {
                Err("the saved state is longer than it should be".to_owned())
            }
        }
        Some((&found, _)) => Err(format!(
            "the saved state has version {found}, and only {version} is known"
        )),
        None => Err("the saved state is empty".to_owned()),
    }
}

/// JSON values inside a saved state, as JSON text: only that keeps the text of numbers, and other forms would need to know the types beforehand.
pub(super) mod json {
    use serde::de::DeserializeOwned;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

    /// Writes a value.
    pub(in crate::rule) fn serialize<T: Serialize, S: Serializer>(
        value: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let json = serde_json::to_string(value).map_err(ser::Error::custom)?;
        serializer.serialize_str(&json)
    }

    /// Reads a value.
    pub(in crate::rule) fn deserialize<'de, T: DeserializeOwned, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        let json = String::deserialize(deserializer)?;
        serde_json::from_str(&json).map_err(de::Error::custom)
    }
}
