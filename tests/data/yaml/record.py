#!/usr/bin/env python3
"""Records what PyYAML's FullLoader makes of YAML texts, for src/config/yaml/tests.rs.

    record.py                 answers the snippets below; writes pyyaml.json beside this file
    record.py OUT FILE...     answers whole files; point TRIPLINE_YAML_CASES at OUT to compare them too

Needs PyYAML 6.0.3, the version ElastAlert 2.31.0 runs on.
"""
import datetime
import json
import pathlib
import sys

import yaml

SCALARS = """
yes No on OFF y n Y N tRue True TRUE oN ON yEs ~ null Null NULL nULL none
012 0777 08 0o12 0_7 0_ 00 -017 +017 0b101 0b12 0b_1 0b_ -0b11 0x1F 0x_1F 0x_ 0xG -0x10 1_000 _1 1__ +5 -5 - + 0 -0
1:30 190:20:30 01:30 0:30 1:60 1:5 1:05 -1:30 12:30:45.5 1:30.5 0:30.5 1:30:60 1_0:30
1e3 1.0e3 1.0e+3 1e+3 1.5E-3 5. +.5 .5 -.5 .5e+3 . .. ... 1_0.5 1._5 .inf -.INF +.Inf .nan .NaN -.nan .Nan inf nan 1.2.3 1,5
99999999999999999999999999 -9223372036854775808 9223372036854775808 0xFFFFFFFFFFFFFFFFFFFF 0b1111111111111111111111111111111111111111111111111111111111111111111
2018-04-06 2018-4-6 2018-13-45 2018-02-29 0000-01-01 0001-01-01 2018-04-06T05:07:14Z 2018-04-06t05:07:14 2018-4-6T5:07:14.1Z
2018-04-06T05:07:14.123456789+05:30 2018-04-06T05:07:14-5 2018-04-06T05:07:14-00:00 2018-04-06T24:00:00Z 2018-04-06T05:07:14+25:00
2018-04-06T05:07:14.Z 2018-04-06T05:07Z 2018.04.06 12345-01-01
= << == = << @x `x %x %{foo} *.log *x &x !x | > ? : - # , [ ] { } " ' a:b a# #a :a ::
!!str !!int !!null !!float 10.0.0.1 10.1 1.10 0.1.2 v1 -1- +1+ 0.0 -0.0 1.0 100.0 123456789012345678.0
"""

