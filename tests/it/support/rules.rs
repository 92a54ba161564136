//! Rules by themselves: read without an environment, and with nothing known of texts and alerters. Benchmarks load theirs with this, too.

use std::path::{Path, PathBuf};
use tripline::config::{Service, Sources};
use tripline::filter::Mapping;
use tripline::rule::load::{Loaded, Loader};

/// The rules in these files, under a configuration file. `!file` lists are relative to the directory that it is in.
pub(crate) fn load(config: &Path, mapping: &Mapping, files: &[PathBuf]) -> Loaded {
    let (service, _) = Service::load(&Sources {
        path: Some(config),
        environment: &|_| None,
        expand: true,
        rule_options: &[],
        known: &|_| true,
    });
    Loader {
        service: &service,
        environment: &|_| None,
        working_directory: config.parent().unwrap(),
        mapping,
        text_options: &[],
        alerter_options: &[],
    }
    .files(files)
}
