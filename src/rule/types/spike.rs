//! `spike`: a match when a key's events in the current window are many times more, or less, than in the window before.
//!
//! <https://elastalert2.readthedocs.io/en/latest/ruletypes.html#spike>. With `field_value` the means of a field are compared instead of numbers of events.

use super::TIMEFRAME;
use super::source::{self, Source};
use super::spike_windows::{
    ALERT_ON_NEW_DATA, Amount, Cells, Inserted, Measure, SPIKE_HEIGHT, SPIKE_TYPE, Spike,
    SpikeSettings, THRESHOLD_CUR, THRESHOLD_REF, UntimedCells, float, integer,
};
use crate::config::{Problem, Properties, opt};
use crate::event::time::duration_text;
use crate::event::{Document, EventTime, FieldPath, python};
use crate::rule::{
    Built, Common, Documents, Gap, Hit, Key, Match, Observed, Part, Place, RuleState, RuleType,
    RuleTypeEntry, StateSize, Verdict, Wanted, WindowView, saved,
};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

pub(super) const ENTRY: RuleTypeEntry = RuleTypeEntry {
    name: "spike",
    doc: "Matches when the number of events jumps up or drops.",
    options: &[
        SPIKE_HEIGHT,
        SPIKE_TYPE,
        TIMEFRAME,
        THRESHOLD_CUR,
        THRESHOLD_REF,
        ALERT_ON_NEW_DATA,
        opt("field_value")
            .doc("A member of the event whose mean is looked at instead of the number of events."),
        source::COUNT_QUERY,
        source::TERMS_QUERY,
        source::TERMS_SIZE,
        source::MIN_DOC_COUNT,
        source::DOC_TYPE,
    ],
    build,
    advice,
};

#[derive(Debug)]
struct Settings {
    source: Source,
    spike: SpikeSettings,
    /// `field_value`.
    field: Option<String>,
    fields: Vec<FieldPath>,
    time: FieldPath,
    /// The key of events without one.
    other: Key,
}

#[derive(Debug)]
struct SpikeRule(Arc<Settings>);

fn build(properties: &Properties, common: &Common) -> Built {
    let source = Source::load(properties, common)?;
    let field = properties.text("field_value");
    let measure = match field {
        Some(_) => Measure::NonZeroMean,
        None => Measure::Sum,
    };
    let mut fields = source.fields().to_vec();
    fields.extend(field.as_ref().map(FieldPath::member));
    Ok(Arc::new(SpikeRule(Arc::new(Settings {
        spike: SpikeSettings::load(properties, common, measure)?,
        source,
        field,
        fields,
        time: common.time.path.clone(),
        other: Key::Text("other".into()),
    }))))
}

fn advice(properties: &Properties, common: &Common) -> Vec<Problem> {
    let is_up = properties.text("spike_type").as_deref() != Some("down");
    let has_reference = properties.number("threshold_ref").unwrap_or(0.0) > 0.0;
    if properties.contains("field_value") || !is_up || has_reference {
        return Vec::new();
    }
    let span = properties
        .get("spike_type")
        .map_or(&common.span, |node| &node.span);
    let message = "without threshold_ref, any number of events after none is a spike, and so is silence after silence";
    vec![Problem::warning("W0424", span, message).help("set threshold_ref: 1 or more")]
}

impl RuleType for SpikeRule {
    fn fields(&self) -> &[FieldPath] {
        &self.0.fields
    }

    fn asks_the_index(&self) -> bool {
        !self.0.source.has_events()
    }

    fn sample(&self, event: &Observed<'_>) -> Verdict {
        let mut verdict = self.0.source.sample(event);
        if self.0.field.is_some()
            && self.0.source.has_events()
            && let Verdict::Sample(sample) = &mut verdict
        {
            let value = event.fields.field(self.0.source.fields().len()).to_value();
            match python_int(&value) {
                Some(amount) => sample.values.push(float(amount)),
                None => return Verdict::Nothing,
            }
        }
        verdict
    }

    fn state(&self) -> Box<dyn RuleState> {
        Box::new(State {
            settings: Arc::clone(&self.0),
            cells: Cells::default(),
        })
    }

    fn keeps_events(&self) -> bool {
        self.0.source.has_events()
    }