SNIPPETS = [
    "", "\n", "# only a comment", "---\n", "---\n...\n", "a: 1\n...\n", "a: 1\n---\nb: 2\n", "a: 1\n---\n", "--- a\n", "%YAML 1.1\n---\na: yes\n",
    "%YAML 1.2\n---\na: yes\n", "\ufeffa: 1\n", "a: 1\r\nb: 2\r\n", "a: |\r\n  x\r\n  y\r\n", "a: 1\rb: 2\r",
    "a: 1\na: 2\nb: 3\n", "1: a\ntrue: b\n", "1.0: a\n1: b\n", "on: a\n", "yes: 1\nno: 2\n", "[a, b]: 1\n", "{a: 1}: 1\n", "? [a]\n: b\n", "? a\n: b\n", "? a\n",
    "null: 1\n~: 2\n", "!!python/tuple [1, 2]: x\n", "2018-04-06: x\n", "'1': a\n1: b\n", ".nan: 1\n.nan: 2\n", "1e300: a\n", "0.0: a\n-0.0: b\n0: c\n",
    "a: &x {b: 1, c: 2}\nd: {<<: *x, c: 3}\n", "a: &x {b: 1, c: 2}\nd: {c: 3, <<: *x}\n", "a: &x {b: 1}\nc: &y {b: 2, d: 3}\ne: {<<: [*x, *y]}\n",
    "a: &x {b: 1}\nc: &y {b: 2, d: 3}\ne:\n  <<: *x\n  <<: *y\n", "a: &x [1]\nb: {<<: *x}\n", "a: {<<: 1}\n", "a: {<<: }\n", "a: {<<: [1]}\n", "a: {'<<': 1}\n",
    "a: {<<: {b: 1}, b: 2, b: 3}\n", "!!merge <<: {a: 1}\n", "a: &a {x: 1}\nb: &b {<<: *a, y: 2}\nc: {<<: *b, x: 3}\n", "a: {=: 1}\n", "a: =\n", "- =\n", "a: '='\n", "a: <<\n",
    "a: &x 1\nb: *x\n", "a: *nope\n", "a: &x\nb: *x\n", "a: &x [1, 2]\nb: [*x, *x]\n", "&a a: *a\n", "a: &x [*x]\n",
    "a: !!str 12\n", "a: !!str\n", "a: !!str yes\n", "a: !!int '12'\n", "a: !!int ''\n", "a: !!int abc\n", "a: !!float '1e3'\n", "a: !!float 1\n", "a: !!bool maybe\n", "a: !!bool 'YES'\n",
    "a: !!null x\n", "a: !!timestamp '2018-04-06'\n", "a: !!timestamp x\n", "a: !!binary aGVsbG8=\n", "a: !!binary |\n  aGVs\n  bG8=\n", "a: !!binary é\n", "a: !!binary a\n", "a: !!set {x, y}\n",
    "a: !!set\n  ? x\n  ? y\n", "a: !!omap [{x: 1}, {y: 2}]\n", "a: !!omap [x]\n", "a: !!omap [{x: 1, y: 2}]\n", "a: !!omap {x: 1}\n", "a: !!pairs [{x: 1}, {x: 2}]\n",
    "a: !!python/tuple [1, 2]\n", "a: !!python/list [1]\n", "a: !!python/dict {x: 1}\n", "a: !!python/str x\n", "a: !!python/int 5\n", "a: !!python/none x\n", "a: !!python/bytes aGk=\n",
    "a: !!python/object:os.system x\n", "a: !foo bar\n", "a: !important\n", "a: ! 12\n", "a: ! [1]\n", "a: !<tag:yaml.org,2002:int> '5'\n", "%TAG !e! tag:yaml.org,2002:\n---\na: !e!int '5'\n",
    "a: !!seq {}\n", "a: !!map []\n", "a: !!int [1]\n", "a: !!seq x\n", "a: !!map x\n", "a: !!foo x\n", "a: !e!x y\n",
    "a: 2018-04-06 05:07:14\n", "a: 2018-04-06 \t05:07:14.5 +1:30\n", "a: 2018-04-06 05:07:14 Z\n", "2018-04-06T05:07:14Z: x\n",
    "a:\tb\n", "a: \tb\n", "a: b\t\n", "a: b\t# c\n", "\ta: b\n", "a:\n\tb: c\n", "a: [1,\t2]\n", "a: 'x\ty'\n", "a: |\n  x\ty\n", "a: x\ty\n", "# \t\na: 1\n", "-\ta\n", "a:\t\n  b: c\n",
    "a: \"C:\\Windows\"\n", "a: 'C:\\Windows'\n", "a: \"\\u00e9\\x41\\n\\t\\0\\/\"\n", "a: \"\\ud83d\\ude00\"\n", "a: \"x\\\n  y\"\n", "a: \"x\n\n  y\"\n", "a: 'x\n  y'\n", "a: 'it''s'\n",
    "a: \"x\n", "a: 'x\n", "a: 'x' y\n", "a: \"x\" y\n", "a: x: y\n", "query: level: ERROR\n", "a: 'x': y\n", "a: x:y\n", "a: http://x:80/y\n", "a: x #y\n", "a: x#y\n", "a: - b\n", "a: -b\n", "a: ?b\n", "a: ? b\n", "a: :b\n",
    "a: [x, y]\nb: [x,y,]\n", "a: [x, y\n", "a: {x: 1\n", "a: {x: 1]\n", "a: [x]]\n", "a: {x, y}\n", "a: {x}\n", "a: {{ x }}\n", "a: {'x':1}\n", "a: {x:1}\n", "a: [x: 1]\n", "a: [a: 1, b]\n", "a: [,]\n", "a: {,}\n", "a: [[]]\n", "a: {}\n", "a: []\n", "a: [x]y\n",
    "a: [*]\n", "a: *\n", "a: **\n", "a: *.log\n", "a: %{foo}\n", "a: %\n", "a: @timestamp\n", "a: `x`\n", "a: x%\n", "a: x@y\n", "a: |x\n", "a: >\n  x\n  y\n\n  z\n", "a: |\n  x\n   y\n", "a: |-\n  x\n\n", "a: |+\n  x\n\n", "a: |2\n    x\n", "a: |\n  x", "a: >\n  x", "a: |\n", "a: >-\n  x\n  y",
    "a: |\n x\n  y\n z\nb: 1\n", "a: |\n\n  x\n", "a: |\n    \n  x\n", "a: |0\n x\n",
    "a:\n- b\n- c\n", "a:\n  - b\n  - c\n", "a:\n  - b\n - c\n", "a: 1\n b: 2\n", "  a: 1\n  b: 2\n", "  a: 1\n b: 2\n", "a\nb\n", "a: 1\nb\n", "a: 1\nb\nc: 2\n", "- a\nb: 1\n", "a: b\n  c\n", "a: b\n  c: d\n", "a:\n  b\n  c\n", "a\n", "- a\n- - b\n  - c\n", "- - - a\n", "-\n  a: 1\n", "- a: 1\n  b: 2\n", "a: - 1\n",
    "a: \x07\n", "a: \x7f\n", "a: \x85b\n", "a: é\n", "a: 日本\n", "日本: 語\n", "a: \U0001f600\n", "a: \ufffe\n", "a: x\ufeffy\n", "a: x\u00a0y\n",
    "'a': 1\n\"b\": 2\n", "a : 1\n", "a :1\n", "a:1\n", "a:\n", "a: \n", ": a\n", "a: 1 # c\n", "a: # c\n  b: 1\n", "a: 'x' # c\n", "a: [1, # c\n  2]\n", "a: [1#c]\n", "#\na: 1\n",
    "filter:\n- query:\n    query_string:\n      query: \"a: b AND c: [1 TO 5]\"\n", "filter:\n- term: {status: 500}\n", "blacklist: [1, '2', yes, 'no', 03]\n", "alert_text: |\n  {0} at {1}\n\nalert_text_args: [a, \"@timestamp\"]\n",
    "timeframe: {minutes: 5}\n", "timeframe: 5m\n", "time: 12:30\nport: 22:80\n", "version: 7.10\n", "code: 0123\n", "mac: 12:34:56\n", "mac: 01:23:45\n", "id: 1_2_3\n", "when: 2020-01-01\n", "no: 1\n",
    "a: 'x\n y\n\n z'\n", "a: \"x \n y\"\n", "a: \"\\\n x\"\n", "a: \"x\"\nb: 'y'\n", "a: \"unterminated\nb: 1\n", "{a: 1, b: [x, {y: z}]}\n", "[1, 2]\n", "\"a\"\n", "12\n", "- \n- ~\n", "{a: , b: }\n", "{? a : b}\n", "a: !!str\nb: 1\n", "a: &x\n  b: 1\nc: *x\n",
    "a: &x 1\nb: &x 2\nc: *x\n", "a: ''\n", "a: \"\"\n", "a: ' '\n", "a:  x  \n", "a: x  y\n", "key with blanks: 1\n", "? |\n  x\n: y\n", "a: |\n  x\n# c\nb: 1\n", "a: |\n  x\n  # c\nb: 1\n", "a: x\n# c\n  y\n",
    "x" * 1100 + ": 1\n", "? " + "x" * 1100 + "\n: 1\n",
]


