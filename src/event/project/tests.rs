use super::*;
use proptest::prelude::*;

const FIELDS: &[&str] = &[
    "a",
    "a.b",
    "a.b.c",
    "b.a",
    "b[0]",
    "b[1].a",
    "a[0].b",
    "c",
    "a.a.a",
    "x.keyword",
    "a.c[0].a",
    "a..b",
];

const NAMES: &[&str] = &["a", "a.b", "b.a.c", "c.a", "c.a.b", "x", "a.b.c", "b", ""];

/// What is found, in a form that can be compared.
fn shown(projector: &Projector, projected: Projected<'_>) -> Vec<String> {
    let fields =
        (0..projector.fields().len()).map(|slot| format!("{:?}", projected.field(slot).to_value()));
    let values = (0..projector.values().len()).map(|slot| {
        let members = projected.members(slot);
        let members: Vec<Vec<Item<'_>>> = members.map(Iterator::collect).collect();
        format!("{members:?}")
    });
    fields.chain(values).collect()
}

#[track_caller]
fn agrees(json: &str) {
    let names: Vec<String> = NAMES.iter().map(|&name| name.to_owned()).collect();
    let mut fields: Vec<FieldPath> = FIELDS.iter().map(|path| FieldPath::new(*path)).collect();
    fields.push(FieldPath::member("a.b"));
    let projector = Projector::new(fields, &names);
    agrees_on(json, &projector);
    agrees_on(json, &projector.with_leaves());
}

#[track_caller]
fn agrees_on(json: &str, projector: &Projector) {
    // What the events before left behind must not show.
    let mut used = Projection::default();
    for before in [
        r#"{"a": {"b": [1, {"c": 2}]}, "c": [{"a": 5}], "x": 1}"#,
        "{",
    ] {
        let _before = projector.project(before.as_bytes(), &mut used).is_ok();
    }
    match parse_document(json.as_bytes()) {
        Ok(document) => {
            let mut plain = Projection::default();
            let expected = shown(projector, projector.project_document(&document, &mut plain));
            let found = projector.project(json.as_bytes(), &mut used).unwrap();
            assert_eq!(shown(projector, found), expected, "{json}");
            if let Some(leaves) = found.leaves() {
                leaves_agree(leaves, &document);
            }
            for (slot, path) in projector.fields().iter().enumerate() {
                let expected = path.get_some(&document).cloned().unwrap_or_default();
                assert_eq!(found.field(slot).to_value(), expected, "{path} in {json}");
            }
        }
        Err(error) => assert_eq!(
            projector.project(json.as_bytes(), &mut used).unwrap_err(),
            error,
            "{json}"
        ),
    }
}

/// The leaves as the parsed document has them.
fn add_leaves(object: &Document, before: &str, into: &mut Vec<String>) {
    for (name, value) in object {
        let name = match before {
            "" => name.clone(),
            before => format!("{before}.{name}"),
        };
        let mut items = Vec::new();
        flatten(value, &mut |item| {
            items.push(item);
            Visit::Continue
        });
        match items.iter().find(|item| !item.is_null()) {
            None => {}
            Some(Value::Object(_)) => {
                for inner in items.iter().filter_map(|item| item.as_object()) {
                    add_leaves(inner, &name, into);
                }
            }
            Some(_) => into.push(format!("{name}={value}")),
        }
    }
}

#[track_caller]
fn leaves_agree(leaves: Leaves<'_>, document: &Document) {
    let mut expected = Vec::new();
    add_leaves(document, "", &mut expected);
    let shown = |leaf: Leaf<'_>| {
        let mut name = String::new();
        leaf.write_name(&mut name);
        format!("{name}={}", leaf.value())
    };
    let kept = leaves.all().filter(|leaf| !leaf.is_replaced());
    let mut found: Vec<String> = kept.map(shown).collect();
    expected.sort();
    found.sort();
    assert_eq!(found, expected, "{}", leaves.text());
    let mut by_place: Vec<usize> = (0..leaves.text().len())
        .filter_map(|place| leaves.at(place).map(Leaf::number))
        .collect();
    by_place.dedup();
    let all: Vec<usize> = leaves.all().map(Leaf::number).collect();
    assert_eq!(by_place, all, "{}", leaves.text());
}

