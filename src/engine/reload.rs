//! Other rules: what each takes over of what the engine remembers.

use super::{Cell, Engine, Note, Outcome, Program, ProgramRule, Record, Seen};
use crate::event::WallTime;
use crate::rule::{Edit, Gap};
use hashbrown::HashMap;
use std::sync::Arc;

impl Engine {
    /// Goes on with other rules: those whose meaning is the same keep what they remember.
    pub(super) fn reload(&mut self, program: Arc<Program>, now: WallTime, out: &mut Outcome) {
        self.reload_held(&program, now, out);
        out.records.push(program.record());
        let before = self.program.rules.iter().zip(self.cells.drain(..));
        let mut old: HashMap<String, (&Arc<ProgramRule>, Cell)> = before
            .map(|(entry, cell)| (entry.rule.name.clone(), (entry, cell)))
            .collect();
        // A rule watches from now on, where it is watched at all: events in a replay have no time before them.
        let gap = self.watched.map(|to| Gap { from: None, to });
        let spill = self.spill.as_ref();
        let begin = |entry: &ProgramRule, out: &mut Outcome| {
            let mut cell = Cell::new(entry, spill);
            if let Some(gap) = gap {
                cell.resume(entry, gap);
                let rule = Some(entry.rule.name.clone());
                out.records.push(Record::Resumed { rule, gap });
            }
            cell
        };
        self.cells = program
            .rules
            .iter()
            .map(|entry| {
                let rule = entry.rule.name.clone();
                let Some((before, mut cell)) = old.remove(&rule) else {
                    out.notes.push(Note::RuleAdded { rule });
                    return begin(entry, out);
                };
                let edit = entry.rule.edit_since(&before.rule);
                if edit.names("top_count_keys") {
                    // Of the events so far the fields that are to be counted now were not kept.
                    cell.seen = Seen::default();
                    out.records.push(Record::Unseen { rule: rule.clone() });
                }
                // Whoever reads the journal knows only the new hours, and tells the rule of other ticks than it was told of.
                let other_hours = entry.rule.hours != before.rule.hours;
                if other_hours {
                    out.records.push(Record::Interval {
                        rule: rule.clone(),
                        counts: cell.interval,
                    });
                }
                let note = match edit {
                    Edit::None => Note::RuleKept { rule },
                    Edit::Words(edited) => {
                        if other_hours {
                            let memory = cell.memory(&entry.rule, self.watched);
                            out.records.push(Record::Warmed(memory));
                        }
                        Note::RuleMigrated { rule, edited }
                    }
                    Edit::Judgement(edited) => {
                        cell.evaluator.judge_by(&entry.rule);
                        if other_hours || entry.rule.kind.judgement_changes_memory() {
                            // Whoever reads the journal judges by the new options only, and would come to another memory.
                            let memory = cell.memory(&entry.rule, self.watched);
                            out.records.push(Record::Warmed(memory));
                        }
                        Note::RuleMigrated { rule, edited }
                    }
                    Edit::Shape(because) => Note::RuleReset { rule, because },
                };
                if matches!(note, Note::RuleReset { .. }) {
                    cell = Cell {
                        total: cell.total,
                        interval: cell.interval,
                        ..begin(entry, out)
                    };
                }
                out.notes.push(note);
                cell
            })
            .collect();
        let mut gone: Vec<String> = old.into_keys().collect();
        gone.sort();
        out.notes
            .extend(gone.into_iter().map(|rule| Note::RuleGone { rule }));
        self.program = program;
        self.count_kept();
    }
}
