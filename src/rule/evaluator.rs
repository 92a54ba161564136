//! One rule at work: its type's two halves put together.

use super::{
    Documents, Gap, Hit, Match, Observed, Part, Place, Room, Rule, RuleState, Sample, Spill,
    StateSize, Verdict, Wanted, WindowView,
};
use crate::event::time::parse_iso;
use crate::event::{Document, DocumentFields, EventTime, Field, RawEvent, Timestamp, fuzzy_time};
use crate::filter::FilterEvent;
use std::sync::Arc;

impl Rule {
    /// What the rule's type makes of a parsed event that passed the rule's filter.
    pub fn verdict(&self, event: &FilterEvent<'_>) -> Verdict {
        let fields = DocumentFields {
            document: event.document,
            paths: self.kind.fields(),
        };
        let inner = self.kind.inner_filter();
        self.kind.sample(&Observed {
            fields: &fields,
            inner: inner.is_none_or(|filter| filter.matches(event)),
            index: event.index,
            id: event.id,
            bytes: &[],
        })
    }

    /// The key an operator's silence has: the rule's own, or that of one value of its `query_key`.
    pub fn silence_key_of(&self, value: Option<&str>) -> String {
        match value {
            Some(value) => format!("{}.{value}", self.realert_key()),
            None => format!("{}._silence", self.name),
        }
    }

    /// The event's time by the rule's clock.
    ///
    /// # Errors
    /// It has none.
    pub fn event_time(&self, document: &Document) -> Result<EventTime, super::TimeError> {
        let field = self.time.path.get_some(document);
        let field = field.map_or(Field::Missing, Field::Value);
        self.time.read(field).map(|time| time.event_time())
    }

    /// The time in a match, which is written anew there ([`Rule::match_document`]) and perhaps by enhancements; however the rule's events
    /// have it.
    pub fn match_time(&self, matched: &Document) -> Option<Timestamp> {
        let value = self.time.path.get_some(matched)?;
        let text = value
            .as_str()
            .and_then(|text| parse_iso(text).or_else(|| fuzzy_time::parse(text)));
        text.or_else(|| self.time.read(Field::Value(value)).ok())
    }
}

/// About how many bytes a key and an event in a window take: what the benchmark of the rule types measures.
const KEY: u64 = 160;
const EVENT: u64 = 24;

/// What a rule remembers, and how events and ticks reach it.
pub struct Evaluator {
    state: Box<dyn RuleState>,
}

impl Evaluator {
    /// The evaluator of a rule that has seen nothing yet.
    pub fn new(rule: &Rule) -> Self {
        Self {
            state: rule.kind.state(),
        }
    }

    /// An event that passed the rule's filter, and what the rule's type made of it. `event` is `None` only while the journal is replayed.
    pub fn on_event(
        &mut self,
        event: Option<&Arc<RawEvent>>,
        time: EventTime,
        verdict: Verdict,
        now: EventTime,
        out: &mut Vec<Match>,
    ) {
        match verdict {
            Verdict::Nothing => {}
            Verdict::Match => out.push(Match::of_event(event, Document::new())),
            Verdict::Sample(sample) => {
                self.on_hit(&hit(event, time, sample), now, &mut Part::whole(), out);
            }
        }
    }

    /// The same for what the rule's type must look at, as far as there is room; false: it is to be shown again, and nothing else before that is over.
    pub fn on_hit(
        &mut self,
        hit: &Hit,
        now: EventTime,
        part: &mut Part,
        out: &mut Vec<Match>,
    ) -> bool {
        self.state.add(hit, now, part, out)
    }

    /// Whether events that come while a tick is not over wait for its end; others come after [`Evaluator::settle`].
    pub fn waits_for_ticks(&self) -> bool {
        self.state.waits_for_ticks()
    }

    /// Time passed.
    pub fn on_tick(&mut self, now: EventTime, out: &mut Vec<Match>) {
        self.begin_tick(now, &mut Part::whole(), out);
        self.go_on(&mut Part::whole(), out);
    }

    /// The same, to be gone on with by [`Evaluator::go_on`] until that says that the tick is over. Events may come meanwhile, each after [`Evaluator::settle`],
    /// if they need not wait.
    pub fn begin_tick(&mut self, now: EventTime, part: &mut Part, out: &mut Vec<Match>) {
        self.state.tick(now, part, out);
    }

