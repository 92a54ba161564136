//! What the `english` and `stop` analyzers know of English.

use std::borrow::Cow;

/// Lucene's default stop words.
pub(super) fn is_stop_word(term: &str) -> bool {
    const WORDS: [&str; 33] = [
        "a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "is",
        "it", "no", "not", "of", "on", "or", "such", "that", "the", "their", "then", "there",
        "these", "they", "this", "to", "was", "will", "with",
    ];
    WORDS.contains(&term)
}

/// Without `'s` at the end.
pub(super) fn without_possessive(term: Cow<'_, str>) -> Cow<'_, str> {
    let cut = ["'s", "'S", "’s", "’S", "＇s", "＇S"]
        .iter()
        .find_map(|ending| term.strip_suffix(ending))
        .map(str::len);
    match cut {
        Some(length) => term.get(..length).unwrap_or_default().to_owned().into(),
        None => term,
    }
}

/// Porter's stemming algorithm (M. F. Porter, 1980). Words with other letters than `a`–`z` stay as they are from there on.
pub(super) fn stem(term: &str) -> String {
    let mut word = Word(term.chars().collect());
    if word.0.len() > 2 {
        word.plurals();
        word.past_and_participle();
        word.terminal_y();
        word.replace_first(&STEP_2, 0);
        word.replace_first(&STEP_3, 0);
        word.drop_suffixes();
        word.final_e();
    }
    word.0.into_iter().collect()
}

const STEP_2: [(&str, &str); 21] = [
    ("ational", "ate"),
    ("tional", "tion"),
    ("enci", "ence"),
    ("anci", "ance"),
    ("izer", "ize"),
    ("bli", "ble"),
    ("alli", "al"),
    ("entli", "ent"),
    ("eli", "e"),
    ("ousli", "ous"),
    ("ization", "ize"),
    ("ation", "ate"),
    ("ator", "ate"),
    ("alism", "al"),
    ("iveness", "ive"),
    ("fulness", "ful"),
    ("ousness", "ous"),
    ("aliti", "al"),
    ("iviti", "ive"),
    ("biliti", "ble"),
    ("logi", "log"),
];

const STEP_3: [(&str, &str); 7] = [
    ("icate", "ic"),
    ("ative", ""),
    ("alize", "al"),
    ("iciti", "ic"),
    ("ical", "ic"),
    ("ful", ""),
    ("ness", ""),
];

const STEP_4: [&str; 19] = [
    "al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ion", "ou",
    "ism", "ate", "iti", "ous", "ive", "ize",
];

struct Word(Vec<char>);

impl Word {
    fn is_consonant(&self, at: usize) -> bool {
        match self.0.get(at) {
            Some('a' | 'e' | 'i' | 'o' | 'u') => false,
            Some('y') => at == 0 || !self.is_consonant(at - 1),
            _ => true,
        }
    }

    /// How many times a vowel is followed by a consonant in the first `length` letters.
    fn measure(&self, length: usize) -> usize {
        let kinds: Vec<bool> = (0..length).map(|at| self.is_consonant(at)).collect();
        kinds
            .iter()
            .zip(kinds.iter().skip(1))
            .filter(|(before, after)| !**before && **after)
            .count()
    }

    fn has_vowel(&self, length: usize) -> bool {
        (0..length).any(|at| !self.is_consonant(at))
    }

    fn ends_double(&self, length: usize) -> bool {
        length >= 2
            && self.0.get(length - 1) == self.0.get(length - 2)
            && self.is_consonant(length - 1)
    }

    fn ends_cvc(&self, length: usize) -> bool {
        length >= 3
            && self.is_consonant(length - 3)
            && !self.is_consonant(length - 2)
            && self.is_consonant(length - 1)
            && !matches!(self.0.get(length - 1), Some('w' | 'x' | 'y'))
    }

    /// The length of what stands before an ending.
    fn before(&self, ending: &str) -> Option<usize> {
        let length = self.0.len().checked_sub(ending.chars().count())?;
        let (_, tail) = self.0.split_at_checked(length)?;
        tail.iter().copied().eq(ending.chars()).then_some(length)
    }

    fn replace(&mut self, length: usize, ending: &str) {
        self.0.truncate(length);
        self.0.extend(ending.chars());
    }

    fn plurals(&mut self) {
        if self.before("sses").is_some() || self.before("ies").is_some() {
            self.0.truncate(self.0.len() - 2);
        } else if self.before("s").is_some() && self.before("ss").is_none() {
            self.0.pop();
        }
    }

    fn past_and_participle(&mut self) {
        if let Some(length) = self.before("eed") {
            if self.measure(length) > 0 {
                self.0.pop();
            }
            return;
        }
        let Some(length) = ["ed", "ing"]
            .iter()
            .find_map(|ending| self.before(ending))
            .filter(|length| self.has_vowel(*length))
        else {
            return;
        };
        self.0.truncate(length);
        let add_e = ["at", "bl", "iz"]
            .iter()
            .any(|ending| self.before(ending).is_some());
        if add_e {
            self.0.push('e');
        } else if self.ends_double(length) {
            if !matches!(self.0.last(), Some('l' | 's' | 'z')) {
                self.0.pop();
            }
        } else if self.measure(length) == 1 && self.ends_cvc(length) {
            self.0.push('e');
        }
    }

    fn terminal_y(&mut self) {
        if let Some(length) = self.before("y")
            && self.has_vowel(length)
        {
            self.replace(length, "i");
        }
    }

    fn replace_first(&mut self, endings: &[(&str, &str)], more_than: usize) {
        let found = endings
            .iter()
            .find_map(|(ending, new)| Some((self.before(ending)?, new)));
        if let Some((length, new)) = found
            && self.measure(length) > more_than
        {
            self.replace(length, new);
        }
    }

    fn drop_suffixes(&mut self) {
        let found = STEP_4
            .iter()
            .find_map(|ending| Some((self.before(ending)?, *ending)));
        if let Some((length, ending)) = found {
            let fits =
                ending != "ion" || matches!(self.0.get(length.wrapping_sub(1)), Some('s' | 't'));
            if fits && self.measure(length) > 1 {
                self.0.truncate(length);
            }
        }
    }

    fn final_e(&mut self) {
        if let Some(length) = self.before("e") {
            let measure = self.measure(length);
            if measure > 1 || (measure == 1 && !self.ends_cvc(length)) {
                self.0.truncate(length);
            }
        }
        let length = self.0.len();
        if self.before("l").is_some() && self.ends_double(length) && self.measure(length) > 1 {
            self.0.pop();
        }
    }
}
