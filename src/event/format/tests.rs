use super::percent::{self, Operand};
use super::*;
use serde_json::json;

#[track_caller]
fn check(format: &str, arguments: &[Value], expected: &str) {
    assert_eq!(
        run(format, arguments).as_deref(),
        Ok(expected),
        "{format} {arguments:?}"
    );
}

fn run(format: &str, arguments: &[Value]) -> Result<String, FormatError> {
    let arguments: Vec<Argument<'_>> = arguments.iter().map(Argument::value).collect();
    Format::new(format).render(arguments.as_slice())
}

#[test]
fn placeholders_find_their_values() {
    let values = [
        json!("a"),
        json!({"k": [1, 2]}),
        json!(["x", "y"]),
        json!(5),
    ];
    check("{} {} {} {}", &values, "a {'k': [1, 2]} ['x', 'y'] 5");
    check("{3}{0}{{}}", &values, "5a{}");
    check("{1[k]} {1[k][1]} {2[1]} {0[0]}", &values, "[1, 2] 2 y a");
    check(
        "{0!r} {0!s:>3} {0!a}",
        &[json!("é'")],
        "\"é'\"  é' \"\\xe9'\"",
    );
    check("{0:{1}}|{0:>{1}}|", &[json!("a"), json!(3)], "a  |  a|");
}

#[test]
fn texts_are_padded_by_code_points() {
    check("{0:^7}|", &[json!("日本")], "  日本   |");
    check("{0:*>5}|{0:.1}|{0:05}|", &[json!("ab")], "***ab|a|ab000|");
}

#[test]
fn integers_follow_the_mini_language() {
    check(
        "{0:5}|{0:<5}|{0:^5}|{0:05}|{0:+}|{0: }|{0:=+6}",
        &[json!(42)],
        "   42|42   | 42  |00042|+42| 42|+   42",
    );
    check(
        "{0:,} {0:_} {0:x} {0:#X} {0:b} {0:o} {0:_x}",
        &[json!(1_234_567)],
        "1,234,567 1_234_567 12d687 0X12D687 100101101011010000111 4553207 12_d687",
    );
    check(
        "{0:010,}|{0:09,}|{0:08,}",
        &[json!(1234)],
        "00,001,234|0,001,234|0,001,234",
    );
    check("{0:c}{0:d}{0:n}{0:.1f}", &[json!(65)], "A656565.0");
    check("{0:5}|{1}", &[json!(true), json!(true)], "    1|True");
    let huge: Value = serde_json::from_str("1000000000000000000000000000000").unwrap();
    check(
        "{0:x} {0:,}",
        &[huge],
        "c9f2c9cd04674edea40000000 1,000,000,000,000,000,000,000,000,000,000",
    );
}

#[test]
fn floats_follow_the_mini_language() {
    check(
        "{0:.2f} {0:08.3f} {0:e} {0:.0f} {0:g} {0:%} {0:10}|{0:.3}",
        &[json!(12.25)],
        "12.25 0012.250 1.225000e+01 12 12.25 1225.000000%      12.25|12.2",
    );
    check(
        "{0:g} {1:g} {2:g} {0:.3} {1} {3:.2} {3:.1}",
        &[json!(1e16), json!(1e-7), json!(100_000.0), json!(3.0)],
        "1e+16 1e-07 100000 1e+16 1e-07 3.0 3e+00",
    );
    check(
        "{0:,.2f} {0:E} {0:#.0f} {0:#g}",
        &[json!(1234.5)],
        "1,234.50 1.234500E+03 1234. 1234.50",
    );
    check("{0:.1f} {0:z.1f}", &[json!(-0.01)], "-0.0 0.0");
    check("{0:015,.2f}", &[json!(-1234.5)], "-000,001,234.50");
}

