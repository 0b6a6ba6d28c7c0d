//! Bulk copies and conversions between kinds.

use segheap::{Bytes, ConvertTo, CopyTo, F64Arr, Growable, I64Arr, List, Object, Str, U8Arr};

use super::{Table, show};
use crate::machine::Effect::{Allocates, Changes};
use crate::machine::Takes;
use crate::machine::Takes::Of;

pub fn rows(t: &mut Table) {
    routes(t);
    routes_of_any_kind(t);
}

/// The routes of the crate's table of bulk copies.
fn routes(t: &mut Table) {
    into_new::<Str, Str>(t);
    into_new::<Bytes, Str>(t);
    into_new::<U8Arr, Str>(t);
    route::<Str, Bytes>(t);
    route::<Str, U8Arr>(t);
    route::<Bytes, Bytes>(t);
    route::<Bytes, U8Arr>(t);
    route::<Bytes, I64Arr>(t);
    route::<Bytes, List>(t);
    route::<U8Arr, Bytes>(t);
    route::<U8Arr, U8Arr>(t);
    route::<U8Arr, I64Arr>(t);
    route::<U8Arr, F64Arr>(t);
    route::<U8Arr, List>(t);
    route::<I64Arr, Bytes>(t);
    route::<I64Arr, U8Arr>(t);
    route::<I64Arr, I64Arr>(t);
    route::<I64Arr, F64Arr>(t);
    route::<I64Arr, List>(t);
    route::<F64Arr, U8Arr>(t);
    route::<F64Arr, I64Arr>(t);
    route::<F64Arr, F64Arr>(t);
    route::<F64Arr, List>(t);
    route::<List, Bytes>(t);
    route::<List, U8Arr>(t);
    route::<List, I64Arr>(t);
    route::<List, F64Arr>(t);
    route::<List, List>(t);
}

fn into_new<S: ConvertTo<D>, D: Object>(t: &mut Table) {
    t.row("Heap::convert_across", &[Of(S::KIND)], &[Allocates(D::KIND)], |m, c| {
        let made = m.heap.convert_across::<D>(c.cell(0).to_handle::<S>()?, c.range())?;
        m.keep(made)
    });
}

fn route<S: CopyTo<D>, D: Growable>(t: &mut Table) {
    into_new::<S, D>(t);
    let takes = [Of(D::KIND), Of(S::KIND)];
    t.row("Heap::copy_across", &takes, &[Changes(0)], |m, c| {
        let (target, source) = (c.cell(0).to_handle::<D>()?, c.cell(1).to_handle::<S>()?);
        show(m.heap.copy_across(target, c.small() % 5, source, c.range())?)
    });
    t.row("Heap::append_across", &takes, &[Changes(0)], |m, c| {
        let (target, source) = (c.cell(0).to_handle::<D>()?, c.cell(1).to_handle::<S>()?);
        show(m.heap.append_across(target, source, c.range())?)
    });
}

/// Copies between objects whose kinds are known at run time only.
fn routes_of_any_kind(t: &mut Table) {
    const BOTH: &[Takes] = &[Takes::Object, Takes::Object];
    t.row("Heap::copy_across_any", BOTH, &[Changes(0)], |m, c| {
        show(m.heap.copy_across_any(c.cell(0), c.small() % 5, c.cell(1), c.range())?)
    });
    t.row("Heap::append_across_any", BOTH, &[Changes(0)], |m, c| {
        show(m.heap.append_across_any(c.cell(0), c.cell(1), c.range())?)
    });
    convert_any::<Str>(t);
    convert_any::<Bytes>(t);
    /// The rows of the kinds that are arrays of values.
    macro_rules! convert_any_values {
        ($($Kind:ident as $NAME:ident, $family:ident;)*) => {
            $(convert_any_values! { $family $Kind })*
        };
        (values $Kind:ident) => { convert_any::<segheap::$Kind>(t); };
        ($family:ident $Kind:ident) => {};
    }
    segheap::for_each_kind!(convert_any_values);
}

fn convert_any<D: Object>(t: &mut Table) {
    t.row("Heap::convert_across_any", &[Takes::Object], &[Allocates(D::KIND)], |m, c| {
        let made = m.heap.convert_across_any(D::KIND, c.cell(0), c.range())?;
        m.keep(made)
    });
}
