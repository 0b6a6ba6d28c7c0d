//! Heaps with objects of all sorts, and the cells of them that calls use.

use segheap::{
    Bignum, Bytes, Cell, Error, F64Arr, Heap, I64Arr, Kind, List, Map, Pair, Set, Settings, Str,
    Struct, U8Arr, abi,
};

use super::rng::Rng;

/// A heap, and bits of cells: live and stale handles by kind, and others.
pub struct Subject {
    pub heap: Heap,
    pub handles: Vec<Vec<u64>>,
    pub values: Vec<u64>,
}

impl Subject {
    /// Notes a cell for later calls.
    pub fn note(&mut self, cell: Cell) {
        let kind = Kind::ALL.iter().position(|&kind| cell.kind() == Some(kind));
        match kind {
            Some(kind) => self.handles[kind].push(abi::bits(cell)),
            None => self.values.push(abi::bits(cell)),
        }
    }

    /// A handle of a kind, which may be stale.
    pub fn handle(&self, rng: &mut Rng, kind: Kind) -> u64 {
        let of = Kind::ALL.iter().position(|&other| other == kind).unwrap();
        rng.of(&self.handles[of])
    }

    /// The bits of any cell.
    pub fn cell(&self, rng: &mut Rng) -> u64 {
        match rng.below(4) {
            0 => rng.of(&self.values),
            1 => abi::bits(Cell::from(rng.below(40) as i32)),
            _ => {
                let kind = rng.of(&Kind::ALL);
                self.handle(rng, kind)
            }
        }
    }

    /// A cell that many calls use as a key.
    pub fn key(&self, rng: &mut Rng) -> u64 {
        match rng.below(10) {
            0..=2 => abi::bits(Cell::from(rng.below(60) as i32)),
            3..=5 => self.handle(rng, Kind::STR),
            6 => self.handle(rng, Kind::BIGNUM),
            _ => self.cell(rng),
        }
    }
}

/// A text of a few, so that equal ones occur.
pub fn text(rng: &mut Rng) -> String {
    let mut text = String::new();
    for _ in 0..rng.below(4) {
        text.push_str(rng.of(&["a", "key", "ö", "somewhat longer ", "€uro", "🦀", "12345678", ""]));
    }
    text
}

/// Bytes, of which many are UTF-8.
pub fn bytes(rng: &mut Rng) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..rng.below(5) {
        bytes
            .extend_from_slice((0..rng.below(4)).map(|_| text(rng)).collect::<String>().as_bytes());
        if rng.one_in(3) {
            const BROKEN: [&[u8]; 9] = [
                b"\xFF",
                b"\xC0\x80",
                b"\xED\xA0\x80",
                b"\xF4\x90\x80\x80",
                b"\xE2\x82",
                b"\x80",
                b"\xF0\x8F\xBF\xBF",
                b"\xE0\x9F\xBF",
                b"\xF5\x80\x80\x80",
            ];
            bytes.extend_from_slice(BROKEN[rng.below(9)]);
        }
    }
    bytes
}

const VALUES: [fn() -> Cell; 12] = [
    || Cell::NULL,
    || Cell::ABSENT,
    || Cell::TRUE,
    || Cell::FALSE,
    || Cell::from(0.0),
    || Cell::from(-0.0),
    || Cell::from(1.5),
    || Cell::from(f64::NAN),
    || Cell::from(f64::NEG_INFINITY),
    || Cell::immediate(7),
    || Cell::deopt(9).unwrap(),
    || Cell::short_str("grün").unwrap(),
];

/// A heap of `objects` objects of all kinds, some of which were freed.
pub fn subject(seed: u64, objects: usize) -> Subject {
    let rng = &mut Rng(seed);
    let heap = Heap::with(Settings::seeded(seed));
    let mut subject = Subject { heap, handles: vec![Vec::new(); Kind::COUNT], values: Vec::new() };
    for value in VALUES {
        subject.note(value());
    }
    for n in [-1, 0, 1, 59, i32::MIN, i32::MAX] {
        subject.note(n.into());
    }
    for n in [(1 << 47) - 1, -(1 << 47)] {
        subject.note(Cell::int(n).unwrap());
    }
    for kind in Kind::ALL {
        for _ in 0..3 {
            allocate(&mut subject, rng, kind).unwrap();
        }
    }
    for _ in 0..objects {
        let kind = rng.of(&Kind::ALL);
        allocate(&mut subject, rng, kind).unwrap();
        if rng.one_in(4) {
            let kind = rng.of(&Kind::ALL);
            let bits = subject.handle(rng, kind);
            // It may be freed already, or be a symbol.
            let _ = subject.heap.free(abi::cell(bits).unwrap());
        }
    }
    adorn(&mut subject, rng);
    subject
}

