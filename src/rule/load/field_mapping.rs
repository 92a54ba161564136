//! `mapping`: how the rule's filter takes the fields of events.

use super::Loader;
use crate::config::{Data, Node, Problem, Properties, read_yaml};
use crate::filter::Mapping;
use std::path::Path;

/// The mapping a rule asks for, else that of the loader.
pub(super) fn read(
    loader: &Loader<'_>,
    properties: &Properties,
    index: &str,
) -> Result<Mapping, Vec<Problem>> {
    let Some(node) = properties.get("mapping") else {
        return Ok(loader.mapping.clone());
    };
    match &node.data {
        Data::Map(_) => Mapping::explicit(node),
        Data::Str(name) if name == "dynamic" => Ok(Mapping::dynamic()),
        Data::Str(name) if name == "logstash" => Ok(Mapping::logstash()),
        Data::Str(name) if name == "elasticsearch" => fetched(loader, node, index),
        Data::Str(file) => from_file(loader, node, file),
        // The kind was checked with the other options.
        _ => Ok(loader.mapping.clone()),
    }
}

fn fetched(loader: &Loader<'_>, node: &Node, index: &str) -> Result<Mapping, Vec<Problem>> {
    let problem = |reason: String| {
        let message = format!("the mapping of {index:?} cannot be fetched: {reason}");
        vec![Problem::error("E0210", &node.span, message)
            .help("set es_host in the configuration, or save `GET INDEX/_mapping` in a file and name that")]
    };
    let answer = loader.service.field_mappings.of(index).map_err(problem)?;
    Mapping::fetched(&answer, &node.span)
}

/// A file is looked for beside the file that names it, then from the working directory.
fn from_file(loader: &Loader<'_>, node: &Node, file: &str) -> Result<Mapping, Vec<Problem>> {
    let beside = node.span.path().parent().unwrap_or(Path::new(""));
    let places = [beside.join(file), loader.working_directory.join(file)];
    let Some(path) = places.iter().find(|path| path.is_file()) else {
        let message = format!("there is no file {file:?} with a mapping");
        return Err(vec![Problem::error("E0210", &node.span, message).help(
            "`mapping` takes dynamic, logstash, elasticsearch, a file or {properties: …}",
        )]);
    };
    let (read, mut problems) = read_yaml(path.as_path(), loader.environment);
    problems.retain(Problem::is_error);
    match read {
        Some(read) if problems.is_empty() => Mapping::explicit(inside(&read)),
        _ => Err(problems),
    }
}

/// What `GET INDEX/_mapping` answers has the index around the mapping.
fn inside(node: &Node) -> &Node {
    let known = ["properties", "mappings", "dynamic", "dynamic_templates"];
    match &node.data {
        Data::Map(members) if known.iter().all(|name| node.get(name).is_none()) => {
            match members.0.as_slice() {
                [(_, only)] if only.get("mappings").is_some() => only,
                _ => node,
            }
        }
        _ => node,
    }
}
