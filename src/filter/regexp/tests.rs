use super::*;
use proptest::prelude::*;

#[track_caller]
fn check(pattern: &str, yes: &[&str], no: &[&str]) {
    let automaton = compile(pattern, Options::default()).unwrap();
    for text in yes {
        assert!(automaton.matches(text), "{pattern} should match {text:?}");
    }
    for text in no {
        assert!(
            !automaton.matches(text),
            "{pattern} should not match {text:?}"
        );
    }
}

#[test]
fn operators() {
    check("a(b|c)*d?", &["a", "abcb", "abd"], &["", "ad d", "xa"]);
    check(".*foo.*", &["foo", "a\nfoob"], &["fo"]);
    check(
        "[a-c]{2,3}[^0-9]",
        &["abx", "abcé"],
        &["ax", "ab1", "abcab"],
    );
    check("ab~(c.*)", &["ab", "abx"], &["abc", "abcd"]);
    check(".*a.*&.*b.*", &["ab", "bxa"], &["a", "b"]);
    check("<9-101>", &["9", "10", "101", "0050"], &["8", "102"]);
    check("<01-20>", &["01", "20"], &["1", "21"]);
    check("\"a.b\"@", &["a.b", "a.bc"], &["axb"]);
    check("#|a", &["a"], &["", "#"]);
    check(r"\d+\.\w", &["12.x", "1._"], &["12x"]);
    check("^a$", &["^a$"], &["a"]);
    check("(a{2}){3}", &["aaaaaa"], &["aaaaa"]);
}

#[test]
fn bad_patterns() {
    for pattern in [
        "a(b", "a)b", "[a", "a{", "a{2", "abc|", "<tag>", "a<b", r"\q", "\"a", "a\\", "[b-a]", "(",
    ] {
        assert!(compile(pattern, Options::default()).is_err(), "{pattern}");
    }
    assert_eq!(
        compile("[ac]*a[ac]{50,200}", Options::default()).unwrap_err(),
        RegexpError::TooComplex
    );
    assert_eq!(
        compile("a{99999999}", Options::default()).unwrap_err(),
        RegexpError::TooComplex
    );
    assert!(compile(&"(".repeat(999), Options::default()).is_err());
    assert!(compile(&"a".repeat(1001), Options::default()).is_err());
}

#[test]
fn either_case() {
    let options = Options {
        ignore_case: true,
        ..Options::default()
    };
    let automaton = compile("aB[cx-z]é", options).unwrap();
    assert!(automaton.matches("AbCé"));
    assert!(!automaton.matches("AbZé"));
    assert!(!automaton.matches("abcÉ"));
}

proptest! {
    #[test]
    fn no_pattern_is_too_strange(pattern in "[ab.|()\\[\\]{}0-9,~&@#<>\"\\\\^*+?-]{0,30}", text in ".{0,20}") {
        let options = Options { work_limit: 500, ..Options::default() };
        if let Ok(automaton) = compile(&pattern, options) {
            automaton.matches(&text);
        }
    }
}