#[test]
fn what_python_refuses_is_an_error() {
    for format in [
        "{",
        "}",
        "{0",
        "{0}}",
        "{}{0}",
        "{1}",
        "{x}",
        "{0!x}",
        "{0!r5}",
        "{0:d}",
        "{0:f}",
        "{0:=5}",
        "{0:,}",
        "{0:+}",
        "{0:#}",
        "{0:5.}",
        "{0:99999999999}",
        "{0.x}",
        "{0[x]}",
        "{0[]}",
        "{0:>{0:>{0}}}",
    ] {
        assert!(run(format, &[json!("a")]).is_err(), "{format}");
    }
    for (format, value) in [
        ("{0:s}", json!(1)),
        ("{0:.1}", json!(1)),
        ("{0:d}", json!(1.0)),
        ("{0:5}", json!(null)),
        ("{0:5}", json!([])),
        ("{0:5}", json!({})),
        ("{0:,x}", json!(1)),
        ("{0:,_}", json!(1)),
        ("{0:c}", json!(-1)),
    ] {
        assert!(
            run(format, std::slice::from_ref(&value)).is_err(),
            "{format} {value}"
        );
    }
}

#[test]
fn errors_come_in_the_order_of_the_text() {
    let error = run("{unknown} }", &[]).unwrap_err();
    assert_eq!(error, FormatError::NoArgument("unknown".to_owned()));
    assert!(Format::new("{unknown}").broken().is_none());
    assert!(Format::new("{unknown} }").broken().is_some());
}

#[test]
fn percent_formats() {
    let check = |format: &str, value: Value, expected: &str| {
        let values = [Argument::value(&value)];
        let found = percent::format(format, &Operand::Values(&values));
        assert_eq!(found.as_deref(), Ok(expected), "{format} {value}");
    };
    check("%.2f%%", json!(2.7149), "2.71%");
    check("%05d|", json!(-42), "-0042|");
    check("%d", json!(3.99), "3");
    check("%d", json!(-0.5), "0");
    check("%-6s|", json!("ab"), "ab    |");
    check("%6.1s|", json!("ab"), "     a|");
    check("%+.3d", json!(7), "+007");
    check("%#x %%", json!(255), "0xff %");
    check("%s", json!([1, "a"]), "[1, 'a']");
    check("%g", json!(1e-7), "1e-07");
    check("%5.1e|", json!(12345), "1.2e+04|");
}

#[test]
fn percent_mappings_and_errors() {
    let user = json!("bob");
    let get = |key: &str| (key == "user.name").then(|| Argument::value(&user));
    let mapping = Operand::Mapping(&get);
    assert_eq!(
        percent::format("%(user.name)s!", &mapping).as_deref(),
        Ok("bob!")
    );
    for text in [
        "%(other)s",
        "%(user.name",
        "100%",
        "%s",
        "%(user.name)d",
        "%(user.name)y",
    ] {
        assert!(percent::format(text, &mapping).is_err(), "{text}");
    }
    let values = [Argument::text("a")];
    for text in ["%s %s", "none", "%(a)s", "%d"] {
        assert!(
            percent::format(text, &Operand::Values(&values)).is_err(),
            "{text}"
        );
    }
}

#[test]
fn durations_print_as_timedelta() {
    let argument = [Argument::Duration(Duration::from_secs(90_061))];
    let format = Format::new("{0} {0!r}");
    assert_eq!(
        format.render(argument.as_slice()).as_deref(),
        Ok("1 day, 1:01:01 datetime.timedelta(days=1, seconds=3661)")
    );
}

proptest::proptest! {
    /// Neither a rule's text nor a field of an event can bring the program down.
    #[test]
    fn no_text_panics(text in "[{}\\[\\]0-2a!:.<>^=+# ,_%()*sdfxegc\\-]{0,24}", value in -1e30..1e30f64) {
        let values = [Argument::Value(Cow::Owned(json!(value))), Argument::text(text.clone())];
        let _outcome = Format::new(&text).render(values.as_slice());
        let _outcome = percent::format(&text, &Operand::Values(&values));
    }
}
