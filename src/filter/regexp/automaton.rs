//! Automata over code points: from a pattern to a table that reads a text in one pass.

use super::RegexpError;
use super::parser::{Expression, MAX_CHAR};
use std::collections::{BTreeSet, HashMap};

/// The most states of an automaton that still has choices.
const MAX_STATES: usize = 50_000;
/// The most cells of a finished table.
const MAX_CELLS: usize = 4_000_000;
/// What Lucene multiplies its limit by to get the work allowed.
const WORK_PER_STATE: usize = 10;

/// A finished automaton: whether a text belongs to its language takes one step per character.
#[derive(Clone, PartialEq)]
pub(in crate::filter) struct Automaton {
    /// Where each class of characters begins; sorted, the first is 0.
    starts: Vec<u32>,
    ascii: [u16; 128],
    /// For each state, the next state by class.
    table: Vec<u32>,
    accepting: Vec<bool>,
    /// States that no text leaves: the answer is known.
    settled: Vec<bool>,
}

impl std::fmt::Debug for Automaton {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Automaton")
            .field("states", &self.accepting.len())
            .finish_non_exhaustive()
    }
}

impl Automaton {
    /// Whether every text is in the language.
    pub(in crate::filter) fn matches_all(&self) -> bool {
        self.accepting.first() == Some(&true) && self.settled.first() == Some(&true)
    }

    /// Whether a whole text is in the language.
    pub(in crate::filter) fn matches(&self, text: &str) -> bool {
        let classes = self.starts.len();
        let mut state = 0;
        for c in text.chars() {
            if self.settled.get(state).copied().unwrap_or(true) {
                break;
            }
            let class = match self.ascii.get(u32::from(c) as usize) {
                Some(class) => usize::from(*class),
                None => self.starts.partition_point(|&start| start <= u32::from(c)) - 1,
            };
            state = self
                .table
                .get(state * classes + class)
                .map_or(usize::MAX, |&next| next as usize);
        }
        self.accepting.get(state).copied().unwrap_or(false)
    }
}

/// A deterministic automaton while it is being worked on. Missing transitions lead nowhere.
struct Deterministic {
    /// For each state sorted ranges and where they lead.
    states: Vec<Vec<(u32, u32, usize)>>,
    accepting: Vec<bool>,
}

/// An automaton with choices; every piece of a pattern has one way in and one way out.
#[derive(Default)]
struct Choices {
    ranges: Vec<Vec<(u32, u32, usize)>>,
    jumps: Vec<Vec<usize>>,
}

#[derive(Clone, Copy)]
struct Piece {
    start: usize,
    end: usize,
}

pub(super) fn compile(expression: &Expression, limit: usize) -> Result<Automaton, RegexpError> {
    finish(&determinize(expression, limit)?)
}

fn determinize(expression: &Expression, limit: usize) -> Result<Deterministic, RegexpError> {
    let mut choices = Choices::default();
    let piece = choices.build(expression, limit)?;
    choices.determinize(piece, limit)
}

impl Choices {
    fn state(&mut self) -> Result<usize, RegexpError> {
        if self.ranges.len() >= MAX_STATES {
            return Err(RegexpError::TooComplex);
        }
        self.ranges.push(Vec::new());
        self.jumps.push(Vec::new());
        Ok(self.ranges.len() - 1)
    }

    fn jump(&mut self, from: usize, to: usize) {
        if let Some(jumps) = self.jumps.get_mut(from) {
            jumps.push(to);
        }
    }

    fn build(&mut self, expression: &Expression, limit: usize) -> Result<Piece, RegexpError> {
        let (start, end) = (self.state()?, self.state()?);
        match expression {
            Expression::Nothing => {}
            Expression::Empty => self.jump(start, end),
            Expression::AnyText => {
                self.jump(start, end);
                self.range(start, (0, MAX_CHAR), start);
            }
            Expression::Ranges(ranges) => {
                for &range in ranges {
                    self.range(start, range, end);
                }
            }
            Expression::Concat(parts) => {
                let mut at = start;
                for part in parts {
                    let piece = self.build(part, limit)?;
                    self.jump(at, piece.start);
                    at = piece.end;
                }
                self.jump(at, end);
            }
            Expression::Union(parts) => {
                for part in parts {
                    let piece = self.build(part, limit)?;
                    self.jump(start, piece.start);
                    self.jump(piece.end, end);
                }
            }
            Expression::Repeat { inner, min, max } => {
                self.repeat(inner, *min, *max, limit, Piece { start, end })?
            }
            Expression::Intersection(left, right) => {
                let both = intersect(&determinize(left, limit)?, &determinize(right, limit)?)?;
                self.embed(&both, Piece { start, end })?;
            }
            Expression::Complement(inner) => {
                let inverted = complement(determinize(inner, limit)?);
                self.embed(&inverted, Piece { start, end })?;
            }
        }
        Ok(Piece { start, end })
    }

