use super::*;
use crate::config::{Data, Mapping, Node, Span};

fn properties() -> Properties {
    let span = Span::nowhere();
    let mut mapping = Mapping::default();
    mapping.set(Node::text("name", &span), Node::text("a rule", &span));
    let five = Node {
        data: Data::Int(5),
        span: span.clone(),
    };
    let minutes = Mapping(vec![(Node::text("minutes", &span), five)]);
    let timeframe = Node {
        data: Data::Map(minutes),
        span: span.clone(),
    };
    mapping.set(Node::text("timeframe", &span), timeframe);
    let none = Node {
        data: Data::Int(0),
        span: span.clone(),
    };
    let minutes = Mapping(vec![(Node::text("minutes", &span), none)]);
    let aggregation = Node {
        data: Data::Map(minutes),
        span: span.clone(),
    };
    mapping.set(Node::text("aggregation", &span), aggregation);
    Properties::new(mapping)
}

fn run(template: &str) -> Result<String, TextError> {
    let matched = serde_json::from_str(
        r#"{"n": 7, "f": 1e-07, "big": 1e16, "s": "a<b>'c\"", "none": null, "list": [1, "x", 2.0], "user": {"name": "bob", "a.b": 1},
            "huge": 1000000000000000000000000000000, "ok": true}"#,
    )
    .unwrap();
    Jinja::new(template, "_data", &properties())
        .unwrap()
        .render(&matched)
}

#[track_caller]
fn check(template: &str, expected: &str) {
    assert_eq!(run(template).unwrap(), expected, "{template}");
}

#[track_caller]
fn check_broken(template: &str, message: &str) {
    let broken = Jinja::new(template, "_data", &properties()).unwrap_err();
    assert!(broken[0].message.contains(message), "{broken:?}");
}

#[test]
fn names() {
    check(
        "{{ name }} {{ timeframe }} {{ timeframe.seconds }}",
        "a rule 0:05:00 300",
    );
    check(
        "{{ _data['name'] }} {{ _data.user['a.b'] }} [{{ nothing }}]",
        "a rule 1 []",
    );
    assert!(run("{{ nothing.at }}").is_err());
}

#[test]
fn groups_are_tuples_and_no_time_is_false() {
    check(
        "{{ [{'n': 'x', 'v': 1}, {'n': 'x', 'v': 2}]|groupby('n') }}{{ [[1]] }}",
        "[('x', [{'n': 'x', 'v': 1}, {'n': 'x', 'v': 2}])][[1]]",
    );
    check("{{ not timeframe }} {{ not aggregation }}", "False True");
}

#[test]
fn any_value_is_lower_or_upper_as_its_text_is() {
    check(
        "{{ ['x'] is lower }} {{ ok is lower }} {{ 5 is lower }} {{ 'Ü1' is upper }} {{ ['X'] is upper }} {{ '' is upper }}",
        "True False False True True False",
    );
}

#[test]
fn values_print_as_in_python() {
    check(
        "{{ f }} {{ big }} {{ none }} {{ ok }} {{ huge }}",
        "1e-07 1e+16 None True 1000000000000000000000000000000",
    );
    check(
        "{{ list }} {{ user }} {{ (1, 'a') }}",
        "[1, 'x', 2.0] {'name': 'bob', 'a.b': 1} (1, 'a')",
    );
    check(
        "{{ [f] | join }} {{ [f, none]|string }}",
        "1e-07 [1e-07, None]",
    );
}

