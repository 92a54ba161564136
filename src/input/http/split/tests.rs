use super::*;
use proptest::prelude::*;

/// The events, and the positions and reasons of the others.
type Outcome = (Vec<String>, Vec<(usize, String)>);

fn cut(content_type: &str, body: &[u8]) -> Outcome {
    let body = Bytes::copy_from_slice(body);
    let split = split(Content::from_type(Some(content_type)), &body, 100, 1000).unwrap();
    let events = split.events.iter();
    let unusable = split.unusable.into_iter();
    (
        events
            .map(|event| String::from_utf8_lossy(&event.bytes).into_owned())
            .collect(),
        unusable.map(|event| (event.at, event.detail)).collect(),
    )
}

#[track_caller]
fn check(content_type: &str, body: &str, events: &[&str], unusable: &[(usize, &str)]) {
    let (found, rejected) = cut(content_type, body.as_bytes());
    let rejected: Vec<(usize, &str)> = rejected
        .iter()
        .map(|(at, why)| (*at, why.as_str()))
        .collect();
    assert_eq!(
        (
            found.iter().map(String::as_str).collect::<Vec<_>>(),
            rejected
        ),
        (events.to_vec(), unusable.to_vec())
    );
}

const JSON: &str = "application/json; charset=UTF-8";

