# Logstash ruby filter: the pairs of an ASM message become fields.
#
# A value ends at a quote that is not doubled and is followed by a comma or the end; a message cut by the device ends without one.
# The first value of a key counts: what an attacker puts into `uri` or `request`, at the end of the message, cannot replace
# `request_status` at its beginning.

def register(_params)
  @pair = /([a-z][a-z0-9_]*)="((?>(?:[^"]+|"")*))(?:"(?=,|\s*\z)|\z)/
end

def filter(event)
  seen = {}
  event.get("[@metadata][pairs]").to_s.scan(@pair) do |key, value|
    next if seen[key]
    seen[key] = true
    event.set(key, value.gsub('""', '"'))
  end
  event.tag("_asm_pairs_missing") if seen.empty?
  [event]
end
