//! Texts that services take only up to a length.

/// The text, or its first `keep` characters and `note` if it has more than `max`.
pub(super) fn crop(text: String, max: usize, keep: usize, note: &str) -> String {
    if text.chars().count() <= max {
        return text;
    }
    text.chars().take(keep).chain(note.chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::crop;

    #[test]
    fn characters_are_counted() {
        assert_eq!(crop("ééé".to_owned(), 3, 1, "…"), "ééé");
        assert_eq!(crop("éééé".to_owned(), 3, 1, "…"), "é…");
    }
}
