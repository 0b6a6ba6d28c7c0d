//! Values, as the documentation of [`Cell`] describes them.

use segheap::{Cell, Kind, ShortStr, Unpacked, abi};

/// What a cell holds, in plain Rust. As an element of an array of numbers, an integer
/// may have 64 bits.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// Null.
    Null,
    /// The absent cell.
    Absent,
    /// A value of the VM's own.
    Immediate(u32),
    /// A truth value.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A float.
    Float(f64),
    /// Text in the cell.
    Text(String),
    /// A deopt sentinel.
    Deopt(u64),
    /// A handle or a sealed cell, which only the heap can take apart.
    Handle(Cell),
}

/// By value; floats by bits, except that all NaNs are one.
impl PartialEq for Value {
    fn eq(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Null, Value::Null) | (Value::Absent, Value::Absent) => true,
            (Value::Immediate(a), Value::Immediate(b)) => a == b,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Int(a), Value::Int(b)) => a == b,
            (Value::Float(a), Value::Float(b)) => same_float(*a, *b),
            (Value::Text(a), Value::Text(b)) => a == b,
            (Value::Deopt(a), Value::Deopt(b)) => a == b,
            (Value::Handle(a), Value::Handle(b)) => a == b,
            _ => false,
        }
    }
}

/// Whether two floats have the same bits, or are NaN both.
pub(crate) fn same_float(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan()
}

/// The value in a cell.
pub(crate) fn decode(cell: Cell) -> Value {
    match cell.unpack() {
        Unpacked::Float(float) => Value::Float(float),
        Unpacked::Int(int) => Value::Int(int),
        Unpacked::Bool(bool) => Value::Bool(bool),
        Unpacked::Null => Value::Null,
        Unpacked::Absent => Value::Absent,
        Unpacked::Immediate(value) => Value::Immediate(value),
        Unpacked::ShortStr(text) => Value::Text(short(text)),
        Unpacked::Deopt(pc) => Value::Deopt(pc),
        Unpacked::Object(_) | Unpacked::Host | Unpacked::Sealed => Value::Handle(cell),
        other => panic!("an unknown content of a cell: {other:?}"),
    }
}

fn short(text: ShortStr) -> String {
    assert_eq!(text.len(), text.as_bytes().len());
    assert_eq!(text.is_empty(), text.as_str().is_empty());
    text.as_str().to_owned()
}

/// The cell that holds a value.
pub(crate) fn encode(value: &Value) -> Cell {
    match value {
        Value::Null => Cell::NULL,
        Value::Absent => Cell::ABSENT,
        Value::Immediate(value) => Cell::immediate(*value),
        Value::Bool(bool) => Cell::bool(*bool),
        Value::Int(int) => Cell::int(*int).expect("48 bits"),
        Value::Float(float) => Cell::float(*float),
        Value::Text(text) => Cell::short_str(text).expect("5 bytes"),
        Value::Deopt(pc) => Cell::deopt(*pc).expect("48 bits"),
        Value::Handle(cell) => *cell,
    }
}

/// Whether an integer fits into a cell.
pub(crate) const fn fits(int: i64) -> bool {
    -(1 << 47) <= int && int < 1 << 47
}

/// Whether bits are those of a cell, by the layout in MEP-41.md.
pub(crate) fn is_cell(bits: u64) -> bool {
    let low = bits & 0xFFFF_FFFF_FFFF;
    match bits >> 48 {
        0xFFF8 | 0xFFFA => true,
        0xFFF9 => {
            let (len, bytes) = ((low >> 40) as usize, low.to_le_bytes());
            len <= 5
                && bytes[len..5].iter().all(|&byte| byte == 0)
                && std::str::from_utf8(&bytes[..len]).is_ok()
        }
        0xFFFB => low <= 1,
        0xFFFC => low == 0 || low == 1 << 32 || low >> 32 == 2,
        0xFFFD | 0xFFFE => false,
        0xFFFF => {
            let selector = low >> 44;
            selector < Kind::COUNT as u64 || selector >= 14
        }
        _ => !f64::from_bits(bits).is_nan() || bits == 0x7FF8_0000_0000_0000,
    }
}

/// The type of the elements of a sequence.
pub(crate) trait Item: Copy + std::fmt::Debug + PartialEq {
    /// The element as a value.
    fn value(self) -> Value;
    /// The element that has a value.
    fn of(value: &Value) -> Self;
}

impl Item for Cell {
    fn value(self) -> Value {
        decode(self)
    }
    fn of(value: &Value) -> Cell {
        encode(value)
    }
}

impl Item for u8 {
    fn value(self) -> Value {
        Value::Int(self.into())
    }
    fn of(value: &Value) -> u8 {
        match value {
            Value::Int(int) => u8::try_from(*int).expect("a byte"),
            other => panic!("{other:?} is no byte"),
        }
    }
}

impl Item for i64 {
    fn value(self) -> Value {
        Value::Int(self)
    }
    fn of(value: &Value) -> i64 {
        match value {
            Value::Int(int) => *int,
            other => panic!("{other:?} is no integer"),
        }
    }
}

impl Item for f64 {
    fn value(self) -> Value {
        Value::Float(self)
    }
    fn of(value: &Value) -> f64 {
        match value {
            Value::Float(float) => *float,
            other => panic!("{other:?} is no float"),
        }
    }
}

/// The elements as values.
pub(crate) fn values<T: Item>(items: &[T]) -> Vec<Value> {
    items.iter().map(|item| item.value()).collect()
}

/// The bits of a handle, by which the model knows its object.
pub(crate) fn bits(cell: Cell) -> u64 {
    abi::bits(cell)
}
