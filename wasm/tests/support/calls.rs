//! Random calls of the guest's functions, and what the heap does in place of each.

use segheap::{
    Bytes, Cell, Error, F64Arr, Heap, I64Arr, Kind, List, Map, Pair, Str, Struct, U8Arr, abi,
};
use segheap_wasm::Status;

use super::heap::Subject;
use super::rng::Rng;

/// The functions: their names, parameters and the second result: a cell or another word `I`,
/// a number of 32 bits `i`, a float `f`.
pub const FUNCTIONS: [(&str, &str, &str); 33] = [
    ("list_len", "I", "i"),
    ("list_get", "Ii", "I"),
    ("list_set", "IiI", ""),
    ("struct_len", "I", "i"),
    ("struct_get", "Ii", "I"),
    ("struct_set", "IiI", ""),
    ("pair_len", "I", "i"),
    ("pair_get", "Ii", "I"),
    ("pair_set", "IiI", ""),
    ("f64arr_len", "I", "i"),
    ("f64arr_get", "Ii", "f"),
    ("f64arr_set", "Iif", ""),
    ("i64arr_len", "I", "i"),
    ("i64arr_get", "Ii", "I"),
    ("i64arr_set", "IiI", ""),
    ("u8arr_len", "I", "i"),
    ("u8arr_get", "Ii", "i"),
    ("u8arr_set", "Iii", ""),
    ("bytes_len", "I", "i"),
    ("bytes_get", "Ii", "i"),
    ("bytes_set", "Iii", ""),
    ("struct_shape", "I", "i"),
    ("text_len", "I", "i"),
    ("text_eq", "II", "i"),
    ("text_of_bytes", "Iii", "I"),
    ("text_of_u8arr", "Iii", "I"),
    ("u8arr_copy_bytes", "IiIii", ""),
    ("pair_new", "II", "I"),
    ("list_new", "i", "I"),
    ("map_len", "I", "i"),
    ("map_get", "II", "I"),
    ("map_insert", "III", "I"),
    ("map_get", "II", "I"),
];

/// A call, and what it has to return. Results that do not count are 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    pub function: usize,
    pub arguments: [u64; 5],
    pub status: u32,
    pub result: u64,
}

const SEQUENCES: [Kind; 7] =
    [Kind::LIST, Kind::STRUCT, Kind::PAIR, Kind::F64ARR, Kind::I64ARR, Kind::U8ARR, Kind::BYTES];

type Outcome = Result<u64, Status>;

fn status(error: Error) -> Status {
    Status::of(error).unwrap_or_else(|| panic!("no status for {error:?}"))
}

/// The bits as a cell, for a function that takes an object.
fn object(bits: u64) -> Result<Cell, Status> {
    abi::cell(bits).ok_or(if bits >> 48 == 0xFFFF { Status::WrongKind } else { Status::NotAHandle })
}

/// Bits that are no handle of the kind, or an altered one.
fn forged(subject: &Subject, rng: &mut Rng) -> u64 {
    let cell = subject.cell(rng);
    match rng.below(6) {
        0 => cell ^ 1 << rng.below(64),
        1 => cell ^ 1 << (32 + rng.below(12)),
        2 => rng.next(),
        3 => 0xFFFF << 48 | rng.next() >> 16,
        4 => rng.of(&[
            0x7FF8_0000_0000_0001,
            0xFFF0_0000_0000_0000,
            0xFFF1_0000_0000_0000,
            0xFFF9_0100_0000_0080,
            0xFFF9_0300_0000_0041,
            0xFFF9_0200_0000_B6C3,
            0xFFF9_0600_0000_0000,
            0xFFFB_0000_0000_0002,
            0xFFFC_0000_0000_0001,
            0xFFFC_0003_0000_0000,
            0xFFFD_0000_0000_0002,
            0xFFFF_C000_0000_0000,
            0xFFFF_D000_0000_0000,
            0xFFFF_E000_0000_0000,
            0xFFFF_F000_0000_0000,
        ]),
        _ => cell,
    }
}

/// A random call, and what the heap does.
pub fn call(subject: &mut Subject, rng: &mut Rng) -> Call {
    let function = rng.below(FUNCTIONS.len());
    let (name, parameters, result) = FUNCTIONS[function];
    let mut arguments = [0; 5];
    for (argument, of) in arguments.iter_mut().zip(parameters.bytes()) {
        *argument = match of {
            // A list that may fit into memory would be one that tests have no time for.
            b'i' if rng.one_in(30) && name == "list_new" => 1 << 31 | rng.next() >> 33,
            b'i' if name != "list_new" && rng.one_in(30) => rng.next() as u32 as u64,
            b'i' => rng.below(if name == "list_new" { 20 } else { 14 }) as u64,
            b'f' => (rng.next().cast_signed() as f64 / 3.0).to_bits(),
            _ if rng.one_in(12) => forged(subject, rng),
            _ => subject.cell(rng),
        };
    }
    aim(subject, rng, name, &mut arguments);
    let outcome = expect(subject, name, &arguments);
    let (status, value) = match outcome {
        Ok(value) => (Status::Ok, value),
        Err(status) => (status, 0),
    };
    let result = if result.is_empty() { 0 } else { value };
    Call { function, arguments, status: status.code(), result }
}

