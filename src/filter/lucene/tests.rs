use super::*;
use proptest::prelude::*;

#[track_caller]
fn check(query: &str, expected: &str) {
    let shown = match parse(query) {
        Ok(items) => show(&items),
        Err(error) => format!("error at {}", error.at),
    };
    assert_eq!(shown, expected, "{query}");
}

fn show(items: &[Item]) -> String {
    let shown: Vec<String> = items
        .iter()
        .map(|item| {
            let conjunction = match item.conjunction {
                Conjunction::None => "",
                Conjunction::And => "AND ",
                Conjunction::Or => "OR ",
            };
            let modifier = match item.modifier {
                Modifier::None => "",
                Modifier::Required => "+",
                Modifier::Prohibited => "-",
            };
            let syntax = match &item.syntax {
                Syntax::Group(items) => format!("({})", show(items)),
                Syntax::Leaf { field, leaf } => {
                    let field = field.as_ref().map(|f| format!("{f}:")).unwrap_or_default();
                    match leaf {
                        Leaf::Words(text) => format!("{field}<{text}>"),
                        Leaf::Phrase { text, slop } => format!("{field}{text:?}{slop:?}"),
                        Leaf::Prefix(text) => format!("{field}<{text}>*"),
                        Leaf::Wildcard(text) => format!("{field}wild<{text}>"),
                        Leaf::Regexp(text) => format!("{field}/{text}/"),
                        Leaf::Fuzzy { text, edits } => format!("{field}<{text}>~{edits:?}"),
                        Leaf::Range { lower, upper, .. } => format!("{field}[{lower:?} {upper:?}]"),
                    }
                }
            };
            format!("{conjunction}{modifier}{syntax}")
        })
        .collect();
    shown.join(" ")
}

#[test]
fn operators() {
    check("a AND b OR c", "<a> AND <b> OR <c>");
    check("a b c AND d", "<a b> <c> AND <d>");
    check("+a -b !c NOT d", "+<a> -<b> -<c> -<d>");
    check("a && b || c dog&&cat", "<a> AND <b> OR <c> <dog&&cat>");
    check("f:(a OR g:b)^2", "(f:<a> OR g:<b>)");
    check("a - b", "<a> <-> <b>");
    for bad in [
        "NOT NOT a",
        "a AND",
        "AND a",
        "()",
        "f:",
        "(a",
        "a)",
        "\"a",
        "a^x",
        "f:[a TO",
        "/a",
        "a\\",
        "]",
    ] {
        assert!(parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn leaves() {
    check(r#"f:"a b"~2"#, r#"f:"a b"Some(2)"#);
    check(r"p:C\:\\Windows\\*", r"p:<C:\Windows\>*");
    check("a*b ? * x?", "wild<a*b> wild<?> wild<*> wild<x?>");
    check(
        "a~ b~1 c~0.5",
        "<a>~None <b>~Some(Edits(1)) <c>~Some(Edits(0))",
    );
    check(
        "n:[1 TO *} n:{a TO \"b c\"]",
        r#"n:[Some("1") None] n:[Some("a") Some("b c")]"#,
    );
    check(r"/var\/log/", r"/var\/log/");
    check("/var/log", "/var/ <log>");
    check(r"\u0041b", "<Ab>");
    check("n:>=5 web-01", "n:<>=5> <web-01>");
}

#[test]
fn simple_queries() {
    // As if the analyzer knew no word "the".
    let parse = |text: &str| {
        parse_simple(text, Flags::ALL, false, &mut |leaf| {
            (leaf != SimpleLeaf::Words("the".to_owned())).then_some(leaf)
        })
        .unwrap()
    };
    let word = |text: &str| Simple::Leaf(SimpleLeaf::Words(text.to_owned()));
    assert_eq!(
        parse("a + b"),
        Some(Simple::All(vec![word("a"), word("b")]))
    );
    assert_eq!(
        parse("a -b"),
        Some(Simple::Any(vec![
            word("a"),
            Simple::Not(Box::new(word("b")))
        ]))
    );
    let prefix = Simple::Leaf(SimpleLeaf::Prefix("web".to_owned()));
    assert_eq!(parse("web*"), Some(prefix));
    assert_eq!(parse("()"), None);
    assert_eq!(parse("\"a"), Some(word("a")));
    // The plus waits for the next word that is one.
    assert_eq!(
        parse("a + the b"),
        Some(Simple::All(vec![word("a"), word("b")]))
    );
    assert_eq!(parse("the + a"), Some(word("a")));
    assert_eq!(parse("the (the)"), None);
    let often = "a|b+".repeat(100_000);
    let read = parse_simple(&often, Flags::ALL, false, &mut Some);
    assert_eq!(read, Err(TooMixed));
}

proptest! {
    #[test]
    fn no_text_is_too_strange(text in "[ab*?:(){}\\[\\]\"/\\\\~^+!&|<>= -]{0,40}|.{0,40}") {
        let _outcome = parse(&text);
        let _outcome = parse_simple(&text, Flags::ALL, true, &mut Some);
    }
}
