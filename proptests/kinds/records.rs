//! Records that grow, against shapes and vectors: identity and other fields stay, growth that
//! fails changes nothing.

use proptest::prelude::*;
use segheap::{Cell, Error, Heap, Limits, RangeHint, Settings, Struct};

use crate::support::{config, heap};

#[derive(Clone, Debug)]
enum Op {
    /// With so many fields, and room for so many.
    Alloc(usize, usize),
    Push(usize, i32, u32),
    SetShape(usize, u32),
    Set(usize, usize, i32),
    Hint(usize),
    Free(usize),
    Collect,
    Compact,
    /// Growths fail after so many.
    Fail(Option<u64>),
}

fn op() -> impl Strategy<Value = Op> {
    let n = || any::<usize>();
    prop_oneof![
        4 => (0_usize..6, 0_usize..10).prop_map(|(len, room)| Op::Alloc(len, room)),
        20 => (n(), any::<i32>(), any::<u32>()).prop_map(|(n, value, of)| Op::Push(n, value, of)),
        3 => (n(), any::<u32>()).prop_map(|(n, of)| Op::SetShape(n, of)),
        3 => (n(), 0_usize..12, any::<i32>()).prop_map(|(n, at, value)| Op::Set(n, at, value)),
        3 => n().prop_map(Op::Hint),
        1 => n().prop_map(Op::Free),
        1 => Just(Op::Collect),
        1 => Just(Op::Compact),
        1 => prop::option::of(0_u64..3).prop_map(Op::Fail),
    ]
}

/// A record, and what it has.
struct Model {
    record: Cell,
    shape: u32,
    fields: Vec<Cell>,
    /// Over the fields that it had once.
    hint: Option<(RangeHint<Struct>, usize)>,
}

fn run(heap: &mut Heap, models: &mut Vec<Model>, op: &Op) {
    let picked = |n: usize| n.checked_rem(models.len());
    match *op {
        Op::Alloc(len, room) => {
            let made = if len > 0 {
                heap.alloc(Struct::new(7, len))
            } else {
                heap.alloc(Struct::with_capacity(7, room))
            };
            if let Ok(record) = made {
                assert!(len > 0 || heap.capacity(record).unwrap() >= room);
                let (record, fields) = (record.cell(), vec![Cell::NULL; len]);
                models.push(Model { record, shape: 7, fields, hint: None });
            }
        }
        Op::Push(n, value, shape) => {
            let Some(model) = picked(n).map(|n| &mut models[n]) else { return };
            let mut open = heap.get_mut::<Struct>(model.record).unwrap();
            match open.push_field(value.into(), shape) {
                Ok(()) => {
                    model.fields.push(value.into());
                    model.shape = shape;
                }
                Err(error) => assert_eq!(error, Error::OutOfMemory),
            }
        }
        Op::SetShape(n, shape) => {
            let Some(model) = picked(n).map(|n| &mut models[n]) else { return };
            heap.get_mut::<Struct>(model.record).unwrap().set_shape(shape).unwrap();
            model.shape = shape;
        }
        Op::Set(n, at, value) => {
            let Some(model) = picked(n).map(|n| &mut models[n]) else { return };
            // For its shape only; then for any.
            let other = heap.set_field(model.record, model.shape ^ 1, at, Cell::TRUE);
            assert_eq!(other, Ok(false));
            let set = heap.set_field(model.record, model.shape, at, value.into());
            let len = model.fields.len();
            let place = model.fields.get_mut(at);
            let beyond = Error::OutOfRange { index: at as u64, len: len as u32 };
            assert_eq!(set, if place.is_some() { Ok(true) } else { Err(beyond) });
            place.into_iter().for_each(|place| *place = value.into());
        }
        Op::Hint(n) => {
            let Some(model) = picked(n).map(|n| &mut models[n]) else { return };
            let hint = heap.hint::<Struct>(model.record, ..).unwrap();
            model.hint = Some((hint, model.fields.len()));
        }
        Op::Free(n) => {
            if let Some(n) = picked(n) {
                heap.free(models.swap_remove(n).record).unwrap();
            }
        }
        Op::Collect => {
            let roots = models.iter().map(|model| model.record);
            heap.collect(roots).unwrap();
        }
        Op::Compact => heap.compact(),
        Op::Fail(growths) => heap.fail_growth_after(growths),
    }
}

proptest! {
    #![proptest_config(config(128))]

    #[test]
    fn records_grow(seed: u64, ops in prop::collection::vec(op(), 1..150)) {
        let (mut heap, mut models) = (heap(seed), Vec::new());
        for op in &ops {
            run(&mut heap, &mut models, op);
            heap.verify().unwrap();
            for Model { record, shape, fields, hint } in &mut models {
                let view = heap.get::<Struct>(*record).unwrap();
                assert_eq!((view.shape(), view.as_slice()), (*shape, &fields[..]));
                for (at, &field) in fields.iter().enumerate() {
                    assert_eq!(heap.field(*record, *shape, at), Ok(Some(field)));
                    assert_eq!(heap.field(*record, !*shape, at), Ok(None));
                }
                assert!(heap.field(*record, *shape, fields.len()).is_err());
                assert!(heap.capacity(*record).unwrap() >= fields.len());
                // A hint sees the fields that there were, wherever the record has moved.
                if let Some((hint, len)) = hint {
                    assert!(fields[..*len].iter().enumerate().all(|(at, &field)| {
                        hint.get(&heap, at) == Ok(field)
                    }));
                    assert!(hint.get(&heap, *len).is_err());
                }
            }
        }
    }
}

/// Shape, fields and memory are as they were, whatever refuses the growth.
#[test]
fn a_record_that_cannot_grow_is_unchanged() {
    let refuse: [fn(&mut Heap); 3] = [
        |heap| heap.fail_growth_after(Some(0)),
        |heap| heap.set_limits(Limits::NONE.with_bytes(0)),
        |heap| heap.set_limits(Limits::NONE.with_pages(0)),
    ];
    for refuse in refuse {
        let mut heap = Heap::with(Settings::seeded(1));
        let record = heap.alloc(Struct::of(7, &[1.into()])).unwrap();
        refuse(&mut heap);
        let mut pushed = 1;
        // What is left of the page, and of the block, is used up.
        loop {
            let before = heap.usage();
            let grown = heap.get_mut(record).unwrap().push_field(pushed.into(), 7 + pushed as u32);
            let view = heap.get(record).unwrap();
            if let Err(error) = grown {
                assert!(matches!(error, Error::Limit(_) | Error::OutOfMemory));
                assert_eq!((view.shape(), view.len()), (6 + pushed as u32, pushed as usize));
                assert_eq!(heap.usage(), before);
                break;
            }
            pushed += 1;
            assert_eq!((view.shape(), view.len()), (6 + pushed as u32, pushed as usize));
        }
        heap.fail_growth_after(None);
        heap.set_limits(Limits::NONE);
        heap.get_mut(record).unwrap().push_field(Cell::NULL, 3).unwrap();
        assert_eq!(heap.get(record).unwrap().shape(), 3);
        heap.verify().unwrap();
    }
}
