//! How people are told of errors: `notify_email` and `notify_alert` made into something the engine can alert through.

use super::rules::{Loader, Preparing};
use crate::alert::{Preparation, Template};
use crate::alerter::notice::NoticeMail;
use crate::alerter::sending::Outlet;
use crate::alerter::{Exit, Secrets, debug_exits, exits};
use crate::config::{Data, Mapping, Node, Problem, Properties, Span};
use crate::engine::{NOTICES, Notices, ProgramRule};
use crate::event::python;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

impl Loader {
    /// How people are told of errors of rules, whether they run or cannot be loaded; `None`: not at all. `of_rule`: see [`mail_of`].
    pub(super) fn notices(
        &self,
        of_rule: HashMap<String, Vec<String>>,
        problems: &mut Vec<Problem>,
    ) -> Option<(Notices, Arc<Outlet>)> {
        let configured = &self.config.properties;
        let is_set = |node: &&Node| python::is_truthy(&node.to_value());
        let alerters = configured.get("notify_alert").filter(is_set);
        let mails = !of_rule.is_empty() || !configured.texts("notify_email").is_empty();
        if alerters.is_none() && !mails {
            return None;
        }
        let (rule, found) =
            self.read(|loader| loader.of_the_program(options(alerters, configured)));
        problems.extend(found);
        let rule = Arc::new(rule?);
        let properties = rule.properties();
        let file = self.config.file.clone().unwrap_or_default();
        let build = self.build(&properties, Path::new(&file));
        let (mut exits, found) = exits(&properties, &build, &self.process);
        problems.extend(found);
        if mails {
            let mail = NoticeMail::new(configured, of_rule, &build);
            let template = Template::new(&properties, &self.process);
            match (mail, template) {
                (Ok(mail), Ok(template)) => exits.insert(
                    0,
                    Exit {
                        name: "email",
                        alerter: Arc::new(mail),
                        template: Arc::new(template),
                        secrets: Secrets::default(),
                    },
                ),
                (mail, template) => {
                    problems.extend(mail.err().into_iter().flatten());
                    problems.extend(template.err().into_iter().flatten());
                }
            }
        }
        if self.debug {
            exits = debug_exits(&exits, &build);
        }
        let outlet = Arc::new(Outlet {
            rule: Arc::clone(&rule),
            exits,
            short_links: None,
        });
        let preparation = Preparation::new(&properties, &self.process)
            .map_err(|found| problems.extend(found))
            .ok()?;
        let entry = ProgramRule {
            rule,
            alerters: outlet.exits.iter().map(Exit::facts).collect(),
            enhance_first: false,
            match_in_root: false,
            prepare: Arc::new(Preparing {
                preparation: Arc::new(preparation),
                outlet: Arc::clone(&outlet),
            }),
        };
        let notices = Notices {
            entry: Arc::new(entry),
            all_errors: self.config.notify_all_errors,
        };
        Some((notices, outlet))
    }
}

/// The name of a rule with these options, and who gets mail of its errors, if somebody does.
pub(super) fn mail_of(rule: &Properties) -> Option<(String, Vec<String>)> {
    let addresses = rule.texts("notify_email");
    let name = rule.text("name").filter(|_| !addresses.is_empty())?;
    Some((name, addresses))
}

/// The options of the rule that stands for the program, beside the configuration's.
fn options(alerters: Option<&Node>, configured: &Properties) -> Mapping {
    let place = ["notify_alert", "notify_email"]
        .iter()
        .find_map(|name| configured.get(name))
        .map_or_else(Span::nowhere, |node| node.span.clone());
    let node = |text: &str| Node::text(text, &place);
    let nobody = Node {
        data: Data::Seq(Vec::new()),
        span: place.clone(),
    };
    Mapping(vec![
        (node("name"), node(NOTICES)),
        (node("type"), node("any")),
        (node("index"), node("*")),
        (node("alert"), alerters.cloned().unwrap_or(nobody)),
    ])
}
