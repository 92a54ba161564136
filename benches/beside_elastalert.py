"""The rule types beside ElastAlert 2's own classes, on the same events in one run.

    PYTHON benches/beside_elastalert.py [N]

PYTHON has elastalert2 installed (`pip install elastalert2==2.31.0`). N events (200,000 unless told) of 5,000 users go a thousand at a time through each of
ElastAlert's classes, then through ours (`cargo bench --bench rule_types -- --folder DIR`); both are told after each thousand that time has passed.
ElastAlert gets its events parsed, as dictionaries, and filters nothing: what Elasticsearch and its client do for it is not counted. Ours is counted twice: the type on parsed
events, with the match written as the alert gets it; and from the bytes of the event, with reading and filtering.

`metric_aggregation`, `spike_aggregation` and `percentage_match` are left out: ElastAlert's classes for them only compare a number that Elasticsearch has computed.
"""

import copy
import datetime
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import time

from elastalert import ruletypes

BATCH = 1000
START = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)

MINUTES = {"minutes": 5}
RULES = {
    "any": {},
    "blacklist": {"compare_key": "user", "blacklist": ["user-%d" % n for n in range(0, 5000, 100)]},
    "whitelist": {"compare_key": "user", "whitelist": ["user-%d" % n for n in range(4900)], "ignore_null": True},
    "change": {"compare_key": "country", "query_key": "user", "ignore_null": True},
    "frequency": {"num_events": 50, "timeframe": MINUTES, "query_key": "user"},
    "spike": {"spike_height": 3, "spike_type": "up", "threshold_ref": 10, "timeframe": MINUTES, "query_key": "user"},
    "flatline": {"threshold": 1, "timeframe": MINUTES, "query_key": "user", "forget_keys": True},
    "new_term": {"fields": ["user"]},
    "cardinality": {"cardinality_field": "path", "max_cardinality": 40, "timeframe": MINUTES, "query_key": "user"},
}
CLASSES = {
    "any": ruletypes.AnyRule,
    "blacklist": ruletypes.BlacklistRule,
    "whitelist": ruletypes.WhitelistRule,
    "change": ruletypes.ChangeRule,
    "frequency": ruletypes.FrequencyRule,
    "spike": ruletypes.SpikeRule,
    "flatline": ruletypes.FlatlineRule,
    "cardinality": ruletypes.CardinalityRule,
}


class NewTerms(ruletypes.NewTermsRule):
    """Nothing is known yet; the real one asks Elasticsearch."""

    def get_all_terms(self, args):
        self.seen_values = {field: [] for field in self.fields}


CLASSES["new_term"] = NewTerms


def events(number):
    dice = random.Random(1)
    users = dice.choices(range(5000), weights=[1 / (rank + 10) for rank in range(5000)], k=number)
    for at, user in enumerate(users):
        stamp = START + datetime.timedelta(milliseconds=5 * at)
        country = "AQ" if dice.random() < 0.001 else "C%d" % (user % 40)
        yield {
            "@timestamp": stamp.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
            "user": "user-%d" % user,
            "country": country,
            "path": "/shop/%d/item" % dice.randrange(200),
            "method": dice.choice(["GET", "POST"]),
            "response_code": dice.choice([200, 200, 302, 404]),
            "message": "request served from cache in %d ms" % dice.randrange(500),
        }


def options(name):
    """A rule with what ElastAlert's loader makes of it."""
    rule = dict(copy.deepcopy(RULES[name]), timestamp_field="@timestamp", name=name)
    if "timeframe" in rule:
        rule["timeframe"] = datetime.timedelta(**rule["timeframe"])
    if "compare_key" in rule:
        rule["compound_compare_key"] = [rule["compare_key"]]
    return rule


def theirs(name, parsed):
    """Seconds and matches of ElastAlert's class. Its loop gives it fresh dictionaries, which it may change."""
    rule_type = CLASSES[name](options(name))
    taken, matches = 0.0, 0
    for start in range(0, len(parsed), BATCH):
        batch = [dict(event) for event in parsed[start:start + BATCH]]
        end = batch[-1]["@timestamp"]
        begun = time.process_time()
        rule_type.add_data(batch)
        rule_type.garbage_collect(end)
        taken += time.process_time() - begun
        matches += len(rule_type.matches)
        rule_type.matches = []
    return taken, matches


def main():
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    made = list(events(number))
    parsed = [
        dict(event, **{"@timestamp": datetime.datetime.fromisoformat(event["@timestamp"].replace("Z", "+00:00"))})
        for event in made
    ]
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "events.ndjson").write_text("".join(json.dumps(event) + "\n" for event in made))
        for name, rule in RULES.items():
            rule = dict(rule, name=name, type=name, index="logs", filter=[], alert="debug")
            (folder / (name + ".yaml")).write_text(json.dumps(rule))
        answer = subprocess.run(
            ["cargo", "bench", "--bench", "rule_types", "--", "--folder", str(folder)],
            check=True, stdout=subprocess.PIPE, cwd=pathlib.Path(__file__).parent.parent,
        )
    ours = {row["type"]: row for row in map(json.loads, answer.stdout.splitlines())}
    print("| type | ElastAlert 2's class | type alone | from the event's bytes | type alone is faster by | from bytes | matches, theirs and ours |")
    print("|---|---|---|---|---|---|---|")
    for name in RULES:
        taken, matches = theirs(name, parsed)
        row = ours[name]
        alone, whole = row["alone_seconds"], row["whole_seconds"]
        print("| %s | %s/s | %s/s | %s/s | %.0f × | %.0f × | %d, %d |" % (
            name, *("{:,.0f}".format(number / seconds) for seconds in (taken, alone, whole)),
            taken / alone, taken / whole, matches, row["matches"],
        ))


if __name__ == "__main__":
    main()
