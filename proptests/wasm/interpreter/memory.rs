//! Memory instructions: each is one call of [`Memory`].

use segheap::memory::{Memory, OutOfBounds};
use wasmparser::{MemArg, Operator, TypeRef};

use super::Stop;
use super::module::Module;
use super::numeric::Slot;
use super::store::{Instance, Store};

impl Store {
    /// Runs a memory instruction; false if `operator` is none.
    pub(super) fn memory_access(
        &mut self,
        instance: usize,
        stack: &mut Vec<u64>,
        operator: &Operator<'static>,
    ) -> Result<bool, Stop> {
        use Operator as O;
        let Store { memories, instances, .. } = self;
        let Instance { module, memories: own, data, .. } = &mut instances[instance];
        match *operator {
            O::MemorySize { mem } => stack.push(memories[own[mem as usize]].size()),
            O::MemoryGrow { mem } => {
                let delta = stack.pop().unwrap();
                let old = memories[own[mem as usize]].grow(delta);
                let memory64 = is_memory64(module, mem)?;
                let minus_one = if memory64 { u64::MAX } else { u64::from(u32::MAX) };
                stack.push(old.unwrap_or(minus_one));
            }
            O::MemoryFill { mem } => {
                let [address, value, len] = pop3(stack);
                memories[own[mem as usize]].fill(address, value as u8, len)?;
            }
            O::MemoryCopy { dst_mem, src_mem } => {
                let [address, source, len] = pop3(stack);
                let (to, from) = (own[dst_mem as usize], own[src_mem as usize]);
                if to == from {
                    memories[to].copy(address, source, len)?;
                } else {
                    let [to, from] = memories.get_disjoint_mut([to, from]).unwrap();
                    to.copy_from(address, from, source, len)?;
                }
            }
            O::MemoryInit { data_index, mem } => {
                let [address, source, len] = pop3(stack);
                let segment = data[data_index as usize];
                memories[own[mem as usize]].init(address, segment, source, len)?;
            }
            O::DataDrop { data_index } => data[data_index as usize] = &[],
            _ => {
                return Ok(
                    load(memories, own, stack, operator)? || store(memories, own, stack, operator)?
                );
            }
        }
        Ok(true)
    }
}

/// Runs a load; false if `operator` is none.
fn load(
    memories: &[Memory],
    own: &[usize],
    stack: &mut Vec<u64>,
    operator: &Operator<'static>,
) -> Result<bool, Stop> {
    use Operator as O;
    match *operator {
        O::I32Load { memarg } | O::F32Load { memarg } | O::I64Load32U { memarg } => {
            load_with(memories, own, stack, memarg, Memory::load_u32, u64::from)?;
        }
        O::I64Load { memarg } | O::F64Load { memarg } => {
            load_with(memories, own, stack, memarg, Memory::load_u64, u64::from)?;
        }
        O::I32Load8U { memarg } | O::I64Load8U { memarg } => {
            load_with(memories, own, stack, memarg, Memory::load_u8, u64::from)?;
        }
        O::I32Load16U { memarg } | O::I64Load16U { memarg } => {
            load_with(memories, own, stack, memarg, Memory::load_u16, u64::from)?;
        }
        O::I32Load8S { memarg } => {
            load_with(memories, own, stack, memarg, Memory::load_u8, |v| (v as i8 as i32).slot())?;
        }
        O::I32Load16S { memarg } => {
            load_with(memories, own, stack, memarg, Memory::load_u16, |v| {
                (v as i16 as i32).slot()
            })?;
        }
        O::I64Load8S { memarg } => {
            load_with(memories, own, stack, memarg, Memory::load_u8, |v| (v as i8 as i64).slot())?;
        }
        O::I64Load16S { memarg } => {
            load_with(memories, own, stack, memarg, Memory::load_u16, |v| {
                (v as i16 as i64).slot()
            })?;
        }
        O::I64Load32S { memarg } => {
            load_with(memories, own, stack, memarg, Memory::load_u32, |v| {
                (v as i32 as i64).slot()
            })?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// Runs a store; false if `operator` is none.
fn store(
    memories: &mut [Memory],
    own: &[usize],
    stack: &mut Vec<u64>,
    operator: &Operator<'static>,
) -> Result<bool, Stop> {
    use Operator as O;
    match *operator {
        O::I32Store { memarg } | O::F32Store { memarg } | O::I64Store32 { memarg } => {
            store_with(memories, own, stack, memarg, Memory::store_u32, |v| v as u32)?;
        }
        O::I64Store { memarg } | O::F64Store { memarg } => {
            store_with(memories, own, stack, memarg, Memory::store_u64, |v| v)?;
        }
        O::I32Store8 { memarg } | O::I64Store8 { memarg } => {
            store_with(memories, own, stack, memarg, Memory::store_u8, |v| v as u8)?;
        }
        O::I32Store16 { memarg } | O::I64Store16 { memarg } => {
            store_with(memories, own, stack, memarg, Memory::store_u16, |v| v as u16)?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// Whether a memory of a module has 64-bit addresses.
fn is_memory64(module: &Module, memory: u32) -> Result<bool, Stop> {
    let imported = module.imports.iter().filter_map(|(_, _, ty)| match ty {
        TypeRef::Memory(ty) => Some(*ty),
        _ => None,
    });
    let ty = imported.chain(module.memories.iter().copied()).nth(memory as usize);
    Ok(ty.ok_or_else(|| Stop::Broken("no such memory".into()))?.memory64)
}

fn load_with<T>(
    memories: &[Memory],
    own: &[usize],
    stack: &mut Vec<u64>,
    memarg: MemArg,
    load: impl Fn(&Memory, u64, u64) -> Result<T, OutOfBounds>,
    extend: impl Fn(T) -> u64,
) -> Result<(), Stop> {
    let address = stack.pop().unwrap();
    let memory = &memories[own[memarg.memory as usize]];
    stack.push(extend(load(memory, address, memarg.offset)?));
    Ok(())
}

fn store_with<T>(
    memories: &mut [Memory],
    own: &[usize],
    stack: &mut Vec<u64>,
    memarg: MemArg,
    store: impl Fn(&mut Memory, u64, u64, T) -> Result<(), OutOfBounds>,
    wrap: impl Fn(u64) -> T,
) -> Result<(), Stop> {
    let value = stack.pop().unwrap();
    let address = stack.pop().unwrap();
    let memory = &mut memories[own[memarg.memory as usize]];
    store(memory, address, memarg.offset, wrap(value))?;
    Ok(())
}

fn pop3(stack: &mut Vec<u64>) -> [u64; 3] {
    stack.split_off(stack.len() - 3).try_into().unwrap()
}
