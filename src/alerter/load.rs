//! From a rule's `alert` option to its alerters.

use super::{ALERTERS, Alerter, AlerterEntry, Build, Secrets, find};
use crate::alert::{Alert, Process, SharedTexts, Template};
use crate::config::{Data, Mapping, Node, Problem, Properties, check, unknown};
use crate::engine::AlerterFacts;
use crate::event::Document;
use crate::rule::load::options::is_named_by_user;
use std::fmt;
use std::sync::Arc;

/// One of a rule's alerters, and how alerts through it read.
#[derive(Clone)]
pub struct Exit {
    /// The name it has in the rule.
    pub name: &'static str,
    /// The alerter.
    pub alerter: Arc<dyn Alerter>,
    /// The rule's text options, overlaid by the alerter's own.
    pub template: Arc<Template>,
    /// What must not be shown of it.
    pub secrets: Secrets,
}

/// The name only: the rest may be secret.
impl fmt::Debug for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Exit({})", self.name)
    }
}

impl Exit {
    /// What the writeback document of an alert says about the alerter (`alert_info`), secrets masked.
    pub fn info(&self, alert: &Alert<'_>) -> Document {
        self.secrets.mask_document(self.alerter.info_for(alert))
    }

    /// What the engine knows of it.
    pub fn facts(&self) -> AlerterFacts {
        AlerterFacts {
            name: self.name,
            ticket: self.alerter.ticket_use(),
        }
    }
}

/// Names users may expect, and what they are called here.
const RENAMED: &[(&str, &str)] = &[
    ("ms_teams", "ms_power_automate"),
    ("linenotify", "line"),
    ("thehive", "hivealerter"),
    ("rocket_chat", "rocketchat"),
    ("http_post", "post"),
    ("http_post2", "post2"),
];

/// A rule's alerters in the order they are served, and what is wrong with them; with an error among that, the list is not complete.
///
/// `alert` is a name, a list of names, or a list with entries `name: {options}` whose options hold for that alerter only.
pub fn exits(
    properties: &Properties,
    build: &Build,
    process: &Process,
) -> (Vec<Exit>, Vec<Problem>) {
    exits_like(properties, build, process, &SharedTexts::default())
}

/// The same for one of many rules.
pub fn exits_like(
    properties: &Properties,
    build: &Build,
    process: &Process,
    texts: &SharedTexts,
) -> (Vec<Exit>, Vec<Problem>) {
    let mut exits = Vec::new();
    let mut problems = Vec::new();
    for (node, own) in entries(properties, &build.span, &mut problems) {
        let Some(entry) = entry(node, &mut problems) else {
            continue;
        };
        if let Some(own) = own {
            let mut tables = crate::alert::OPTIONS.to_vec();
            tables.push(entry.options);
            problems.extend(unknown(own, &tables, &is_named_by_user));
        }
        let overlaid = own.map(|own| properties.overlaid(own));
        let properties = overlaid.as_ref().unwrap_or(properties);
        let found = check(|name| properties.get(name), &node.span, &[entry.options]);
        let usable = !found.iter().any(Problem::is_error);
        problems.extend(found);
        if !usable {
            continue;
        }
        let build = Build {
            span: node.span.clone(),
            ..build.clone()
        };
        let template = texts.template(properties, process);
        match ((entry.build)(properties, &build), template) {
            (Ok(built), Ok(template)) => {
                problems.extend(built.warnings);
                problems.extend(template.warnings.iter().cloned());
                exits.push(Exit {
                    name: entry.name,
                    alerter: built.alerter,
                    template,
                    secrets: Secrets::of(properties, entry.options),
                });
            }
            (alerter, template) => {
                problems.extend(alerter.err().into_iter().flatten());
                problems.extend(template.err().into_iter().flatten());
            }
        }
    }
    // ElastAlert serves it first.
    exits.sort_by_key(|exit| exit.name != "jira");
    exits.shrink_to_fit();
    (exits, problems)
}