#[test]
fn leaves_are_found_by_what_is_in_them() {
    let projector = Projector::new(Vec::new(), &[]).with_leaves();
    let mut projection = Projection::default();
    let json = r#" {"a": {"b": ["x", {"c": "y"}]}, "d": [null, {"e": "z"}, "v"]}"#;
    let projected = projector.project(json.as_bytes(), &mut projection).unwrap();
    let leaves = projected.leaves().unwrap();
    let shown = ["a", "x", "y", "z", "v"].map(|part| {
        let leaf = leaves.at(leaves.text().find(&format!("\"{part}\""))?)?;
        let mut name = String::new();
        leaf.write_name(&mut name);
        Some((name, leaf.value().to_string()))
    });
    let list = Some(("a.b".to_owned(), r#"["x",{"c":"y"}]"#.to_owned()));
    let element = Some(("d.e".to_owned(), r#""z""#.to_owned()));
    assert_eq!(shown, [None, list.clone(), list, element, None]);
}

#[test]
fn fields_are_those_of_the_parsed_document() {
    for json in [
        r#"{"a": {"b": 1}, "a.b": {"c": 2}, "b": [1, {"a": 3}]}"#,
        r#"{"a": {"b": {"c": 1}}, "a": {"b": 2}, "x": "y"}"#,
        r#"{"a.b.c": null, "a": {"b.c": 1, "a": {"a": "\u0041\ud800"}}}"#,
        r#"{"\u0061": {"c": [{"a": 5}]}, "a[0]": {"b": 1}}"#,
        r#"{"a": [{"b": 1}], "b[1]": {"a": 1}}"#,
        r#"{"a": [{"b": 1}, 2, [{"b": [3, "x\n", null]}], {"b": {"c": 1e5}}], "a.b": 9}"#,
        r#"{"b": {"a.c": 1, "a": {"c": -0}}, "c": [[{"a": true}], {"a": 1E+400, "a": 2}]}"#,
        r#"{"a.": 1, "x..": 2, "c": {"a.": 3, "a": 4}}"#,
        r#"{"a": {"": {"b": 1}}, "": "empty", "c": {"a": 123456789012345678901234567890}}"#,
        r#" {"a": 1} "#,
        "\u{feff}{\"a\": 1}",
        r#"{"a": 1,}"#,
        r#"{"a": 1"#,
        r#"{"a": {"b": tru}}"#,
        r#"{"a": 1} {"a": 2}"#,
        r#"{"a": "\x"}"#,
        "{\"z\": \"a\nb\"}",
        "[1]",
        "",
    ] {
        agrees(json);
    }
    for levels in [127, 128, 5000] {
        for name in ["a", "z"] {
            let (open, close) = ("[".repeat(levels - 1), "]".repeat(levels - 1));
            agrees(&format!("{{\"{name}\": {open}{close}}}"));
            let open = "{\"a\":".repeat(levels - 1);
            agrees(&format!(
                "{{\"{name}\": {open} 1 {}}}",
                "}".repeat(levels - 1)
            ));
        }
    }
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let projector = Projector::new(vec![FieldPath::new("a")], &[]);
    let error = projector
        .project(b"{\"a\": 1, \"b\": \"\xff\"}", &mut Projection::default())
        .unwrap_err();
    assert_eq!(error, EventError::NotUtf8 { at: 15 });
}

fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("1"),
        Just("null"),
        Just("\"t\\u0041\""),
        Just("\"\\ud83d\\ude00 \\udc00\""),
        Just("\"plain and longer than a word\""),
        Just("1.50"),
        Just("-1E5"),
        Just("true"),
        Just("tru"),
        Just("{}"),
    ];
    let name = prop_oneof![
        Just("a"),
        Just("b"),
        Just("c"),
        Just("a.b"),
        Just("b.a"),
        Just("a.b.c"),
        Just("b[0]"),
        Just("\\u0061"),
        Just("a."),
        Just(""),
        Just("x")
    ];
    leaf.prop_map(str::to_owned)
        .prop_recursive(5, 48, 5, move |inner| {
            prop_oneof![
                3 => prop::collection::vec((name.clone(), inner.clone()), 0..5).prop_map(object),
                1 => prop::collection::vec(inner, 0..4)
                    .prop_map(|items| format!("[{}]", items.join(" , "))),
            ]
        })
}

fn object(members: Vec<(&str, String)>) -> String {
    let members: Vec<String> = members
        .into_iter()
        .map(|(name, value)| format!("\"{name}\":{value}"))
        .collect();
    format!("{{{}}}", members.join(","))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn projecting_and_parsing_agree(json in json()) {
        agrees(&json);
    }

    #[test]
    fn any_text_is_accepted_by_both_or_by_none(json in r#"[{}\[\]:,"a\\u0-9.eE+\-truefalsn \n]{0,24}"#) {
        agrees(&json);
        agrees(&format!("{{\"a\":{json}}}"));
    }
}
