#!/usr/bin/env python3
"""Writes the events of this demo: F5 ASM log entries as Logstash has parsed them, JSON lines.

    generate.py [N] > waf.ndjson          N = 1000 events over 20 minutes

The same N gives the same bytes on every machine. All addresses are from the ranges reserved for documentation.
Among ordinary visitors (rating "0") there are single probes (rating "1" to "3"), a scanner that walks through
well-known paths in the eighth minute, an injection attempt that the policy only reports, and a TRACE.
"""

import json
import random
import sys
import time

START = 1522990800  # 2018-04-06T05:00:00Z
MINUTES = 20
# address prefix, country, code of three letters, continent, city, time zone, latitude, longitude
PLACES = [
    ("192.0.2", "Japan", "JP", "JPN", "AS", "Tokyo", "Asia/Tokyo", 35.685, 139.7514),
    ("198.51.100", "United States", "US", "USA", "NA", "Ashburn", "America/New_York", 39.0481, -77.4728),
    ("203.0.113", "Germany", "DE", "DEU", "EU", "Frankfurt am Main", "Europe/Berlin", 50.1109, 8.6821),
]
PAGES = ["/", "/index.html", "/news/", "/products/list", "/products/detail", "/contact", "/login", "/css/site.css",
         "/img/logo.png", "/api/v1/stock"]
AGENTS = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/65.0.3325.181 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 11_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/11.0 Mobile/15E148",
    "Mozilla/5.0 (X11; Linux x86_64; rv:59.0) Gecko/20100101 Firefox/59.0",
]
QUIET = ("", "", "N/A", "N/A", "N/A", "0", "Informational", "passed")
# attack_type, violations, violation_details, sig_names, sig_set_names, violation_rating, severity, request_status
PROBE = ("Information Leakage", "Illegal file type", "Illegal file type: bak", "N/A", "N/A", "2", "Error", "alerted")
SCAN = ("Predictable Resource Location,Forceful Browsing", "Illegal URL,Attack signature detected", "Illegal URL",
        "/wp-login.php access (URI)", "{Predictable Resource Location Signatures}", "4", "Critical", "blocked")
INJECTION = ("SQL-Injection", "Attack signature detected", "Parameter id",
             'SQL-INJ expressions like "or 1=1" (3) (Parameter)', "{SQL Injection Signatures}", "5", "Critical", "alerted")
TRACE = ("Abuse of Functionality", "Illegal method", "Illegal method: TRACE", "N/A", "N/A", "1", "Error", "alerted")
SCANNED = ["/wp-login.php", "/phpmyadmin/index.php", "/.env", "/.git/config", "/admin/config.php", "/backup.sql",
           "/server-status", "/cgi-bin/test.cgi"]


def event(number, millis, client, place, method, page, query, agent, verdict, port):
    attack, violations, details, names, sets, rating, severity, status = verdict
    seconds = time.gmtime(millis // 1000)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", seconds)
    local = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(millis // 1000 + 9 * 3600))
    _, country, two, three, continent, city, zone, latitude, longitude = place
    target = page + ("?" + query if query else "")
    request = "\\r\\n".join([f"{method} {target} HTTP/1.1", "Host: www.bluecore.net", f"User-Agent: {agent}", "Accept: */*", "", ""])
    support_id = str(2508780119460000000 + number)
    code = "0" if status == "blocked" else "404" if page in SCANNED else "200"
    raw = ",".join(f'{key}="{value}"' for key, value in [
        ("unit_hostname", "bigip1.bluecore.net"), ("ip_client", client), ("policy_name", "/Common/www.bluecore.net"),
        ("method", method), ("uri", page), ("request_status", status), ("response_code", code),
        ("violation_rating", rating), ("support_id", support_id)])
    return {
        "@timestamp": f"{stamp}.{millis % 1000:03}Z",
        "@version": "1",
        "attack_type": attack,
        "date_time": local,
        "dest_ip": "10.20.0.80",
        "dest_port": "443",
        "geo_location": two,
        "geoip": {
            "ip": client, "country_name": country, "country_code2": two, "country_code3": three, "continent_code": continent,
            "city_name": city, "timezone": zone, "latitude": latitude, "longitude": longitude,
            "location": {"lat": latitude, "lon": longitude},
        },
        "host": "bigip1.bluecore.net",
        "ip_client": client,
        "ipversion": "IPv4",
        "message": f"<134>{time.strftime('%b', seconds)} {seconds.tm_mday:2} {time.strftime('%H:%M:%S', seconds)} bigip1.bluecore.net ASM:{raw}",
        "method": method,
        "path": "/var/log/asm/asm.log",
        "policy_name": "/Common/www.bluecore.net",
        "protocol": "HTTPS",
        "request": request,
        "request_status": status,
        "response": "Response logging disabled",
        "response_code": code,
        "route_domain": "0",
        "severity": severity,
        "sig_names": names,
        "sig_set_names": sets,
        "src_port": str(port),
        "support_id": support_id,
        "syslog_received_at": f"{stamp}.{millis % 1000:03}Z",
        "time": f"{stamp}Z",
        "type": "asm-message",
        "uri": page,
        "utm": "utm1",
        "violation_details": details,
        "violation_rating": rating,
        "violations": violations,
        "virus_name": "N/A",
        "x_forward_for_utm": "10.20.0.1",
        "x_forwarded_for_fqdn": "www.bluecore.net",
    }


def events(count):
    # Random(int).random() is the only source of chance: its sequence is the same in every Python 3.
    chance = random.Random(20180406).random

    def pick(items):
        return items[int(chance() * len(items))]

    scanner = "203.0.113.66"
    for number in range(count):
        minute = number * MINUTES / count
        millis = START * 1000 + int(minute * 60_000) + int(chance() * 400)
        place = PLACES[0] if chance() < 0.8 else pick(PLACES[1:])
        client = f"{place[0]}.{1 + int(chance() * 60)}"
        agent, page, port = pick(AGENTS), pick(PAGES), 1024 + int(chance() * 64000)
        method = "POST" if page == "/login" and chance() < 0.5 else "HEAD" if chance() < 0.03 else "GET"
        verdict, query = QUIET, "id=%d" % (chance() * 1000) if page.endswith("detail") else ""
        probe = chance() < 0.005
        if 8 <= minute < 9 and number % 2:
            client, place, method, page, query = scanner, PLACES[2], "GET", pick(SCANNED), ""
            agent, verdict = "Mozilla/5.00 (Nikto/2.1.6) (Evasions:None) (Test:map_codes)", SCAN
        elif number in (count * 13 // 20, count * 13 // 20 + 3):
            client, place, method, page = scanner, PLACES[2], "GET", "/products/detail"
            query, verdict = "id=1%20or%201=1", INJECTION
        elif number == count * 16 // 20:
            client, place, method, page, query, verdict = scanner, PLACES[2], "TRACE", "/", "", TRACE
        elif probe:
            page, query, verdict = page.rstrip("/") + ".bak", "", PROBE
        yield event(number, millis, client, place, method, page, query, agent, verdict, port)


if __name__ == "__main__":
    for row in events(int(sys.argv[1]) if len(sys.argv) > 1 else 1000):
        print(json.dumps(row, separators=(",", ":"), ensure_ascii=False))