/// Pins, watches, symbols, seals, values and frozen objects.
fn adorn(subject: &mut Subject, rng: &mut Rng) {
    let key = subject.heap.new_seal_key().unwrap();
    for n in 0..20 {
        let cell = abi::cell(subject.cell(rng)).unwrap();
        if let Ok(seal) = subject.heap.seal(cell, &key) {
            subject.note(seal);
            if n % 4 == 0 {
                subject.heap.unseal(seal, &key).unwrap();
                let _ = subject.heap.free(seal);
            }
        }
        let cell = abi::cell(subject.cell(rng)).unwrap();
        if cell.kind().is_some() {
            let _ = subject.heap.pin(cell);
            let _ = subject.heap.watch(cell, n);
        }
        let symbol = subject.heap.intern(&format!("symbol number {}", n % 7)).unwrap();
        subject.note(symbol);
        let parts = [Cell::from(n as i32), Cell::TRUE];
        let value = subject.heap.alloc_value(Struct::of(3, &parts)).unwrap();
        subject.note(value.into());
        const FROZEN: [Kind; 8] = [
            Kind::LIST,
            Kind::STRUCT,
            Kind::PAIR,
            Kind::MAP,
            Kind::U8ARR,
            Kind::F64ARR,
            Kind::I64ARR,
            Kind::BYTES,
        ];
        for kind in FROZEN.into_iter().filter(|_| n % 5 == 0) {
            let bits = subject.handle(rng, kind);
            let _ = subject.heap.freeze(abi::cell(bits).unwrap());
        }
    }
}

fn cells(subject: &Subject, rng: &mut Rng) -> Vec<Cell> {
    (0..rng.below(12)).map(|_| abi::cell(subject.cell_or_null(rng)).unwrap()).collect()
}

impl Subject {
    fn cell_or_null(&self, rng: &mut Rng) -> u64 {
        if self.handles.iter().any(Vec::is_empty) { abi::bits(Cell::NULL) } else { self.cell(rng) }
    }
}

fn allocate(subject: &mut Subject, rng: &mut Rng, kind: Kind) -> Result<(), Error> {
    let cells = cells(subject, rng);
    let heap = &mut subject.heap;
    let numbers: Vec<u64> = (0..rng.below(20)).map(|_| rng.next()).collect();
    let ints: Vec<i64> = numbers.iter().map(|n| n.cast_signed()).collect();
    let cell: Cell = match kind {
        Kind::STR => heap.alloc(Str::new(&text(rng)))?.into(),
        Kind::LIST => heap.alloc(List::of(&cells))?.into(),
        Kind::STRUCT => heap.alloc(Struct::of(rng.below(9) as u32, &cells))?.into(),
        Kind::CLOSURE => heap.alloc(segheap::Closure::of(5, &cells))?.into(),
        Kind::BIGNUM => {
            let limbs = [rng.below(60) as u64, 1 << 47, (1 << 47) - 1, rng.next(), u64::MAX];
            let limbs = [rng.of(&limbs), rng.of(&[0, 0, 1, 5])];
            heap.alloc(Bignum::of(rng.one_in(2), &limbs))?.into()
        }
        Kind::BYTES => heap.alloc(Bytes::of(&bytes(rng)))?.into(),
        Kind::PAIR => {
            heap.alloc(Pair::of(7.into(), cells.first().copied().unwrap_or_default()))?.into()
        }
        Kind::F64ARR => {
            let floats: Vec<f64> = ints.iter().map(|&n| n as f64 / 7.0).collect();
            heap.alloc(F64Arr::of(&floats))?.into()
        }
        Kind::I64ARR => heap.alloc(I64Arr::of(&ints))?.into(),
        Kind::U8ARR => heap.alloc(U8Arr::of(&bytes(rng)))?.into(),
        Kind::SET => heap.alloc(Set::new())?.into(),
        _ => map(subject, rng)?,
    };
    if kind == Kind::SET {
        for member in cells {
            // A key may be stale.
            let _ = subject.heap.get_mut::<Set>(cell)?.insert(member);
        }
    }
    subject.note(cell);
    Ok(())
}

/// A map: empty or not, with holes, weak, grown, or with hashes of the VM's own.
fn map(subject: &mut Subject, rng: &mut Rng) -> Result<Cell, Error> {
    let is_weak = rng.one_in(5);
    let init = if is_weak { Map::with_capacity(4).weak() } else { Map::new() };
    let map = subject.heap.alloc(init)?;
    if !is_weak && rng.one_in(8) {
        for n in 0..rng.below(9) {
            let equal = |_: &mut Heap, a, b| Ok::<_, Error>(a == b);
            subject.heap.map_insert_by(map, (n as i32).into(), 1.into(), n as u64 / 2, equal)?;
        }
        return Ok(map.into());
    }
    for _ in 0..rng.of(&[0, 2, 5, 9, 40, 200]) {
        let ready = !subject.handles.iter().any(Vec::is_empty);
        let key = if ready { subject.key(rng) } else { abi::bits(Cell::from(rng.below(9) as i32)) };
        let value = Cell::from(rng.below(1000) as i32);
        let key = abi::cell(key).unwrap();
        // An object that is freed later is removed from a weak map when the heap enlarges it,
        // which the guest does not.
        if is_weak && ![None, Some(Kind::STR), Some(Kind::BIGNUM)].contains(&key.kind()) {
            continue;
        }
        // A key may be stale.
        let _ = subject.heap.map_insert(map, key, value);
        if rng.one_in(6) {
            let _ = subject.heap.get_mut(map)?.pop_front();
        }
    }
    Ok(map.into())
}