#[test]
fn filters_and_methods() {
    check(
        "{{ s|e }} {{ s|e|e }}",
        "a&lt;b&gt;&#39;c&#34; a&lt;b&gt;&#39;c&#34;",
    );
    check(
        "{{ user|tojson }} {{ 'é<'|tojson }}",
        r#"{"a.b": 1, "name": "bob"} "\u00e9\u003c""#,
    );
    check("{{ '%05.1f|%s'|format(n, list) }}", "007.0|[1, 'x', 2.0]");
    check("{{ '{0:>4}|{x!r}'.format(n, x='y') }}", "   7|'y'");
    check(
        "{{ 'ab'|center(5) }}|{{ 'ab'.center(6, '*') }}|{{ '7'.zfill(3) }}",
        "  ab |**ab**|007",
    );
    check(
        "{{ 'a,b,c'.rsplit(',', 1) }} {{ 'a=b'.partition('=') }}",
        "['a,b', 'c'] ('a', '=', 'b')",
    );
    check(
        "{{ 1234567|filesizeformat }} {{ 10|filesizeformat(true) }}",
        "1.2 MB 10 Bytes",
    );
    check("{{ 'one two three'|wordwrap(7) }}", "one two\nthree");
}

#[test]
fn broken_templates_are_found_at_load() {
    check_broken("{{ n", "unexpected");
    check_broken(
        "a\n{{ n|nope }}",
        "there is no filter named \"nope\" (line 2 of the template)",
    );
    check_broken(
        "{% filter nope %}{% endfilter %}",
        "there is no filter named \"nope\"",
    );
    check_broken(
        "{% if n is not nope %}{% endif %}",
        "there is no test named \"nope\"",
    );
    check_broken("{{ '%d' % n }}", "% after a text");
}

#[test]
fn what_is_no_tag_is_not_checked() {
    check(
        "{# x|nope #}{% raw %}{{ x|nope }}{% endraw %}{{ '{{ x|nope }}' }}",
        "{{ x|nope }}{{ x|nope }}",
    );
    check(
        "{{ n % 4 }} {{ n is odd }} {{ n is in [7] }}",
        "3 True True",
    );
}

#[test]
fn endless_templates_are_stopped() {
    assert!(
        run("{% for a in range(10000) %}{% for b in range(10000) %}x{% endfor %}{% endfor %}")
            .is_err()
    );
}

#[test]
fn what_python_prints_in_its_own_way() {
    check(
        "{{ range(3) }} {{ range(1, 9, 3)|list }} {{ range(5, 0, -2)|list }}",
        "range(0, 3) [1, 4, 7] [5, 3, 1]",
    );
    check(
        "{{ user.keys() }} {{ user.items()|list }}",
        "dict_keys(['name', 'a.b']) [('name', 'bob'), ('a.b', 1)]",
    );
    check("{{ list[::-1] }} {{ list[:2] }}", "[2.0, 'x', 1] [1, 'x']");
    check(
        "{{ list|upper }} {{ f|upper }} {{ list|wordcount }}",
        "[1, 'X', 2.0] 1E-07 4",
    );
    check(
        "{% for x in list[:2] %}{{ x }}{{ '' if loop.last else ', ' }}{% endfor %} of {% for x in list[:2] %}{{ loop.length }}{% endfor %}",
        "1, x of 22",
    );
    check(
        "{% autoescape true %}{{ s }}{{ s|e }}{% endautoescape %}",
        "a&lt;b&gt;&#39;c&#34;a&lt;b&gt;&#39;c&#34;",
    );
    check("{{ 日本 }}[{{ naïve }}]", "[]");
}

#[test]
fn filters_take_what_jinja_takes() {
    check(
        "{{ 0|map('int')|list }} {{ none|select|list }} {{ false|selectattr('a')|list }}",
        "[] [] []",
    );
    check(
        "{{ n|round(0, 'ceil') }} {{ n|round(method='floor') }} {{ n|round }} {{ ok|round }} {{ ok|abs }}",
        "7.0 7.0 7 1 1",
    );
    check(
        "{{ list|truncate(5) }} {{ 'a long text'|truncate(6, leeway=0) }}",
        "[1, 'x', 2.0] a...",
    );
    check(
        "{{ user|attr('name') }}[{{ timeframe|attr('seconds') }}]",
        "[300]",
    );
    check(
        "{{ 'x' is sequence }} {{ user is sequence }} {{ 1 is sequence }} {{ none is iterable }}",
        "True True False False",
    );
    assert!(run("{{ nothing|int }}").is_err());
    assert!(run("{{ n|truncate }}").is_err());
}
