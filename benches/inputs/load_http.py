#!/usr/bin/env python3
"""Load over HTTP: what a service takes of CPU time for events that come as Logstash's json_batch sends them.

    load_http.py TRIPLINE RULES EVENTS [--batch 125] [--connections 4] [--rounds 1]

Starts TRIPLINE with the rules of the folder RULES and a store that is removed afterwards, sends the lines of EVENTS on kept connections, each
body an array of so many of them, and waits for each answer before it sends the next: what is answered is in the journal. Prints events a second
of wall time and of the service's CPU time (user and system), without what it used to start. Times in EVENTS are moved to now, so that nothing is
too late for the rules' windows; each round moves them anew.
"""
import argparse
import json
import os
import re
import socket
import subprocess
import tempfile
import threading
import time

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    """User and system time of a process so far."""
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def bodies(lines, batch, stamp):
    """The requests of one round: the events of one body share their time, which is now's."""
    for start in range(0, len(lines), batch):
        events = [stamp(line) for line in lines[start : start + batch]]
        body = b"[" + b",".join(events) + b"]"
        head = b"POST / HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        yield len(events), head % len(body) + body


def send(address, requests, counts):
    """Sends requests one after the other on one connection."""
    connection = socket.create_connection(address)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    answers = connection.makefile("rb")
    for events, request in requests:
        connection.sendall(request)
        status = answers.readline()
        length = 0
        while (header := answers.readline().strip()):
            name, _, value = header.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        answer = answers.read(length)
        if b" 200 " not in status:
            raise SystemExit(f"answered {status!r}: {answer!r}")
        counts.append(events)
    connection.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tripline")
    parser.add_argument("rules")
    parser.add_argument("events")
    parser.add_argument("--batch", type=int, default=125)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=1)
    args = parser.parse_args()
    with open(args.events, "rb") as file:
        lines = file.read().splitlines()
    time_field = re.compile(rb'"time":\s*"[^"]*"')

    with tempfile.TemporaryDirectory() as scratch:
        config, ready = f"{scratch}/config.yml", f"{scratch}/ready"
        with open(config, "w") as file:
            rules = os.path.abspath(args.rules)
            inputs = [{"http": {"listen": "127.0.0.1:0"}}]
            json.dump({"rules_folder": rules, "store": {"path": f"{scratch}/store"}, "inputs": inputs}, file)
        command = [args.tripline, "run", "--config", config, "--ready-file", ready]
        with open(f"{scratch}/log", "w") as log:
            service = subprocess.Popen(command, stdout=log, stderr=log)
        while not os.path.exists(ready):
            if service.poll() is not None:
                raise SystemExit(open(f"{scratch}/log").read())
            time.sleep(0.01)
        with open(ready) as file:
            host, _, port = json.load(file)["inputs"]["http"].rpartition(":")

        for _ in range(args.rounds):
            now = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
            stamped = b'"time":"%s.000Z"' % now.encode()
            requests = list(bodies(lines, args.batch, lambda line: time_field.sub(stamped, line, count=1)))
            counts = []
            shares = [requests[at :: args.connections] for at in range(args.connections)]
            senders = [threading.Thread(target=send, args=((host, int(port)), share, counts)) for share in shares]
            used, started = cpu_seconds(service.pid), time.monotonic()
            for sender in senders:
                sender.start()
            for sender in senders:
                sender.join()
            took, used = time.monotonic() - started, cpu_seconds(service.pid) - used
            events = sum(counts)
            print(f"{events} events in {took:.2f} s: {events / took:.0f}/s; {used:.2f} s of CPU: {events / used:.0f} per CPU second")
        service.terminate()
        service.wait()


if __name__ == "__main__":
    main()
