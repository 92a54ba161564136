use super::*;
use proptest::prelude::*;

fn words(text: &str) -> Vec<String> {
    let analyzer = Analyzer::named("standard").unwrap();
    analyzer
        .tokens(text)
        .into_iter()
        .map(|token| token.text)
        .collect()
}

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(words(text).join("|"), expected, "{text}");
}

#[test]
fn words_of_logs() {
    check(
        "GET /index.html?q=1 HTTP/1.1",
        "get|index.html|q|1|http|1.1",
    );
    check(r"C:\Windows\System32", "c|windows|system32");
    check(
        "can't a_b __init__ _ 1,000.5 a.1",
        "can't|a_b|__init__|1,000.5|a|1",
    );
    check("日本語テスト", "日|本|語|テスト");
    check("İΣ", "iσ");
    check(
        &"x".repeat(300),
        &format!("{}|{}", "x".repeat(255), "x".repeat(45)),
    );
}

#[test]
fn english_words() {
    let analyzer = Analyzer::named("english").unwrap();
    let found: Vec<_> = analyzer
        .tokens("The running foxes' jumped over Bob's relational hopping")
        .into_iter()
        .map(|token| format!("{}:{}", token.text, token.position))
        .collect();
    assert_eq!(
        found.join(" "),
        "run:1 fox:2 jump:3 over:4 bob:5 relat:6 hop:7"
    );
}

/// Lucene's tokenizer looks at no more than 255 characters from where a word begins.
#[test]
fn long_words() {
    for letter in ["a", "é"] {
        let lengths = |text: String| -> Vec<usize> {
            words(&text.replace('a', letter))
                .iter()
                .map(|word| word.encode_utf16().count())
                .collect()
        };
        let long = |length| "a".repeat(length);
        assert_eq!(lengths(long(254) + ".bcd"), [254, 3]);
        assert_eq!(lengths(long(253) + ".bcd"), [255, 2]);
        assert_eq!(lengths(long(253) + "__bc"), [255, 2]);
        assert_eq!(lengths(long(255) + "_"), [255]);
        assert_eq!(lengths("_".repeat(255) + "abc"), [255, 2]);
        assert_eq!(lengths("_".repeat(900) + "abc d"), [255, 2, 1]);
        assert_eq!(lengths("_".repeat(900) + " a"), [1]);
        assert_eq!(lengths("a".to_owned() + &"_".repeat(300) + "b"), [255, 47]);
    }
    let deseret = "a".to_owned() + &"\u{10400}".repeat(200);
    let lengths: Vec<usize> = words(&deseret).iter().map(|w| w.chars().count()).collect();
    assert_eq!(lengths, [128, 73]);
}

/// What Lucene made of over a thousand texts.
#[test]
fn terms_are_lucenes() {
    let text = include_str!("../../../tests/golden/filters/analysis/analysis.json");
    let golden: serde_json::Value = serde_json::from_str(text).unwrap();
    let standard = Analyzer::named("standard").unwrap();
    let mut wrong = Vec::new();
    for case in golden["standard"].as_array().unwrap() {
        let text = case["text"].as_str().unwrap();
        let found: Vec<_> = standard
            .tokens(text)
            .into_iter()
            .map(|token| serde_json::json!([token.text, token.position]))
            .collect();
        if case["tokens"] != serde_json::Value::Array(found.clone()) {
            wrong.push(format!(
                "standard {text:?}: {found:?}, not {}",
                case["tokens"]
            ));
        }
    }
    for case in golden["others"].as_array().unwrap() {
        let text = case["text"].as_str().unwrap();
        for name in ["simple", "whitespace", "keyword", "stop"] {
            let tokens = Analyzer::named(name).unwrap().tokens(text);
            let found: Vec<_> = tokens.into_iter().map(|token| token.text).collect();
            if case[name] != serde_json::json!(found) {
                wrong.push(format!("{name} {text:?}: {found:?}, not {}", case[name]));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

proptest! {
    #[test]
    fn both_ways_through_ascii_agree(text in prop_oneof!["[ -~]{0,60}", "(a{0,200}|_{0,300}|[.:,'_a1 -]{0,20}){0,6}"]) {
        let (mut fast, mut slow) = (Vec::new(), Vec::new());
        standard::each_word(&text, &mut |word| {
            fast.push(word.to_owned());
            Visit::Continue
        });
        standard::each_word_slowly(&text, &mut |word| {
            slow.push(word.to_owned());
            Visit::Continue
        });
        prop_assert_eq!(fast, slow);
    }

    #[test]
    fn no_text_is_too_strange(text in any::<String>()) {
        for name in ["standard", "simple", "whitespace", "keyword", "stop", "english"] {
            Analyzer::named(name).unwrap().tokens(&text);
        }
    }
}

#[test]
fn words_are_those_of_the_unicode_that_lucene_follows() {
    let words = |text| -> Vec<String> {
        let tokens = Analyzer::standard().tokens(text);
        tokens.into_iter().map(|token| token.text).collect()
    };
    for (text, expected) in [
        // Pictographs, whether or not they are emoji.
        ("a\u{2605}b", &["a", "\u{2605}", "b"][..]),
        ("\u{1F0A1}\u{1F0A1}", &["\u{1F0A1}", "\u{1F0A1}"]),
        // Joiners stay with the pictograph behind them.
        (".\u{200D}\u{1F400}", &["\u{200D}\u{1F400}"]),
        (
            "\u{1F400}\u{301}\u{200D}\u{1F401}",
            &["\u{1F400}\u{301}\u{200D}\u{1F401}"],
        ),
        // Letters of later versions, and signs that became letters or digits.
        ("a\u{870}b", &["a", "b"]),
        ("a\u{2E5}b", &["a", "b"]),
        ("a\u{600}b", &["a\u{600}b"]),
        ("\u{600}\u{661}", &["\u{661}"]),
        // Signs of the scripts that are not cut.
        ("a\u{1AA0}b", &["a", "\u{1AA0}", "b"]),
    ] {
        assert_eq!(words(text), expected, "{}", text.escape_unicode());
    }
}