/// Has most calls meet an object of the kind that they are for.
fn aim(subject: &Subject, rng: &mut Rng, name: &str, arguments: &mut [u64; 5]) {
    let prefix = name.split('_').next().unwrap();
    let kind = Kind::ALL.iter().find(|kind| kind.name().to_lowercase() == prefix);
    let kind = match name {
        "text_of_bytes" => Some(Kind::BYTES),
        "text_of_u8arr" => Some(Kind::U8ARR),
        "text_len" | "text_eq" => Some(Kind::STR),
        "pair_new" | "list_new" => None,
        _ => kind.copied(),
    };
    let Some(kind) = kind.filter(|_| !rng.one_in(10)) else { return };
    arguments[0] = subject.handle(rng, kind);
    match name {
        "text_eq" if !rng.one_in(8) => arguments[1] = subject.handle(rng, Kind::STR),
        "map_get" | "map_insert" if !rng.one_in(8) => arguments[1] = subject.key(rng),
        "u8arr_copy_bytes" if !rng.one_in(8) => {
            arguments[2] = subject.handle(rng, Kind::BYTES);
        }
        _ => {}
    }
    if name.starts_with("text_of") && rng.one_in(2) {
        // The whole object.
        let len = len(&subject.heap, kind, arguments[0]).unwrap_or(0);
        arguments[1..3].copy_from_slice(&[0, len]);
    }
}

fn expect(subject: &mut Subject, name: &str, arguments: &[u64; 5]) -> Outcome {
    let heap = &mut subject.heap;
    let [a, b, c, d, e] = *arguments;
    let sequence = SEQUENCES.iter().find(|kind| {
        let lower = kind.name().to_lowercase();
        ["len", "get", "set"].iter().any(|of| name == format!("{lower}_{of}"))
    });
    if let Some(&kind) = sequence {
        return match name.rsplit('_').next().unwrap() {
            "len" => len(heap, kind, a),
            "get" => element(heap, kind, a, b),
            _ => set(heap, kind, (a, b), c),
        };
    }
    let made = |subject: &mut Subject, cell: Cell| {
        subject.note(cell);
        Ok(abi::bits(cell))
    };
    match name {
        "struct_shape" => Ok(heap.get::<Struct>(object(a)?).map_err(status)?.shape().into()),
        "text_len" => Ok(heap.text(text(a)?).map_err(status)?.len() as u64),
        "text_eq" => {
            // The first text that fails counts.
            heap.text(text(a)?).map_err(status)?;
            Ok(heap.text_eq(text(a)?, text(b)?).map_err(status)?.into())
        }
        "text_of_bytes" => {
            let cell = object(a)?;
            heap.get::<Bytes>(cell).map_err(status)?;
            let text = convert(heap, cell, b, c)?;
            made(subject, text)
        }
        "text_of_u8arr" => {
            let cell = object(a)?;
            heap.get::<U8Arr>(cell).map_err(status)?;
            let text = convert(heap, cell, b, c)?;
            made(subject, text)
        }
        "u8arr_copy_bytes" => {
            let target = object(a)?;
            heap.get_mut::<U8Arr>(target).map_err(status)?;
            let source = object(c)?;
            heap.get::<Bytes>(source).map_err(status)?;
            let range = d as usize..e as usize;
            heap.copy_across_any(target, b as usize, source, range).map_err(status)?;
            Ok(0)
        }
        "pair_new" => {
            let (a, b) = (value(a)?, value(b)?);
            let pair = heap.alloc(Pair::of(a, b)).map_err(status)?;
            made(subject, pair.into())
        }
        "list_new" => {
            let list = heap.alloc(List::zeroed(a as usize)).map_err(status)?;
            made(subject, list.into())
        }
        _ => expect_of_map(heap, name, arguments),
    }
}

/// What the heap does in place of a function for maps.
fn expect_of_map(heap: &mut Heap, name: &str, &[a, b, c, ..]: &[u64; 5]) -> Outcome {
    match name {
        "map_len" => Ok(heap.get::<Map>(object(a)?).map_err(status)?.len() as u64),
        "map_get" => {
            let map = object(a)?;
            let key = check_key(heap, map, b)?;
            heap.map_get(handle(map), key).map_err(status)?.map(abi::bits).ok_or(Status::None)
        }
        "map_insert" => {
            let map = object(a)?;
            heap.get_mut::<Map>(map).map_err(status)?;
            let key = check_key(heap, map, b)?;
            let value = value(c)?;
            let replaced = heap.map_insert(handle(map), key, value).map_err(status)?;
            replaced.map(abi::bits).ok_or(Status::None)
        }
        _ => panic!("{name}"),
    }
}