def encode(value):
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return {"int": str(value)}
    if isinstance(value, float):
        return {"float": repr(value)}
    if isinstance(value, (datetime.date, datetime.datetime)):
        return {"time": str(value)}
    if isinstance(value, bytes):
        return {"bytes": list(value)}
    if isinstance(value, (list, tuple)):
        return [encode(item) for item in value]
    if isinstance(value, dict):
        return {"map": [[encode(k), encode(v)] for k, v in value.items()]}
    if isinstance(value, set):
        return {"map": [[encode(k), None] for k in sorted(value)]}
    raise TypeError(type(value))


def answer(text):
    try:
        return {"yaml": text, "value": encode(yaml.load(text, Loader=yaml.FullLoader))}
    except RecursionError:
        return {"yaml": text, "error": "a value that contains itself"}
    except Exception as error:  # whatever it raises, ElastAlert does not load the file
        return {"yaml": text, "error": " ".join(str(error).split())[:160]}


def main():
    if len(sys.argv) > 2:
        out = pathlib.Path(sys.argv[1])
        texts = []
        for name in sys.argv[2:]:
            try:
                texts.append(pathlib.Path(name).read_text(encoding="utf-8"))
            except UnicodeDecodeError:
                pass
    else:
        out = pathlib.Path(__file__).with_name("pyyaml.json")
        texts = [f"a: {scalar}\n" for scalar in SCALARS.split()]
        texts += [f"- {scalar}\n- x\n" for scalar in SCALARS.split()[:40]]
        texts += SNIPPETS
    answers = [json.dumps(answer(text), ensure_ascii=True) for text in texts]
    out.write_text("[\n" + ",\n".join(answers) + "\n]\n", encoding="utf-8")


main()