#[test]
fn one_object() {
    check(JSON, r#"{"a":1}"#, &[r#"{"a":1}"#], &[]);
    check(
        JSON,
        "\u{FEFF} {\n \"a\": 1\n}\n",
        &["{\n \"a\": 1\n}"],
        &[],
    );
    check("", r#"{"a":1}"#, &[r#"{"a":1}"#], &[]);
}

#[test]
fn an_array() {
    check(
        JSON,
        r#"[{"a":"],[\""}, {"b":[{}]} ,{}]"#,
        &[r#"{"a":"],[\""}"#, r#"{"b":[{}]}"#, "{}"],
        &[],
    );
    check(JSON, "[]", &[], &[]);
    check(JSON, " [ ] ", &[], &[]);
}

#[test]
fn several_after_one_another() {
    check(
        JSON,
        "{\"a\":1}\n{\"a\":2}\r\n\n",
        &[r#"{"a":1}"#, r#"{"a":2}"#],
        &[],
    );
    check(
        JSON,
        r#"{"a":1}{"a":2} [{"a":3}]"#,
        &[r#"{"a":1}"#, r#"{"a":2}"#, r#"{"a":3}"#],
        &[],
    );
}

#[test]
fn nothing() {
    for content_type in [
        JSON,
        "text/plain",
        "application/x-ndjson",
        "application/x-www-form-urlencoded",
    ] {
        check(content_type, "", &[], &[]);
        check(content_type, " \r\n", &[], &[]);
    }
}

#[test]
fn a_broken_element_leaves_the_others_alone() {
    // Whether an object is valid is found out later.
    check(
        JSON,
        r#"[{"a":1},{"a":},{"b":2}]"#,
        &[r#"{"a":1}"#, r#"{"a":}"#, r#"{"b":2}"#],
        &[],
    );
    check(
        JSON,
        r#"[{"a":1},7,,"x",nul,{"b":2}]"#,
        &[r#"{"a":1}"#, r#"{"b":2}"#],
        &[
            (1, "not a JSON object but a number"),
            (2, "not valid JSON: EOF while parsing a value at byte 1"),
            (3, "not a JSON object but a string"),
            (4, "not valid JSON: EOF while parsing a value at byte 3"),
        ],
    );
}

#[test]
fn what_stands_between_elements_belongs_to_them() {
    check(
        JSON,
        r#"[{"a":1}x, {"b":2} {} ,{"c":3}}]"#,
        &[r#"{"a":1}x"#, r#"{"b":2} {}"#, r#"{"c":3}"#],
        &[(3, "not valid JSON: expected value at byte 1")],
    );
}

#[test]
fn an_array_cut_short() {
    check(JSON, r#"[{"a":1},{"b":"#, &[r#"{"a":1}"#, r#"{"b":"#], &[]);
    check(
        JSON,
        r#"[{"a":1},"#,
        &[r#"{"a":1}"#],
        &[(1, "not valid JSON: EOF while parsing a value at byte 1")],
    );
}

#[test]
fn a_broken_line_leaves_the_others_alone() {
    check(
        JSON,
        "{\"a\":1}\n{\"a\"\nx\n{\"b\":2}",
        &[r#"{"a":1}"#, r#"{"a""#, r#"{"b":2}"#],
        &[(2, "not valid JSON: expected value at byte 1")],
    );
    check(
        "application/x-ndjson",
        "{\"a\"\n{\"b\":2}",
        &[r#"{"a""#, r#"{"b":2}"#],
        &[],
    );
}

#[test]
fn not_json_at_all() {
    check(
        JSON,
        "hello\nworld",
        &[],
        &[(0, "not valid JSON: expected value at byte 1")],
    );
    check(
        JSON,
        &"[".repeat(90),
        &[],
        &[(0, "not valid JSON: EOF while parsing a list at byte 89")],
    );
}

#[test]
fn too_long() {
    let long = format!("[{{\"a\":\"{}\"}},{{}}]", "x".repeat(100));
    check(
        JSON,
        &long,
        &["{}"],
        &[(0, "108 bytes are more than max_event_size (100)")],
    );
    check(
        "text/plain",
        &"x".repeat(101),
        &[],
        &[(0, "101 bytes are more than max_event_size (100)")],
    );
}

#[test]
fn too_many() {
    for (content_type, body) in [
        (JSON, "[{},{},1,{}]"),
        (JSON, "{}{}{}{}"),
        ("application/x-ndjson", "{}\n{}\n{}\n{}"),
        ("text/plain", "a\nb\nc\nd"),
    ] {
        let content = Content::from_type(Some(content_type));
        let body = Bytes::from_static(body.as_bytes());
        assert!(split(content, &body, 100, 4).is_some(), "{body:?}");
        assert!(split(content, &body, 100, 3).is_none(), "{body:?}");
    }
}

#[test]
fn text() {
    check(
        "text/plain",
        "<134>May  4 ASM:\"x\"\r\n{\"a\":1}\n{broken\n",
        &[
            r#"{"message":"<134>May  4 ASM:\"x\""}"#,
            r#"{"a":1}"#,
            r#"{"message":"{broken"}"#,
        ],
        &[],
    );
    check(
        "text/plain; charset=utf-8",
        "{\n\"metrics\":[]\n}\n",
        &["{\n\"metrics\":[]\n}"],
        &[],
    );
    assert_eq!(
        cut("text/plain", b"a\n\xFF\n"),
        (
            vec![r#"{"message":"a"}"#.to_owned()],
            vec![(1, "not UTF-8: at byte 1".to_owned())]
        )
    );
}

#[test]
fn form() {
    const FORM: &str = "application/x-www-form-urlencoded";
    check(
        FORM,
        "%40timestamp=2018-04-06T05%3A07%3A14Z&violation_rating=3&uri=%2Fa+b%2Bc&tag=x&tag=y&empty=&bare",
        &[
            r#"{"@timestamp":"2018-04-06T05:07:14Z","violation_rating":"3","uri":"/a b+c","tag":["x","y"],"empty":"","bare":""}"#,
        ],
        &[],
    );
    check(FORM, "a=%zz%e6%94%bb", &[r#"{"a":"%zz攻"}"#], &[]);
    check(
        FORM,
        "a=%ff",
        &[],
        &[(0, "not UTF-8: in the form's fields")],
    );
    check(FORM, r#"{"a":"b=c&d"}"#, &[r#"{"a":"b=c&d"}"#], &[]);
}

proptest! {
    /// Valid arrays come apart into what serde_json finds in them.
    #[test]
    fn as_serde_json_does(values in prop::collection::vec("[a-z\"\\\\{}\\[\\],: ]{0,8}", 0..6), pretty: bool) {
        let objects: Vec<Value> = values.iter().map(|text| json!({"k": text, "l": [text, {}]})).collect();
        let body = if pretty { serde_json::to_string_pretty(&objects) } else { serde_json::to_string(&objects) }.unwrap();
        let (events, unusable) = cut(JSON, body.as_bytes());
        let parsed: Vec<Value> = events.iter().map(|event| serde_json::from_str(event).unwrap()).collect();
        prop_assert_eq!((parsed, unusable), (objects, vec![]));
    }

    /// Any bytes are cut into something, and nothing is left out silently.
    #[test]
    fn takes_anything(body in "[\\[\\]{},:\"\\\\a1 \n]{0,40}", content_type in prop::sample::select(vec![JSON, "text/plain", "application/x-ndjson"])) {
        let (events, unusable) = cut(content_type, body.as_bytes());
        let arrays_of_nothing = body.bytes().all(|byte| b"[] \n,".contains(&byte));
        prop_assert!(!events.is_empty() || !unusable.is_empty() || arrays_of_nothing);
    }
}
