//! The memories in the bytes of a module, without an engine.

use wasmparser::{DataKind, Operator, Parser, Payload};

use crate::back::Source;
use crate::error::FromModuleError;
use crate::layout::MEMORIES;

/// The memories of a module: their sizes, and what is not zero in them.
#[derive(Debug, Default)]
pub(crate) struct Segments<'m> {
    bytes: Vec<u64>,
    /// Memory, first byte, and bytes, in the order of memories and bytes.
    segments: Vec<(u32, u64, &'m [u8])>,
}

impl<'m> Segments<'m> {
    /// Reads a module. What it has beside memories and data is not looked at.
    pub(crate) fn read(module: &'m [u8]) -> Result<Segments<'m>, FromModuleError> {
        let broken = |_| FromModuleError::NotAModule;
        let mut found = Segments::default();
        for payload in Parser::new(0).parse_all(module) {
            match payload.map_err(broken)? {
                Payload::MemorySection(memories) => {
                    for memory in memories {
                        let memory = memory.map_err(broken)?;
                        let pages = memory.initial.min(1 << 48);
                        found.bytes.push(pages.saturating_mul(1 << 16));
                    }
                }
                Payload::DataSection(data) => {
                    for data in data {
                        let data = data.map_err(broken)?;
                        let DataKind::Active { memory_index, offset_expr } = data.kind else {
                            return Err(FromModuleError::NotAHeap("a data segment is passive"));
                        };
                        let first = offset_expr.get_operators_reader().read().map_err(broken)?;
                        found.add(memory_index, &first, data.data)?;
                    }
                }
                _ => {}
            }
        }
        Ok(found)
    }

    fn add(
        &mut self,
        memory: u32,
        first: &Operator<'_>,
        data: &'m [u8],
    ) -> Result<(), FromModuleError> {
        let at = match *first {
            Operator::I32Const { value } => u64::from(value.cast_unsigned()),
            Operator::I64Const { value } => value.cast_unsigned(),
            _ => return Err(FromModuleError::NotAHeap("a data segment is at no fixed place")),
        };
        let end = u64::try_from(data.len()).ok().and_then(|len| at.checked_add(len));
        if end.is_none_or(|end| end > self.len(memory)) {
            return Err(FromModuleError::NotAHeap("a data segment is beyond its memory"));
        }
        if let Some(&(last, from, bytes)) = self.segments.last() {
            let end = u64::try_from(bytes.len()).unwrap_or(u64::MAX).saturating_add(from);
            if (memory, at) < (last, end) {
                return Err(FromModuleError::NotAHeap("data segments overlap, or are in disorder"));
            }
        }
        self.segments.push((memory, at, data));
        Ok(())
    }
}

impl Source for Segments<'_> {
    fn len(&self, memory: u32) -> u64 {
        let place = usize::try_from(memory).ok().filter(|_| memory < MEMORIES);
        place.and_then(|place| self.bytes.get(place)).copied().unwrap_or(0)
    }

    fn read(&self, memory: u32, at: u64, to: &mut [u8]) {
        to.fill(0);
        let end = at.saturating_add(u64::try_from(to.len()).unwrap_or(u64::MAX));
        // The first segment that may end beyond `at`.
        let begins_before = |&(of, from, _): &(u32, u64, _)| (of, from) <= (memory, at);
        let first = self.segments.partition_point(begins_before).saturating_sub(1);
        for &(of, from, bytes) in self.segments.get(first..).unwrap_or_default() {
            if (of, from) >= (memory, end) {
                return;
            }
            if of == memory {
                let place = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
                let skipped = bytes.get(place(at.saturating_sub(from))..).unwrap_or_default();
                let to = to.get_mut(place(from.saturating_sub(at))..).unwrap_or_default();
                to.iter_mut().zip(skipped).for_each(|(to, byte)| *to = *byte);
            }
        }
    }
}

/// The memories of a running instance.
#[derive(Debug)]
pub(crate) struct Instance<'m, M>(pub(crate) &'m [M]);

impl<M: AsRef<[u8]>> Instance<'_, M> {
    fn memory(&self, memory: u32) -> &[u8] {
        usize::try_from(memory).ok().and_then(|n| self.0.get(n)).map_or(&[], AsRef::as_ref)
    }
}

impl<M: AsRef<[u8]>> Source for Instance<'_, M> {
    fn len(&self, memory: u32) -> u64 {
        u64::try_from(self.memory(memory).len()).unwrap_or(0)
    }

    fn read(&self, memory: u32, at: u64, to: &mut [u8]) {
        let from = usize::try_from(at).ok().and_then(|at| self.memory(memory).get(at..));
        if let Some(from) = from.and_then(|from| from.get(..to.len())) {
            to.copy_from_slice(from);
        }
    }
}