    fn range(&mut self, from: usize, (first, last): (u32, u32), to: usize) {
        if let Some(ranges) = self.ranges.get_mut(from) {
            ranges.push((first, last, to));
        }
    }

    fn repeat(
        &mut self,
        inner: &Expression,
        min: u32,
        max: Option<u32>,
        limit: usize,
        whole: Piece,
    ) -> Result<(), RegexpError> {
        let mut at = whole.start;
        for _ in 0..min {
            let piece = self.build(inner, limit)?;
            self.jump(at, piece.start);
            at = piece.end;
        }
        match max {
            None => {
                let piece = self.build(inner, limit)?;
                // Lucene takes "any number of nothing at all" for nothing at all, not for the empty text.
                if min == 0 && !self.leads(piece) {
                    return Ok(());
                }
                let hub = self.state()?;
                self.jump(at, hub);
                self.jump(hub, piece.start);
                self.jump(piece.end, hub);
                self.jump(hub, whole.end);
            }
            Some(max) => {
                // `{3,1}` is the empty language, as in Lucene.
                if max >= min {
                    self.jump(at, whole.end);
                }
                for _ in min..max {
                    let piece = self.build(inner, limit)?;
                    self.jump(at, piece.start);
                    at = piece.end;
                    self.jump(at, whole.end);
                }
            }
        }
        Ok(())
    }

    /// Whether a piece has a way through.
    fn leads(&self, piece: Piece) -> bool {
        let mut seen = BTreeSet::from([piece.start]);
        let mut stack = vec![piece.start];
        while let Some(state) = stack.pop() {
            if state == piece.end {
                return true;
            }
            let jumps = self.jumps.get(state).into_iter().flatten().copied();
            let ranges = self.ranges.get(state).into_iter().flatten();
            for next in jumps.chain(ranges.map(|&(_, _, to)| to)) {
                if seen.insert(next) {
                    stack.push(next);
                }
            }
        }
        false
    }

    fn embed(&mut self, automaton: &Deterministic, piece: Piece) -> Result<(), RegexpError> {
        let first = self.ranges.len();
        for _ in &automaton.states {
            self.state()?;
        }
        for (at, (state, accepting)) in automaton
            .states
            .iter()
            .zip(&automaton.accepting)
            .enumerate()
        {
            for &(low, high, to) in state {
                self.range(first + at, (low, high), first + to);
            }
            if *accepting {
                self.jump(first + at, piece.end);
            }
        }
        self.jump(piece.start, first);
        Ok(())
    }

    fn closure(&self, mut stack: Vec<usize>) -> Vec<usize> {
        let mut seen: BTreeSet<usize> = stack.iter().copied().collect();
        while let Some(state) = stack.pop() {
            for &next in self.jumps.get(state).into_iter().flatten() {
                if seen.insert(next) {
                    stack.push(next);
                }
            }
        }
        seen.into_iter().collect()
    }

    fn determinize(&self, piece: Piece, limit: usize) -> Result<Deterministic, RegexpError> {
        let allowed = limit.saturating_mul(WORK_PER_STATE);
        let mut work = 0_usize;
        let first = self.closure(vec![piece.start]);
        let mut known: HashMap<Vec<usize>, usize> = HashMap::from([(first.clone(), 0)]);
        let mut sets = vec![first];
        let mut built = Deterministic {
            states: Vec::new(),
            accepting: Vec::new(),
        };
        let mut at = 0;
        while let Some(set) = sets.get(at).cloned() {
            at += 1;
            built.accepting.push(set.contains(&piece.end));
            let ranges: Vec<(u32, u32, usize)> = set
                .iter()
                .filter_map(|&state| self.ranges.get(state))
                .flatten()
                .copied()
                .collect();
            let mut cuts: Vec<u32> = ranges
                .iter()
                .flat_map(|&(first, last, _)| [first, last + 1])
                .collect();
            cuts.sort_unstable();
            cuts.dedup();
            work += ranges.len().max(1);
            if work > allowed {
                return Err(RegexpError::TooComplex);
            }
            let mut transitions: Vec<(u32, u32, usize)> = Vec::new();
            for (&low, &next) in cuts.iter().zip(cuts.iter().skip(1)) {
                let targets: Vec<usize> = ranges
                    .iter()
                    .filter(|(first, last, _)| *first <= low && low <= *last)
                    .map(|&(_, _, to)| to)
                    .collect();
                if targets.is_empty() {
                    continue;
                }
                let target = self.closure(targets);
                let number = known.len();
                let to = *known.entry(target.clone()).or_insert(number);
                if to == number {
                    sets.push(target);
                }
                match transitions.last_mut() {
                    Some((_, high, last_to)) if *high + 1 == low && *last_to == to => {
                        *high = next - 1
                    }
                    _ => transitions.push((low, next - 1, to)),
                }
            }
            built.states.push(transitions);
        }
        Ok(built)
    }
}

