//! `$name$`: a value that stands for another option of the rule.

use crate::config::{Data, Mapping, Node};

/// How many references may lead from one to the next: a circle ends there.
const MAX_STEPS: usize = 8;

/// Replaces every text `$NAME$`, at any depth, by the rule's option of that name, if it has one. In an option that `prints`, what stands for
/// a `secret` one is masked: everybody who gets the alert would read it.
///
/// Options are taken as they were written: what they contain is not looked into again, so that a rule cannot grow without bound.
pub(super) fn resolve(
    options: &Mapping,
    prints: impl Fn(&str) -> bool,
    secret: impl Fn(&str) -> bool,
) -> Mapping {
    let members = options.iter().map(|(key, value)| {
        let hidden = |name: &str| key.as_str().is_some_and(&prints) && secret(name);
        (key.clone(), value_of(value, options, &hidden))
    });
    Mapping(members.collect())
}

/// Whether a value has references in it.
pub(super) fn are_in(node: &Node) -> bool {
    node.has_text(&|text| name(text).is_some())
}

fn value_of(node: &Node, options: &Mapping, hidden: &dyn Fn(&str) -> bool) -> Node {
    let data = match &node.data {
        Data::Str(text) => follow(text, options, hidden),
        Data::Seq(items) => {
            let items = items.iter();
            let items = items.map(|item| value_of(item, options, hidden));
            Some(Data::Seq(items.collect()))
        }
        Data::Map(map) => {
            let members = map
                .iter()
                .map(|(key, value)| (key.clone(), value_of(value, options, hidden)));
            Some(Data::Map(Mapping(members.collect())))
        }
        _ => None,
    };
    Node {
        data: data.unwrap_or_else(|| node.data.clone()),
        span: node.span.clone(),
    }
}

fn follow(text: &str, options: &Mapping, hidden: &dyn Fn(&str) -> bool) -> Option<Data> {
    let mut named = name(text)?;
    let mut target = options.get(named)?;
    for _ in 0..MAX_STEPS {
        if hidden(named) {
            return Some(Data::Str("***".to_owned()));
        }
        let next = target.as_str().and_then(name);
        match next.and_then(|next| Some((next, options.get(next)?))) {
            Some(next) => (named, target) = next,
            None => break,
        }
    }
    Some(target.data.clone())
}

fn name(text: &str) -> Option<&str> {
    text.strip_prefix('$')?.strip_suffix('$')
}