fn handle(cell: Cell) -> segheap::Handle<Map> {
    cell.to_handle().unwrap()
}

fn value(bits: u64) -> Result<Cell, Status> {
    abi::cell(bits).ok_or(Status::NotACell)
}

/// The bits as a cell, for a function that takes a text.
fn text(bits: u64) -> Result<Cell, Status> {
    abi::cell(bits).ok_or(match bits >> 48 {
        0xFFFF => Status::WrongKind,
        0xFFF9 => Status::NotACell,
        _ => Status::NotText,
    })
}

fn convert(heap: &mut Heap, cell: Cell, start: u64, end: u64) -> Result<Cell, Status> {
    let range = start as usize..end as usize;
    heap.convert_across_any(Kind::STR, cell, range).map_err(status)
}

/// The key, if the guest can look it up in the map.
fn check_key(heap: &Heap, map: Cell, key: u64) -> Result<Cell, Status> {
    heap.get::<Map>(map).map_err(status)?;
    let map: segheap::Handle<Map> = map.to_handle().unwrap();
    if heap.map_get(map, Cell::NULL) == Err(Error::OtherHash) {
        return Err(Status::OtherHash);
    }
    let key = value(key)?;
    heap.map_get(map, key).map_err(status)?;
    let is_number_or_text = [Some(Kind::STR), Some(Kind::BIGNUM)].contains(&key.kind());
    if !is_number_or_text && key.kind().is_some() && heap.is_value(key) == Ok(true) {
        return Err(Status::ValueKey);
    }
    Ok(key)
}

macro_rules! by_kind {
    ($kind:expr, $Of:ident => $body:expr) => {
        match $kind {
            Kind::LIST => {
                type $Of = List;
                $body
            }
            Kind::STRUCT => {
                type $Of = Struct;
                $body
            }
            Kind::PAIR => {
                type $Of = Pair;
                $body
            }
            Kind::F64ARR => {
                type $Of = F64Arr;
                $body
            }
            Kind::I64ARR => {
                type $Of = I64Arr;
                $body
            }
            Kind::U8ARR => {
                type $Of = U8Arr;
                $body
            }
            Kind::BYTES => {
                type $Of = Bytes;
                $body
            }
            Kind::STR => {
                type $Of = Str;
                $body
            }
            _ => panic!("no sequence"),
        }
    };
}

/// An element as a word.
trait Word: Copy {
    fn word(self) -> u64;
    fn of(word: u64) -> Option<Self>;
}

impl Word for Cell {
    fn word(self) -> u64 {
        abi::bits(self)
    }
    fn of(word: u64) -> Option<Cell> {
        abi::cell(word)
    }
}

impl Word for i64 {
    fn word(self) -> u64 {
        self.cast_unsigned()
    }
    fn of(word: u64) -> Option<i64> {
        Some(word.cast_signed())
    }
}

impl Word for f64 {
    fn word(self) -> u64 {
        self.to_bits()
    }
    fn of(word: u64) -> Option<f64> {
        Some(f64::from_bits(word))
    }
}

impl Word for u8 {
    fn word(self) -> u64 {
        self.into()
    }
    fn of(word: u64) -> Option<u8> {
        Some(word as u8)
    }
}

fn len(heap: &Heap, kind: Kind, bits: u64) -> Outcome {
    let cell = object(bits)?;
    by_kind!(kind, Of => Ok(heap.get::<Of>(cell).map_err(status)?.len() as u64))
}

fn element(heap: &Heap, kind: Kind, bits: u64, index: u64) -> Outcome {
    let cell = object(bits)?;
    by_kind!(kind, Of => {
        let element = heap.get::<Of>(cell).and_then(|view| view.get(index as usize));
        Ok(element.map_err(status)?.word())
    })
}

fn set(heap: &mut Heap, kind: Kind, (bits, index): (u64, u64), word: u64) -> Outcome {
    macro_rules! set {
        ($($KIND:ident $Of:ident),*) => {
            match kind {
                $(Kind::$KIND => {
                    let cell = object(bits)?;
                    let mut view = heap.get_mut::<$Of>(cell).map_err(status)?;
                    let old = view.view().get(index as usize).map_err(status)?;
                    let new = Word::of(word);
                    view.set(index as usize, new.unwrap_or(old)).map_err(status)?;
                    new.map(|_| 0).ok_or(Status::NotACell)
                })*
                _ => panic!("no sequence"),
            }
        };
    }
    set!(LIST List, STRUCT Struct, PAIR Pair, F64ARR F64Arr, I64ARR I64Arr, U8ARR U8Arr, BYTES Bytes)
}
