#!/usr/bin/env python3
"""Rule sets R1, R10, R100, R1000, R10000 for the events of gen_events.py.

    gen_rules.py K OUTDIR               K = 1 writes rules/asm_alert.yaml's rule; K = 10, 100, 1000, 10000 the templated sets
    gen_rules.py K --hits EVENTS        how many (event, rule) pairs pass the rules' filters, by type (JSON)

OUTDIR gets one ElastAlert YAML file per rule, and `rules.json`: for each rule
its name, type, options and its filter as a plain conjunction
[[field, op, value], ...] (op: eq, in, prefix, ge), from which peers' own
configurations are made, so that every peer decides the same thing.

Ten templates (any, frequency, spike, flatline, new_term, cardinality, change,
percentage_match, metric_aggregation, whitelist) x K/10 variants. Variant v
watches policy v % 200 and country group (v // 200) % 5, so that at K = 10000 the
variants of a template partition the stream; hits per event are measured and
written in README.md.
"""
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from gen_events import COUNTRY_GROUPS, POLICIES  # noqa: E402

TS = 'time'


def asm_rule():
    return {'name': 'Attack to WWW.BLUECORE.NET', 'type': 'blacklist', 'options': {
        'compare_key': 'violation_rating', 'blacklist': ['1', '2', '3', '4', '5']}, 'filter': []}


def variants(k):
    rules = []
    for v in range(k // 10):
        pol = ['policy_name', 'eq', POLICIES[v % 200]]
        geo = ['geoip.country_code2', 'in', [c[0] for c in COUNTRY_GROUPS[(v // 200) % 5]]]
        m1 = {'minutes': 1}
        r = rules.append
        r({'name': 'any-%04d' % v, 'type': 'any', 'options': {},
           'filter': [pol, geo, ['method', 'eq', 'POST'], ['violation_rating', 'in', ['3', '4', '5']]]})
        r({'name': 'frequency-%04d' % v, 'type': 'frequency',
           'options': {'num_events': 20, 'timeframe': m1, 'query_key': 'ip_client'},
           'filter': [pol, geo, ['response_code', 'in', ['403', '404', '500', '503']]]})
        r({'name': 'spike-%04d' % v, 'type': 'spike',
           'options': {'spike_height': 3, 'spike_type': 'up', 'threshold_cur': 20, 'timeframe': {'seconds': 20}},
           'filter': [pol, geo, ['method', 'eq', 'POST']]})
        r({'name': 'flatline-%04d' % v, 'type': 'flatline', 'options': {'threshold': 1, 'timeframe': {'seconds': 30}},
           'filter': [pol, geo]})
        r({'name': 'new_term-%04d' % v, 'type': 'new_term', 'options': {'fields': ['ip_client'], 'terms_window_size': {'days': 1}},
           'filter': [pol, geo, ['uri', 'prefix', '/app1']]})
        r({'name': 'cardinality-%04d' % v, 'type': 'cardinality',
           'options': {'cardinality_field': 'ip_client', 'max_cardinality': 150, 'timeframe': m1}, 'filter': [pol, geo]})
        r({'name': 'change-%04d' % v, 'type': 'change',
           'options': {'compare_key': 'geoip.country_code2', 'query_key': 'ip_client', 'ignore_null': True, 'timeframe': {'hours': 1}},
           'filter': [pol, ['uri', 'prefix', '/app%d' % ((v // 200) % 4)]]})
        r({'name': 'percentage_match-%04d' % v, 'type': 'percentage_match',
           'options': {'match_bucket_filter': [{'terms': {'response_code.keyword': ['500', '503']}}], 'max_percentage': 15,
                       'min_denominator': 20, 'buffer_time': m1}, 'filter': [pol, geo]})
        r({'name': 'metric_aggregation-%04d' % v, 'type': 'metric_aggregation',
           'options': {'metric_agg_key': 'bytes_out', 'metric_agg_type': 'avg', 'max_threshold': 9000, 'buffer_time': m1},
           'filter': [pol, geo, ['bytes_out', 'ge', 1000]]})
        r({'name': 'whitelist-%04d' % v, 'type': 'whitelist',
           'options': {'compare_key': 'method', 'whitelist': ['GET', 'POST', 'HEAD'], 'ignore_null': True}, 'filter': [pol, geo]})
    return rules


def ruleset(k):
    return [asm_rule()] if k == 1 else variants(k)


def lucene(conj):
    parts = []
    for field, op, val in conj:
        if op == 'eq':
            parts.append('%s:"%s"' % (field, val))
        elif op == 'in':
            parts.append('%s:(%s)' % (field, ' OR '.join('"%s"' % x for x in val)))
        elif op == 'prefix':          # prefix of the whole value: the keyword sub-field
            parts.append('%s.keyword:%s*' % (field, val.replace('/', '\\/')))
        elif op == 'ge':
            parts.append('%s:>=%d' % (field, val))
    return ' AND '.join(parts)


def elastalert(rule, alert='debug'):
    d = {'name': rule['name'], 'type': rule['type'], 'index': 'bench-waf', 'timestamp_field': TS}
    d['filter'] = [{'query_string': {'query': lucene(rule['filter'])}}] if rule['filter'] else []
    d.update(rule['options'])
    d['alert'] = [alert]
    return d


def matches_filter(conj, doc):
    """The meaning of `filter`, for peers that need hits picked beforehand."""
    for field, op, val in conj:
        x = doc
        for part in field.split('.'):
            x = x.get(part) if isinstance(x, dict) else None
        if op == 'eq':
            ok = x == val
        elif op == 'in':
            ok = x in val
        elif op == 'prefix':
            ok = isinstance(x, str) and x.startswith(val)
        else:
            ok = isinstance(x, (int, float)) and x >= val
        if not ok:
            return False
    return True


def count_hits(rules, lines):
    """Hits by rule type, their sum, and the events that some rule wants."""
    by_policy, n = {}, 0
    for line in lines:
        doc = json.loads(line)
        by_policy.setdefault(doc['policy_name'], []).append(doc)
        n += 1
    everything = [d for docs in by_policy.values() for d in docs]
    hits, wanted = {}, set()
    for r in rules:
        # every filter but the empty one names one policy: look only there
        docs = by_policy.get(r['filter'][0][2], []) if r['filter'] else everything
        passed = [id(d) for d in docs if matches_filter(r['filter'], d)]
        hits[r['type']] = hits.get(r['type'], 0) + len(passed)
        wanted.update(passed)
    return {'events': n, 'rules': len(rules), 'hits': sum(hits.values()), 'events_wanted': len(wanted), 'by_type': hits}


def main():
    k, out = int(sys.argv[1]), sys.argv[2]
    if out == '--hits':
        with open(sys.argv[3]) as f:
            print(json.dumps(count_hits(ruleset(k), f)))
        return
    os.makedirs(out, exist_ok=True)
    rules = ruleset(k)
    for i, rule in enumerate(rules):
        with open(os.path.join(out, 'r%05d.yaml' % i), 'w') as f:
            json.dump(elastalert(rule), f, indent=1)      # JSON is YAML
            f.write('\n')
    with open(os.path.join(out, 'rules.json'), 'w') as f:
        json.dump(rules, f, separators=(',', ':'))
        f.write('\n')


if __name__ == '__main__':
    main()
