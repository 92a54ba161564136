#!/usr/bin/env python3
"""Many rules for Windows events, made from a few hundred that were made from Sigma's.

    gen_sigma.py K SOURCE OUTDIR

SOURCE is a folder of ElastAlert rules as sigma-cli's `elastalert` backends write them, with the field names of the Elastic Common Schema. OUTDIR
gets K of them: the fields are called as Sysmon and Logstash call them (texts by their `keyword` sub-field), and from the second version of a rule
on about two of three words in its values end in a number, so that versions differ but go on sharing what Sigma's rules share: tests on `\\cmd.exe`
and the like. The same arguments give the same bytes.
"""
import os
import re
import sys
import zlib

NAMES = {
    'event.code': 'EventID',
    'destination.ip': 'DestinationIp',
    'destination.port': 'DestinationPort',
    'source.ip': 'SourceIp',
    'source.port': 'SourcePort',
    'destination.address': 'DestinationHostname.keyword',
    'destination.domain': 'DestinationHostname.keyword',
    'dns.question.name': 'QueryName.keyword',
    'file.name': 'TargetFilename.keyword',
    'file.path': 'TargetFilename.keyword',
    'file.code_signature.signed': 'Signed',
    'file.code_signature.status': 'SignatureStatus',
    'file.pe.description': 'Description.keyword',
    'file.pe.original_file_name': 'OriginalFileName.keyword',
    'powershell.file.script_block_text': 'ScriptBlockText.keyword',
    'process.command_line': 'CommandLine.keyword',
    'process.executable.caseless': 'Image.keyword',
    'process.parent.command_line': 'ParentCommandLine.keyword',
    'process.parent.executable.caseless': 'ParentImage.keyword',
    'process.pe.company': 'Company.keyword',
    'process.pe.description': 'Description.keyword',
    'process.pe.original_file_name': 'OriginalFileName.keyword',
    'process.pe.product': 'Product.keyword',
    'registry.path': 'TargetObject.keyword',
    'user.name': 'User.keyword',
    'winlog.channel': 'Channel.keyword',
    'winlog.provider_name': 'SourceName.keyword',
}
FIELD = re.compile(r'(?<![\w.])([a-z_]+(?:\.\w+)+):')
# A word of a value: no operator, no name before a colon, and nothing that a backslash gives a meaning.
WORD = re.compile(r'(?<![\w.])[A-Za-z]\w{3,}(?!\w|[\w.]*:|\\=)')


def sysmon(match):
    name = match.group(1)
    if name.startswith('winlog.event_data.'):
        return name.rsplit('.', 1)[1] + '.keyword:'
    return NAMES.get(name, name) + ':'


def version(text, number):
    head, key, rest = text.partition('filter:\n')
    end = re.search(r'^\w', rest, re.M)
    end = end.start() if end else len(rest)
    lines, tail = rest[:end], rest[end:]
    lines = FIELD.sub(sysmon, lines)

    def vary(match):
        word = match.group(0)
        if zlib.crc32(('%s %d' % (word.lower(), number)).encode()) % 3 == 0:
            return word
        return '%s%d' % (word, number)
    if number:
        lines = WORD.sub(vary, lines)
    tail = re.sub(r'^(name: .*)$', r'\1 %d' % number, tail, flags=re.M)
    return head + key + lines + tail


def main():
    count, source, out = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    files = sorted(name for name in os.listdir(source) if name.endswith(('.yaml', '.yml')))
    os.makedirs(out, exist_ok=True)
    for at in range(count):
        number, file = divmod(at, len(files))
        with open(os.path.join(source, files[file])) as rule:
            text = rule.read()
        with open(os.path.join(out, 'sigma-%05d.yaml' % at), 'w') as rule:
            rule.write(version(text, number))


main()
