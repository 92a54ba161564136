//! `$name$`: a value that stands for another option of the rule.

use crate::config::{Data, Mapping, Node};

/// How many references may lead from one to the next: a circle ends there.
const MAX_STEPS: usize = 8;

/// Replaces every text `$NAME$`, at any depth, by the rule's option of that name, if it has one.
///
/// Options are taken as they were written: what they contain is not looked into again, so that a rule cannot grow without bound.
pub(super) fn resolve(options: &Mapping) -> Mapping {
    let members = options
        .iter()
        .map(|(key, value)| (key.clone(), value_of(value, options)));
    Mapping(members.collect())
}

fn value_of(node: &Node, options: &Mapping) -> Node {
    let data = match &node.data {
        Data::Str(text) => follow(text, options).map(|target| target.data.clone()),
        Data::Seq(items) => Some(Data::Seq(
            items.iter().map(|item| value_of(item, options)).collect(),
        )),
        Data::Map(map) => {
            let members = map
                .iter()
                .map(|(key, value)| (key.clone(), value_of(value, options)));
            Some(Data::Map(Mapping(members.collect())))
        }
        _ => None,
    };
    Node {
        data: data.unwrap_or_else(|| node.data.clone()),
        span: node.span.clone(),
    }
}

fn follow<'a>(text: &str, options: &'a Mapping) -> Option<&'a Node> {
    let mut target = options.get(name(text)?)?;
    for _ in 0..MAX_STEPS {
        match target
            .as_str()
            .and_then(name)
            .and_then(|name| options.get(name))
        {
            Some(next) => target = next,
            None => break,
        }
    }
    Some(target)
}

fn name(text: &str) -> Option<&str> {
    text.strip_prefix('$')?.strip_suffix('$')
}
