//! Profiles in the format of pprof: a message `Profile` of `profile.proto`, in the encoding
//! of protocol buffers.

use alloc::vec::Vec;
use core::fmt;

use crate::heap::SiteUsage;
use crate::words::{Error, Result, to_u64};

/// Fields of `Profile`.
mod profile {
    pub(super) const SAMPLE_TYPE: u64 = 1;
    pub(super) const SAMPLE: u64 = 2;
    pub(super) const LOCATION: u64 = 4;
    pub(super) const FUNCTION: u64 = 5;
    pub(super) const STRING_TABLE: u64 = 6;
    pub(super) const DEFAULT_SAMPLE_TYPE: u64 = 14;
}

/// The strings of the table that precede names: names and units of sample types.
const STRINGS: [&str; 7] =
    ["", "alloc_objects", "count", "alloc_space", "bytes", "inuse_objects", "inuse_space"];
/// Name and unit of each value of a sample.
const SAMPLE_TYPES: [[u64; 2]; 4] = [[1, 2], [3, 4], [5, 2], [6, 4]];

/// Bytes of a message, which grow fallibly.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn bytes(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.try_reserve(bytes.len()).map_err(|_| Error::OutOfMemory)?;
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    /// A number in groups of seven bits, the lowest first.
    fn varint(&mut self, mut number: u64) -> Result<()> {
        while number >= 0x80 {
            let low = u8::try_from(number & 0x7F).unwrap_or(0);
            self.bytes(&[low | 0x80])?;
            number >>= 7;
        }
        self.bytes(&[u8::try_from(number).unwrap_or(0)])
    }

    /// A field with a number.
    fn number(&mut self, field: u64, number: u64) -> Result<()> {
        self.varint(field << 3)?;
        self.varint(number)
    }

    /// A field with bytes: a string, a message, or packed numbers.
    fn field(&mut self, field: u64, bytes: &[u8]) -> Result<()> {
        self.varint(field << 3 | 2)?;
        self.varint(to_u64(bytes.len()))?;
        self.bytes(bytes)
    }

    /// A field with packed numbers.
    fn packed(&mut self, field: u64, numbers: impl Iterator<Item = u64>) -> Result<()> {
        let mut packed = Message::default();
        for number in numbers {
            packed.varint(number)?;
        }
        self.field(field, &packed.0)
    }
}

impl fmt::Write for Message {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes(text.as_bytes()).map_err(|_| fmt::Error)
    }
}

/// A profile that is being written.
struct Encoder {
    out: Message,
    /// Strings in the table.
    strings: u64,
    /// Functions, each with a location of the same number.
    functions: u64,
}

impl Encoder {
    /// Adds a function with this name, and its location; returns their number.
    fn function(&mut self, name: &[u8]) -> Result<u64> {
        self.out.field(profile::STRING_TABLE, name)?;
        let string = self.strings;
        self.strings = self.strings.saturating_add(1);
        self.functions = self.functions.saturating_add(1);
        let id = self.functions;

        let mut function = Message::default();
        function.number(1, id)?;
        function.number(2, string)?;
        self.out.field(profile::FUNCTION, &function.0)?;

        let mut line = Message::default();
        line.number(1, id)?;
        let mut location = Message::default();
        location.number(1, id)?;
        location.field(4, &line.0)?;
        self.out.field(profile::LOCATION, &location.0)?;
        Ok(id)
    }
}

/// The rows as a profile.
pub(super) fn encode(
    rows: &[SiteUsage],
    name: impl Fn(u32, &mut dyn fmt::Write) -> fmt::Result,
) -> Result<Vec<u8>> {
    let mut encoder = Encoder { out: Message::default(), strings: 0, functions: 0 };
    for string in STRINGS {
        encoder.out.field(profile::STRING_TABLE, string.as_bytes())?;
        encoder.strings = encoder.strings.saturating_add(1);
    }
    for [of_type, unit] in SAMPLE_TYPES {
        let mut sample_type = Message::default();
        sample_type.number(1, of_type)?;
        sample_type.number(2, unit)?;
        encoder.out.field(profile::SAMPLE_TYPE, &sample_type.0)?;
    }
    encoder.out.number(profile::DEFAULT_SAMPLE_TYPE, 6)?;
    for row in rows {
        let mut stack = Message::default();
        name(row.site, &mut stack).map_err(|fmt::Error| Error::OutOfMemory)?;
        let (first, frames) = (encoder.functions, stack.0.split(|&byte| byte == b';'));
        for frame in frames.chain([row.kind.name().as_bytes()]) {
            encoder.function(frame)?;
        }
        let (allocated, live) = (row.allocated, row.live);
        let values = [allocated.objects, allocated.bytes, live.objects, live.bytes];
        let mut sample = Message::default();
        // The innermost frame comes first.
        sample.packed(1, (first.saturating_add(1)..=encoder.functions).rev())?;
        sample.packed(2, values.into_iter())?;
        encoder.out.field(profile::SAMPLE, &sample.0)?;
    }
    Ok(encoder.out.0)
}
