//! Decoding of modules.

use segheap::memory::{IndexType, MemoryType};
use wasmparser::{
    CompositeInnerType, ConstExpr, Data, DataKind, Element, ElementItems, ElementKind,
    ExternalKind, FuncType, FunctionBody, GlobalType, Operator, Parser, Payload, SubType,
    TableType, TypeRef, Validator, WasmFeatures,
};

use super::{Stop, unsupported};

/// A decoded module. Its bytes are leaked, since operators borrow from them.
pub(crate) struct Module {
    pub(super) types: Vec<Option<FuncType>>,
    pub(super) imports: Vec<(String, String, TypeRef)>,
    pub(super) functions: Vec<u32>,
    pub(super) tables: Vec<(u64, Option<u64>)>,
    pub(super) memories: Vec<wasmparser::MemoryType>,
    pub(super) globals: Vec<(GlobalType, ConstExpr<'static>)>,
    pub(super) exports: Vec<(String, ExternalKind, usize)>,
    pub(super) elements: Vec<(usize, ConstExpr<'static>, Vec<usize>)>,
    pub(super) data: Vec<Segment>,
    pub(super) code: Vec<Code>,
    pub(super) start: Option<usize>,
}

pub(super) struct Segment {
    /// Memory and offset of an active segment.
    pub(super) target: Option<(usize, ConstExpr<'static>)>,
    pub(super) bytes: &'static [u8],
}

/// The body of a function.
pub(super) struct Code {
    pub(super) locals: usize,
    pub(super) operators: Vec<Operator<'static>>,
    /// For each block, loop, if and else: the positions of its `else` (or `end`) and
    /// of its `end`.
    pub(super) ends: Vec<(usize, usize)>,
}

/// Converts a memory type.
pub(super) fn memory_type(ty: wasmparser::MemoryType) -> MemoryType {
    let index = if ty.memory64 { IndexType::I64 } else { IndexType::I32 };
    MemoryType::new(index, ty.initial, ty.maximum)
}

impl Module {
    pub(crate) fn decode(bytes: Vec<u8>) -> Result<Module, Stop> {
        let bytes: &'static [u8] = Box::leak(bytes.into_boxed_slice());
        let features = WasmFeatures::default() | WasmFeatures::MULTI_MEMORY;
        Validator::new_with_features(features | WasmFeatures::MEMORY64).validate_all(bytes)?;
        let mut module = Module {
            types: Vec::new(),
            imports: Vec::new(),
            functions: Vec::new(),
            tables: Vec::new(),
            memories: Vec::new(),
            globals: Vec::new(),
            exports: Vec::new(),
            elements: Vec::new(),
            data: Vec::new(),
            code: Vec::new(),
            start: None,
        };
        for payload in Parser::new(0).parse_all(bytes) {
            module.section(payload?)?;
        }
        Ok(module)
    }

    fn section(&mut self, payload: Payload<'static>) -> Result<(), Stop> {
        match payload {
            Payload::TypeSection(section) => {
                for group in section {
                    self.types.extend(group?.into_types().map(function_type));
                }
            }
            Payload::ImportSection(section) => {
                for import in section {
                    let import = import?;
                    self.imports.push((import.module.into(), import.name.into(), import.ty));
                }
            }
            Payload::FunctionSection(section) => {
                self.functions = section.into_iter().collect::<Result<_, _>>()?;
            }
            Payload::TableSection(section) => {
                for table in section {
                    self.tables.push(table_limits(table?.ty)?);
                }
            }
            Payload::MemorySection(section) => {
                self.memories = section.into_iter().collect::<Result<_, _>>()?;
            }
            Payload::GlobalSection(section) => {
                for global in section {
                    let global = global?;
                    self.globals.push((global.ty, global.init_expr));
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export?;
                    let index = export.index as usize;
                    self.exports.push((export.name.into(), export.kind, index));
                }
            }
            Payload::StartSection { func, .. } => self.start = Some(func as usize),
            Payload::ElementSection(section) => {
                for element in section {
                    self.element(element?)?;
                }
            }
            Payload::DataSection(section) => {
                for data in section {
                    self.data.push(Segment::decode(data?));
                }
            }
            Payload::CodeSectionEntry(body) => self.code.push(Code::decode(&body)?),
            Payload::TagSection(_) => return Err(unsupported("tags")),
            _ => (),
        }
        Ok(())
    }

    fn element(&mut self, element: Element<'static>) -> Result<(), Stop> {
        match (element.kind, element.items) {
            (ElementKind::Active { table_index, offset_expr }, ElementItems::Functions(items)) => {
                let items: Result<Vec<u32>, _> = items.into_iter().collect();
                let items = items?.into_iter().map(|item| item as usize).collect();
                let table = table_index.unwrap_or(0) as usize;
                self.elements.push((table, offset_expr, items));
                Ok(())
            }
            (ElementKind::Declared, _) => Ok(()),
            _ => Err(unsupported("other element segments")),
        }
    }

    pub(super) fn ty(&self, index: u32) -> Result<&FuncType, Stop> {
        let ty = self.types.get(index as usize).and_then(Option::as_ref);
        ty.ok_or_else(|| unsupported("types other than of functions"))
    }
}

impl Segment {
    fn decode(data: Data<'static>) -> Segment {
        let target = match data.kind {
            DataKind::Passive => None,
            DataKind::Active { memory_index, offset_expr } => {
                Some((memory_index as usize, offset_expr))
            }
        };
        Segment { target, bytes: data.data }
    }
}

impl Code {
    fn decode(body: &FunctionBody<'static>) -> Result<Code, Stop> {
        let mut locals = 0;
        for local in body.get_locals_reader()? {
            locals += local?.0 as usize;
        }
        let operators: Vec<Operator<'static>> =
            body.get_operators_reader()?.into_iter().collect::<Result<_, _>>()?;
        let ends = ends(&operators);
        Ok(Code { locals, operators, ends })
    }
}

fn function_type(ty: SubType) -> Option<FuncType> {
    match ty.composite_type.inner {
        CompositeInnerType::Func(ty) => Some(ty),
        _ => None,
    }
}

fn table_limits(ty: TableType) -> Result<(u64, Option<u64>), Stop> {
    if ty.table64 || !ty.element_type.is_func_ref() {
        return Err(unsupported("tables other than of functions"));
    }
    Ok((ty.initial, ty.maximum))
}

/// Finds the `else` and `end` of each block, loop, if and else.
fn ends(operators: &[Operator<'static>]) -> Vec<(usize, usize)> {
    let mut ends = vec![(0, 0); operators.len()];
    let mut open: Vec<(usize, Option<usize>)> = Vec::new();
    for (n, operator) in operators.iter().enumerate() {
        match operator {
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => {
                open.push((n, None));
            }
            Operator::Else => open.last_mut().unwrap().1 = Some(n),
            Operator::End => {
                // The last `end` closes the function itself.
                if let Some((start, alternative)) = open.pop() {
                    ends[start] = (alternative.map_or(n, |alternative| alternative + 1), n);
                    if let Some(alternative) = alternative {
                        ends[alternative] = (n, n);
                    }
                }
            }
            _ => (),
        }
    }
    ends
}
