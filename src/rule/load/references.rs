//! `$name$`: a value that stands for another option of the rule.

use crate::config::{Data, Mapping, Node, Properties};

/// How many references may lead from one to the next: a circle ends there.
const MAX_STEPS: usize = 8;

/// Replaces every text `$NAME$`, at any depth, by the rule's option of that name, if it has one. In an option that `prints`, what stands for
/// a secret one is masked: everybody who gets the alert would read it. `referring` are the options it has alike with others in which there are such texts.
///
/// Options are taken as they were written: what they contain is not looked into again, so that a rule cannot grow without bound.
pub(super) fn resolve(
    mut options: Properties,
    referring: &[(Node, Node)],
    prints: impl Fn(&str) -> bool,
) -> Properties {
    let own = options.own();
    let resolved = |key: &Node, value: &Node| {
        let hidden = |name: &str| key.as_str().is_some_and(&prints) && options.is_secret(name);
        value_of(value, &options, &hidden)
    };
    let written = own.iter().enumerate();
    let written = written.filter(|(_, (_, value))| are_in(value));
    let written = written.map(|(at, (key, value))| (at, resolved(key, value)));
    let written: Vec<(usize, Node)> = written.collect();
    let lacks = |name: &str| own.get(name).is_none();
    let others = referring.iter();
    let others = others.filter(|(key, _)| key.as_str().is_some_and(lacks));
    let others = others.map(|(key, value)| (key.clone(), resolved(key, value)));
    let others: Vec<(Node, Node)> = others.collect();
    if !(written.is_empty() && others.is_empty()) {
        let own = options.own_mut();
        for (at, value) in written {
            if let Some((_, slot)) = own.0.get_mut(at) {
                *slot = value;
            }
        }
        own.0.extend(others);
    }
    options
}

/// Whether a value has references in it.
pub(super) fn are_in(node: &Node) -> bool {
    node.has_text(&|text| name(text).is_some())
}

fn value_of(node: &Node, options: &Properties, hidden: &dyn Fn(&str) -> bool) -> Node {
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

fn follow(text: &str, options: &Properties, hidden: &dyn Fn(&str) -> bool) -> Option<Data> {
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