    fn text(&self, matched: &Document, times: &dyn Fn(&Value, Duration) -> String) -> String {
        let time = self.0.time.get(matched).unwrap_or(&Value::Null);
        let around = times(time, Duration::ZERO);
        let count = |name: &str| {
            matched
                .get(name)
                .and_then(python::number_value)
                .unwrap_or(0.0)
        };
        let (cur, reference) = (count("spike_count"), count("reference_count"));
        let within = duration_text(self.0.spike.timeframe);
        match &self.0.field {
            None => format!(
                "An abnormal number ({:.0}) of events occurred around {around}.\nPreceding that time, there were only {:.0} events within {within}\n\n",
                cur.trunc(),
                reference.trunc()
            ),
            Some(field) => format!(
                "An abnormal average value ({cur:.2}) of field '{field}' occurred around {around}.\nPreceding that time, the field had an average value of ({reference:.2}) within {within}\n\n"
            ),
        }
    }
}

/// Python's `int(value)` of a JSON value: numbers are cut towards zero, text must be an integer.
fn python_int(value: &Value) -> Option<f64> {
    let amount = match value {
        Value::String(text) => {
            let text = text.trim();
            let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
            let is_integer = digits
                .split('_')
                .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
            text.replace('_', "").parse().ok().filter(|_| is_integer)?
        }
        _ => python::number_value(value)?.trunc(),
    };
    amount.is_finite().then_some(amount)
}

struct State {
    settings: Arc<Settings>,
    cells: Cells,
}

impl Settings {
    /// Whose windows an entry goes into.
    fn key<'k>(&'k self, key: &'k Key) -> &'k Key {
        match key {
            Key::Null => &self.other,
            key => key,
        }
    }

    fn matched(&self, key: &Key, spike: &Spike) -> Match {
        let number = match self.field {
            Some(_) => float,
            None => integer,
        };
        let counts = spike.counts(number);
        if spike.event.is_some() {
            return Match::of_event(spike.event.as_ref(), counts);
        }
        let mut document = self.source.document(key, spike.time);
        if spike.is_placeholder {
            document.insert("placeholder".to_owned(), Value::Bool(true));
        }
        document.extend(counts);
        Match::synthetic(document)
    }
}

impl RuleState for State {
    fn add(&mut self, hit: &Hit, now: EventTime, _: &mut Part, out: &mut Vec<Match>) -> bool {
        let settings = &*self.settings;
        let value = hit.sample.values.first().and_then(python::number_value);
        let amount = value.filter(|_| settings.field.is_some()).unwrap_or(1.0);
        settings.source.each_entry(hit, now, |entry| {
            let key = settings.key(entry.key);
            let inserted = Inserted {
                time: entry.time,
                amount: Amount::new(amount),
                event: entry.event,
                now,
            };
            let spike = self.cells.insert(&settings.spike, key, &inserted);
            out.extend(spike.map(|spike| settings.matched(key, &spike)));
        });
        true
    }

    fn tick(&mut self, now: EventTime, _: &mut Part, _: &mut Vec<Match>) {
        self.cells.tick(&self.settings.spike, now);
    }

    fn go_on(&mut self, part: &mut Part, out: &mut Vec<Match>) -> bool {
        let settings = &*self.settings;
        self.cells.go_on(&settings.spike, part, |key, spike| {
            out.push(settings.matched(key, &spike));
        })
    }

    fn settle(&mut self, hit: &Hit, now: EventTime, out: &mut Vec<Match>) {
        let settings = &*self.settings;
        settings.source.each_entry(hit, now, |entry| {
            let key = settings.key(entry.key);
            self.cells.settle(&settings.spike, key, |key, spike| {
                out.push(settings.matched(key, &spike));
            });
        });
    }

    fn resume(&mut self, gap: &Gap) {
        self.cells.resume(&self.settings.spike, gap);
    }

    fn save(&self) -> Vec<u8> {
        saved::save(3, &self.cells)
    }

    fn load(&mut self, saved: &[u8]) -> Result<(), String> {
        self.cells.replace(if saved.first() == Some(&2) {
            saved::load::<UntimedCells>(2, saved)?.into()
        } else {
            saved::load(3, saved)?
        });
        Ok(())
    }

    fn views(&self, wanted: &Wanted<'_>) -> Vec<WindowView> {
        self.cells.views(&self.settings.spike, wanted)
    }

    fn judge_like(&mut self, empty: &dyn RuleState) {
        if let Some(empty) = empty.as_type::<Self>() {
            self.settings = Arc::clone(&empty.settings);
            self.cells.look_at_all();
        }
    }

    fn size(&self) -> StateSize {
        self.cells.size()
    }

    fn documents(&self) -> Option<&Documents> {
        Some(self.cells.documents())
    }

    fn documents_mut(&mut self) -> Option<&mut Documents> {
        Some(self.cells.documents_mut())
    }

    fn each_spilled(&self, each: &mut dyn FnMut(Place)) {
        self.cells.each_spilled(each);
    }
}
