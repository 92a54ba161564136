use super::pair::Windows;
use super::*;
use proptest::prelude::*;

const TIMEFRAME: Duration = Duration::from_micros(10);

/// What happens to a key: samples of fractions at times, some without a value.
fn samples() -> impl Strategy<Value = Vec<(i64, Option<f64>)>> {
    let amount = prop::option::weighted(0.9, prop_oneof![Just(0.0), -3.0f64..5.0, Just(1e16)]);
    prop::collection::vec((-12i64..3, amount), 1..60)
}

/// The windows after each sample.
fn each(samples: &[(i64, Option<f64>)], mut check: impl FnMut(&mut Windows)) {
    let (mut ticks, mut documents) = (Ticks::default(), Documents::default());
    let mut windows = Windows::new(&ticks);
    for (now, (late, amount)) in (0..).step_by(2).zip(samples) {
        let item = Current {
            amount: amount.map_or(Amount::NONE, Amount::new),
            event: documents.keep(None),
        };
        let time = EventTime(now + late);
        windows.insert(time, item, &ticks, TIMEFRAME, &mut documents);
        if late % 4 == 0 {
            ticks.add(EventTime(now), TIMEFRAME);
            windows.catch_up(&ticks, TIMEFRAME, &mut documents);
        }
        if late % 11 == 0 {
            windows.empty_reference(TIMEFRAME);
        }
        check(&mut windows);
    }
}

proptest! {
    #[test]
    fn running_values_are_those_added_up_anew(samples in samples()) {
        for measure in [Measure::Min, Measure::Max, Measure::Mean] {
            each(&samples, |windows| {
                let running = windows.values(measure);
                let anew = windows.clone().values(measure);
                assert_eq!(running, anew);
                if measure == Measure::Mean
                    && let (Some(cur), Some(reference)) = running
                {
                    let (off, means) = (windows.rounding(measure), windows.means());
                    assert!((cur - means.0).abs() <= off.0 && (reference - means.1).abs() <= off.1);
                }
            });
        }
    }

    #[test]
    fn nothing_is_lost_while_a_cell_is_stored(samples in samples()) {
        each(&samples, |windows| {
            let before = postcard::to_stdvec(windows).unwrap();
            let mut stored = Stored::from(Cell {
                windows: Some(Box::new(windows.clone())),
                first: None,
                quiet_until: Some(EventTime(7)),
            });
            let looked_at = postcard::to_stdvec(&*stored.windows().unwrap()).unwrap();
            let cell = stored.open();
            assert_eq!(postcard::to_stdvec(&cell.windows.unwrap()).unwrap(), before);
            assert_eq!(looked_at, before);
            assert_eq!((cell.first, cell.quiet_until), (None, Some(EventTime(7))));
        });
    }
}

/// What a running sum rounds away is seen where it is compared with a bound that it should just reach.
#[test]
fn sums_are_rounded_in_the_order_in_which_samples_move_on() {
    let (ticks, mut documents) = (Ticks::default(), Documents::default());
    let mut windows = Windows::new(&ticks);
    // The second and third move on together: the second makes the first leave before the third comes.
    for (time, amount) in [(0, 0.1), (14, 0.1), (23, 0.1), (40, 1.0)] {
        let item = Current {
            amount: Amount::new(amount),
            event: documents.keep(None),
        };
        windows.insert(EventTime(time), item, &ticks, TIMEFRAME, &mut documents);
    }
    let (_, reference) = windows.values(Measure::Sum);
    assert_eq!(reference, Some(0.1 + 0.1 - 0.1 + 0.1));
    assert_ne!(reference, Some(0.1 + 0.1 + 0.1 - 0.1));
}