/// What `alert` lists: each name, and the options written beside it.
fn entries<'a>(
    properties: &'a Properties,
    place: &crate::config::Span,
    problems: &mut Vec<Problem>,
) -> Vec<(&'a Node, Option<&'a Mapping>)> {
    let Some(node) = properties.get("alert") else {
        problems.push(
            Problem::error("E0301", place, "the option `alert` is missing")
                .help("name an alerter: `alert: debug` prints alerts"),
        );
        return Vec::new();
    };
    let items = match &node.data {
        Data::Seq(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    let mut entries = Vec::new();
    for item in items {
        // Of an object with several members ElastAlert looks at the first only.
        let named = item.as_map().and_then(|map| map.iter().next());
        match (item.as_str(), named) {
            (Some(_), _) => entries.push((item, None)),
            (None, Some((name, options))) if name.as_str().is_some() => {
                entries.push((name, options.as_map()));
            }
            _ => problems.push(Problem::error(
                "E0302",
                &item.span,
                format!(
                    "an alerter is {}, but must be a name, or a name with options",
                    item.kind_name()
                ),
            )),
        }
    }
    entries
}

fn entry(node: &Node, problems: &mut Vec<Problem>) -> Option<&'static AlerterEntry> {
    let name = node.as_str()?;
    if let Some(entry) = find(name) {
        return Some(entry);
    }
    let renamed = RENAMED.iter().find(|(old, _)| *old == name);
    let names = ALERTERS.iter().map(|entry| entry.name);
    let near = renamed
        .map(|(_, new)| *new)
        .or_else(|| crate::config::nearest(name, names));
    let problem = Problem::error("E0304", &node.span, format!("there is no alerter `{name}`"));
    problems.push(match near {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None if name.contains('.') => problem.help("alerters written in Python cannot be loaded: `command` can start a program that does the same"),
        None => problem,
    });
    None
}

/// In place of each alerter, one that prints (`--debug`).
pub fn debug_exits(exits: &[Exit], build: &Build) -> Vec<Exit> {
    let debug: Arc<dyn Alerter> = Arc::new(super::debug::Debug {
        transport: Arc::clone(&build.transport),
    });
    exits
        .iter()
        .map(|exit| Exit {
            name: "debug",
            alerter: Arc::clone(&debug),
            template: Arc::clone(&exit.template),
            secrets: exit.secrets.clone(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerter::World;
    use crate::config::{SourceFile, Span, yaml};
    use std::path::{Path, PathBuf};

    /// The names of the alerters, or else what is wrong, one problem a line.
    #[track_caller]
    fn check(text: &str, expected: &str) {
        let file = Arc::new(SourceFile::new(Path::new("r.yaml"), text));
        let (node, _) = yaml::parse(&file, None);
        let properties = Properties::new(node.unwrap().as_map().unwrap().clone());
        let build = Build {
            span: Span::of_file(&file),
            rule_file: PathBuf::from("r.yaml"),
            working_directory: PathBuf::new(),
            transport: Arc::new(World::new(Box::new(std::io::sink()))),
        };
        let process = Process {
            zone: jiff::tz::TimeZone::UTC,
            working_directory: PathBuf::new(),
            enhancements: &[],
        };
        let (exits, problems) = exits(&properties, &build, &process);
        let mut lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        lines.extend(exits.iter().map(|exit| exit.name.to_owned()));
        assert_eq!(lines.join("\n"), expected);
    }

    #[test]
    fn names_lists_and_options_of_their_own() {
        check("alert: debug", "debug");
        check(
            "alert: [debug, {command: {command: [x]}}]",
            "debug\ncommand",
        );
        check(
            "alert:\n- email: {email: a@example.com}\n- email\nemail: b@example.com\n",
            "email\nemail",
        );
    }

    #[test]
    fn what_cannot_be_an_alerter_says_what_can() {
        check(
            "alert: http_post2",
            "r.yaml:1:8: error[E0304]: there is no alerter `http_post2` (did you mean `post2`?)",
        );
        check(
            "alert: slak",
            "r.yaml:1:8: error[E0304]: there is no alerter `slak` (did you mean `slack`?)",
        );
        check(
            "alert: [7]",
            "r.yaml:1:9: error[E0302]: an alerter is an integer, but must be a name, or a name with options",
        );
    }

    #[test]
    fn misspelt_options_beside_a_name_are_found() {
        check(
            "alert:\n- email: {email: a@example.com, smtp_hst: x}\n",
            "r.yaml:2:33: warning[W0604]: unknown option `smtp_hst` (did you mean `smtp_host`?)\nemail",
        );
    }

    #[test]
    fn a_shell_command_with_values_is_warned_of() {
        check(
            "alert: command\ncommand: 'notify %(ip)s'\n",
            "r.yaml:2:10: warning[W0301]: values of events go into this shell command unquoted: whoever writes the event can run commands \
             (write the command as a list, then no shell looks at the values)\ncommand",
        );
        check("alert: command\ncommand: 'notify'\n", "command");
    }
}
