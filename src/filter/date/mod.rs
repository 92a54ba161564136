//! Dates as `date` fields and `range` clauses read them: formats, zones, rounding, date math.

mod civil;
mod format;
mod math;
mod pattern;
mod zone;
mod zone_form;

pub(super) use format::DateFormat;
pub(super) use math::{DateError, DateExpression, Rounding};
pub(super) use zone::Zone;
