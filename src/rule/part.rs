//! How much of a tick is done at once.

/// What acts of a tick cost in steps, each of about half a microsecond.
pub(super) mod cost {
    /// To find a key whose time has come, or to let an event leave.
    pub(in crate::rule) const FIND: u64 = 1;
    /// To look at a key or a group.
    pub(in crate::rule) const LOOK: u64 = 2;
}

/// What a part of a tick may do. That goes by what there is to do, never by the time it takes: the same parts come out of the journal.
#[derive(Debug)]
pub struct Part {
    steps: u64,
    used: u64,
    acts: u64,
    acted: u64,
}

impl Part {
    /// The steps of a part in the service: one or two milliseconds.
    pub const STEPS: u64 = 2048;
    /// The steps that an event takes in the service before others have their turn.
    pub const EVENT_STEPS: u64 = 256;

    /// A part of so many steps, or a few more: it ends with the act that uses them up.
    pub fn of_steps(steps: u64) -> Self {
        Self {
            steps,
            used: 0,
            acts: u64::MAX,
            acted: 0,
        }
    }

    /// A part that was cut after so many acts.
    pub fn of_acts(acts: u64) -> Self {
        Self {
            acts,
            ..Self::whole()
        }
    }

    /// Everything there is to do.
    pub fn whole() -> Self {
        Self::of_steps(u64::MAX)
    }

    /// Whether there is room for another act.
    pub fn has_room(&self) -> bool {
        self.used < self.steps && self.acted < self.acts
    }

    /// An act that costs so many steps.
    pub(crate) fn act(&mut self, cost: u64) {
        self.acted += 1;
        self.spend(cost);
    }

    /// Steps of what is not divided into acts.
    pub(crate) fn spend(&mut self, cost: u64) {
        self.used = self.used.saturating_add(cost);
    }

    /// How many steps it has taken.
    pub fn used(&self) -> u64 {
        self.used
    }

    /// How many acts there were.
    pub fn acted(&self) -> u64 {
        self.acted
    }
}