fn complement(mut automaton: Deterministic) -> Deterministic {
    let sink = automaton.states.len();
    for state in &mut automaton.states {
        let mut filled = Vec::new();
        let mut next = 0;
        for &(first, last, to) in state.iter() {
            if first > next {
                filled.push((next, first - 1, sink));
            }
            filled.push((first, last, to));
            next = last + 1;
        }
        if next <= MAX_CHAR {
            filled.push((next, MAX_CHAR, sink));
        }
        *state = filled;
    }
    automaton.states.push(vec![(0, MAX_CHAR, sink)]);
    automaton.accepting.push(false);
    for accepting in &mut automaton.accepting {
        *accepting = !*accepting;
    }
    automaton
}

fn intersect(left: &Deterministic, right: &Deterministic) -> Result<Deterministic, RegexpError> {
    let mut known: HashMap<(usize, usize), usize> = HashMap::from([((0, 0), 0)]);
    let mut pairs = vec![(0, 0)];
    let mut built = Deterministic {
        states: Vec::new(),
        accepting: Vec::new(),
    };
    let accepts = |automaton: &Deterministic, at: usize| {
        automaton.accepting.get(at).copied().unwrap_or(false)
    };
    let mut at = 0;
    while let Some(&(l, r)) = pairs.get(at) {
        at += 1;
        if pairs.len() > MAX_STATES {
            return Err(RegexpError::TooComplex);
        }
        built.accepting.push(accepts(left, l) && accepts(right, r));
        let mut transitions = Vec::new();
        for &(l_first, l_last, l_to) in left.states.get(l).into_iter().flatten() {
            for &(r_first, r_last, r_to) in right.states.get(r).into_iter().flatten() {
                let (first, last) = (l_first.max(r_first), l_last.min(r_last));
                if first > last {
                    continue;
                }
                let number = known.len();
                let to = *known.entry((l_to, r_to)).or_insert(number);
                if to == number {
                    pairs.push((l_to, r_to));
                }
                transitions.push((first, last, to));
            }
        }
        built.states.push(transitions);
    }
    Ok(built)
}

fn finish(automaton: &Deterministic) -> Result<Automaton, RegexpError> {
    let mut starts: BTreeSet<u32> = BTreeSet::from([0]);
    for (first, last, _) in automaton.states.iter().flatten() {
        starts.insert(*first);
        if *last < MAX_CHAR {
            starts.insert(last + 1);
        }
    }
    let starts: Vec<u32> = starts.into_iter().collect();
    let dead = automaton.states.len();
    if starts.len() > usize::from(u16::MAX) || starts.len().saturating_mul(dead + 1) > MAX_CELLS {
        return Err(RegexpError::TooComplex);
    }
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let mut table = Vec::with_capacity(starts.len() * (dead + 1));
    for state in &automaton.states {
        let mut transitions = state.iter().peekable();
        for &start in &starts {
            while transitions.next_if(|(_, last, _)| *last < start).is_some() {}
            table.push(match transitions.peek() {
                Some((first, _, to)) if *first <= start => number(*to),
                _ => number(dead),
            });
        }
    }
    table.extend(std::iter::repeat_n(number(dead), starts.len()));
    let mut accepting = automaton.accepting.clone();
    accepting.push(false);
    let settled = table
        .chunks(starts.len())
        .enumerate()
        .map(|(at, row)| row.iter().all(|&to| to == number(at)))
        .collect();
    let mut ascii = [0; 128];
    for (c, slot) in (0_u32..).zip(&mut ascii) {
        let class = starts.partition_point(|&start| start <= c) - 1;
        *slot = u16::try_from(class).unwrap_or(u16::MAX);
    }
    Ok(Automaton {
        starts,
        ascii,
        table,
        accepting,
        settled,
    })
}