    /// Goes on with a tick, as far as there is room. Whether it is over.
    pub fn go_on(&mut self, part: &mut Part, out: &mut Vec<Match>) -> bool {
        self.state.go_on(part, out)
    }

    /// Before an event that comes while a tick is not over: what of the tick must come first. Its matches are the tick's.
    pub fn settle(&mut self, hit: &Hit, now: EventTime, out: &mut Vec<Match>) {
        self.state.settle(hit, now, out);
    }

    /// Events could not come for a while, or the clock was set back.
    pub fn resume(&mut self, gap: &Gap) {
        self.state.resume(gap);
    }

    /// Lets go of what was not seen for so long that it counts as unknown again.
    pub fn forget(&mut self, now: EventTime) {
        self.state.forget(now);
    }

    /// An event of the time before the rule began to run, at `start`.
    pub fn learn(
        &mut self,
        event: Option<&Arc<RawEvent>>,
        time: EventTime,
        verdict: Verdict,
        start: EventTime,
    ) {
        if let Verdict::Sample(sample) = verdict {
            self.state.learn(&hit(event, time, sample), start);
        }
    }

    /// Values that the rule's fields had before `start`, in the order of its type's fields.
    pub fn know(&mut self, values: Vec<serde_json::Value>, start: EventTime) {
        let sample = Sample {
            key: super::Key::All,
            values,
        };
        let time = start.minus(std::time::Duration::from_micros(1));
        self.state.learn(&hit(None, time, sample), start);
    }

    /// What is remembered, in a form [`Evaluator::load`] reads.
    pub fn save(&self) -> Vec<u8> {
        self.state.save()
    }

    /// Takes over what [`Evaluator::save`] gave.
    ///
    /// # Errors
    /// In words, why it cannot be used; nothing is changed then.
    pub fn load(&mut self, saved: &[u8]) -> Result<(), String> {
        self.state.load(saved)
    }

    /// Goes by another version of the rule, which remembers the same and judges otherwise; what is remembered stays where it is.
    pub fn judge_by(&mut self, rule: &Rule) {
        self.state.judge_like(&*rule.kind.state());
    }

    /// Where the events that come from now on may be kept for later matches.
    pub fn set_room(&mut self, room: Room) {
        if let Some(documents) = self.state.documents_mut() {
            documents.set_room(room);
        }
    }

    /// Where matches read the events from that are not in memory. Without it none can be read.
    pub fn set_spill(&mut self, spill: Option<Arc<dyn Spill>>) {
        if let Some(documents) = self.state.documents_mut() {
            documents.set_spill(spill);
        }
    }

    /// About how many bytes of memory the events take that are kept for later matches.
    pub fn kept_bytes(&self) -> u64 {
        self.state.documents().map_or(0, Documents::bytes)
    }

    /// The places of the events kept that are not in memory; those that several keys keep, several times.
    pub fn each_spilled(&self, each: &mut dyn FnMut(Place)) {
        self.state.each_spilled(each);
    }

    /// Takes over what [`Evaluator::save`] gave elsewhere: what was learnt from the past adds to what is known, windows are replaced.
    ///
    /// # Errors
    /// In words, why it cannot be used; nothing is changed then.
    pub fn absorb(&mut self, saved: &[u8]) -> Result<(), String> {
        self.state.absorb(saved)
    }

    /// The windows as they stand, those nearest to a match first.
    pub fn views(&self, wanted: &Wanted<'_>) -> Vec<WindowView> {
        let mut views = self.state.views(wanted);
        super::view::nearest(&mut views);
        views
    }

    /// About how many bytes of memory that takes.
    pub fn bytes(&self) -> u64 {
        let size = self.state.size();
        let windows = size.keys.saturating_mul(KEY) + size.events.saturating_mul(EVENT);
        windows.saturating_add(self.kept_bytes())
    }

    /// How much is remembered.
    pub fn size(&self) -> StateSize {
        self.state.size()
    }
}

fn hit(event: Option<&Arc<RawEvent>>, time: EventTime, sample: Sample) -> Hit {
    Hit {
        time,
        sample,
        event: event.map(Arc::clone),
    }
}
